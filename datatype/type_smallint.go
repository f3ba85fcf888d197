package datatype

import (
	"encoding/binary"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/kalamlake/kalam"
)

var smallIntType = descriptor{
	kind:   kalam.KindSmallInt,
	min:    math.MinInt16,
	max:    math.MaxInt16,
	parse:  parseNumeric,
	number: parseInteger,
	from:   integerCasts,
	format: appendInt,
	cell:   appendInt,
	size:   2,
	decode: func(k kalam.Kind, data []byte) kalam.Value {
		return kalam.Integer(k, int64(int16(binary.LittleEndian.Uint16(data))))
	},
	appendKey: func(dst []byte, v kalam.Value) []byte {
		return binary.BigEndian.AppendUint16(dst, uint16(v.Int())^1<<15)
	},
	readKey: func(t kalam.DataType, key []byte) (kalam.Value, int) {
		if len(key) < 2 {
			return kalam.Value{}, 0
		}
		return kalam.Integer(t.Kind, int64(int16(binary.BigEndian.Uint16(key)^1<<15))), 2
	},
	arrow:   arrowIs(arrow.PrimitiveTypes.Int16),
	column:  func(b array.Builder) column { return smallIntColumn{b.(*array.Int16Builder)} },
	parquet: parquetInteger(ParquetInt32, 16, true),
	stored: func(c ParquetColumn, _ bool) (kalam.DataType, bool) {
		return kalam.TypeOf(kalam.KindSmallInt),
			c.Physical == ParquetInt32 && c.Logical == LogicalInteger && c.Bits <= 16 && c.Signed
	},
	widens:  widensIntegers(kalam.KindSmallInt),
	compare: compareInts,
	digits:  integerDigits(5),
	bound:   boundNumber("Int16"),
}

type smallIntColumn struct{ *array.Int16Builder }

func (c smallIntColumn) appendData(d []byte)       { c.Append(int16(binary.LittleEndian.Uint16(d))) }
func (c smallIntColumn) appendValue(v kalam.Value) { c.Append(int16(v.Int())) }
