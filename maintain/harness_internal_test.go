package maintain

import (
	"context"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer/memory"
	"github.com/kalamlake/kalam/catalog"
	"github.com/kalamlake/kalam/jobs"
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

// only returns a type of jobs of kind flush, with a task.
func only(task jobs.Task) []jobs.Type {
	return []jobs.Type{{Kind: KindFlush, Name: "flush", Task: func(kalam.Job) jobs.Task { return task }}}
}

// run starts a runner; stop ends it and waits.
func run(t *testing.T, c *catalog.Catalog, o jobs.Options) (runner *jobs.Runner, stop func()) {
	t.Helper()
	runner = jobs.NewRunner(c, o)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- runner.Run(ctx) }()
	var once sync.Once
	return runner, func() {
		once.Do(func() {
			cancel()
			if err := <-ended; err != nil {
				t.Errorf("Run: %v", err)
			}
			if err := c.Close(); err != nil {
				t.Errorf("close the catalog: %v", err)
			}
		})
	}
}

func submit(t *testing.T, r *jobs.Runner, j kalam.Job) kalam.Job {
	t.Helper()
	if j.Kind == "" {
		j.Kind = KindFlush
	}
	got, existing, err := r.Submit(t.Context(), j)
	if err != nil || existing {
		t.Fatalf("submit: existing %v, %v", existing, err)
	}
	return got
}

func wait(t *testing.T, r *jobs.Runner, id kalam.JobID) kalam.Job {
	t.Helper()
	j, err := r.Wait(t.Context(), id)
	if err != nil {
		t.Fatalf("wait: %v", err)
	}
	return j
}
