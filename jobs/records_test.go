package jobs_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/jobs"
	"github.com/kalamlake/kalam/jobs/jobstest"
)

// Kinds of jobs.
const (
	kindFlush                 = jobstest.Kind
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
	return runner, jobstest.Run(t, runner)
}

// tasks makes every job of kind flush run f.
func tasks(f func(ctx context.Context, h *jobs.Handle) error) []jobs.Type {
	return jobstest.Only(jobs.TaskFunc(f))
}
