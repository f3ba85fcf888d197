package dialect

import (
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/sqltext"
)

// createsFromQuery reports whether AS and a query follow the name of a new table: no
// definition of columns has AS outside its parentheses.
func (p *parser) createsFromQuery() bool {
	depth := 0
	for l, t := p.lex, p.tok; ; t = l.Next() {
		switch {
		case t.Kind == sqltext.EOF || t.Kind == sqltext.Invalid:
			return false
		case t.Kind == sqltext.Punct && t.Ch == '(':
			depth++
		case t.Kind == sqltext.Punct && t.Ch == ')':
			depth--
		case depth == 0 && t.Kind == sqltext.Word && sqltext.IsWord(p.text(t), "AS"):
			return true
		}
	}
}

// keyOfQuery consumes ( PRIMARY KEY ( column {, column} ) ), if it follows.
func (p *parser) keyOfQuery(st *ast.CreateTable) (err error) {
	if !p.isPunct('(') {
		return nil
	}
	p.advance()
	if !p.is("PRIMARY") {
		return unsupported(p.tok.Pos,
			"CREATE TABLE ... AS takes its columns from the query: only PRIMARY KEY (...) may stand here")
	}
	if err = p.expect("PRIMARY", "KEY"); err == nil {
		st.Key, err = p.columnList()
	}
	if err != nil {
		return err
	}
	return p.expectPunct(')')
}

// sourceOfTable consumes AS query [WITH [NO] DATA].
func (p *parser) sourceOfTable(st *ast.CreateTable) (err error) {
	if err := p.expect("AS"); err != nil {
		return err
	}
	if !isQueryStart(p.src(), p.tok) {
		return p.unexpected("a query")
	}
	if st.As.SQL, st.As.Pos, err = p.capture((*parser).atData); err != nil {
		return err
	}
	if p.accept("WITH", "NO", "DATA") {
		st.NoData = true
	} else {
		p.accept("WITH", "DATA")
	}
	st.Edits = p.edits
	st.Params, err = p.placeholders()
	return err
}

// atData reports whether WITH [NO] DATA and the end of the statement are next. WITH of a
// query is followed by a name, which may be DATA.
func (p *parser) atData() bool {
	look := *p
	if !look.accept("WITH") {
		return false
	}
	look.accept("NO")
	return look.accept("DATA") && (look.tok.Kind == sqltext.EOF || look.isPunct(';'))
}
