package engine

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/jobs"
)

// turns lets one compaction of a scope run at a time: a statement's and the
// background rule's are different jobs.
type turns struct {
	mu   sync.Mutex // guards busy
	busy map[kalam.Scope]chan struct{}
}

func (t *turns) enter(ctx context.Context, sc kalam.Scope) error {
	for {
		t.mu.Lock()
		other, taken := t.busy[sc]
		if !taken {
			if t.busy == nil {
				t.busy = map[kalam.Scope]chan struct{}{}
			}
			t.busy[sc] = make(chan struct{})
			t.mu.Unlock()
			return nil
		}
		t.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (t *turns) leave(sc kalam.Scope) {
	t.mu.Lock()
	defer t.mu.Unlock()
	close(t.busy[sc])
	delete(t.busy, sc)
}

// dueScopes are the scopes that the background rule is to merge. It is kept in
// memory only: a start looks at every manifest anyway.
type dueScopes struct {
	mu     sync.Mutex // guards scopes
	scopes map[kalam.Scope]struct{}
}

func (d *dueScopes) add(sc kalam.Scope) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.scopes == nil {
		d.scopes = map[kalam.Scope]struct{}{}
	}
	d.scopes[sc] = struct{}{}
}

func (d *dueScopes) remove(sc kalam.Scope) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.scopes, sc)
}

// users returns the users of a table that are due, in key order.
func (d *dueScopes) users(n kalam.TableNumber) []kalam.UserID {
	d.mu.Lock()
	defer d.mu.Unlock()
	var users []kalam.UserID
	for sc := range d.scopes {
		if sc.Table == n {
			users = append(users, sc.User)
		}
	}
	slices.Sort(users)
	return users
}

// noteDue notes a scope with too many small segments. It is asked after a flush
// and at a start; an error is that of reading the scope, which others report.
func (e *Engine) noteDue(ctx context.Context, t *kalam.Table, sc kalam.Scope) {
	most := e.config.Lake.CompactSegments
	if most == 0 {
		return
	}
	m, err := e.store.Manifest(ctx, sc)
	if err != nil || len(m.Segments) < most {
		return
	}
	snap, err := e.store.Snapshot(ctx, []buffer.TableScope{{Table: t, Scope: sc}})
	if err != nil {
		return
	}
	defer snap.Release()
	if _, ok := tierRun(livingRows(snap.View(0).Stored()), most); ok {
		e.due.add(sc)
	}
}

// submitDue submits the compaction of the scopes of a table that are due.
func (e *Engine) submitDue(ctx context.Context, t *kalam.Table) {
	if len(e.due.users(t.Number)) > 0 {
		e.submitQuietly(ctx, compactJob(t, false))
	}
}

// flushTask flushes a table and then has scopes compacted that need it.
func (e *Engine) flushTask(kalam.Job) jobs.Task {
	flush := &jobs.FlushTable{Flusher: e, Parallel: flushParallel, Logger: e.log, Now: e.now}
	return jobs.TaskFunc(func(ctx context.Context, h *jobs.Handle) error {
		err := flush.Run(ctx, h)
		if t, ok := e.catalog.TableByNumber(h.Job().Number); ok {
			e.submitDue(ctx, t)
		}
		return err
	})
}

func (e *Engine) compactTask(j kalam.Job) jobs.Task {
	hours, err := jobs.RetainHours(&j)
	switch {
	case err != nil:
		return jobs.TaskFunc(func(context.Context, *jobs.Handle) error { return err })
	case hours != nil:
		return &jobs.ForgetTable{Flusher: e, Compactor: forgetting{e, *hours}, Remover: e, Logger: e.log, Now: e.now}
	}
	return &jobs.CompactTable{Compactor: e, All: j.Key != dueKey(j.Number), Logger: e.log, Now: e.now}
}

// compactPriority lets flushes start first.
const compactPriority = -10

// compactJob is the compaction of a table: of all its segments, or of the scopes
// that are due. They are different jobs, because the second does not do what who
// asks for the first expects.
func compactJob(t *kalam.Table, all bool) kalam.Job { return newCompactJob(t, all, nil) }

// newCompactJob is compactJob; with retain, it is one that keeps deleted rows for so many
// hours. What that does, no compaction with other hours does.
func newCompactJob(t *kalam.Table, all bool, retain *int) kalam.Job {
	scopes, key := "all", fmt.Sprintf("compact-%d", t.Number)
	if !all {
		scopes, key = "due", dueKey(t.Number)
	}
	retained := ""
	if retain != nil {
		key = fmt.Sprintf("compact-%d-retain-%d", t.Number, *retain)
		retained = fmt.Sprintf(`,"retain_hours":%d`, *retain)
	}
	return kalam.Job{
		Kind: kalam.JobCompact, Namespace: t.ID.Namespace, Table: t.ID.Name, Number: t.Number, Key: key, Priority: compactPriority,
		Parameters: fmt.Sprintf(`{"table_id":%q,"table_type":%q,"scopes":%q%s}`, t.ID.String(), t.Kind, scopes, retained),
	}
}

func dueKey(n kalam.TableNumber) string { return fmt.Sprintf("compact-due-%d", n) }
