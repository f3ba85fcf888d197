package maintain

import (
	"slices"
	"sync"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/segments"
)

// obsoleteFiles are the segments that compactions replaced and whose files are still
// there: they go when nobody reads them any more. After a crash what is left of
// them are orphans.
type obsoleteFiles struct {
	mu   sync.Mutex // guards list and the entries
	list []*obsoleteNote
	wake chan struct{} // Holds one token when the sweeper has something to look at.

	removing sync.Mutex // Serialises removals, so that they keep the order of the compactions.
}

// obsoleteNote is what one compaction replaced.
type obsoleteNote struct {
	scope     kalam.Scope
	segments  []kalam.Segment // Oldest first.
	committed bool            // Their replacement is.
	unread    bool
	unnamed   bool // manifest.json does not name them any more.
}

// add notes segments whose replacement is about to be committed.
func (r *obsoleteFiles) add(sc kalam.Scope, segments []kalam.Segment) *obsoleteNote {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := &obsoleteNote{scope: sc, segments: segments}
	r.list = append(r.list, n)
	return n
}

// forget ends a note: the segments were not replaced.
func (r *obsoleteFiles) forget(n *obsoleteNote) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.list {
		if r.list[i] == n {
			r.list = append(r.list[:i:i], r.list[i+1:]...)
			return
		}
	}
}

// free says that nobody reads the segments any more.
func (r *obsoleteFiles) free(n *obsoleteNote) {
	r.mu.Lock()
	n.unread = true
	r.mu.Unlock()
	r.awaken()
}

// commit says that the segments were replaced.
func (r *obsoleteFiles) commit(n *obsoleteNote) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n.committed = true
}

// replacedIn returns the notes of scopes whose segments the manifests of record do not
// name any more, but manifest.json may.
func (r *obsoleteFiles) replacedIn(scopes []kalam.Scope) (notes []*obsoleteNote) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, n := range r.list {
		if n.committed && !n.unnamed && slices.Contains(scopes, n.scope) {
			notes = append(notes, n)
		}
	}
	return notes
}

// unname says that manifest.json does not name the segments of notes any more. Until
// then they stay: who has only the files must find what it names.
func (r *obsoleteFiles) unname(notes []*obsoleteNote) {
	if len(notes) == 0 {
		return
	}
	r.mu.Lock()
	for _, n := range notes {
		n.unnamed = true
	}
	r.mu.Unlock()
	r.awaken()
}

func (r *obsoleteFiles) awaken() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// take removes from the list, and returns, the segments that nobody reads or names.
func (r *obsoleteFiles) take() (segments []kalam.Segment) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var rest []*obsoleteNote
	for _, n := range r.list {
		if n.unread && n.unnamed {
			segments = append(segments, n.segments...)
		} else {
			rest = append(rest, n)
		}
	}
	r.list = rest
	return segments
}

// of returns how many replaced segments of a table are still there.
func (r *obsoleteFiles) of(n kalam.TableNumber) (segments int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, note := range r.list {
		if note.scope.Table == n {
			segments += len(note.segments)
		}
	}
	return segments
}

// has reports whether a segment may still be read.
func (r *obsoleteFiles) has(k segments.Key) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, n := range r.list {
		for i := range n.segments {
			if segments.KeyOf(&n.segments[i]) == k {
				return true
			}
		}
	}
	return false
}

// in reports whether a replaced segment is still in a storage.
func (r *obsoleteFiles) in(id kalam.StorageID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, n := range r.list {
		for i := range n.segments {
			if n.segments[i].Storage == id {
				return true
			}
		}
	}
	return false
}
