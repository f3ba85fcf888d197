package session

import (
	"context"
	"fmt"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/dialect/ast"
)

// backupDatabase submits a backup and words the answer.
func (s *Session) backupDatabase(ctx context.Context, st *ast.BackupDatabase) error {
	if err := access.Check(s.Principal, access.MakeBackups); err != nil {
		return err
	}
	job, existing, err := s.server.Maintenance.Backup(ctx, st.To)
	if err != nil {
		return kalam.Positioned(err, st.Pos)
	}
	text := fmt.Sprintf("Backup started to '%s'. Job ID: %s", st.To, job.ID)
	if existing {
		text = fmt.Sprintf("Backup skipped: one is already queued or running to '%s'. Job ID: %s", st.To, job.ID)
	}
	return s.ordered(text, job.ID)
}

// verifyStorage submits a verification and words the answer.
func (s *Session) verifyStorage(ctx context.Context) error {
	if err := access.Check(s.Principal, access.CheckStorages); err != nil {
		return err
	}
	job, existing, err := s.server.Maintenance.Verify(ctx)
	if err != nil {
		return err
	}
	text := "Storage verification started. Job ID: " + string(job.ID)
	if existing {
		text = "Storage verification skipped: one is already queued or running. Job ID: " + string(job.ID)
	}
	return s.ordered(text, job.ID)
}
