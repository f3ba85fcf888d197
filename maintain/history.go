package maintain

import (
	"context"
	"fmt"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/jobs"
)

// KindHistory is the kind of the removal of old job records.
const KindHistory kalam.JobKind = "JC"

// historyJobType is the removal of old job records.
func historyJobType(d *deps) jobs.Type {
	retention := time.Duration(d.config.Jobs.RetentionDays) * 24 * time.Hour
	return jobs.Type{
		Kind: KindHistory, Name: "job_cleanup", Key: constantKey("job-cleanup"),
		Task: func(kalam.Job) jobs.Task {
			return &deleteHistory{history: d.records, Retention: retention,
				Now: d.now}
		},
		Schedule: d.config.Jobs.CleanupSchedule,
		Due:      func(ctx context.Context) { d.submit(ctx, kalam.Job{Kind: KindHistory}) },
	}
}

// jobHistory removes records of finished jobs; package catalog does.
type jobHistory interface {
	// DeleteJobsBefore removes the records of jobs that finished before the given
	// time and returns how many.
	DeleteJobsBefore(ctx context.Context, before time.Time) (int, error)
}

// deleteHistory is the task that removes job records older than Retention. Its
// own record stays until the next one is that much later.
type deleteHistory struct {
	history   jobHistory
	Retention time.Duration    // Must be above 0.
	Now       func() time.Time // nil is time.Now.
}

// Run removes the records.
func (d *deleteHistory) Run(ctx context.Context, h *jobs.Handle) error {
	if d.Retention <= 0 {
		return jobs.Permanent(fmt.Errorf("retention of job records is %s, it must be above 0", d.Retention))
	}
	now := d.Now
	if now == nil {
		now = time.Now
	}
	n, err := d.history.DeleteJobsBefore(ctx, now().Add(-d.Retention))
	h.SetResult(fmt.Sprintf(`{"records_deleted":%d}`, n), fmt.Sprintf("Deleted %d job record(s)", n))
	if err != nil {
		return fmt.Errorf("delete job records: %w", err)
	}
	return nil
}
