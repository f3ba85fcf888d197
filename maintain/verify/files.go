package verify

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/lake/layout"
)

// backupFolder holds backups in a storage: they are no strays.
const backupFolder = ".kalam-backup"

// files looks for files that belong to nothing, and for a manifest.json that outside readers cannot use.
func (v *verifier) files(ctx context.Context) error {
	for _, id := range v.Lake.Storages() {
		if v.silent[id] {
			continue
		}
		list, err := v.Lake.Orphans(ctx, lake.OrphanQuery{
			Storage: id, Age: lake.AnyAge,
			Known: func(path string) bool { _, ok := v.named[segmentKey{id, path}]; return ok },
		})
		if err == nil {
			err = v.strays(ctx, id)
		}
		if err == nil {
			err = v.mark(ctx, id)
		}
		if kalam.CodeOf(err) == kalam.CodeUnavailable && ctx.Err() == nil {
			v.unavailable(id, err)
			continue
		}
		if err != nil {
			return fmt.Errorf("list the storage '%s': %w", id, err)
		}
		for _, o := range slices.Concat(list.Orphans, list.Protected) {
			v.found(Finding{Kind: KindOrphan, Storage: id, Path: o.Path, Text: o.Path + ": no manifest names it"})
		}
		for _, path := range slices.Sorted(maps.Keys(list.Untrusted)) {
			if !v.told(id, path) {
				v.found(Finding{Kind: KindManifest, Storage: id, Path: path,
					Text: fmt.Sprintf("%s, which outside readers go by, cannot be trusted: %v", path, list.Untrusted[path])})
			}
		}
	}
	return nil
}

// mark checks the mark of a storage, by which it was opened.
func (v *verifier) mark(ctx context.Context, id kalam.StorageID) error {
	at, _, err := v.Lake.Storage(id)
	if err != nil {
		return err
	}
	err = lake.CheckMarkBytes(ctx, at)
	if kalam.CodeOf(err) == kalam.CodeCorrupt {
		v.found(Finding{Kind: KindRecord, Storage: id, Path: layout.MarkPath, Text: err.Error()})
		return nil
	}
	return err
}

// told reports whether a manifest.json was found wrong before.
func (v *verifier) told(id kalam.StorageID, path string) bool {
	return slices.ContainsFunc(v.result.Findings, func(f Finding) bool {
		return f.Kind == KindManifest && f.Storage == id && f.Path == path
	})
}

// strays looks for files that no lake writes.
func (v *verifier) strays(ctx context.Context, id kalam.StorageID) error {
	at, _, err := v.Lake.Storage(id)
	if err != nil {
		return err
	}
	return at.List(ctx, "", func(e lake.Entry) error {
		first, _, _ := strings.Cut(e.Path, "/") // Without one it is the whole path: a file at the top.
		own := first == layout.OwnFolder || first == layout.TrashFolder || first == layout.ProbeFolder ||
			first == backupFolder
		if !own && v.isStray(e.Path) {
			v.found(Finding{Kind: KindStray, Storage: id, Path: e.Path, Text: e.Path + ": it is no file of a lake"})
		}
		return ctx.Err()
	})
}

// isStray reports whether a path is none that a lake gives, or that of a catalog of a table that there is not.
func (v *verifier) isStray(path string) bool {
	switch kind, _ := layout.Classify(path); kind {
	case layout.OtherFile:
		return true
	case layout.CatalogFile:
		_, n, _ := layout.CatalogOf(path) // It is a catalog's.
		_, there := v.Catalog.TableByNumber(n)
		_, dropped := v.Catalog.DroppedTable(n)
		return !there && !dropped
	case layout.StagedFile, layout.SegmentFile, layout.KeyIndexFile, layout.ManifestFile:
	}
	return false
}
