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
	"github.com/kalamlake/kalam/sqltext"
)

// settle completes a composed text: the operands get the types of what
// they meet, and the placeholders new numbers, without gaps.
func (a *analysed) settle(text string, types []kalam.DataType, files []fileArg) (*composedSQL, error) {
	v := &composedSQL{set: a.set}
	numbers := map[int]int{}
	var err error
	v.sql = replacePlaceholders(text, func(n int) string {
		s, literal, e := a.slotOf(n, types, files)
		if err == nil {
			err = e
		}
		if literal != "" {
			return literal
		}
		if numbers[n] == 0 {
			v.slots = append(v.slots, s)
			numbers[n] = len(v.slots)
		}
		return "$" + strconv.Itoa(numbers[n])
	})
	return v, err
}

// slotOf returns what placeholder n of a composed text stands for, or the text that
// takes its place.
func (a *analysed) slotOf(n int, types []kalam.DataType, files []fileArg) (s slot, literal string, err error) {
	n--
	switch {
	case n < a.Params:
		return slot{param: n + 1}, "", nil
	case n < a.Params+len(a.Args):
		return slot{arg: &a.Args[n-a.Params]}, "", nil
	case n >= a.Params+len(a.Args)+len(a.Operands):
		return slot{files: &files[n-a.Params-len(a.Args)-len(a.Operands)]}, "", nil
	}
	o := &a.Operands[n-a.Params-len(a.Args)]
	if o.Param > 0 {
		return slot{param: o.Param, typ: types[o.Meeting], try: a.Meetings[o.Meeting].Try}, "", nil
	}
	if datatype.IsBoundless(types[o.Meeting], o.Value) {
		return slot{}, o.Text, nil
	}
	val, ok, err := a.set.operand(types[o.Meeting], o.Value)
	if err != nil {
		return slot{}, "NULL", at(err, o.Position)
	}
	if ok {
		return slot{}, "CAST(" + sqltext.QuoteString(
			datatype.SQLText(val),
		) + " AS " + datatype.DuckName(
			types[o.Meeting],
		) + ")", nil
	}
	return slot{}, o.Text, nil
}

// at returns err with its position in the text, if that is known.
func at(err error, pos int) error {
	var ke *kalam.Error
	if pos < 0 || !errors.As(err, &ke) {
		return err
	}
	return ke.At(pos)
}

// valueOf returns the value of the slot's parameter.
func (s *slot) valueOf(v kalam.Value, set *Settings) (kalam.Value, error) {
	if datatype.IsBoundless(s.typ, v) {
		return v, nil
	}
	out, _, err := set.operand(s.typ, v)
	if err != nil && s.try {
		return kalam.Null(), nil
	}
	return out, err
}

// replacePlaceholders returns text with each $n replaced.
func replacePlaceholders(text string, by func(n int) string) string {
	var b strings.Builder
	end := 0
	lexemes, _ := sqltext.Lex(text) // DuckDB has written it.
	for _, l := range lexemes {
		if l.Kind != sqltext.LexParam {
			continue
		}
		n, err := strconv.Atoi(text[l.Pos+1 : l.End])
		if err != nil {
			continue
		}
		b.WriteString(text[end:l.Pos])
		b.WriteString(by(n))
		end = l.End
	}
	b.WriteString(text[end:])
	return b.String()
}

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

// nullOf is NULL of a type, which is text for JSON and no type for KindNull.
func nullOf(t kalam.DataType) string {
	if t.Kind == kalam.KindNull {
		return "NULL"
	}
	return "CAST(NULL AS " + datatype.DuckName(t) + ")"
}
