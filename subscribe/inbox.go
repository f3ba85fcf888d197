package subscribe

import (
	"sync"

	"github.com/kalamlake/kalam"
)

// inbox holds published changes until the dispatcher has matched them.
type inbox struct {
	mu      sync.Mutex // guards the fields below
	closed  bool
	running bool // The dispatcher runs.
	changes []kalam.Change
	spare   []kalam.Change // Empty, for reuse.
	bytes   int64          // Of changes and of those that the dispatcher has taken.
	// lost are the scopes whose changes did not fit; their subscriptions end.
	lost map[kalam.Scope]struct{}
}

// put adds copies of the changes of one scope, or marks the scope as lost when
// limit bytes wait already. It reports whether a dispatcher is to be started.
func (b *inbox) put(changes []kalam.Change, limit int64, work *sync.WaitGroup) (start bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return false
	}
	if b.bytes >= limit {
		if b.lost == nil {
			b.lost = map[kalam.Scope]struct{}{}
		}
		b.lost[changes[0].Scope] = struct{}{}
	} else {
		b.changes = append(b.changes, changes...)
		b.bytes += bytesOf(changes)
	}
	if b.running {
		return false
	}
	b.running = true
	work.Add(1) // Under mu, so that Close does not miss it.
	return true
}

// take returns everything that waits. done are the changes it returned before:
// their memory is reused. ok is false when there is nothing, and the dispatcher
// ends.
func (b *inbox) take(done []kalam.Change) (changes []kalam.Change, lost map[kalam.Scope]struct{}, ok bool) {
	bytes := bytesOf(done)
	clear(done)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bytes -= bytes
	if cap(done) <= keepCapacity {
		b.spare = done[:0]
	}
	if b.closed || len(b.changes) == 0 && len(b.lost) == 0 {
		b.running = false
		return nil, nil, false
	}
	changes, lost = b.changes, b.lost
	b.changes, b.spare, b.lost = b.spare, nil, nil
	return changes, lost, true
}

// close drops what waits and refuses more.
func (b *inbox) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed, b.changes, b.lost = true, nil, nil
}

// changeSize is what a waiting change takes beside its payloads.
const changeSize = 128

// bytesOf returns what changes take.
func bytesOf(changes []kalam.Change) (n int64) {
	for i := range changes {
		n += changeSize + int64(len(changes[i].New.Payload)+len(changes[i].Old.Payload))
	}
	return n
}

// runLength returns how many changes at the start are of one scope.
func runLength(changes []kalam.Change) int {
	n := 1
	for n < len(changes) && changes[n].Scope == changes[0].Scope {
		n++
	}
	return n
}

// keepCapacity is the length up to which empty queues keep their memory.
const keepCapacity = 1024
