package query

import (
	"context"
	"errors"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/kalamlake/kalam"
)

// Column is a column of a result.
type Column struct {
	Name string
	Type kalam.DataType // KindNull when the values of placeholders decide it.
}

// Described is what a query takes and gives, whatever the rows hold.
type Described struct {
	Params  []kalam.DataType // Of $1, $2, ...; KindNull when the values decide.
	Columns []Column
}

// Describe tells what a plan takes and gives over tables of these schemas, one per element of plan.Tables. It runs
// nothing. declared are the types that the caller gives the first placeholders, KindNull for those it leaves open.
func (e *Engine) Describe(
	ctx context.Context, plan *Plan, schemas []*arrow.Schema, declared []kalam.DataType, args Args,
) (Described, error) {
	out := Described{Params: make([]kalam.DataType, plan.params)}
	if len(schemas) != len(plan.tables) || len(declared) > plan.params {
		return out, mismatch(plan.params, len(declared))
	}
	if err := e.open(ctx); err != nil {
		return out, err
	}
	copy(out.Params, declared)
	shapes := make([]*shaped, len(schemas))
	for i := range schemas {
		var err error
		if shapes[i], err = shapeOf(&Source{Schema: schemas[i]}, e.schemas.get(schemas[i])); err != nil {
			return out, err
		}
	}
	types, err := e.meetingTypes(ctx, plan.analysed, shapes, Args{User: args.User})
	if err != nil {
		return out, e.worded(err, plan)
	}
	for _, o := range plan.operands {
		if o.param > 0 && out.Params[o.param-1].Kind == kalam.KindNull {
			out.Params[o.param-1] = types[o.meet]
		}
	}
	if err := e.describe(ctx, plan.analysed, shapes, types, &out, args.User); err != nil {
		return out, e.worded(err, plan)
	}
	return out, nil
}

// describe completes out, of which the parameters of known type are set. A parameter that nothing gives a type is TEXT,
// as in PostgreSQL, where the text allows it; otherwise the values decide.
func (e *Engine) describe(
	ctx context.Context, a *analysed, shapes []*shaped, types []kalam.DataType, out *Described, user kalam.UserID,
) error {
	text, asked := a.describing(shapes, types, out.Params)
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
	err = e.describe(ctx, a, shapes, types, &as, user)
	var de *DuckError
	if errors.As(err, &de) {
		return nil
	}
	*out = as
	return err
}

// describing returns the query over relations without rows, with NULLs of their types in the place of placeholders;
// asked are the parameters, from 0, of its own placeholders: those of no type yet.
func (a *analysed) describing(shapes []*shaped, types, params []kalam.DataType) (text string, asked []int) {
	text = a.whole.fill(func(i int) string { return "(" + shapes[i].schema.nothing(a.visible(i)) + ")" })
	text = a.wholeRows(text, shapes)
	numbers := map[int]int{}
	text = replacePlaceholders(text, func(n int) string {
		n--
		if i := n - a.params - len(a.args); i >= 0 {
			o := &a.operands[i]
			if o.param == 0 {
				if types[o.meet].Kind == kalam.KindNull {
					return o.text
				}
				return nullOf(types[o.meet])
			}
			n = o.param - 1
		}
		if n >= a.params {
			if kind := a.args[n-a.params]; kind == argNow || kind == argLocal {
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
