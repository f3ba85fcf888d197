package integrity

import "time"

// Identity is what the system notes of a local file. As long as it stays the same
// the file is the same and so is its content: who writes into a file, or puts another
// in its place, cannot keep all of it.
type Identity struct {
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

// Settled reports whether a change after the time now, at which the identity was not
// yet read, must show in it.
func (id Identity) Settled(now time.Time) bool {
	tick := fileTick
	if id.changed%int64(time.Second) == 0 && id.modified%int64(time.Second) == 0 {
		tick = coarseTick
	}
	age := now.Sub(time.Unix(0, id.changed))
	return age > tick || age < -clockAhead
}
