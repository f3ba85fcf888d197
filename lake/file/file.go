package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/lake/layout"
)

const (
	folderMode = 0o700
	fileMode   = 0o600
)

// Options tune a Storage. The zero value is the default.
type Options struct {
	// Existing refuses a directory that is missing, with lake.ErrNotExist, instead
	// of making it.
	Existing bool
	// Hook, when set, is called at each step that reaches the disk, with a word
	// and the path concerned: "synced", "published" or "settled" (a
	// folder). Tests look at the disk there, as a crash would find it.
	Hook func(step, path string)
	// SyncEach syncs each file and folder of a commit by itself, also where the file
	// system could be synced as a whole.
	SyncEach bool
}

// Storage is a directory. It implements lake.Storage.
type Storage struct {
	root *os.Root
	dir  string // absolute name of the root
	hook func(step, path string)
	lock *lockFile // nil when it is not locked

	folders folders
	whole   wholeSync
	reserve func() int64 // nil: none.
}

var (
	_ lake.Storage       = (*Storage)(nil)
	_ lake.BatchReplacer = (*Storage)(nil)
)

// New opens the storage in the directory dir, which is created when missing.
// Close releases it.
func New(dir string) (*Storage, error) { return Open(dir, Options{}) }

// Open is New with options.
func Open(dir string, o Options) (*Storage, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("storage directory %s: %w", dir, err)
	}
	if o.Existing {
		if _, err := os.Stat(abs); errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("storage directory %s: %w", dir, lake.ErrNotExist)
		}
	} else if err := makeRoot(abs); err != nil {
		return nil, kalam.Wrap(kalam.CodeInvalidInput, err, "storage directory %s cannot be created", dir)
	}
	root, err := os.OpenRoot(abs)
	if err != nil {
		return nil, kalam.Wrap(kalam.CodeInvalidInput, err,
			"storage directory %s cannot be opened; nothing was changed; check its permissions and what is "+
				"mounted there", dir)
	}
	hook := o.Hook
	if hook == nil {
		hook = func(string, string) {}
	}
	s := &Storage{root: root, dir: abs, hook: hook, folders: folders{root: root, hook: hook}}
	if !o.SyncEach {
		if err := s.whole.open(abs); err != nil {
			return nil, errors.Join(err, root.Close())
		}
	}
	return s, nil
}

// makeRoot creates dir and what is missing above it, durably.
func makeRoot(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if parent := filepath.Dir(dir); parent != dir {
		if err := makeRoot(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, folderMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	parent, err := os.Open(filepath.Dir(dir))
	if err != nil {
		return err
	}
	return errors.Join(syncFolder(parent), parent.Close())
}

// Close releases the directory and its lock. No other method may be called
// afterwards.
func (s *Storage) Close() error { return errors.Join(s.whole.close(), s.root.Close(), s.unlock()) }

// Properties implements lake.Storage.
func (s *Storage) Properties() lake.Properties {
	return lake.Properties{Kind: "filesystem", Location: s.dir, Local: true}
}

// stagedObject is an object being written, in the folder of its final name. While it
// is open its folder is pinned.
type stagedObject struct {
	s    *Storage
	path string // final
	temp string // relative to the root
	mark int    // of wholeSync, from before it was written
	done bool
}

// Path implements lake.Staged.
func (d *stagedObject) Path() string { return d.path }

// LocalPath implements lake.Staged.
func (d *stagedObject) LocalPath() string { return filepath.Join(d.s.dir, filepath.FromSlash(d.temp)) }

// Abort implements lake.Staged.
func (d *stagedObject) Abort() error {
	if d.done {
		return nil
	}
	err := d.s.root.Remove(d.temp)
	d.close()
	d.s.folders.prune(path.Dir(d.temp))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return explain("remove", d.temp, err)
	}
	return nil
}

func (d *stagedObject) close() {
	if !d.done {
		d.done = true
		d.s.folders.unpin(path.Dir(d.path))
	}
}

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

// object is an open file.
type object struct {
	file *os.File
	path string
	size int64
}

// Size implements lake.Object.
func (o *object) Size() int64 { return o.size }

// Close implements lake.Object.
func (o *object) Close() error { return explain("close", o.path, o.file.Close()) }

// ReadAt implements lake.Object.
func (o *object) ReadAt(b []byte, off int64) (int, error) {
	n, err := o.file.ReadAt(b, off)
	if err == io.EOF { //nolint:errorlint // io.ReaderAt promises the bare value
		return n, err
	}
	return n, explain("read", o.path, err)
}

// Stat returns what the system notes of the file now.
func (o *object) Stat() (fs.FileInfo, error) {
	info, err := o.file.Stat()
	return info, explain("stat", o.path, err)
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

func check(ctx context.Context, p string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return layout.CheckPath(p)
}

// explain turns an error of the operating system into one of the contract: the
// path inside the storage instead of the absolute one, and a code or sentinel.
func explain(verb, p string, err error) error {
	if err == nil {
		return nil
	}
	var known *kalam.Error
	if errors.As(err, &known) {
		return err
	}
	err = lake.WithoutName(err)
	switch {
	case lake.IsNoSpace(err):
		return kalam.Wrap(kalam.CodeResourceExhausted, err, "%s %s: no space left on the storage", verb, p)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s %s: %w", verb, p, lake.ErrNotExist)
	case errors.Is(err, fs.ErrExist):
		return fmt.Errorf("%s %s: %w", verb, p, lake.ErrExist)
	}
	return fmt.Errorf("%s %s: %w", verb, p, err)
}
