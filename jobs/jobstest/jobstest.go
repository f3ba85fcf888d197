// Package jobstest runs jobs in tests.
package jobstest

import (
	"context"
	"sync"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/jobs"
)

// Kind is the kind of a job that names none.
const Kind kalam.JobKind = "FL"

// Run starts a runner. stop, which may be called again, ends it and waits.
func Run(t *testing.T, runner *jobs.Runner) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- runner.Run(ctx) }()
	return sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

// Only returns the one type of jobs whose task is task.
func Only(task jobs.Task) []jobs.Type {
	return []jobs.Type{{Kind: Kind, Name: "flush", Task: func(kalam.Job) jobs.Task { return task }}}
}

// Submit submits a job that must be new.
func Submit(t *testing.T, r *jobs.Runner, j kalam.Job) kalam.Job {
	t.Helper()
	if j.Kind == "" {
		j.Kind = Kind
	}
	got, existing, err := r.Submit(t.Context(), j)
	if err != nil || existing {
		t.Fatalf("submit: existing %v, %v", existing, err)
	}
	return got
}

// Wait returns a job once it has ended.
func Wait(t *testing.T, r *jobs.Runner, id kalam.JobID) kalam.Job {
	t.Helper()
	j, err := r.Wait(t.Context(), id)
	if err != nil {
		t.Fatalf("wait for %s: %v", id, err)
	}
	return j
}
