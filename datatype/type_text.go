package datatype

import (
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/kalamlake/kalam"
)

var textType = descriptor{
	kind: kalam.KindText,
	duck: "VARCHAR",
	parse: func(t kalam.DataType, s string) (kalam.Value, error) {
		if !utf8.ValidString(s) {
			return kalam.Value{}, mismatchText(t, s)
		}
		return kalam.Text(s), nil
	},
	number: func(_ kalam.DataType, s string) (v kalam.Value, ok bool, err error) {
		_, ok = parseNumber(s)
		return kalam.Text(s), ok, nil
	},
	from: [kalam.Families]caster{
		kalam.FamilyBoolean: castToText,
		kalam.FamilyInteger: castToText,
		kalam.FamilyFloat:   castToText,
		kalam.FamilyDecimal: castToText,
		kalam.FamilyJSON:    castToText,
		kalam.FamilyBytes:   castToText,
		kalam.FamilyInstant: castToText,
		kalam.FamilyDate:    castToText,
		kalam.FamilyTime:    castToText,
		kalam.FamilyUUID:    castToText,
	},
	format:    appendStr,
	cell:      appendStrCell,
	size:      sizePrefixed,
	decode:    decodeStr,
	appendKey: appendKeyStr,
	readKey:   readKeyStr,
	arrow:     arrowIs(arrow.BinaryTypes.String),
	column:    func(b array.Builder) column { return textColumn{b.(*array.StringBuilder)} },
	parquet: func(kalam.DataType) ParquetColumn {
		return ParquetColumn{Physical: ParquetBytes, Logical: LogicalText}
	},
	// Writers differ in what they annotate: bytes are text where the table says so.
	stored: func(c ParquetColumn, asked bool) (kalam.DataType, bool) {
		text := c.Logical == LogicalText || asked && c.Logical == LogicalNone
		return kalam.TypeOf(kalam.KindText), c.Physical == ParquetBytes && text
	},
	widens:  func(from *descriptor) bool { return from.kind.IsColumn() && from.kind != kalam.KindBytes },
	compare: compareStr,
	bound:   boundText,
}

func castToText(_ kalam.DataType, v kalam.Value) (kalam.Value, error) {
	return kalam.Text(Format(v)), nil
}
