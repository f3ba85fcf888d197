package jobs_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/jobs"
)

// TestFullBuffer checks what is flushed to make room, in which order, and what is not.
func TestFullBuffer(t *testing.T) {
	now := simulationStart
	b := newBacklog()
	policies := map[kalam.TableNumber]jobs.FlushPolicy{
		1: {}, 2: {Rows: 900_000}, 3: {}, 4: {Manual: true}, 5: {Cron: schedule(t, "0 0 1 1 *")},
	}
	var submitted []string
	var fail error
	evicted := 0
	s := jobs.NewFlushScheduler(jobs.FlushOptions{
		Rules: jobs.FlushRules{Rows: 1e6, Interval: time.Hour}, Counters: b, Marks: b, MaxBytes: 20_000,
		Now:    func() time.Time { return now },
		Policy: func(n kalam.TableNumber) (jobs.FlushPolicy, bool) { p, ok := policies[n]; return p, ok },
		Submit: func(_ context.Context, n kalam.TableNumber, by jobs.Trigger) (kalam.JobID, error) {
			submitted = append(submitted, fmt.Sprint(n, by))
			return kalam.JobID(fmt.Sprint(n)), fail
		},
		Evict: func(context.Context) { evicted++ },
	})
	check := func(step, want string) {
		t.Helper()
		s.Step(t.Context())
		if got := strings.Join(submitted, " "); got != want {
			t.Errorf("%s: flushed %q, want %q", step, got, want)
		}
		submitted = nil
	}
	done := func(n kalam.TableNumber) {
		b.flush(n, b.newest(n))
		s.Ended(kalam.Job{ID: kalam.JobID(fmt.Sprint(n)), Kind: kindFlush, Number: n, Status: kalam.JobCompleted})
	}
	b.write(1, 3000, now)
	b.write(2, 5000, now)
	b.write(3, 900, now)
	b.write(5, 999, now)
	b.write(4, 5100, now)
	check("14,999 of 20,000 bytes", "")
	b.write(9, 1, now) // Not a table that is flushed.
	check("15,000 bytes: the largest", "2buffer")
	if evicted != 1 {
		t.Errorf("expired rows were looked for %d times", evicted)
	}
	check("while that runs", "")
	b.write(4, 5000, now)
	check("more in the manual table: the next largest, then small ones", "1buffer 5buffer 3buffer")
	done(1)
	done(2)
	done(3)
	done(5)
	check("10,101 bytes", "")
	b.write(4, 9000, now)
	check("only the manual table is left", "")
	b.write(1, 10, now)
	fail = errDisk
	check("a small table", "1buffer")
	check("after a failure", "")
	fail = nil
	now = now.Add(10 * time.Second)
	check("10 s later", "1buffer")
}
