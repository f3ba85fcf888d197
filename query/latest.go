package query

import (
	"context"
	"errors"
	"io"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/kalamlake/kalam/query/duckerr"
)

// A query that gives the first rows by a column,
//
//	SELECT list FROM t WHERE cond ORDER BY k DESC, .. LIMIT n OFFSET m
//
// runs over the rows with k >= b alone, for a b that leaves out most row groups by their
// statistics. If n rows come back they are the answer: n + m rows up to b were seen, and
// every row beyond b comes after all of them. Else it runs again, with a b that lets more
// rows in, and at last without. A row whose k is NULL lies beyond every b. So where NULLs
// come first there must be none; where they come last they are seen without b only.
//
// What the statistics say decides how much is read, never what the answer is, but for
// files that are not opened: no row of theirs is up to b, or passes cond.

// Bounds of results that are held until it is known that they are complete.
const (
	maxHeldRows  = 4096 // LIMIT and OFFSET together.
	maxHeldBytes = 8 << 20
)

// narrowed is what a query reads, without the files that it does not need.
type narrowed struct {
	sources []Source
	survey  *survey // Of the only source; nil when nothing is known of it.
	column  int     // The column of the survey's order.
	limit   int64   // Rows that the query gives at most, if there is an order,
	offset  int64   // after so many others.
	reads   Reads
}

// narrowed looks at what the text of a plan tells of its table.
func (e *Planner) narrowed(plan *Plan, sources []Source, args *Args) *narrowed {
	n := &narrowed{sources: sources}
	for i := range sources {
		n.reads.Files += len(sources[i].Files)
	}
	if plan.narrow == nil || len(sources) != 1 || plan.once {
		return n
	}
	schema := e.schemas.get(sources[0].Schema)
	n.survey = surveyOf(plan.analysed, sources[0], schema, args)
	n.sources, n.reads = []Source{n.survey.source}, n.survey.reads
	if sources[0].Only != "" { // Of the rows that the survey counts, some are not there.
		n.survey.order = nil
	}
	if n.survey.order == nil {
		return n
	}
	first := plan.narrow.first
	var okLimit, okOffset bool
	n.limit, okLimit = first.limit.of(args)
	n.offset, okOffset = first.offset.of(args)
	n.column = schema.ranged(first.column)
	if !okLimit || !okOffset || n.limit == 0 || n.limit > maxHeldRows || n.offset > maxHeldRows-n.limit {
		n.survey.order = nil
	}
	return n
}

// ordered reports whether runs can have a bound.
func (n *narrowed) ordered() bool { return n.survey != nil && n.survey.order != nil }

// want is how many rows that the query may give are to be in what the first run reads.
func (n *narrowed) want() int64 {
	if n.ordered() && !n.survey.order.exact {
		return max(n.limit+n.offset, n.survey.order.largest()) // Less than a piece is not read anyway.
	}
	return n.limit + n.offset
}

// first returns what the first run reads, nil for a bound if that is everything.
func (n *narrowed) first() ([]Source, *bound, Reads) { return n.within(n.limit+n.offset, n.want()) }

// within returns what a run reads in which there are need rows that the query gives, or
// want that it may give.
func (n *narrowed) within(need, want int64) ([]Source, *bound, Reads) {
	if n.ordered() {
		if value, ok := n.survey.order.bound(need, want); ok {
			src, reads := n.survey.upTo(value)
			return []Source{src}, &bound{column: n.column, descending: n.survey.order.descending, value: value}, reads
		}
	}
	return n.sources, nil, n.reads
}

// start starts a query. Its errors are not worded yet.
func (e *Planner) start(ctx context.Context, plan *Plan, sources []Source, args Args) (*Rows, error) {
	if n, ok := plan.counted(sources); ok {
		reads := Reads{Files: len(sources[0].Files), Pruned: len(sources[0].Files)}
		return &Rows{e: e, plan: plan, res: countResult(plan.narrow.count, n), reads: reads}, nil
	}
	n := e.narrowed(plan, sources, &args)
	runs, want := 0, n.want()
	src, within, reads := n.first()
	for within != nil {
		runs++
		res, rows, err := e.held(ctx, plan, src, args, within)
		if rows == n.limit && res != nil {
			reads.Runs = runs
			return &Rows{e: e, plan: plan, res: res, reads: reads}, nil
		}
		if res != nil {
			res.Close()
		}
		if err != nil {
			return nil, err
		}
		if res == nil {
			break
		}
		want = n.more(want, rows)
		src, within, reads = n.within(math.MaxInt64, want)
	}
	st, err := e.statement(ctx, plan, n.sources, args, nil)
	if err != nil {
		return nil, err
	}
	res, err := e.executor.Run(ctx, st)
	if err != nil {
		return nil, err
	}
	n.reads.Runs = runs + 1
	return &Rows{e: e, plan: plan, res: res, reads: n.reads}, nil
}

// more returns what the next run is to find after one that found rows of the result, which
// were not enough, among want.
func (n *narrowed) more(want, rows int64) int64 {
	next := 4 * want
	if rows > 0 {
		next = max(next, want*(n.limit+n.offset)/(rows+n.offset)*5/4)
	}
	return next
}

// held runs a query within a bound and returns its rows and their number. The result is nil,
// without an error, when only a run without a bound can tell: DuckDB may have come upon
// a value that it does not get to otherwise, or the rows are too large to be held.
func (e *Planner) held(
	ctx context.Context, plan *Plan, sources []Source, args Args, within *bound,
) (_ *heldResult, rows int64, err error) {
	st, err := e.statement(ctx, plan, sources, args, within)
	if err != nil {
		return nil, 0, err
	}
	res, err := e.executor.Run(ctx, st)
	if err != nil {
		return nil, 0, unlessDuck(err)
	}
	defer res.Close()
	held := &heldResult{schema: res.Schema()}
	for size := int64(0); ; {
		batch, err := res.Next(ctx)
		if errors.Is(err, io.EOF) {
			return held, rows, nil
		}
		if err == nil {
			held.batches = append(held.batches, batch)
			rows += batch.NumRows()
			for _, c := range batch.Columns() {
				size += int64(c.Data().SizeInBytes())
			}
		}
		if err != nil || size > maxHeldBytes {
			held.Close()
			return nil, 0, unlessDuck(err)
		}
	}
}

// unlessDuck returns err unless it is one of DuckDB's about the statement.
func unlessDuck(err error) error {
	if de := (*duckerr.Error)(nil); errors.As(err, &de) {
		return nil
	}
	return err
}

// heldResult is a Result whose rows are all there.
type heldResult struct {
	schema  *arrow.Schema
	batches []arrow.RecordBatch // Those that were not handed on.
}

// Schema implements Result.
func (r *heldResult) Schema() *arrow.Schema { return r.schema }

// Next implements Result.
func (r *heldResult) Next(context.Context) (arrow.RecordBatch, error) {
	if len(r.batches) == 0 {
		return nil, io.EOF
	}
	batch := r.batches[0]
	r.batches = r.batches[1:]
	return batch, nil
}

// Close implements Result.
func (r *heldResult) Close() {
	for _, b := range r.batches {
		b.Release()
	}
	r.batches = nil
}

// counted returns the number of rows of the table if that is all that the query asks, and
// if it is known without reading them.
func (p *Plan) counted(sources []Source) (rows int64, ok bool) {
	if p.narrow == nil || p.narrow.count == "" || len(sources) != 1 || sources[0].Only != "" {
		return 0, false
	}
	for i := range sources[0].Files {
		f := &sources[0].Files[i]
		if f.Rows <= 0 {
			return 0, false
		}
		if rows += f.Rows; f.Dead != nil && !f.Dead.IsEmpty() {
			if int64(f.Dead.Maximum()) >= f.Rows {
				return 0, false
			}
			rows -= int64(f.Dead.GetCardinality())
		}
	}
	for i := range sources[0].Batches {
		if b := &sources[0].Batches[i]; b.Live != nil {
			rows += int64(len(b.Live))
		} else {
			rows += b.Record.NumRows()
		}
	}
	return rows, true
}

// countResult returns a result of one row with a number.
func countResult(name string, n int64) *heldResult {
	schema := arrow.NewSchema([]arrow.Field{{Name: name, Type: arrow.PrimitiveTypes.Int64, Nullable: true}}, nil)
	b := array.NewInt64Builder(memory.DefaultAllocator)
	defer b.Release()
	b.Append(n)
	column := b.NewArray()
	defer column.Release()
	return &heldResult{
		schema:  schema,
		batches: []arrow.RecordBatch{array.NewRecordBatch(schema, []arrow.Array{column}, 1)},
	}
}

var _ Result = (*heldResult)(nil)
