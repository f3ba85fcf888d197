package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/jobs"
	"github.com/kalamlake/kalam/segments"
)

var (
	_ jobs.Flusher       = (*Engine)(nil)
	_ jobs.TableRemover  = (*Engine)(nil)
	_ jobs.StreamEvictor = (*Engine)(nil)
)

// errBusy says that a request still uses a dropped table; the job tries again.
func errBusy(n kalam.TableNumber) error {
	return kalam.Errorf(kalam.CodeConflict, "table %d is still in use by a request", n)
}

// Segments lists the files of every scope of a dropped table. While one of its
// manifests cannot be read nothing of the table is removed: which files are its own
// is not known then.
func (e *Engine) Segments(ctx context.Context, n kalam.TableNumber) ([]kalam.Segment, error) {
	if e.refs.Busy(n) {
		return nil, errBusy(n)
	}
	// A power cut must not bring the table back without its files.
	if err := e.pair.Sync(ctx); err != nil {
		return nil, err
	}
	var list []kalam.Segment
	for sc, err := range e.store.Scopes(ctx, n) {
		if err != nil {
			return nil, err
		}
		m, err := e.store.Manifest(ctx, sc)
		if err != nil {
			err = fmt.Errorf("nothing of dropped table %d is removed: %w", n, err)
			if kalam.CodeOf(err) == kalam.CodeCorrupt {
				return nil, jobs.Permanent(err)
			}
			return nil, err
		}
		list = append(list, m.Segments...)
	}
	return list, nil
}

// RemoveSegment removes one file of a dropped table.
func (e *Engine) RemoveSegment(ctx context.Context, s kalam.Segment) error {
	if e.refs.Busy(s.Table) {
		return errBusy(s.Table)
	}
	return e.lake.Remove(ctx, &s)
}

// RemoveRows removes the log, the manifests and the folders of a dropped table.
func (e *Engine) RemoveRows(ctx context.Context, n kalam.TableNumber) error {
	if e.refs.Busy(n) {
		return errBusy(n)
	}
	if t, ok := e.catalog.DroppedTable(n); ok && t.Flushable() {
		if err := e.removeFolders(ctx, t); err != nil {
			return err
		}
	}
	return e.store.DropTable(ctx, n)
}

// removeFolders empties the folders of a dropped table, but for the segments of
// a table that was created under the same name since.
func (e *Engine) removeFolders(ctx context.Context, t *kalam.Table) error {
	if t.IsShared() { // It has a folder from its creation on.
		return e.removeFolder(ctx, t, "")
	}
	var failed []error
	for sc, err := range e.store.Scopes(ctx, t.Number) {
		if err != nil {
			return err
		}
		failed = append(failed, e.removeFolder(ctx, t, sc.User))
	}
	return errors.Join(failed...)
}

func (e *Engine) removeFolder(ctx context.Context, t *kalam.Table, user kalam.UserID) error {
	_, err := e.lake.RemoveFolder(ctx, "", t, user, func(path string) bool {
		k := segments.NewKey(t.Options.StorageID, path)
		return e.staged.has(k) || e.namedBySuccessor(ctx, t, user, k)
	})
	return err
}

// namedBySuccessor reports whether a segment belongs to the table that now has t's
// name. When that cannot be known it does.
func (e *Engine) namedBySuccessor(ctx context.Context, t *kalam.Table, user kalam.UserID, k segments.Key) bool {
	next, ok := e.catalog.Table(t.ID)
	if !ok {
		return false
	}
	m, err := e.store.Manifest(ctx, next.ScopeOf(user))
	if err != nil {
		return true
	}
	for i := range m.Segments {
		if segments.KeyOf(&m.Segments[i]) == k {
			return true
		}
	}
	return false
}

// ForgetDropped ends the catalog's note of a dropped table.
func (e *Engine) ForgetDropped(ctx context.Context, n kalam.TableNumber) error {
	return e.catalog.ForgetDropped(ctx, n)
}

// StreamTables lists the STREAM tables.
func (e *Engine) StreamTables() []*kalam.Table {
	var list []*kalam.Table
	for _, t := range e.catalog.Tables("") {
		if !t.Flushable() {
			list = append(list, t)
		}
	}
	return list
}

// EvictBefore removes the rows of a STREAM table that were written before the
// given time.
func (e *Engine) EvictBefore(ctx context.Context, t *kalam.Table, before time.Time) (int64, error) {
	limit := kalam.SeqAt(before)
	var evicted int64
	var failed []error
	for _, st := range e.store.Dirty(t.Number) {
		if st.Oldest >= limit {
			continue
		}
		n, err := e.store.EvictBefore(ctx, t, st.Scope, limit)
		evicted += int64(n)
		failed = append(failed, err)
	}
	return evicted, errors.Join(failed...)
}
