package gate

import (
	"context"
	"math"
	"sync"

	"golang.org/x/sync/semaphore"

	"github.com/kalamlake/kalam"
)

// Gates lets commits of rows and changes of their table's definition follow one another: while a table is altered no
// commit to it is under way, and one that was prepared for an older version than the newest is refused. So every row
// is of the version that was the newest when it was committed.
type Gates struct {
	byTable sync.Map // *Gate by kalam.TableNumber.
}

// Gate is that of one table. Commits hold it together, who alters the table alone.
type Gate struct{ whole *semaphore.Weighted }

const wholeGate = math.MaxInt32

// Of returns the gate of a table.
func (g *Gates) Of(n kalam.TableNumber) *Gate {
	if found, ok := g.byTable.Load(n); ok {
		return found.(*Gate) // The map holds nothing else.
	}
	found, _ := g.byTable.LoadOrStore(n, &Gate{semaphore.NewWeighted(wholeGate)})
	return found.(*Gate)
}

// Forget lets go of the gate of a table that was dropped.
func (g *Gates) Forget(n kalam.TableNumber) { g.byTable.Delete(n) }

// Shut waits until no commit to a table is under way, and keeps others out until open is called.
func (g *Gates) Shut(ctx context.Context, n kalam.TableNumber) (open func(), err error) {
	at := g.Of(n)
	if err := at.whole.Acquire(ctx, wholeGate); err != nil {
		return nil, waitEnded(ctx, err)
	}
	return func() { at.whole.Release(wholeGate) }, nil
}

// Enter waits until nobody alters the table, and keeps who wants to out until Leave.
func (g *Gate) Enter(ctx context.Context) error {
	if err := g.whole.Acquire(ctx, 1); err != nil {
		return waitEnded(ctx, err)
	}
	return nil
}

// Leave ends what Enter began.
func (g *Gate) Leave() { g.whole.Release(1) }

func waitEnded(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}
