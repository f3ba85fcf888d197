package maintain

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/catalog"
	"github.com/kalamlake/kalam/lake"
)

// What the jobs know of storages: where the files of a scope go, and what of them is where.

// storageOf returns the storage that new files of a scope go to: that of the user, if the
// table lets users have one, else the table's own, else the local one.
func (d *deps) storageOf(t *kalam.Table, user kalam.UserID) kalam.StorageID {
	if t.Options.UseUserStorage && user != "" {
		// A dropped user's rows go where they were, until they are removed.
		if u, ok := d.catalog.AnyUser(user); ok && u.StorageMode == catalog.StorageModeRegion && u.StorageID != "" {
			return u.StorageID
		}
	}
	return cmp.Or(t.Options.StorageID, kalam.LocalStorage)
}

// locationOf returns where a segment is, for people.
func (d *deps) locationOf(seg *kalam.Segment) string {
	at, _, err := d.lake.Storage(seg.Storage)
	if err != nil {
		return seg.Path
	}
	return strings.TrimSuffix(at.Properties().Location, "/") + "/" + seg.Path
}

// isLocal reports whether the files of a storage are of this machine.
func (d *deps) isLocal(id kalam.StorageID) bool {
	at, _, err := d.lake.Storage(id)
	return err == nil && at.Properties().Local
}

// remoteManifests is how many manifest.json are compared at a time after a start.
const remoteManifests = 8

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

// removeOldManifests removes the manifest.json of scopes from storages that have files of
// theirs, or had until now, and are not where new ones go: an outside reader who took it for
// the newest would miss those.
func (d *deps) removeOldManifests(ctx context.Context, scopes []lake.ScopeManifest, replaced []*obsoleteNote) error {
	var failed []error
	for i := range scopes {
		m := &scopes[i]
		old := map[kalam.StorageID]struct{}{}
		note := func(segments []kalam.Segment) {
			for i := range segments {
				if id := cmp.Or(segments[i].Storage, kalam.LocalStorage); id != m.Storage {
					old[id] = struct{}{}
				}
			}
		}
		note(m.Manifest.Segments)
		for _, n := range replaced {
			if n.scope == m.Table.ScopeOf(m.User) {
				note(n.segments)
			}
		}
		for id := range old {
			failed = append(failed, d.lake.RemoveManifest(ctx, id, m.Table, m.User))
		}
	}
	return errors.Join(failed...)
}

// storagesOf returns the storages in which files of a scope may lie.
func (d *deps) storagesOf(t *kalam.Table, user kalam.UserID, m *buffer.ScopeRecord) []kalam.StorageID {
	at := map[kalam.StorageID]struct{}{
		d.storageOf(t, user): {}, cmp.Or(t.Options.StorageID, kalam.LocalStorage): {},
	}
	for i := range m.Segments {
		at[cmp.Or(m.Segments[i].Storage, kalam.LocalStorage)] = struct{}{}
	}
	return slices.Sorted(maps.Keys(at))
}

// StorageInUse reports which tables have files in a storage, or get one at the moment, as an
// error: it cannot be dropped. Nothing new may be begun there meanwhile.
func (m *Maintainer) StorageInUse(ctx context.Context, id kalam.StorageID) error {
	if m.staged.in(id) || m.obsolete.in(id) {
		return kalam.Errorf(kalam.CodeConflict, "Files of storage '%s' are being written or removed; try again later", id)
	}
	tables := map[string]struct{}{}
	for r, err := range buffer.ScopeRecords(ctx, m.pair.Backend) {
		if err != nil {
			return fmt.Errorf("which files are in storage '%s' cannot be known: %w", id, err)
		}
		for i := range r.Record.Segments {
			if r.Record.Segments[i].Storage == id {
				tables[m.segments.TableName(r.Scope.Table)] = struct{}{}
				break
			}
		}
	}
	if len(tables) == 0 {
		return nil
	}
	const most = 10
	names := slices.Sorted(maps.Keys(tables))
	if len(names) > most {
		names = append(names[:most:most], "...")
	}
	return kalam.Errorf(kalam.CodeInvalidOperation,
		"Cannot drop storage '%s': files of %d table(s) are still in it: %s; STORAGE COMPACT TABLE brings them to where "+
			"new files go", id, len(tables), strings.Join(names, ", "))
}
