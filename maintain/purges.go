package maintain

import (
	"context"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/maintain/purge"
)

// newPurger returns what removes users.
func newPurger(d *deps, o *Options) *purge.Purger {
	return purge.New(purge.Options{
		Catalog: d.catalog, Lake: d.lake, Store: d.store, Pair: d.pair, Grace: d.config.Grace,
		Writers: append([]kalam.JobKind{KindFlush, KindCompact, KindMove}, o.Writers...),
		Forget:  o.Forget, Exports: o.Exports, Logger: d.log, Now: d.now,
	})
}

// submitPurge submits the removal of a user, unless it is submitted already.
func (d *deps) submitPurge(ctx context.Context, j kalam.Job) error {
	_, _, err := d.runner.Submit(ctx, j)
	return err
}

// PurgeUser submits the removal of a user whose purge has begun.
func (m *Maintainer) PurgeUser(ctx context.Context, user kalam.UserID) (kalam.Job, error) {
	j, err := purge.Job(user)
	if err == nil {
		j, _, err = m.runner.Submit(ctx, j)
	}
	return j, err
}

// Submit submits a job, or returns the active one of its key, as jobs.Runner.Submit does.
func (m *Maintainer) Submit(ctx context.Context, j kalam.Job) (job kalam.Job, existing bool, err error) {
	return m.runner.Submit(ctx, j)
}
