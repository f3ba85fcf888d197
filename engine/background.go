package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/jobs"
	"github.com/kalamlake/kalam/lake"
)

// flushParallel is the number of users that one flush job writes side by side:
// while one waits for a sync, the other encodes.
const flushParallel = 2

// evictionSchedule is how often expired rows of STREAM tables are looked for.
const evictionSchedule = "@every 30s"

// openJobs makes the runner, its schedules and the scheduler of flushes.
func (e *Engine) openJobs() error {
	if err := e.openFlushes(); err != nil {
		return err
	}
	retention := time.Duration(e.config.Jobs.RetentionDays) * 24 * time.Hour
	retries := e.config.Jobs.MaxRetries
	if retries == 0 {
		retries = -1 // The runner's word for none.
	}
	e.runner = jobs.NewRunner(e.catalog, jobs.Options{
		Workers: e.config.Jobs.MaxConcurrent, MaxRetries: retries, Node: e.config.Server.Node, Logger: e.log, Now: e.now,
		Ended: e.flushes.Ended,
		Types: []jobs.Type{
			{Kind: kalam.JobFlush, Task: e.flushTask},
			{Kind: kalam.JobCompact, Task: e.compactTask},
			{Kind: kalam.JobCleanup, Task: func(kalam.Job) jobs.Task { return &jobs.CleanupTable{Remover: e} }},
			{Kind: kalam.JobStreamEviction, Task: func(kalam.Job) jobs.Task {
				return &jobs.EvictStreams{Evictor: e, Now: e.now}
			}},
			{Kind: kalam.JobOrphans, Task: func(kalam.Job) jobs.Task { return &jobs.RemoveOrphans{Remover: e} }},
			{Kind: kalam.JobScrub, Task: func(kalam.Job) jobs.Task { return &jobs.ScrubLake{Scrubber: e} }},
			{Kind: kalam.JobHistory, Task: func(kalam.Job) jobs.Task {
				return &jobs.DeleteHistory{History: e.catalog, Retention: retention, Now: e.now}
			}},
		},
	})
	if _, err := e.runner.Schedule(evictionSchedule, e.submitEviction); err != nil {
		return err
	}
	if _, err := e.runner.Schedule(orphanSchedule, e.submitOrphans); err != nil {
		return err
	}
	_, err := e.runner.Schedule(e.config.Jobs.CleanupSchedule, func(ctx context.Context) {
		e.submitQuietly(ctx, kalam.Job{Kind: kalam.JobHistory, Key: "job-cleanup"})
	})
	if err != nil {
		return fmt.Errorf("jobs.cleanup_schedule: %w", err)
	}
	return e.openScrub()
}

// submitQuietly submits a job of the server's own; a failure is logged, the next
// time of the schedule tries again.
func (e *Engine) submitQuietly(ctx context.Context, j kalam.Job) {
	if _, _, err := e.runner.Submit(ctx, j); err != nil && kalam.CodeOf(err) != kalam.CodeShuttingDown {
		e.log.Error("scheduled job not submitted", "kind", string(j.Kind), "error", err)
	}
}

// submitEviction submits an eviction when a STREAM table holds expired rows.
func (e *Engine) submitEviction(ctx context.Context) {
	for _, t := range e.StreamTables() {
		rows, _, oldest := e.store.TableStats(t.Number)
		if rows > 0 && oldest < kalam.SeqAt(e.now().Add(-t.Options.TTL)) {
			e.submitQuietly(ctx, kalam.Job{Kind: kalam.JobStreamEviction, Key: "stream-eviction"})
			return
		}
	}
}

// cleanupRetries lets the removal of a dropped table outwait the requests that
// still read it: the pauses between tries grow to 30 s.
const cleanupRetries = 1000

// submitCleanup submits the removal of a dropped table.
func (e *Engine) submitCleanup(ctx context.Context, t *kalam.Table) (kalam.Job, error) {
	job, _, err := e.runner.Submit(ctx, kalam.Job{
		Kind: kalam.JobCleanup, Namespace: t.ID.Namespace, Table: t.ID.Name, Number: t.Number,
		Key: fmt.Sprintf("cleanup-%d", t.Number), MaxRetries: cleanupRetries,
		Parameters: fmt.Sprintf(`{"table_id":%q,"table_type":%q}`, t.ID.String(), t.Kind),
	})
	return job, err
}

// recover repeats what a crash may have interrupted: the removal of dropped
// tables, the trimming of flushed log entries, manifest.json, and last the removal
// of old orphans. Nothing of it changes what a query sees. A table of which
// something cannot be read is logged and left as it is.
func (e *Engine) recover(ctx context.Context) error {
	for _, d := range e.catalog.Dropped() {
		if _, err := e.submitCleanup(ctx, d.Table); err != nil {
			return err
		}
	}
	for _, t := range e.catalog.Tables("") {
		if err := e.recoverTable(ctx, t); err != nil {
			if ctx.Err() != nil {
				return err
			}
			e.log.Error("what a crash left of a table is not repaired", "table", t.ID.String(), "error", err)
			continue
		}
		e.submitDue(ctx, t)
	}
	e.submitOrphans(ctx)
	return nil
}

// eachManifest calls f for every scope of t that has something in the lake. A
// scope whose manifest is damaged is logged and left out.
func (e *Engine) eachManifest(ctx context.Context, t *kalam.Table, f func(kalam.Scope, buffer.Manifest) error) error {
	if !t.Flushable() {
		return nil
	}
	for sc, err := range e.store.Scopes(ctx, t.Number) {
		if err != nil {
			return err
		}
		m, err := e.store.Manifest(ctx, sc)
		if err != nil {
			e.log.Error("manifest cannot be read; the scope is not available", "table", t.ID.String(), "error", err)
			continue
		}
		if m.Version == 0 {
			continue
		}
		if err := f(sc, m); err != nil {
			return err
		}
	}
	return nil
}

func (e *Engine) recoverTable(ctx context.Context, t *kalam.Table) error {
	return e.eachManifest(ctx, t, func(sc kalam.Scope, m buffer.Manifest) error {
		if _, err := e.store.Trim(ctx, sc); err != nil {
			e.log.Warn("log not trimmed; the next flush repeats it", "table", t.ID.String(), "error", err)
		}
		if err := e.syncManifest(ctx, t, sc, m); err != nil {
			e.log.Warn("manifest.json not written; the next flush repeats it", "table", t.ID.String(), "error", err)
		}
		e.noteDue(ctx, t, sc)
		return nil
	})
}

// syncManifest makes manifest.json equal to the record, which is m or, when flushes
// and compactions run beside, a later one. A commit is in the buffer before it is in
// manifest.json: one that is newer than the record tells of an older buffer.
func (e *Engine) syncManifest(ctx context.Context, t *kalam.Table, sc kalam.Scope, m buffer.Manifest) error {
	for {
		_, err := e.lake.SyncManifest(ctx, t, sc.User, lakeManifest(m))
		if !errors.Is(err, lake.ErrNewerManifest) {
			return err
		}
		now, readErr := e.store.Manifest(ctx, sc)
		if readErr != nil {
			return errors.Join(err, readErr)
		}
		if now.Version == m.Version {
			return errors.Join(err, e.pair.NoteRestored(ctx))
		}
		m = now
	}
}

func lakeManifest(m buffer.Manifest) lake.Manifest {
	return lake.Manifest{Version: int64(m.Version), CreatedAt: m.CreatedAt, UpdatedAt: m.UpdatedAt, Segments: m.Segments}
}

// Shutdown refuses new jobs, ends a scrub, waits for the other running ones and, unless
// flush.on_shutdown is off, flushes every table. What ctx cuts short stays
// safely in the buffer. Run must still be running.
func (e *Engine) Shutdown(ctx context.Context) error {
	e.stopOnce.Do(func() { close(e.stopping) })
	if timeout := e.config.Jobs.ShutdownTimeoutSeconds; timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(timeout)*time.Second)
		defer cancel()
	}
	var final func() []kalam.Job
	if e.config.Flush.OnShutdown {
		final = e.finalFlushes
	}
	err := e.runner.Drain(ctx, final)
	if errors.Is(err, context.DeadlineExceeded) {
		e.log.Warn("stopping before all tables were flushed; their rows stay in the buffer")
		return nil
	}
	return err
}

func (e *Engine) finalFlushes() []kalam.Job {
	var list []kalam.Job
	for _, t := range e.catalog.Tables("") {
		if t.Flushable() && e.hasBufferedRows(t) {
			list = append(list, flushJob(t, jobs.TriggerShutdown))
		}
	}
	return list
}
