package maintain

import (
	"cmp"
	"context"
	"fmt"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/jobs"
)

// KindMove is the kind of the move of a table's files to where new ones go.
const KindMove kalam.JobKind = "MV"

// moveRetries lets a move outwait a storage that does not answer: the pauses between tries grow to
// 30 s.
const moveRetries = 1000

// moves brings files to where new ones go, after a table or a user got another storage. A move is a
// full compaction of the users concerned: it writes what is alive where new files go, and its
// commit replaces the old files, which go when nobody reads them any more.
type moves struct {
	*deps
	compactions *compactions
}

// jobType is the move of the files of a table. It looks again at all of them at each try.
func (m *moves) jobType() jobs.Type {
	return jobs.Type{
		Kind: KindMove, Name: "move", MaxRetries: moveRetries,
		Key: func(j kalam.Job) string { return moveKey(j.Number) },
		Task: func(kalam.Job) jobs.Task {
			return &compactTable{compactor: moving{m.compactions}, All: true, Word: "Move", Logger: m.log, Now: m.now}
		},
	}
}

func moveKey(n kalam.TableNumber) string { return fmt.Sprintf("move-%d", n) }

// moveJob is the move of the files of a table.
func moveJob(t *kalam.Table) kalam.Job {
	return kalam.Job{
		Kind: KindMove, Namespace: t.ID.Namespace, Table: t.ID.Name, Number: t.Number, Priority: compactPriority,
		Parameters: fmt.Sprintf(`{"table_id":%q,"table_type":%q}`, t.ID.String(), t.Kind),
	}
}

// moving is a compactor of the users whose files are not where new ones go.
type moving struct{ *compactions }

// CompactableScopes returns the users of a table with such files.
func (m moving) CompactableScopes(ctx context.Context, n kalam.TableNumber, _ bool) ([]kalam.UserID, error) {
	t, ok := m.catalog.TableByNumber(n)
	if !ok {
		return nil, tableGone(n)
	}
	var users []kalam.UserID
	err := m.eachManifest(ctx, t, func(sc kalam.Scope, r buffer.ScopeRecord) error {
		if m.misplaced(t, sc.User, r.Segments) {
			users = append(users, sc.User)
		}
		return nil
	})
	return users, err
}

// misplaced reports whether some segments of a scope are not where new ones go.
func (d *deps) misplaced(t *kalam.Table, user kalam.UserID, segments []kalam.Segment) bool {
	id := d.storageOf(t, user)
	for i := range segments {
		if cmp.Or(segments[i].Storage, kalam.LocalStorage) != id {
			return true
		}
	}
	return false
}

// Move submits the move of a table's files to where new ones go; existing says that one was active
// already. ok is false when all are there.
func (m *Maintainer) Move(ctx context.Context, t *kalam.Table) (job kalam.Job, ok bool, err error) {
	users, err := moving{m.compactions}.CompactableScopes(ctx, t.Number, true)
	if err != nil || len(users) == 0 {
		return job, false, err
	}
	job, _, err = m.runner.Submit(ctx, moveJob(t))
	return job, err == nil, err
}

// MoveUser submits the moves of the tables in which files of a user are not where new ones go.
func (m *Maintainer) MoveUser(ctx context.Context, user kalam.UserID) (ids []kalam.JobID, err error) {
	for _, t := range m.catalog.Tables("") {
		if !t.Options.UseUserStorage || !t.HasScopePerUser() || !t.Flushable() {
			continue
		}
		r, err := m.store.ScopeRecord(ctx, t.ScopeOf(user))
		if err != nil {
			return ids, err
		}
		if !m.misplaced(t, user, r.Segments) {
			continue
		}
		job, _, err := m.runner.Submit(ctx, moveJob(t))
		if err != nil {
			return ids, err
		}
		ids = append(ids, job.ID)
	}
	return ids, nil
}

// moveLate submits the move of a table of which a flush has just written a file where new ones do
// not go any more: it had begun before.
func (d *deps) moveLate(ctx context.Context, t *kalam.Table, user kalam.UserID, seg *kalam.Segment) {
	if now, ok := d.catalog.TableByNumber(t.Number); ok && d.misplaced(now, user, []kalam.Segment{*seg}) {
		d.submit(ctx, moveJob(now))
	}
}
