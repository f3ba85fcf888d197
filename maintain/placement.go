package maintain

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/lake"
)

// What the jobs know of storages: where the files of a scope go, and what of them is where.

// storageOf returns the storage that new files of a scope go to.
func (d *deps) storageOf(t *kalam.Table, user kalam.UserID) kalam.StorageID {
	return d.catalog.StorageOf(t, user)
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
