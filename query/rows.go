package query

import (
	"context"
	"errors"
	"io"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/kalamlake/kalam"
)

// Rows are the result of a query. They are computed while they are read, or before. Not
// safe for concurrent use.
type Rows struct {
	e    *Planner
	plan *Plan
	res  Result // nil once the Rows are closed.
	err  error  // Of the last Next.

	reads Reads
}

// Reads returns what the query has read.
func (r *Rows) Reads() Reads { return r.reads }

// Schema returns the result columns. datatype.TypeOfArrow gives their SQL types.
func (r *Rows) Schema() *arrow.Schema { return r.res.Schema() }

// Next returns the next rows, io.EOF after the last. The caller releases them;
// they stay valid after Close.
func (r *Rows) Next(ctx context.Context) (arrow.RecordBatch, error) {
	if r.err != nil {
		return nil, r.err
	}
	if r.res == nil {
		return nil, kalam.Errorf(kalam.CodeInternal, "rows are closed")
	}
	rec, err := r.res.Next(ctx)
	if err == nil {
		return rec, nil
	}
	if r.err = err; !errors.Is(err, io.EOF) {
		r.err = r.e.worded(err, r.plan)
	}
	return nil, r.err
}

// Close ends the query. Nothing of its sources is referenced afterwards, except
// by rows that Next has returned. It may be called more than once.
func (r *Rows) Close() {
	if r.res != nil {
		r.res.Close()
		r.res = nil
	}
}
