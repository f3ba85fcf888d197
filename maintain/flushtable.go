package maintain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/jobs"
	"github.com/kalamlake/kalam/maintain/pair"
)

// KindFlush is the kind of the flush of a table.
const KindFlush kalam.JobKind = "FL"

// flusher moves buffered rows of a table to the lake.
type flusher interface {
	// DirtyScopes returns the users with buffered rows, in key order and divided into
	// batches that are best flushed together; a SHARED table with buffered rows has
	// the one user "".
	DirtyScopes(n kalam.TableNumber) ([][]kalam.UserID, error)
	// FlushScopes writes, commits and trims the buffered rows of some users and
	// returns what became of each, in the order of users. The error
	// CodeTableNotFound means that the table was dropped. An interrupted call has
	// either flushed a user or left their rows as they were.
	FlushScopes(ctx context.Context, n kalam.TableNumber, users []kalam.UserID) []flushedScope
}

// flushedScope is what FlushScopes did for a user. The zero value: there was nothing
// to flush.
type flushedScope struct {
	Rows       int64 // Tombstones included.
	Tombstones int64
	File       string // Path of the segment in its storage, "" when none was written.
	Bytes      int64
	Location   string // Full path or URI of the segment.
	Err        error  // Nothing else counts then.
}

// FlushResult is the result of a flush job, summed over its tries.
type FlushResult struct {
	RecordsFlushed   int64             `json:"records_flushed"`
	Tombstones       int64             `json:"tombstones"`
	Files            int               `json:"files"`
	Bytes            int64             `json:"bytes"`
	StorageLocation  string            `json:"storage_location"`  // The file, or the directory that holds all files.
	StorageLocations []string          `json:"storage_locations"` // At most 1,000.
	Errors           map[string]string `json:"errors,omitempty"`  // Of the last try, by user; at most 1,000.
	FailedUsers      int               `json:"failed_users,omitempty"`
}

// flushParameters are the parameters of a flush job, as JSON in its record.
type flushParameters struct {
	TableID   string       `json:"table_id"`
	TableType string       `json:"table_type"`
	Trigger   jobs.Trigger `json:"trigger"` // "" in a job of an older version.
}

// flushTable is the task of a flush job: every user with buffered rows of
// Job.Number, in key order, each batch of them finished before the next. A user that
// fails keeps their rows in the buffer and does not stop the others.
type flushTable struct {
	flusher  flusher
	Parallel int              // Batches of users at a time; 0 is 1.
	Logger   *slog.Logger     // nil discards.
	Now      func() time.Time // nil is time.Now.
}

// flushRun is one run of flushTable.
type flushRun struct {
	task *flushTable
	tableRun
	trigger jobs.Trigger
	total   int

	mu     sync.Mutex // guards the fields below
	result FlushResult
	done   int
}

// Run flushes the table. The error names the users that failed.
func (f *flushTable) Run(ctx context.Context, h *jobs.Handle) error {
	log, now := pair.Defaults(f.Logger, f.Now)
	run := &flushRun{task: f}
	if err := run.begin(h, &run.result); err != nil {
		return err
	}
	run.result.Errors, run.result.FailedUsers = nil, 0
	run.trigger = triggerOf(&run.job)
	start := now()
	if log.Enabled(ctx, slog.LevelDebug) {
		log.DebugContext(ctx, fmt.Sprintf("Flush job started: job_id=%s, table=%s, namespace=%s, timestamp=%s",
			run.job.ID, run.job.Table, run.job.Namespace, start.UTC().Format(time.RFC3339)))
	}
	err := run.users(ctx)
	log.InfoContext(ctx, "table flushed", "job", string(run.job.ID), "trigger", string(run.trigger),
		"table", run.table.String(), "rows", run.result.RecordsFlushed,
		"files", run.result.Files, "failed_users", run.result.FailedUsers, "took", now().Sub(start))
	if log.Enabled(ctx, slog.LevelDebug) {
		log.DebugContext(ctx,
			fmt.Sprintf("Flush job completed: job_id=%s, table=%s, records_flushed=%d, duration_ms=%d",
				run.job.ID, run.job.Table, run.result.RecordsFlushed, now().Sub(start).Milliseconds()))
	}
	return err
}

// triggerOf returns what started a flush, "" when its record does not say.
func triggerOf(j *kalam.Job) jobs.Trigger {
	var p flushParameters
	if json.Unmarshal([]byte(j.Parameters), &p) != nil {
		return "" // They are shown to people, nothing depends on them.
	}
	return p.Trigger
}

// users flushes every user and sets the result of the job, whatever the outcome.
func (r *flushRun) users(ctx context.Context) (err error) {
	defer func() {
		if setErr := r.report(); setErr != nil {
			err = errors.Join(err, setErr)
		}
	}()
	batches, err := r.task.flusher.DirtyScopes(r.job.Number)
	if err != nil {
		return unlessDropped(r.table, fmt.Errorf("list users with buffered rows of %s: %w", r.table, err))
	}
	for _, users := range batches {
		r.total += len(users)
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(max(r.task.Parallel, 1))
	for _, users := range batches {
		if gctx.Err() != nil {
			break
		}
		g.Go(func() error { return r.batch(gctx, users) })
	}
	if err := g.Wait(); err != nil {
		return unlessDropped(r.table, err)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return r.failure()
}

// batch flushes some users. It returns only errors that concern the others too.
func (r *flushRun) batch(ctx context.Context, users []kalam.UserID) error {
	if ctx.Err() != nil { // It ended while these users waited for their turn.
		return context.Cause(ctx)
	}
	var fatal error
	done := r.task.flusher.FlushScopes(ctx, r.job.Number, users)
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range done {
		switch err := done[i].Err; {
		case err != nil && (ctx.Err() != nil || kalam.CodeOf(err) == kalam.CodeTableNotFound):
			if fatal == nil {
				fatal = err
			}
			continue
		case err != nil:
			r.fail(users[i], err)
		case done[i].File != "":
			r.add(done[i])
		}
		r.done++
	}
	progress := fmt.Sprintf("%d of %d users flushed", r.done-r.result.FailedUsers, r.total)
	if r.result.FailedUsers > 0 {
		progress += fmt.Sprintf(", %d failed", r.result.FailedUsers)
	}
	r.handle.SetDone(int64(r.done), int64(r.total), progress)
	return fatal
}

func (r *flushRun) fail(user kalam.UserID, err error) {
	r.result.Errors = noteFailure(r.result.Errors, user, err)
	r.result.FailedUsers++
}

func (r *flushRun) add(s flushedScope) {
	res := &r.result
	if res.Files == 0 {
		res.StorageLocation = s.Location
	} else {
		res.StorageLocation = commonDirectory(res.StorageLocation, s.Location)
	}
	if len(res.StorageLocations) < maxListed {
		res.StorageLocations = append(res.StorageLocations, s.Location)
	}
	res.RecordsFlushed += s.Rows
	res.Tombstones += s.Tombstones
	res.Bytes += s.Bytes
	res.Files++
}

// report sets the result and message of the job.
func (r *flushRun) report() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.result.StorageLocations == nil {
		r.result.StorageLocations = []string{}
	}
	return r.setResult(r.result, r.message())
}

func (r *flushRun) message() string {
	rows, files := r.result.RecordsFlushed, r.result.Files
	text := fmt.Sprintf("Flushed %s successfully (%d rows, %d files)", r.table, rows, files)
	failure := r.failure()
	switch {
	case failure != nil && files == 0:
		text = fmt.Sprintf("Flush of %s failed; its rows stay in the write buffer", r.table)
	case failure != nil || r.done < r.total:
		text = fmt.Sprintf("Flushed %s in part (%d rows, %d files)", r.table, rows, files)
	}
	if files > 0 {
		text += " to " + r.result.StorageLocation
	}
	if failure != nil {
		text += "; " + failure.Error()
	}
	if r.trigger != "" && r.trigger != jobs.TriggerManual {
		text += "; trigger: " + string(r.trigger)
	}
	return text
}

// failure returns the error of the users that failed, nil when none did.
func (r *flushRun) failure() error {
	return failureOf("flush", r.result.Errors, r.result.FailedUsers, r.total)
}

// commonDirectory returns the longest path prefix that a and b share, up to and
// with a separator.
func commonDirectory(a, b string) string {
	end := 0
	for i := 0; i < min(len(a), len(b)) && a[i] == b[i]; i++ {
		if a[i] == '/' || a[i] == '\\' {
			end = i + 1
		}
	}
	return a[:end]
}
