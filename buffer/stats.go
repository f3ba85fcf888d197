package buffer

import (
	"container/heap"
	"context"
	"fmt"
	"math"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kalamlake/kalam"
)

// ScopeStats are the counters of a scope's buffered versions.
type ScopeStats struct {
	Scope  kalam.Scope
	Rows   int64
	Bytes  int64     // Of keys and payloads.
	Oldest kalam.Seq // The oldest buffered version's.
}

// bufferedStats counts the buffered versions of every scope, in memory or not, and tells
// who watches it when a table, or the whole, has grown to a mark.
type bufferedStats struct {
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
}

type scopeEntry struct {
	ScopeStats
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

func newBufferedStats() *bufferedStats {
	return &bufferedStats{
		grown:   make(chan struct{}, 1),
		tables:  map[kalam.TableNumber]*tableStats{},
		reached: map[kalam.TableNumber]struct{}{},
	}
}

// add counts versions; the oldest seq stays when there were some. It is called for
// every commit, so it compares with marks and looks at nothing else.
func (t *bufferedStats) add(sc kalam.Scope, rows, bytes int64, first kalam.Seq) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.addLocked(ScopeStats{Scope: sc, Rows: rows, Bytes: bytes, Oldest: first})
}

func (t *bufferedStats) addLocked(s ScopeStats) {
	tt := t.tables[s.Scope.Table]
	if tt == nil {
		tt = &tableStats{users: map[kalam.UserID]*scopeEntry{}}
		t.tables[s.Scope.Table] = tt
	}
	if st := tt.users[s.Scope.User]; st != nil {
		st.Rows += s.Rows
		st.Bytes += s.Bytes
	} else {
		st = &scopeEntry{ScopeStats: s}
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
func (t *bufferedStats) reachLocked(n kalam.TableNumber, tt *tableStats) {
	tt.mark = math.MaxInt64
	t.reached[n] = struct{}{}
	t.tell()
}

func (t *bufferedStats) tell() {
	select {
	case t.grown <- struct{}{}:
	default: // A second token would tell nothing new.
	}
}

// set replaces the counters of a scope; rows 0 forgets it. No mark is reached by
// that: what is left of a scope after a flush is less than before.
func (t *bufferedStats) set(s ScopeStats) {
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
func (t *bufferedStats) forgetLocked(tt *tableStats, st *scopeEntry) {
	heap.Remove(&tt.ages, st.place)
	delete(tt.users, st.Scope.User)
	tt.rows -= st.Rows
	tt.bytes -= st.Bytes
	t.rows -= st.Rows
	t.bytes.Add(-st.Bytes)
	t.freeLocked()
}

func (t *bufferedStats) freeLocked() {
	if t.freed != nil {
		close(t.freed)
		t.freed = nil
	}
}

func (t *bufferedStats) dropTable(n kalam.TableNumber) {
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

func (t *bufferedStats) sum() (rows, bytes int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.rows, t.bytes.Load()
}

// over returns nil when there are fewer than most bytes, and otherwise a channel
// that is closed when there may be.
func (t *bufferedStats) over(most int64) <-chan struct{} {
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
	s.stats.mu.Lock()
	defer s.stats.mu.Unlock()
	tt := s.stats.tables[n]
	if tt == nil {
		return 0, 0, 0
	}
	return tt.rows, tt.bytes, tt.ages[0].Oldest
}

// BufferedBytes returns the bytes of all buffered keys and payloads.
func (s *Store) BufferedBytes() int64 { return s.stats.bytes.Load() }

// BufferedTables returns the bytes of every table with buffered versions, in no
// order. It reads one counter per table.
func (s *Store) BufferedTables() map[kalam.TableNumber]int64 {
	s.stats.mu.Lock()
	defer s.stats.mu.Unlock()
	out := make(map[kalam.TableNumber]int64, len(s.stats.tables))
	for n, tt := range s.stats.tables {
		out[n] = tt.bytes
	}
	return out
}

// Dirty returns the scopes of a table with buffered versions, by user. It reads
// counters and scans nothing.
func (s *Store) Dirty(n kalam.TableNumber) []ScopeStats {
	out := s.stats.scopes(n)
	sort.Slice(out, func(i, j int) bool { return out[i].Scope.User < out[j].Scope.User }) // Commits do not wait for it.
	return out
}

// scopes returns the counters of the scopes of a table, in no order.
func (t *bufferedStats) scopes(n kalam.TableNumber) []ScopeStats {
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
func (s *Store) Grown() <-chan struct{} { return s.stats.grown }

// TakeGrown returns the tables that have reached their mark since it was called
// last; after Open, every table with buffered versions. A table is named once and
// then has no mark until MarkRows.
func (s *Store) TakeGrown() []kalam.TableNumber {
	s.stats.mu.Lock()
	defer s.stats.mu.Unlock()
	if len(s.stats.reached) == 0 {
		return nil
	}
	out := make([]kalam.TableNumber, 0, len(s.stats.reached))
	for n := range s.stats.reached {
		out = append(out, n)
	}
	clear(s.stats.reached)
	return out
}

// MarkRows asks for a token of Grown when a table has at least so many buffered
// versions, at once when it has them already; 0 asks for none. A table that was
// empty in between tells at its first version, whatever the mark was.
func (s *Store) MarkRows(n kalam.TableNumber, rows int64) {
	s.stats.mu.Lock()
	defer s.stats.mu.Unlock()
	tt := s.stats.tables[n]
	if tt == nil {
		return
	}
	if rows <= 0 {
		rows = math.MaxInt64
	}
	if tt.mark = rows; tt.rows >= rows {
		s.stats.reachLocked(n, tt)
	}
}

// MarkBytes asks for one token of Grown when all tables have at least so many
// buffered bytes, at once when they have them already; 0 asks for none.
func (s *Store) MarkBytes(bytes int64) {
	s.stats.mu.Lock()
	defer s.stats.mu.Unlock()
	s.stats.mark = max(bytes, 0)
	if bytes > 0 && s.stats.bytes.Load() >= bytes {
		s.stats.mark = 0
		s.stats.tell()
	}
}

// waitForRoom waits while the buffer is full, for a limited time.
func (s *Store) waitForRoom(ctx context.Context) error {
	if s.opts.MaxBytes == 0 {
		return nil
	}
	var timeout <-chan time.Time
	for {
		freed := s.stats.over(s.opts.MaxBytes)
		if freed == nil {
			return nil
		}
		if timeout == nil {
			timer := time.NewTimer(fullWait)
			defer timer.Stop()
			timeout = timer.C
		}
		select {
		case <-freed:
		case <-timeout:
			return kalam.Errorf(kalam.CodeResourceExhausted,
				"write buffer full: buffered rows take %d bytes, the limit buffer.max_bytes is %d; "+
					"nothing was written. STORAGE FLUSH makes room; then try again", s.stats.bytes.Load(),
				s.opts.MaxBytes)
		case <-ctx.Done():
			return fmt.Errorf("wait for room in the write buffer: %w", context.Cause(ctx))
		case <-s.quit:
			return shuttingDown()
		}
	}
}
