package engine

import (
	"context"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/jobs"
	"github.com/kalamlake/kalam/session"
)

var _ session.Maintenance = orders{}

// orders is the maintenance of an engine as statements order it.
type orders struct{ e *Engine }

// Flush submits the flush of a table, or returns the one that is queued or runs.
func (o orders) Flush(ctx context.Context, t *kalam.Table) (job kalam.Job, existing bool, err error) {
	return o.e.runner.Submit(ctx, flushJob(t, jobs.TriggerManual))
}

// Compact does so for the compaction of all scopes of a table.
func (o orders) Compact(ctx context.Context, t *kalam.Table, retain *int) (job kalam.Job, existing bool, err error) {
	return o.e.runner.Submit(ctx, newCompactJob(t, true, retain))
}

// Remove submits the removal of what a dropped table leaves.
func (o orders) Remove(ctx context.Context, t *kalam.Table) (kalam.Job, error) {
	return o.e.submitCleanup(ctx, t)
}

// Cancel ends a job.
func (o orders) Cancel(ctx context.Context, id kalam.JobID) error { return o.e.runner.Cancel(ctx, id) }

// Prepare makes the folder of a SHARED table.
func (o orders) Prepare(ctx context.Context, t *kalam.Table) error { return o.e.prepareFolder(ctx, t) }

// Policy describes what flushes a table by itself.
func (o orders) Policy(t *kalam.Table) string { return o.e.flushConfig(t) }

// NextFlush returns when a table falls due if nothing more is written to it.
func (o orders) NextFlush(t *kalam.Table) time.Time { return o.e.nextFlush(t) }

// Damage returns what is known to be damaged in the storage local.
func (o orders) Damage() string { return o.e.segments.Damage().Reason() }
