package datatype

import (
	"encoding/binary"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/kalamlake/kalam"
)

var dateType = descriptor{
	kind:      kalam.KindDate,
	boundless: true,
	min:       minDays,
	max:       maxDays,
	parse:     parseTemporal,
	number:    numberThenCast,
	from: [kalam.Families]caster{
		kalam.FamilyInteger: castIntegerToInteger,
		kalam.FamilyInstant: func(t kalam.DataType, v kalam.Value) (kalam.Value, error) {
			return kalam.Integer(t.Kind, floorDiv(v.Int(), microsPerDay)), nil
		},
	},
	format:    func(dst []byte, v kalam.Value) []byte { return appendDate(dst, v.Int()) },
	cell:      appendInt,
	size:      4,
	decode:    decodeInt32,
	appendKey: appendKeyInt32,
	readKey:   readKeyInt32,
	arrow:     arrowIs(arrow.FixedWidthTypes.Date32),
	column:    func(b array.Builder) column { return dateColumn{b.(*array.Date32Builder)} },
	parquet: func(kalam.DataType) ParquetColumn {
		return ParquetColumn{Physical: ParquetInt32, Logical: LogicalDate}
	},
	stored: func(c ParquetColumn, _ bool) (kalam.DataType, bool) {
		return kalam.TypeOf(kalam.KindDate), c.Physical == ParquetInt32 && c.Logical == LogicalDate
	},
	compare: compareInts,
	bound:   boundNumber("Date32"),
}

type dateColumn struct{ *array.Date32Builder }

func (c dateColumn) appendData(d []byte)       { c.Append(arrow.Date32(binary.LittleEndian.Uint32(d))) }
func (c dateColumn) appendValue(v kalam.Value) { c.Append(arrow.Date32(v.Int())) }
