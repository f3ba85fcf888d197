package dialect

import (
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/dialect/tableopts"
	"github.com/kalamlake/kalam/sqltext"
)

// createTable parses what follows CREATE [kind] TABLE.
func (p *parser) createTable(kind kalam.TableKind) (ast.Statement, error) {
	st := &ast.CreateTable{IfNotExists: p.accept("IF", "NOT", "EXISTS")}
	var err error
	if st.Name, err = p.newTableName(); err != nil {
		return nil, err
	}
	if p.is("LIKE") {
		return nil, unsupported(p.tok.Pos, "CREATE TABLE ... LIKE is not supported; list the columns")
	}
	fromQuery := p.createsFromQuery()
	if fromQuery {
		err = p.keyOfQuery(st)
	} else {
		err = p.tableElements(st)
	}
	if err != nil {
		return nil, err
	}
	o := tableopts.Set{}
	for p.tok.Kind != sqltext.EOF && !p.isPunct(';') && !(fromQuery && p.is("AS")) {
		if err := p.tableClause(&o); err != nil {
			return nil, err
		}
	}
	if fromQuery {
		if err := p.sourceOfTable(st); err != nil {
			return nil, err
		}
	}
	if o.Kind != 0 {
		if kind != 0 && kind != o.Kind {
			return nil, syntaxError(st.Name.Pos, "TYPE '%s' does not agree with CREATE %s TABLE",
				strings.ToUpper(o.Kind.String()), strings.ToUpper(kind.String()))
		}
		kind = o.Kind
	}
	st.Table.Kind, st.Table.Options, st.Given = kind, o.Table, o.Given
	st.CronPos, st.CronTZPos = o.CronPos, o.ZonePos
	if kind == 0 {
		return st, nil
	}
	if err := checkOptions(&st.Table, o.Given); err != nil {
		return nil, located(err, st.Name.Pos)
	}
	return st, nil
}

// newTableName consumes the name of a table that is to be created.
func (p *parser) newTableName() (ast.Name, error) {
	n := ast.Name{Pos: p.tok.Pos}
	for {
		id, err := p.anyIdent("table name")
		if err != nil {
			return n, err
		}
		n.Parts = append(n.Parts, strings.Clone(id.Name))
		if !p.acceptPunct('.') {
			break
		}
	}
	if len(n.Parts) > 2 {
		return n, syntaxError(n.Pos, "A table is created as name or namespace.name")
	}
	if len(n.Parts) == 2 {
		if err := kalam.CheckIdentifier("namespace", n.Parts[0]); err != nil {
			return n, located(err, n.Pos)
		}
	}
	if err := CheckTableName(n.Last()); err != nil {
		return n, located(err, n.Pos)
	}
	return n, nil
}

// tableClause consumes WITH (...), USING word or one option.
func (p *parser) tableClause(o *tableopts.Set) error {
	switch {
	case p.accept("USING"): // The format word of KalamDB has no effect there either.
		_, err := p.ident("format")
		return err
	case p.accept("WITH"):
		return p.optionList(o)
	}
	if err := p.option(o); err != nil {
		return err
	}
	p.acceptPunct(',')
	return nil
}

// optionList consumes ( option {, option} ).
func (p *parser) optionList(o *tableopts.Set) error {
	if err := p.expectPunct('('); err != nil {
		return err
	}
	for !p.isPunct(')') {
		if err := p.option(o); err != nil {
			return err
		}
		if !p.acceptPunct(',') {
			break
		}
	}
	return p.expectPunct(')')
}

// tableElements consumes ( element {, element} [,] ).
func (p *parser) tableElements(st *ast.CreateTable) error {
	if err := p.expectPunct('('); err != nil {
		return err
	}
	k := keySpec{index: map[string]int{}}
	for !p.isPunct(')') {
		if err := p.tableElement(st, &k); err != nil {
			return err
		}
		if !p.acceptPunct(',') {
			break
		}
	}
	if err := p.expectPunct(')'); err != nil {
		return err
	}
	if len(st.Table.Columns) == 0 {
		return syntaxError(st.Name.Pos, "CREATE TABLE needs at least one column")
	}
	return k.resolve(st)
}

// keySpec gathers the primary key of a table definition.
type keySpec struct {
	index   map[string]int // Column names.
	inline  []int          // Columns declared PRIMARY KEY.
	columns []ast.Ident    // Of PRIMARY KEY (a, b).
	pos     int
}

func (p *parser) tableElement(st *ast.CreateTable, k *keySpec) error {
	lex, tok, prev := p.lex, p.tok, p.prev
	named := p.accept("CONSTRAINT")
	if named {
		if _, err := p.ident("constraint name"); err != nil {
			return err
		}
	}
	if p.is("PRIMARY") && p.nextIs("KEY") {
		return p.tableKey(k)
	}
	if p.isAny(" UNIQUE CHECK FOREIGN LIKE ") || p.is("EXCLUDE") && !p.nextIsType() {
		return p.refuseConstraint()
	}
	if named {
		p.lex, p.tok, p.prev = lex, tok, prev
	}
	c, err := p.columnDef()
	if err != nil {
		return err
	}
	if _, twice := k.index[c.def.Name]; twice {
		return syntaxError(c.pos, "Column '%s' is defined twice", c.def.Name)
	}
	k.index[c.def.Name] = len(st.Table.Columns)
	if c.primary {
		if k.pos = c.pos; len(k.columns) > 0 {
			return twoKeys(k.pos)
		}
		k.inline = append(k.inline, len(st.Table.Columns))
	}
	st.Table.Columns = append(st.Table.Columns, c.def)
	st.ColumnPos = append(st.ColumnPos, c.pos)
	return nil
}

// nextIsType reports whether the token after the current one names a type.
func (p *parser) nextIsType() bool {
	t := p.peek()
	if t.Kind != sqltext.Word {
		return false
	}
	_, ok := findType(sqltext.Upper(sqltext.Short(p.text(t))))
	return ok
}

func (p *parser) tableKey(k *keySpec) error {
	k.pos = p.tok.Pos
	if len(k.columns) > 0 || len(k.inline) > 0 {
		return twoKeys(k.pos)
	}
	if err := p.expect("PRIMARY", "KEY"); err != nil {
		return err
	}
	var err error
	k.columns, err = p.columnList()
	return err
}

func twoKeys(pos int) error {
	return syntaxError(pos, "PRIMARY KEY is declared twice; a composite key is written PRIMARY KEY (a, b)")
}

// resolve finds the columns of the key and checks them.
func (k *keySpec) resolve(st *ast.CreateTable) error {
	if len(k.inline) > 1 {
		return twoKeys(k.pos)
	}
	key := k.inline
	seen := map[int]bool{}
	for _, c := range k.columns {
		i, ok := k.index[c.Name]
		if !ok {
			return syntaxError(c.Pos, "PRIMARY KEY column '%s' does not exist", c.Name)
		}
		if seen[i] {
			return syntaxError(c.Pos, "PRIMARY KEY names column '%s' twice", c.Name)
		}
		seen[i] = true
		key = append(key, i)
	}
	st.Table.PrimaryKey = key
	for _, i := range key {
		c := &st.Table.Columns[i]
		if err := CheckKeyColumn(c); err != nil {
			return located(err, st.ColumnPos[i])
		}
		c.NotNull = true
	}
	return nil
}

// CheckKeyColumn reports why a column cannot be of a primary key. The error is
// CodeInvalidSQL, without a position.
func CheckKeyColumn(c *kalam.Column) error {
	if c.Type.Kind.CanBeKey() {
		return nil
	}
	return kalam.Errorf(kalam.CodeInvalidSQL, "PRIMARY KEY column '%s' must be BIGINT or TEXT, got %s (allowed: %s)",
		c.Name, c.Type, kindList(kalam.KeyKinds()))
}

// Validate checks the rules of a table definition that need no catalog and
// depend on its kind, which the caller decides when the statement does not say
// it: the primary key, and which options the kind takes. The error is
// CodeInvalidSQL, without a position.
func Validate(t *kalam.Table) error {
	if t.HasHiddenKey() && t.Kind.NeedsKey() {
		name := t.Kind.String()
		return kalam.Errorf(kalam.CodeInvalidSQL, "%s tables require a PRIMARY KEY column",
			strings.ToUpper(name[:1])+name[1:])
	}
	var given ast.OptionSet
	if t.Options.Access != kalam.AccessPrivate {
		given |= ast.OptionAccess
	}
	return checkOptions(t, given)
}

// checkOptions checks the options against the table's kind.
func checkOptions(t *kalam.Table, given ast.OptionSet) error {
	o := &t.Options
	stream := t.Kind == kalam.KindStreamTable
	text := ""
	switch {
	case stream && o.TTL == 0:
		text = "Stream tables require TTL_SECONDS (or TTL n)"
	case !stream && o.TTL != 0:
		text = "TTL_SECONDS is only supported for STREAM tables"
	case !stream && o.MaxStreamBytes != 0:
		text = "MAX_STREAM_SIZE_BYTES is only supported for STREAM tables"
	case t.Kind != kalam.KindSharedTable && given.Has(ast.OptionAccess):
		text = "ACCESS_LEVEL is only supported for SHARED tables"
	case t.Kind != kalam.KindUserTable && o.UseUserStorage:
		text = "USE_USER_STORAGE is only supported for USER tables"
	case stream && o.ShardStrategy != "":
		text = "SHARD_STRATEGY is not supported for STREAM tables"
	default:
		return nil
	}
	return kalam.Errorf(kalam.CodeInvalidSQL, "%s", text)
}

// dropTable parses what follows DROP [kind] TABLE.
func (p *parser) dropTable(kind kalam.TableKind) (ast.Statement, error) {
	st := &ast.DropTable{Kind: kind, IfExists: p.accept("IF", "EXISTS")}
	var err error
	st.Name, err = p.tableName()
	return st, err
}
