package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/jobs"
)

// flushPriority lets what somebody waits for, and what makes room, start before what
// only fell due.
var flushPriority = map[jobs.Trigger]int{jobs.TriggerBuffer: 20, jobs.TriggerManual: 10, jobs.TriggerRows: 10}

// openFlushes makes the scheduler of flushes.
func (e *Engine) openFlushes() (err error) {
	if e.rules, err = e.config.flushRules(); err != nil {
		return err
	}
	e.flushes = jobs.NewFlushScheduler(jobs.FlushOptions{
		Rules: e.rules, Counters: e.store, Marks: e.store, MaxBytes: e.config.Buffer.MaxBytes,
		Policy: func(n kalam.TableNumber) (jobs.FlushPolicy, bool) {
			t, ok := e.catalog.TableByNumber(n)
			if !ok {
				return jobs.FlushPolicy{}, false
			}
			return e.flushPolicy(t)
		},
		Submit: e.submitScheduled, Evict: e.submitEviction, Now: e.now, Logger: e.log,
	})
	return nil
}

// flushRules returns what the configuration says about flushes.
func (c *Config) flushRules() (jobs.FlushRules, error) {
	r := jobs.FlushRules{
		Rows: int64(c.Flush.DefaultRowLimit), MinRows: int64(c.Flush.MinRows),
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

// flushPolicy returns what the options of t say about its flushes; false when its
// rows are not flushed.
func (e *Engine) flushPolicy(t *kalam.Table) (jobs.FlushPolicy, bool) {
	o := &t.Options
	p := jobs.FlushPolicy{Manual: o.FlushManual, Rows: int64(o.FlushRows), Interval: o.FlushInterval}
	if o.FlushCron != "" {
		s, err := jobs.ParseSchedule(o.FlushCron)
		if err != nil { // CREATE TABLE has checked it; without it the rows must still move.
			e.log.Error("FLUSH_CRON of a table cannot be read; its other policy or the server's is used",
				"table", t.ID.String(), "error", err)
		}
		p.Cron = s
	}
	return p, t.Flushable()
}

// submitScheduled submits the flush of a table that fell due, or finds the active one.
func (e *Engine) submitScheduled(ctx context.Context, n kalam.TableNumber, by jobs.Trigger) (kalam.JobID, error) {
	t, ok := e.catalog.TableByNumber(n)
	if !ok {
		return "", kalam.Errorf(kalam.CodeTableNotFound, "table %d was dropped", n)
	}
	j, _, err := e.runner.Submit(ctx, flushJob(t, by))
	return j.ID, err
}

// flushJob is the flush of a table. Whoever asks, there is one at a time.
func flushJob(t *kalam.Table, by jobs.Trigger) kalam.Job {
	return kalam.Job{
		Kind: kalam.JobFlush, Namespace: t.ID.Namespace, Table: t.ID.Name, Number: t.Number,
		Key: fmt.Sprintf("flush-%d", t.Number), Priority: flushPriority[by],
		Parameters: flushParameters(t, by),
	}
}

func flushParameters(t *kalam.Table, by jobs.Trigger) string {
	text, err := json.Marshal(jobs.FlushParameters{TableID: t.ID.String(), TableType: t.Kind.String(), Trigger: by})
	if err != nil {
		return "{}" // Plain strings always encode.
	}
	return string(text)
}

// hasBufferedRows reports whether a flush of t would have something to do.
func (e *Engine) hasBufferedRows(t *kalam.Table) bool {
	rows, _, _ := e.store.TableStats(t.Number)
	return rows > 0
}

// flushConfig describes what flushes t, as SHOW TABLE STATS shows it.
func (e *Engine) flushConfig(t *kalam.Table) string {
	p, ok := e.flushPolicy(t)
	if !ok {
		return fmt.Sprintf("None (rows expire after %ds)", int64(t.Options.TTL/time.Second))
	}
	return e.rules.Describe(p)
}

// nextFlush returns when t falls due if nothing more is written to it; zero is never.
// In the past: its flush runs, waits for its turn, or is tried again after a failure.
func (e *Engine) nextFlush(t *kalam.Table) time.Time {
	p, ok := e.flushPolicy(t)
	rows, _, oldest := e.store.TableStats(t.Number)
	if !ok || rows == 0 {
		return time.Time{}
	}
	return e.rules.Due(p, rows, oldest.Time()).At
}
