package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/jobs"
	"github.com/kalamlake/kalam/jobs/jobstest"
)

// TestResume ends a runner in the middle of its jobs and lets another one finish
// them.
func TestResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := newRecords()
		var cause error
		first, stop := run(t, rec,
			jobs.Options{Workers: 1, Node: "a", Types: tasks(func(ctx context.Context, h *jobs.Handle) error {
				h.SetResult(`{"files":1}`, "one file")
				<-ctx.Done()
				cause = context.Cause(ctx)
				return ctx.Err()
			})})
		running := jobstest.Submit(t, first, kalam.Job{Key: "k"})
		time.Sleep(time.Second)
		waiting := jobstest.Submit(t, first, kalam.Job{})
		synctest.Wait()
		stop()
		if !errors.Is(cause, jobs.ErrStopping) {
			t.Errorf("cause %v", cause)
		}
		if _, err := first.Wait(t.Context(), running.ID); kalam.CodeOf(err) != kalam.CodeShuttingDown {
			t.Errorf("wait at the end of the runner: %v", err)
		}
		if _, _, err := first.Submit(t.Context(),
			kalam.Job{Kind: kindFlush}); kalam.CodeOf(err) != kalam.CodeShuttingDown {
			t.Errorf("submit at the end of the runner: %v", err)
		}
		if err := first.Run(t.Context()); err == nil {
			t.Error("a runner ran twice")
		}
		if j, _, _ := rec.Job(t.Context(), running.ID); j.Status != kalam.JobRunning || j.Result != `{"files":1}` {
			t.Errorf("interrupted job %+v", j)
		}

		var results []string
		second := jobs.NewRunner(rec,
			jobs.Options{Node: "b", Workers: 1, Types: tasks(func(_ context.Context, h *jobs.Handle) error {
				results = append(results, h.Job().Result)
				h.SetResult(h.Job().Result, "two files")
				return nil
			})})
		if list := second.Resumed(); len(list) != 1 || list[0].ID != running.ID {
			t.Errorf("Resumed() = %+v", list)
		}
		if j, existing, err := second.Submit(t.Context(), kalam.Job{Kind: kindFlush, Key: "k"}); err != nil ||
			!existing || j.ID != running.ID {
			t.Errorf("submit of a resumed key: %+v, %v, %v", j, existing, err)
		}
		defer jobstest.Run(t, second)()
		a, b := jobstest.Wait(t, second, running.ID), jobstest.Wait(t, second, waiting.ID)
		if a.Status != kalam.JobCompleted || a.Message != "two files; resumed after restart" || a.Trace != "b:1" ||
			a.Retries != 0 {
			t.Errorf("resumed job %+v", a)
		}
		if b.Status != kalam.JobCompleted || strings.Contains(b.Message, "resumed") {
			t.Errorf("job that had not started %+v", b)
		}
		if strings.Join(results, "|") != `{"files":1}|` {
			t.Errorf("results that the tasks saw: %q", results)
		}
		if list := second.Resumed(); len(list) != 0 {
			t.Errorf("Resumed() at the end = %+v", list)
		}
		if h := rec.history(running.ID); h != "pending running completed" {
			t.Errorf("states %s", h)
		}
	})
}

// TestResumeAfterCrash starts from the records that a crash leaves.
func TestResumeAfterCrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		at := func(minute int) time.Time { return time.Date(1999, 12, 31, 23, minute, 0, 0, time.UTC) }
		rec := newRecords(
			kalam.Job{ID: "FL-3", Kind: kindFlush, Status: kalam.JobPending, CreatedAt: at(3)},
			kalam.Job{ID: "FL-2", Kind: kindFlush, Status: kalam.JobRetrying, Retries: 2, MaxRetries: 3,
				CreatedAt: at(2), StartedAt: at(2)},
			kalam.Job{ID: "FL-1", Kind: kindFlush, Status: kalam.JobRunning, MaxRetries: 3, CreatedAt: at(1),
				StartedAt: at(1)},
			kalam.Job{ID: "XX-1", Kind: "XX", Status: kalam.JobRunning, MaxRetries: 3, CreatedAt: at(4)},
			kalam.Job{ID: "FL-0", Kind: kindFlush, Status: kalam.JobCompleted, CreatedAt: at(0)},
		)
		var order []kalam.JobID
		runner, stop := run(t, rec,
			jobs.Options{Workers: 1, Types: tasks(func(_ context.Context, h *jobs.Handle) error {
				order = append(order, h.Job().ID)
				return errors.New("boom")
			})})
		defer stop()
		for _, id := range []kalam.JobID{"FL-1", "FL-2", "FL-3"} {
			if j := jobstest.Wait(t, runner, id); j.Status != kalam.JobFailed {
				t.Errorf("job %+v", j)
			}
		}
		if len(order) < 3 || order[0] != "FL-1" || order[1] != "FL-2" || order[2] != "FL-3" {
			t.Errorf("order %v, want the oldest first", order)
		}
		if j := jobstest.Wait(t, runner, "FL-2"); j.Retries != 3 || !j.StartedAt.Equal(at(2)) ||
			j.Message != "resumed after restart" {
			t.Errorf("job that waited for a retry %+v", j)
		}
		if j := jobstest.Wait(t, runner, "XX-1"); j.Status != kalam.JobFailed || j.Error == "" {
			t.Errorf("job of an unknown kind %+v", j)
		}
	})
}

func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := newRecords()
		var order []string
		runner, stop := run(t, rec,
			jobs.Options{Workers: 1, Types: tasks(func(ctx context.Context, h *jobs.Handle) error {
				j := h.Job()
				order = append(order, fmt.Sprintf("%s/%d", j.Parameters, j.Retries))
				time.Sleep(time.Second)
				if j.Parameters == "retried" && j.Retries == 0 || j.Parameters == "bad" {
					return errors.New("boom")
				}
				return nil
			})})
		defer stop()
		jobstest.Submit(t, runner, kalam.Job{Parameters: "active"})
		jobstest.Submit(t, runner, kalam.Job{Parameters: "retried"})
		drained := make(chan error, 1)
		go func() {
			drained <- runner.Drain(t.Context(), func() []kalam.Job {
				order = append(order, "final")
				return []kalam.Job{{Kind: kindFlush, Parameters: "last"},
					{Kind: kindFlush, Parameters: "bad", MaxRetries: -1}}
			})
		}()
		synctest.Wait()
		if _, _, err := runner.Submit(t.Context(),
			kalam.Job{Kind: kindFlush}); kalam.CodeOf(err) != kalam.CodeShuttingDown {
			t.Errorf("submit during Drain: %v", err)
		}
		err := <-drained
		if err == nil || !strings.Contains(err.Error(), "failed: boom") || strings.Count(err.Error(), "job FL-") != 1 {
			t.Errorf("Drain: %v", err)
		}
		if got := strings.Join(order, " "); got != "active/0 retried/0 retried/1 final last/0 bad/0" {
			t.Errorf("order %s", got)
		}
		if list := rec.ActiveJobs(); len(list) != 0 {
			t.Errorf("active after Drain: %+v", list)
		}
	})
}

// TestDrainTimesOut checks that what is not done in time stays for the next start.
func TestDrainTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := newRecords()
		runner, stop := run(t, rec,
			jobs.Options{Types: tasks(func(ctx context.Context,
				_ *jobs.Handle) error {
				<-ctx.Done()
				return ctx.Err()
			})})
		j := jobstest.Submit(t, runner, kalam.Job{})
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Second)
		defer cancel()
		start := time.Now()
		err := runner.Drain(ctx, func() []kalam.Job { t.Error("final was called"); return nil })
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 300*time.Second {
			t.Errorf("Drain: %v after %s", err, time.Since(start))
		}
		stop()
		if got, _, _ := rec.Job(t.Context(), j.ID); got.Status != kalam.JobRunning {
			t.Errorf("job %+v", got)
		}
		if err := runner.Drain(t.Context(), nil); kalam.CodeOf(err) != kalam.CodeShuttingDown {
			t.Errorf("Drain of an ended runner: %v", err)
		}
	})
}

// TestRecordsFail checks what follows when a record cannot be stored.
func TestRecordsFail(t *testing.T) {
	failing := func(s kalam.JobStatus) func(kalam.Job) bool { return func(j kalam.Job) bool { return j.Status == s } }
	t.Run("at the submission", func(t *testing.T) {
		rec := newRecords()
		rec.setFail(failing(kalam.JobPending))
		runner := jobs.NewRunner(rec, jobs.Options{Types: tasks(nil)})
		if _, _, err := runner.Submit(t.Context(), kalam.Job{Kind: kindFlush, Key: "k"}); !errors.Is(err, errDisk) {
			t.Errorf("submit: %v", err)
		}
		rec.setFail(nil)
		jobstest.Submit(t, runner, kalam.Job{Key: "k"}) // Nothing holds the key.
	})
	t.Run("at the start", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			rec := newRecords()
			rec.setFail(failing(kalam.JobRunning))
			ran := 0
			runner, stop := run(t, rec,
				jobs.Options{Types: tasks(func(context.Context, *jobs.Handle) error { ran++; return nil })})
			defer stop()
			j := jobstest.Submit(t, runner, kalam.Job{})
			time.Sleep(time.Second)
			if ran != 0 {
				t.Error("a job ran whose record could not be stored")
			}
			rec.setFail(nil)
			if got := jobstest.Wait(t, runner, j.ID); got.Status != kalam.JobCompleted || ran != 1 {
				t.Errorf("job %+v ran %d times", got, ran)
			}
		})
	})
	t.Run("at the end", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			rec := newRecords()
			rec.setFail(failing(kalam.JobCompleted))
			ran := 0
			runner, stop := run(t, rec,
				jobs.Options{Types: tasks(func(context.Context, *jobs.Handle) error { ran++; return nil })})
			defer stop()
			j := jobstest.Submit(t, runner, kalam.Job{})
			time.Sleep(time.Minute)
			if got, _ := runner.Status(t.Context(), j.ID); got.Status != kalam.JobRunning {
				t.Errorf("job %+v", got)
			}
			rec.setFail(nil)
			if got := jobstest.Wait(t, runner, j.ID); got.Status != kalam.JobCompleted || ran != 1 {
				t.Errorf("job %+v ran %d times", got, ran)
			}
		})
	})
	t.Run("at the end, until the runner stops", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			rec := newRecords()
			rec.setFail(failing(kalam.JobCompleted))
			runner, stop := run(t, rec,
				jobs.Options{Types: tasks(func(context.Context, *jobs.Handle) error { return nil })})
			j := jobstest.Submit(t, runner, kalam.Job{})
			synctest.Wait()
			stop()
			if got, _, _ := rec.Job(t.Context(), j.ID); got.Status != kalam.JobRunning {
				t.Errorf("job %+v", got)
			}
		})
	})
	t.Run("at Cancel", func(t *testing.T) {
		rec := newRecords()
		runner := jobs.NewRunner(rec,
			jobs.Options{Types: tasks(func(context.Context, *jobs.Handle) error { return nil })})
		j := jobstest.Submit(t, runner, kalam.Job{})
		rec.setFail(failing(kalam.JobCancelled))
		if err := runner.Cancel(t.Context(), j.ID); !errors.Is(err, errDisk) {
			t.Errorf("Cancel: %v", err)
		}
		defer jobstest.Run(t, runner)()
		if got := jobstest.Wait(t, runner, j.ID); got.Status != kalam.JobCompleted {
			t.Errorf("job that could not be cancelled: %+v", got)
		}
	})
}
