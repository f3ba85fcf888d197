package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/lake/layout"
)

// Commit implements lake.Storage.
func (s *Storage) Commit(ctx context.Context, staged ...lake.Staged) error {
	own := make([]*stagedObject, len(staged))
	for i, d := range staged {
		f, ok := d.(*stagedObject)
		if !ok || f.s != s || f.done {
			return fmt.Errorf("commit %s: not an open staged object of this storage", d.Path())
		}
		own[i] = f
	}
	err, published := error(nil), 0
	if len(own) > 0 {
		err = s.checkRoom(own[0].path)
	}
	if err == nil {
		published, err = s.commit(ctx, own)
	}
	if err == nil {
		return nil
	}
	for _, d := range own[:published] {
		_ = s.root.Remove(d.path) // the first error tells more; what stays is an orphan
	}
	for _, d := range own {
		_ = d.Abort() // as above
	}
	return err
}

// commit returns how many staged objects got their name.
func (s *Storage) commit(ctx context.Context, staged []*stagedObject) (int, error) {
	folders := foldersOf(staged)
	together := s.together(len(staged), folders)
	if err := s.syncContents(ctx, staged, together); err != nil {
		return 0, err
	}
	for _, d := range staged {
		s.hook("synced", d.path)
	}
	if n, err := s.publishAll(staged); err != nil {
		return n, err
	}
	if err := s.syncNames(staged, folders, together); err != nil {
		return len(staged), err
	}
	for _, d := range staged {
		d.close()
	}
	return len(staged), nil
}

// together reports whether a number of staged objects in some folders are synced by syncs of
// the whole file system. A folder may be the mount point of another one.
func (s *Storage) together(staged int, folders []string) bool {
	if staged < syncTogether || s.whole.root == nil {
		return false
	}
	for _, folder := range folders {
		if !s.whole.holds(filepath.Join(s.dir, filepath.FromSlash(folder))) {
			return false
		}
	}
	return true
}

// foldersOf returns the folders of staged objects, each once.
func foldersOf(staged []*stagedObject) []string {
	var folders []string
	seen := make(map[string]struct{}, len(staged))
	for _, d := range staged {
		folder := path.Dir(d.path)
		if _, ok := seen[folder]; !ok {
			seen[folder] = struct{}{}
			folders = append(folders, folder)
		}
	}
	return folders
}

// syncContents makes the content of staged objects durable.
func (s *Storage) syncContents(ctx context.Context, staged []*stagedObject, together bool) error {
	if together {
		if err := ctx.Err(); err != nil {
			return err
		}
		return explain("sync", staged[0].path, s.whole.sync(oldest(staged)))
	}
	temps := make([]string, len(staged))
	paths := make(map[string]string, len(staged))
	for i, d := range staged {
		temps[i], paths[d.temp] = d.temp, d.path
	}
	return syncEach(temps, func(temp string) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return explain("sync", paths[temp], s.syncFile(temp))
	})
}

// oldest returns the lowest mark of staged objects.
func oldest(staged []*stagedObject) int {
	mark := staged[0].mark
	for _, d := range staged {
		mark = min(mark, d.mark)
	}
	return mark
}

// syncNames makes the names of staged objects durable, and those of their folders.
func (s *Storage) syncNames(staged []*stagedObject, folders []string, together bool) error {
	if !together {
		return s.folders.syncNames(folders, func(names []string) error { return syncEach(names, s.folders.sync) })
	}
	return s.folders.syncNames(folders, func(names []string) error {
		if err := s.whole.sync(oldest(staged)); err != nil {
			return explain("sync folder", names[0], err)
		}
		for _, name := range names {
			s.hook("settled", name)
		}
		return nil
	})
}

// syncFile makes the content of a written file durable. Another process or
// library may have written it: syncing concerns the file, not the descriptor.
func (s *Storage) syncFile(temp string) error {
	f, err := s.root.OpenFile(temp, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// publishAll gives staged objects their names and returns how many got theirs. A folder is
// opened once for the staged objects in it that follow one another: to walk to it costs more
// than all the rest.
func (s *Storage) publishAll(staged []*stagedObject) (n int, err error) {
	var at *os.Root
	folder := ""
	defer func() {
		if at != nil {
			_ = at.Close() // nothing was written through it
		}
	}()
	for n, d := range staged {
		if next := path.Dir(d.path); next != folder {
			if at != nil {
				_ = at.Close() // as above
			}
			if at, err = s.root.OpenRoot(next); err != nil {
				at = nil
				return n, explain("create", d.path, err)
			}
			folder = next
		}
		if err := publish(at, path.Base(d.temp), path.Base(d.path)); err != nil {
			return n, explain("create", d.path, err)
		}
		s.hook("published", d.path)
	}
	return len(staged), nil
}

// publish gives the file temp the name p in its folder, unless that exists. A hard
// link is the one portable way that cannot overwrite; where the file system has none,
// the check before the rename is good enough, as one process owns the root.
func publish(folder *os.Root, temp, p string) error {
	err := folder.Link(temp, p)
	if err == nil {
		_ = folder.Remove(temp) // the object is there; a second name of it is an orphan
		return nil
	}
	if errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist) || lake.IsNoSpace(err) {
		return err
	}
	if _, statErr := folder.Lstat(p); statErr == nil {
		return fs.ErrExist
	}
	return folder.Rename(temp, p)
}

// ReplaceAll implements lake.BatchReplacer.
func (s *Storage) ReplaceAll(ctx context.Context, objects []lake.Content) (err error) {
	for _, o := range objects {
		if err := check(ctx, o.Path); err != nil {
			return err
		}
	}
	folders := make([]string, len(objects))
	for i, o := range objects {
		folders[i] = path.Dir(o.Path)
	}
	if !s.together(len(objects), folders) {
		for _, o := range objects {
			if err := s.Replace(ctx, o.Path, o.Bytes); err != nil {
				return err
			}
		}
		return nil
	}
	mark := s.whole.mark()
	open := make([]replacement, 0, len(objects))
	defer func() {
		for _, r := range open {
			if err != nil {
				_ = r.folder.Remove(r.temp) // the first error tells more
			}
			err = errors.Join(err, r.folder.Close())
			s.folders.unpin(path.Dir(r.path))
		}
	}()
	for _, o := range objects {
		r, err := s.replacement(o.Path)
		if err != nil {
			return err
		}
		open = append(open, r)
		if err := writeIn(r.folder, r.temp, o.Bytes, false); err != nil {
			return explain("replace", o.Path, err)
		}
	}
	if err := s.whole.sync(mark); err != nil {
		return explain("replace", objects[0].Path, err)
	}
	for _, r := range open {
		s.hook("synced", r.path)
		if err := r.folder.Rename(r.temp, path.Base(r.path)); err != nil {
			return explain("replace", r.path, err)
		}
		s.hook("published", r.path)
	}
	return nil
}

// replacement is an object that is about to be replaced. Its folder is pinned.
type replacement struct {
	path   string
	folder *os.Root
	temp   string // In the folder.
}

func (s *Storage) replacement(p string) (replacement, error) {
	folder := path.Dir(p)
	if err := s.folders.pin(folder); err != nil {
		return replacement{}, err
	}
	at, err := s.root.OpenRoot(folder)
	if err != nil {
		s.folders.unpin(folder)
		return replacement{}, explain("replace", p, err)
	}
	return replacement{p, at, path.Base(layout.StagedName(p))}, nil
}
