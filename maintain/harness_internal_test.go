package maintain

import (
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer/memory"
	"github.com/kalamlake/kalam/catalog"
	"github.com/kalamlake/kalam/jobs"
	"github.com/kalamlake/kalam/jobs/jobstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newRecords returns a catalog in memory that holds the records of some jobs.
func newRecords(t *testing.T, list ...kalam.Job) *catalog.Catalog {
	t.Helper()
	c, err := catalog.Open(t.Context(), memory.New(), catalog.Options{BcryptCost: 4})
	if err != nil {
		t.Fatal(err)
	}
	for _, j := range list {
		if err := c.PutJob(t.Context(), j); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// run starts a runner; stop ends it and waits.
func run(t *testing.T, c *catalog.Catalog, o jobs.Options) (runner *jobs.Runner, stop func()) {
	t.Helper()
	runner = jobs.NewRunner(c, o)
	end := jobstest.Run(t, runner)
	return runner, sync.OnceFunc(func() {
		end()
		if err := c.Close(); err != nil {
			t.Errorf("close the catalog: %v", err)
		}
	})
}
