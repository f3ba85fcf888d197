package lake

import (
	"context"
	"errors"
	"path"
	"strings"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake/layout"
)

// trashTime is the time in the name of a folder of the trash, UTC.
const trashTime = "2006-01-02T15-04-05Z"

// TrashPath returns where an object that is removed at at goes.
func TrashPath(at time.Time, p string) string {
	return path.Join(layout.TrashFolder, at.UTC().Format(trashTime), p)
}

// Trash moves an orphan that Orphans found to the trash and reports whether it
// did. Just before, it is looked at once more: one that is being written, that
// known knows by now, or that manifest.json protects, stays. So does one that is
// gone.
func (l *Lake) Trash(ctx context.Context, o Orphan, known func(segmentPath string) bool) (bool, error) {
	at, err := l.location(o.Storage)
	if err != nil {
		return false, err
	}
	if l.holds.begin() != nil {
		return false, nil // The next look finds it again.
	}
	defer l.holds.end()
	_, owner := layout.Classify(o.Path)
	if owner != "" {
		if known(owner) && o.Kind != layout.StagedFile || l.isPending(objectKey{at.ID, owner}) {
			return false, nil // Committed meanwhile, or its name is being written again.
		}
	}
	named, err := readNamed(ctx, at.Storage, path.Join(path.Dir(o.Path), layout.ManifestName))
	if err != nil {
		return false, err
	}
	if o.Kind != layout.StagedFile && named.has(owner) {
		return false, nil
	}
	if owner != "" {
		l.forget(at.ID, owner)
	}
	err = at.Storage.Move(ctx, o.Path, TrashPath(l.now(), o.Path))
	if errors.Is(err, ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// Purged is what PurgeTrash removed.
type Purged struct {
	Files int
	Bytes int64
}

// PurgeTrash deletes what was moved to the trash before a time. When that was is
// in the name of its folder; what lies in a folder of another name stays.
func (l *Lake) PurgeTrash(ctx context.Context, storage kalam.StorageID, before time.Time) (Purged, error) {
	return l.purge(ctx, storage, func(moved time.Time, _ string) bool { return !moved.After(before) })
}

// PurgeTrashOf deletes what was moved to the trash from a path that match accepts.
func (l *Lake) PurgeTrashOf(
	ctx context.Context, storage kalam.StorageID, match func(from string) bool,
) (Purged, error) {
	return l.purge(ctx, storage, func(_ time.Time, from string) bool { return match(from) })
}

// purge deletes of the trash what match accepts, by the time it was moved there and its path
// before.
func (l *Lake) purge(
	ctx context.Context, storage kalam.StorageID, match func(moved time.Time, from string) bool,
) (done Purged, err error) {
	at, err := l.location(storage)
	if err != nil {
		return done, err
	}
	old, err := l.inTrash(ctx, at, match)
	if err != nil {
		return done, err
	}
	for _, e := range old {
		if err := at.Storage.Remove(ctx, e.Path); err != nil {
			return done, err
		}
		done.Files++
		done.Bytes += e.Bytes
	}
	return done, nil
}

// trashed lists what of the trash was moved there from a path that match accepts.
func (l *Lake) trashed(ctx context.Context, at *location, match func(from string) bool) ([]Entry, error) {
	return l.inTrash(ctx, at, func(_ time.Time, from string) bool { return match(from) })
}

// inTrash lists what of the trash match accepts, by the time it was moved there and its path before.
func (l *Lake) inTrash(
	ctx context.Context, at *location, match func(moved time.Time, from string) bool,
) (found []Entry, err error) {
	err = at.Storage.List(ctx, layout.TrashFolder, func(e Entry) error {
		rest := strings.TrimPrefix(e.Path, layout.TrashFolder+"/")
		folder, from, _ := strings.Cut(rest, "/")
		if moved, err := time.Parse(trashTime, folder); err == nil && match(moved, from) {
			found = append(found, e)
		}
		return nil
	})
	return found, err
}
