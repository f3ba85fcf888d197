package datatype

import (
	"encoding/binary"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/kalamlake/kalam"
)

var intType = descriptor{
	kind:      kalam.KindInt,
	duck:      "INTEGER",
	min:       math.MinInt32,
	max:       math.MaxInt32,
	parse:     parseNumeric,
	number:    parseInteger,
	from:      integerCasts,
	format:    appendInt,
	cell:      appendInt,
	size:      4,
	decode:    decodeInt32,
	appendKey: appendKeyInt32,
	readKey:   readKeyInt32,
	arrow:     arrowIs(arrow.PrimitiveTypes.Int32),
	column:    func(b array.Builder) column { return intColumn{b.(*array.Int32Builder)} },
	parquet:   parquetInteger(ParquetInt32, 32, true),
	stored: func(c ParquetColumn, _ bool) (kalam.DataType, bool) {
		whole := c.Logical == LogicalNone || c.Logical == LogicalInteger && c.Bits > 16 && c.Signed
		return kalam.TypeOf(kalam.KindInt), c.Physical == ParquetInt32 && whole
	},
	widens:  widensIntegers(kalam.KindInt),
	compare: compareInts,
	digits:  integerDigits(10),
	bound:   boundNumber("Int32"),
}

type intColumn struct{ *array.Int32Builder }

func (c intColumn) appendData(d []byte)       { c.Append(int32(binary.LittleEndian.Uint32(d))) }
func (c intColumn) appendValue(v kalam.Value) { c.Append(int32(v.Int())) }
