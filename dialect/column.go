package dialect

import (
	"strconv"
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/sqltext"
)

// constraintWords begin what is refused for a column or a table.
const constraintWords = " UNIQUE CHECK FOREIGN REFERENCES EXCLUDE COLLATE COMMENT ON "

// refuseConstraint explains why the constraint at the current token is refused.
func (p *parser) refuseConstraint() error {
	pos := p.tok.Pos
	switch {
	case p.is("UNIQUE"):
		return unsupported(pos, "UNIQUE constraints are not supported; only the PRIMARY KEY is unique")
	case p.is("CHECK"):
		return unsupported(pos, "CHECK constraints are not supported")
	case p.is("FOREIGN"), p.is("REFERENCES"):
		return unsupported(pos, "FOREIGN KEY constraints are not supported")
	case p.is("ON"):
		return unsupported(pos, "ON UPDATE is not supported; set the column in UPDATE")
	}
	return unsupported(pos, "%s is not supported in a table definition", p.words(1))
}

// columnSpec gathers the constraints of one column definition.
type columnSpec struct {
	def     kalam.Column
	pos     int
	primary bool
	null    bool // NULL was written.
	serial  bool // The type implies the default.
}

// columnDef consumes name type {constraint}.
func (p *parser) columnDef() (columnSpec, error) {
	c := columnSpec{pos: p.tok.Pos}
	id, err := p.anyIdent("column name")
	if err != nil {
		return c, err
	}
	if err := CheckColumnName(id); err != nil {
		return c, located(err, id.Pos)
	}
	c.def.Name = strings.Clone(id.Name)
	if c.def.Type, c.serial, err = p.dataType(id.Name); err != nil {
		return c, err
	}
	if c.serial {
		c.def.NotNull = true
		if err := c.identity("SERIAL", c.pos, identityOptions{}); err != nil {
			return c, err
		}
	}
	for {
		more, err := p.columnConstraint(&c)
		if err != nil {
			return c, err
		}
		if !more {
			break
		}
	}
	if c.null && (c.def.NotNull || c.primary) {
		return c, syntaxError(c.pos, "Column '%s' is declared both NULL and NOT NULL or PRIMARY KEY", c.def.Name)
	}
	return c, nil
}

// columnConstraint consumes one constraint; more is false if there is none.
func (p *parser) columnConstraint(c *columnSpec) (more bool, err error) {
	if p.accept("CONSTRAINT") {
		if _, err := p.ident("constraint name"); err != nil {
			return false, err
		}
	}
	pos := p.tok.Pos
	switch {
	case p.is("PRIMARY"):
		if c.primary {
			return false, onceOnly(pos, "PRIMARY KEY")
		}
		c.primary = true
		return true, p.expect("PRIMARY", "KEY")
	case p.accept("NOT", "NULL"):
		c.def.NotNull = true
		return true, nil
	case p.accept("NULL"):
		c.null = true
		return true, nil
	case p.accept("DEFAULT"):
		if c.def.Default != nil {
			return false, onceOnly(pos, "DEFAULT of column '"+c.def.Name+"'")
		}
		return true, p.columnDefault(&c.def)
	case p.accept("AUTO_INCREMENT"), p.accept("AUTOINCREMENT"), p.accept("AUTO", "INCREMENT"):
		return true, c.identity("AUTO_INCREMENT", pos, identityOptions{})
	case p.accept("IDENTITY"):
		options, err := p.identityOptions()
		if err != nil {
			return false, err
		}
		return true, c.identity("IDENTITY", pos, options)
	case p.is("GENERATED"):
		return true, p.generated(c)
	case p.isAny(constraintWords):
		return false, p.refuseConstraint()
	}
	return false, nil
}

// identityOptions is what an identity asks for that we may not have.
type identityOptions struct {
	always  bool // GENERATED ALWAYS.
	numbers bool // A start or a step other than 1, or bounds.
	pos     int  // Of numbers.
}

// identity has ids fill the column: a BIGINT snowflake ids, which need no counter, a
// smaller type the values of a counter.
func (c *columnSpec) identity(what string, pos int, o identityOptions) error {
	f := kalam.DefaultCounter
	if c.def.Type.Kind == kalam.KindBigInt {
		f = kalam.DefaultSnowflakeID
	}
	switch {
	case c.def.Default != nil && c.def.Default.Func != f:
		return syntaxError(pos, "Column '%s' has both a DEFAULT and %s", c.def.Name, what)
	case CheckDefault(c.def.Name, c.def.Type, f) != nil:
		return syntaxError(pos, "Column '%s': %s needs SMALLINT, INT or BIGINT, not %s", c.def.Name, what, c.def.Type)
	case f == kalam.DefaultCounter && o.numbers:
		return unsupported(o.pos,
			"Column '%s': a counter begins at 1 and steps by 1; other starts, steps and bounds are not supported",
			c.def.Name)
	}
	c.def.NotNull = c.def.NotNull || f == kalam.DefaultCounter
	c.def.Default = &kalam.Default{Func: f, SQL: f.String(), Always: o.always}
	return nil
}

// generated consumes GENERATED {ALWAYS | BY DEFAULT [ON NULL]} AS IDENTITY [(...)].
func (p *parser) generated(c *columnSpec) error {
	pos := p.tok.Pos
	p.advance()
	always := p.accept("ALWAYS")
	if !always {
		if err := p.expect("BY", "DEFAULT"); err != nil {
			return err
		}
		p.accept("ON", "NULL")
	}
	if err := p.expect("AS"); err != nil {
		return err
	}
	if p.isPunct('(') {
		return unsupported(pos, "Column '%s': generated columns are not supported", c.def.Name)
	}
	if err := p.expect("IDENTITY"); err != nil {
		return err
	}
	options, err := p.identityOptions()
	if err != nil {
		return err
	}
	options.always = always
	return c.identity("IDENTITY", pos, options)
}

// identityOptions consumes ( ... ), if it follows: (start, step), or START WITH 1 and
// its like.
func (p *parser) identityOptions() (o identityOptions, err error) {
	o.pos = p.tok.Pos
	if !p.acceptPunct('(') {
		return o, nil
	}
	from := p.tok.Pos
	p.skipBalanced()
	words := strings.FieldsFunc(sqltext.Upper(p.lex.Src[from:p.tok.Pos]),
		func(r rune) bool { return r == ' ' || r == ',' || r == '\n' || r == '\t' })
	for _, w := range words {
		switch w {
		case "START", "WITH", "INCREMENT", "BY", "1", "NO", "CYCLE", "MINVALUE", "MAXVALUE", "CACHE":
		default:
			o.numbers = true
		}
	}
	return o, p.expectPunct(')')
}

// columnDefault consumes what follows DEFAULT and checks a function against the
// column's type.
func (p *parser) columnDefault(c *kalam.Column) error {
	pos := p.tok.Pos
	if err := p.defaultValue(c); err != nil {
		return err
	}
	return located(CheckDefault(c.Name, c.Type, c.Default.Func), pos)
}

// defaultValue consumes a literal or a function of the server, both optionally
// in parentheses and the literal with a type before or a cast behind it.
func (p *parser) defaultValue(c *kalam.Column) error {
	start, pos, depth := p.tok.Pos, p.tok.Pos, 0
	for p.acceptPunct('(') {
		depth++
	}
	typed := kalam.DataType{}
	if p.tok.Kind == sqltext.Word && p.peek().Kind == sqltext.String { // DATE '2024-01-01'
		if t, ok := findType(p.words(1)); ok {
			typed = kalam.TypeOf(t.Kind)
			p.advance()
		}
	}
	x, ok, err := p.simple()
	if err != nil {
		return err
	}
	if ok && p.acceptOp("::") {
		if typed, _, err = p.dataType(c.Name); err != nil {
			return err
		}
	}
	for ; depth > 0 && p.acceptPunct(')'); depth-- {
	}
	if !ok || depth > 0 || x.Kind == ast.ExprParam || x.Kind == ast.ExprDefault || !p.endsDefault() {
		return defaultError(pos, c.Name)
	}
	if typed.Kind != 0 && c.Type.Kind != 0 && typed.Kind != c.Type.Kind {
		return syntaxError(pos, "%sDEFAULT is cast to %s but the column is %s", ofColumn(c.Name), typed, c.Type)
	}
	c.Default = &kalam.Default{SQL: strings.Clone(p.lex.Src[start:p.prev.End])}
	if x.Kind != ast.ExprFunc {
		c.Default.Value = literalValue(x)
		return nil
	}
	for _, f := range serverFuncs {
		if f.name == x.Text {
			c.Default.Func = f.fill
		}
	}
	return nil
}

// literalValue returns a literal as a value of the kind it is written in;
// numbers beyond BIGINT are TEXT, which loses nothing.
func literalValue(x ast.Expr) kalam.Value {
	switch x.Kind {
	case ast.ExprBool:
		return kalam.Bool(x.Bool)
	case ast.ExprString:
		return kalam.Text(strings.Clone(x.Text))
	case ast.ExprBytes:
		return kalam.Bytes(x.Text)
	case ast.ExprNumber:
		if n, err := strconv.ParseInt(x.Text, 10, 64); err == nil {
			return kalam.BigInt(n)
		}
		return kalam.Text(strings.Clone(x.Text))
	default:
		return kalam.Null()
	}
}

// endsDefault reports whether a DEFAULT may end before the current token.
func (p *parser) endsDefault() bool {
	switch p.tok.Kind {
	case sqltext.EOF:
		return true
	case sqltext.Punct:
		return p.tok.Ch == ',' || p.tok.Ch == ')' || p.tok.Ch == ';'
	case sqltext.Word:
		return p.isAny(" PRIMARY NOT NULL DEFAULT CONSTRAINT AUTO_INCREMENT AUTOINCREMENT AUTO IDENTITY GENERATED " +
			"FIRST AFTER " + constraintWords)
	}
	return false
}

func defaultError(pos int, column string) error {
	return syntaxError(pos,
		"%sDEFAULT must be a literal or one of NOW(), CURRENT_TIMESTAMP, SNOWFLAKE_ID(), UUID_V7(), ULID(), "+
			"CURRENT_USER()",
		ofColumn(column))
}

// CheckDefault reports why a column of type t cannot be filled by f; nil for
// DefaultLiteral. The error is CodeInvalidSQL.
func CheckDefault(column string, t kalam.DataType, f kalam.DefaultFunc) error {
	var ok bool
	want := "TEXT"
	switch f {
	case kalam.DefaultLiteral:
		return nil
	case kalam.DefaultNow:
		want, ok = "TIMESTAMP, DATETIME, DATE or TIME", t.Kind.IsTemporal()
	case kalam.DefaultSnowflakeID:
		want, ok = "BIGINT", t.Kind == kalam.KindBigInt
	case kalam.DefaultCounter:
		want, ok = "SMALLINT or INT", t.Kind == kalam.KindSmallInt || t.Kind == kalam.KindInt
	case kalam.DefaultUUIDV7:
		want, ok = "TEXT or UUID", t.Kind == kalam.KindText || t.Kind == kalam.KindUUID
	default:
		ok = t.Kind == kalam.KindText
	}
	if ok {
		return nil
	}
	return kalam.Errorf(kalam.CodeInvalidSQL, "Column '%s': DEFAULT %s needs a column of type %s, not %s", column, f,
		want,
		t)
}
