package backlog

import (
	"math"

	"github.com/kalamlake/kalam"
)

// Table returns the buffered versions of a table, their bytes, and the seq
// of the oldest, 0 when there is none. It reads counters and scans nothing.
func (t *Backlog) Table(n kalam.TableNumber) (rows, bytes int64, oldest kalam.Seq) {
	t.mu.Lock()
	defer t.mu.Unlock()
	tt := t.tables[n]
	if tt == nil {
		return 0, 0, 0
	}
	return tt.rows, tt.bytes, tt.ages[0].Oldest
}

// Bytes returns the bytes of all buffered keys and payloads.
func (t *Backlog) Bytes() int64 { return t.bytes.Load() }

// Tables returns the bytes of every table with buffered versions, in no
// order. It reads one counter per table.
func (t *Backlog) Tables() map[kalam.TableNumber]int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make(map[kalam.TableNumber]int64, len(t.tables))
	for n, tt := range t.tables {
		out[n] = tt.bytes
	}
	return out
}

// Rows returns the buffered versions of a scope. It reads a counter.
func (t *Backlog) Rows(sc kalam.Scope) int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if tt := t.tables[sc.Table]; tt != nil && tt.users[sc.User] != nil {
		return tt.users[sc.User].Rows
	}
	return 0
}

// Grown returns a channel that holds a token when a table has reached the rows
// or bytes of Mark, or got its first after it had none, or when all together have reached
// the bytes of MarkBytes. It is for one reader.
func (t *Backlog) Grown() <-chan struct{} { return t.grown }

// TakeGrown returns the tables that have reached a mark since it was called
// last; of a new backlog, every table with buffered versions. A table is named once and
// then has no mark until Mark.
func (t *Backlog) TakeGrown() []kalam.TableNumber {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.reached) == 0 {
		return nil
	}
	out := make([]kalam.TableNumber, 0, len(t.reached))
	for n := range t.reached {
		out = append(out, n)
	}
	clear(t.reached)
	return out
}

// Mark asks for a token of Grown when a table has at least so many buffered versions or
// bytes, at once when it has them already; 0 asks for none. A table that was empty in
// between tells at its first version, whatever the marks were.
func (t *Backlog) Mark(n kalam.TableNumber, rows, bytes int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	tt := t.tables[n]
	if tt == nil {
		return
	}
	if rows <= 0 {
		rows = math.MaxInt64
	}
	if tt.mark, tt.heavy = rows, bytes; tt.reached() {
		t.reachLocked(n, tt)
	}
}

// MarkBytes asks for one token of Grown when all tables have at least so many
// buffered bytes, at once when they have them already; 0 asks for none.
func (t *Backlog) MarkBytes(bytes int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mark = max(bytes, 0)
	if bytes > 0 && t.bytes.Load() >= bytes {
		t.mark = 0
		t.tell()
	}
}
