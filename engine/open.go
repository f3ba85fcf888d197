package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/audit"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/catalog"
	"github.com/kalamlake/kalam/config"
	"github.com/kalamlake/kalam/export"
	"github.com/kalamlake/kalam/export/iceberg"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/link/wire"
	"github.com/kalamlake/kalam/live"
	"github.com/kalamlake/kalam/live/jobfeed"
	"github.com/kalamlake/kalam/maintain"
	"github.com/kalamlake/kalam/maintain/pair"
	"github.com/kalamlake/kalam/metrics"
	"github.com/kalamlake/kalam/read"
	"github.com/kalamlake/kalam/segments"
	"github.com/kalamlake/kalam/session"
	"github.com/kalamlake/kalam/session/cache"
	"github.com/kalamlake/kalam/storages"
	"github.com/kalamlake/kalam/subscribe"
	"github.com/kalamlake/kalam/systables"
)

// Open opens the data directory, creating it at the first start. The directory
// belongs to this process until Close; a directory that another process holds
// is refused.
func Open(ctx context.Context, cfg config.Config, o Options) (_ *Engine, err error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	e := &Engine{config: cfg, log: o.Logger, now: o.Now, started: o.Now(), build: o.Build,
		observed: metrics.NewObserved()}
	e.inForce.Store(&e.config)
	defer func() {
		if err != nil {
			err = errors.Join(err, e.Close())
		}
	}()
	if err := e.openStorage(ctx, o); err != nil {
		return nil, err
	}
	if err := e.openMaintenance(o); err != nil {
		return nil, err
	}
	if err := e.openSessions(); err != nil {
		return nil, err
	}
	e.metrics, err = metrics.New(metrics.Options{
		Observed: e.observed, Stats: &e.stats, Records: e.pair.Backend, Disks: e.pair.Disks, BufferLimit: cfg.Buffer.MaxBytes,
		Audit:    e.audit.Stats,
		Degraded: func() bool { return len(e.maintain.Degraded()) > 0 }, MaxTables: cfg.Metrics.MaxTables, Logger: o.Logger,
	})
	return e, err
}

// openStorage opens the buffer, the catalog and the lake, and the hub and the query
// engine, which the buffer tells what it publishes and what it lets go of.
func (e *Engine) openStorage(ctx context.Context, o Options) (err error) {
	e.pair, err = pair.Open(ctx, e.config.Pair(), pair.Options{
		Logger: o.Logger, Now: o.Now, Backend: o.Backend,
		Wrap: pair.Wrap{Backend: o.Wrap.Backend, Storage: o.Wrap.Storage},
	})
	if err != nil {
		return err
	}
	e.audit, err = audit.Open(ctx, e.pair.Backend, audit.Options{Config: e.config.Audit, Now: o.Now, Logger: o.Logger})
	if err != nil {
		return fmt.Errorf("open audit log: %w", err)
	}
	e.catalog, err = catalog.Open(ctx, e.audit.Backend(), catalog.Options{
		Now: o.Now, Logger: o.Logger, BcryptCost: e.config.Auth.BcryptCost, RootPassword: o.RootPassword,
		MaxTablesPerUser: e.config.Limits.MaxTablesPerUser, MaxKeysPerUser: e.config.Auth.MaxKeysPerUser,
		Rules: access.Rules{},
	})
	if err != nil {
		return fmt.Errorf("open catalog: %w", err)
	}
	if err := e.catalog.SetAudit(ctx, audit.Format); err != nil {
		return err
	}
	e.lake, err = lake.New(lake.Options{Now: o.Now, DefaultStrategy: e.config.Sharding.DefaultStrategy},
		lake.Location{ID: kalam.LocalStorage, Storage: e.pair.Storage})
	if err != nil {
		return fmt.Errorf("open lake: %w", err)
	}
	s := o.Storages
	s.Config, s.Catalog, s.Lake, s.Mark, s.Logger = e.config.Storages(), e.catalog, e.lake, e.pair.Mark(), o.Logger
	if e.storages, err = storages.Open(ctx, s); err != nil {
		return fmt.Errorf("open storages: %w", err)
	}
	e.segments = segments.NewReader(e.lake, e.catalog, e.log)
	e.hub = subscribe.NewHub(subscribe.HubOptions{
		Logger: o.Logger, Now: o.Now, MaxQueue: e.config.Live.BufferEvents,
		MaxPerUser: e.config.Live.MaxSubscriptionsPerUser, Delivered: e.observed.Delivered,
	})
	c := &e.config
	if err := e.openQuery(o.Logger); err != nil {
		return fmt.Errorf("open query engine: %w", err)
	}
	e.store, err = buffer.Open(ctx, e.pair.Backend, buffer.Options{
		Segments: e.segments, Publish: e.hub.Publish, Interested: e.hub.Interested, Dropped: e.query.Forget,
		Worker: e.config.Server.NodeID, Now: o.Now, HotBytes: e.config.Buffer.HotBytes, Logger: o.Logger,
		MaxBytes: e.config.Buffer.MaxBytes, Observer: e.observed,
	})
	if err != nil {
		return fmt.Errorf("open row log: %w", err)
	}
	shown := e.shownCatalog()
	computed := e.systemTables(shown)
	systemJobs := kalam.TableID{Namespace: access.System, Name: "jobs"}
	e.feed = jobfeed.New(jobfeed.Options{
		Records: e.catalog, Table: computed.Table(systemJobs).Table, Row: shown.JobRow, Next: e.store.Clock().Next,
		Publish: e.hub.Publish,
	})
	e.reader = &read.Reader{
		Catalog: e.catalog, Computed: computed, Query: e.query, Store: e.store, Segments: e.segments, Refs: &e.refs,
		Activity: &e.activity,
		Access: access.New(e.catalog, access.Options{
			Computed: computed.Definitions(), FollowShared: e.config.Live.SharedTables == config.SharedAllow,
			FollowComputed: map[kalam.TableID]access.Power{systemJobs: access.SeeJobs},
		}),
	}
	e.live = &live.Queries{
		Reader: e.reader, Hub: e.hub, Now: e.now, Retention: c.Retention.DefaultDeletedRetentionHours,
		QueueLimit: c.Live.BufferEvents, Timeout: c.Query.Timeout(),
		Feeds: map[kalam.TableID]live.Feed{systemJobs: e.feed},
	}
	return e.pair.SetOpenedSeq(ctx, e.store.Clock().Last())
}

// shownCatalog is what shows the catalog in computed tables.
func (e *Engine) shownCatalog() *systables.Catalog {
	c := &e.config
	return &systables.Catalog{
		Catalog: e.catalog, Location: e.pair.Storage.Properties().Location, Started: e.started,
		Retention: c.Retention.DefaultDeletedRetentionHours, NodeID: c.Server.NodeID,
		JobType:     func(kind kalam.JobKind) string { return e.maintain.JobType(kind) },
		Credentials: e.storages.Credentials,
	}
}

// systemTables collects the computed tables of all who have one.
func (e *Engine) systemTables(shown *systables.Catalog) *systables.Registry {
	c := &e.config
	e.stats = systables.Stats{
		Catalog: e.catalog, Store: e.store, Query: e.query.Stats, Hub: e.hub, Counters: &e.counters, Build: e.build,
		Sessions: func() systables.SessionCache { return systables.SessionCache(e.sessions.CacheStats()) },
		Started:  e.started,
		Now:      e.now, Threads: c.Query.Threads, MaxConnections: c.RateLimit.MaxConnectionsPerIP, NodeID: c.Server.NodeID,
	}
	manifests := systables.Manifests{Catalog: e.catalog, Store: e.store,
		JSON: func(t *kalam.Table, sc kalam.Scope, r buffer.ScopeRecord) ([]byte, error) {
			return e.maintain.Manifest(t, sc, r)
		}}
	return systables.NewRegistry(
		shown.Tables(),
		manifests.Tables(),
		systables.Information(e.started),
		read.Tables(&e.activity, e.now),
		live.Tables(e.hub, c.Server.Node, c.Server.NodeID),
		systables.Settings(
			func() []systables.Setting { return e.inForce.Load().Settings() },
		),
		e.stats.Tables(),
		systables.Datatypes(),
		systables.Audit(e.audit),
	)
}

// openMaintenance makes what maintains the data.
func (e *Engine) openMaintenance(o Options) (err error) {
	var copier maintain.Copier = e.query
	if o.Wrap.Copier != nil {
		copier = o.Wrap.Copier(copier)
	}
	e.exports = export.New(export.Options{
		Config: e.config.Exports, Dir: e.config.ExportPath(), Reader: e.reader, Room: e.pair.WatchRoom, Why: pair.NoRoomOr,
		Submit: func(ctx context.Context, j kalam.Job) (kalam.Job, bool, error) { return e.maintain.Submit(ctx, j) },
		Logger: e.log, Now: e.now,
	})
	e.catalogs = iceberg.New(iceberg.Options{
		Catalog: e.catalog, Store: e.store, Lake: e.lake, Segments: e.segments, Refs: &e.refs, LakeID: e.pair.Mark().LakeID,
		Room: e.pair.WatchRoom, Why: pair.NoRoomOr, Now: e.now,
		Submit: func(ctx context.Context, j kalam.Job) (kalam.Job, bool, error) { return e.maintain.Submit(ctx, j) },
	})
	e.maintain, err = maintain.New(maintain.Options{
		Types: append(e.exports.JobTypes(), e.catalogs.JobType()), Writers: []kalam.JobKind{export.Kind, iceberg.Kind},
		Exports: e.exports.RemoveUser,
		Config:  e.config.Maintain(), Pair: e.pair, Catalog: e.catalog, Jobs: e.feed, Lake: e.lake, Store: e.store,
		Segments: e.segments, Refs: &e.refs, Copier: copier, Failing: e.storages.Failing, Forget: e.forgetUser, Logger: e.log,
		Now: e.now,
	})
	return err
}

// forgetUser drops what is kept in memory of a user who is removed, and ends live queries.
func (e *Engine) forgetUser(user kalam.UserID) {
	e.hub.CloseUser(user, kalam.Errorf(kalam.CodeUnauthenticated, "user was removed"))
	e.sessions.ForgetUser(user)
	e.audit.Note(audit.Event{Action: audit.ActionPurge, Outcome: audit.OK, Actor: string(catalog.SystemUser),
		Subject: string(user)})
}

// openSessions makes what executes statements.
func (e *Engine) openSessions() (err error) {
	c := &e.config
	e.sessions, err = session.New(session.Options{
		Reader: e.reader, Hub: e.hub, Lake: e.lake, Storages: e.storages, Maintenance: e.maintain, Logger: e.log, Now: e.now,
		Plans: c.QueryCache.MaxPlans, Nulls: e.nulls(),
		Cache: cache.Options{
			Sessions: c.SessionCache.MaxSessions, Registrations: c.SessionCache.MaxRegistrations,
			TTL: time.Duration(c.SessionCache.TTLSeconds) * time.Second,
		},
		Observe:   e.observed.Statement,
		Audit:     e.audit,
		Exports:   e.exports,
		Catalogs:  e.catalogs,
		ExportURL: fmt.Sprintf("http://%s:%d/%s%s", c.Server.Host, c.Server.Port, c.Server.APIVersion, wire.PathExports),
		LiveURL:   fmt.Sprintf("ws://%s:%d/%s/ws", c.Server.Host, c.Server.Port, c.Server.APIVersion),
		Limits:    limitsOf(c),
	})
	return err
}
