package query

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/query/duckerr"
	"github.com/kalamlake/kalam/query/guard"
)

// meetingTypes returns the types of the meetings, KindNull for those that are of no
// type of ours or that only the values decide. It depends on the schemas, and on the
// kinds of the parameters where an expression that is met is made of them.
func (e *Planner) meetingTypes(
	ctx context.Context,
	a *analysed,
	physical []*physicalSource,
	args Args,
) ([]kalam.DataType, error) {
	f := foundTypes{make([]kalam.DataType, len(a.Meetings)), make([]bool, len(a.Meetings))}
	ask := false
	for i := range a.Meetings {
		t := a.Meetings[i].Type
		known := t.Kind != kalam.KindNull
		if !known {
			t, known = columnType(&a.Meetings[i], physical)
		}
		if known {
			f.types[i], f.known[i] = t, true
		}
		ask = ask || !known
	}
	for _, s := range physical {
		ask = ask && s.schema.isOurs()
	}
	if !ask {
		return f.types, nil
	}
	// A placeholder that DuckDB finds no type for hides those of the others.
	all, err := e.askTypes(ctx, args.User, a, physical, f, nil)
	if err == nil && !all && len(args.Params) > 0 {
		_, err = e.askTypes(ctx, args.User, a, physical, f, args.Params)
	}
	return f.types, err
}

// foundTypes are types of meetings. Those that are not known are DuckDB's to tell.
type foundTypes struct {
	types []kalam.DataType
	known []bool
}

// columnType returns the type of a meeting that is a column of exactly one of its
// tables.
func columnType(m *guard.Meeting, physical []*physicalSource) (t kalam.DataType, known bool) {
	found := 0
	for _, i := range m.Tables {
		s := physical[i].schema.Arrow
		for k := range s.NumFields() {
			if f := s.Field(k); strings.EqualFold(f.Name, m.Column) {
				t = datatype.TypeOfArrow(f)
				known = arrow.TypeEqual(datatype.ArrowType(t), f.Type)
				found++
			}
		}
	}
	return t, known && found == 1
}

// askTypes asks DuckDB for the types of the meetings that are not known: it prepares
// the query over relations without rows, with one placeholder for all operands of a
// meeting. Other placeholders of the user's are NULLs of the kinds of params, if those
// are given. It reports whether every type was found.
func (e *Planner) askTypes(
	ctx context.Context, user kalam.UserID, a *analysed, physical []*physicalSource, f foundTypes, params []kalam.Value,
) (bool, error) {
	text := a.whole.fill(func(i int) string { return "(" + physical[i].schema.nothing(a.Visible(i)) + ")" })
	text = a.WholeRows(text, columnNames(physical))
	numbers, asked := map[int]int{}, []int{}
	text = replacePlaceholders(text, func(n int) string {
		meet := -n // Of a placeholder that is no operand.
		switch i := n - 1 - a.Params; {
		case i >= len(a.Args):
			if meet = a.Operands[i-len(a.Args)].Meeting; f.known[meet] {
				return nullOf(f.types[meet])
			}
		case i >= 0 && (a.Args[i] == guard.ArgNow || a.Args[i] == guard.ArgLocal):
			return nullOf(kalam.TypeOf(kalam.KindTimestamp))
		case i >= 0:
			return nullOf(kalam.TypeOf(kalam.KindText))
		case params != nil:
			return nullOf(kalam.TypeOf(params[n-1].Kind()))
		}
		if numbers[meet] == 0 {
			asked = append(asked, meet)
			numbers[meet] = len(asked)
		}
		return "$" + strconv.Itoa(numbers[meet])
	})
	found, err := e.executor.Describe(ctx, user, text)
	types := found.Params
	var de *duckerr.Error
	if errors.As(err, &de) {
		return true, nil // The statement itself fails in the same way, and says why.
	}
	if err != nil {
		return false, err
	}
	all := len(types) == len(asked)
	for i, meet := range asked {
		if meet >= 0 && i < len(types) {
			f.types[meet] = types[i].Type
			all = all && types[i].Known
		}
	}
	return all, nil
}

// columnNames gives the names of the columns of sources by their number.
func columnNames(physical []*physicalSource) func(i int) []string {
	return func(i int) []string {
		var out []string
		for _, c := range physical[i].schema.columns {
			out = append(out, c.name)
		}
		return out
	}
}
