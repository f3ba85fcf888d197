package query

import (
	"context"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query/guard"
)

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
	st.Parallel = within == nil && rowsOf(sources) > serialRows
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

// serialRows is how many rows one thread reads: DuckDB gives a thread a row group of that many
// of a file at a time, and for fewer, waking another thread takes longer than it saves.
const serialRows = 122_880

// rowsOf returns how many rows the sources have at most. A file whose rows nobody knows counts
// as a large one.
func rowsOf(sources []Source) (n int64) {
	for i := range sources {
		for _, f := range sources[i].Files {
			if f.Rows == 0 {
				n += serialRows + 1
			}
			n += f.Rows
		}
		for _, b := range sources[i].Batches {
			n += b.Record.NumRows()
		}
	}
	return n
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
