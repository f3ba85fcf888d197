package maintain

import (
	"context"
	"log/slog"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/catalog"
	"github.com/kalamlake/kalam/jobs"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/maintain/pair"
	"github.com/kalamlake/kalam/query"
	"github.com/kalamlake/kalam/segments"
)

// Copier writes Parquet files; package query does.
type Copier interface {
	// CopyParquet writes the rows of the spec as one file and returns their number. On an
	// error a part of the file may be left, which the caller removes.
	CopyParquet(ctx context.Context, spec query.CopySpec) (rows int64, err error)
}

// JobRecords keeps the records of jobs; package catalog does.
type JobRecords interface {
	jobs.Records
	// DeleteJobsBefore removes the records of jobs that finished before the given
	// time and returns how many.
	DeleteJobsBefore(ctx context.Context, before time.Time) (int, error)
}

// Options are what a Maintainer works on. Those without a default must be set.
type Options struct {
	Config  Config
	Pair    *pair.Pair
	Catalog *catalog.Catalog
	// Jobs keeps the records of jobs in the catalog, and tells of them; nil is the catalog.
	Jobs     JobRecords
	Lake     *lake.Lake
	Store    *buffer.Store
	Segments *segments.Reader
	Refs     *catalog.TableRefs // Who uses a table: one that was dropped is removed afterwards.
	Copier   Copier
	Failing  func() []string // Says which storages do not answer; nil: none.
	// Forget has the server drop what it keeps in memory of a user who is removed; Exports removes the
	// exports of the user's data. nil is nothing.
	Forget  func(kalam.UserID)
	Exports func(context.Context, kalam.UserID) (int, error)
	Types   []jobs.Type      // Further kinds of jobs.
	Writers []kalam.JobKind  // Those of them that write files of users.
	Logger  *slog.Logger     // nil discards.
	Now     func() time.Time // nil is time.Now.
}

// deps is what the tasks share.
type deps struct {
	config   Config
	pair     *pair.Pair
	catalog  *catalog.Catalog
	records  JobRecords
	lake     *lake.Lake
	store    *buffer.Store
	segments *segments.Reader
	refs     *catalog.TableRefs
	copier   Copier
	log      *slog.Logger
	now      func() time.Time
	runner   *jobs.Runner // Made after the tasks that it runs.

	staged   staged
	obsolete obsoleteFiles
}

// newest returns the newest version of a table, or t if it was dropped meanwhile. Whoever rewrites rows asks for it
// after fixing the point at which they are read: none of them is of a newer version then.
func (d *deps) newest(t *kalam.Table) *kalam.Table {
	if now, ok := d.catalog.TableByNumber(t.Number); ok {
		return now
	}
	return t
}

// submit submits a job of the server's own; a failure is logged, the next time of the
// schedule tries again.
func (d *deps) submit(ctx context.Context, j kalam.Job) {
	if _, _, err := d.runner.Submit(ctx, j); err != nil && kalam.CodeOf(err) != kalam.CodeShuttingDown {
		d.log.Error("scheduled job not submitted", "kind", string(j.Kind), "error", err)
	}
}

// constantKey is the key of a kind of job of which one is active at a time.
func constantKey(key string) func(kalam.Job) string { return func(kalam.Job) string { return key } }
