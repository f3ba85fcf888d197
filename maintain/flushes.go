package maintain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/jobs"
)

// flushPriority lets what somebody waits for, and what makes room, start before what
// only fell due.
var flushPriority = map[jobs.Trigger]int{jobs.TriggerBuffer: 20, jobs.TriggerManual: 10, jobs.TriggerRows: 10,
	jobs.TriggerBytes: 10}

// flushParallel is the number of batches of users that one flush job writes side by side:
// while one waits for a sync, the other encodes.
const flushParallel = 2

// flushes moves buffered rows to the lake: when somebody asks, and when they fall due.
type flushes struct {
	*deps
	compactions *compactions // Flushes make segments, which are to be merged.
	rules       jobs.FlushRules
	scheduler   *jobs.FlushScheduler
	last        lastFlushes
	failing     failing       // Why the server is degraded.
	preparing   chan struct{} // Holds one element while the files of several users are written.
}

func newFlushes(d *deps, c *compactions, s *streams) (*flushes, error) {
	f := &flushes{deps: d, compactions: c, preparing: make(chan struct{}, 1)}
	var err error
	if f.rules, err = d.config.flushRules(); err != nil {
		return nil, err
	}
	f.scheduler = jobs.NewFlushScheduler(jobs.FlushOptions{
		Rules: f.rules, Counters: d.store, Marks: d.store, MaxBytes: d.config.MaxBytes,
		Policy: func(n kalam.TableNumber) (jobs.FlushPolicy, bool) {
			t, ok := d.catalog.TableByNumber(n)
			if !ok {
				return jobs.FlushPolicy{}, false
			}
			return f.policy(t)
		},
		Submit: f.submitScheduled, Evict: s.submitEviction, Now: d.now, Logger: d.log,
	})
	return f, nil
}

// jobType is the flush of a table. Whoever asks, there is one at a time.
func (f *flushes) jobType() jobs.Type {
	return jobs.Type{
		Kind: KindFlush, Name: "flush", Task: f.task, Recover: f.recover,
		Key: func(j kalam.Job) string { return fmt.Sprintf("flush-%d", j.Number) },
	}
}

// task flushes a table and then has scopes compacted that need it.
func (f *flushes) task(kalam.Job) jobs.Task {
	flush := &flushTable{flusher: f, Parallel: flushParallel, Logger: f.log, Now: f.now}
	return jobs.TaskFunc(func(ctx context.Context, h *jobs.Handle) error {
		err := flush.Run(ctx, h)
		if t, ok := f.catalog.TableByNumber(h.Job().Number); ok {
			f.compactions.submitDue(ctx, t)
		}
		return err
	})
}

// ended tells the scheduler of the end of a flush.
func (f *flushes) ended(j kalam.Job) {
	switch j.Kind {
	case KindCleanup:
		f.last.forget(j.Number)
	case KindFlush:
		f.last.note(&j)
		f.scheduler.Ended(j)
	}
}

// hasRows reports whether a flush of t would have something to do.
func (f *flushes) hasRows(t *kalam.Table) bool {
	rows, _, _ := f.store.TableStats(t.Number)
	return rows > 0
}

// finalJobs are the flushes of a server that stops.
func (f *flushes) finalJobs() []kalam.Job {
	var list []kalam.Job
	for _, t := range f.catalog.Tables("") {
		if t.Flushable() && f.hasRows(t) {
			list = append(list, flushJob(t, jobs.TriggerShutdown))
		}
	}
	return list
}

// recover repeats the trimming of flushed log entries and the writing of manifest.json. A
// table of which something cannot be read is logged and left as it is.
func (f *flushes) recover(ctx context.Context) error {
	for _, t := range f.catalog.Tables("") {
		if err := f.recoverTable(ctx, t); err != nil {
			if ctx.Err() != nil {
				return err
			}
			f.log.Error("what a crash left of a table is not repaired", "table", t.ID.String(), "error", err)
		}
	}
	return nil
}

func (f *flushes) recoverTable(ctx context.Context, t *kalam.Table) error {
	return f.eachManifest(ctx, t, func(sc kalam.Scope, m buffer.ScopeRecord) error {
		if _, err := f.store.Trim(ctx, sc); err != nil {
			f.log.Warn("log not trimmed; the next flush repeats it", "table", t.ID.String(), "error", err)
		}
		if !f.isLocal(f.storageOf(t, sc.User)) { // See syncRemoteManifests.
			f.compactions.noteDue(ctx, t, sc)
			return nil
		}
		if err := f.SyncManifest(ctx, t, sc, m); err != nil {
			f.log.Warn("manifest.json not written; the next flush repeats it", "table", t.ID.String(), "error", err)
		}
		f.compactions.noteDue(ctx, t, sc)
		return nil
	})
}

// flushRules returns what the configuration says about flushes.
func (c *Config) flushRules() (jobs.FlushRules, error) {
	r := jobs.FlushRules{
		Rows: int64(c.Flush.DefaultRowLimit), Bytes: c.Flush.DefaultBytes, MinRows: int64(c.Flush.MinRows),
		Interval: time.Duration(c.Flush.DefaultTimeInterval) * time.Second,
	}
	if c.Flush.Schedule == "" {
		return r, nil
	}
	var err error
	if r.Schedule, err = jobs.ParseSchedule(c.Flush.Schedule); err != nil {
		return r, fmt.Errorf("flush.schedule: %w", err)
	}
	return r, nil
}

// policy returns what the options of t say about its flushes; false when its
// rows are not flushed.
func (f *flushes) policy(t *kalam.Table) (jobs.FlushPolicy, bool) {
	o := &t.Options
	p := jobs.FlushPolicy{Manual: o.FlushManual, Rows: int64(o.FlushRows), Interval: o.FlushInterval}
	if o.FlushCron != "" {
		zone, err := jobs.ParseZone(o.FlushCronTZ)
		s, lineErr := jobs.ParseScheduleIn(o.FlushCron, zone)
		if err = errors.Join(err, lineErr); err != nil { // CREATE TABLE has checked it; without it the rows must still move.
			f.log.Error("FLUSH_CRON of a table cannot be read; its other policy or the server's is used",
				"table", t.ID.String(), "error", err)
		}
		p.Cron = s
	}
	return p, t.Flushable()
}

// submitScheduled submits the flush of a table that fell due, or finds the active one.
func (f *flushes) submitScheduled(ctx context.Context, n kalam.TableNumber, by jobs.Trigger) (kalam.JobID, error) {
	t, ok := f.catalog.TableByNumber(n)
	if !ok {
		return "", kalam.Errorf(kalam.CodeTableNotFound, "table %d was dropped", n)
	}
	j, _, err := f.runner.Submit(ctx, flushJob(t, by))
	return j.ID, err
}

// flushJob is the flush of a table.
func flushJob(t *kalam.Table, by jobs.Trigger) kalam.Job {
	return kalam.Job{
		Kind: KindFlush, Namespace: t.ID.Namespace, Table: t.ID.Name, Number: t.Number,
		Priority:   flushPriority[by],
		Parameters: encodeParameters(t, by),
	}
}

func encodeParameters(t *kalam.Table, by jobs.Trigger) string {
	text, err := json.Marshal(flushParameters{TableID: t.ID.String(), TableType: t.Kind.String(), Trigger: by})
	if err != nil {
		return "{}" // Plain strings always encode.
	}
	return string(text)
}

// describe says what flushes t, for people.
func (f *flushes) describe(t *kalam.Table) string {
	p, ok := f.policy(t)
	if !ok {
		return fmt.Sprintf("None (rows expire after %ds)", int64(t.Options.TTL/time.Second))
	}
	return f.rules.Describe(p)
}

// next returns when t falls due if nothing more is written to it; a zero time is never.
// In the past: its flush runs, waits for its turn, or is tried again after a failure.
func (f *flushes) next(t *kalam.Table) jobs.FlushDue {
	p, ok := f.policy(t)
	rows, bytes, oldest := f.store.TableStats(t.Number)
	if !ok || rows == 0 {
		return jobs.FlushDue{}
	}
	return f.rules.Due(p, rows, bytes, oldest.Time())
}
