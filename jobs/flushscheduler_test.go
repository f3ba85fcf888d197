package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/jobs"
	"github.com/kalamlake/kalam/jobs/jobstest"
)

// office is a real runner with a scheduler over a backlog, in a synctest bubble.
type office struct {
	*backlog
	t         *testing.T
	records   *records
	runner    *jobs.Runner
	scheduler *jobs.FlushScheduler
	policies  map[kalam.TableNumber]jobs.FlushPolicy

	mu     sync.Mutex // guards the fields below
	flush  func(try int) (took time.Duration, err error)
	tries  map[kalam.JobID]int
	evicts int
}

// newOffice starts both at a time after the epoch of seqs.
func newOffice(t *testing.T, o jobs.FlushOptions) (f *office, stop func()) {
	t.Helper()
	time.Sleep(time.Until(simulationStart))
	f = &office{
		backlog: newBacklog(), t: t, records: newRecords(), policies: map[kalam.TableNumber]jobs.FlushPolicy{},
		flush: func(int) (time.Duration, error) { return 0, nil }, tries: map[kalam.JobID]int{},
	}
	o.Counters, o.Marks = f.backlog, f.backlog
	if o.Rules.Interval == 0 {
		o.Rules.Rows, o.Rules.Interval = 10_000, 300*time.Second
	}
	o.Policy = func(n kalam.TableNumber) (jobs.FlushPolicy, bool) {
		f.mu.Lock()
		defer f.mu.Unlock()
		p, ok := f.policies[n]
		return p, ok
	}
	o.Evict = func(context.Context) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.evicts++
	}
	o.Submit = func(ctx context.Context, n kalam.TableNumber, by jobs.Trigger) (kalam.JobID, error) {
		j, _, err := f.runner.Submit(ctx, kalam.Job{
			Kind: kindFlush, Number: n, Key: fmt.Sprint("flush-", n), Parameters: string(by),
		})
		return j.ID, err
	}
	f.scheduler = jobs.NewFlushScheduler(o)
	f.runner = jobs.NewRunner(f.records, jobs.Options{Types: tasks(f.task), Ended: f.scheduler.Ended})
	stopRunner := jobstest.Run(t, f.runner)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.scheduler.Run(ctx) }()
	return f, func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		stopRunner()
	}
}

// task flushes what is buffered when it starts.
func (f *office) task(ctx context.Context, h *jobs.Handle) error {
	j := h.Job()
	f.mu.Lock()
	f.tries[j.ID]++
	took, err := f.flush(f.tries[j.ID])
	f.mu.Unlock()
	upTo := f.newest(j.Number)
	select {
	case <-time.After(took):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if err == nil {
		f.backlog.flush(j.Number, upTo)
	}
	return err
}

func (f *office) policy(n kalam.TableNumber, p jobs.FlushPolicy) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.policies[n] = p
}

func (f *office) flushes(how func(try int) (took time.Duration, err error)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.flush = how
}

// jobsOf returns the triggers of the jobs of a table, in order.
func (f *office) jobsOf(n kalam.TableNumber) (list []kalam.Job) {
	f.records.mu.Lock()
	defer f.records.mu.Unlock()
	for _, j := range f.records.jobs {
		if j.Number == n {
			list = append(list, j)
		}
	}
	slices.SortFunc(list, func(a, b kalam.Job) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return list
}

// after lets time pass and compares the jobs of a table: their triggers, by age.
func (f *office) after(d time.Duration, n kalam.TableNumber, want string) {
	f.t.Helper()
	time.Sleep(d)
	synctest.Wait()
	var got []string
	for _, j := range f.jobsOf(n) {
		got = append(got, j.Parameters)
	}
	if text := strings.Join(got, " "); text != want {
		f.t.Errorf("after %s table %d has the jobs %q, want %q", d, n, text, want)
	}
}

// TestScheduledFlushes drives the scheduler with the real runner and a fake clock.
func TestScheduledFlushes(t *testing.T) {
	tests := []struct {
		name string
		o    jobs.FlushOptions
		run  func(t *testing.T, f *office)
	}{
		{"thirty days", jobs.FlushOptions{}, thirtyDays},
		{"an empty table has no job", jobs.FlushOptions{}, func(_ *testing.T, f *office) {
			f.policy(1, jobs.FlushPolicy{Interval: time.Second})
			f.after(24*time.Hour, 1, "")
		}},
		{"rows start within a second of the write", jobs.FlushOptions{}, func(_ *testing.T, f *office) {
			f.policy(1, jobs.FlushPolicy{Rows: 50})
			f.write(1, 49, time.Now())
			f.after(24*time.Hour, 1, "")
			f.write(1, 1, time.Now())
			f.after(time.Second, 1, "rows")
		}},
		{"rows during a flush belong to the next one", jobs.FlushOptions{}, func(_ *testing.T, f *office) {
			f.policy(1, jobs.FlushPolicy{Rows: 50})
			f.flushes(func(int) (time.Duration, error) { return 10 * time.Second, nil })
			f.write(1, 50, time.Now())
			f.after(5*time.Second, 1, "rows")
			f.write(1, 60, time.Now()) // It is over the limit twice by now.
			f.after(0, 1, "rows")
			f.after(6*time.Second, 1, "rows rows")
			f.write(1, 49, time.Now())
			f.after(time.Hour, 1, "rows rows")
		}},
		{"rows many times a second are a flush a second", jobs.FlushOptions{}, func(t *testing.T, f *office) {
			f.policy(1, jobs.FlushPolicy{Rows: 1})
			for range 1000 { // 100 a second.
				f.write(1, 1, time.Now())
				time.Sleep(10 * time.Millisecond)
				if rows, _, oldest := f.TableStats(1); rows > 0 && time.Since(oldest.Time()) > time.Second {
					t.Fatalf("a row is buffered for %s", time.Since(oldest.Time()))
				}
			}
			if n := len(f.jobsOf(1)); n < 10 || n > 11 {
				t.Errorf("%d flushes in 10 s", n)
			}
			time.Sleep(2 * time.Second)
			synctest.Wait()
			if held, queued := f.scheduler.Entries(); held+queued != 0 {
				t.Errorf("%d entries, %d in the queue", held, queued)
			}
		}},
		{"several triggers at once are one job", jobs.FlushOptions{}, func(t *testing.T, f *office) {
			f.policy(1, jobs.FlushPolicy{Rows: 5, Interval: 2 * time.Second, Cron: schedule(t, "@every 2s")})
			f.flushes(func(int) (time.Duration, error) { return 5 * time.Second, nil })
			f.write(1, 1, time.Now())
			f.after(1900*time.Millisecond, 1, "")
			f.write(1, 4, time.Now())
			f.after(time.Hour, 1, "rows")
		}},
		{"a manual flush counts", jobs.FlushOptions{}, func(t *testing.T, f *office) {
			f.policy(1, jobs.FlushPolicy{Interval: 10 * time.Second})
			f.write(1, 1, time.Now())
			f.after(5*time.Second, 1, "")
			jobstest.Submit(t, f.runner, kalam.Job{Number: 1, Key: "flush-1", Parameters: "manual"})
			f.after(time.Second, 1, "manual")
			f.write(1, 1, time.Now())
			f.after(9*time.Second, 1, "manual")
			f.after(2*time.Second, 1, "manual interval")
		}},
		{"a changed policy counts at once", jobs.FlushOptions{}, func(_ *testing.T, f *office) {
			f.policy(1, jobs.FlushPolicy{Manual: true})
			f.write(1, 10, time.Now())
			f.after(24*time.Hour, 1, "")
			f.policy(1, jobs.FlushPolicy{Rows: 10})
			f.scheduler.Changed(1)
			f.after(time.Second, 1, "rows")
			f.write(1, 9, time.Now())
			f.after(time.Hour, 1, "rows")
			f.policy(1, jobs.FlushPolicy{Interval: time.Second})
			f.scheduler.Changed(1)
			f.after(time.Second, 1, "rows interval")
		}},
		{"a dropped table is forgotten", jobs.FlushOptions{}, func(t *testing.T, f *office) {
			f.policy(1, jobs.FlushPolicy{Interval: time.Minute})
			f.write(1, 1, time.Now())
			f.after(time.Second, 1, "")
			f.mu.Lock()
			delete(f.policies, 1)
			f.mu.Unlock()
			f.after(time.Hour, 1, "")
			if held, queued := f.scheduler.Entries(); held+queued != 0 {
				t.Errorf("%d entries, %d in the queue", held, queued)
			}
		}},
		{"a row from the future is as old as its write", jobs.FlushOptions{}, func(_ *testing.T, f *office) {
			f.policy(1, jobs.FlushPolicy{Interval: time.Minute})
			f.write(1, 1, time.Now().Add(24*time.Hour)) // The wall clock was set back.
			f.after(59*time.Second, 1, "")
			f.after(2*time.Second, 1, "interval")
		}},
		{"a failing flush makes no storm", jobs.FlushOptions{}, func(t *testing.T, f *office) {
			f.policy(1, jobs.FlushPolicy{Rows: 1})
			f.flushes(func(int) (time.Duration, error) { return 0, errDisk })
			f.write(1, 1, time.Now())
			f.after(9*time.Second, 1, "rows")
			for range 100 {
				f.write(1, 1, time.Now())
			}
			f.after(time.Second, 1, "rows")
			f.after(10*time.Second, 1, "rows rows")
			time.Sleep(24 * time.Hour)
			if n := len(f.jobsOf(1)); n < 250 || n > 300 {
				t.Errorf("%d jobs in a day, want one in five minutes", n)
			}
			f.flushes(func(int) (time.Duration, error) { return 0, nil })
			time.Sleep(6 * time.Minute)
			if rows, _, _ := f.TableStats(1); rows != 0 {
				t.Errorf("%d rows are buffered after the flush works again", rows)
			}
			n := len(f.jobsOf(1))
			f.write(1, 1, time.Now())
			time.Sleep(time.Second)
			if got := len(f.jobsOf(1)) - n; got != 1 {
				t.Errorf("%d jobs for a row after all is well", got)
			}
		}},
		{"a retried flush is one job", jobs.FlushOptions{}, func(t *testing.T, f *office) {
			f.policy(1, jobs.FlushPolicy{Rows: 1})
			f.flushes(func(try int) (time.Duration, error) {
				if try < 3 {
					return time.Second, errDisk
				}
				return 0, nil
			})
			f.write(1, 1, time.Now())
			f.after(time.Hour, 1, "rows")
			if j := f.jobsOf(1)[0]; j.Status != kalam.JobCompleted || j.Retries != 2 {
				t.Errorf("job %+v", j)
			}
		}},
		{"a flush that moves nothing makes no storm", jobs.FlushOptions{}, func(t *testing.T, f *office) {
			f.policy(1, jobs.FlushPolicy{Rows: 1})
			f.write(1, 1, time.Now())
			time.Sleep(time.Second)
			f.mu.Lock()
			f.flush = func(int) (time.Duration, error) { return 0, jobs.Skip("nothing to do") }
			f.mu.Unlock()
			f.write(1, 1, time.Now())
			time.Sleep(time.Minute)
			if n := len(f.jobsOf(1)); n < 3 || n > 6 {
				t.Errorf("%d jobs in a minute", n)
			}
		}},
		{"a killed flush is tried again later", jobs.FlushOptions{}, func(t *testing.T, f *office) {
			f.policy(1, jobs.FlushPolicy{Rows: 1})
			f.flushes(func(int) (time.Duration, error) { return time.Hour, nil })
			f.write(1, 1, time.Now())
			f.after(time.Second, 1, "rows")
			if err := f.runner.Cancel(t.Context(), f.jobsOf(1)[0].ID); err != nil {
				t.Fatal(err)
			}
			f.flushes(func(int) (time.Duration, error) { return 0, nil })
			f.after(9*time.Second, 1, "rows")
			f.after(2*time.Second, 1, "rows rows")
		}},
		{"a job that cannot be stored is submitted later", jobs.FlushOptions{}, func(_ *testing.T, f *office) {
			f.policy(1, jobs.FlushPolicy{Rows: 1})
			f.records.setFail(func(kalam.Job) bool { return true })
			f.write(1, 1, time.Now())
			f.after(9*time.Second, 1, "")
			f.records.setFail(nil)
			f.after(2*time.Second, 1, "rows")
		}},
		{"few rows wait for the interval",
			jobs.FlushOptions{Rules: jobs.FlushRules{Rows: 10_000, Interval: 300 * time.Second, MinRows: 1000}},
			func(t *testing.T, f *office) {
				f.policy(1, jobs.FlushPolicy{Rows: 10})
				for range 600 { // 10 rows a second for ten minutes.
					f.write(1, 10, time.Now())
					time.Sleep(time.Second)
				}
				if n := len(f.jobsOf(1)); n != 6 { // One for every 1,000 rows.
					t.Errorf("%d flushes of 6,000 rows", n)
				}
				f.write(1, 10, time.Now())
				f.after(299*time.Second, 1, "rows rows rows rows rows rows")
				f.after(2*time.Second, 1, "rows rows rows rows rows rows interval")
			}},
		{"flush.schedule flushes what is worth it",
			jobs.FlushOptions{Rules: jobs.FlushRules{Rows: 1e6, Interval: 2 * time.Hour,
				Schedule: schedule(t, "@hourly")}},
			func(_ *testing.T, f *office) {
				f.policy(1, jobs.FlushPolicy{})
				f.policy(2, jobs.FlushPolicy{})
				f.policy(3, jobs.FlushPolicy{Manual: true})
				f.write(1, 1000, time.Now())
				f.write(2, 999, time.Now())
				f.write(3, 5000, time.Now())
				f.after(61*time.Minute, 1, "schedule")
				f.after(0, 2, "")
				f.after(time.Hour, 2, "interval")
				f.after(24*time.Hour, 3, "")
			}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, stop := newOffice(t, tt.o)
				defer stop()
				tt.run(t, f)
			})
		})
	}
}

// thirtyDays writes for 30 days with flushes that take their time and fail now and
// then, and checks that no row waits longer than its policy and the flushes allow.
func thirtyDays(t *testing.T, f *office) {
	seed := uint64(simulationStart.UnixNano())
	rng, luck := rand.New(rand.NewPCG(seed, 2)), rand.New(rand.NewPCG(seed, 3)) // The second one for the flushes only.
	const slowest = 3 * time.Second
	f.flushes(func(int) (time.Duration, error) {
		if luck.IntN(50) == 0 {
			return 0, errors.New("the storage is away")
		}
		return time.Duration(luck.Int64N(int64(slowest))), nil
	})
	within := map[kalam.TableNumber]time.Duration{1: 300 * time.Second, 2: 0, 3: time.Minute, 4: 24 * time.Hour,
		5: time.Hour}
	f.policy(1, jobs.FlushPolicy{})
	f.policy(2, jobs.FlushPolicy{Rows: 7})
	f.policy(3, jobs.FlushPolicy{Interval: time.Minute})
	f.policy(4, jobs.FlushPolicy{Cron: schedule(t, "0 4 * * *")})
	f.policy(5, jobs.FlushPolicy{Cron: schedule(t, "@every 1h"), Rows: 100})
	f.policy(6, jobs.FlushPolicy{Manual: true})
	for end := time.Now().Add(simulated); time.Now().Before(end); {
		n := kalam.TableNumber(1 + rng.IntN(6))
		f.write(n, 1+rng.IntN(3), time.Now())
		time.Sleep(time.Duration(rng.ExpFloat64() * float64(4*time.Minute)))
		for n, most := range within {
			// A failed job was tried four times, and then there was a pause.
			const late = 5*slowest + 30*time.Second
			rows, _, oldest := f.TableStats(n)
			if age := time.Since(oldest.Time()); rows > 0 && most > 0 && age > most+late {
				t.Fatalf("%s: the oldest row of table %d is %s old", time.Now(), n, age)
			}
			if n == 2 && rows >= 7 && len(f.records.ActiveJobs()) == 0 && age2(f, n, 7) > late {
				t.Fatalf("%s: table 2 has %d rows", time.Now(), rows)
			}
		}
	}
	f.flushes(func(int) (time.Duration, error) { return 0, nil })
	time.Sleep(25 * time.Hour)
	total := 0
	for n := range kalam.TableNumber(7) {
		rows, _, _ := f.TableStats(n)
		list := f.jobsOf(n)
		total += len(list)
		switch {
		case n == 6 && (rows == 0 || len(list) > 0):
			t.Errorf("the manual table has %d rows and %d jobs", rows, len(list))
		case n == 2 && rows >= 7, n != 2 && n != 6 && rows > 0:
			t.Errorf("%d rows of table %d are left", rows, n)
		}
		for i, j := range list {
			if i > 0 && j.CreatedAt.Before(list[i-1].FinishedAt) {
				t.Errorf("two flushes of table %d at a time", n)
			}
		}
	}
	t.Logf("%d jobs in 30 days", total)
}

// age2 returns how long a table has had so many rows.
func age2(f *office, n kalam.TableNumber, rows int) time.Duration {
	f.backlog.mu.Lock()
	defer f.backlog.mu.Unlock()
	return time.Since(f.rows[n][rows-1].Time())
}
