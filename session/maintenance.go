package session

import (
	"context"
	"fmt"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/jobs"
)

// Maintenance is what statements order of the work on the lake, and ask of it. Submitted work goes on when the
// statement has ended.
type Maintenance interface {
	// Flush submits the flush of a table, or returns the one that is queued or runs.
	Flush(ctx context.Context, t *kalam.Table) (job kalam.Job, existing bool, err error)
	// Compact does so for the compaction of all scopes of a table. retain is for how many hours it keeps tombstones,
	// nil for as long as the table says.
	Compact(ctx context.Context, t *kalam.Table, retain *int) (job kalam.Job, existing bool, err error)
	// Remove submits the removal of what a dropped table leaves.
	Remove(ctx context.Context, t *kalam.Table) (kalam.Job, error)
	// Changed tells what works by itself that the options of a table are others.
	Changed(t *kalam.Table)
	// Cancel ends a job.
	Cancel(ctx context.Context, id kalam.JobID) error
	// Prepare makes, before a table becomes visible, what it needs in its storage.
	Prepare(ctx context.Context, t *kalam.Table) error
	// Policy describes what flushes a table by itself.
	Policy(t *kalam.Table) string
	// NextFlush returns when a table falls due if nothing more is written to it, and by which trigger; a zero time
	// is never.
	NextFlush(t *kalam.Table) jobs.FlushDue
	// LastFlush returns what started the last flush of a table that moved rows, "" when none is on record.
	LastFlush(ctx context.Context, t *kalam.Table) (jobs.Trigger, error)
	// Damage returns what is known to be damaged in a storage, "" for nothing.
	Damage(storage kalam.StorageID) string
	// Move starts a job that brings files of a table to where new ones go; ok is false when all
	// are there. MoveUser starts those of a user's tables.
	Move(ctx context.Context, t *kalam.Table) (job kalam.Job, ok bool, err error)
	MoveUser(ctx context.Context, user kalam.UserID) ([]kalam.JobID, error)
	// PurgeUser submits the removal of a user whose purge has begun, or finds the active one.
	PurgeUser(ctx context.Context, user kalam.UserID) (kalam.Job, error)
	// StreamWritten says that rows were written to a STREAM table with a limit.
	StreamWritten(t *kalam.Table)
	// Verify starts a job that compares everything with its record.
	Verify(ctx context.Context) (job kalam.Job, existing bool, err error)
	// Backup starts a job that copies everything to a storage or to an absolute directory of the server.
	Backup(ctx context.Context, to string) (job kalam.Job, existing bool, err error)
	// StorageInUse reports as an error what lies in a storage, or is being written there.
	StorageInUse(ctx context.Context, id kalam.StorageID) error
}

// flushTable submits the flush job of one table and words the answer.
func (s *Session) flushTable(ctx context.Context, st *ast.FlushTable) error {
	t, err := s.maintainedTable(st.Table, "FLUSH")
	if err != nil {
		return err
	}
	dirty := s.hasBufferedRows(t)
	job, existing, err := s.server.Maintenance.Flush(ctx, t)
	if err != nil {
		return err
	}
	text := fmt.Sprintf("Storage flush started for table '%s'. Job ID: %s", t.ID, job.ID)
	switch {
	case existing:
		text = fmt.Sprintf("Storage flush skipped: a flush is already queued or running for table '%s'. Job ID: %s",
			t.ID, job.ID)
	case !dirty:
		text = fmt.Sprintf("Storage flush skipped: no pending writes for table '%s'", t.ID)
	}
	return s.ordered(text, job.ID)
}

// flushAll submits one flush per table with buffered rows.
func (s *Session) flushAll(ctx context.Context, st *ast.FlushAll) error {
	if err := access.Check(s.Principal, access.FlushAll); err != nil {
		return err
	}
	ns, where, err := s.maintained(st.Namespace)
	if err != nil {
		return err
	}
	ids, err := s.orderAll(ns, s.hasBufferedRows, func(t *kalam.Table) (kalam.Job, bool, error) {
		return s.server.Maintenance.Flush(ctx, t)
	})
	if err != nil {
		return err
	}
	text := fmt.Sprintf("Storage flush skipped: no pending writes %s", where)
	if len(ids) > 0 {
		text = fmt.Sprintf("Storage flush started for %d table(s) %s. Job IDs: %s", len(ids), where, jobs.List(ids))
	}
	return s.ordered(text, ids...)
}

// ordered answers a statement that ordered jobs.
func (s *Session) ordered(text string, ids ...kalam.JobID) error {
	return s.done(Done{Message: text, AsUser: s.Principal.User, Statement: s.statement, JobIDs: ids})
}

// orderAll orders work on the tables of a namespace, "" for all, that have files and for
// which due holds, and returns the jobs.
func (s *Session) orderAll(
	ns kalam.NamespaceID, due func(*kalam.Table) bool, order func(*kalam.Table) (kalam.Job, bool, error),
) (ids []kalam.JobID, err error) {
	for _, t := range s.Catalog.Tables(ns) {
		if !t.Flushable() || !due(t) {
			continue
		}
		job, _, err := order(t)
		if err != nil {
			return nil, err
		}
		ids = append(ids, job.ID)
	}
	return ids, nil
}

// maintained returns the namespace of STORAGE FLUSH or COMPACT ALL, "" for all, and
// how the answer calls it.
func (s *Session) maintained(in *ast.Ident) (ns kalam.NamespaceID, where string, err error) {
	if in == nil {
		return "", "in all namespaces", nil
	}
	ns = kalam.NamespaceID(in.Name)
	if _, ok := s.Catalog.Namespace(ns); !ok {
		return "", "", kalam.Errorf(kalam.CodeNotFound, "Namespace '%s' does not exist", ns).
			Lacks(kalam.MissingNamespace, in.Name).At(in.Pos)
	}
	return ns, fmt.Sprintf("in namespace '%s'", ns), nil
}

// maintainedTable returns the table that STORAGE FLUSH or COMPACT TABLE, which verb
// says, is to work on.
func (s *Session) maintainedTable(n ast.Name, verb string) (*kalam.Table, error) {
	t, err := s.Table(n, access.Maintain)
	if err != nil {
		return nil, err
	}
	if !t.Flushable() {
		return nil, kalam.Errorf(kalam.CodeInvalidOperation, "STORAGE %s TABLE is not supported for STREAM tables",
			verb)
	}
	return t, nil
}

func (s *Session) killJob(ctx context.Context, st *ast.KillJob) error {
	if err := access.Check(s.Principal, access.KillJobs); err != nil {
		return err
	}
	if err := s.server.Maintenance.Cancel(ctx, st.Job); err != nil {
		return kalam.Positioned(err, st.Pos)
	}
	return s.message(0, fmt.Sprintf("Job %s killed: cancelled", st.Job))
}

// compactTable submits the compaction of one table and words the answer.
func (s *Session) compactTable(ctx context.Context, st *ast.CompactTable) error {
	t, err := s.maintainedTable(st.Table, "COMPACT")
	if err != nil {
		return err
	}
	job, existing, err := s.server.Maintenance.Compact(ctx, t, st.Retain)
	if err != nil {
		return err
	}
	text := fmt.Sprintf("Storage compaction started for table '%s'. Job ID: %s", t.ID, job.ID)
	if existing {
		text = fmt.Sprintf("Storage compaction skipped: a compaction is already queued or running for table '%s'."+
			" Job ID: %s", t.ID, job.ID)
	}
	return s.ordered(text, job.ID)
}

// compactAll submits one compaction per table.
func (s *Session) compactAll(ctx context.Context, st *ast.CompactAll) error {
	if err := access.Check(s.Principal, access.CompactAll); err != nil {
		return err
	}
	ns, where, err := s.maintained(st.Namespace)
	if err != nil {
		return err
	}
	every := func(*kalam.Table) bool { return true }
	ids, err := s.orderAll(ns, every, func(t *kalam.Table) (kalam.Job, bool, error) {
		return s.server.Maintenance.Compact(ctx, t, st.Retain)
	})
	if err != nil {
		return err
	}
	text := fmt.Sprintf("Storage compaction skipped: no tables %s", where)
	if len(ids) > 0 {
		text = fmt.Sprintf("Storage compaction started for %d table(s) %s. Job IDs: %s", len(ids), where, jobs.List(ids))
	}
	return s.ordered(text, ids...)
}

// hasBufferedRows reports whether a flush of t would have something to do.
func (s *Session) hasBufferedRows(t *kalam.Table) bool {
	rows, _, _ := s.Store.TableStats(t.Number)
	return rows > 0
}
