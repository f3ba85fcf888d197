package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/jobs"
	"github.com/kalamlake/kalam/jobs/jobstest"
)

func TestCanChange(t *testing.T) {
	all := []kalam.JobStatus{
		kalam.JobPending, kalam.JobRunning, kalam.JobRetrying, kalam.JobCompleted, kalam.JobFailed, kalam.JobCancelled,
		kalam.JobSkipped,
	}
	possible := map[string]bool{
		"pending>running": true, "running>completed": true, "running>failed": true, "running>cancelled": true,
		"running>skipped":  true,
		"running>retrying": true, "retrying>running": true, "pending>cancelled": true,
	}
	for _, from := range all {
		for _, to := range all {
			name := fmt.Sprintf("%s>%s", from, to)
			if got := jobs.CanChange(from, to); got != possible[name] {
				t.Errorf("CanChange(%s) = %v", name, got)
			}
		}
	}
}

// TestLife follows one job from its submission to its end.
func TestLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := newRecords()
		var seen kalam.Job
		runner, stop := run(t, rec,
			jobs.Options{Node: "n1", Workers: 1, Types: tasks(func(ctx context.Context, h *jobs.Handle) error {
				seen, _, _ = rec.Job(ctx, h.Job().ID)
				time.Sleep(time.Minute)
				h.SetProgress("half")
				time.Sleep(time.Minute)
				h.SetResult(`{"n":1}`, "done")
				return nil
			})})
		defer stop()
		params := strings.Repeat(`{"k":"é\u0000'\""}`, 10_000)
		start := time.Now().UTC()
		j := jobstest.Submit(t, runner, kalam.Job{
			Kind: kindFlush, Namespace: "app", Table: "t", Number: 7, Parameters: params,
			ID: "mine", Status: kalam.JobFailed, Retries: 9, FinishedAt: start, // Not the caller's to set.
		})
		if !regexp.MustCompile(`^FL-[0-9a-f]{12}$`).MatchString(string(j.ID)) {
			t.Errorf("id %q", j.ID)
		}
		if j.Status != kalam.JobPending || j.Retries != 0 || !j.FinishedAt.IsZero() || !j.CreatedAt.Equal(start) ||
			j.MaxRetries != jobs.DefaultMaxRetries {
			t.Errorf("submitted job %+v", j)
		}
		got := jobstest.Wait(t, runner, j.ID)
		if seen.Status != kalam.JobRunning || !seen.StartedAt.Equal(start) || seen.Trace != "n1:1" {
			t.Errorf("record while the task runs: %+v", seen)
		}
		end := start.Add(2 * time.Minute)
		if got.Status != kalam.JobCompleted || got.Result != `{"n":1}` || got.Message != "done" ||
			got.Progress != "half" ||
			!got.FinishedAt.Equal(end) || !got.UpdatedAt.Equal(end) || got.Parameters != params || got.Number != 7 ||
			got.Error != "" {
			t.Errorf("finished job %+v", got)
		}
		if got.CPUUsed <= 0 || got.MemoryUsed < 0 {
			t.Errorf("metrics: cpu %d, memory %d", got.CPUUsed, got.MemoryUsed)
		}
		if h := rec.history(j.ID); h != "pending running completed" {
			t.Errorf("states %s", h)
		}
		if status, err := runner.Status(t.Context(), j.ID); err != nil || status != got {
			t.Errorf("status %+v, %v", status, err)
		}
	})
}

// TestOutcomes checks what the error of a task makes of its job.
func TestOutcomes(t *testing.T) {
	boom := errors.New("boom")
	tests := []struct {
		name    string
		retries int // Of the job; 0 is the option's.
		run     func(try int) error
		states  string
		check   func(j kalam.Job) bool
	}{
		{"success", 0, func(int) error { return nil }, "pending running completed",
			func(j kalam.Job) bool { return j.Retries == 0 }},
		{"skip", 0, func(int) error { return fmt.Errorf("wrapped: %w", jobs.Skip("nothing to do")) },
			"pending running skipped",
			func(j kalam.Job) bool { return j.Message == "nothing to do" && j.Error == "" }},
		{"permanent", 0, func(int) error { return jobs.Permanent(boom) }, "pending running failed",
			func(j kalam.Job) bool { return j.Error == "boom" && j.Retries == 0 }},
		{"panic", 0, func(int) error { panic("at the disco") }, "pending running failed", func(j kalam.Job) bool {
			return j.Error == "panic: at the disco" && strings.Contains(j.Exception, "TestOutcomes") && j.Retries == 0
		}},
		{"second try", 0, func(try int) error {
			if try == 1 {
				return boom
			}
			return nil
		}, "pending running retrying running completed",
			func(j kalam.Job) bool { return j.Retries == 1 && j.Error == "" }},
		{"all tries", 0, func(int) error { return boom },
			"pending running retrying running retrying running retrying running failed",
			func(j kalam.Job) bool { return j.Retries == 3 && j.MaxRetries == 3 && j.Error == "boom" }},
		{"one retry", 1, func(int) error { return boom }, "pending running retrying running failed",
			func(j kalam.Job) bool { return j.Retries == 1 }},
		{"no retry", -1, func(int) error { return boom }, "pending running failed",
			func(j kalam.Job) bool { return j.Retries == 0 && j.MaxRetries == 0 }},
		{"panic on a retry", 0, func(try int) error {
			if try == 1 {
				return boom
			}
			panic(boom)
		}, "pending running retrying running failed", func(j kalam.Job) bool { return j.Error == "panic: boom" }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rec, try := newRecords(), 0
				runner, stop := run(t, rec, jobs.Options{Types: tasks(func(context.Context, *jobs.Handle) error {
					try++
					return tt.run(try)
				})})
				defer stop()
				j := jobstest.Wait(t, runner, jobstest.Submit(t, runner, kalam.Job{MaxRetries: tt.retries}).ID)
				if h := rec.history(j.ID); h != tt.states {
					t.Errorf("states %s, want %s", h, tt.states)
				}
				if !tt.check(j) || j.FinishedAt.IsZero() {
					t.Errorf("job %+v", j)
				}
			})
		})
	}
}

// TestBackoff checks the pauses before the retries, and that a job that waits for
// one holds no worker.
func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tries []time.Duration
		start := time.Now()
		other := 0
		all := tasks(func(context.Context, *jobs.Handle) error {
			tries = append(tries, time.Since(start))
			return errors.New("boom")
		})
		all = append(all, jobs.Type{Kind: kindCompact, Name: "compact", Task: func(kalam.Job) jobs.Task {
			return jobs.TaskFunc(func(context.Context, *jobs.Handle) error { other++; return nil })
		}})
		runner, stop := run(t, newRecords(), jobs.Options{Workers: 1, MaxRetries: 10, Types: all})
		defer stop()
		j := jobstest.Submit(t, runner, kalam.Job{})
		synctest.Wait()
		if got := jobstest.Wait(t, runner,
			jobstest.Submit(t, runner,
				kalam.Job{Kind: kindCompact}).ID); got.FinishedAt.Sub(start) > 50*time.Millisecond {
			t.Errorf("the other job ended after %s", got.FinishedAt.Sub(start))
		}
		jobstest.Wait(t, runner, j.ID)
		// Milliseconds; a pause is at most 30 s.
		want := []time.Duration{0, 100, 300, 700, 1500, 3100, 6300, 12_700, 25_500, 55_500, 85_500}
		if len(tries) != len(want) {
			t.Fatalf("tries at %v", tries)
		}
		for i := range want {
			if tries[i] != want[i]*time.Millisecond {
				t.Errorf("try %d at %s, want %dms", i, tries[i], want[i])
			}
		}
		if other != 1 {
			t.Errorf("other job ran %d times", other)
		}
	})
}

// TestIdempotencyKey checks that a key has one active job, whoever asks.
func TestIdempotencyKey(t *testing.T) {
	rec := newRecords()
	gate := make(chan struct{})
	var running, most atomic.Int32
	runner, stop := run(t, rec, jobs.Options{Types: tasks(func(context.Context, *jobs.Handle) error {
		most.Store(max(most.Load(), running.Add(1)))
		<-gate
		running.Add(-1)
		return nil
	})})
	defer stop()
	var work sync.WaitGroup
	var created atomic.Int32
	ids := make([]kalam.JobID, 20)
	for i := range ids {
		work.Go(func() {
			j, existing, err := runner.Submit(t.Context(), kalam.Job{Kind: kindFlush, Key: "flush:7"})
			if err != nil {
				t.Error(err)
			}
			if !existing {
				created.Add(1)
			}
			ids[i] = j.ID
		})
	}
	work.Wait()
	for _, id := range ids {
		if id != ids[0] {
			t.Errorf("ids %v", ids)
			break
		}
	}
	if created.Load() != 1 || rec.count() > 2 {
		t.Errorf("%d created, %d records written", created.Load(), rec.count())
	}
	other := jobstest.Submit(t, runner, kalam.Job{Key: "flush:8"}) // Another key is another job.
	close(gate)
	jobstest.Wait(t, runner, ids[0])
	jobstest.Wait(t, runner, other.ID)
	if again := jobstest.Submit(t, runner, kalam.Job{Key: "flush:7"}); again.ID == ids[0] {
		t.Error("a finished job holds its key")
	} else {
		jobstest.Wait(t, runner, again.ID)
	}
	if most.Load() > 2 {
		t.Errorf("%d tasks at a time for two keys", most.Load())
	}
}

// TestWorkersAndPriority checks the bound on workers and who starts first.
func TestWorkersAndPriority(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		var mu sync.Mutex
		var order []string
		runner := jobs.NewRunner(newRecords(),
			jobs.Options{Workers: 2, Types: tasks(func(_ context.Context, h *jobs.Handle) error {
				mu.Lock()
				order = append(order, h.Job().Parameters)
				mu.Unlock()
				<-gate
				return nil
			})})
		var ids []kalam.JobID
		for i, priority := range []int{0, 0, 5, 0, 9, 5} { // Before Run: nothing starts yet.
			ids = append(ids, jobstest.Submit(t, runner,
				kalam.Job{Priority: priority, Parameters: fmt.Sprintf("%d#%d", priority, i)}).ID)
			time.Sleep(time.Second)
		}
		stop := jobstest.Run(t, runner)
		defer stop()
		synctest.Wait()
		slices.Sort(order) // The first two start together.
		for i := range ids {
			if want := min(i+2, len(ids)); len(order) != want {
				t.Errorf("%d tasks started after %d ended, want %d", len(order), i, want)
			}
			gate <- struct{}{}
			synctest.Wait()
		}
		if got := strings.Join(order, " "); got != "5#2 9#4 5#5 0#0 0#1 0#3" {
			t.Errorf("order %s", got)
		}
	})
}

func TestSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // Starts on 2000-01-01 at midnight UTC.
		runner := jobs.NewRunner(newRecords(), jobs.Options{})
		var daily []string
		slow, runs := 0, 0
		schedule := func(spec string, f func(context.Context)) (remove func()) {
			t.Helper()
			remove, err := runner.Schedule(spec, f)
			if err != nil {
				t.Fatal(err)
			}
			return remove
		}
		schedule("30 3 * * *", func(context.Context) { daily = append(daily, time.Now().UTC().Format("01-02 15:04")) })
		schedule("@every 1h", func(ctx context.Context) { // Takes longer than its pause.
			slow++
			select {
			case <-time.After(90 * time.Minute):
				runs++
			case <-ctx.Done():
			}
		})
		schedule("@every 20h", func(context.Context) { panic("oops") })
		for _, spec := range []string{"", "nonsense", "61 * * * *", "* * * * * *"} {
			if _, err := runner.Schedule(spec, func(context.Context) {}); kalam.CodeOf(err) != kalam.CodeInvalidInput ||
				!strings.Contains(err.Error(), "'"+spec+"'") {
				t.Errorf("schedule %q: %v", spec, err)
			}
		}
		schedule("@every 1m", func(context.Context) { t.Error("a schedule that was removed before Run is met") })()
		var removed int
		remove := schedule("@every 10h", func(context.Context) { removed++ })
		stop := jobstest.Run(t, runner)
		time.Sleep(25 * time.Hour)
		remove()
		time.Sleep(25*time.Hour + 20*time.Minute)
		stop()
		if removed != 2 {
			t.Errorf("a schedule that was removed after 25 hours was met %d times in 10 hours each", removed)
		}
		if got := strings.Join(daily, ", "); got != "01-01 03:30, 01-02 03:30" {
			t.Errorf("daily at %s", got)
		}
		if slow != 25 || runs != 24 {
			t.Errorf("hourly function started %d times, ended %d times", slow, runs)
		}
		n := slow
		time.Sleep(10 * time.Hour)
		if slow != n {
			t.Error("a schedule goes on after the end of Run")
		}
	})
}

// TestProgressIsThrottled checks that the record is stored at most once a second.
func TestProgressIsThrottled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := newRecords()
		runner, stop := run(t, rec, jobs.Options{Types: tasks(func(ctx context.Context, h *jobs.Handle) error {
			for i := range 1000 {
				h.SetProgress(fmt.Sprint(i))
				time.Sleep(10 * time.Millisecond)
			}
			if j, _, _ := rec.Job(ctx, h.Job().ID); j.Progress != "900" {
				t.Errorf("stored progress %s", j.Progress)
			}
			return nil
		})})
		defer stop()
		j := jobstest.Wait(t, runner, jobstest.Submit(t, runner, kalam.Job{}).ID)
		if j.Progress != "999" {
			t.Errorf("progress %s", j.Progress)
		}
		if n := rec.count(); n != 3+9 { // Three states, and once at each full second.
			t.Errorf("%d records written", n)
		}
	})
}

func TestStatusAndWaitOfUnknown(t *testing.T) {
	runner := jobs.NewRunner(newRecords(), jobs.Options{})
	_, statusErr := runner.Status(t.Context(), "FL-0")
	_, waitErr := runner.Wait(t.Context(), "FL-0")
	for _, err := range []error{statusErr, waitErr, runner.Cancel(t.Context(), "FL-0")} {
		if kalam.CodeOf(err) != kalam.CodeNotFound || err.Error() != "Job 'FL-0' not found" {
			t.Errorf("%v", err)
		}
	}
	if _, _, err := runner.Submit(t.Context(), kalam.Job{Kind: "XX"}); err == nil {
		t.Error("a job without task was taken")
	}
}

// slowEnds shows the final record of a job at once and takes a second, of the
// clock of the synctest bubble, to return.
type slowEnds struct{ *records }

func (s slowEnds) PutJob(ctx context.Context, j kalam.Job) error {
	err := s.records.PutJob(ctx, j)
	if j.Status.Done() {
		time.Sleep(time.Second)
	}
	return err
}

// TestSubmitWhileAnotherEnds submits a job while the end of the last one with its
// key can be read already: it is a new one, and its task runs.
func TestSubmitWhileAnotherEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := newRecords()
		var runs atomic.Int64
		runner := jobs.NewRunner(slowEnds{rec},
			jobs.Options{Workers: 2, Types: tasks(func(context.Context, *jobs.Handle) error {
				runs.Add(1)
				return nil
			})})
		defer jobstest.Run(t, runner)()
		first := jobstest.Submit(t, runner, kalam.Job{Kind: kindFlush, Key: "flush:7"})
		time.Sleep(time.Second / 2)
		if j, _, err := rec.Job(t.Context(), first.ID); err != nil || j.Status != kalam.JobCompleted {
			t.Fatalf("the first job is %s, %v", j.Status, err)
		}
		second, existing, err := runner.Submit(t.Context(), kalam.Job{Kind: kindFlush, Key: "flush:7"})
		if err != nil || existing || second.ID == first.ID {
			t.Errorf("second job %s after %s: existing %v, %v", second.ID, first.ID, existing, err)
		}
		time.Sleep(time.Minute)
		if n := runs.Load(); n != 2 {
			t.Errorf("the task ran %d times, want 2", n)
		}
	})
}
