package buffer

import (
	"container/heap"
	"math"
	"sort"
	"sync"
	"sync/atomic"

	"github.com/kalamlake/kalam"
)

// ScopeStats are the counters of a scope's buffered versions.
type ScopeStats struct {
	Scope  kalam.Scope
	Rows   int64
	Bytes  int64     // Of keys and payloads.
	Oldest kalam.Seq // The oldest buffered version's.
}

// tally counts the buffered versions of every scope, in memory or not, and tells
// who watches it when a table, or the whole, has grown to a mark.
type tally struct {
	bytes atomic.Int64  // Of all tables. Written with mu held.
	grown chan struct{} // Holds a token when a mark was reached.

	mu     sync.Mutex // guards what follows
	tables map[kalam.TableNumber]*tableTally
	rows   int64
	freed  chan struct{} // Closed when bytes gets less; nil when nobody waits for that.
	mark   int64         // Bytes at which grown is told; 0 is never.
	// reached are the tables that reached their mark since TakeGrown.
	reached map[kalam.TableNumber]struct{}
}

// tableTally sums a table. There is one for every table with buffered versions.
type tableTally struct {
	users map[kalam.UserID]*scopeTally
	ages  ageHeap // Every scope of users.
	rows  int64
	bytes int64
	mark  int64 // Rows at which grown is told. 0, the mark of a new one, is the first row.
}

type scopeTally struct {
	ScopeStats
	place int // In tableTally.ages.
}

// ageHeap has the scope with the oldest version first. A scope that gets its first
// version has the youngest and stays at the end; only flushes and evictions sift.
type ageHeap []*scopeTally

func (h ageHeap) Len() int           { return len(h) }
func (h ageHeap) Less(i, j int) bool { return h[i].Oldest < h[j].Oldest }

func (h ageHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}

// Push implements heap.Interface.
func (h *ageHeap) Push(x any) {
	st := x.(*scopeTally) // The heap holds nothing else.
	st.place = len(*h)
	*h = append(*h, st)
}

// Pop implements heap.Interface.
func (h *ageHeap) Pop() any {
	last := len(*h) - 1
	st := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return st
}

func newTally() *tally {
	return &tally{
		grown:   make(chan struct{}, 1),
		tables:  map[kalam.TableNumber]*tableTally{},
		reached: map[kalam.TableNumber]struct{}{},
	}
}

// add counts versions; the oldest seq stays when there were some. It is called for
// every commit, so it compares with marks and looks at nothing else.
func (t *tally) add(sc kalam.Scope, rows, bytes int64, first kalam.Seq) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.addLocked(ScopeStats{Scope: sc, Rows: rows, Bytes: bytes, Oldest: first})
}

func (t *tally) addLocked(s ScopeStats) {
	tt := t.tables[s.Scope.Table]
	if tt == nil {
		tt = &tableTally{users: map[kalam.UserID]*scopeTally{}}
		t.tables[s.Scope.Table] = tt
	}
	if st := tt.users[s.Scope.User]; st != nil {
		st.Rows += s.Rows
		st.Bytes += s.Bytes
	} else {
		st = &scopeTally{ScopeStats: s}
		tt.users[s.Scope.User] = st
		heap.Push(&tt.ages, st)
	}
	tt.rows += s.Rows
	tt.bytes += s.Bytes
	t.rows += s.Rows
	sum := t.bytes.Add(s.Bytes)
	if tt.rows >= tt.mark {
		t.reachLocked(s.Scope.Table, tt)
	}
	if t.mark > 0 && sum >= t.mark {
		t.mark = 0
		t.tell()
	}
}

// reachLocked notes that a table reached its mark, and takes the mark away.
func (t *tally) reachLocked(n kalam.TableNumber, tt *tableTally) {
	tt.mark = math.MaxInt64
	t.reached[n] = struct{}{}
	t.tell()
}

func (t *tally) tell() {
	select {
	case t.grown <- struct{}{}:
	default: // A second token would tell nothing new.
	}
}

// set replaces the counters of a scope; rows 0 forgets it. No mark is reached by
// that: what is left of a scope after a flush is less than before.
func (t *tally) set(s ScopeStats) {
	t.mu.Lock()
	defer t.mu.Unlock()
	tt := t.tables[s.Scope.Table]
	if tt != nil && tt.users[s.Scope.User] != nil {
		t.forgetLocked(tt, tt.users[s.Scope.User])
	}
	if s.Rows > 0 {
		t.addLocked(s)
	} else if tt != nil && len(tt.users) == 0 {
		delete(t.tables, s.Scope.Table)
	}
}

// forgetLocked removes the counters of a scope. The caller holds mu.
func (t *tally) forgetLocked(tt *tableTally, st *scopeTally) {
	heap.Remove(&tt.ages, st.place)
	delete(tt.users, st.Scope.User)
	tt.rows -= st.Rows
	tt.bytes -= st.Bytes
	t.rows -= st.Rows
	t.bytes.Add(-st.Bytes)
	t.freeLocked()
}

func (t *tally) freeLocked() {
	if t.freed != nil {
		close(t.freed)
		t.freed = nil
	}
}

func (t *tally) dropTable(n kalam.TableNumber) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.reached, n)
	tt := t.tables[n]
	if tt == nil {
		return
	}
	t.rows -= tt.rows
	t.bytes.Add(-tt.bytes)
	delete(t.tables, n)
	t.freeLocked()
}

func (t *tally) sum() (rows, bytes int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.rows, t.bytes.Load()
}

// over returns nil when there are fewer than most bytes, and otherwise a channel
// that is closed when there may be.
func (t *tally) over(most int64) <-chan struct{} {
	if t.bytes.Load() < most {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.bytes.Load() < most {
		return nil
	}
	if t.freed == nil {
		t.freed = make(chan struct{})
	}
	return t.freed
}

// TableStats returns the buffered versions of a table, their bytes, and the seq
// of the oldest, 0 when there is none. It reads counters and scans nothing.
func (s *Store) TableStats(n kalam.TableNumber) (rows, bytes int64, oldest kalam.Seq) {
	s.tally.mu.Lock()
	defer s.tally.mu.Unlock()
	tt := s.tally.tables[n]
	if tt == nil {
		return 0, 0, 0
	}
	return tt.rows, tt.bytes, tt.ages[0].Oldest
}

// BufferedBytes returns the bytes of all buffered keys and payloads.
func (s *Store) BufferedBytes() int64 { return s.tally.bytes.Load() }

// BufferedTables returns the bytes of every table with buffered versions, in no
// order. It reads one counter per table.
func (s *Store) BufferedTables() map[kalam.TableNumber]int64 {
	s.tally.mu.Lock()
	defer s.tally.mu.Unlock()
	out := make(map[kalam.TableNumber]int64, len(s.tally.tables))
	for n, tt := range s.tally.tables {
		out[n] = tt.bytes
	}
	return out
}

// Dirty returns the scopes of a table with buffered versions, by user. It reads
// counters and scans nothing.
func (s *Store) Dirty(n kalam.TableNumber) []ScopeStats {
	out := s.tally.scopes(n)
	sort.Slice(out, func(i, j int) bool { return out[i].Scope.User < out[j].Scope.User }) // Commits do not wait for it.
	return out
}

// scopes returns the counters of the scopes of a table, in no order.
func (t *tally) scopes(n kalam.TableNumber) []ScopeStats {
	t.mu.Lock()
	defer t.mu.Unlock()
	tt := t.tables[n]
	if tt == nil {
		return nil
	}
	out := make([]ScopeStats, 0, len(tt.ages))
	for _, st := range tt.ages {
		out = append(out, st.ScopeStats)
	}
	return out
}

// Grown returns a channel that holds a token when a table has reached the rows of
// MarkRows, or got its first after it had none, or when all together have reached
// the bytes of MarkBytes. It is for one reader.
func (s *Store) Grown() <-chan struct{} { return s.tally.grown }

// TakeGrown returns the tables that have reached their mark since it was called
// last; after Open, every table with buffered versions. A table is named once and
// then has no mark until MarkRows.
func (s *Store) TakeGrown() []kalam.TableNumber {
	s.tally.mu.Lock()
	defer s.tally.mu.Unlock()
	if len(s.tally.reached) == 0 {
		return nil
	}
	out := make([]kalam.TableNumber, 0, len(s.tally.reached))
	for n := range s.tally.reached {
		out = append(out, n)
	}
	clear(s.tally.reached)
	return out
}

// MarkRows asks for a token of Grown when a table has at least so many buffered
// versions, at once when it has them already; 0 asks for none. A table that was
// empty in between tells at its first version, whatever the mark was.
func (s *Store) MarkRows(n kalam.TableNumber, rows int64) {
	s.tally.mu.Lock()
	defer s.tally.mu.Unlock()
	tt := s.tally.tables[n]
	if tt == nil {
		return
	}
	if rows <= 0 {
		rows = math.MaxInt64
	}
	if tt.mark = rows; tt.rows >= rows {
		s.tally.reachLocked(n, tt)
	}
}

// MarkBytes asks for one token of Grown when all tables have at least so many
// buffered bytes, at once when they have them already; 0 asks for none.
func (s *Store) MarkBytes(bytes int64) {
	s.tally.mu.Lock()
	defer s.tally.mu.Unlock()
	s.tally.mark = max(bytes, 0)
	if bytes > 0 && s.tally.bytes.Load() >= bytes {
		s.tally.mark = 0
		s.tally.tell()
	}
}
