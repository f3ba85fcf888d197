package buffer

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/kalamlake/kalam/buffer/memtable"
)

// While a read point may still take views, a commit keeps the state of each scope that it
// changes, as it was before: one state for all points between two changes. A state goes when
// no such point is old enough to need it.

// state is what a scope shows.
type state struct {
	mem   *memtable.Memtable
	shown memtable.Published
	lake  *lakeState
}

// edition numbers the states of all scopes together: each group of commits makes the next one.
// The seq would not do, since some commits take none.
type edition uint64

// pastState is a state that read points before an edition still see.
type pastState struct {
	state
	until edition
}

// openPoints are the editions of the read points that may take further views.
type openPoints struct {
	mu   sync.Mutex   // guards at
	at   []edition    // Ascending.
	kept atomic.Int32 // Scopes with past states.
}

// add adds the edition of a new point, which is at least that of every other.
func (o *openPoints) add(at edition) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.at = append(o.at, at)
}

// remove takes one point of an edition out. It reports whether that was the oldest one.
func (o *openPoints) remove(at edition) (oldest bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	i, _ := slices.BinarySearch(o.at, at)
	o.at = slices.Delete(o.at, i, i+1)
	return i == 0 && (len(o.at) == 0 || o.at[0] > at)
}

// oldest returns the edition of the oldest point, the largest one there is without any.
func (o *openPoints) oldest() edition {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.at) == 0 {
		return ^edition(0)
	}
	return o.at[0]
}

// from reports whether a point is of an edition or a later one.
func (o *openPoints) from(at edition) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := len(o.at)
	return n > 0 && o.at[n-1] >= at
}

// at returns what the scope showed in an edition. The caller holds Store.visibility.
func (sc *scope) at(e edition) state {
	for _, p := range sc.past { // Few, the oldest first.
		if e < p.until {
			return p.state
		}
	}
	return state{sc.mem, sc.mem.Published, sc.lake}
}

// keepPast keeps the present state of a scope that is about to change, if a read point may
// need it. The caller holds Store.visibility for writing, and the scope pinned.
func (s *Store) keepPast(sc *scope) {
	since := edition(0)
	if n := len(sc.past); n > 0 {
		since = sc.past[n-1].until
	}
	if !s.points.from(since) {
		return
	}
	if len(sc.past) == 0 {
		s.retain(sc)
		s.changed[sc] = struct{}{}
		s.points.kept.Add(1)
	}
	now := state{sc.mem, sc.mem.Published, sc.lake}
	now.mem.Retain()
	pinLake(now.lake)
	sc.past = append(sc.past, pastState{now, s.edition + 1})
}

// leavePoint lets go of a read point, and of the past states that no other one needs.
func (s *Store) leavePoint(at edition) {
	if !s.points.remove(at) || s.points.kept.Load() == 0 {
		return
	}
	var gone []pastState
	var of, idle []*scope
	s.visibility.Lock()
	oldest := s.points.oldest()
	for sc := range s.changed {
		n := 0
		for n < len(sc.past) && sc.past[n].until <= oldest {
			gone, of = append(gone, sc.past[n]), append(of, sc)
			n++
		}
		if sc.past = sc.past[n:]; len(sc.past) == 0 {
			sc.past = nil
			delete(s.changed, sc)
			s.points.kept.Add(-1)
			idle = append(idle, sc)
		}
	}
	s.visibility.Unlock()
	for i, p := range gone {
		p.mem.Release()
		s.unpinLake(of[i], p.lake)
	}
	for _, sc := range idle {
		s.release(sc)
	}
}
