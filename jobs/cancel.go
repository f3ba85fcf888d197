package jobs

import (
	"context"
	"slices"
	"time"

	"github.com/kalamlake/kalam"
)

// Cancel ends a job as cancelled. A waiting job never starts. A running one gets
// its context ended with ErrCancelled; Cancel returns when its task has ended, or
// after Options.CancelWait, when the record says cancelled although the task has
// not yet returned (its worker and key stay taken until it does). Errors:
// CodeNotFound "Job '{id}' not found"; CodeInvalidOperation "Cannot cancel job in
// status '{s}'", also when the job ends otherwise meanwhile.
func (r *Runner) Cancel(ctx context.Context, id kalam.JobID) error {
	r.mu.Lock()
	e := r.active[id]
	r.mu.Unlock()
	if e == nil {
		j, err := r.Status(ctx, id)
		if err != nil {
			return err
		}
		return notCancellable(j.Status)
	}
	select {
	case <-e.stored:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if waiting, err := r.cancelWaiting(ctx, e); waiting || err != nil {
		return err
	}
	return r.cancelRunning(ctx, e)
}

func notCancellable(s kalam.JobStatus) error {
	return kalam.Errorf(kalam.CodeInvalidOperation, "Cannot cancel job in status '%s'", s)
}

// cancelWaiting cancels a job that is in the queue. It reports false when the
// job is not there.
func (r *Runner) cancelWaiting(ctx context.Context, e *entry) (waiting bool, err error) {
	r.mu.Lock()
	i := slices.Index(r.queue, e)
	if i >= 0 {
		r.queue = slices.Delete(r.queue, i, i+1) // Nobody starts it now.
	}
	r.mu.Unlock()
	if i < 0 {
		return false, nil
	}
	// No task runs and the queue does not hold it: the token is free.
	e.write <- struct{}{}
	defer func() { <-e.write }()
	if err := r.storeCancelled(ctx, e); err != nil {
		r.mu.Lock()
		r.queue = append(r.queue, e)
		r.mu.Unlock()
		r.wake()
		return true, err
	}
	return true, nil
}

// cancelRunning ends the task of a job and waits for it.
func (r *Runner) cancelRunning(ctx context.Context, e *entry) error {
	r.mu.Lock()
	e.cancelled = true
	cancel := e.cancel
	r.mu.Unlock()
	if cancel != nil {
		cancel(ErrCancelled)
	}
	timer := time.NewTimer(r.o.CancelWait)
	defer timer.Stop()
	select {
	case <-e.done:
		return r.cancelled(e)
	case <-timer.C:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case e.write <- struct{}{}:
	case <-e.done:
		return r.cancelled(e)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-e.write }()
	r.mu.Lock()
	final := e.final
	r.mu.Unlock()
	if final {
		return r.cancelled(e)
	}
	r.log.Warn("task does not end after its job was cancelled", "job", e.job.ID)
	return r.storeCancelled(ctx, e)
}

// cancelled says how the job of a finished entry ended.
func (r *Runner) cancelled(e *entry) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e.err != nil || e.job.Status == kalam.JobCancelled {
		return e.err
	}
	return notCancellable(e.job.Status)
}

// storeCancelled stores the states up to cancelled. The caller holds the token.
func (r *Runner) storeCancelled(ctx context.Context, e *entry) error {
	now := r.now()
	r.mu.Lock()
	job := e.job
	if m := r.running[e]; m != nil {
		m.fill(&job)
	}
	e.ending = true
	r.mu.Unlock()
	if err := r.storePath(ctx, &job, now); err != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		e.ending = false
		return err
	}
	r.finish(e, job)
	return nil
}

// storePath stores the states of a job up to cancelled.
func (r *Runner) storePath(ctx context.Context, job *kalam.Job, now time.Time) error {
	for _, to := range cancelPath(job.Status) {
		if err := change(job, to, now); err != nil {
			return err
		}
		if err := r.records.PutJob(context.WithoutCancel(ctx), *job); err != nil {
			return err
		}
	}
	return nil
}
