package jobs

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/kalamlake/kalam"
)

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

// panicError is the panic of a task.
type panicError struct {
	value any
	stack string
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

// outcome returns the state that follows from the error of a task and notes the
// error in the job. stays is true when the job is left as it is for the next runner.
func outcome(ctx context.Context, job *kalam.Job, err error) (to kalam.JobStatus, stays bool) {
	var (
		skip      *skipError
		permanent *permanentError
		panicked  *panicError
	)
	job.Error = ""
	switch {
	case err == nil:
		return kalam.JobCompleted, false
	case errors.As(err, &skip):
		job.Message = skip.reason
		return kalam.JobSkipped, false
	case errors.As(err, &panicked):
		job.Error, job.Exception = panicked.Error(), panicked.stack
		return kalam.JobFailed, false
	case errors.Is(context.Cause(ctx), ErrStopping):
		return "", true
	case errors.Is(context.Cause(ctx), ErrCancelled):
		return kalam.JobCancelled, false
	}
	job.Error = err.Error()
	if errors.As(err, &permanent) || job.Retries >= job.MaxRetries {
		return kalam.JobFailed, false
	}
	job.Retries++
	return kalam.JobRetrying, false
}

func stack() string { return string(debug.Stack()) }
