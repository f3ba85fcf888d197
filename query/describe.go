package query

import (
	"context"
	"errors"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query/duckerr"
	"github.com/kalamlake/kalam/query/guard"
)

// Described is what a query takes and gives, whatever the rows hold.
type Described struct {
	Params  []kalam.DataType // Of $1, $2, ...; KindNull when the values decide.
	Columns []Column
}

// Describe tells what a plan takes and gives over tables of these schemas, one per element of plan.Tables. It runs
// nothing. declared are the types that the caller gives the first placeholders, KindNull for those it leaves open.
func (e *Planner) Describe(
	ctx context.Context, plan *Plan, schemas []*arrow.Schema, declared []kalam.DataType, args Args,
) (Described, error) {
	out := Described{Params: make([]kalam.DataType, plan.Query.Params)}
	if len(schemas) != len(plan.tables) || len(declared) > plan.Query.Params {
		return out, guard.Mismatch(plan.Query.Params, len(declared))
	}
	if err := e.open(ctx); err != nil {
		return out, err
	}
	copy(out.Params, declared)
	physical := make([]*physicalSource, len(schemas))
	for i := range schemas {
		var err error
		if physical[i], err = physicalOf(&Source{Schema: schemas[i]}, e.schemas.get(schemas[i])); err != nil {
			return out, err
		}
	}
	types, err := e.meetingTypes(ctx, plan.analysed, physical, Args{User: args.User})
	if err != nil {
		return out, e.worded(err, plan)
	}
	for _, o := range plan.Operands {
		if o.Param > 0 && out.Params[o.Param-1].Kind == kalam.KindNull {
			out.Params[o.Param-1] = types[o.Meeting]
		}
	}
	if err := e.describe(ctx, plan.analysed, physical, types, &out, args.User); err != nil {
		return out, e.worded(err, plan)
	}
	return out, nil
}

// describe completes out, of which the parameters of known type are set. A parameter that nothing gives a type is TEXT,
// as in PostgreSQL, where the text allows it; otherwise the values decide.
func (e *Planner) describe(
	ctx context.Context,
	a *analysed,
	physical []*physicalSource,
	types []kalam.DataType,
	out *Described,
	user kalam.UserID,
) error {
	text, asked := a.describing(physical, types, out.Params)
	found, err := e.executor.Describe(ctx, user, text)
	if len(asked) == 0 || err != nil {
		out.Columns = found.Columns
		return err
	}
	as := *out
	as.Params = append([]kalam.DataType(nil), out.Params...)
	for i, n := range asked {
		as.Params[n] = kalam.TypeOf(kalam.KindText)
		if i < len(found.Params) && found.Params[i].Type.Kind != kalam.KindNull {
			as.Params[n] = found.Params[i].Type
		}
	}
	err = e.describe(ctx, a, physical, types, &as, user)
	var de *duckerr.Error
	if errors.As(err, &de) {
		return nil
	}
	*out = as
	return err
}

// describing returns the query over relations without rows, with NULLs of their types in the place of placeholders;
// asked are the parameters, from 0, of its own placeholders: those of no type yet.
func (a *analysed) describing(physical []*physicalSource, types, params []kalam.DataType) (text string, asked []int) {
	text = a.whole.fill(func(i int) string { return "(" + physical[i].schema.nothing(a.Visible(i)) + ")" })
	text = a.WholeRows(text, columnNames(physical))
	numbers := map[int]int{}
	text = replacePlaceholders(text, func(n int) string {
		n--
		if i := n - a.Params - len(a.Args); i >= 0 {
			if o := &a.Operands[i]; o.Param > 0 {
				n = o.Param - 1
			} else if _, literal, err := a.slotOf(n+1, types, nil); err == nil {
				return literal
			} else { // The statement itself fails, and says why.
				return "NULL"
			}
		}
		if n >= a.Params {
			if kind := a.Args[n-a.Params]; kind == guard.ArgNow || kind == guard.ArgLocal {
				return nullOf(kalam.TypeOf(kalam.KindTimestamp))
			}
			return nullOf(kalam.TypeOf(kalam.KindText))
		}
		if params[n].Kind != kalam.KindNull {
			return nullOf(params[n])
		}
		if numbers[n] == 0 {
			asked = append(asked, n)
			numbers[n] = len(asked)
		}
		return "$" + strconv.Itoa(numbers[n])
	})
	return text, asked
}
