package datatype

import (
	"encoding/binary"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/kalamlake/kalam"
)

var floatType = floating(32, ParquetFloat, func(f float64) kalam.Value { return kalam.Float(float32(f)) }, descriptor{
	kind: kalam.KindFloat,
	from: [kalam.Families]caster{
		kalam.FamilyInteger: func(_ kalam.DataType, v kalam.Value) (kalam.Value, error) {
			return kalam.Float(float32(v.Int())), nil
		},
		kalam.FamilyFloat: func(t kalam.DataType, v kalam.Value) (kalam.Value, error) {
			f := v.Float64()
			if isFinite(f) && math.IsInf(float64(float32(f)), 0) {
				return kalam.Value{}, outOfRange(t)
			}
			return kalam.Float(float32(f)), nil
		},
		kalam.FamilyDecimal: func(_ kalam.DataType, v kalam.Value) (kalam.Value, error) {
			f, _ := rational(v).Float32() // 38 digits are inside the range.
			return kalam.Float(f), nil
		},
	},
	decode: func(_ kalam.Kind, data []byte) kalam.Value {
		return kalam.Float(math.Float32frombits(binary.LittleEndian.Uint32(data)))
	},
	appendKey: appendKeyFloat,
	readKey: func(_ kalam.DataType, key []byte) (kalam.Value, int) {
		if len(key) < 4 {
			return kalam.Value{}, 0
		}
		b := binary.BigEndian.Uint32(key)
		if b == math.MaxUint32 {
			return kalam.Float(float32(math.NaN())), 4
		}
		return kalam.Float(math.Float32frombits(b ^ (^uint32(int32(b)>>31) | 1<<31))), 4
	},
	arrow:  arrowIs(arrow.PrimitiveTypes.Float32),
	column: func(b array.Builder) column { return floatColumn{b.(*array.Float32Builder)} },
	bound: func(v kalam.Value) (string, any) {
		if !isFinite(v.Float64()) {
			return "", nil
		}
		return "Float32", float32(v.Float64())
	},
})

// appendKeyFloat appends the bits of a FLOAT in the order of the numbers. All NaNs are one
// key, as are the zeros of both signs.
func appendKeyFloat(dst []byte, v kalam.Value) []byte {
	f := float32(v.Float64())
	switch {
	case f != f:
		return binary.BigEndian.AppendUint32(dst, math.MaxUint32)
	case f == 0:
		return binary.BigEndian.AppendUint32(dst, 1<<31)
	}
	b := math.Float32bits(f)
	return binary.BigEndian.AppendUint32(dst, b^(uint32(int32(b)>>31)|1<<31))
}

type floatColumn struct{ *array.Float32Builder }

func (c floatColumn) appendData(d []byte) {
	c.Append(math.Float32frombits(binary.LittleEndian.Uint32(d)))
}
func (c floatColumn) appendValue(v kalam.Value) { c.Append(float32(v.Float64())) }
