package datatype

import (
	"encoding/binary"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/kalamlake/kalam"
)

var doubleType = floating(64, ParquetDouble, kalam.Double, descriptor{
	kind: kalam.KindDouble,
	from: [kalam.Families]caster{
		kalam.FamilyInteger: func(_ kalam.DataType, v kalam.Value) (kalam.Value, error) {
			return kalam.Double(float64(v.Int())), nil
		},
		kalam.FamilyFloat: func(_ kalam.DataType, v kalam.Value) (kalam.Value, error) {
			return kalam.Double(v.Float64()), nil
		},
		kalam.FamilyDecimal: func(_ kalam.DataType, v kalam.Value) (kalam.Value, error) {
			f, _ := rational(v).Float64() // 38 digits are inside the range.
			return kalam.Double(f), nil
		},
	},
	decode: func(_ kalam.Kind, data []byte) kalam.Value {
		return kalam.Double(math.Float64frombits(binary.LittleEndian.Uint64(data)))
	},
	appendKey: appendKeyDouble,
	readKey: func(_ kalam.DataType, key []byte) (kalam.Value, int) {
		if len(key) < 8 {
			return kalam.Value{}, 0
		}
		b := binary.BigEndian.Uint64(key)
		if b == math.MaxUint64 {
			return kalam.Double(math.NaN()), 8
		}
		return kalam.Double(math.Float64frombits(b ^ (^uint64(int64(b)>>63) | 1<<63))), 8
	},
	arrow:  arrowIs(arrow.PrimitiveTypes.Float64),
	column: func(b array.Builder) column { return doubleColumn{b.(*array.Float64Builder)} },
	bound: func(v kalam.Value) (string, any) {
		if !isFinite(v.Float64()) {
			return "", nil
		}
		return "Float64", v.Float64()
	},
})

// appendKeyDouble is appendKeyFloat for DOUBLE.
func appendKeyDouble(dst []byte, v kalam.Value) []byte {
	f := v.Float64()
	switch {
	case f != f:
		return binary.BigEndian.AppendUint64(dst, math.MaxUint64)
	case f == 0:
		return binary.BigEndian.AppendUint64(dst, 1<<63)
	}
	b := math.Float64bits(f)
	return binary.BigEndian.AppendUint64(dst, b^(uint64(int64(b)>>63)|1<<63))
}

type doubleColumn struct{ *array.Float64Builder }

func (c doubleColumn) appendData(d []byte) {
	c.Append(math.Float64frombits(binary.LittleEndian.Uint64(d)))
}
func (c doubleColumn) appendValue(v kalam.Value) { c.Append(v.Float64()) }
