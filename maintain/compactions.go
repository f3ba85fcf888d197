package maintain

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
)

// compactions merges segments: when somebody asks, and when a scope has too many of them.
type compactions struct {
	*deps
	due   dueScopes
	locks scopeLocks
}

// recover submits what is due by what the recovery of flushes has noted.
func (c *compactions) recover(ctx context.Context) error {
	for _, t := range c.catalog.Tables("") {
		c.submitDue(ctx, t)
	}
	return nil
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
func (c *compactions) noteDue(ctx context.Context, t *kalam.Table, sc kalam.Scope) {
	most := c.config.Lake.CompactSegments
	if most == 0 {
		return
	}
	m, err := c.store.ScopeRecord(ctx, sc)
	if err != nil || len(m.Segments) < most {
		return
	}
	point, views, err := c.store.Views(ctx, []buffer.TableScope{{Table: t, Scope: sc}})
	if err != nil {
		return
	}
	defer point.Release()
	if _, ok := tierRun(livingRows(views[0].Stored()), most); ok {
		c.due.add(sc)
	}
}

// submitDue submits the compaction of the scopes of a table that are due.
func (c *compactions) submitDue(ctx context.Context, t *kalam.Table) {
	if len(c.due.users(t.Number)) > 0 {
		c.submit(ctx, compactJob(t, false, nil))
	}
}

// compactPriority lets flushes start first.
const compactPriority = -10

// compactJob is the compaction of a table: of all its segments, or of the scopes
// that are due. They are different jobs, because the second does not do what who
// asks for the first expects. With retain, it is one that keeps deleted rows for so many
// hours. What that does, no compaction with other hours does.
func compactJob(t *kalam.Table, all bool, retain *int) kalam.Job {
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
		Kind: KindCompact, Namespace: t.ID.Namespace, Table: t.ID.Name, Number: t.Number, Key: key,
		Priority: compactPriority,
		Parameters: fmt.Sprintf(`{"table_id":%q,"table_type":%q,"scopes":%q%s}`, t.ID.String(), t.Kind, scopes,
			retained),
	}
}

func dueKey(n kalam.TableNumber) string { return fmt.Sprintf("compact-due-%d", n) }
