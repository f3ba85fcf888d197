package dialect

import (
	"slices"
	"strings"

	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/sqltext"
)

// update parses UPDATE; the current token is the word.
func (p *parser) update() (ast.Statement, error) {
	p.advance()
	st := &ast.Update{}
	var err error
	if st.Table, err = p.tableName(); err != nil {
		return nil, err
	}
	if st.Alias, err = p.tableAlias("SET"); err != nil {
		return nil, err
	}
	if err := p.expect("SET"); err != nil {
		return nil, err
	}
	if st.Set, err = p.setList(st.Table, st.Alias); err != nil {
		return nil, err
	}
	if st.From, err = p.relations("FROM"); err != nil {
		return nil, err
	}
	if err := p.where(&st.Where, &st.WherePos, &st.KeyEquals, st.Table, st.Alias); err != nil {
		return nil, err
	}
	if st.From.SQL != "" {
		st.KeyEquals = nil // Whether there is a row depends on the others.
	}
	if st.Returning, err = p.returning(st.Table, st.Alias); err != nil {
		return nil, err
	}
	st.Edits = p.edits
	st.Params, err = p.placeholders()
	return st, err
}

// delete parses DELETE; the current token is the word.
func (p *parser) delete() (ast.Statement, error) {
	p.advance()
	if err := p.expect("FROM"); err != nil {
		return nil, err
	}
	st := &ast.Delete{}
	var err error
	if st.Table, err = p.tableName(); err != nil {
		return nil, err
	}
	if st.Alias, err = p.tableAlias(""); err != nil {
		return nil, err
	}
	if st.Using, err = p.relations("USING"); err != nil {
		return nil, err
	}
	if err := p.where(&st.Where, &st.WherePos, &st.KeyEquals, st.Table, st.Alias); err != nil {
		return nil, err
	}
	if st.Using.SQL != "" {
		st.KeyEquals = nil
	}
	if st.Returning, err = p.returning(st.Table, st.Alias); err != nil {
		return nil, err
	}
	st.Edits = p.edits
	st.Params, err = p.placeholders()
	return st, err
}

// truncate parses TRUNCATE; the current token is the word.
func (p *parser) truncate() (ast.Statement, error) {
	p.advance()
	p.accept("TABLE")
	st := &ast.Truncate{}
	for more := true; more; more = p.acceptPunct(',') {
		t, err := p.tableName()
		if err != nil {
			return nil, err
		}
		st.Tables = append(st.Tables, t)
	}
	if p.is("RESTART") {
		return nil, unsupported(p.tok.Pos,
			"TRUNCATE ... RESTART IDENTITY is not supported: a counter gives no value twice, and "+
				"clients may hold ids of rows that are gone; DROP TABLE takes the counters along")
	}
	p.accept("CONTINUE", "IDENTITY")
	if !p.accept("RESTRICT") {
		p.accept("CASCADE") // No other table can depend on this one.
	}
	return st, nil
}

// relations consumes the relations after FROM or USING, up to WHERE or RETURNING.
func (p *parser) relations(word string) (raw ast.RawSQL, err error) {
	if !p.accept(word) {
		return raw, nil
	}
	raw.SQL, raw.Pos, err = p.capture(func(p *parser) bool { return p.is("WHERE") || p.is("RETURNING") })
	if err == nil && raw.SQL == "" {
		err = p.unexpected("a table after " + word)
	}
	return raw, err
}

// tableAlias consumes [AS] alias. next is the word that may follow instead.
func (p *parser) tableAlias(next string) (string, error) {
	if !p.accept("AS") {
		named := p.tok.Kind == sqltext.Quoted || p.tok.Kind == sqltext.Backtick ||
			p.tok.Kind == sqltext.Word && !sqltext.IsReserved(p.text(p.tok)) && !p.is(next)
		if !named {
			return "", nil
		}
	}
	id, err := p.ident("alias")
	return id.Name, err
}

// where consumes the WHERE clause, if there is one.
func (p *parser) where(sql *string, pos *int, keys *[]ast.ColumnEquals, table ast.Name, alias string) (err error) {
	if !p.accept("WHERE") {
		return nil
	}
	start, tok := p.lex, p.tok
	if *sql, *pos, err = p.condition("WHERE"); err != nil {
		return err
	}
	k := parser{lex: start, tok: tok}
	*keys = k.keyEquals(p.tok.Pos, table, alias)
	return nil
}

// setList consumes column = value {, column = value}; (a, b) = (x, y) stands
// for a = x, b = y.
func (p *parser) setList(table ast.Name, alias string) ([]ast.Assign, error) {
	var out []ast.Assign
	for {
		var err error
		if p.isPunct('(') {
			out, err = p.setTuple(out)
		} else {
			out, err = p.setOne(out, table, alias)
		}
		if err != nil {
			return nil, err
		}
		if !p.acceptPunct(',') {
			return out, nil
		}
	}
}

// endsValue reports whether a value of SET ends before the current token.
func endsValue(p *parser) bool { return endsItem(p) || p.is("RETURNING") }

func (p *parser) setOne(out []ast.Assign, table ast.Name, alias string) ([]ast.Assign, error) {
	column, err := p.stored("column name")
	if err != nil {
		return nil, err
	}
	first, own := column, qualifier{table: table, alias: alias}
	for p.acceptPunct('.') { // alias.column, or the table's own name.
		own.add(column.Name)
		if column, err = p.stored("column name"); err != nil {
			return nil, err
		}
	}
	if !own.fits() {
		return nil, syntaxError(first.Pos, "SET takes columns of the statement's own table, not '%s.'",
			sqltext.Short(first.Name))
	}
	if err := p.expectAssign(); err != nil {
		return nil, err
	}
	value, err := p.expr(endsValue)
	return append(out, ast.Assign{Column: column, Value: value}), err
}

func (p *parser) expectAssign() error {
	if !p.acceptOp("=") && !p.acceptOp(":=") {
		return p.unexpected("'='")
	}
	return nil
}

// setTuple consumes (a, b) = (x, y) or (a, b) = ROW (x, y).
func (p *parser) setTuple(out []ast.Assign) ([]ast.Assign, error) {
	columns, err := p.columnList()
	if err != nil {
		return nil, err
	}
	if err := p.expectAssign(); err != nil {
		return nil, err
	}
	p.accept("ROW")
	pos := p.tok.Pos
	if p.isPunct('(') && isQueryStart(p.src(), p.peek()) {
		return nil, unsupported(pos, "SET (...) = (query) is not supported; assign each column its own subquery")
	}
	if err := p.expectPunct('('); err != nil {
		return nil, err
	}
	for i := 0; ; i++ {
		value, err := p.expr(endsItem)
		if err != nil {
			return nil, err
		}
		if i < len(columns) {
			out = append(out, ast.Assign{Column: columns[i], Value: value})
		}
		if !p.acceptPunct(',') {
			if i+1 != len(columns) {
				return nil, syntaxError(pos, "SET has %d values for %d columns", i+1, len(columns))
			}
			return out, p.expectPunct(')')
		}
	}
}

// qualifier is what stands before a column's name, as in ns.t.c, and the table
// of the statement that it should mean.
type qualifier struct {
	table ast.Name
	alias string
	parts [3]string
	count int
}

func (q *qualifier) add(part string) {
	if q.count < len(q.parts) {
		q.parts[q.count] = part
	}
	q.count++
}

// fits reports whether the qualifier means the statement's table: there is
// none, or it is the alias, or without an alias the table's name or its whole
// qualified name.
func (q *qualifier) fits() bool {
	switch {
	case q.count == 0:
		return true
	case q.alias != "":
		return q.count == 1 && strings.EqualFold(q.parts[0], q.alias)
	case q.count == 1:
		return strings.EqualFold(q.parts[0], q.table.Last())
	}
	return q.count <= len(q.parts) && slices.EqualFunc(q.parts[:q.count], q.table.Parts, strings.EqualFold)
}

// returning consumes RETURNING expr [AS alias] {, ...}; nil if there is none.
func (p *parser) returning(table ast.Name, alias string) ([]ast.ReturnExpr, error) {
	if !p.accept("RETURNING") {
		return nil, nil
	}
	var out []ast.ReturnExpr
	for {
		x, err := p.returnExpr(table, alias)
		if err != nil {
			return nil, err
		}
		out = append(out, x)
		if !p.acceptPunct(',') {
			return out, nil
		}
	}
}

// endsReturn reports whether an item of RETURNING ends before the current token.
func endsReturn(p *parser) bool { return endsItem(p) || p.is("AS") }

func (p *parser) returnExpr(table ast.Name, alias string) (x ast.ReturnExpr, err error) {
	x.Pos = p.tok.Pos
	look := *p
	column := look.columnRef(table, alias)
	if x.SQL, _, err = p.capture(endsReturn); err != nil {
		return x, err
	}
	if x.SQL == "" {
		return x, p.unexpected("an expression after RETURNING")
	}
	if column.Name != "" && look.tok.Pos == p.tok.Pos {
		x.Column = column.Name
	} else if look.isOp("*") && column.Pos == look.tok.Pos && look.peek().Pos == p.tok.Pos {
		x.SQL = "*"
		return x, nil // No name can follow.
	}
	if !p.accept("AS") {
		return x, nil
	}
	id, err := p.label()
	x.Alias = id
	return x, err
}

// label consumes the name after AS, which may be any word.
func (p *parser) label() (string, error) {
	if p.tok.Kind == sqltext.Word && len(p.text(p.tok)) <= maxName {
		s := p.text(p.tok)
		p.advance()
		return sqltext.Fold(s), nil
	}
	id, err := p.ident("alias")
	return id.Name, err
}

// columnRef consumes a column's name with its qualifiers. The name is empty if
// there is none; its Pos is then where p stopped.
func (p *parser) columnRef(table ast.Name, alias string) ast.Ident {
	own := qualifier{table: table, alias: alias}
	for {
		if p.tok.Kind != sqltext.Word && p.tok.Kind != sqltext.Quoted && p.tok.Kind != sqltext.Backtick {
			if !own.fits() {
				return ast.Ident{Pos: -1}
			}
			return ast.Ident{Pos: p.tok.Pos}
		}
		id, err := p.ident("column")
		if err != nil {
			return ast.Ident{Pos: -1}
		}
		if !p.acceptPunct('.') {
			if !own.fits() {
				return ast.Ident{Pos: -1}
			}
			id.Name = sqltext.Fold(id.Name)
			return id
		}
		own.add(id.Name)
	}
}

// keyEquals returns the terms of a condition that is exactly column = value
// {AND column = value} up to offset end, where each value is a literal or a
// placeholder; nil if it is anything else. Parentheses around terms are fine.
func (p *parser) keyEquals(end int, table ast.Name, alias string) []ast.ColumnEquals {
	var out []ast.ColumnEquals
	depth := 0
	for {
		for p.acceptPunct('(') {
			depth++
		}
		term, ok := p.keyTerm(table, alias)
		if !ok {
			return nil
		}
		out = append(out, term)
		for depth > 0 && p.acceptPunct(')') {
			depth--
		}
		if p.tok.Pos == end && depth == 0 {
			return out
		}
		if p.tok.Pos >= end || !p.accept("AND") {
			return nil
		}
	}
}

// keyTerm consumes column = value or value = column.
func (p *parser) keyTerm(table ast.Name, alias string) (ast.ColumnEquals, bool) {
	if p.tok.Kind == sqltext.Word || p.tok.Kind == sqltext.Quoted || p.tok.Kind == sqltext.Backtick {
		if column := p.columnRef(table, alias); column.Name != "" && (p.acceptOp("=") || p.acceptOp("==")) {
			value, ok := p.keyValue()
			return ast.ColumnEquals{Column: column, Value: value}, ok
		}
		return ast.ColumnEquals{}, false
	}
	value, ok := p.keyValue()
	if !ok || !p.acceptOp("=") && !p.acceptOp("==") {
		return ast.ColumnEquals{}, false
	}
	column := p.columnRef(table, alias)
	return ast.ColumnEquals{Column: column, Value: value}, column.Name != ""
}

// keyValue consumes a literal or a placeholder. NULL is none: nothing equals it.
// Neither is a number other than an integer: DuckDB compares 1e16 as a DOUBLE,
// to which more than one BIGINT is equal.
func (p *parser) keyValue() (ast.Expr, bool) {
	x, ok, err := p.simple()
	if !ok || err != nil {
		return x, false
	}
	switch x.Kind {
	case ast.ExprNumber:
		return x, isInteger(x.Text)
	case ast.ExprBool, ast.ExprString, ast.ExprBytes, ast.ExprParam:
		return x, true
	default:
		return x, false
	}
}

// isInteger reports whether the text of an ExprNumber is an integer literal.
func isInteger(s string) bool {
	if s[0] == '-' {
		s = s[1:]
	}
	return sqltext.Digits(s, 0) == len(s)
}
