package lake

import (
	"sync"

	"github.com/kalamlake/kalam"
)

// holds are those who need every file of a segment to stay.
type holds struct {
	mu   sync.RWMutex // Held for reading by who removes files.
	held int          // Guarded by mu.
}

// Hold keeps the files of all segments until release is called: meanwhile Remove and RemoveFolder give
// CodeConflict, and Trash moves nothing. Removals under way are waited for. New segments are written as ever.
func (l *Lake) Hold() (release func()) {
	h := &l.holds
	h.mu.Lock()
	defer h.mu.Unlock()
	h.held++
	return sync.OnceFunc(func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.held--
	})
}

// Held reports whether files of segments stay for the time being.
func (l *Lake) Held() bool {
	l.holds.mu.RLock()
	defer l.holds.mu.RUnlock()
	return l.holds.held > 0
}

// begin begins a removal, unless files must stay. The caller calls end when there is no error.
func (h *holds) begin() error {
	h.mu.RLock()
	if h.held == 0 {
		return nil
	}
	h.mu.RUnlock()
	return kalam.Errorf(kalam.CodeConflict, "no file is removed while a backup is made; it is tried again later")
}

func (h *holds) end() { h.mu.RUnlock() }
