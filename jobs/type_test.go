package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/jobs"
	"github.com/kalamlake/kalam/jobs/jobstest"
)

// TestType checks what a type says of its jobs: key, tries, name, schedule and recovery.
func TestType(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var recovered []string
		var due atomic.Int32
		fails := jobs.TaskFunc(func(context.Context, *jobs.Handle) error { return errors.New("boom") })
		types := []jobs.Type{
			{
				Kind: "AA", Name: "first", MaxRetries: 2, Task: func(kalam.Job) jobs.Task { return fails },
				Key:      func(j kalam.Job) string { return fmt.Sprintf("first-%d", j.Number) },
				Recover:  func(context.Context) error { recovered = append(recovered, "first"); return nil },
				Schedule: "@every 1h", Due: func(context.Context) { due.Add(1) },
			},
			{Kind: "BB", Name: "second", MaxRetries: -1, Task: func(kalam.Job) jobs.Task { return fails }},
			{
				Kind: "CC", Name: "third", Task: func(kalam.Job) jobs.Task { return fails },
				Recover: func(context.Context) error { recovered = append(recovered, "third"); return nil },
			},
		}
		runner := jobs.NewRunner(newRecords(), jobs.Options{Types: types, MaxRetries: 1})
		if err := runner.ScheduleTypes(); err != nil {
			t.Fatal(err)
		}
		if err := runner.Recover(t.Context()); err != nil || !slices.Equal(recovered, []string{"first", "third"}) {
			t.Errorf("recovered %v, %v", recovered, err)
		}
		stop := jobstest.Run(t, runner)
		defer stop()
		for _, tt := range []struct {
			job   kalam.Job
			key   string
			tries int
		}{
			{kalam.Job{Kind: "AA", Number: 7}, "first-7", 2},
			{kalam.Job{Kind: "AA", Key: "own", MaxRetries: 3}, "own", 3},
			{kalam.Job{Kind: "AA", MaxRetries: -1, Number: 8}, "first-8", 0},
			{kalam.Job{Kind: "BB"}, "", 0},
			{kalam.Job{Kind: "CC"}, "", 1},
		} {
			j := jobstest.Wait(t, runner, jobstest.Submit(t, runner, tt.job).ID)
			if j.Key != tt.key || j.MaxRetries != tt.tries || j.Retries != tt.tries {
				t.Errorf("job %+v has the key %q and ended after %d of %d retries, want %q and %d",
					tt.job, j.Key, j.Retries, j.MaxRetries, tt.key, tt.tries)
			}
		}
		if a, b := runner.TypeName("BB"), runner.TypeName("XX"); a != "second" || b != "XX" {
			t.Errorf("names %q and %q", a, b)
		}
		time.Sleep(2*time.Hour + time.Minute)
		synctest.Wait()
		if n := due.Load(); n != 2 {
			t.Errorf("due %d times in two hours", n)
		}
	})
}

// TestTypesThatFail checks the errors that name a type.
func TestTypesThatFail(t *testing.T) {
	broken := errors.New("broken")
	r := jobs.NewRunner(newRecords(), jobs.Options{Types: []jobs.Type{
		{Kind: "AA", Name: "first", Schedule: "nonsense", Recover: func(context.Context) error { return broken }},
	}})
	if err := r.ScheduleTypes(); kalam.CodeOf(err) != kalam.CodeInvalidInput ||
		!strings.Contains(err.Error(), "type first") {
		t.Errorf("schedule: %v", err)
	}
	if err := r.Recover(t.Context()); !errors.Is(err, broken) || !strings.Contains(err.Error(), "type first") {
		t.Errorf("recover: %v", err)
	}
}
