package systables

import (
	"context"
	"slices"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
)

// jobRows lists all jobs for admins; other roles start none, and so see none.
func (c *Catalog) jobRows(ctx context.Context, v Viewer) ([][]kalam.Value, error) {
	if !access.Has(v.Principal, access.SeeJobs) {
		return nil, nil
	}
	var rows [][]kalam.Value
	for j, err := range c.Catalog.Jobs(ctx) {
		if err != nil {
			return nil, err
		}
		rows = append(rows, c.JobRow(&j))
	}
	slices.SortStableFunc(rows, func(a, b []kalam.Value) int { return int(a[jobCreated].Int() - b[jobCreated].Int()) })
	return rows, nil
}

// JobRow is the row of a job in system.jobs.
func (c *Catalog) JobRow(j *kalam.Job) []kalam.Value {
	finished, done, total, rate := Timestamp(j.FinishedAt), kalam.Null(), kalam.Null(), kalam.Null()
	if j.Total > 0 {
		done, total = kalam.BigInt(j.Done), kalam.BigInt(j.Total)
	}
	if j.Rate > 0 {
		rate = kalam.Double(j.Rate)
	}
	return []kalam.Value{
		Text(j.ID), kalam.Text(c.JobType(j.Kind)), Text(j.Status), TextOrNull(j.Namespace), TextOrNull(j.Table),
		JSONOrNull(j.Parameters),
		TextOrNull(j.Progress), JSONOrNull(j.Result), TextOrNull(j.Trace), TextOrNull(j.Error),
		TextOrNull(j.Message), TextOrNull(j.Exception),
		TextOrNull(j.Key), kalam.Null(), Int(j.Priority), small(j.Retries), small(j.MaxRetries),
		kalam.BigInt(j.MemoryUsed),
		kalam.BigInt(j.CPUUsed), Timestamp(j.CreatedAt), Timestamp(j.UpdatedAt), Timestamp(j.StartedAt), finished,
		finished, kalam.BigInt(int64(c.NodeID)), kalam.Null(), kalam.Null(),
		done, total, rate, Timestamp(j.ETA()), Timestamp(j.NextTryAt),
	}
}

// jobCreated is the index of created_at in system.jobs.
const jobCreated = 19

func small(n int) kalam.Value { return kalam.Integer(kalam.KindSmallInt, int64(n)) }
