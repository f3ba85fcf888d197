package maintain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/jobs"
)

// compactParameters are the parameters of a compaction job, as JSON in its record.
type compactParameters struct {
	TableID   string `json:"table_id"`
	TableType string `json:"table_type"`
	Scopes    string `json:"scopes"` // "all", or "due" of the background rule.
	// retainHours, when set, are those of STORAGE COMPACT ... RETAIN n HOURS: the job is
	// one of forgetTable.
	RetainHours *int `json:"retain_hours,omitempty"`
}

// retainHours returns the hours for which a compaction job keeps deleted rows, nil when
// that is left to the table. They are in the record, so that a job that is taken up again
// does what was asked for.
func retainHours(j *kalam.Job) (*int, error) {
	var p compactParameters
	if j.Parameters == "" {
		return nil, nil
	}
	if err := json.Unmarshal([]byte(j.Parameters), &p); err != nil {
		return nil, jobs.Permanent(fmt.Errorf("the parameters of job %s cannot be read: %w", j.ID, err))
	}
	return p.RetainHours, nil
}

// traceRemover removes what compactions leave of deleted rows.
type traceRemover interface {
	// RemoveTraces removes the files of a table that belong to nothing, in its folders and
	// in the trash, and takes what was deleted out of the files of the write buffer.
	// CodeTableNotFound means that the table was dropped. It may be repeated.
	RemoveTraces(ctx context.Context, n kalam.TableNumber) (traces, error)
}

// traces are what RemoveTraces found.
type traces struct {
	Removed int // Files.
	Read    int // Segments that queries still read: they go when those end.
}

// forgetTable is the task of a compaction job that keeps no deleted row for longer than
// it is told: it moves the buffered rows of the table to the lake, compacts all users, and
// removes what is left of before. What fails does not stop the rest, and makes the job
// fail; each step may be repeated.
type forgetTable struct {
	flusher   flusher
	compactor compactor // Leaves out what is to be forgotten.
	remover   traceRemover
	Logger    *slog.Logger     // nil discards.
	Now       func() time.Time // nil is time.Now.
}

// Run does the steps.
func (f *forgetTable) Run(ctx context.Context, h *jobs.Handle) error {
	job := h.Job()
	table := kalam.TableID{Namespace: job.Namespace, Name: job.Table}
	compact := &compactTable{compactor: f.compactor, All: true, Logger: f.Logger, Now: f.Now}
	var failed []error
	for _, step := range []func() error{
		func() error { return f.flush(ctx, h, &job) },
		func() error { return compact.Run(ctx, h) },
		func() error { return f.removeTraces(ctx, h, &job) },
	} {
		err := step()
		switch err = unlessDropped(table, err); {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case jobs.Skipped(err):
			return err
		case err != nil:
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

// flush moves the rows to the lake that are in the buffer now.
func (f *forgetTable) flush(ctx context.Context, h *jobs.Handle, job *kalam.Job) error {
	batches, err := f.flusher.DirtyScopes(job.Number)
	if err != nil {
		return fmt.Errorf("list users with buffered rows: %w", err)
	}
	var errs map[string]string
	total, bad := 0, 0
	for i, users := range batches {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		for k, done := range f.flusher.FlushScopes(ctx, job.Number, users) {
			total++
			if kalam.CodeOf(done.Err) == kalam.CodeTableNotFound {
				return done.Err
			}
			if done.Err != nil {
				errs = noteFailure(errs, users[k], done.Err)
				bad++
			}
		}
		h.SetDone(int64(i+1), int64(len(batches)), fmt.Sprintf("%d of %d batches of users flushed", i+1,
			len(batches)))
	}
	return failureOf("flush", errs, bad, total)
}

// removeTraces is the last step; it adds to the message of the compaction.
func (f *forgetTable) removeTraces(ctx context.Context, h *jobs.Handle, job *kalam.Job) error {
	left, err := f.remover.RemoveTraces(ctx, job.Number)
	if err != nil {
		return err
	}
	done := h.Job()
	text := fmt.Sprintf("%s; %d files of before removed", done.Message, left.Removed)
	if left.Read > 0 {
		text += fmt.Sprintf("; %d segments are still read by queries and go when those end", left.Read)
	}
	h.SetResult(done.Result, text)
	return nil
}
