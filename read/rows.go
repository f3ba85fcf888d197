package read

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/catalog/rights"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/query"
	"github.com/kalamlake/kalam/query/activity"
	"github.com/kalamlake/kalam/read/policy"
	"github.com/kalamlake/kalam/segments"
	"github.com/kalamlake/kalam/systables"
)

// Rows is a running query with what it keeps alive. It must be closed.
type Rows struct {
	rows      *query.Rows
	seen      *activity.Query
	point     *buffer.ReadPoint
	owned     bool // The point ends with the query.
	cacheHit  bool
	relations []*relation
	files     segments.Files
	checked   time.Time // When files were last found unchanged.
	caller    *Caller
	rights    *rights.Set // By which the caller was found to be allowed to read.
}

// Schema returns the Arrow schema of the batches.
func (r *Rows) Schema() *arrow.Schema { return r.rows.Schema() }

// CacheHit reports whether the text had been analysed before.
func (r *Rows) CacheHit() bool { return r.cacheHit }

// Point returns the point at which the query reads.
func (r *Rows) Point() *buffer.ReadPoint { return r.point }

// Table returns the stored table, or that of a given relation, which the query reads and no other; nil if it reads
// none, several, or a computed one.
func (r *Rows) Table() *kalam.Table {
	if len(r.relations) != 1 {
		return nil
	}
	if t := r.relations[0].table; t != nil {
		return t
	}
	return r.relations[0].given.Of
}

// recheckEvery is how long rows are handed on before it is looked again whether the files that they come from are still
// the same.
const recheckEvery = 20 * time.Millisecond

// Next returns the next rows, which the caller releases; io.EOF after the last. Neither is told when a file that they
// come from was changed meanwhile: what the query engine has read is then not what was checked.
func (r *Rows) Next(ctx context.Context) (arrow.RecordBatch, error) {
	if err := r.seen.Err(); err != nil {
		return nil, err
	}
	if err := r.allowed(ctx); err != nil {
		return nil, err
	}
	batch, err := r.rows.Next(ctx)
	now := time.Now()
	if err == nil && now.Sub(r.checked) < recheckEvery {
		return batch, nil
	}
	if changed := r.files.Changed(ctx, err); changed != nil {
		if err == nil {
			batch.Release()
		}
		return nil, changed
	}
	r.checked = now
	return batch, err
}

// allowed returns an error when the caller may not read any more what it reads, because rights or
// policies were changed.
func (r *Rows) allowed(ctx context.Context) error {
	now := r.caller.Catalog.Rights()
	if now == r.rights {
		return nil
	}
	for _, rel := range r.relations {
		if rel.table != nil {
			if err := r.caller.stillReads(ctx, rel); err != nil {
				return err
			}
		}
	}
	r.rights = now
	return nil
}

// Check returns an error if rows that were handed on are not what was checked. Next does it by itself at the end; it is
// for who stops before.
func (r *Rows) Check(ctx context.Context) error { return r.files.Changed(ctx, nil) }

// EachBatch hands the batches to f, which does not keep them.
func (r *Rows) EachBatch(ctx context.Context, f func(arrow.RecordBatch) error) error {
	for {
		batch, err := r.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		err = f(batch)
		batch.Release()
		if err != nil {
			return err
		}
	}
}

// Each hands every row to f.
func (r *Rows) Each(ctx context.Context, f func(vals []kalam.Value) error) error {
	return r.EachBatch(ctx, func(batch arrow.RecordBatch) error { return eachOf(batch, f) })
}

func eachOf(batch arrow.RecordBatch, f func(vals []kalam.Value) error) error {
	for i := range int(batch.NumRows()) {
		vals := make([]kalam.Value, batch.NumCols())
		for j := range vals {
			vals[j] = datatype.ValueAt(batch.Column(j), i)
		}
		if err := f(vals); err != nil {
			return err
		}
	}
	return nil
}

// Close ends the query and lets go of its read point. It may be called twice.
func (r *Rows) Close() {
	if r.rows != nil {
		r.rows.Close()
		r.rows = nil
	}
	r.files.Release()
	r.seen.End()
	if r.owned && r.point != nil {
		r.point.Release()
		r.point = nil
	}
}

// relation is a table reference of a query, resolved for the caller.
type relation struct {
	ref      query.TableRef
	table    *kalam.Table     // Stored; nil for any other.
	computed *systables.Table // nil for any other.
	given    Given
	target   bool // See Target.
	deletes  bool // See Options.Deletes.
	rule     *policy.Rule
	history  *history // Of table, nil: it is read as it is.
}

// Given is a relation that a caller gives to its query.
type Given struct {
	Source *query.Source
	Of     *kalam.Table // Whose rows these are: results are described as its columns. nil for none.
}
