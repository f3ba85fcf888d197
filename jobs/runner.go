package jobs

import (
	"context"
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
	DefaultCancelWait = time.Second
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

// Type is a kind of job: everything that a Runner has to know of it.
type Type struct {
	Kind kalam.JobKind // Also the prefix of the ids of its jobs.
	Name string        // For people: the word of system.jobs.job_type.
	// Key returns the idempotency key of a job that was submitted without one; nil gives
	// none.
	Key func(kalam.Job) string
	// MaxRetries are the tries after the first of a job that does not say; 0 is that of
	// Options, negative none.
	MaxRetries int
	// Task returns the work of a job, for one try.
	Task func(kalam.Job) Task
	// Recover, called by Runner.Recover, repeats what a crash may have interrupted beside
	// the jobs of the records, for instance by submitting jobs. nil does nothing.
	Recover func(ctx context.Context) error
	// Schedule is a cron line as that of Runner.Schedule, at whose times Due is called,
	// which may submit jobs. "" is never.
	Schedule string
	Due      func(ctx context.Context)
}

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

// Handle is what a task knows of its job and reports about it. It is safe for
// concurrent use and valid while the task runs.
type Handle struct {
	runner *Runner
	entry  *entry
}

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
	began     time.Time // Of this try.
	saved     time.Time // Of the last store.
	ending    bool      // The task is over and the final record is being stored.
	final     bool      // The final record is stored.
	cancel    context.CancelCauseFunc
	cancelled bool // By Cancel; a try that starts later ends at once.
}

func newEntry(j kalam.Job) *entry {
	return &entry{job: j, stored: make(chan struct{}), done: make(chan struct{}), write: make(chan struct{}, 1)}
}

func (r *Runner) now() time.Time { return r.o.Now().UTC().Truncate(time.Microsecond) }

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

var _ Manager = (*Runner)(nil)

// withDefaults returns j with what its type says of jobs that do not say it themselves.
func (t *Type) withDefaults(j kalam.Job, maxRetries int) kalam.Job {
	if j.Key == "" && t.Key != nil {
		j.Key = t.Key(j)
	}
	if j.MaxRetries == 0 {
		j.MaxRetries = t.MaxRetries
	}
	if j.MaxRetries == 0 {
		j.MaxRetries = maxRetries
	}
	j.MaxRetries = max(j.MaxRetries, 0)
	return j
}

// typeOf returns the type of a kind of job.
func (r *Runner) typeOf(kind kalam.JobKind) (*Type, error) {
	for i := range r.o.Types {
		if r.o.Types[i].Kind == kind {
			return &r.o.Types[i], nil
		}
	}
	return nil, fmt.Errorf("no task for jobs of kind %q", kind)
}

// TypeName returns the name of a kind of job, which is the kind itself where no type has it.
func (r *Runner) TypeName(kind kalam.JobKind) string {
	if t, err := r.typeOf(kind); err == nil {
		return t.Name
	}
	return string(kind)
}

// doubling is the default pause before a retry.
func doubling(retry int) time.Duration {
	const first, most = 100 * time.Millisecond, 30 * time.Second
	if retry > 8 {
		return most
	}
	return first << (retry - 1)
}
