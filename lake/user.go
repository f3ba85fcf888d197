package lake

import (
	"context"
	"path"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake/layout"
)

// UserFiles lists what a storage has of a user: segments, key index files, temporary files,
// manifest.json, and whatever else lies in the folders of the user's rows, and what of those
// folders is in the trash. tables are those that the user may have rows of, dropped ones included.
func (l *Lake) UserFiles(
	ctx context.Context, storage kalam.StorageID, user kalam.UserID, tables []*kalam.Table,
) (list []Entry, err error) {
	at, places, err := l.userPlaces(storage, user, tables)
	if err != nil {
		return nil, err
	}
	for _, folder := range places.Prefixes() {
		err := at.Storage.List(ctx, folder, func(e Entry) error {
			if places.Has(e.Path) {
				list = append(list, e)
			}
			return ctx.Err()
		})
		if err != nil {
			return nil, err
		}
	}
	trashed, err := l.trashed(ctx, at, places.Has)
	return append(list, trashed...), err
}

// RemoveUser deletes what UserFiles lists, and the folders that it leaves empty. Nobody may read or
// write files of the user any more. It may be repeated.
func (l *Lake) RemoveUser(
	ctx context.Context, storage kalam.StorageID, user kalam.UserID, tables []*kalam.Table,
) (done Purged, err error) {
	list, err := l.UserFiles(ctx, storage, user, tables)
	if err != nil {
		return done, err
	}
	at, places, err := l.userPlaces(storage, user, tables)
	if err != nil {
		return done, err
	}
	for _, e := range list {
		if _, owner := layout.Classify(e.Path); owner != "" {
			l.removed.Add(objectKey{at.ID, owner}, struct{}{})
			l.forget(at.ID, owner)
		}
		if err := at.Storage.Remove(ctx, e.Path); err != nil {
			return done, err
		}
		done.Files++
		done.Bytes += e.Bytes
	}
	for _, folder := range places.Prefixes() { // A crash may have left empty ones.
		if err := at.Storage.Remove(ctx, path.Join(folder, layout.ManifestName)); err != nil {
			return done, err
		}
	}
	return done, nil
}

// userPlaces says where a storage has files of a user.
func (l *Lake) userPlaces(
	storage kalam.StorageID, user kalam.UserID, tables []*kalam.Table,
) (*location, *layout.UserPlaces, error) {
	at, err := l.location(storage)
	if err != nil {
		return nil, nil, err
	}
	var folders []string
	for _, t := range tables {
		if !t.HasScopePerUser() || !t.Flushable() {
			continue
		}
		_, folder, err := l.folder(at.ID, t, user)
		if err != nil {
			return nil, nil, err
		}
		folders = append(folders, folder)
	}
	return at, at.templates.PlacesOf(user, folders...), nil
}
