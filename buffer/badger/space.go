package badger

import "time"

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

// free returns the bytes that are free before ops are written; known is false
// where the system does not tell.
func (s *space) free(dir string, ops []storedOp) (bytes int64, known bool) {
	for i := range ops {
		s.written += int64(len(ops[i].key) + len(ops[i].value))
	}
	if now := time.Now(); s.written > spaceBytes || now.Sub(s.asked) > spaceAge {
		s.bytes, s.known = freeSpace(dir)
		s.asked, s.written = now, 0
	}
	return s.bytes, s.known
}
