package buffer

import (
	"container/list"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer/memtable"
)

// scope is one scope in memory.
type scope struct {
	id   kalam.Scope
	pins int           // Guarded by Store.mu.
	elem *list.Element // In Store.lru when not pinned; guarded by Store.mu.
	size int64         // As added to Store.hot; guarded by Store.mu.

	loading  sync.Mutex // Serialises loading; held while the log is read.
	loaded   atomic.Bool
	stale    atomic.Bool        // Its table was dropped, or its user is barred.
	barred   atomic.Bool        // It is stale because of its user.
	mem      *memtable.Memtable // Guarded by Store.visibility; replaced by flushes.
	lake     *lakeState         // Guarded by Store.visibility; replaced by flushes and compactions.
	flushing sync.Mutex         // One commit of a flush or compaction of a scope at a time; held until it is committed.

	past []pastState // For read points, the oldest first; guarded by Store.visibility.

	old []*lakeState // States before lake that are still pinned; guarded by Store.obsoleteMu.
}

// goneErr is the error of who uses a stale scope.
func (sc *scope) goneErr() error {
	if sc.barred.Load() {
		return userBarred(sc.id.User)
	}
	return kalam.Errorf(kalam.CodeTableNotFound, "table %d was dropped", sc.id.Table)
}

// memory estimates what an unpinned scope takes. No commit can be running for it.
func (sc *scope) memory() int64 {
	const fixed = 1024
	return fixed + sc.mem.Memory()
}

// pastState is a state that read points before an edition still see.
type pastState struct {
	state
	until edition
}

// state is what a scope shows.
type state struct {
	mem   *memtable.Memtable
	shown memtable.Published
	lake  *lakeState
}

// edition numbers the states of all scopes together: each group of commits makes the next one.
// The seq would not do, since some commits take none.
type edition uint64

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
