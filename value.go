package kalam

import (
	"encoding/binary"
	"math"
	"math/big"
)

// Value is one cell: NULL (the zero Value) or a value of one kind. It holds no
// pointer but the bytes of its text, so that rows of values cost no allocation
// beside their slice. Values are immutable and comparable with ==, except that
// NaN equals itself and -0 differs from 0 (the bits are compared).
type Value struct {
	kind  Kind
	scale uint8  // decimals after the point, for KindDecimal
	lo    uint64 // integers and times two's complement, floats as bits, low half of DECIMAL and UUID
	hi    uint64 // high half of DECIMAL (two's complement) and UUID
	s     string // TEXT, JSON and BYTES
}

// Null returns NULL.
func Null() Value { return Value{} }

// Bool returns a BOOLEAN.
func Bool(b bool) Value {
	v := Value{kind: KindBoolean}
	if b {
		v.lo = 1
	}
	return v
}

// Integer returns a value of a kind that is stored as one integer: SMALLINT,
// INT, BIGINT, TIMESTAMP and DATETIME (microseconds since the Unix epoch), DATE
// (days since it), TIME (microseconds since midnight). The caller has checked
// the range.
func Integer(k Kind, n int64) Value { return Value{kind: k, lo: uint64(n)} }

// BigInt returns a BIGINT.
func BigInt(n int64) Value { return Integer(KindBigInt, n) }

// Double returns a DOUBLE.
func Double(f float64) Value { return Value{kind: KindDouble, lo: math.Float64bits(f)} }

// Float returns a FLOAT.
func Float(f float32) Value { return Value{kind: KindFloat, lo: uint64(math.Float32bits(f))} }

// Text returns a TEXT.
func Text(s string) Value { return Value{kind: KindText, s: s} }

// JSON returns a JSON value; s is the document's text, already validated.
func JSON(s string) Value { return Value{kind: KindJSON, s: s} }

// Bytes returns a BYTES value whose bytes are those of s.
func Bytes(s string) Value { return Value{kind: KindBytes, s: s} }

// StringOf returns the TEXT, JSON or BYTES value that s is; k is one of these kinds.
func StringOf(k Kind, s string) Value { return Value{kind: k, s: s} }

// UUID returns a UUID from its 16 bytes.
func UUID(b [16]byte) Value {
	return Value{kind: KindUUID, hi: binary.BigEndian.Uint64(b[:8]), lo: binary.BigEndian.Uint64(b[8:])}
}

// Decimal returns a DECIMAL with the given two's complement 128-bit unscaled
// value and scale.
func Decimal(hi int64, lo uint64, scale uint8) Value {
	return Value{kind: KindDecimal, hi: uint64(hi), lo: lo, scale: scale}
}

// Kind returns the kind of v, KindNull for NULL.
func (v Value) Kind() Kind { return v.kind }

// IsNull reports whether v is NULL.
func (v Value) IsNull() bool { return v.kind == KindNull }

// Bool returns the value of a BOOLEAN.
func (v Value) Bool() bool { return v.lo != 0 }

// Int returns the integer of the kinds listed at Integer.
func (v Value) Int() int64 { return int64(v.lo) }

// Float64 returns the value of a DOUBLE or FLOAT.
func (v Value) Float64() float64 {
	if v.kind == KindFloat {
		return float64(math.Float32frombits(uint32(v.lo)))
	}
	return math.Float64frombits(v.lo)
}

// Str returns the text of TEXT and JSON, the bytes of BYTES.
func (v Value) Str() string { return v.s }

// Bits returns what a value of up to 64 bits is held as: integers and times in two's
// complement, a FLOAT and a DOUBLE as IEEE bits, a BOOLEAN as 0 or 1.
func (v Value) Bits() uint64 { return v.lo }

// UUID returns the bytes of a UUID.
func (v Value) UUID() (b [16]byte) {
	binary.BigEndian.PutUint64(b[:8], v.hi)
	binary.BigEndian.PutUint64(b[8:], v.lo)
	return b
}

// Decimal returns the unscaled 128-bit value and the scale of a DECIMAL.
func (v Value) Decimal() (hi int64, lo uint64, scale uint8) { return int64(v.hi), v.lo, v.scale }

// DecimalText returns a DECIMAL with exactly its scale of decimals, the sign kept.
func (v Value) DecimalText() string {
	n := new(big.Int).SetInt64(int64(v.hi))
	n.Lsh(n, 64).Add(n, new(big.Int).SetUint64(v.lo))
	neg := n.Sign() < 0
	digits := n.Abs(n).String()
	if s := int(v.scale); s > 0 {
		for len(digits) <= s {
			digits = "0" + digits
		}
		digits = digits[:len(digits)-s] + "." + digits[len(digits)-s:]
	}
	if neg {
		return "-" + digits
	}
	return digits
}
