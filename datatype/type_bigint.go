package datatype

import (
	"encoding/binary"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/kalamlake/kalam"
)

var bigIntType = descriptor{
	kind:   kalam.KindBigInt,
	min:    math.MinInt64,
	max:    math.MaxInt64,
	parse:  parseNumeric,
	number: parseInteger,
	from:   integerCasts,
	format: appendInt,
	// Readers of JSON keep only 53 bits of a number.
	cell:      func(dst []byte, v kalam.Value) []byte { return appendQuotedInt(dst, v.Int()) },
	size:      8,
	decode:    decodeInt64,
	appendKey: appendKeyInt64,
	readKey:   readKeyInt64,
	arrow:     arrowIs(arrow.PrimitiveTypes.Int64),
	column:    func(b array.Builder) column { return bigIntColumn{b.(*array.Int64Builder)} },
	parquet:   parquetInteger(ParquetInt64, 64, true),
	stored: func(c ParquetColumn, _ bool) (kalam.DataType, bool) {
		whole := c.Logical == LogicalNone || c.Logical == LogicalInteger && c.Signed
		return kalam.TypeOf(kalam.KindBigInt), c.Physical == ParquetInt64 && whole
	},
	widens:  widensIntegers(kalam.KindBigInt),
	compare: compareInts,
	digits:  integerDigits(19),
	bound:   boundDigits("Int64"),
}

type bigIntColumn struct{ *array.Int64Builder }

func (c bigIntColumn) appendData(d []byte)       { c.Append(int64(binary.LittleEndian.Uint64(d))) }
func (c bigIntColumn) appendValue(v kalam.Value) { c.Append(v.Int()) }
