package query

// #include "scan.h"
import "C"

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/duckdb/duckdb-go/v2/mapping"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/sqltext"
)

// Args are what a query gets beside its sources.
type Args struct {
	Params []kalam.Value // Of the placeholders $1, $2, ... A TEXT behaves like a string literal.
	User   kalam.UserID  // CURRENT_USER.
	Role   kalam.Role    // CURRENT_ROLE.
	Now    time.Time     // NOW(), in microseconds and UTC.
	// Namespace is CURRENT_SCHEMA: that of names without one.
	Namespace kalam.NamespaceID
}

// Rows are the result of a query. They are computed while they are read. Not
// safe for concurrent use.
type Rows struct {
	e       *Engine
	session *session
	plan    *Plan
	res     *result
	out     output
	variant uint64       // Of the statement that runs.
	casts   *resultCasts // Result columns that are turned into text.
	err     error        // Of the last Next.
}

// Query runs a plan over one source per element of plan.Tables, in that order.
// It waits for its turn behind queries that came before, as long as ctx allows.
// The caller closes the Rows.
func (e *Engine) Query(ctx context.Context, plan *Plan, sources []Source, args Args) (*Rows, error) {
	if err := plan.check(sources, args); err != nil {
		return nil, err
	}
	if e.closed.Load() {
		return nil, errClosed()
	}
	r, err := e.tryValued(ctx, plan, sources, args)
	if innocent(err) {
		// Another statement broke the instance. No row was given yet, so begin anew.
		r, err = e.tryValued(ctx, plan, sources, args)
	}
	if err != nil {
		return nil, e.worded(err, plan)
	}
	e.count.statements.Add(1)
	return r, nil
}

// tryValued is tryQuery for a plan whose PIVOTs may have to find their columns first.
func (e *Engine) tryValued(ctx context.Context, plan *Plan, sources []Source, args Args) (*Rows, error) {
	plan, err := e.withValues(ctx, plan, sources, args)
	if err != nil {
		return nil, err
	}
	return e.tryQuery(ctx, plan, sources, args)
}

// tryQuery starts a query. Its errors are not worded yet.
func (e *Engine) tryQuery(ctx context.Context, plan *Plan, sources []Source, args Args) (*Rows, error) {
	if err := e.writeTop(ctx, plan.analysed, sources); err != nil {
		return nil, err
	}
	// The session comes first: who waits for one must not keep those that have one
	// from computing.
	s, err := e.pool.get(ctx)
	if err != nil {
		return nil, err
	}
	r := &Rows{e: e, session: s, plan: plan}
	if err := r.compute(ctx, func() error { return r.open(sources, args) }); err != nil {
		r.end(err)
		return nil, err
	}
	return r, nil
}

// check compares what a plan needs with what is given.
func (p *Plan) check(sources []Source, args Args) error {
	if len(sources) != len(p.tables) {
		return kalam.Errorf(kalam.CodeInternal, "query has %d tables but %d sources were given", len(p.tables), len(sources))
	}
	if len(args.Params) != p.params {
		return mismatch(p.params, len(args.Params))
	}
	return nil
}

// compute runs f when it is the query's turn, and interrupts it when ctx ends.
func (r *Rows) compute(ctx context.Context, f func() error) error {
	if err := r.e.enter(ctx); err != nil {
		return err
	}
	defer r.e.leave()
	return r.session.call(ctx, f)
}

// open starts the query up to its first rows.
func (r *Rows) open(sources []Source, args Args) error {
	if err := r.start(sources, args); err != nil {
		return err
	}
	if err := r.res.describe(); err != nil {
		return err
	}
	if slices.Contains(r.res.exotic, true) {
		if err := r.again(sources, args); err != nil {
			return err
		}
	}
	r.out = newOutput(r.res)
	return nil
}

// again runs the query with the columns that Arrow has no form for as text.
func (r *Rows) again(sources []Source, args Args) error {
	r.casts = &resultCasts{text: r.res.exotic}
	for _, f := range r.res.schema.Fields() {
		r.casts.names = append(r.casts.names, f.Name)
	}
	r.res.close()
	r.res = nil
	r.session.statements.Remove(r.variant) // It has not run to its end.
	if err := r.start(sources, args); err != nil {
		return err
	}
	return r.res.describe()
}

// start composes, prepares, binds and executes the statement.
func (r *Rows) start(sources []Source, args Args) error {
	shapes, v, err := r.expose(sources, args.Params)
	defer releaseShapes(shapes)
	if err != nil {
		return err
	}
	r.variant = v.id
	st, err := r.e.pool.statement(r.session, v)
	if err != nil {
		return err
	}
	if err := r.bind(st, v, shapes, args); err != nil {
		return err
	}
	r.res, err = st.start(true)
	return err
}

// expose makes the sources what the session's next statement reads and returns
// the text of that statement. The caller releases the shapes, also after an
// error.
func (r *Rows) expose(sources []Source, params []kalam.Value) ([]*shaped, *variant, error) {
	shapes, err := r.e.shapes(r.session, sources)
	if err != nil {
		return shapes, nil, err
	}
	cs, err := statementSources(r.session.converter, r.e.chunks, sources, shapes)
	if err != nil {
		return shapes, nil, err
	}
	r.session.expose(cs)
	C.kalam_sources_release(cs)
	v, err := r.plan.variant(shapes, r.casts, &r.e.pool.variants, func() []kalam.DataType {
		return r.plan.meetingTypes(r.session.conn, shapes, params)
	})
	return shapes, v, err
}

func releaseShapes(shapes []*shaped) {
	for _, s := range shapes {
		s.schema.release()
	}
}

// shapes returns how each source is read. The caller releases their schemas,
// also after an error.
func (e *Engine) shapes(s *session, sources []Source) ([]*shaped, error) {
	var out []*shaped
	for i := range sources {
		src := &sources[i]
		sch, err := e.schemas.get(s.converter, src.Schema)
		if err != nil {
			return out, err
		}
		shape, err := shapeOf(src, sch)
		if err != nil {
			sch.release()
			return out, err
		}
		out = append(out, shape)
	}
	return out, nil
}

// bind sets the statement's parameters. One that meets an expression of one of our
// types is read as that type; the error says when it is none.
func (r *Rows) bind(st *statement, v *variant, shapes []*shaped, args Args) error {
	for i, slot := range v.slots {
		var err error
		switch {
		case slot.files != nil:
			err = st.bindPaths(i+1, shapes[slot.files.source].groups[slot.files.group].files)
		case slot.arg != nil:
			err = st.bind(i+1, args.value(*slot.arg))
		default:
			var val kalam.Value
			if val, err = slot.valueOf(args.Params[slot.param-1]); err == nil {
				err = st.bindAs(i+1, val, slot.typ)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// value returns the value of an argument.
func (args *Args) value(kind argKind) kalam.Value {
	switch kind {
	case argUser:
		return kalam.Text(string(args.User))
	case argRole:
		return kalam.Text(args.Role.String())
	case argNamespace:
		return kalam.Text(string(args.Namespace))
	}
	return kalam.Integer(kalam.KindTimestamp, args.Now.UnixMicro())
}

// Schema returns the result columns. datatype.TypeOfArrow gives their SQL types.
func (r *Rows) Schema() *arrow.Schema { return r.out.schema }

// Next returns the next rows, io.EOF after the last. The caller releases them;
// they stay valid after Close.
func (r *Rows) Next(ctx context.Context) (arrow.RecordBatch, error) {
	if r.err != nil {
		return nil, r.err
	}
	if r.session == nil {
		return nil, kalam.Errorf(kalam.CodeInternal, "rows are closed")
	}
	var rec arrow.RecordBatch
	err := r.compute(ctx, func() (err error) {
		rec, err = r.res.fetch()
		return err
	})
	if err != nil {
		r.err = err
		if !errors.Is(err, io.EOF) {
			r.err = r.e.worded(err, r.plan)
		}
		r.end(err)
		return nil, r.err
	}
	return r.out.convert(rec)
}

// worded translates an error for the user, with its place in the text of p.
func (e *Engine) worded(err error, p *Plan) error {
	err = translate(err, p.analysed)
	var ke *kalam.Error
	if p.at != nil && errors.As(err, &ke) && ke.Position > 0 {
		return ke.At(p.at.of(ke.Position - 1))
	}
	if kalam.CodeOf(err) == kalam.CodeInternal {
		e.log.Error("query failed", "sql", sqltext.Redact(p.sql), "error", err)
	}
	return err
}

// Close ends the query. Nothing of its sources is referenced afterwards, except
// by rows that Next has returned. It may be called more than once.
func (r *Rows) Close() {
	r.end(nil)
}

// end lets go of everything after the query has ended with err.
func (r *Rows) end(err error) {
	if r.session == nil {
		return
	}
	if r.res != nil {
		r.res.close()
		if !errors.Is(r.err, io.EOF) {
			// What an unfinished result has left running ends with the next statement.
			if fault := r.session.exec("SELECT 1"); fault != nil && err == nil {
				err = fault
			}
		}
		r.res = nil
	}
	if r.plan.once || !errors.Is(r.err, io.EOF) {
		// The operators of a plan that did not run to its end may be in a state in
		// which they cannot run again.
		r.session.statements.Remove(r.variant)
	}
	r.session.hide()
	r.e.pool.put(r.session, err)
	r.session = nil
}

// bindAs is bind for a parameter that meets an expression of type t: a DECIMAL gets
// the digits of t if it has its scale.
func (st *statement) bindAs(i int, v kalam.Value, t kalam.DataType) error {
	if v.Kind() != kalam.KindDecimal || t.Kind != kalam.KindDecimal {
		return st.bind(i, v)
	}
	hi, lo, scale := v.Decimal()
	if scale != t.Scale {
		return st.bind(i, v)
	}
	d := mapping.NewDecimal(t.Precision, scale, mapping.NewHugeInt(lo, hi))
	if mapping.BindDecimal(st.p, mapping.IdxT(i), d) == mapping.StateError {
		return kalam.Errorf(kalam.CodeInvalidParameter, "Parameter $%d cannot be bound", i)
	}
	return nil
}

// bind sets parameter i, counted from 1.
func (st *statement) bind(i int, v kalam.Value) error {
	p, at := st.p, mapping.IdxT(i)
	state := mapping.State(mapping.StateError)
	switch v.Kind() {
	case kalam.KindNull:
		state = mapping.BindNull(p, at)
	case kalam.KindBoolean:
		state = mapping.BindBoolean(p, at, v.Bool())
	case kalam.KindSmallInt, kalam.KindInt, kalam.KindBigInt:
		state = mapping.BindInt64(p, at, v.Int())
	case kalam.KindFloat:
		state = mapping.BindFloat(p, at, float32(v.Float64()))
	case kalam.KindDouble:
		state = mapping.BindDouble(p, at, v.Float64())
	case kalam.KindText, kalam.KindJSON:
		state = mapping.BindVarchar(p, at, v.Str())
	case kalam.KindBytes:
		state = mapping.BindBlob(p, at, []byte(v.Str()))
	case kalam.KindTimestamp:
		state = mapping.BindTimestamp(p, at, mapping.NewTimestamp(v.Int()))
	case kalam.KindDateTime:
		state = mapping.BindTimestampTZ(p, at, mapping.NewTimestamp(v.Int()))
	case kalam.KindDate:
		state = mapping.BindDate(p, at, mapping.NewDate(int32(v.Int())))
	case kalam.KindTime:
		state = mapping.BindTime(p, at, mapping.NewTime(v.Int()))
	case kalam.KindDecimal:
		hi, lo, scale := v.Decimal()
		state = mapping.BindDecimal(p, at, mapping.NewDecimal(kalam.MaxDecimalPrecision, scale, mapping.NewHugeInt(lo, hi)))
	case kalam.KindUUID:
		u := v.UUID()
		val := mapping.CreateUUID(mapping.NewUHugeInt(binary.BigEndian.Uint64(u[8:]), binary.BigEndian.Uint64(u[:8])))
		defer mapping.DestroyValue(&val)
		state = mapping.BindValue(p, at, val)
	}
	if state == mapping.StateError {
		return kalam.Errorf(kalam.CodeInvalidParameter, "Parameter $%d cannot be bound", i)
	}
	return nil
}

// bindPaths sets parameter i to the list of the files' paths.
func (st *statement) bindPaths(i int, files []File) error {
	text := mapping.CreateLogicalType(mapping.TypeVarchar)
	defer mapping.DestroyLogicalType(&text)
	values := make([]mapping.Value, len(files))
	for k, f := range files {
		values[k] = mapping.CreateVarchar(f.Path)
	}
	l := mapping.CreateListValue(text, values)
	for k := range values {
		mapping.DestroyValue(&values[k])
	}
	defer mapping.DestroyValue(&l)
	if mapping.BindValue(st.p, mapping.IdxT(i), l) == mapping.StateError {
		return errors.New("bind file names")
	}
	return nil
}
