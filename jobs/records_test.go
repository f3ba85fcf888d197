package jobs_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/jobs"
)

// Kinds of jobs.
const (
	kindFlush   kalam.JobKind = "FL"
	kindCompact kalam.JobKind = "CO"
)

var errDisk = errors.New("disk is gone")

// records is a jobs.Records in memory that remembers every state of every job.
type records struct {
	mu     sync.Mutex // guards the fields below
	jobs   map[kalam.JobID]kalam.Job
	states map[kalam.JobID][]string
	puts   int
	fail   func(kalam.Job) bool // Makes PutJob fail with errDisk; may be nil.
}

func newRecords(active ...kalam.Job) *records {
	r := &records{jobs: map[kalam.JobID]kalam.Job{}, states: map[kalam.JobID][]string{}}
	for _, j := range active {
		r.jobs[j.ID] = j
	}
	return r
}

func (r *records) PutJob(_ context.Context, j kalam.Job) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fail != nil && r.fail(j) {
		return errDisk
	}
	r.puts++
	r.jobs[j.ID] = j
	if s := r.states[j.ID]; len(s) == 0 || s[len(s)-1] != string(j.Status) {
		r.states[j.ID] = append(s, string(j.Status))
	}
	return nil
}

func (r *records) Job(_ context.Context, id kalam.JobID) (kalam.Job, bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	j, ok := r.jobs[id]
	return j, ok, nil
}

func (r *records) ActiveJobs() (list []kalam.Job) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, j := range r.jobs {
		if !j.Status.Done() {
			list = append(list, j)
		}
	}
	return list
}

func (r *records) setFail(f func(kalam.Job) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fail = f
}

// history returns the states of a job, with spaces between.
func (r *records) history(id kalam.JobID) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.states[id], " ")
}

func (r *records) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.puts
}

// run starts a runner; stop ends it and waits.
func run(t *testing.T, r *records, o jobs.Options) (runner *jobs.Runner, stop func()) {
	t.Helper()
	runner = jobs.NewRunner(r, o)
	return runner, runThis(t, runner)
}

func runThis(t *testing.T, runner *jobs.Runner) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- runner.Run(ctx) }()
	var once sync.Once
	return func() {
		once.Do(func() {
			cancel()
			if err := <-ended; err != nil {
				t.Errorf("Run: %v", err)
			}
		})
	}
}

// tasks makes every job of kind flush run f.
func tasks(f func(ctx context.Context, h *jobs.Handle) error) []jobs.Type {
	return only(jobs.TaskFunc(f))
}

// only returns the type of flushes, with a task.
func only(task jobs.Task) []jobs.Type {
	return []jobs.Type{{Kind: kindFlush, Name: "flush", Task: func(kalam.Job) jobs.Task { return task }}}
}

func submit(t *testing.T, r *jobs.Runner, j kalam.Job) kalam.Job {
	t.Helper()
	if j.Kind == "" {
		j.Kind = kindFlush
	}
	got, existing, err := r.Submit(t.Context(), j)
	if err != nil || existing {
		t.Fatalf("submit: existing %v, %v", existing, err)
	}
	return got
}

func wait(t *testing.T, r *jobs.Runner, id kalam.JobID) kalam.Job {
	t.Helper()
	j, err := r.Wait(t.Context(), id)
	if err != nil {
		t.Fatalf("wait for %s: %v", id, err)
	}
	return j
}
