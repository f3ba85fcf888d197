package pool_test

import (
	"context"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/kalamlake/kalam/query"
	"github.com/kalamlake/kalam/query/pool"
)

// noted is an executor that notes what it is to run.
type noted struct {
	query.Executor
	last *query.Statement
}

func (n *noted) Run(ctx context.Context, st *query.Statement) (query.Result, error) {
	n.last = st
	return n.Executor.Run(ctx, st)
}

// TestThreads: statements of few rows have one thread, those of many have all.
func TestThreads(t *testing.T) {
	e := newEngine(t, func(o *pool.Options) { o.Threads = 3 })
	n := &noted{Executor: e.pool}
	planner, err := query.Open(query.Options{Executor: n})
	if err != nil {
		t.Fatal(err)
	}
	over := &engine{Planner: planner, pool: e.pool}
	for _, c := range []struct {
		rows    int
		file    bool
		threads int64
	}{
		{rows: 1000, threads: 1}, {rows: 122_880, threads: 1}, {rows: 122_881, threads: 3},
		{rows: 1, file: true, threads: 3}, {rows: 1, threads: 1},
	} {
		src := numbers(t, c.rows)
		if c.file { // Nobody has said how many rows it has.
			src = e.lakeFiles(t, 1)
		}
		if _, _, err := over.ask(t.Context(), "alice", "SELECT max(id) FROM t", src); err != nil {
			t.Fatal(err)
		}
		if got := e.threads(t, n.last.Parallel); got != c.threads {
			t.Errorf("%d rows, in files %t: %d threads, want %d", c.rows, c.file, got, c.threads)
		}
	}
}

// TestSpills sorts more than the memory of a statement holds: that is spilled to disk, and not
// taken for a statement that takes too much.
func TestSpills(t *testing.T) {
	e := newEngine(t, func(o *pool.Options) { o.MemoryLimit, o.Threads = "256MB", 2 })
	for _, sql := range []string{
		"SELECT max(s) FROM (SELECT 'long text number ' || x AS s FROM range(2500000) r(x) ORDER BY 1)",
		"SELECT x FROM range(5000000) r(x) ORDER BY hash(x) LIMIT 1 OFFSET 2500000",
	} {
		for _, parallel := range []bool{false, true} {
			r, err := e.pool.Run(t.Context(), &query.Statement{User: "alice", SQL: sql, Parallel: parallel})
			if err != nil {
				t.Errorf("%s, all threads %t: %v", sql, parallel, err)
				continue
			}
			rec, err := r.Next(t.Context())
			if err != nil {
				t.Errorf("%s, all threads %t: %v", sql, parallel, err)
			} else {
				rec.Release()
			}
			r.Close()
		}
	}
}

// threads returns how many threads DuckDB has where a statement runs.
func (e *engine) threads(t *testing.T, parallel bool) int64 {
	t.Helper()
	r, err := e.pool.Run(t.Context(), &query.Statement{
		User: "alice", SQL: "SELECT current_setting('threads')::BIGINT AS n", Parallel: parallel,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	rec, err := r.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer rec.Release()
	return rec.Column(0).(*array.Int64).Value(0)
}
