package dialect

import (
	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/sqltext"
)

// insert parses INSERT; the current token is the word.
func (p *parser) insert() (ast.Statement, error) {
	p.advance()
	if p.is("OR") || p.is("IGNORE") || p.is("OVERWRITE") {
		return nil, unsupported(p.tok.Pos, "INSERT %s is not supported; use INSERT ... ON CONFLICT", p.words(2))
	}
	if err := p.expect("INTO"); err != nil {
		return nil, err
	}
	st := &ast.Insert{}
	var err error
	if st.Table, err = p.tableName(); err != nil {
		return nil, err
	}
	if p.accept("AS") {
		alias, err := p.ident("alias")
		if err != nil {
			return nil, err
		}
		st.Alias = alias.Name
	}
	if err := p.insertColumns(st); err != nil {
		return nil, err
	}
	if p.is("OVERRIDING") {
		pos := p.tok.Pos
		if st.Overriding = p.accept("OVERRIDING", "SYSTEM", "VALUE"); !st.Overriding {
			return nil, unsupported(pos, "%s is not supported; there is OVERRIDING SYSTEM VALUE", p.words(3))
		}
	}
	if err := p.insertSource(st); err != nil {
		return nil, err
	}
	if st.Conflict, err = p.onConflict(st.Table, st.Alias); err != nil {
		return nil, err
	}
	if st.Returning, err = p.returning(st.Table, st.Alias); err != nil {
		return nil, err
	}
	st.Edits = p.edits
	st.Params, err = p.placeholders()
	return st, err
}

// insertColumns consumes the list of columns, unless the parenthesis begins a query.
func (p *parser) insertColumns(st *ast.Insert) (err error) {
	if !p.isPunct('(') || p.opensQuery() {
		return nil
	}
	st.Columns, err = p.columnList()
	return err
}

// opensQuery reports whether the current parenthesis holds a query. VALUES can
// also be the name of a column.
func (p *parser) opensQuery() bool {
	l := p.lex
	t := l.Next()
	if t.Kind == sqltext.Word && sqltext.IsWord(p.text(t), "VALUES") {
		t = l.Next()
		return t.Kind == sqltext.Punct && t.Ch == '('
	}
	return isQueryStart(p.src(), t)
}

// insertSource consumes VALUES, DEFAULT VALUES or the source query.
func (p *parser) insertSource(st *ast.Insert) (err error) {
	switch {
	case p.accept("DEFAULT", "VALUES"):
		if len(st.Columns) > 0 {
			return syntaxError(st.Columns[0].Pos, "INSERT ... DEFAULT VALUES takes no column list")
		}
		st.Defaults = true
		return nil
	case p.is("VALUES"):
		return p.values(st)
	case isQueryStart(p.src(), p.tok):
		st.Select, st.SelectPos, err = p.capture(func(p *parser) bool { return p.atConflict() || p.is("RETURNING") })
		return err
	case p.is("SET"):
		return unsupported(p.tok.Pos, "INSERT ... SET is not supported; use INSERT ... VALUES")
	}
	return p.unexpected("VALUES, DEFAULT VALUES or a query")
}

// atConflict reports whether ON CONFLICT or ON DUPLICATE KEY is next. ON alone
// belongs to a join.
func (p *parser) atConflict() bool {
	if !p.is("ON") {
		return false
	}
	l := p.lex
	word := l.Next()
	if word.Kind != sqltext.Word {
		return false
	}
	after := l.Next()
	next := ""
	if after.Kind == sqltext.Word {
		next = p.text(after)
	}
	if sqltext.IsWord(p.text(word), "DUPLICATE") {
		return sqltext.IsWord(next, "KEY")
	}
	return sqltext.IsWord(p.text(word), "CONFLICT") &&
		(after.Kind == sqltext.Punct && after.Ch == '(' || sqltext.IsWord(next, "DO") || sqltext.IsWord(next, "ON"))
}

// values consumes the VALUES lists. It works on offsets: p.tok is only
// meaningful inside slowValue and at the end.
func (p *parser) values(st *ast.Insert) error {
	p.advance()
	if !p.isPunct('(') {
		return p.unexpected("'('")
	}
	v := valueReader{parser: p, width: len(st.Columns)}
	i := p.tok.Pos
	for {
		row := i
		next, err := v.row(i)
		if err != nil {
			return err
		}
		if v.count++; v.count == 1 {
			v.reserve(next-row, len(p.lex.Src)-next)
		}
		if i, err = p.gap(next); err != nil {
			return err
		}
		if i >= len(p.lex.Src) || p.lex.Src[i] != ',' {
			break
		}
		if i, err = p.gap(i + 1); err != nil {
			return err
		}
		if i >= len(p.lex.Src) || p.lex.Src[i] != '(' {
			p.lex.Pos = i
			p.advance()
			return p.unexpected("'('")
		}
	}
	p.lex.Pos = i
	p.advance()
	st.Rows = v.rows()
	return nil
}

// gap returns the offset after the blanks and comments at i.
func (p *parser) gap(i int) (int, error) {
	at, bad := sqltext.SkipBlank(p.lex.Src, i)
	if bad != "" {
		return at, syntaxError(at, "%s", bad)
	}
	return at, nil
}

// valueReader gathers the VALUES lists of one statement in one array.
type valueReader struct {
	*parser
	flat  []ast.Expr
	width int // Values per row; 0 until the first row tells.
	count int // Rows.
}

// reserve makes room for the rows that a text of this length probably holds.
func (v *valueReader) reserve(rowBytes, restBytes int) {
	const most = 1 << 15
	left := restBytes/max(rowBytes, 4) + 2
	n := min(v.width*(left+left/8), most)
	if n > cap(v.flat) {
		v.flat = append(make([]ast.Expr, 0, n), v.flat...)
	}
}

// row consumes the row whose '(' is at i and returns the offset after its ')'.
func (v *valueReader) row(i int) (int, error) {
	start, before := i, len(v.flat)
	for {
		var x ast.Expr
		at := i + 1
		for at < len(v.lex.Src) && sqltext.ClassOf(v.lex.Src[at]) == sqltext.ClassSpace {
			at++
		}
		next, ok := v.quick(&x, at)
		if !ok {
			var err error
			if x, next, err = v.slowValue(at); err != nil {
				return i, err
			}
		}
		v.flat = append(v.flat, x)
		i = next
		if v.lex.Src[i] == ')' {
			break
		}
	}
	if n := len(v.flat) - before; v.width == 0 {
		v.width = n
	} else if n != v.width {
		return i, syntaxError(start, "INSERT row %d has %d values for %d columns", v.count+1, n, v.width)
	}
	return i + 1, nil
}

// slowValue consumes the value at offset i with the lexer.
func (v *valueReader) slowValue(i int) (x ast.Expr, next int, err error) {
	v.lex.Pos = i
	v.advance()
	x, err = v.expr(endsItem)
	if err == nil && !v.isPunct(',') && !v.isPunct(')') {
		err = v.unexpected("',' or ')'")
	}
	return x, v.tok.Pos, err
}

func (v *valueReader) rows() [][]ast.Expr {
	out := make([][]ast.Expr, v.count)
	for i := range out {
		out[i] = v.flat[i*v.width : (i+1)*v.width : (i+1)*v.width]
	}
	return out
}

// onConflict consumes the ON CONFLICT clause; nil if there is none.
func (p *parser) onConflict(table ast.Name, alias string) (*ast.OnConflict, error) {
	if !p.is("ON") {
		return nil, nil
	}
	c := &ast.OnConflict{Pos: p.tok.Pos}
	if p.nextIs("DUPLICATE") {
		return nil, unsupported(c.Pos,
			"ON DUPLICATE KEY is not supported; use ON CONFLICT (key) DO UPDATE SET c = EXCLUDED.c")
	}
	if err := p.expect("ON", "CONFLICT"); err != nil {
		return nil, err
	}
	if p.is("ON") {
		return nil, unsupported(p.tok.Pos, "ON CONFLICT ON CONSTRAINT is not supported; name the primary key columns")
	}
	var err error
	if p.isPunct('(') {
		if c.Columns, err = p.columnList(); err != nil {
			return nil, err
		}
	}
	if p.is("WHERE") {
		return nil, unsupported(p.tok.Pos, "a condition on the conflict target is not supported")
	}
	if err := p.expect("DO"); err != nil {
		return nil, err
	}
	if p.accept("NOTHING") {
		c.DoNothing = true
		return c, nil
	}
	if err := p.expect("UPDATE", "SET"); err != nil {
		return nil, err
	}
	if c.Set, err = p.setList(table, alias); err != nil {
		return nil, err
	}
	if p.accept("WHERE") {
		c.Where, c.WherePos, err = p.condition("WHERE")
	}
	return c, err
}

// replace refuses REPLACE INTO.
func (p *parser) replace() (ast.Statement, error) {
	return nil, kalam.Errorf(kalam.CodeUnsupported,
		"REPLACE is not supported; use INSERT ... ON CONFLICT (key) DO UPDATE").At(p.tok.Pos)
}
