package maintain

import (
	"context"
	"errors"
	"fmt"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/jobs"
	"github.com/kalamlake/kalam/segments"
)

// droppedTables removes what dropped tables leave behind.
type droppedTables struct{ *deps }

// cleanupRetries lets the removal of a dropped table outwait the requests that
// still read it: the pauses between tries grow to 30 s.
const cleanupRetries = 1000

// jobType is the removal of a dropped table.
func (d *droppedTables) jobType() jobs.Type {
	return jobs.Type{
		Kind: KindCleanup, Name: "cleanup", MaxRetries: cleanupRetries, Recover: d.recover,
		Key:  func(j kalam.Job) string { return fmt.Sprintf("cleanup-%d", j.Number) },
		Task: func(kalam.Job) jobs.Task { return &cleanupTable{remover: d} },
	}
}

// submitRemoval submits the removal of a dropped table.
func (d *droppedTables) submitRemoval(ctx context.Context, t *kalam.Table) (kalam.Job, error) {
	job, _, err := d.runner.Submit(ctx, kalam.Job{
		Kind: KindCleanup, Namespace: t.ID.Namespace, Table: t.ID.Name, Number: t.Number,
		Parameters: fmt.Sprintf(`{"table_id":%q,"table_type":%q}`, t.ID.String(), t.Kind),
	})
	return job, err
}

// recover submits the removal of every dropped table of which something is left.
func (d *droppedTables) recover(ctx context.Context) error {
	for _, dropped := range d.catalog.Dropped() {
		if _, err := d.submitRemoval(ctx, dropped.Table); err != nil {
			return err
		}
	}
	return nil
}

// errBusy says that a request still uses a dropped table; the job tries again.
func errBusy(n kalam.TableNumber) error {
	return kalam.Errorf(kalam.CodeConflict, "table %d is still in use by a request", n)
}

// Segments lists the files of every scope of a dropped table. While one of its
// manifests cannot be read nothing of the table is removed: which files are its own
// is not known then.
func (d *droppedTables) Segments(ctx context.Context, n kalam.TableNumber) ([]kalam.Segment, error) {
	if d.refs.Busy(n) {
		return nil, errBusy(n)
	}
	// A power cut must not bring the table back without its files.
	if err := d.pair.Sync(ctx); err != nil {
		return nil, err
	}
	var list []kalam.Segment
	for sc, err := range d.store.Scopes(ctx, n) {
		if err != nil {
			return nil, err
		}
		m, err := d.store.ScopeRecord(ctx, sc)
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
func (d *droppedTables) RemoveSegment(ctx context.Context, s kalam.Segment) error {
	if d.refs.Busy(s.Table) {
		return errBusy(s.Table)
	}
	return d.lake.Remove(ctx, &s)
}

// RemoveRows removes the log, the manifests and the folders of a dropped table.
func (d *droppedTables) RemoveRows(ctx context.Context, n kalam.TableNumber) error {
	if d.refs.Busy(n) {
		return errBusy(n)
	}
	if t, ok := d.catalog.DroppedTable(n); ok && t.Flushable() {
		if err := d.removeFolders(ctx, t); err != nil {
			return err
		}
	}
	return d.store.DropTable(ctx, n)
}

// removeFolders empties the folders of a dropped table, but for the segments of
// a table that was created under the same name since.
func (d *droppedTables) removeFolders(ctx context.Context, t *kalam.Table) error {
	if t.IsShared() { // It has a folder from its creation on.
		return d.removeFolder(ctx, t, "")
	}
	var failed []error
	for sc, err := range d.store.Scopes(ctx, t.Number) {
		if err != nil {
			return err
		}
		failed = append(failed, d.removeFolder(ctx, t, sc.User))
	}
	return errors.Join(failed...)
}

// removeFolder empties the folder of a scope in every storage that may have had files of it.
func (d *droppedTables) removeFolder(ctx context.Context, t *kalam.Table, user kalam.UserID) error {
	m, err := d.store.ScopeRecord(ctx, t.ScopeOf(user))
	if err != nil {
		return err
	}
	var failed []error
	for _, id := range d.storagesOf(t, user, &m) {
		_, err := d.lake.RemoveFolder(ctx, id, t, user, func(path string) bool {
			k := segments.NewKey(id, path)
			return d.staged.has(k) || d.namedBySuccessor(ctx, t, user, k)
		})
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

// namedBySuccessor reports whether a segment belongs to the table that now has t's
// folder. When that cannot be known it does.
func (d *droppedTables) namedBySuccessor(ctx context.Context, t *kalam.Table, user kalam.UserID, k segments.Key) bool {
	next, ok := d.catalog.TableInFolder(t.ID.Namespace, t.FolderName())
	if !ok {
		return false
	}
	m, err := d.store.ScopeRecord(ctx, next.ScopeOf(user))
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
func (d *droppedTables) ForgetDropped(ctx context.Context, n kalam.TableNumber) error {
	return d.catalog.ForgetDropped(ctx, n)
}
