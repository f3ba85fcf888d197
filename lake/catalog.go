package lake

import (
	"context"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake/layout"
)

// RemoveCatalogs deletes what a storage has of the catalogs of a table for other engines, of all users.
// It may be repeated.
func (l *Lake) RemoveCatalogs(ctx context.Context, storage kalam.StorageID, n kalam.TableNumber) (Purged, error) {
	at, err := l.location(storage)
	if err != nil {
		return Purged{}, err
	}
	return removeCatalogs(ctx, at, "", n)
}

// removeCatalogs deletes the files of the catalogs of a table below a folder.
func removeCatalogs(ctx context.Context, at *location, below string, n kalam.TableNumber) (done Purged, err error) {
	var found []Entry
	err = at.Storage.List(ctx, below, func(e Entry) error {
		if _, of, ok := layout.CatalogOf(e.Path); ok && of == n {
			found = append(found, e)
		}
		return ctx.Err()
	})
	if err != nil {
		return done, err
	}
	for _, e := range found {
		if err := at.Storage.Remove(ctx, e.Path); err != nil {
			return done, err
		}
		done.Files++
		done.Bytes += e.Bytes
	}
	return done, nil
}
