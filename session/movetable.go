package session

import (
	"context"
	"fmt"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/dialect/ast"
)

// moveTable has new files of a table go to another storage, and starts a job that brings the others
// there.
func (s *Session) moveTable(ctx context.Context, st *ast.MoveTable) error {
	t, err := s.Table(st.Name, access.Alter)
	if err != nil {
		return err
	}
	switch {
	case st.Kind != 0 && st.Kind != t.Kind:
		return kalam.Errorf(kalam.CodeInvalidOperation, "Table %s is a %s table", t.ID, t.Kind).At(st.Name.Pos)
	case !t.Flushable():
		return kalam.Errorf(kalam.CodeInvalidOperation, "Table %s is a %s table, which has no files", t.ID,
			t.Kind).At(st.Name.Pos)
	}
	h, err := s.server.Lake.Check(ctx, st.Storage)
	if err == nil && h.Err != nil {
		err = kalam.Wrap(kalam.CodeUnavailable, h.Err, "Storage '%s' cannot be used now; STORAGE CHECK tells why",
			st.Storage)
	}
	if err != nil {
		return kalam.Positioned(err, st.Pos)
	}
	if t, err = s.Catalog.MoveTable(ctx, t.Number, st.Storage); err != nil {
		return kalam.Positioned(err, st.Pos)
	}
	text := fmt.Sprintf("Table %s altered successfully: SET STORAGE %s", t.ID, st.Storage)
	job, ok, err := s.server.Maintenance.Move(ctx, t)
	if err != nil {
		return err
	}
	if !ok {
		return s.message(0, text)
	}
	return s.out.Done(Done{
		Message: fmt.Sprintf("%s. Its files are moved by job %s", text, job.ID),
		AsUser:  s.Principal.User, Statement: s.statement, JobIDs: []kalam.JobID{job.ID},
	})
}
