package file

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/kalamlake/kalam/lake"
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

// errLocked says that another process, or another Storage of this one, has the lock.
var errLocked = errors.New("it is locked")

// lockFile is a locked file. Closing it gives the lock back.
type lockFile struct{ *os.File }

// announce writes who holds the lock. It need not be durable.
func (l *lockFile) announce(holder string) error {
	if err := l.Truncate(0); err != nil {
		return err
	}
	_, err := l.WriteAt([]byte(strings.ReplaceAll(holder, "\n", " ")+"\n"), 0)
	return err
}
