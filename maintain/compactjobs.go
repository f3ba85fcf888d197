package maintain

import (
	"context"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/jobs"
)

// jobType is the compaction of a table; one with RETAIN flushes, and cleans up, too.
func (c *compactions) jobType(f *flushes, l *cleaner) jobs.Type {
	return jobs.Type{
		Kind: KindCompact, Name: "compact", Recover: c.recover,
		Task: func(j kalam.Job) jobs.Task {
			hours, err := retainHours(&j)
			switch {
			case err != nil:
				return jobs.TaskFunc(func(context.Context, *jobs.Handle) error { return err })
			case hours != nil:
				return &forgetTable{flusher: f, compactor: forgetting{c, *hours}, remover: l, Logger: c.log, Now: c.now}
			}
			return &compactTable{compactor: c, All: j.Key != dueKey(j.Number), Logger: c.log, Now: c.now}
		},
	}
}

// forgetting is a compactor that keeps tombstones for other hours than the table
// says.
type forgetting struct {
	*compactions
	hours int
}

// CompactScope compacts one user of a table.
func (f forgetting) CompactScope(
	ctx context.Context, n kalam.TableNumber, user kalam.UserID, all bool,
) (compactedScope, error) {
	return f.compactScope(ctx, n, user, all, &f.hours)
}
