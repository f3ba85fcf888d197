package buffer

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer/rowlog"
)

// CounterID names a counter: that of a column in a scope.
type CounterID struct {
	Scope  kalam.Scope
	Column kalam.ColumnID
}

// Count says that a write holds a value of a counter: with its commit the counter
// stands there at least, and no later value is as low.
type Count struct {
	ID    CounterID
	Value int64
}

// ErrCounterSpent tells that a counter has no value left.
var ErrCounterSpent = errors.New("the counter has given its last value")

// counter is a counter in memory.
type counter struct {
	id   CounterID
	pins int // Guarded by counts.mu.

	mu     sync.Mutex // guards what follows
	loaded bool
	given  int64 // The highest value that nobody gets again.
	kept   int64 // The durable one: that of the committed writes.

	pending int64 // Of the group that is being committed, 0 for none; the committer's.
}

// load reads the durable value.
func (c *counter) load(ctx context.Context, r Reader) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.loaded {
		return nil
	}
	raw, err := r.Get(ctx, rowlog.KeyspaceCounts, rowlog.CounterKey(c.id.Scope, c.id.Column))
	if err != nil && !errors.Is(err, ErrKeyNotFound) {
		return fmt.Errorf("read counter: %w", err)
	}
	if err == nil {
		if c.kept, err = rowlog.DecodeCounter(c.id.Scope, c.id.Column, raw); err != nil {
			return err
		}
	}
	c.given, c.loaded = c.kept, true
	return nil
}

// counts are the counters in memory. One of which values were given that no
// committed write holds must stay, or they would be given again.
type counts struct {
	mu    sync.Mutex // guards what follows, and counter.pins
	open  map[CounterID]*counter
	limit int // Of open, at which those are dropped that need not stay.
}

// idleCounters is how many counters stay in memory at least.
const idleCounters = 1 << 16

func newCounts() *counts { return &counts{open: map[CounterID]*counter{}, limit: idleCounters} }

// pin returns a counter and keeps it in memory until unpin.
func (a *counts) pin(id CounterID) *counter {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.open[id]
	if c == nil {
		if len(a.open) >= a.limit {
			a.sweepLocked()
		}
		c = &counter{id: id}
		a.open[id] = c
	}
	c.pins++
	return c
}

func (a *counts) unpin(c *counter) {
	a.mu.Lock()
	defer a.mu.Unlock()
	c.pins--
}

// sweepLocked drops the counters that can be read again as they are.
func (a *counts) sweepLocked() {
	for id, c := range a.open {
		if c.pins == 0 && c.idle() {
			delete(a.open, id)
		}
	}
	a.limit = max(idleCounters, 2*len(a.open))
}

func (c *counter) idle() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.given == c.kept
}

// drop forgets the counters that match accepts.
func (a *counts) drop(match func(CounterID) bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for id, c := range a.open {
		if match(id) && c.pins == 0 {
			delete(a.open, id)
		}
	}
}

func countOp(id CounterID, value int64) Op {
	key := rowlog.CounterKey(id.Scope, id.Column)
	return Op{Keyspace: rowlog.KeyspaceCounts, Key: key, Value: rowlog.EncodeCounter(key, value)}
}
