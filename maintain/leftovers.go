package maintain

import (
	"context"
	"errors"
	"fmt"
	"path"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/lake/layout"
)

// readersWait is how long a job waits for queries that read replaced segments.
const readersWait = 10 * time.Second

// RemoveTraces removes the files of a table that belong to nothing, and takes what was
// deleted out of the files of the write buffer.
func (c *cleaner) RemoveTraces(ctx context.Context, n kalam.TableNumber) (left traces, err error) {
	c.refs.Acquire(n)
	defer c.refs.Release(n)
	t, ok := c.catalog.TableByNumber(n)
	if !ok {
		return left, tableGone(n)
	}
	var scopes []kalam.Scope
	for sc, err := range c.store.Scopes(ctx, n) {
		if err != nil {
			return left, err
		}
		scopes = append(scopes, sc)
	}
	left.Read = c.awaitReaders(ctx, n)
	var failed []error
	left.Removed, err = c.removeLeftovers(ctx, t, scopes)
	failed = append(failed, err)
	_, err = c.store.TrimAll(ctx, scopes) // What a flush could not.
	failed = append(failed, err)
	failed = append(failed, c.pair.Purge(ctx))
	return left, errors.Join(failed...)
}

// awaitReaders waits for the queries that read replaced segments of a table, but not
// without an end, and returns how many segments are left.
func (c *cleaner) awaitReaders(ctx context.Context, n kalam.TableNumber) int {
	wait, cancel := context.WithTimeout(ctx, readersWait)
	defer cancel()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for c.obsolete.of(n) > 0 && wait.Err() == nil {
		select {
		case <-look.C:
		case <-wait.Done():
		}
	}
	c.removeObsolete(ctx) // Or waits for who is removing them.
	return c.obsolete.of(n)
}

// removeLeftovers deletes what crashes and failures have left in the folders of a table,
// and what of those folders is in the trash. By its path: the files there are of no
// table any more, or do not tell. As with orphans, nothing is touched unless all that is
// in use is known; but nothing waits for a day, since every value in these files is also
// where it belongs, or to be forgotten.
func (c *cleaner) removeLeftovers(ctx context.Context, t *kalam.Table, scopes []kalam.Scope) (removed int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pair.Restored() {
		return 0, errRestored()
	}
	defer c.staged.watch()() // Before the manifests are read.
	known, err := c.segmentsInUse(ctx)
	if err != nil {
		return 0, err
	}
	for _, id := range c.lake.Storages() {
		folders := map[string]kalam.Scope{}
		for _, sc := range scopes {
			_, folder, err := c.lake.Folder(id, t, sc.User)
			if err != nil {
				return removed, err
			}
			folders[folder] = sc
		}
		if err := c.trashLeftovers(ctx, id, t, folders, known); err != nil {
			return removed, fmt.Errorf("storage %s: %w", id, err)
		}
		purged, err := c.lake.PurgeTrashOf(ctx, id, func(p string) bool {
			_, ours := folders[path.Dir(p)]
			return ours
		})
		removed += purged.Files
		if err != nil {
			return removed, fmt.Errorf("storage %s: empty the trash: %w", id, err)
		}
		purged, err = c.lake.RemoveCatalogs(ctx, id, t.Number) // They tell ranges of keys, and name files that are gone.
		removed += purged.Files
		if err != nil {
			return removed, fmt.Errorf("storage %s: remove the catalogs for other engines: %w", id, err)
		}
	}
	return removed, nil
}

// trashLeftovers moves what belongs to nothing in some folders of a storage to the trash,
// which is looked at once more just before. A manifest.json that still names what was
// replaced is written anew; one that cannot be trusted is an error.
func (c *cleaner) trashLeftovers(
	ctx context.Context, id kalam.StorageID, t *kalam.Table, folders map[string]kalam.Scope, known inUse,
) error {
	ours := func(path string) bool { return known(id, path) }
	list, err := c.leftovers(ctx, id, folders, ours)
	if err != nil {
		return err
	}
	if len(list.Protected) > 0 {
		for _, o := range list.Protected {
			sc := folders[path.Dir(o.Path)]
			m, err := c.store.ScopeRecord(ctx, sc)
			if err == nil {
				err = c.SyncManifest(ctx, t, sc, m)
			}
			if err != nil {
				return fmt.Errorf("write manifest.json of user '%s': %w", sc.User, err)
			}
		}
		if list, err = c.leftovers(ctx, id, folders, ours); err != nil {
			return err
		}
	}
	for _, o := range list.Orphans {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if o.Kind == layout.StagedFile && !c.pair.BeforeStart(o.Modified) {
			continue // Its writer removes it.
		}
		if _, err := c.lake.Trash(ctx, o, ours); err != nil {
			return fmt.Errorf("move %s to the trash: %w", o.Path, err)
		}
		c.log.Info("file of nothing removed", "table", t.ID.String(), "path", o.Path, "kind", o.Kind.String())
	}
	if n := len(list.Protected); n > 0 {
		return fmt.Errorf("%d file(s), %s the first, stay: a manifest.json names them, or cannot be trusted; "+
			"kalamd verify tells what is damaged", n, list.Protected[0].Path)
	}
	return nil
}

// leftovers lists what belongs to nothing in some folders of a storage.
func (c *cleaner) leftovers(
	ctx context.Context, id kalam.StorageID, folders map[string]kalam.Scope, known func(string) bool,
) (found lake.OrphanList, err error) {
	if err := c.checkMarkOf(ctx, id); err != nil {
		return found, err
	}
	list, err := c.lake.Orphans(ctx, lake.OrphanQuery{Storage: id, Age: lake.AnyAge, Known: known})
	if err != nil {
		return found, fmt.Errorf("list orphans: %w", err)
	}
	if err := c.checkNotOlder(ctx, list); err != nil {
		return found, err
	}
	for _, o := range list.Orphans {
		if _, ours := folders[path.Dir(o.Path)]; ours {
			found.Orphans = append(found.Orphans, o)
		}
	}
	for _, o := range list.Protected {
		if _, ours := folders[path.Dir(o.Path)]; ours {
			found.Protected = append(found.Protected, o)
		}
	}
	return found, nil
}
