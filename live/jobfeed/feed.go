package jobfeed

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
)

// Number is the table number of the rows of a Feed. The catalog, which counts from 1, never gives it.
const Number = ^kalam.TableNumber(0)

// Records keeps the records of jobs; package catalog does.
type Records interface {
	PutJob(ctx context.Context, j kalam.Job) error
	Job(ctx context.Context, id kalam.JobID) (kalam.Job, bool, error)
	ActiveJobs() []kalam.Job
	Jobs(ctx context.Context) iter.Seq2[kalam.Job, error]
	DeleteJobsBefore(ctx context.Context, before time.Time) (int, error)
}

// Options are what New needs. All must be set.
type Options struct {
	Records Records
	Table   *kalam.Table                     // The definition of system.jobs; its first column is the id.
	Row     func(j *kalam.Job) []kalam.Value // The row of a job.
	Next    func() kalam.Seq                 // The next seq of the server.
	Publish func([]kalam.Change)             // It must not block.
}

// Feed publishes the changes of jobs. It is safe for concurrent use.
type Feed struct {
	o     Options
	table *kalam.Table

	// mu guards the fields below, and is held while a change is published, so that snapshots know which changes are in
	// them.
	mu        sync.Mutex
	active    map[kalam.JobID]published
	snapshots map[*snapshot]struct{} // Those that are being read.
}

// published is the last state of an active job that was told.
type published struct {
	job kalam.Job
	seq kalam.Seq
}

// snapshot is one that is being read.
type snapshot struct {
	born map[kalam.JobID]struct{} // Jobs that came after its seq. Guarded by Feed.mu.
}

// New returns a Feed that knows the active jobs of the records.
func New(o Options) *Feed {
	t := *o.Table
	t.Number, t.PrimaryKey, t.SchemaVersion = Number, []int{0}, 1
	f := &Feed{o: o, table: &t, active: map[kalam.JobID]published{}, snapshots: map[*snapshot]struct{}{}}
	for _, j := range o.Records.ActiveJobs() {
		f.active[j.ID] = published{job: j, seq: o.Next()}
	}
	return f
}

// Table returns the definition of the rows, with Number and the key that identifies them.
func (f *Feed) Table() *kalam.Table { return f.table }

// Seq returns a seq above that of every change that was published.
func (f *Feed) Seq() kalam.Seq {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.o.Next()
}

// Job returns the newest record of a job.
func (f *Feed) Job(ctx context.Context, id kalam.JobID) (kalam.Job, bool, error) {
	return f.o.Records.Job(ctx, id)
}

// ActiveJobs returns the jobs that are not finished.
func (f *Feed) ActiveJobs() []kalam.Job { return f.o.Records.ActiveJobs() }

// PutJob stores the record of a job and then publishes the change. The records of one job are stored one after the
// other.
func (f *Feed) PutJob(ctx context.Context, j kalam.Job) error {
	if err := f.o.Records.PutJob(ctx, j); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	old, known := f.active[j.ID]
	now := published{job: j, seq: f.o.Next()}
	c := kalam.Change{Scope: f.scope(), Kind: kalam.ChangeInsert, New: f.row(&j, now.seq)}
	if known {
		c.Kind, c.Old = kalam.ChangeUpdate, f.row(&old.job, old.seq)
	} else {
		for s := range f.snapshots {
			s.born[j.ID] = struct{}{}
		}
	}
	if f.active[j.ID] = now; j.Status.Done() {
		delete(f.active, j.ID)
	}
	f.o.Publish([]kalam.Change{c})
	return nil
}

// DeleteJobsBefore removes the records of jobs that finished before a time and returns how many, as the records do, and
// publishes it.
func (f *Feed) DeleteJobsBefore(ctx context.Context, before time.Time) (int, error) {
	var old []kalam.Job
	for j, err := range f.o.Records.Jobs(ctx) {
		if err != nil {
			break // The records say what is wrong, and delete what they can.
		}
		if j.Status.Done() && j.FinishedAt.Before(before) {
			old = append(old, j)
		}
	}
	n, err := f.o.Records.DeleteJobsBefore(ctx, before)
	for i := range old {
		if _, left, readErr := f.o.Records.Job(ctx, old[i].ID); left || readErr != nil {
			err = errors.Join(err, readErr)
			continue
		}
		f.publishDelete(&old[i])
	}
	return n, err
}

func (f *Feed) publishDelete(j *kalam.Job) {
	f.mu.Lock()
	defer f.mu.Unlock()
	row := f.row(j, f.o.Next())
	row.Deleted = true
	f.o.Publish([]kalam.Change{{Scope: f.scope(), Kind: kalam.ChangeDelete, New: row}})
}

// Snapshot returns every job as it was at a seq, by rising seq, none above that one. What changed later is published
// with a higher one. The seqs of the rows are good for an order and for nothing else.
func (f *Feed) Snapshot(ctx context.Context) (kalam.Seq, []kalam.Row, error) {
	s := &snapshot{born: map[kalam.JobID]struct{}{}}
	seq, list := f.begin(s)
	defer f.end(s)
	known := make(map[kalam.JobID]struct{}, len(list))
	for i := range list {
		known[list[i].ID] = struct{}{}
	}
	for j, err := range f.o.Records.Jobs(ctx) {
		if err != nil {
			return 0, nil, fmt.Errorf("read the records of jobs: %w", err)
		}
		// One that is active and not known has not been published at the seq.
		if _, ok := known[j.ID]; !ok && j.Status.Done() && !f.isBorn(s, j.ID) {
			list = append(list, j)
		}
	}
	slices.SortFunc(list, func(a, b kalam.Job) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	rows := make([]kalam.Row, len(list))
	for i := range list {
		rows[i] = f.row(&list[i], seq-kalam.Seq(len(list)-i))
	}
	return seq, rows, nil
}

// begin fixes the seq of a snapshot and returns the jobs that are active then.
func (f *Feed) begin(s *snapshot) (kalam.Seq, []kalam.Job) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.snapshots[s] = struct{}{}
	list := make([]kalam.Job, 0, len(f.active))
	for _, p := range f.active {
		list = append(list, p.job)
	}
	return f.o.Next(), list
}

func (f *Feed) end(s *snapshot) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.snapshots, s)
}

func (f *Feed) isBorn(s *snapshot, id kalam.JobID) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, ok := s.born[id]
	return ok
}

func (f *Feed) scope() kalam.Scope { return kalam.Scope{Table: Number} }

// row encodes the row of a job.
func (f *Feed) row(j *kalam.Job, seq kalam.Seq) kalam.Row {
	return kalam.Row{Seq: seq, Payload: datatype.EncodeRow(nil, f.table, f.o.Row(j))}
}
