package jobs

import (
	"context"
	"fmt"
	"time"
)

// History removes records of finished jobs; package catalog does.
type History interface {
	// DeleteJobsBefore removes the records of jobs that finished before the given
	// time and returns how many.
	DeleteJobsBefore(ctx context.Context, before time.Time) (int, error)
}

// DeleteHistory is the task that removes job records older than Retention. Its
// own record stays until the next one is that much later.
type DeleteHistory struct {
	History   History
	Retention time.Duration    // Must be above 0.
	Now       func() time.Time // nil is time.Now.
}

// Run removes the records.
func (d *DeleteHistory) Run(ctx context.Context, h *Handle) error {
	if d.Retention <= 0 {
		return Permanent(fmt.Errorf("retention of job records is %s, it must be above 0", d.Retention))
	}
	now := d.Now
	if now == nil {
		now = time.Now
	}
	n, err := d.History.DeleteJobsBefore(ctx, now().Add(-d.Retention))
	h.SetResult(fmt.Sprintf(`{"records_deleted":%d}`, n), fmt.Sprintf("Deleted %d job record(s)", n))
	if err != nil {
		return fmt.Errorf("delete job records: %w", err)
	}
	return nil
}
