package maintain

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/jobs"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/maintain/pair"
	"github.com/kalamlake/kalam/maintain/purge"
)

// Maintainer runs the jobs of a server. It is safe for concurrent use; New, Run and Close
// are called once each, in this order.
type Maintainer struct {
	*deps
	flushes     *flushes
	compactions *compactions
	cleaner     *cleaner
	dropped     *droppedTables
	streams     *streams
	scrubs      *scrubs
	purger      *purge.Purger
	others      []jobs.Type
	failing     func() []string
	stopOnce    sync.Once
}

// New returns a Maintainer that does nothing before Run.
func New(o Options) (*Maintainer, error) {
	o.Logger, o.Now = pair.Defaults(o.Logger, o.Now)
	d := &deps{
		config: o.Config, pair: o.Pair, catalog: o.Catalog, records: o.Jobs, lake: o.Lake, store: o.Store, segments: o.Segments,
		refs: o.Refs, copier: o.Copier, log: o.Logger, now: o.Now,
		obsolete: obsoleteFiles{wake: make(chan struct{}, 1)},
	}
	if d.records == nil {
		d.records = o.Catalog
	}
	m := &Maintainer{
		deps:        d,
		compactions: &compactions{deps: d},
		cleaner:     &cleaner{deps: d},
		dropped:     &droppedTables{d},
		streams:     &streams{deps: d, grown: make(chan struct{}, 1)},
		scrubs:      newScrubs(d),
		others:      o.Types,
		failing:     o.Failing,
	}
	m.purger = newPurger(d, &o)
	flushes, err := newFlushes(d, m.compactions, m.streams)
	if err != nil {
		return nil, err
	}
	m.flushes = flushes
	retries := o.Config.Jobs.MaxRetries
	if retries == 0 {
		retries = -1 // The runner's word for none.
	}
	d.runner = jobs.NewRunner(d.records, jobs.Options{
		Workers: o.Config.Jobs.MaxConcurrent, MaxRetries: retries, Node: o.Config.Node, Logger: o.Logger, Now: o.Now,
		Ended: m.flushes.ended, Types: m.jobTypes(),
	})
	return m, d.runner.ScheduleTypes()
}

// jobTypes lists every kind of job, in the order in which a start recovers them.
func (m *Maintainer) jobTypes() []jobs.Type {
	return append([]jobs.Type{
		m.dropped.jobType(),
		m.flushes.jobType(),
		m.compactions.jobType(m.flushes, m.cleaner),
		(&moves{m.deps, m.compactions}).jobType(),
		m.streams.jobType(),
		m.cleaner.jobType(),
		m.scrubs.jobType(),
		(&backups{m.deps}).jobType(),
		(&verifies{m.deps}).jobType(),
		historyJobType(m.deps),
		m.purger.JobType(m.submitPurge),
	}, m.others...)
}

// Run runs the jobs, their schedules and what a crash left unfinished. It returns nil when
// ctx ends.
func (m *Maintainer) Run(ctx context.Context) error {
	if err := m.purger.Bar(ctx); err != nil { // Before anything looks for files that may be gone.
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		if err := m.runner.Recover(ctx); err != nil && ctx.Err() == nil {
			return err
		}
		return nil
	})
	g.Go(func() error { return m.runner.Run(ctx) })
	g.Go(func() error { return m.flushes.scheduler.Run(ctx) })
	g.Go(func() error {
		m.sweep(ctx)
		return nil
	})
	g.Go(func() error {
		m.syncRemoteManifests(ctx)
		return nil
	})
	g.Go(func() error {
		m.streams.watchSize(ctx)
		return nil
	})
	g.Go(func() error {
		m.scrubs.watchDamage(ctx)
		return nil
	})
	return g.Wait()
}

// Shutdown refuses new jobs, ends a scrub, waits for the other running ones and, unless
// flush.on_shutdown is off, flushes every table. What ctx cuts short stays
// safely in the buffer. Run must still be running.
func (m *Maintainer) Shutdown(ctx context.Context) error {
	m.stopOnce.Do(func() { close(m.scrubs.stopping) })
	if timeout := m.config.Jobs.ShutdownTimeoutSeconds; timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(timeout)*time.Second)
		defer cancel()
	}
	var final func() []kalam.Job
	if m.config.Flush.OnShutdown {
		final = m.flushes.finalJobs
	}
	err := m.runner.Drain(ctx, final)
	if errors.Is(err, context.DeadlineExceeded) {
		m.log.Warn("stopping before all tables were flushed; their rows stay in the buffer")
		return nil
	}
	return err
}

// Close removes the files of replaced segments that are left. Run must have returned, the
// buffer must be closed, and the lake still open.
func (m *Maintainer) Close() { m.removeObsolete(context.Background()) }

// Flush submits the flush of a table; existing says that one was active already.
func (m *Maintainer) Flush(ctx context.Context, t *kalam.Table) (job kalam.Job, existing bool, err error) {
	return m.runner.Submit(ctx, flushJob(t, jobs.TriggerManual))
}

// Compact submits the compaction of all segments of a table; existing says that one was
// active already. With retain, deleted rows are kept for that many hours and what is left of
// older ones is removed.
func (m *Maintainer) Compact(
	ctx context.Context, t *kalam.Table, retain *int,
) (job kalam.Job, existing bool, err error) {
	return m.runner.Submit(ctx, compactJob(t, true, retain))
}

// Remove submits the removal of what a dropped table leaves.
func (m *Maintainer) Remove(ctx context.Context, t *kalam.Table) (kalam.Job, error) {
	return m.dropped.submitRemoval(ctx, t)
}

// Cancel ends a job, as jobs.Runner.Cancel does.
func (m *Maintainer) Cancel(ctx context.Context, id kalam.JobID) error {
	return m.runner.Cancel(ctx, id)
}

// JobType returns the name of a kind of job.
func (m *Maintainer) JobType(kind kalam.JobKind) string { return m.runner.TypeName(kind) }

// Scrub compares the files of the lake with the record now, as the job does, and calls
// progress from time to time. An error means that not all files were looked at.
func (m *Maintainer) Scrub(ctx context.Context, progress func(ScrubResult)) (ScrubResult, error) {
	return m.scrubs.Scrub(ctx, progress)
}

// RemoveOrphans removes the files that belong to nothing now, as the job does.
func (m *Maintainer) RemoveOrphans(ctx context.Context) (OrphanResult, error) {
	return m.cleaner.RemoveOrphans(ctx)
}

// EvictExpired removes the expired rows of all STREAM tables now, as the job does.
func (m *Maintainer) EvictExpired(ctx context.Context) error {
	var failed []error
	for _, t := range m.streams.StreamTables() {
		_, err := m.streams.EvictBefore(ctx, t, m.now().Add(-t.Options.TTL))
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

// Changed tells what works by itself that the options of a table are others.
func (m *Maintainer) Changed(t *kalam.Table) { m.flushes.scheduler.Changed(t.Number) }

// Policy says what flushes t by itself, for people.
func (m *Maintainer) Policy(t *kalam.Table) string { return m.flushes.describe(t) }

// NextFlush returns when t falls due if nothing more is written to it, and by which
// trigger; a zero time is never. In the past: its flush runs, waits for its turn, or is tried
// again after a failure.
func (m *Maintainer) NextFlush(t *kalam.Table) jobs.FlushDue { return m.flushes.next(t) }

// LastFlush returns what started the last flush of t that is on record and moved rows; ""
// when there is none. An error is that of the records, which are read once.
func (m *Maintainer) LastFlush(ctx context.Context, t *kalam.Table) (jobs.Trigger, error) {
	return m.flushes.last.of(ctx, m.catalog, t.Number)
}

// Prepare makes the folder of a SHARED table, before the table becomes visible.
func (m *Maintainer) Prepare(ctx context.Context, t *kalam.Table) error {
	return m.lake.PrepareTable(ctx, t)
}

// Manifest returns what manifest.json says of a scope whose manifest of record is given.
func (m *Maintainer) Manifest(t *kalam.Table, sc kalam.Scope, r buffer.ScopeRecord) ([]byte, error) {
	return m.lake.ManifestContent(lake.ScopeManifest{
		Table: t, User: sc.User, Storage: m.storageOf(t, sc.User), Manifest: lakeManifest(r),
	})
}

// Damage says which segments of a storage are known to be damaged, "" when none is.
func (m *Maintainer) Damage(storage kalam.StorageID) string { return m.segments.Damage().In(storage) }

// Degraded says what does not work as it should: flushes that fail, damaged segments, storages
// that do not answer, disks that are nearly full.
func (m *Maintainer) Degraded() (reasons []string) {
	for _, n := range m.flushes.failing.list() {
		if t, ok := m.catalog.TableByNumber(n); ok { // A table that was dropped fails no longer.
			reasons = append(reasons, fmt.Sprintf("flush of table %s fails", t.ID))
		}
	}
	if reason := m.segments.Damage().Reason(); reason != "" {
		reasons = append(reasons, reason)
	}
	if m.failing != nil {
		reasons = append(reasons, m.failing()...)
	}
	return append(reasons, m.pair.ShortOfRoom()...)
}

// StorageInUse reports which tables have files in a storage, or get one at the moment, as an
// error: it cannot be dropped. Nothing new may be begun there meanwhile.
func (m *Maintainer) StorageInUse(ctx context.Context, id kalam.StorageID) error {
	if m.staged.in(id) || m.obsolete.in(id) {
		return kalam.Errorf(kalam.CodeConflict, "Files of storage '%s' are being written or removed; try again later", id)
	}
	tables := map[string]struct{}{}
	for r, err := range buffer.ScopeRecords(ctx, m.pair.Backend) {
		if err != nil {
			return fmt.Errorf("which files are in storage '%s' cannot be known: %w", id, err)
		}
		for i := range r.Record.Segments {
			if r.Record.Segments[i].Storage == id {
				tables[m.segments.TableName(r.Scope.Table)] = struct{}{}
				break
			}
		}
	}
	if len(tables) == 0 {
		return nil
	}
	const most = 10
	names := slices.Sorted(maps.Keys(tables))
	if len(names) > most {
		names = append(names[:most:most], "...")
	}
	return kalam.Errorf(kalam.CodeInvalidOperation,
		"Cannot drop storage '%s': files of %d table(s) are still in it: %s; STORAGE COMPACT TABLE brings them to where "+
			"new files go", id, len(tables), strings.Join(names, ", "))
}
