package jobs

import (
	"context"
	"errors"
	"fmt"

	"github.com/kalamlake/kalam"
)

// Status returns the newest record of a job. CodeNotFound when there is none.
func (r *Runner) Status(ctx context.Context, id kalam.JobID) (kalam.Job, error) {
	j, ok, err := r.records.Job(ctx, id)
	if err != nil {
		return kalam.Job{}, err
	}
	if !ok {
		return kalam.Job{}, kalam.Errorf(kalam.CodeNotFound, "Job '%s' not found", id)
	}
	return j, nil
}

// Wait returns the record of a job once its state is final. CodeNotFound when
// there is no such job, CodeShuttingDown when the runner ends before the job.
func (r *Runner) Wait(ctx context.Context, id kalam.JobID) (kalam.Job, error) {
	r.mu.Lock()
	e := r.active[id]
	r.mu.Unlock()
	if e == nil {
		return r.Status(ctx, id)
	}
	select {
	case <-e.done:
	case <-r.stopped:
		select {
		case <-e.done: // It ended just before the runner did.
		default:
			return kalam.Job{}, errShuttingDown()
		}
	case <-ctx.Done():
		return kalam.Job{}, context.Cause(ctx)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return e.job, e.err
}

// Drain ends the work in order: new jobs are refused, and those that are active
// are awaited, retries included. Then the jobs that final returns are run and
// awaited too; final may be nil. The error tells which of those failed, or that
// ctx ended before everything was done: what is left then is taken up again by
// the next runner. Run must be running, and is ended by its own context
// afterwards.
func (r *Runner) Drain(ctx context.Context, final func() []kalam.Job) error {
	r.mu.Lock()
	r.draining = true
	r.mu.Unlock()
	if err := r.awaitActive(ctx); err != nil || final == nil {
		return err
	}
	var ids []kalam.JobID
	for _, j := range final() {
		job, _, err := r.submit(ctx, j, true)
		if err != nil {
			return err
		}
		ids = append(ids, job.ID)
	}
	var failed []error
	for _, id := range ids {
		j, err := r.Wait(ctx, id)
		switch {
		case err != nil:
			return fmt.Errorf("await job %s: %w", id, err)
		case j.Status == kalam.JobFailed:
			failed = append(failed, fmt.Errorf("job %s failed: %s", id, j.Error))
		}
	}
	return errors.Join(failed...)
}

// awaitActive waits until no job is active.
func (r *Runner) awaitActive(ctx context.Context) error {
	for {
		var next *entry
		r.mu.Lock()
		for _, e := range r.active {
			next = e
			break
		}
		r.mu.Unlock()
		if next == nil {
			return nil
		}
		select {
		case <-next.done:
		case <-r.stopped:
			return errShuttingDown()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
