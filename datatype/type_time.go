package datatype

import (
	"encoding/binary"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/kalamlake/kalam"
)

var timeType = descriptor{
	kind:   kalam.KindTime,
	min:    0,
	max:    microsPerDay - 1,
	parse:  parseTemporal,
	number: numberThenCast,
	from: [kalam.Families]caster{
		kalam.FamilyInteger: castIntegerToInteger,
		kalam.FamilyInstant: func(t kalam.DataType, v kalam.Value) (kalam.Value, error) {
			return kalam.Integer(t.Kind, v.Int()-floorDiv(v.Int(), microsPerDay)*microsPerDay), nil
		},
	},
	format:    func(dst []byte, v kalam.Value) []byte { return appendClock(dst, v.Int()) },
	cell:      appendInt,
	size:      8,
	decode:    decodeInt64,
	appendKey: appendKeyInt64,
	readKey:   readKeyInt64,
	arrow:     arrowIs(arrow.FixedWidthTypes.Time64us),
	column:    func(b array.Builder) column { return timeColumn{b.(*array.Time64Builder)} },
	parquet: func(kalam.DataType) ParquetColumn {
		return ParquetColumn{Physical: ParquetInt64, Logical: LogicalTime, Unit: 1}
	},
	stored: func(c ParquetColumn, _ bool) (kalam.DataType, bool) {
		unit := c.Physical == ParquetInt32 && c.Unit == 1000 || c.Physical == ParquetInt64 && c.Unit != 0
		return kalam.TypeOf(kalam.KindTime), c.Logical == LogicalTime && unit
	},
	compare: compareInts,
	bound:   boundDigits("Time64Microsecond"),
}

type timeColumn struct{ *array.Time64Builder }

func (c timeColumn) appendData(d []byte)       { c.Append(arrow.Time64(binary.LittleEndian.Uint64(d))) }
func (c timeColumn) appendValue(v kalam.Value) { c.Append(arrow.Time64(v.Int())) }
