package query

import (
	"errors"
	"strconv"
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/sqltext"
)

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

// nullOf is NULL of a type, which is text for JSON and no type for KindNull.
func nullOf(t kalam.DataType) string {
	if t.Kind == kalam.KindNull {
		return "NULL"
	}
	return "CAST(NULL AS " + datatype.DuckName(t) + ")"
}

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
