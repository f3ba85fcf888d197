package catalog

import (
	"context"
	"errors"
	"iter"
	"slices"
	"time"

	"github.com/kalamlake/kalam"
)

// PutJob stores the record of a job, new or changed. It is durable on return.
func (c *Catalog) PutJob(ctx context.Context, j kalam.Job) error {
	return c.write(ctx, func(tx *tx) error {
		if !j.Status.Done() {
			tx.next.active = tx.next.active.With(j.ID, &j)
			return tx.put(activeJobKey(j.ID), j)
		}
		tx.next.active = tx.next.active.Without(j.ID)
		tx.delete(activeJobKey(j.ID))
		return tx.put(doneJobKey(j.ID), j)
	})
}

// Job returns the record of a job: an active one from memory, a finished one by
// one read of the backend.
func (c *Catalog) Job(ctx context.Context, id kalam.JobID) (kalam.Job, bool, error) {
	if j, ok := c.current.Load().active.Get(id); ok {
		return *j, true, nil
	}
	var j kalam.Job
	raw, ok, err := c.store.get(ctx, doneJobKey(id))
	if err != nil || !ok {
		return j, false, err
	}
	if err := decodeRecord(doneJobKey(id), raw, &j); err != nil {
		return kalam.Job{}, false, err
	}
	return j, true, nil
}

// ActiveJobs returns the jobs that are not finished, in no particular order.
func (c *Catalog) ActiveJobs() []kalam.Job {
	v := c.current.Load()
	list := make([]kalam.Job, 0, v.active.Len())
	for _, j := range v.active.All() {
		list = append(list, *j)
	}
	return list
}

// errStop ends a scan whose consumer has enough.
var errStop = errors.New("stop")

// Jobs yields the record of every job: the active ones, then the finished ones
// by id. A finished job that was active when the iteration began is yielded once.
// A read that fails yields its error and ends the iteration.
func (c *Catalog) Jobs(ctx context.Context) iter.Seq2[kalam.Job, error] {
	return c.jobs(ctx, prefixDoneJob)
}

// jobs is Jobs, of the finished ones those whose keys have a prefix.
func (c *Catalog) jobs(ctx context.Context, prefix string) iter.Seq2[kalam.Job, error] {
	return func(yield func(kalam.Job, error) bool) {
		active := c.current.Load().active
		for _, j := range active.All() {
			if !yield(*j, nil) {
				return
			}
		}
		err := c.store.scan(ctx, prefix, func(key string, raw []byte) error {
			var j kalam.Job
			if err := decodeRecord(key, raw, &j); err != nil {
				return err
			}
			if _, ok := active.Get(j.ID); ok {
				return nil
			}
			if !yield(j, nil) {
				return errStop
			}
			return nil
		})
		if err != nil && !errors.Is(err, errStop) {
			yield(kalam.Job{}, err)
		}
	}
}

// JobsOf is Jobs of one kind, whose records alone it reads.
func (c *Catalog) JobsOf(ctx context.Context, kind kalam.JobKind) iter.Seq2[kalam.Job, error] {
	return func(yield func(kalam.Job, error) bool) {
		for j, err := range c.jobs(ctx, prefixDoneJob+string(kind)+"-") {
			if (err != nil || j.Kind == kind) && !yield(j, err) {
				return
			}
		}
	}
}

// deleteBatch is the number of records that DeleteJobsBefore removes in one write.
const deleteBatch = 1000

// DeleteJobsBefore removes the records of jobs that finished before the given
// time and returns how many. A damaged record stays, and is named by the error
// after the others are removed. Finished records are written once, so it needs no
// other writer to wait.
func (c *Catalog) DeleteJobsBefore(ctx context.Context, before time.Time) (int, error) {
	var old []operation
	var damage []error
	err := c.store.scan(ctx, prefixDoneJob, func(key string, raw []byte) error {
		var j kalam.Job
		if err := decodeRecord(key, raw, &j); err != nil {
			damage = append(damage, err)
		} else if j.FinishedAt.Before(before) {
			old = append(old, operation{key: key})
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	deleted := 0
	for batch := range slices.Chunk(old, deleteBatch) {
		if err := c.store.apply(ctx, batch); err != nil {
			return deleted, err
		}
		deleted += len(batch)
	}
	return deleted, errors.Join(damage...)
}
