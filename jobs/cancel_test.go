package jobs_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/jobs"
	"github.com/kalamlake/kalam/jobs/jobstest"
)

func TestCancelWaiting(t *testing.T) {
	rec := newRecords()
	ran := false
	runner := jobs.NewRunner(rec,
		jobs.Options{Types: tasks(func(context.Context, *jobs.Handle) error { ran = true; return nil })})
	j := jobstest.Submit(t, runner, kalam.Job{Key: "k"})
	if err := runner.Cancel(t.Context(), j.ID); err != nil {
		t.Fatal(err)
	}
	got, err := runner.Status(t.Context(), j.ID)
	if err != nil || got.Status != kalam.JobCancelled || got.FinishedAt.IsZero() || !got.StartedAt.IsZero() {
		t.Errorf("job %+v, %v", got, err)
	}
	if h := rec.history(j.ID); h != "pending cancelled" {
		t.Errorf("states %s", h)
	}
	next := jobstest.Submit(t, runner, kalam.Job{Key: "k"}) // The key is free.
	if err := runner.Cancel(t.Context(), next.ID); err != nil {
		t.Fatal(err)
	}
	jobstest.Run(t, runner)()
	if ran {
		t.Error("a cancelled job ran")
	}
	if err := runner.Cancel(t.Context(), j.ID); kalam.CodeOf(err) != kalam.CodeInvalidOperation ||
		err.Error() != "Cannot cancel job in status 'cancelled'" {
		t.Errorf("second Cancel: %v", err)
	}
}

func TestCancelRunning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := newRecords()
		var cause error
		runner, stop := run(t, rec, jobs.Options{Types: tasks(func(ctx context.Context, h *jobs.Handle) error {
			h.SetResult(`{"half":true}`, "half")
			<-ctx.Done()
			cause = context.Cause(ctx)
			time.Sleep(time.Second) // To tidy up.
			return ctx.Err()
		})})
		defer stop()
		j, other := jobstest.Submit(t, runner, kalam.Job{Key: "k"}), jobstest.Submit(t, runner, kalam.Job{})
		synctest.Wait()
		start := time.Now()
		var work sync.WaitGroup
		for range 3 { // All callers get the same answer.
			work.Go(func() {
				if err := runner.Cancel(t.Context(), j.ID); err != nil {
					t.Error(err)
				}
			})
		}
		work.Wait()
		if took := time.Since(start); took != time.Second {
			t.Errorf("Cancel took %s", took)
		}
		got := jobstest.Wait(t, runner, j.ID)
		if got.Status != kalam.JobCancelled || got.Result != `{"half":true}` || got.Error != "" ||
			!errors.Is(cause, jobs.ErrCancelled) {
			t.Errorf("job %+v, cause %v", got, cause)
		}
		if o, _ := runner.Status(t.Context(), other.ID); o.Status != kalam.JobRunning {
			t.Errorf("the other job is %s", o.Status)
		}
		if h := rec.history(j.ID); h != "pending running cancelled" {
			t.Errorf("states %s", h)
		}
	})
}

// TestCancelStubborn cancels a task that does not end: the record says so within
// CancelWait, and worker and key stay taken.
func TestCancelStubborn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := newRecords()
		gate := make(chan struct{})
		tries := 0
		runner, stop := run(t, rec, jobs.Options{Types: tasks(func(_ context.Context, h *jobs.Handle) error {
			if tries++; tries > 1 {
				return nil
			}
			<-gate
			h.SetResult("{}", "too late")
			return errors.New("too late")
		})})
		defer stop()
		j := jobstest.Submit(t, runner, kalam.Job{Key: "k"})
		synctest.Wait()
		start := time.Now()
		if err := runner.Cancel(t.Context(), j.ID); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took != jobs.DefaultCancelWait {
			t.Errorf("Cancel took %s", took)
		}
		if got := jobstest.Wait(t, runner, j.ID); got.Status != kalam.JobCancelled ||
			got.FinishedAt.Sub(start) != jobs.DefaultCancelWait {
			t.Errorf("job %+v", got)
		}
		next := jobstest.Submit(t, runner, kalam.Job{Key: "k"})
		synctest.Wait()
		if got, _ := runner.Status(t.Context(), next.ID); got.Status != kalam.JobPending {
			t.Errorf("two tasks of one key at a time: the second job is %s", got.Status)
		}
		close(gate)
		if got := jobstest.Wait(t, runner, next.ID); got.Status != kalam.JobCompleted {
			t.Errorf("next job %+v", got)
		}
		if got, _ := runner.Status(t.Context(), j.ID); got.Status != kalam.JobCancelled || got.Message != "" {
			t.Errorf("cancelled job was changed by its task: %+v", got)
		}
	})
}

func TestCancelRetrying(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := newRecords()
		runner, stop := run(t, rec, jobs.Options{
			Backoff: func(int) time.Duration { return time.Hour },
			Types:   tasks(func(context.Context, *jobs.Handle) error { return errors.New("boom") }),
		})
		defer stop()
		j := jobstest.Submit(t, runner, kalam.Job{})
		synctest.Wait()
		start := time.Now()
		if err := runner.Cancel(t.Context(), j.ID); err != nil || time.Since(start) != 0 {
			t.Errorf("Cancel: %v after %s", err, time.Since(start))
		}
		if h := rec.history(j.ID); h != "pending running retrying running cancelled" {
			t.Errorf("states %s", h)
		}
	})
}

// TestCancelBetweenTries cancels a job just when the failure of a try is stored:
// the next try does not start.
func TestCancelBetweenTries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := newRecords()
		storing, gate := make(chan struct{}), make(chan struct{})
		rec.setFail(func(j kalam.Job) bool {
			if j.Status == kalam.JobRetrying {
				close(storing)
				<-gate
			}
			return false
		})
		tries := 0
		runner, stop := run(t, rec, jobs.Options{
			Backoff: func(int) time.Duration { return time.Hour },
			Types: tasks(func(ctx context.Context, _ *jobs.Handle) error {
				if tries++; tries > 1 {
					<-ctx.Done()
				}
				return errors.New("boom")
			}),
		})
		defer stop()
		j := jobstest.Submit(t, runner, kalam.Job{})
		<-storing
		start := time.Now()
		go func() {
			time.Sleep(time.Second) // Cancel waits by now.
			close(gate)
		}()
		if err := runner.Cancel(t.Context(), j.ID); err != nil {
			t.Error(err)
		}
		if took := time.Since(start); took != time.Second {
			t.Errorf("Cancel took %s", took)
		}
		if tries != 1 {
			t.Errorf("%d tries", tries)
		}
		if h := rec.history(j.ID); h != "pending running retrying running cancelled" {
			t.Errorf("states %s", h)
		}
	})
}

func TestCancelLosesToTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		runner, stop := run(t, newRecords(), jobs.Options{Types: tasks(func(ctx context.Context, _ *jobs.Handle) error {
			<-ctx.Done()
			return nil // It was done anyway.
		})})
		defer stop()
		j := jobstest.Submit(t, runner, kalam.Job{})
		synctest.Wait()
		err := runner.Cancel(t.Context(), j.ID)
		if kalam.CodeOf(err) != kalam.CodeInvalidOperation || err.Error() != "Cannot cancel job in status 'completed'" {
			t.Errorf("Cancel: %v", err)
		}
	})
}

// TestCancelObeysItsContext checks that the caller can give up waiting.
func TestCancelObeysItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		runner, stop := run(t, newRecords(),
			jobs.Options{Types: tasks(func(context.Context, *jobs.Handle) error { <-gate; return nil })})
		defer stop()
		defer close(gate)
		j := jobstest.Submit(t, runner, kalam.Job{})
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		if err := runner.Cancel(ctx, j.ID); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Cancel: %v", err)
		}
		if _, err := runner.Wait(ctx, j.ID); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Wait: %v", err)
		}
	})
}

// TestCancelRace cancels jobs at every moment of their life: whenever Cancel
// reports success, no task of the job runs and none starts.
func TestCancelRace(t *testing.T) {
	var running sync.Map // Of job ids.
	rec := newRecords()
	runner, stop := run(t, rec, jobs.Options{
		MaxRetries: 1000, Backoff: func(int) time.Duration { return 0 }, CancelWait: time.Minute,
		Types: tasks(func(ctx context.Context, h *jobs.Handle) error {
			id := h.Job().ID
			running.Store(id, true)
			defer running.Delete(id)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return errors.New("again")
		}),
	})
	defer stop()
	var work sync.WaitGroup
	var cancelled atomic.Int32
	for i := range 4 {
		work.Go(func() {
			for k := range 100 {
				j, _, err := runner.Submit(t.Context(), kalam.Job{Kind: kindFlush})
				if err != nil {
					t.Error(err)
					return
				}
				for n := 0; n < (i*100+k)%50; n++ { // Some moment.
					if s, _ := runner.Status(t.Context(), j.ID); s.Status.Done() {
						break
					}
				}
				err = runner.Cancel(t.Context(), j.ID)
				if kalam.CodeOf(err) == kalam.CodeInvalidOperation {
					continue // All tries were used up.
				}
				if err != nil {
					t.Error(err)
				}
				cancelled.Add(1)
				if _, ok := running.Load(j.ID); ok {
					t.Errorf("task of job %s runs after Cancel", j.ID)
				}
				if s, _ := runner.Status(t.Context(), j.ID); s.Status != kalam.JobCancelled {
					t.Errorf("job is %s after Cancel", s.Status)
				}
			}
		})
	}
	work.Wait()
	t.Logf("%d of 400 jobs cancelled", cancelled.Load())
}
