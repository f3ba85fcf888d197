package query

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync/atomic"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/semaphore"
)

// Options configure an Engine. The zero value works, without files.
type Options struct {
	// MemoryLimit is what statements may use together, as DuckDB writes it ("2GB");
	// "" is half of the machine's memory, 4 GiB at most. Values that are large by
	// themselves, such as texts of many megabytes, are not counted by DuckDB.
	MemoryLimit string
	Threads     int      // Of DuckDB, per instance; 0 is one per processor.
	MaxPlans    int      // Queries whose analysis is kept; 0 is 1000.
	LakeDirs    []string // Directories of the files that sources name and CopyParquet writes.
	TempDir     string   // Private directory for what does not fit in memory; "" is none: such a query fails.
	// PostgreSQL lets / of integers give an integer, and NULLs come first in a descending
	// order, as there and in KalamDB; else they do as in DuckDB.
	PostgreSQL bool
	Logger     *slog.Logger
	NextID     func() (int64, error) // Makes the values of SNOWFLAKE_ID(); nil refuses them. Called from any thread.
}

// Engine runs queries in DuckDB. It is safe for concurrent use.
type Engine struct {
	threads int // Of DuckDB, for one query.
	log     *slog.Logger
	prefix  string
	parser  *parser
	helper  *instance // Converts batches and runs nothing, so nothing can break it.
	plans   *planCache
	exprs   *lru.Cache[string, struct{}]
	chunks  *chunkCache
	schemas *schemaCache
	pool    *pool
	copier  *copier
	gate    *semaphore.Weighted // Statements that compute at a time.
	count   counters
	closed  atomic.Bool
}

// counters are the numbers behind Stats.
type counters struct {
	hits, misses, statements, running, waiting atomic.Int64
}

// Sizes of what is not configured.
const (
	defaultMaxPlans = 1000
	maxExprs        = 1000
	copyRAMShare    = 4 // The COPY instance gets 1/4 of the machine's share at most.
)

// Open starts an engine: one DuckDB instance for user SQL, one for COPY, and some
// that only parse or convert. The caller closes it.
func Open(o Options) (_ *Engine, err error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.MaxPlans <= 0 {
		o.MaxPlans = defaultMaxPlans
	}
	if o.Threads <= 0 {
		o.Threads = defaultThreads()
	}
	if o.MemoryLimit == "" {
		o.MemoryLimit = defaultMemory()
	}
	e := &Engine{log: o.Logger, threads: o.Threads, chunks: newChunkCache(), schemas: newSchemaCache(), gate: semaphore.NewWeighted(int64(runtime.GOMAXPROCS(0)))}
	defer func() {
		if err != nil {
			err = errors.Join(err, e.Close())
		}
	}()
	random := make([]byte, 8)
	if _, err := rand.Read(random); err != nil {
		return nil, fmt.Errorf("make table prefix: %w", err)
	}
	e.prefix = "kalam_" + hex.EncodeToString(random) + "_"
	if e.plans, err = newPlanCache(o.MaxPlans); err != nil {
		return nil, err
	}
	if e.exprs, err = lru.New[string, struct{}](maxExprs); err != nil {
		return nil, err
	}
	if e.parser, err = openParser(e.prefix); err != nil {
		return nil, err
	}
	if e.helper, err = openInstance(lockdown(nil, "", parserRAM, 1)); err != nil {
		return nil, err
	}
	if e.pool, err = openPool(o, e.helper); err != nil {
		return nil, err
	}
	e.copier, err = openCopier(o)
	return e, err
}

// Close waits for the Rows that are open and closes the instances. Later calls of
// any method fail with CodeShuttingDown.
func (e *Engine) Close() error {
	if e.closed.Swap(true) {
		return nil
	}
	if e.pool != nil {
		e.pool.close()
	}
	if e.copier != nil {
		e.copier.close()
	}
	e.chunks.clear()
	e.schemas.clear()
	if e.helper != nil {
		e.helper.close()
	}
	if e.parser != nil {
		e.parser.close()
	}
	return nil
}

// Stats are the engine's counters and gauges.
type Stats struct {
	PlanHits, PlanMisses int64
	Plans                int   // Queries in the plan cache.
	Statements           int64 // Queries started.
	Running, Waiting     int64 // Queries that compute, and that wait for their turn.
	Sessions             int   // Open connections.
	Threads              int   // That a query may use.
	PreparedHits         int64 // Queries that found their statement prepared.
	ChunkHits, ChunkMiss int64 // Batches that were converted already, or not.
	ChunkBytes           int64 // Kept by the cache of converted batches.
}

// Stats returns the counters and gauges.
func (e *Engine) Stats() Stats {
	s := Stats{
		PlanHits: e.plans.count.hits.Load(), PlanMisses: e.plans.count.misses.Load(), Plans: e.plans.normal.Len(),
		Statements: e.count.statements.Load(), Running: e.count.running.Load(), Waiting: e.count.waiting.Load(),
		Sessions: e.pool.size(), Threads: e.threads, PreparedHits: e.pool.prepared.Load(),
	}
	e.chunks.mu.Lock()
	defer e.chunks.mu.Unlock()
	s.ChunkHits, s.ChunkMiss, s.ChunkBytes = e.chunks.hits, e.chunks.misses, e.chunks.bytes
	return s
}

// Forget lets go of what is kept of a batch with this id, which is not given again. It
// may be called while queries read the batch, and from any goroutine.
func (e *Engine) Forget(id uint64) { e.chunks.forget(id) }

// ClearPlans empties the plan cache and returns how many queries it held.
// Running queries are not disturbed.
func (e *Engine) ClearPlans() int {
	n := e.plans.normal.Len()
	e.plans.normal.Purge()
	e.plans.exact.Purge()
	e.exprs.Purge()
	return n
}

// enter waits for a turn to compute. leave ends it.
func (e *Engine) enter(ctx context.Context) error {
	if e.closed.Load() {
		return errClosed()
	}
	if !e.gate.TryAcquire(1) {
		e.count.waiting.Add(1)
		err := e.gate.Acquire(ctx, 1)
		e.count.waiting.Add(-1)
		if err != nil {
			return canceled(ctx)
		}
	}
	e.count.running.Add(1)
	return nil
}

func (e *Engine) leave() {
	e.count.running.Add(-1)
	e.gate.Release(1)
}
