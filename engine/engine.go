package engine

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/audit"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/catalog"
	"github.com/kalamlake/kalam/config"
	"github.com/kalamlake/kalam/export"
	"github.com/kalamlake/kalam/export/iceberg"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/live"
	"github.com/kalamlake/kalam/live/jobfeed"
	"github.com/kalamlake/kalam/maintain"
	"github.com/kalamlake/kalam/maintain/pair"
	"github.com/kalamlake/kalam/metrics"
	"github.com/kalamlake/kalam/query"
	"github.com/kalamlake/kalam/query/activity"
	"github.com/kalamlake/kalam/read"
	"github.com/kalamlake/kalam/segments"
	"github.com/kalamlake/kalam/session"
	"github.com/kalamlake/kalam/session/suggest"
	"github.com/kalamlake/kalam/storages"
	"github.com/kalamlake/kalam/subscribe"
	"github.com/kalamlake/kalam/systables"
)

// Engine executes statements over one data directory. It is safe for concurrent
// use; Open, Run and Close are called once each, in this order.
type Engine struct {
	config   config.Config // As opened.
	inForce  atomic.Pointer[config.Config]
	log      *slog.Logger
	pair     *pair.Pair
	store    *buffer.Store
	catalog  *catalog.Catalog
	audit    *audit.Log
	lake     *lake.Lake
	storages *storages.Registry // Those beside "local".
	segments *segments.Reader
	query    *query.Planner
	hub      *subscribe.Hub
	maintain *maintain.Maintainer
	exports  *export.Exporter
	catalogs *iceberg.Exporter
	reader   *read.Reader
	live     *live.Queries
	feed     *jobfeed.Feed // Of system.jobs.
	sessions *session.Server
	observed *metrics.Observed
	stats    systables.Stats
	metrics  *metrics.Metrics
	probe    probe // Of the storage.
	refs     catalog.TableRefs
	activity activity.Registry // The queries under way.

	counters systables.Counters
	build    Build
	started  time.Time
	now      func() time.Time
}

// Build says what program this is.
type Build = systables.Build

// Options are what Open needs beside the configuration.
type Options struct {
	Logger       *slog.Logger     // nil discards.
	Now          func() time.Time // nil is time.Now.
	RootPassword string           // Of the user root at the first start; "" leaves it to setup.
	Build        Build            // For system.stats.
	Backend      buffer.Backend   // nil opens Badger in the configured directory.
	Wrap         Wrap
	// Storages are what tests set of the options of package storages.
	Storages storages.Options
}

// Wrap puts something around the parts that the engine writes through, for tests that look
// at the disk at a call, or fail it. What is nil wraps nothing.
type Wrap struct {
	Backend func(buffer.Backend) buffer.Backend
	Storage func(lake.Storage) lake.Storage
	Copier  func(maintain.Copier) maintain.Copier
}

// Run runs the background work: jobs, their schedules and what a crash left
// unfinished. It returns nil when ctx ends.
func (e *Engine) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return e.maintain.Run(ctx) })
	g.Go(func() error {
		e.audit.Run(ctx)
		return nil
	})
	return g.Wait()
}

// Shutdown refuses new jobs, waits for the running ones and, unless flush.on_shutdown is
// off, flushes every table, see maintain.Maintainer.Shutdown. Run must still be running.
func (e *Engine) Shutdown(ctx context.Context) error { return e.maintain.Shutdown(ctx) }

// Close ends live queries, then closes every part in the reverse order of Open.
// Run must have returned.
//
//nolint:contextcheck // A close is waited for.
func (e *Engine) Close() error {
	var errs []error
	if e.metrics != nil {
		e.metrics.Close()
	}
	e.probe.work.Wait()
	if e.hub != nil {
		errs = append(errs, e.hub.Close())
	}
	if e.query != nil {
		errs = append(errs, e.query.Close())
	}
	if e.catalog != nil {
		errs = append(errs, e.catalog.Close())
	}
	if e.audit != nil {
		errs = append(errs, e.audit.Close())
	}
	if e.store != nil {
		errs = append(errs, e.store.Close())
	}
	if e.lake != nil {
		if e.maintain != nil {
			e.maintain.Close() // Nobody reads any more.
		}
		errs = append(errs, e.lake.Close())
	}
	if e.storages != nil {
		errs = append(errs, e.storages.Close())
	}
	if e.pair != nil {
		errs = append(errs, e.pair.Close())
	}
	return errors.Join(errs...)
}

// Catalog returns the catalog, for logins and permissions.
func (e *Engine) Catalog() *catalog.Catalog { return e.catalog }

// Audit returns the audit log.
func (e *Engine) Audit() *audit.Log { return e.audit }

// Execute runs the statements of r in order as p and reports each result to out, see session.Server.Execute.
func (e *Engine) Execute(ctx context.Context, p kalam.Principal, r session.Request, out session.Results) error {
	e.counters.Requests.Add(1)
	return e.sessions.Execute(ctx, p, r, out)
}

// Open begins a session of p, see session.Server.Open.
func (e *Engine) Open(p kalam.Principal, ns kalam.NamespaceID) *session.Session {
	return e.sessions.Open(p, ns)
}

// Live returns what starts live queries.
func (e *Engine) Live() *live.Queries { return e.live }

// Suggest returns err, that of a live query with the given text, with what its author may be told to do about it.
func (e *Engine) Suggest(p kalam.Principal, err error, text string) error {
	return suggest.Author{Principal: p, Namespace: kalam.DefaultNamespace, Access: e.reader.Access}.To(err, text)
}

// Exports returns what knows the exports of users' data.
func (e *Engine) Exports() *export.Exporter { return e.exports }

// Config returns the configuration that the engine was opened with.
func (e *Engine) Config() config.Config { return e.config }

// Counters returns the gauges.
func (e *Engine) Counters() *systables.Counters { return &e.counters }

// Observed returns what measures events as they happen.
func (e *Engine) Observed() *metrics.Observed { return e.observed }

// Metrics returns the figures of the server for Prometheus.
func (e *Engine) Metrics() *metrics.Metrics { return e.metrics }

// Started returns when the engine was opened.
func (e *Engine) Started() time.Time { return e.started }
