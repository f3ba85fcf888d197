package session

import (
	"context"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/session/schema"
	"github.com/kalamlake/kalam/views"
)

// manageView runs CREATE VIEW and DROP VIEW.
func (s *Session) manageView(ctx context.Context, st ast.Statement) (err error) {
	text := ""
	switch st := st.(type) {
	case *ast.CreateView:
		text, err = schema.CreateView(ctx, &s.Caller, st)
	case *ast.DropView:
		text, err = schema.DropView(ctx, &s.Caller, st)
	}
	if err != nil {
		return err
	}
	return s.message(0, text)
}

// showCreateView answers SHOW CREATE of a view; false when the name is none of one.
func (s *Session) showCreateView(n ast.Name) (bool, error) {
	v, ok := s.ViewNamed(n)
	if !ok {
		return false, nil
	}
	row := []kalam.Value{kalam.Text(v.ID.String()), kalam.Text(schema.ViewText(v))}
	return true, s.listing(createColumns, [][]kalam.Value{row}, "")
}

// describeView answers DESCRIBE of a view; false when the name is none of one.
func (s *Session) describeView(st *ast.Describe) (bool, error) {
	v, ok := s.ViewNamed(st.Table)
	if !ok || st.History {
		return false, nil
	}
	rows, message := schema.Description(views.Table(v))
	return true, s.listing(schema.DescribeColumns, rows, message)
}
