package catalog_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer/memory"
	"github.com/kalamlake/kalam/catalog"
)

func TestJobs(t *testing.T) {
	clk, b := newClock(), memory.New()
	c := open(t, b, catalog.Options{Now: clk.now})
	ctx := t.Context()
	job := func(i int) kalam.Job {
		return kalam.Job{ID: kalam.JobID(fmt.Sprintf("FL-%012x", i)), Kind: "FL",
			Status: kalam.JobPending, CreatedAt: clk.now()}
	}
	for i := range 10 {
		check(t, c.PutJob(ctx, job(i)))
	}
	if _, ok, err := c.Job(ctx, "FL-none"); ok || err != nil {
		t.Errorf("unknown job: %v, %v", ok, err)
	}
	for i := range 8 {
		j := job(i)
		j.Status, j.FinishedAt = kalam.JobCompleted, clk.now().Add(time.Duration(i)*time.Hour)
		check(t, c.PutJob(ctx, j))
		if got, ok, err := c.Job(ctx, j.ID); !ok || err != nil || got != j {
			t.Errorf("finished job %+v, %v, %v", got, ok, err)
		}
	}
	ids := func(c *catalog.Catalog) map[kalam.JobID]kalam.JobStatus {
		m := map[kalam.JobID]kalam.JobStatus{}
		for j, err := range c.Jobs(ctx) {
			check(t, err)
			if _, twice := m[j.ID]; twice {
				t.Errorf("job %s was listed twice", j.ID)
			}
			m[j.ID] = j.Status
		}
		return m
	}
	if m := ids(c); len(m) != 10 || m["FL-000000000007"] != kalam.JobCompleted ||
		m["FL-000000000008"] != kalam.JobPending {
		t.Errorf("jobs %v", m)
	}
	for range c.Jobs(ctx) { // A consumer that has enough.
		break
	}
	n := 0
	for j := range c.Jobs(ctx) {
		if n++; j.Status.Done() {
			break
		}
	}
	if n != 3 {
		t.Errorf("%d jobs up to the first finished one; the active ones come first", n)
	}

	// A job that ends while it is listed is listed once.
	m := map[kalam.JobID]int{}
	for j, err := range c.Jobs(ctx) {
		check(t, err)
		if m[j.ID]++; j.ID == "FL-000000000008" {
			j.Status, j.FinishedAt = kalam.JobFailed, clk.now()
			check(t, c.PutJob(ctx, j))
		}
	}
	if len(m) != 10 || m["FL-000000000008"] != 1 {
		t.Errorf("jobs %v", m)
	}

	deleted, err := c.DeleteJobsBefore(ctx, clk.now().Add(3*time.Hour))
	if err != nil || deleted != 4 { // 0, 1, 2 and the failed one; 3 is not before.
		t.Errorf("%d deleted, %v", deleted, err)
	}
	for _, x := range []*catalog.Catalog{c, open(t, b.Clone(), catalog.Options{Now: clk.now})} {
		if m := ids(x); len(m) != 6 || len(x.ActiveJobs()) != 1 {
			t.Errorf("left %v", m)
		}
	}
	if deleted, err := c.DeleteJobsBefore(ctx, clk.now().Add(3*time.Hour)); deleted != 0 || err != nil {
		t.Errorf("again: %d deleted, %v", deleted, err)
	}
}

// TestManyJobs deletes more records than one write takes, while jobs go on.
func TestManyJobs(t *testing.T) {
	clk, b := newClock(), newFaulty()
	c := open(t, b, catalog.Options{Now: clk.now})
	ctx := t.Context()
	for i := range 2500 {
		check(t, c.PutJob(ctx, kalam.Job{ID: kalam.JobID(fmt.Sprintf("CL-%012x", i)),
			Status: kalam.JobSkipped, FinishedAt: clk.now()}))
	}
	var work sync.WaitGroup
	work.Go(func() {
		for i := range 200 {
			j := kalam.Job{ID: kalam.JobID(fmt.Sprintf("FL-%012x", i)), Status: kalam.JobRunning}
			if err := c.PutJob(ctx, j); err != nil {
				t.Error(err)
			}
			j.Status, j.FinishedAt = kalam.JobCompleted, clk.now().Add(time.Hour)
			if err := c.PutJob(ctx, j); err != nil {
				t.Error(err)
			}
			if got, ok, err := c.Job(ctx, j.ID); !ok || err != nil || got.Status != kalam.JobCompleted {
				t.Errorf("job %+v, %v, %v", got, ok, err)
			}
		}
	})
	n, err := c.DeleteJobsBefore(ctx, clk.now().Add(time.Minute))
	work.Wait()
	if n != 2500 || err != nil {
		t.Errorf("%d deleted, %v", n, err)
	}
	if n := len(records(t, b)); n < 200 || n > 210 {
		t.Errorf("%d records left", n)
	}
}
