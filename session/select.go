package session

import (
	"context"

	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/read"
)

// query runs a SELECT and streams its rows to the client.
func (s *Session) query(ctx context.Context, st *ast.Select) error {
	if done, err := s.pointRead(ctx, st); done || err != nil {
		return err
	}
	res, err := s.Open(ctx, st.SQL, s.params, read.Options{})
	if err != nil {
		return st.Edits.Place(err, st.Pos)
	}
	defer res.Close()
	return s.stream(ctx, res)
}
