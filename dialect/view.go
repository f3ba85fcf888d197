package dialect

import (
	"strings"

	"github.com/kalamlake/kalam/dialect/ast"
)

// view parses CREATE [OR REPLACE] VIEW and DROP VIEW; nil when the statement at the current token is another.
func (p *parser) view() (ast.Statement, error) {
	look := *p
	switch {
	case look.accept("CREATE", "VIEW"), look.accept("CREATE", "OR", "REPLACE", "VIEW"):
		replace := p.nextIs("OR")
		*p = look
		return p.createView(replace)
	case look.accept("DROP", "VIEW"):
		*p = look
		st := &ast.DropView{IfExists: p.accept("IF", "EXISTS")}
		var err error
		st.Name, err = p.tableName()
		return st, err
	}
	return nil, nil
}

// createView parses [IF NOT EXISTS] v [( column {, column} )] AS query.
func (p *parser) createView(replace bool) (ast.Statement, error) {
	st := &ast.CreateView{Replace: replace}
	if p.is("IF") && !replace {
		if err := p.expect("IF", "NOT", "EXISTS"); err != nil {
			return nil, err
		}
		st.IfNotExists = true
	}
	var err error
	if st.Name, err = p.tableName(); err != nil {
		return nil, err
	}
	if p.isPunct('(') {
		if st.Columns, err = p.columnList(); err != nil {
			return nil, err
		}
	}
	if err := p.expect("AS"); err != nil {
		return nil, err
	}
	if !isQueryStart(p.src(), p.tok) || p.is("WITH") && p.writesWith() {
		return nil, p.unexpected("a query")
	}
	from := p.tok.Pos
	if st.Query.SQL, st.Query.Pos, err = p.capture(nil); err != nil {
		return nil, err
	}
	st.Text = strings.Clone(p.src()[from:p.prev.End])
	st.Edits = p.edits
	if n, err := p.placeholders(); err != nil || n > 0 {
		if err == nil {
			err = unsupported(from, "A view takes no parameters: $1 cannot stand in its query")
		}
		return nil, err
	}
	return st, nil
}
