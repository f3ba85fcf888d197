package jobs

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/kalamlake/kalam"
)

// Defaults of Options.
const (
	DefaultWorkers    = 10
	DefaultMaxRetries = 3
	DefaultCancelWait = 2 * time.Second
)

// progressInterval is the least time between two stores of a job's progress.
const progressInterval = time.Second

// Records keeps the records of jobs; package catalog does. PutJob returns after
// the record is durable. Job reads the newest record. ActiveJobs are those whose
// state is not final.
type Records interface {
	PutJob(ctx context.Context, j kalam.Job) error
	Job(ctx context.Context, id kalam.JobID) (kalam.Job, bool, error)
	ActiveJobs() []kalam.Job
}

// Manager is what users of jobs need of a Runner.
type Manager interface {
	Submit(ctx context.Context, j kalam.Job) (job kalam.Job, existing bool, err error)
	Cancel(ctx context.Context, id kalam.JobID) error
	Status(ctx context.Context, id kalam.JobID) (kalam.Job, error)
}

var _ Manager = (*Runner)(nil)

// Options configure NewRunner. The zero value is usable but runs no task.
type Options struct {
	Workers int // Jobs that run at a time; 0 is DefaultWorkers.
	// Tries after the first, unless the job says; 0 is DefaultMaxRetries, negative none.
	MaxRetries int
	Backoff    func(retry int) time.Duration // Pause before try retry (from 1); nil doubles from 100 ms up to 30 s.
	CancelWait time.Duration                 // How long Cancel waits for a task to end; 0 is DefaultCancelWait.
	Now        func() time.Time              // For the times of records; nil is time.Now.
	Node       string                        // Name of this server, for Job.Trace.
	Logger     *slog.Logger                  // nil discards.
	Types      []Type                        // Of the jobs that it runs. Not changed after NewRunner.
	// Ended is told of every job whose final record was stored, by the goroutine that
	// stored it; it must not block. nil tells nobody.
	Ended func(kalam.Job)
}

// Runner runs jobs. It is safe for concurrent use; Run is called once.
type Runner struct {
	records Records
	o       Options
	log     *slog.Logger
	cron    *cron.Cron
	// Holds one token when the dispatcher has something to look at; a second would tell it nothing new.
	wakeup   chan struct{}
	stopping chan struct{} // Closed when Run begins to end.
	stopped  chan struct{} // Closed when Run has returned.
	tasks    sync.WaitGroup

	mu       sync.Mutex // guards the fields below and the entries
	phase    phase
	draining bool            // Only Drain may submit.
	runCtx   context.Context // Of Run, for scheduled functions.
	active   map[kalam.JobID]*entry
	byKey    map[string]*entry // The active job of each idempotency key.
	busyKeys map[string]bool   // Keys whose task runs.
	queue    []*entry          // Waiting to run, in order of arrival.
	running  map[*entry]*meter
	free     []int // Numbers of idle workers.
}

type phase uint8

const (
	phaseNew phase = iota
	phaseRunning
	phaseStopped
)

// entry is a job that is not final yet, or whose task has not yet ended.
type entry struct {
	stored chan struct{} // Closed when Submit has stored the record, or failed.
	done   chan struct{} // Closed when the final record is stored.
	// write holds one token; who has it may decide the state and store the record.
	// Its holder may take Runner.mu, never the other way round.
	write chan struct{}

	// The fields below are guarded by Runner.mu.
	job       kalam.Job
	err       error // Why Submit failed.
	resumed   bool  // Was running or retrying when the last Runner ended.
	notBefore time.Time
	saved     time.Time // Of the last store.
	ending    bool      // The task is over and the final record is being stored.
	final     bool      // The final record is stored.
	cancel    context.CancelCauseFunc
	cancelled bool // By Cancel; a try that starts later ends at once.
}

func newEntry(j kalam.Job) *entry {
	return &entry{job: j, stored: make(chan struct{}), done: make(chan struct{}), write: make(chan struct{}, 1)}
}

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

// doubling is the default pause before a retry.
func doubling(retry int) time.Duration {
	const first, most = 100 * time.Millisecond, 30 * time.Second
	if retry > 8 {
		return most
	}
	return first << (retry - 1)
}

func (r *Runner) now() time.Time { return r.o.Now().UTC().Truncate(time.Microsecond) }

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

// forgetLocked removes an entry from the active ones.
func (r *Runner) forgetLocked(e *entry) {
	delete(r.active, e.job.ID)
	if r.byKey[e.job.Key] == e {
		delete(r.byKey, e.job.Key)
	}
}

// wake makes the dispatcher look again.
func (r *Runner) wake() {
	select {
	case r.wakeup <- struct{}{}:
	default:
	}
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
