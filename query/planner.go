package query

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query/guard"
	"github.com/kalamlake/kalam/sqltext"
)

// Options configure a Planner.
type Options struct {
	Executor Executor // What runs DuckDB. It becomes the Planner's, which closes it.
	MaxPlans int      // Queries whose analysis is kept; 0 is 1000.
	Logger   *slog.Logger
}

// Planner checks queries, composes what runs and has an Executor run it. It is safe for concurrent use.
type Planner struct {
	log      *slog.Logger
	prefix   string
	executor Executor
	plans    *planCache
	exprs    *lru.Cache[string, struct{}]
	schemas  *schemaCache
	composed lastComposed
	count    counters
	closed   atomic.Bool
}

// Sizes of what is not configured.
const (
	defaultMaxPlans = 1000
	maxExprs        = 1000
)

// Open returns a planner over an executor. The caller closes it, also the executor when
// Open fails.
func Open(o Options) (*Planner, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.MaxPlans <= 0 {
		o.MaxPlans = defaultMaxPlans
	}
	e := &Planner{log: o.Logger, executor: o.Executor, schemas: newSchemaCache()}
	random := make([]byte, 8)
	if _, err := rand.Read(random); err != nil {
		return nil, fmt.Errorf("make table prefix: %w", err)
	}
	e.prefix = "kalam_" + hex.EncodeToString(random) + "_"
	var err error
	if e.plans, err = newPlanCache(o.MaxPlans); err != nil {
		return nil, err
	}
	e.exprs, err = lru.New[string, struct{}](maxExprs)
	return e, err
}

// Close waits for the Rows that are open and ends DuckDB. Later calls of any method
// fail with CodeShuttingDown.
func (e *Planner) Close() error {
	if e.closed.Swap(true) {
		return nil
	}
	return e.executor.Close()
}

// Stats are the planner's counters and gauges.
type Stats struct {
	ExecutorStats
	PlanHits, PlanMisses int64
	Plans                int   // Queries in the plan cache.
	Statements           int64 // Queries started.
}

// Stats returns the counters and gauges.
func (e *Planner) Stats() Stats {
	return Stats{
		ExecutorStats: e.executor.Stats(), Plans: e.plans.normal.Len(), Statements: e.count.statements.Load(),
		PlanHits: e.plans.count.hits.Load(), PlanMisses: e.plans.count.misses.Load(),
	}
}

// Forget lets go of what is kept of a batch with this id, which is not given again. It
// may be called while queries read the batch, and from any goroutine.
func (e *Planner) Forget(id uint64) { e.executor.Forget(id) }

// ClearPlans empties the caches of analysed queries and of checked conditions and returns how many they held.
// Running queries are not disturbed.
func (e *Planner) ClearPlans() (plans, conditions int) {
	plans, conditions = e.plans.normal.Len(), e.exprs.Len()
	e.plans.normal.Purge()
	e.plans.exact.Purge()
	e.exprs.Purge()
	return plans, conditions
}

// parserOf returns the parser for texts of a user.
func (e *Planner) parserOf(user kalam.UserID) *guard.Parser {
	return &guard.Parser{Prefix: e.prefix, Grammar: e.executor, User: user}
}

// open fails when the planner is closed.
func (e *Planner) open(ctx context.Context) error {
	if e.closed.Load() {
		return ErrClosed()
	}
	if ctx.Err() != nil {
		return Canceled(ctx)
	}
	return nil
}

// worded translates an error for the user, with its place in the text of p.
func (e *Planner) worded(err error, p *Plan) error {
	err = translate(err, p.Query)
	var ke *kalam.Error
	if p.at != nil && errors.As(err, &ke) && ke.Position > 0 {
		return ke.At(p.at.of(ke.Position - 1))
	}
	if kalam.CodeOf(err) == kalam.CodeInternal {
		e.log.Error("query failed", "sql", sqltext.Redact(p.Text), "error", err)
	}
	return err
}
