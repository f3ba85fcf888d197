package integrity

import (
	"errors"
	"io/fs"
	"sync/atomic"
	"time"

	"github.com/kalamlake/kalam"
)

// isUnlinked reports whether now is that of the same file, of which only the name has
// gone since, as when another was put in its place: what is read of it is as it was.
func (id Identity) isUnlinked(now Identity, info fs.FileInfo) bool {
	now.changed = id.changed
	return now == id && hasNoName(info)
}

// ErrChanged is in the chain of the CodeCorrupt error for a file that was changed or
// replaced while it was read.
var ErrChanged = errors.New("it was changed or replaced while it was read; check what writes there, and run " +
	"the statement again")

// Changed returns the error of a file that was changed while it was read.
func Changed(p string) error {
	return kalam.Wrap(kalam.CodeCorrupt, ErrChanged, "%s is not to be trusted", p)
}

// statter is an open file that knows what the system notes of it.
type statter interface{ Stat() (fs.FileInfo, error) }

// Watch notices when an open file is changed.
type Watch struct {
	file  File
	id    Identity
	known bool        // id is that of the file; not every storage has one.
	sure  atomic.Bool // id shows every change since.
}

// Begin notes how the file is, before anything of it is read.
func (w *Watch) Begin(o File) error {
	w.file = o
	s, ok := o.(statter)
	if !ok {
		return nil
	}
	now := time.Now()
	info, err := s.Stat()
	if err != nil {
		return err
	}
	w.id, w.known = IdentityOf(info), true
	w.sure.Store(w.id.Settled(now))
	return nil
}

// Unchanged reports whether the file is as it was at begin. While the times of the
// file cannot tell, sameContent decides.
func (w *Watch) Unchanged(sameContent func() (bool, error)) (bool, error) {
	settled, now := w.sure.Load(), time.Now()
	if w.known {
		info, err := w.file.(statter).Stat()
		if err != nil {
			return false, err
		}
		switch id := IdentityOf(info); {
		case id == w.id && settled:
			return true, nil
		case id != w.id && !w.id.isUnlinked(id, info):
			return false, nil
		}
	}
	same, err := sameContent()
	if same && w.known && w.id.Settled(now) {
		w.sure.Store(true)
	}
	return same, err
}
