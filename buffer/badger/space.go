package badger

import (
	"sync/atomic"
	"time"
)

// The free space of the disk is asked for again after this time, and before this
// much was written: asking at every commit costs a small one a hundredth of its
// time.
const (
	spaceAge   = 10 * time.Millisecond
	spaceBytes = 1 << 20
)

// space is what is known of the free space of the disk.
type space struct {
	bytes   int64
	known   bool
	asked   time.Time
	written int64 // Since then, about.
}

// free returns the bytes that are free before some more are written; known is false
// where the system does not tell.
func (s *space) free(dir string, more int64) (bytes int64, known bool) {
	s.written += more
	if now := time.Now(); s.written > spaceBytes || now.Sub(s.asked) > spaceAge {
		s.bytes, s.known = freeSpace(dir)
		s.asked, s.written = now, 0
	}
	return s.bytes, s.known
}

// compaction is what the next compaction of Badger may take beside what it replaces.
type compaction struct {
	bytes atomic.Int64
	asked atomic.Int64 // Unix time in nanoseconds.
}
