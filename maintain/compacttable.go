package maintain

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/jobs"
	"github.com/kalamlake/kalam/maintain/pair"
)

// KindCompact is the kind of the compaction of a table.
const KindCompact kalam.JobKind = "CO"

// compactor merges segments of a table.
type compactor interface {
	// CompactableScopes returns the users whose segments a job looks at, in key
	// order: with all everybody who has segments, else those with too many of them.
	CompactableScopes(ctx context.Context, n kalam.TableNumber, all bool) ([]kalam.UserID, error)
	// CompactScope merges the segments of one user: with all every one of them, else
	// as many as make them few again. CodeTableNotFound means that the table was
	// dropped. An interrupted call leaves every row as it was.
	CompactScope(ctx context.Context, n kalam.TableNumber, user kalam.UserID, all bool) (compactedScope, error)
}

// compactedScope is what CompactScope did. Without a file written or removed
// there was nothing to gain.
type compactedScope struct {
	SegmentsBefore, SegmentsAfter int   // Of the scope.
	Merged                        int   // Segments that were replaced.
	Written                       int   // Files that replaced them.
	Rows                          int64 // In those, tombstones included.
	Overwritten                   int64 // Rows left out that a later write replaced.
	Tombstones                    int64 // Tombstones left out.
	BytesRead, BytesWritten       int64 // Of the Parquet files.
}

// CompactResult is the result of a compaction job, summed over its tries.
type CompactResult struct {
	Scopes             int               `json:"scopes"`          // Users whose segments were merged.
	SegmentsBefore     int               `json:"segments_before"` // Of those users.
	SegmentsAfter      int               `json:"segments_after"`
	SegmentsMerged     int               `json:"segments_merged"`
	Files              int               `json:"files"` // Written.
	Rows               int64             `json:"rows"`
	OverwrittenDropped int64             `json:"overwritten_rows_dropped"`
	TombstonesDropped  int64             `json:"tombstones_dropped"`
	BytesBefore        int64             `json:"bytes_before"` // Of the merged segments.
	BytesAfter         int64             `json:"bytes_after"`
	Errors             map[string]string `json:"errors,omitempty"` // Of the last try, by user; at most 1,000.
	FailedUsers        int               `json:"failed_users,omitempty"`
	// Counted are the users of a job that is not finished who are in Scopes, with their
	// segments in SegmentsAfter: another try counts them no second time. At most 1,000.
	Counted map[string]int `json:"counted,omitempty"`
}

// compactTable is the task of a compaction job: the users of Job.Number, in key
// order, each finished before the next. A user that fails keeps their segments
// and does not stop the others.
type compactTable struct {
	compactor compactor
	All       bool             // Every user and every segment; else where there are too many.
	Word      string           // What messages call it; "" is Compaction.
	Logger    *slog.Logger     // nil discards.
	Now       func() time.Time // nil is time.Now.
}

// compactRun is one run of compactTable.
type compactRun struct {
	task *compactTable
	tableRun
	result CompactResult
	done   int
	total  int
}

// Run compacts the table. The error names the users that failed.
func (c *compactTable) Run(ctx context.Context, h *jobs.Handle) error {
	log, now := pair.Defaults(c.Logger, c.Now)
	run := &compactRun{task: c}
	if err := run.begin(h, &run.result); err != nil {
		return err
	}
	run.result.Errors, run.result.FailedUsers = nil, 0
	start := now()
	err := run.users(ctx)
	if err == nil {
		run.result.Counted = nil // There is no other try.
	}
	if setErr := run.report(); setErr != nil {
		err = errors.Join(err, setErr)
	}
	log.InfoContext(ctx, "table compacted", "job", string(run.job.ID), "table", run.table.String(), "users",
		run.result.Scopes,
		"segments_before", run.result.SegmentsBefore, "segments_after", run.result.SegmentsAfter,
		"failed_users", run.result.FailedUsers,
		"took", now().Sub(start))
	return err
}

// users compacts every user.
func (r *compactRun) users(ctx context.Context) error {
	users, err := r.task.compactor.CompactableScopes(ctx, r.job.Number, r.task.All)
	if err != nil {
		return unlessDropped(r.table, fmt.Errorf("list segments of %s: %w", r.table, err))
	}
	r.total = len(users)
	for _, user := range users {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		done, err := r.task.compactor.CompactScope(ctx, r.job.Number, user, r.task.All)
		if done.Merged > 0 {
			r.add(user, done)
		}
		if err != nil && (ctx.Err() != nil || kalam.CodeOf(err) == kalam.CodeTableNotFound) {
			return unlessDropped(r.table, err)
		}
		r.done++
		if err != nil {
			r.result.Errors = noteFailure(r.result.Errors, user, err)
			r.result.FailedUsers++
		}
		r.handle.SetDone(int64(r.done), int64(r.total), fmt.Sprintf("%d of %d users looked at, %d compacted", r.done, r.total,
			r.result.Scopes))
	}
	return r.failure()
}

// add counts what was done for a user: the work each time, the user once per job.
func (r *compactRun) add(user kalam.UserID, s compactedScope) {
	res := &r.result
	name := resultName(user)
	if after, counted := res.Counted[name]; counted {
		res.SegmentsAfter -= after
	} else {
		res.Scopes++
		res.SegmentsBefore += s.SegmentsBefore
	}
	res.SegmentsAfter += s.SegmentsAfter
	if res.Counted == nil {
		res.Counted = make(map[string]int)
	}
	if _, counted := res.Counted[name]; counted || len(res.Counted) < maxListed {
		res.Counted[name] = s.SegmentsAfter
	}
	res.SegmentsMerged += s.Merged
	res.Files += s.Written
	res.Rows += s.Rows
	res.OverwrittenDropped += s.Overwritten
	res.TombstonesDropped += s.Tombstones
	res.BytesBefore += s.BytesRead
	res.BytesAfter += s.BytesWritten
}

// report sets the result and message of the job.
func (r *compactRun) report() error {
	return r.setResult(r.result, r.message())
}

func (r *compactRun) message() string {
	res := &r.result
	outcome := cmp.Or(r.task.Word, "Compaction") + " completed"
	if r.done < r.total || res.FailedUsers > 0 {
		outcome += " in part"
	}
	if res.Scopes == 0 {
		return fmt.Sprintf("%s for table %s: nothing to merge", outcome, r.table)
	}
	return fmt.Sprintf(
		"%s for table %s: %d segments of %d user(s) became %d, %d overwritten rows and %d tombstones dropped",
		outcome, r.table, res.SegmentsBefore, res.Scopes, res.SegmentsAfter, res.OverwrittenDropped,
		res.TombstonesDropped)
}

// failure returns the error of the users that failed, nil when none did.
func (r *compactRun) failure() error {
	return failureOf(strings.ToLower(cmp.Or(r.task.Word, "Compaction")), r.result.Errors, r.result.FailedUsers, r.total)
}
