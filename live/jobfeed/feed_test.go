package jobfeed_test

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer/memory"
	"github.com/kalamlake/kalam/catalog"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/live/jobfeed"
)

// log is what a feed published.
type log struct {
	mu      sync.Mutex // guards the field below
	changes []kalam.Change
}

func (l *log) publish(changes []kalam.Change) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.changes = append(l.changes, changes...)
}

var table = &kalam.Table{
	ID: kalam.TableID{Namespace: "system", Name: "jobs"}, Kind: kalam.KindSystemTable,
	Columns: []kalam.Column{
		{ID: 1, Name: "job_id", Type: kalam.TypeOf(kalam.KindText)},
		{ID: 2, Name: "status", Type: kalam.TypeOf(kalam.KindText)},
	},
}

func newFeed(t *testing.T) (*jobfeed.Feed, *log, *catalog.Catalog) {
	t.Helper()
	c, err := catalog.Open(t.Context(), memory.New(), catalog.Options{BcryptCost: 4})
	if err != nil {
		t.Fatal(err)
	}
	l := &log{}
	seq := kalam.Seq(1 << 40) // Guarded by the feed: it asks under its lock.
	return jobfeed.New(jobfeed.Options{
		Records: c, Table: table, Publish: l.publish,
		Row: func(j *kalam.Job) []kalam.Value {
			return []kalam.Value{kalam.Text(string(j.ID)), kalam.Text(string(j.Status))}
		},
		Next: func() kalam.Seq { seq++; return seq },
	}), l, c
}

// put stores a state of a job.
func put(ctx context.Context, f *jobfeed.Feed, id string, status kalam.JobStatus) error {
	j := kalam.Job{ID: kalam.JobID(id), Kind: "FL", Status: status, CreatedAt: time.Unix(1000, 0).UTC()}
	if status.Done() {
		j.FinishedAt = time.Unix(2000, 0).UTC()
	}
	return f.PutJob(ctx, j)
}

// apply brings rows up to date by the changes after a seq, and reports what cannot be.
func apply(rows map[string]string, changes []kalam.Change, after kalam.Seq) error {
	last := after
	for _, c := range changes {
		if c.New.Seq <= after {
			continue
		}
		if c.New.Seq <= last {
			return fmt.Errorf("change with seq %d after %d", c.New.Seq, last)
		}
		last = c.New.Seq
		id, status, err := cells(c.New)
		if err != nil {
			return err
		}
		was, known := rows[id]
		switch {
		case c.Kind == kalam.ChangeInsert && known:
			return fmt.Errorf("%s comes twice", id)
		case c.Kind != kalam.ChangeInsert && !known:
			return fmt.Errorf("%s of %s, which is not there", c.Kind, id)
		case c.Kind == kalam.ChangeUpdate:
			if _, old, err := cells(c.Old); err != nil || old != was {
				return fmt.Errorf("%s was %s, not %s (%w)", id, was, old, err)
			}
		}
		if rows[id] = status; c.Kind == kalam.ChangeDelete {
			delete(rows, id)
		}
	}
	return nil
}

func cells(r kalam.Row) (id, status string, err error) {
	vals, err := datatype.DecodeRow(table, r.Payload, nil)
	if err != nil {
		return "", "", err
	}
	return vals[0].Str(), vals[1].Str(), nil
}

// TestSnapshots takes snapshots while jobs come and go: the rows of each and the changes after its seq are together what
// is there in the end; nothing is missed, and nothing comes twice.
func TestSnapshots(t *testing.T) {
	f, l, c := newFeed(t)
	const writers, jobs, snapshots = 4, 60, 60
	type taken struct {
		seq  kalam.Seq
		rows map[string]string
	}
	var all []taken
	g, ctx := errgroup.WithContext(t.Context())
	for w := range writers {
		g.Go(func() error {
			for i := range jobs {
				id := fmt.Sprintf("FL-%d-%d", w, i)
				for _, s := range []kalam.JobStatus{kalam.JobPending, kalam.JobRunning, kalam.JobCompleted} {
					if err := put(ctx, f, id, s); err != nil {
						return err
					}
				}
			}
			return nil
		})
	}
	g.Go(func() error {
		for range snapshots {
			seq, rows, err := f.Snapshot(ctx)
			if err != nil {
				return err
			}
			s := taken{seq, map[string]string{}}
			for i, r := range rows {
				if r.Seq > seq || i > 0 && r.Seq <= rows[i-1].Seq {
					return fmt.Errorf("row %d of a snapshot at %d has seq %d", i, seq, r.Seq)
				}
				id, status, err := cells(r)
				if err != nil {
					return err
				}
				s.rows[id] = status
			}
			all = append(all, s)
		}
		return nil
	})
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	if n, err := f.DeleteJobsBefore(t.Context(), time.Unix(3000, 0)); err != nil || n != writers*jobs {
		t.Fatalf("%d records deleted, %v", n, err)
	}
	if err := put(t.Context(), f, "FL-last", kalam.JobPending); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"FL-last": string(kalam.JobPending)}
	for i, s := range all {
		if err := apply(s.rows, l.changes, s.seq); err != nil {
			t.Fatalf("snapshot %d: %v", i, err)
		}
		if !maps.Equal(s.rows, want) {
			t.Errorf("snapshot %d and what came after it give %v", i, s.rows)
		}
	}
	t.Logf("%d snapshots of %d jobs, %d changes", len(all), writers*jobs, len(l.changes))
	again := jobfeed.New(jobfeed.Options{Records: c, Table: table, Publish: l.publish,
		Row: func(j *kalam.Job) []kalam.Value {
			return []kalam.Value{kalam.Text(string(j.ID)), kalam.Text(string(j.Status))}
		},
		Next: func() kalam.Seq { return 1 << 50 }})
	if err := put(t.Context(), again, "FL-last", kalam.JobRunning); err != nil {
		t.Fatal(err)
	}
	if c := l.changes[len(l.changes)-1]; c.Kind != kalam.ChangeUpdate || again.Seq() != 1<<50 {
		t.Errorf("a job of before the start is told of by %s", c.Kind)
	}
}
