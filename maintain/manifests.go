package maintain

import (
	"context"
	"errors"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/lake"
)

// remoteManifests is how many manifest.json are compared at a time after a start.
const remoteManifests = 8

// eachManifest calls f for every scope of t that has something in the lake. A
// scope whose manifest is damaged is logged and left out.
func (d *deps) eachManifest(ctx context.Context, t *kalam.Table, f func(kalam.Scope, buffer.ScopeRecord) error) error {
	if !t.Flushable() {
		return nil
	}
	for sc, err := range d.store.Scopes(ctx, t.Number) {
		if err != nil {
			return err
		}
		if d.store.IsBarred(sc.User) { // Its files are being removed.
			continue
		}
		m, err := d.store.ScopeRecord(ctx, sc)
		if err != nil {
			d.log.Error("manifest cannot be read; the scope is not available", "table", t.ID.String(), "error", err)
			continue
		}
		if m.Version == 0 {
			continue
		}
		if err := f(sc, m); err != nil {
			return err
		}
	}
	return nil
}

// SyncManifest makes manifest.json equal to the record, which is m or, when flushes
// and compactions run beside, a later one. A commit is in the buffer before it is in
// manifest.json: one that is newer than the record tells of an older buffer.
func (d *deps) SyncManifest(ctx context.Context, t *kalam.Table, sc kalam.Scope, m buffer.ScopeRecord) error {
	for {
		wrote, err := d.lake.SyncManifest(ctx, lake.ScopeManifest{
			Table: t, User: sc.User, Storage: d.storageOf(t, sc.User), Manifest: lakeManifest(m),
		})
		newer := errors.Is(err, lake.ErrNewerManifest)
		if err != nil && !newer || err == nil && !wrote {
			return err
		}
		now, readErr := d.store.ScopeRecord(ctx, sc)
		if readErr != nil {
			return errors.Join(err, readErr)
		}
		if now.Version == m.Version && newer && d.beingRemoved(t.ID) {
			return err // It is that of a dropped table of this name, whose folder is not emptied yet.
		}
		if now.Version == m.Version && newer {
			return errors.Join(err, d.pair.NoteRestored(ctx))
		}
		if now.Version == m.Version {
			return nil
		}
		m = now // A flush was faster, and may have written its own before this one was.
	}
}

// beingRemoved reports whether a table of a name was dropped of which something is left.
func (d *deps) beingRemoved(id kalam.TableID) bool {
	for _, dropped := range d.catalog.Dropped() {
		if dropped.Table.ID == id {
			return true
		}
	}
	return false
}

func lakeManifest(m buffer.ScopeRecord) lake.Manifest {
	return lake.Manifest{Version: int64(m.Version), CreatedAt: m.CreatedAt, UpdatedAt: m.UpdatedAt,
		Segments: m.Segments}
}

// writeManifest rewrites manifest.json beside the files of a scope from the
// manifest of record.
func (d *deps) writeManifest(ctx context.Context, t *kalam.Table, sc kalam.Scope) error {
	return d.writeManifests(ctx, t, []kalam.Scope{sc})
}

// writeManifests is writeManifest of several scopes.
func (d *deps) writeManifests(ctx context.Context, t *kalam.Table, scopes []kalam.Scope) error {
	replaced := d.obsolete.replacedIn(scopes)
	manifests := make([]lake.ScopeManifest, len(scopes))
	for i, sc := range scopes {
		m, err := d.store.ScopeRecord(ctx, sc)
		if err != nil {
			return err
		}
		manifests[i] = lake.ScopeManifest{
			Table: t, User: sc.User, Storage: d.storageOf(t, sc.User), Manifest: lakeManifest(m),
		}
	}
	if err := d.lake.WriteManifests(ctx, manifests); err != nil {
		return err
	}
	if err := d.removeOldManifests(ctx, manifests, replaced); err != nil {
		return err
	}
	d.obsolete.unname(replaced)
	return nil
}

// syncRemoteManifests repeats the writing of manifest.json in remote storages that a crash cut
// short. It is not part of the recovery: nothing of ours waits for it, and a storage may be slow. One
// that does not answer is left for the next flush of each scope.
func (d *deps) syncRemoteManifests(ctx context.Context) {
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(remoteManifests)
	var mu sync.Mutex // guards silent
	silent := map[kalam.StorageID]bool{}
	for _, t := range d.catalog.Tables("") {
		err := d.eachManifest(ctx, t, func(sc kalam.Scope, m buffer.ScopeRecord) error {
			id := d.storageOf(t, sc.User)
			mu.Lock()
			skip := silent[id]
			mu.Unlock()
			if skip || d.isLocal(id) {
				return ctx.Err()
			}
			work.Go(func() error {
				d.refs.Acquire(t.Number)
				defer d.refs.Release(t.Number)
				if _, there := d.catalog.TableByNumber(t.Number); !there {
					return nil
				}
				err := d.SyncManifest(ctx, t, sc, m)
				if err == nil || ctx.Err() != nil {
					return nil //nolint:nilerr // A stop is no failure.
				}
				mu.Lock()
				first := !silent[id]
				silent[id] = silent[id] || kalam.CodeOf(err) == kalam.CodeUnavailable
				mu.Unlock()
				if first {
					d.log.Warn("manifest.json not compared; the next flush writes it", "table", t.ID.String(), "error", err)
				}
				return nil
			})
			return nil
		})
		if err != nil && ctx.Err() == nil {
			d.log.Warn("manifest.json of a table not compared; its next flush writes them", "table", t.ID.String(), "error", err)
		}
	}
	_ = work.Wait() // They return no errors.
}
