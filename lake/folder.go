package lake

import (
	"context"
	"errors"
	"path"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake/integrity"
	"github.com/kalamlake/kalam/lake/layout"
	"github.com/kalamlake/kalam/lake/parquet"
)

// RemoveFolder deletes what lies directly in the folder of a scope and is not
// kept: segments, key index files, temporary files and manifest.json, but nothing of
// another name and nothing in folders below but the catalog of t. It is the last step of dropping a
// table, after its segments were removed one by one. A table created again under
// the old name has the same folder: a segment that says that it belongs to
// another table than t stays, one that is being written stays, and so does one
// for whose path keep, which knows the manifest of the new table, returns true.
// manifest.json stays when any of them does. It returns how many files it
// removed.
func (l *Lake) RemoveFolder(ctx context.Context, storage kalam.StorageID, t *kalam.Table, user kalam.UserID,
	keep func(segmentPath string) bool) (int, error) {
	at, folder, err := l.folder(storage, t, user)
	if err != nil {
		return 0, err
	}
	if err := l.holds.begin(); err != nil {
		return 0, err
	}
	defer l.holds.end()
	owners := make(map[string]bool) // whether to keep the files of a segment
	var toDelete []string
	kept := false
	err = at.Storage.List(ctx, folder, func(e Entry) error {
		if of, n, ok := layout.CatalogOf(e.Path); ok && of == folder && n == t.Number {
			toDelete = append(toDelete, e.Path)
		}
		if path.Dir(e.Path) != folder {
			return nil
		}
		kind, owner := layout.Classify(e.Path)
		if kind == layout.OtherFile || kind == layout.ManifestFile {
			return nil
		}
		if owner != "" {
			stays, known := owners[owner]
			if !known {
				stays = l.isPending(objectKey{at.ID, owner}) || keep(owner) || belongsToOther(ctx, at, owner, t.Number)
				owners[owner] = stays
			}
			if stays {
				kept = true
				return ctx.Err()
			}
		}
		toDelete = append(toDelete, e.Path)
		return nil
	})
	if err != nil {
		return 0, err
	}
	if !kept {
		toDelete = append(toDelete, path.Join(folder, layout.ManifestName))
	}
	for i, p := range toDelete {
		if _, owner := layout.Classify(p); owner != "" {
			l.forget(at.ID, owner)
		}
		if err := at.Storage.Remove(ctx, p); err != nil {
			return i, err
		}
	}
	return len(toDelete), nil
}

// belongsToOther reports whether the segment at p was written for another table
// than n: keep cannot know one whose commit has not reached the manifest of
// record yet. Files that do not say are leftovers, for what was committed is
// whole; files that cannot be read are not, they stay.
func belongsToOther(ctx context.Context, at *location, p string, n kalam.TableNumber) bool {
	have, err := tableOfParquet(ctx, at, p)
	if err == nil {
		return have != n
	}
	if !isLeftover(err) {
		return true
	}
	head, err := ReadKeyIndexHead(ctx, at.Storage, layout.KeyIndexPath(p))
	if err == nil {
		return head.Table != n
	}
	return !isLeftover(err)
}

// isLeftover reports whether err says that a file is missing or is not whole, and
// not that it cannot be read.
func isLeftover(err error) bool {
	return errors.Is(err, ErrNotExist) || kalam.CodeOf(err) == kalam.CodeCorrupt
}

func tableOfParquet(ctx context.Context, at *location, p string) (_ kalam.TableNumber, err error) {
	object, err := at.Storage.Open(ctx, p)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, object.Close()) }()
	f := parquet.New(p, object, integrity.Blocks{})
	if err := f.ReadFooter(); err != nil {
		return 0, err
	}
	n, err := f.Number(parquet.MetaTableNumber)
	return kalam.TableNumber(n), err
}

// PrepareTable makes the folder of a SHARED table in its storage, before the
// table becomes visible. Folders of users are made by their first flush.
func (l *Lake) PrepareTable(ctx context.Context, t *kalam.Table) error {
	if err := l.CheckStrategy(t.Options.ShardStrategy); err != nil {
		return err
	}
	if !t.IsShared() {
		return nil
	}
	if _, _, err := l.Folder(t.Options.StorageID, t, ""); err != nil {
		return err
	}
	return l.WriteManifest(ctx, t, "", Manifest{})
}
