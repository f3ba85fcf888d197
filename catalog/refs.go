package catalog

import (
	"sync"

	"github.com/kalamlake/kalam"
)

// TableRefs counts who reads or writes a table at the moment, so that the removal of a
// dropped table waits for them: a snapshot keeps its files, and no row is written to a
// table whose rows are being removed. The zero value is ready; it is safe for concurrent
// use.
type TableRefs struct {
	mu     sync.Mutex // guards tables
	tables map[kalam.TableNumber]int
}

// Acquire takes a reference of a table. Each is given back with Release.
func (r *TableRefs) Acquire(n kalam.TableNumber) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.tables == nil {
		r.tables = map[kalam.TableNumber]int{}
	}
	r.tables[n]++
}

// Release gives a reference back.
func (r *TableRefs) Release(n kalam.TableNumber) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.tables[n]--; r.tables[n] == 0 {
		delete(r.tables, n)
	}
}

// Busy reports whether somebody has a reference of the table.
func (r *TableRefs) Busy(n kalam.TableNumber) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.tables[n] > 0
}
