package datatype

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/kalamlake/kalam"
)

var jsonType = descriptor{
	kind:       kalam.KindJSON,
	duckStored: "VARCHAR",
	parse:      parseJSON,
	number: func(t kalam.DataType, s string) (v kalam.Value, ok bool, err error) {
		v, err = parseJSON(t, s)
		return v, true, err
	},
	from: [kalam.Families]caster{
		kalam.FamilyBoolean: castToJSON,
		kalam.FamilyInteger: castToJSON,
		kalam.FamilyFloat: func(t kalam.DataType, v kalam.Value) (kalam.Value, error) {
			if !isFinite(v.Float64()) {
				return kalam.Value{}, mismatchValue(t, v)
			}
			return castToJSON(t, v)
		},
		kalam.FamilyDecimal: castToJSON,
	},
	format:    appendStr,
	cell:      appendStrCell,
	size:      sizePrefixed,
	decode:    decodeStr,
	appendKey: appendKeyStr,
	readKey:   readKeyStr,
	arrow:     arrowIs(arrow.BinaryTypes.String),
	extension: "arrow.json",
	column:    func(b array.Builder) column { return textColumn{b.(*array.StringBuilder)} },
	parquet: func(kalam.DataType) ParquetColumn {
		return ParquetColumn{Physical: ParquetBytes, Logical: LogicalText}
	},
	stored: func(c ParquetColumn, asked bool) (kalam.DataType, bool) {
		text := asked && (c.Logical == LogicalText || c.Logical == LogicalNone)
		return kalam.TypeOf(kalam.KindJSON), c.Physical == ParquetBytes && (c.Logical == LogicalJSON || text)
	},
	compare: compareStr,
	bound:   boundText,
}

func parseJSON(_ kalam.DataType, s string) (kalam.Value, error) {
	if err := CheckJSON(s); err != nil {
		return kalam.Value{}, err
	}
	return kalam.JSON(s), nil
}

func castToJSON(_ kalam.DataType, v kalam.Value) (kalam.Value, error) {
	return kalam.JSON(Format(v)), nil
}
