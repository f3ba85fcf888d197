package engine_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/config"
)

var memoryStatements = flag.Int("memory-statements", 12_000,
	"statements of TestMemoryIsFlat; its memory after 50,000, or half of fewer, is what that at the end is held to")

// TestMemoryIsFlat runs statements of every kind, D5: system tables, updates of flushed
// rows, point reads, queries that group, each with texts and parameters that come back
// and that do not. The live heap at the end is that of the warm server, within a tenth.
func TestMemoryIsFlat(t *testing.T) {
	s := newServer(t, func(c *config.Config) { c.Flush.DefaultRowLimit = 2000 })
	s.must(root, "CREATE NAMESPACE app; CREATE USER TABLE app.t (id INT PRIMARY KEY, kind TEXT, n INT); CREATE SHARED TABLE app.s (id INT PRIMARY KEY, n INT)")
	for u := range memoryUsers {
		s.must(memoryUser(u), "INSERT INTO app.t SELECT i, 'k' || (i % 7), i FROM range(100) r(i)")
	}
	s.must(root, "INSERT INTO app.s SELECT i, i FROM range(100) r(i)")
	s.flush()

	warm := min(*memoryStatements/2, 50_000)
	s.mixed(1, warm)
	before := s.liveHeap()
	s.mixed(2, *memoryStatements-warm)
	after := s.liveHeap()
	t.Logf("live heap %.1f MB after %d statements, %.1f MB after %d", mb(before), warm, mb(after), *memoryStatements)
	if after > before+before/10 {
		t.Errorf("the live heap grew by %.1f %%", 100*(float64(after)/float64(before)-1))
	}
}

const memoryUsers = 40

func memoryUser(n int) kalam.Principal { return userOf(fmt.Sprintf("user%d", n)) }

func mb(n uint64) float64 { return float64(n) / (1 << 20) }

// mixed runs n statements on four connections.
func (s *server) mixed(seed uint64, n int) {
	var wg sync.WaitGroup
	for c := range 4 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(seed, uint64(c)))
			for i := range n / 4 {
				if err := s.mixedStatement(rng, i); err != nil {
					s.t.Errorf("statement %d of connection %d: %v", i, c, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func (s *server) mixedStatement(rng *rand.Rand, i int) (err error) {
	u, id := memoryUser(rng.IntN(memoryUsers)), kalam.Integer(kalam.KindBigInt, rng.Int64N(100))
	switch rng.IntN(10) {
	case 0:
		_, err = s.try(root, fmt.Sprintf("SELECT status FROM system.jobs WHERE job_id = 'FL-%d'", i)) // A text of its own.
	case 1:
		_, err = s.try(root, "SELECT table_name FROM system.tables WHERE table_name = $1", kalam.Text("t"))
	case 2, 3:
		_, err = s.try(u, "UPDATE app.t SET n = n + 1 WHERE id = $1", id)
	case 4:
		_, err = s.try(root, "UPDATE app.s SET n = $1 WHERE id = $1", id)
	case 5:
		_, err = s.try(u, fmt.Sprintf("SELECT kind, sum(n) FROM app.t WHERE id <> %d GROUP BY kind", i)) // And this.
	case 6:
		_, err = s.try(u, "SELECT kind, count(*) FROM app.t WHERE id > $1 GROUP BY kind ORDER BY 2 DESC", id)
	default:
		_, err = s.try(u, "SELECT * FROM app.t WHERE id = $1", id)
	}
	if kalam.CodeOf(err) == kalam.CodeConflict { // Two connections updated one row.
		err = nil
	}
	return err
}

// liveHeap returns the bytes that are reachable once everything is flushed.
func (s *server) liveHeap() uint64 {
	s.flush()
	s.compact()
	var m runtime.MemStats
	for range 3 { // What finalizers free goes with the next.
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
