package maintain

import (
	"sync"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/segments"
)

// staged are the segments that are being written and whose commit is not decided
// yet: no manifest names them, and they are no orphans. One whose commit may or may
// not have reached the disk stays for good.
type staged struct {
	mu      sync.Mutex // guards what follows
	pending map[segments.Key]struct{}
	// released are those that were decided while somebody watches; nil when nobody
	// does.
	released map[segments.Key]struct{}
}

// add notes a segment before it can be seen in its storage.
func (s *staged) add(k segments.Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pending == nil {
		s.pending = map[segments.Key]struct{}{}
	}
	s.pending[k] = struct{}{}
}

// release ends the note: a manifest names the segment, or nothing ever will.
func (s *staged) release(k segments.Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.pending, k)
	if s.released != nil {
		s.released[k] = struct{}{}
	}
}

// watch makes has remember what is released from now on, until stop is called. So
// who reads the manifests after it misses nothing. One may watch at a time.
func (s *staged) watch() (stop func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.released = map[segments.Key]struct{}{}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.released = nil
	}
}

// has reports whether a segment is staged, or was since watch.
func (s *staged) has(k segments.Key) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, pending := s.pending[k]
	_, released := s.released[k]
	return pending || released
}

// in reports whether a segment of a storage is staged.
func (s *staged) in(id kalam.StorageID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k := range s.pending {
		if k.Storage == id {
			return true
		}
	}
	return false
}
