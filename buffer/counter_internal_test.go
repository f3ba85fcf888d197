package buffer

import (
	"testing"

	"github.com/kalamlake/kalam"
)

// TestIdleCounters: counters in memory are dropped when there are many, but for those
// that have given values that no committed write holds.
func TestIdleCounters(t *testing.T) {
	a := newCounts()
	id := func(i int) CounterID { return CounterID{Scope: kalam.Scope{Table: kalam.TableNumber(i)}, Column: 1} }
	a.limit = 100
	for i := range 100 {
		c := a.pin(id(i))
		c.loaded = true
		if i%10 == 0 {
			c.given = 5
		}
		if i != 1 {
			a.unpin(c)
		}
	}
	a.unpin(a.pin(id(1000)))
	if len(a.open) != 12 || a.open[id(10)] == nil || a.open[id(1)] == nil || a.limit < idleCounters {
		t.Errorf("%d counters are left, limit %d", len(a.open), a.limit)
	}
	a.drop(func(k CounterID) bool { return k == id(10) })
	if a.open[id(10)] != nil {
		t.Error("the counter of a dropped table is left")
	}
}
