package query

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query/guard"
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

// Rows are the result of a query. They are computed while they are read, or before. Not
// safe for concurrent use.
type Rows struct {
	e    *Planner
	plan *Plan
	res  Result // nil once the Rows are closed.
	err  error  // Of the last Next.

	reads Reads
}

// Query runs a plan over one source per element of plan.Tables, in that order.
// It waits for its turn behind queries that came before, as long as ctx allows.
// The caller closes the Rows.
func (e *Planner) Query(ctx context.Context, plan *Plan, sources []Source, args Args) (*Rows, error) {
	if err := plan.check(sources, args); err != nil {
		return nil, err
	}
	if err := e.open(ctx); err != nil {
		return nil, err
	}
	valued, err := e.withValues(ctx, plan, sources, args)
	if err != nil {
		return nil, e.worded(err, plan)
	}
	r, err := e.start(ctx, valued, sources, args)
	if err != nil {
		return nil, e.worded(err, plan)
	}
	e.count.statements.Add(1)
	return r, nil
}

// check compares what a plan needs with what is given.
func (p *Plan) check(sources []Source, args Args) error {
	if len(sources) != len(p.tables) {
		return kalam.Errorf(kalam.CodeInternal, "query has %d tables but %d sources were given", len(p.tables), len(sources))
	}
	if len(args.Params) != p.Query.Params {
		return guard.Mismatch(p.Query.Params, len(args.Params))
	}
	return nil
}

// statement composes what an executor runs. within is a bound of the only source, nil for
// none.
func (e *Planner) statement(
	ctx context.Context,
	plan *Plan,
	sources []Source,
	args Args,
	within *bound,
) (*Statement, error) {
	if within == nil {
		if err := e.writeTop(ctx, args.User, plan.analysed, sources); err != nil {
			return nil, err
		}
	}
	physical := make([]*physicalSource, len(sources))
	st := &Statement{User: args.User, Zone: plan.set.zoneName(), Inputs: make([]Input, len(sources))}
	for i := range sources {
		var err error
		if physical[i], err = physicalOf(&sources[i], e.schemas.get(sources[i].Schema)); err != nil {
			return nil, err
		}
		if physical[i].bound = within; within != nil {
			physical[i].scan = true // As long as it may be empty, texts with and without batches are one.
		}
		st.Inputs[i] = physical[i].input(&sources[i])
	}
	v, err := plan.composedFor(physical, &e.composed, func() ([]kalam.DataType, error) {
		return e.meetingTypes(ctx, plan.analysed, physical, args)
	})
	if err != nil {
		return nil, err
	}
	if st.SQL = v.sql; !plan.once {
		st.ID = v.id
	}
	st.Params, err = v.bind(physical, &args)
	return st, err
}

// bind returns the values of the placeholders. One that meets an expression of one of
// our types is read as that type; the error says when it is none.
func (v *composedSQL) bind(physical []*physicalSource, args *Args) ([]Param, error) {
	out := make([]Param, len(v.slots))
	for i, slot := range v.slots {
		switch {
		case slot.files != nil:
			s := physical[slot.files.source]
			if slot.files.group == len(s.groups) {
				out[i].Value = s.bound.value
				continue
			}
			out[i].Paths = s.groups[slot.files.group].paths()
		case slot.arg != nil:
			out[i].Value = args.value(*slot.arg, v.set.Zone)
		default:
			val, err := slot.valueOf(args.Params[slot.param-1], &v.set)
			if err != nil {
				return nil, err
			}
			out[i].Value, out[i].Type = val, slot.typ
		}
	}
	return out, nil
}

// value returns the value of an argument.
func (args *Args) value(kind guard.ArgKind, zone *time.Location) kalam.Value {
	switch kind {
	case guard.ArgLocal:
		_, offset := args.Now.In(zone).Zone()
		return kalam.Integer(kalam.KindTimestamp, args.Now.Add(time.Duration(offset)*time.Second).UnixMicro())
	case guard.ArgUser:
		return kalam.Text(string(args.User))
	case guard.ArgRole:
		return kalam.Text(args.Role.String())
	case guard.ArgNamespace:
		return kalam.Text(string(args.Namespace))
	case guard.ArgNow:
	}
	return kalam.Integer(kalam.KindTimestamp, args.Now.UnixMicro())
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

// worded translates an error for the user, with its place in the text of p.
func (e *Planner) worded(err error, p *Plan) error {
	err = translate(err, p.Query)
	var ke *kalam.Error
	if p.at != nil && errors.As(err, &ke) && ke.Position > 0 {
		return ke.At(p.at.of(ke.Position - 1))
	}
	if kalam.CodeOf(err) == kalam.CodeInternal {
		e.log.Error("query failed", "sql", sqltext.Redact(p.Text), "error", err)
	}
	return err
}

// Close ends the query. Nothing of its sources is referenced afterwards, except
// by rows that Next has returned. It may be called more than once.
func (r *Rows) Close() {
	if r.res != nil {
		r.res.Close()
		r.res = nil
	}
}
