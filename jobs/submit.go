package jobs

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/kalamlake/kalam"
)

// NewRunner returns a Runner over the records. Jobs that the records hold as
// active wait until Run starts them.
func NewRunner(records Records, o Options) *Runner {
	if o.Workers <= 0 {
		o.Workers = DefaultWorkers
	}
	if o.MaxRetries == 0 {
		o.MaxRetries = DefaultMaxRetries
	}
	if o.Backoff == nil {
		o.Backoff = doubling
	}
	if o.CancelWait <= 0 {
		o.CancelWait = DefaultCancelWait
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Ended == nil {
		o.Ended = func(kalam.Job) {}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	r := &Runner{
		records: records, o: o, log: o.Logger, cron: cron.New(cron.WithLocation(time.UTC),
			cron.WithLogger(cron.DiscardLogger)),
		wakeup: make(chan struct{}, 1), stopping: make(chan struct{}), stopped: make(chan struct{}),
		active: make(map[kalam.JobID]*entry), byKey: make(map[string]*entry), busyKeys: make(map[string]bool),
		running: make(map[*entry]*meter),
	}
	for i := o.Workers; i > 0; i-- {
		r.free = append(r.free, i)
	}
	r.resume()
	return r
}

// resume queues the active jobs of the records, oldest first.
func (r *Runner) resume() {
	jobs := r.records.ActiveJobs()
	sortByAge(jobs)
	for _, j := range jobs {
		e := newEntry(j)
		e.resumed = j.Status != kalam.JobPending
		close(e.stored)
		r.active[j.ID] = e
		if j.Key != "" && r.byKey[j.Key] == nil {
			r.byKey[j.Key] = e
		}
		r.queue = append(r.queue, e)
	}
}

// Resumed returns the jobs that the previous runner left unfinished and that
// have not finished since.
func (r *Runner) Resumed() []kalam.Job {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []kalam.Job
	for _, e := range r.active {
		if e.resumed {
			list = append(list, e.job)
		}
	}
	sortByAge(list)
	return list
}

// Schedule runs f at the times of a cron line (five fields in UTC, or @every 1h
// and the like), from when Run starts until ctx of Run ends, which is also f's
// context. A time at which f still runs is left out. A panic of f is logged. A
// malformed line is CodeInvalidInput. Schedule may be called before and during Run, and so
// may remove, after which f is not started again; a call of f that runs is not awaited.
func (r *Runner) Schedule(spec string, f func(ctx context.Context)) (remove func(), err error) {
	var busy sync.Mutex
	id, err := r.cron.AddFunc(spec, func() {
		if !busy.TryLock() {
			return
		}
		defer busy.Unlock()
		defer func() {
			if p := recover(); p != nil {
				r.log.Error("scheduled function panicked", "schedule", spec, "panic", fmt.Sprint(p), "stack", stack())
			}
		}()
		r.mu.Lock()
		ctx := r.runCtx
		r.mu.Unlock()
		if ctx != nil && ctx.Err() == nil {
			f(ctx)
		}
	})
	if err != nil {
		return nil, kalam.Wrap(kalam.CodeInvalidInput, err,
			"schedule '%s' is not a cron line of five fields or an @every", spec)
	}
	return func() { r.cron.Remove(id) }, nil
}

// Submit stores a new job and queues it; it returns once the record is durable.
// A job whose Key an active one has is not stored: that one is returned, and
// existing is true; one whose task is over is not active any more. The ID, the times and
// the state are set here; a Key and MaxRetries that are missing are those of the job's
// Type. CodeShuttingDown after Drain or Run's end.
func (r *Runner) Submit(ctx context.Context, j kalam.Job) (job kalam.Job, existing bool, err error) {
	return r.submit(ctx, j, false)
}

func (r *Runner) submit(ctx context.Context, j kalam.Job, draining bool) (kalam.Job, bool, error) {
	t, err := r.typeOf(j.Kind)
	if err != nil {
		return kalam.Job{}, false, err
	}
	j = t.withDefaults(j, r.o.MaxRetries)
	for {
		e, mine, err := r.reserve(j, draining)
		if err != nil {
			return kalam.Job{}, false, err
		}
		if mine {
			job, err := r.storeNew(ctx, e)
			return job, false, err
		}
		select {
		case <-e.stored:
		case <-ctx.Done():
			return kalam.Job{}, false, context.Cause(ctx)
		}
		r.mu.Lock()
		job, ending, err := e.job, e.ending, e.err
		r.mu.Unlock()
		if err == nil && !ending {
			return job, true, nil
		}
		// The one that held the key could not be stored, or its task is over: what is
		// asked for now is not what it did.
		select {
		case <-e.done:
		case <-r.stopping:
			return kalam.Job{}, false, errShuttingDown()
		case <-ctx.Done():
			return kalam.Job{}, false, context.Cause(ctx)
		}
	}
}

// reserve makes an entry for j, or returns the active one of its key.
func (r *Runner) reserve(j kalam.Job, draining bool) (e *entry, mine bool, err error) {
	now := r.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.phase == phaseStopped || r.draining && !draining {
		return nil, false, errShuttingDown()
	}
	if old := r.byKey[j.Key]; j.Key != "" && old != nil {
		return old, false, nil
	}
	for {
		if j.ID, err = newID(j.Kind); err != nil {
			return nil, false, err
		}
		if r.active[j.ID] == nil {
			break
		}
	}
	j.Status, j.Retries = kalam.JobPending, 0
	j.CreatedAt, j.UpdatedAt, j.StartedAt, j.FinishedAt = now, now, time.Time{}, time.Time{}
	e = newEntry(j)
	r.active[j.ID] = e
	if j.Key != "" {
		r.byKey[j.Key] = e
	}
	return e, true, nil
}

// storeNew makes the record of a reserved job durable and queues the job.
func (r *Runner) storeNew(ctx context.Context, e *entry) (kalam.Job, error) {
	r.mu.Lock()
	job := e.job
	r.mu.Unlock()
	err := r.records.PutJob(ctx, job)
	r.mu.Lock()
	defer r.mu.Unlock()
	defer close(e.stored)
	if err != nil {
		e.err = fmt.Errorf("store job %s: %w", job.ID, err)
		r.forgetLocked(e)
		close(e.done)
		return kalam.Job{}, e.err
	}
	e.saved = job.UpdatedAt
	r.queue = append(r.queue, e)
	r.wake()
	return job, nil
}

// newID returns "{PREFIX}-{12 hex}". Whether one of the 2^48 was used before is
// checked against active jobs only.
func newID(kind kalam.JobKind) (kalam.JobID, error) {
	var b [6]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", fmt.Errorf("make job id: %w", err)
	}
	return kalam.JobID(string(kind) + "-" + hex.EncodeToString(b[:])), nil
}

func errShuttingDown() error {
	return kalam.Errorf(kalam.CodeShuttingDown, "server is shutting down")
}

// sortByAge sorts jobs by the time of their creation.
func sortByAge(jobs []kalam.Job) {
	slices.SortFunc(jobs, func(a, b kalam.Job) int {
		if n := a.CreatedAt.Compare(b.CreatedAt); n != 0 {
			return n
		}
		return strings.Compare(string(a.ID), string(b.ID))
	})
}
