package session

import (
	"context"

	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/sqltext"
)

// startWith takes the WITH list of a statement: each query that the statement is
// evaluated by has it in front.
func (s *Session) startWith(ctx context.Context, with ast.RawSQL, edits sqltext.Edits) error {
	if with.SQL == "" {
		return nil
	}
	if err := s.Query.CheckWith(ctx, s.Principal.User, with.SQL); err != nil {
		return edits.Place(err, with.Pos)
	}
	s.with = with.SQL
	s.AtEnd(func() { s.with = "" })
	return nil
}
