package jobs

import (
	"context"
	"errors"

	"github.com/kalamlake/kalam"
)

// Task is the work of one job. Run returns nil when the work is done, Skip when
// there was nothing to do, Permanent when trying again is pointless, and any
// other error to be tried again. It ends soon after ctx does, and stands being
// run again from the start: after a failure, and after a crash at any point.
type Task interface {
	Run(ctx context.Context, h *Handle) error
}

// TaskFunc is a function as a Task.
type TaskFunc func(ctx context.Context, h *Handle) error

// Run calls f.
func (f TaskFunc) Run(ctx context.Context, h *Handle) error { return f(ctx, h) }

// skipError ends a job as skipped.
type skipError struct{ reason string }

func (e *skipError) Error() string { return e.reason }

// Skip returns an error that ends the job as skipped, with reason as its message.
func Skip(reason string) error { return &skipError{reason: reason} }

// Skipped reports whether err ends a job as skipped.
func Skipped(err error) bool {
	var skip *skipError
	return errors.As(err, &skip)
}

// permanentError ends a job as failed at once.
type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }

// Permanent returns an error that ends the job as failed without another try.
func Permanent(err error) error { return &permanentError{err: err} }

// Conditions that end the context of a task; context.Cause tells them.
var (
	// ErrCancelled: the job was cancelled by Runner.Cancel.
	ErrCancelled = errors.New("job was cancelled")
	// ErrStopping: the runner ends; the job is taken up again by the next one.
	ErrStopping = errors.New("runner is stopping")
)

// Handle is what a task knows of its job and reports about it. It is safe for
// concurrent use and valid while the task runs.
type Handle struct {
	runner *Runner
	entry  *entry
}

// Job returns the job as it is now. On a later try its Result is what an earlier
// one set.
func (h *Handle) Job() kalam.Job {
	h.runner.mu.Lock()
	defer h.runner.mu.Unlock()
	return h.entry.job
}

// SetProgress sets the progress text. It is stored at most once a second.
func (h *Handle) SetProgress(text string) {
	h.set(func(j *kalam.Job) { j.Progress = text })
}

// SetResult sets the result, a JSON document, and the message of the job. They
// are stored like the progress, and when the task ends.
func (h *Handle) SetResult(result, message string) {
	h.set(func(j *kalam.Job) { j.Result, j.Message = result, message })
}

// set changes the job and stores it unless that was done less than a second ago.
func (h *Handle) set(f func(*kalam.Job)) {
	r, e := h.runner, h.entry
	now := r.now()
	r.mu.Lock()
	if e.final {
		r.mu.Unlock()
		return
	}
	f(&e.job)
	e.job.UpdatedAt = now
	due := now.Sub(e.saved) >= progressInterval
	if due {
		e.saved = now
	}
	r.mu.Unlock()
	if due {
		r.saveProgress(e)
	}
}
