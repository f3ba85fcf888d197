package file

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/lake/layout"
)

// Create implements lake.Storage.
func (s *Storage) Create(ctx context.Context, p string) (lake.Staged, error) {
	if err := check(ctx, p); err != nil {
		return nil, err
	}
	if err := s.checkRoom(p); err != nil {
		return nil, err
	}
	if err := s.folders.pin(path.Dir(p)); err != nil {
		return nil, err
	}
	return &stagedObject{s: s, path: p, temp: layout.StagedName(p), mark: s.whole.mark()}, nil
}

// Replace implements lake.Storage.
func (s *Storage) Replace(ctx context.Context, p string, content []byte) error {
	if err := check(ctx, p); err != nil {
		return err
	}
	folder := path.Dir(p)
	if err := s.folders.pin(folder); err != nil {
		return err
	}
	defer s.folders.unpin(folder)
	temp := layout.StagedName(p)
	err := s.writeFile(temp, content)
	if err == nil {
		s.hook("synced", p)
		err = s.root.Rename(temp, p)
	}
	if err != nil {
		_ = s.root.Remove(temp) // the first error tells more
		return explain("replace", p, err)
	}
	s.hook("published", p)
	return s.folders.syncNamesOf(folder)
}

// writeFile creates the file name with content, synced.
func (s *Storage) writeFile(name string, content []byte) error {
	return writeIn(s.root, name, content, true)
}

// writeIn creates the file name in a folder.
func writeIn(folder *os.Root, name string, content []byte, synced bool) error {
	f, err := folder.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil && synced {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// Open implements lake.Storage.
func (s *Storage) Open(ctx context.Context, p string) (lake.Object, error) {
	if err := check(ctx, p); err != nil {
		return nil, err
	}
	f, err := s.root.Open(p)
	if err != nil {
		return nil, explain("open", p, err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fs.ErrNotExist
	}
	if err != nil {
		_ = f.Close() // nothing was read
		return nil, explain("open", p, err)
	}
	return &object{file: f, path: p, size: info.Size()}, nil
}

// LocalPath implements lake.Storage. The name stays valid until the object is
// removed; release does nothing.
func (s *Storage) LocalPath(ctx context.Context, p string) (string, func(), error) {
	if err := check(ctx, p); err != nil {
		return "", nil, err
	}
	info, err := s.root.Stat(p)
	if err == nil && !info.Mode().IsRegular() {
		err = fs.ErrNotExist
	}
	if err != nil {
		return "", nil, explain("open", p, err)
	}
	return filepath.Join(s.dir, filepath.FromSlash(p)), func() {}, nil
}

// Remove implements lake.Storage. It is not synced: an object that comes back
// after a power cut is an orphan.
func (s *Storage) Remove(ctx context.Context, p string) error {
	if err := check(ctx, p); err != nil {
		return err
	}
	if info, err := s.root.Lstat(p); err == nil && info.IsDir() {
		return nil // a folder is no object
	}
	if err := s.root.Remove(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return explain("remove", p, err)
	}
	s.folders.prune(path.Dir(p))
	return nil
}

// Move implements lake.Storage. The check before the rename is good enough, as one
// process owns the root.
func (s *Storage) Move(ctx context.Context, from, to string) error {
	if err := errors.Join(check(ctx, from), check(ctx, to)); err != nil {
		return err
	}
	info, err := s.root.Lstat(from)
	if err == nil && !info.Mode().IsRegular() {
		err = fs.ErrNotExist
	}
	if err != nil {
		return explain("move", from, err)
	}
	folder := path.Dir(to)
	if err := s.folders.pin(folder); err != nil {
		return err
	}
	defer s.folders.unpin(folder)
	if _, err = s.root.Lstat(to); err == nil {
		err = fs.ErrExist
	} else if errors.Is(err, fs.ErrNotExist) {
		err = s.root.Rename(from, to)
	}
	if err != nil {
		return explain("move", from, err)
	}
	s.hook("published", to)
	if err := s.folders.syncNamesOf(folder); err != nil {
		return err
	}
	s.folders.prune(path.Dir(from))
	return s.folders.settleRemoval(path.Dir(from))
}

// List implements lake.Storage, in the order of the paths inside each folder.
func (s *Storage) List(ctx context.Context, prefix string, visit func(lake.Entry) error) error {
	start := prefix
	if prefix == "" {
		start = "."
	} else if err := layout.CheckPath(prefix); err != nil {
		return err
	}
	return fs.WalkDir(s.root.FS(), start, func(p string, d fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil // removed meanwhile, or a prefix that was never made
		}
		if err != nil {
			return explain("list", p, err)
		}
		if !d.Type().IsRegular() || p == prefix {
			return nil
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return explain("list", p, err)
		}
		return visit(lake.Entry{Path: p, Bytes: info.Size(), Modified: info.ModTime()})
	})
}
