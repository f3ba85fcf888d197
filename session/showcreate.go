package session

import (
	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/session/schema"
	"github.com/kalamlake/kalam/systables"
)

var createColumns = systables.Columns(`table_name TEXT, create_statement TEXT`)

// showCreate gives the statement that makes a table like the one that is there, as it is now.
func (s *Session) showCreate(st *ast.ShowCreate) error {
	if done, err := s.showCreateView(st.Table); done {
		return err
	}
	t, err := s.Table(st.Table, access.See)
	if err != nil {
		return err
	}
	if t.IsComputed() {
		return access.NotFound(t.ID).At(st.Table.Pos)
	}
	return s.listing(createColumns, [][]kalam.Value{{kalam.Text(t.ID.String()), kalam.Text(schema.CreateText(t))}}, "")
}
