package datatype

import (
	"cmp"
	"encoding/binary"
	"math/big"
	"math/bits"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"github.com/kalamlake/kalam"
)

var decimalType = descriptor{
	kind:       kalam.KindDecimal,
	parametric: true,
	parse:      parseNumeric,
	number:     parseDecimal,
	from: [kalam.Families]caster{
		kalam.FamilyInteger: func(t kalam.DataType, v kalam.Value) (kalam.Value, error) {
			return rescale(t, v.Int()>>63, uint64(v.Int()), 0)
		},
		kalam.FamilyFloat: castFloatToDecimal,
		kalam.FamilyDecimal: func(t kalam.DataType, v kalam.Value) (kalam.Value, error) {
			hi, lo, scale := v.Decimal()
			return rescale(t, hi, lo, scale)
		},
	},
	format: appendDecimalValue,
	cell: func(dst []byte, v kalam.Value) []byte {
		return append(appendDecimalValue(append(dst, '"'), v), '"')
	},
	size: 17, // The scale, then 16 bytes.
	encode: func(dst []byte, v kalam.Value) []byte {
		hi, lo, scale := v.Decimal()
		dst = append(dst, scale)
		dst = binary.LittleEndian.AppendUint64(dst, lo)
		return binary.LittleEndian.AppendUint64(dst, uint64(hi))
	},
	decode: func(_ kalam.Kind, data []byte) kalam.Value {
		le := binary.LittleEndian
		return kalam.Decimal(int64(le.Uint64(data[9:])), le.Uint64(data[1:]), data[0])
	},
	validate: func(data []byte) error {
		if data[0] > kalam.MaxDecimalPrecision {
			return damageDecimal
		}
		return nil
	},
	appendKey: func(dst []byte, v kalam.Value) []byte {
		hi, lo, _ := v.Decimal()
		dst = binary.BigEndian.AppendUint64(dst, uint64(hi)^1<<63)
		return binary.BigEndian.AppendUint64(dst, lo)
	},
	readKey: func(t kalam.DataType, key []byte) (kalam.Value, int) {
		if len(key) < 16 {
			return kalam.Value{}, 0
		}
		be := binary.BigEndian
		return kalam.Decimal(int64(be.Uint64(key)^1<<63), be.Uint64(key[8:]), t.Scale), 16
	},
	arrow: func(t kalam.DataType) arrow.DataType {
		return &arrow.Decimal128Type{Precision: int32(t.Precision), Scale: int32(t.Scale)}
	},
	column:  func(b array.Builder) column { return decimalColumn{b.(*array.Decimal128Builder)} },
	parquet: parquetDecimal,
	stored: func(c ParquetColumn, _ bool) (kalam.DataType, bool) {
		p, s := c.Precision, c.Scale
		if c.Logical != LogicalDecimal || p < 1 || p > kalam.MaxDecimalPrecision || s < 0 || s > p || c.Length > 16 {
			return kalam.DataType{}, false
		}
		return kalam.DataType{Kind: kalam.KindDecimal, Precision: uint8(p), Scale: uint8(s)}, true
	},
	widens: widensNumbers,
	fromParquet: func(t kalam.DataType, n int64) kalam.Value {
		return kalam.Decimal(n>>63, uint64(n), t.Scale)
	},
	compare: CompareExact,
	digits: func(t kalam.DataType) (whole, scale int) {
		return int(t.Precision) - int(t.Scale), int(t.Scale)
	},
	bound: func(v kalam.Value) (string, any) { return "Decimal128", v.DecimalText() },
}

// castFloatToDecimal rounds the shortest decimal text of v, which is the number the
// user wrote, not the binary fraction behind it: 0.1 gives 0.1 at every scale.
func castFloatToDecimal(t kalam.DataType, v kalam.Value) (kalam.Value, error) {
	if !isFinite(v.Float64()) {
		return kalam.Value{}, mismatchValue(t, v)
	}
	size := 64
	if v.Kind() == kalam.KindFloat {
		size = 32
	}
	var buf [32]byte
	text := strconv.AppendFloat(buf[:0], v.Float64(), 'e', -1, size)
	d, ok, err := parseDecimal(t, string(text))
	if !ok {
		return kalam.Value{}, mismatch(t, string(text))
	}
	return d, err
}

// rational returns the number that a DECIMAL is.
func rational(v kalam.Value) *big.Rat {
	r, _ := new(big.Rat).SetString(Format(v))
	return r
}

func appendDecimalValue(dst []byte, v kalam.Value) []byte {
	hi, lo, scale := v.Decimal()
	return appendDecimal(dst, hi, lo, int(scale))
}

// parquetDecimal is the parquet of a DECIMAL: the smallest physical type with its digits.
func parquetDecimal(t kalam.DataType) ParquetColumn {
	c := ParquetColumn{Logical: LogicalDecimal, Precision: int(t.Precision), Scale: int(t.Scale)}
	switch {
	case t.Precision <= 9:
		c.Physical = ParquetInt32
	case t.Precision <= 18:
		c.Physical = ParquetInt64
	default:
		c.Physical, c.Length = ParquetFixed, 16
	}
	return c
}

// CompareExact orders two integers or DECIMALs by value: -1, 0 or 1. The one of the smaller
// scale, multiplied until it has the other's, must have at most 38 digits.
func CompareExact(a, b kalam.Value) int {
	ahi, alo, as := exact(a)
	bhi, blo, bs := exact(b)
	if as != bs {
		ahi, alo = scaleUp(ahi, alo, bs-as)
		bhi, blo = scaleUp(bhi, blo, as-bs)
	}
	return cmp.Or(cmp.Compare(ahi, bhi), cmp.Compare(alo, blo))
}

// exact returns the unscaled value and scale of an integer or DECIMAL.
func exact(v kalam.Value) (hi int64, lo uint64, scale int) {
	if v.Kind() == kalam.KindDecimal {
		h, l, s := v.Decimal()
		return h, l, int(s)
	}
	return v.Int() >> 63, uint64(v.Int()), 0
}

// scaleUp multiplies a 128-bit number by 10^n; n at or below 0 leaves it.
func scaleUp(hi int64, lo uint64, n int) (int64, uint64) {
	h := uint64(hi)
	for ; n > 0; n-- {
		carry, l := bits.Mul64(lo, 10)
		h, lo = h*10+carry, l
	}
	return int64(h), lo
}

type decimalColumn struct{ *array.Decimal128Builder }

// appendData is not called: a DECIMAL is parametric.
func (c decimalColumn) appendData(d []byte) { c.appendValue(decimalType.decode(kalam.KindDecimal, d)) }

func (c decimalColumn) appendValue(v kalam.Value) {
	hi, lo, _ := v.Decimal()
	c.Append(decimal128.New(hi, lo))
}
