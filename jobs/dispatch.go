package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/internal/usage"
)

// sampleInterval is the time between two looks at the memory of running jobs.
const sampleInterval = 100 * time.Millisecond

// idlePause is how long the dispatcher sleeps when nothing is due.
const idlePause = time.Hour

// resumedMessage marks jobs that a previous runner left unfinished.
const resumedMessage = "resumed after restart"

// Run starts jobs until ctx ends, then ends those that run and returns nil after
// the last. A job that is ended so keeps its state in its record and is taken up
// again by the next runner. Run works once.
func (r *Runner) Run(ctx context.Context) error {
	r.mu.Lock()
	if r.phase != phaseNew {
		r.mu.Unlock()
		return errors.New("a job runner runs once")
	}
	r.phase, r.runCtx = phaseRunning, ctx
	r.mu.Unlock()
	r.cron.Start()
	timer := time.NewTimer(idlePause)
	defer timer.Stop()
	for ctx.Err() == nil {
		timer.Reset(r.dispatch(ctx))
		select {
		case <-ctx.Done():
		case <-r.wakeup:
		case <-timer.C:
		}
	}
	r.stop()
	return nil
}

// stop ends the running tasks and waits for everything that Run started.
func (r *Runner) stop() {
	r.mu.Lock()
	r.phase = phaseStopped
	var cancels []context.CancelCauseFunc
	for e := range r.running {
		cancels = append(cancels, e.cancel)
	}
	r.mu.Unlock()
	close(r.stopping)
	for _, cancel := range cancels {
		cancel(ErrStopping)
	}
	<-r.cron.Stop().Done()
	r.tasks.Wait()
	close(r.stopped)
}

// dispatch starts every job that can start and returns after what time to look
// again.
func (r *Runner) dispatch(ctx context.Context) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.running {
		m.sample()
	}
	now := time.Now()
	for len(r.free) > 0 {
		e := r.nextLocked(now)
		if e == nil {
			break
		}
		worker := r.free[len(r.free)-1]
		r.free = r.free[:len(r.free)-1]
		if e.job.Key != "" {
			r.busyKeys[e.job.Key] = true
		}
		m := newMeter()
		r.running[e] = m
		// The end of ctx reaches the task through stop, with its own cause.
		taskCtx, cancel := context.WithCancelCause(usage.With(context.WithoutCancel(ctx), &m.others))
		e.cancel = cancel
		if e.cancelled { // While it was between two tries.
			cancel(ErrCancelled)
		}
		r.tasks.Go(func() {
			defer cancel(nil)
			r.release(e, worker, r.execute(taskCtx, e, worker))
		})
	}
	return r.pauseLocked(now)
}

// nextLocked removes from the queue, and returns, the job that is to run next:
// the first of the highest priority whose pause is over and whose key is idle.
func (r *Runner) nextLocked(now time.Time) *entry {
	best := -1
	for i, e := range r.queue {
		if e.notBefore.After(now) || r.busyKeys[e.job.Key] {
			continue
		}
		if best < 0 || e.job.Priority > r.queue[best].job.Priority {
			best = i
		}
	}
	if best < 0 {
		return nil
	}
	e := r.queue[best]
	r.queue = slices.Delete(r.queue, best, best+1)
	return e
}

func (r *Runner) pauseLocked(now time.Time) time.Duration {
	pause := idlePause
	if len(r.running) > 0 {
		pause = sampleInterval
	}
	for _, e := range r.queue {
		if d := e.notBefore.Sub(now); d > 0 {
			pause = min(pause, d)
		}
	}
	return pause
}

// release ends the use of a worker, and queues the job again if it is to be
// tried again.
func (r *Runner) release(e *entry, worker int, again bool) {
	r.mu.Lock()
	delete(r.running, e)
	delete(r.busyKeys, e.job.Key)
	r.free = append(r.free, worker)
	if again {
		r.queue = append(r.queue, e)
	}
	r.mu.Unlock()
	r.wake()
}

// execute runs the task of a job once and stores what came of it. It reports
// whether the job is to be tried again.
func (r *Runner) execute(ctx context.Context, e *entry, worker int) (again bool) {
	started, again := r.begin(e, worker)
	if !started {
		return again
	}
	err := r.runTask(ctx, e)
	return r.end(ctx, e, err)
}

// begin stores that the job runs. When that fails the job waits, and is not
// started.
//
//nolint:contextcheck // A record is written whole, also when the job is stopped.
func (r *Runner) begin(e *entry, worker int) (started, again bool) {
	e.write <- struct{}{}
	defer func() { <-e.write }()
	now := r.now()
	r.mu.Lock()
	job := e.job
	final, resumed := e.final, e.resumed
	r.mu.Unlock()
	if final {
		return false, false
	}
	if job.Status != kalam.JobRunning {
		if err := change(&job, kalam.JobRunning, now); err != nil {
			r.log.Error("job not started", "job", job.ID, "error", err)
			return false, false
		}
	}
	job.Done, job.Total, job.Rate, job.NextTryAt = 0, 0, 0, time.Time{}
	job.UpdatedAt, job.Trace = now, fmt.Sprintf("%s:%d", r.o.Node, worker)
	if resumed {
		job.Message = resumedMessage
	}
	err := r.records.PutJob(context.Background(), job)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.log.Error("job not started, its record cannot be stored", "job", job.ID, "error", err)
		e.notBefore = time.Now().Add(r.o.Backoff(1))
		return false, true
	}
	e.job, e.saved, e.began = job, now, now
	return true, false
}

// runTask runs the task of a job and turns its panic into an error.
func (r *Runner) runTask(ctx context.Context, e *entry) (err error) {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	defer func() {
		if p := recover(); p != nil {
			err = &panicError{value: p, stack: stack()}
		}
	}()
	h := &Handle{runner: r, entry: e}
	job := h.Job()
	t, err := r.typeOf(job.Kind)
	if err != nil {
		return Permanent(err)
	}
	return t.Task(job).Run(ctx, h)
}

// end decides what follows from the error of a task, stores it, and reports
// whether the job is to be tried again.
func (r *Runner) end(ctx context.Context, e *entry, err error) (again bool) {
	e.write <- struct{}{}
	defer func() { <-e.write }()
	now := r.now()
	r.mu.Lock()
	if e.final { // Cancel gave up waiting for the task.
		r.mu.Unlock()
		return false
	}
	job := e.job
	r.running[e].fill(&job)
	to, stays := outcome(ctx, &job, err)
	if stays {
		e.job = job
		r.mu.Unlock()
		r.log.Info("job interrupted, the next start resumes it", "job", job.ID)
		// Its state is stored already; this keeps what it got done, and may fail.
		_ = r.records.PutJob(context.Background(), job) //nolint:contextcheck // The job was stopped.
		return false
	}
	if e.resumed && to != kalam.JobRetrying {
		job.Message = resumed(job.Message)
	}
	if err := change(&job, to, now); err != nil {
		r.log.Error("job ended in a state it cannot reach", "job", job.ID, "error", err)
	}
	e.ending = to != kalam.JobRetrying
	var pause time.Duration
	if to == kalam.JobRetrying && !e.cancelled {
		pause = r.o.Backoff(job.Retries)
		job.NextTryAt = now.Add(pause)
	}
	r.mu.Unlock()
	if !r.storeEnd(job) {
		return false
	}
	r.logEnd(&job)
	if to == kalam.JobRetrying {
		r.mu.Lock()
		defer r.mu.Unlock()
		e.job, e.notBefore = job, time.Now()
		if !e.cancelled {
			e.notBefore = e.notBefore.Add(pause)
		}
		return true
	}
	r.finish(e, job)
	return false
}

// finish makes the final record of an entry known.
func (r *Runner) finish(e *entry, job kalam.Job) {
	r.mu.Lock()
	e.job, e.final = job, true
	r.forgetLocked(e)
	close(e.done)
	r.mu.Unlock()
	r.o.Ended(job)
}

// resumed adds the mark of a resumed job to its message.
func resumed(message string) string {
	if message == "" || message == resumedMessage {
		return resumedMessage
	}
	return message + "; " + resumedMessage
}

// storeEnd stores the record of a task's end until that works. It gives up, and
// returns false, when the runner ends: the job is then found as running by the
// next one.
//
//nolint:contextcheck // The end of a job is written also when it was stopped.
func (r *Runner) storeEnd(job kalam.Job) bool {
	for try := 1; ; try++ {
		err := r.records.PutJob(context.Background(), job)
		if err == nil {
			return true
		}
		r.log.Error("end of job not stored, trying again", "job", job.ID, "error", err)
		timer := time.NewTimer(r.o.Backoff(try))
		select {
		case <-timer.C:
		case <-r.stopping:
			timer.Stop()
			return false
		}
	}
}

func (r *Runner) logEnd(job *kalam.Job) {
	switch job.Status {
	case kalam.JobFailed:
		r.log.Error("job failed", "job", job.ID, "kind", r.TypeName(job.Kind), "error", job.Error)
	case kalam.JobRetrying:
		r.log.Warn("job failed, it is tried again", "job", job.ID, "kind", r.TypeName(job.Kind), "retry",
			job.Retries, "error", job.Error)
	default:
		r.log.Debug("job ended", "job", job.ID, "kind", r.TypeName(job.Kind), "status", string(job.Status))
	}
}
