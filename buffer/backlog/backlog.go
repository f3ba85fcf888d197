package backlog

import (
	"container/heap"
	"math"
	"sync"
	"sync/atomic"

	"github.com/kalamlake/kalam"
)

// Stats are the counters of a scope's buffered versions.
type Stats struct {
	Scope  kalam.Scope
	Rows   int64
	Bytes  int64     // Of keys and payloads.
	Oldest kalam.Seq // The oldest buffered version's.
}

// Backlog counts the buffered versions of every scope, in memory or not, and tells
// who watches it when a table, or the whole, has grown to a mark. Safe for concurrent use.
type Backlog struct {
	bytes atomic.Int64  // Of all tables. Written with mu held.
	grown chan struct{} // Holds a token when a mark was reached.

	mu     sync.Mutex // guards what follows
	tables map[kalam.TableNumber]*tableStats
	rows   int64
	freed  chan struct{} // Closed when bytes gets less; nil when nobody waits for that.
	mark   int64         // Bytes at which grown is told; 0 is never.
	// reached are the tables that reached their mark since TakeGrown.
	reached map[kalam.TableNumber]struct{}
}

// tableStats sums a table. There is one for every table with buffered versions.
type tableStats struct {
	users map[kalam.UserID]*scopeEntry
	ages  ageHeap // Every scope of users.
	rows  int64
	bytes int64
	mark  int64 // Rows at which grown is told. 0, the mark of a new one, is the first row.
	heavy int64 // Bytes at which grown is told; 0 is never.
}

type scopeEntry struct {
	Stats
	place int // In tableStats.ages.
}

// ageHeap has the scope with the oldest version first. A scope that gets its first
// version has the youngest and stays at the end; only flushes and evictions sift.
type ageHeap []*scopeEntry

func (h ageHeap) Len() int           { return len(h) }
func (h ageHeap) Less(i, j int) bool { return h[i].Oldest < h[j].Oldest }

func (h ageHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}

// Push implements heap.Interface.
func (h *ageHeap) Push(x any) {
	st := x.(*scopeEntry) // The heap holds nothing else.
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

func New() *Backlog {
	return &Backlog{
		grown:   make(chan struct{}, 1),
		tables:  map[kalam.TableNumber]*tableStats{},
		reached: map[kalam.TableNumber]struct{}{},
	}
}

// Add counts versions; the oldest seq stays when there were some. It is called for
// every commit, so it compares with marks and looks at nothing else.
func (t *Backlog) Add(sc kalam.Scope, rows, bytes int64, first kalam.Seq) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.addLocked(Stats{Scope: sc, Rows: rows, Bytes: bytes, Oldest: first})
}

func (t *Backlog) addLocked(s Stats) {
	tt := t.tables[s.Scope.Table]
	if tt == nil {
		tt = &tableStats{users: map[kalam.UserID]*scopeEntry{}}
		t.tables[s.Scope.Table] = tt
	}
	if st := tt.users[s.Scope.User]; st != nil {
		st.Rows += s.Rows
		st.Bytes += s.Bytes
	} else {
		st = &scopeEntry{Stats: s}
		tt.users[s.Scope.User] = st
		heap.Push(&tt.ages, st)
	}
	tt.rows += s.Rows
	tt.bytes += s.Bytes
	t.rows += s.Rows
	sum := t.bytes.Add(s.Bytes)
	if tt.reached() {
		t.reachLocked(s.Scope.Table, tt)
	}
	if t.mark > 0 && sum >= t.mark {
		t.mark = 0
		t.tell()
	}
}

// reached reports whether a table has grown to one of its marks.
func (tt *tableStats) reached() bool {
	return tt.rows >= tt.mark || tt.heavy > 0 && tt.bytes >= tt.heavy
}

// reachLocked notes that a table reached its mark, and takes the mark away.
func (t *Backlog) reachLocked(n kalam.TableNumber, tt *tableStats) {
	tt.mark, tt.heavy = math.MaxInt64, 0
	t.reached[n] = struct{}{}
	t.tell()
}

func (t *Backlog) tell() {
	select {
	case t.grown <- struct{}{}:
	default: // A second token would tell nothing new.
	}
}

// Set replaces the counters of a scope; rows 0 forgets it. No mark is reached by
// that: what is left of a scope after a flush is less than before.
func (t *Backlog) Set(s Stats) {
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
func (t *Backlog) forgetLocked(tt *tableStats, st *scopeEntry) {
	heap.Remove(&tt.ages, st.place)
	delete(tt.users, st.Scope.User)
	tt.rows -= st.Rows
	tt.bytes -= st.Bytes
	t.rows -= st.Rows
	t.bytes.Add(-st.Bytes)
	t.freeLocked()
}

// freeLocked tells who waits that there are fewer bytes.
func (t *Backlog) freeLocked() {
	if t.freed != nil {
		close(t.freed)
		t.freed = nil
	}
}

// DropTable forgets what is counted of a table.
func (t *Backlog) DropTable(n kalam.TableNumber) {
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

// DropUser forgets what every table has of a user.
func (t *Backlog) DropUser(user kalam.UserID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for n, tt := range t.tables {
		st := tt.users[user]
		if st == nil {
			continue
		}
		if t.forgetLocked(tt, st); len(tt.users) == 0 {
			delete(t.tables, n)
		}
	}
}

// Sum returns the versions of all tables, and their bytes.
func (t *Backlog) Sum() (rows, bytes int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.rows, t.bytes.Load()
}

// Over returns nil when there are fewer than most bytes, and otherwise a channel
// that is closed when there may be.
func (t *Backlog) Over(most int64) <-chan struct{} {
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

// Scopes returns the counters of the scopes of a table, in no order.
func (t *Backlog) Scopes(n kalam.TableNumber) []Stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	tt := t.tables[n]
	if tt == nil {
		return nil
	}
	out := make([]Stats, 0, len(tt.ages))
	for _, st := range tt.ages {
		out = append(out, st.Stats)
	}
	return out
}

// Has reports whether a scope has buffered versions.
func (t *Backlog) Has(id kalam.Scope) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	tt := t.tables[id.Table]
	return tt != nil && tt.users[id.User] != nil
}
