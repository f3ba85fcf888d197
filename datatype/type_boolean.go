package datatype

import (
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/kalamlake/kalam"
)

var booleanType = descriptor{
	kind:      kalam.KindBoolean,
	duckReads: isTruthWord,
	parse:     parseBoolean,
	number:    numberThenCast,
	from: [kalam.Families]caster{
		kalam.FamilyInteger: func(t kalam.DataType, v kalam.Value) (kalam.Value, error) {
			if n := v.Int(); n == 0 || n == 1 {
				return kalam.Bool(n == 1), nil
			}
			return kalam.Value{}, mismatchValue(t, v)
		},
		kalam.FamilyFloat: func(t kalam.DataType, v kalam.Value) (kalam.Value, error) {
			if f := v.Float64(); f == 0 || f == 1 {
				return kalam.Bool(f == 1), nil
			}
			return kalam.Value{}, mismatchValue(t, v)
		},
		kalam.FamilyDecimal: castWholeDecimal,
	},
	format: appendBool,
	cell:   appendBool,
	size:   1,
	decode: func(_ kalam.Kind, data []byte) kalam.Value { return kalam.Bool(data[0] == 1) },
	validate: func(data []byte) error {
		if data[0] > 1 {
			return damageBoolean
		}
		return nil
	},
	appendKey: appendBoolByte,
	readKey: func(_ kalam.DataType, key []byte) (kalam.Value, int) {
		if len(key) < 1 || key[0] > 1 {
			return kalam.Value{}, 0
		}
		return kalam.Bool(key[0] == 1), 1
	},
	arrow:     arrowIs(arrow.FixedWidthTypes.Boolean),
	extension: "arrow.bool8",
	column:    func(b array.Builder) column { return booleanColumn{b.(*array.BooleanBuilder)} },
	parquet:   func(kalam.DataType) ParquetColumn { return ParquetColumn{Physical: ParquetBoolean} },
	stored:    storedPlain(kalam.KindBoolean, ParquetBoolean),
	compare:   compareInts,
	bound:     func(v kalam.Value) (string, any) { return "Boolean", v.Bool() },
}

// parseBoolean reads the words for true and false.
func parseBoolean(t kalam.DataType, s string) (kalam.Value, error) {
	if word := trimBlanks(s); len(word) <= len("false") {
		switch strings.ToLower(word) {
		case "true", "t", "1", "yes", "y", "on":
			return kalam.Bool(true), nil
		case "false", "f", "0", "no", "n", "off":
			return kalam.Bool(false), nil
		}
	}
	return kalam.Value{}, mismatchText(t, s)
}

func appendBool(dst []byte, v kalam.Value) []byte { return strconv.AppendBool(dst, v.Bool()) }

func appendBoolByte(dst []byte, v kalam.Value) []byte {
	if v.Bool() {
		return append(dst, 1)
	}
	return append(dst, 0)
}

type booleanColumn struct{ *array.BooleanBuilder }

func (c booleanColumn) appendData(d []byte)       { c.Append(d[0] == 1) }
func (c booleanColumn) appendValue(v kalam.Value) { c.Append(v.Bool()) }
