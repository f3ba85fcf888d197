package lake

import (
	"errors"
	"io/fs"
	"sync/atomic"
	"time"

	"github.com/kalamlake/kalam"
)

// identity is what the system notes of a local file. As long as it stays the same
// the file is the same and so is its content: who writes into a file, or puts another
// in its place, cannot keep all of it.
type identity struct {
	bytes, modified, changed int64
	device, inode            uint64
}

// Times of files are those of a clock that ticks: a change in the tick of the last
// one leaves no trace. These are the ticks of the systems that we know, with room.
const (
	fileTick   = 20 * time.Millisecond
	coarseTick = 2500 * time.Millisecond // Of file systems with whole seconds.
	// clockAhead is how far the time of a file may be ahead of ours and yet be reached.
	clockAhead = 2 * time.Second
)

// settled reports whether a change after the time now, at which the identity was not
// yet read, must show in it.
func (id identity) settled(now time.Time) bool {
	tick := fileTick
	if id.changed%int64(time.Second) == 0 && id.modified%int64(time.Second) == 0 {
		tick = coarseTick
	}
	age := now.Sub(time.Unix(0, id.changed))
	return age > tick || age < -clockAhead
}

// errChanged is in the chain of the CodeCorrupt error for a file that was changed or
// replaced while it was read.
var errChanged = errors.New("it was changed or replaced while it was read; check what writes there, and run the statement again")

func changed(p string) error {
	return kalam.Wrap(kalam.CodeCorrupt, errChanged, "%s is not to be trusted", p)
}

// statter is an open object that knows what the system notes of it.
type statter interface{ Stat() (fs.FileInfo, error) }

// watch notices when an open object is changed.
type watch struct {
	object Object
	id     identity
	known  bool        // id is that of the object; not every storage has one.
	settle atomic.Bool // id shows every change since.
}

// begin notes how the object is, before anything of it is read.
func (w *watch) begin(o Object) error {
	w.object = o
	s, ok := o.(statter)
	if !ok {
		return nil
	}
	now := time.Now()
	info, err := s.Stat()
	if err != nil {
		return err
	}
	w.id, w.known = identityOf(info), true
	w.settle.Store(w.id.settled(now))
	return nil
}

// unchanged reports whether the object is as it was at begin. While the times of the
// file cannot tell, sameContent decides.
func (w *watch) unchanged(sameContent func() (bool, error)) (bool, error) {
	settled, now := w.settle.Load(), time.Now()
	if w.known {
		info, err := w.object.(statter).Stat()
		if err != nil {
			return false, err
		}
		if identityOf(info) != w.id {
			return false, nil
		}
		if settled {
			return true, nil
		}
	}
	same, err := sameContent()
	if same && w.known && w.id.settled(now) {
		w.settle.Store(true)
	}
	return same, err
}
