package datatype

import (
	"cmp"
	"encoding/binary"
	"math"
	"strconv"

	"github.com/kalamlake/kalam"
)

// What the integer types, and those that are stored as integers, have in common.

// integerCasts are the casts of other types to an integer type.
var integerCasts = [kalam.Families]caster{
	kalam.FamilyInteger: castIntegerToInteger,
	kalam.FamilyFloat:   castFloatToInteger,
	kalam.FamilyDecimal: castWholeDecimal,
}

func castIntegerToInteger(t kalam.DataType, v kalam.Value) (kalam.Value, error) {
	if d := of(t.Kind); v.Int() < d.min || v.Int() > d.max {
		return kalam.Value{}, outOfRange(t)
	}
	return kalam.Integer(t.Kind, v.Int()), nil
}

func castFloatToInteger(t kalam.DataType, v kalam.Value) (kalam.Value, error) {
	f := v.Float64()
	switch {
	case !isFinite(f) || f != math.Trunc(f):
		return kalam.Value{}, mismatchValue(t, v)
	case f < -1<<63 || f >= 1<<63:
		return kalam.Value{}, outOfRange(t)
	}
	return castIntegerToInteger(t, kalam.BigInt(int64(f)))
}

// castWholeDecimal casts a DECIMAL without a fraction as the integer that it is.
func castWholeDecimal(t kalam.DataType, v kalam.Value) (kalam.Value, error) {
	n, fits, exact := decimalToInt(v.Decimal())
	switch {
	case !exact:
		return kalam.Value{}, mismatchValue(t, v)
	case !fits:
		return kalam.Value{}, outOfRange(t)
	}
	return Cast(t, kalam.BigInt(n))
}

// parseInteger reads a literal as a value of an integer type.
func parseInteger(t kalam.DataType, s string) (v kalam.Value, ok bool, err error) {
	n, ok, fits := parseInt(s)
	if !ok {
		return v, false, nil
	}
	if d := of(t.Kind); !fits || n < d.min || n > d.max {
		return v, true, outOfRange(t)
	}
	return kalam.Integer(t.Kind, n), true, nil
}

// parseNumeric is the parse of the numeric types.
func parseNumeric(t kalam.DataType, s string) (kalam.Value, error) {
	v, ok, err := of(t.Kind).number(t, trimBlanks(s))
	if !ok {
		return kalam.Value{}, mismatchText(t, s)
	}
	return v, err
}

// numberThenCast reads a numeric literal as an integer, which it casts.
func numberThenCast(t kalam.DataType, s string) (v kalam.Value, ok bool, err error) {
	v, ok, err = parseInteger(kalam.TypeOf(kalam.KindBigInt), s)
	if !ok {
		return v, false, nil
	}
	if err != nil {
		return v, true, outOfRange(t)
	}
	v, err = Cast(t, v)
	return v, true, err
}

// MaxInt returns the greatest value of an integer kind.
func MaxInt(k kalam.Kind) int64 { return of(k).max }

func appendInt(dst []byte, v kalam.Value) []byte { return strconv.AppendInt(dst, v.Int(), 10) }

func decodeInt32(k kalam.Kind, data []byte) kalam.Value {
	return kalam.Integer(k, int64(int32(binary.LittleEndian.Uint32(data))))
}

func decodeInt64(k kalam.Kind, data []byte) kalam.Value {
	return kalam.Integer(k, int64(binary.LittleEndian.Uint64(data)))
}

func appendKeyInt32(dst []byte, v kalam.Value) []byte {
	return binary.BigEndian.AppendUint32(dst, uint32(v.Int())^1<<31)
}

func appendKeyInt64(dst []byte, v kalam.Value) []byte {
	return binary.BigEndian.AppendUint64(dst, uint64(v.Int())^1<<63)
}

func readKeyInt32(t kalam.DataType, key []byte) (kalam.Value, int) {
	if len(key) < 4 {
		return kalam.Value{}, 0
	}
	return kalam.Integer(t.Kind, int64(int32(binary.BigEndian.Uint32(key)^1<<31))), 4
}

func readKeyInt64(t kalam.DataType, key []byte) (kalam.Value, int) {
	if len(key) < 8 {
		return kalam.Value{}, 0
	}
	return kalam.Integer(t.Kind, int64(binary.BigEndian.Uint64(key)^1<<63)), 8
}

// parquetInteger is the parquet of an integer type.
func parquetInteger(p ParquetPhysical, bits int, signed bool) func(kalam.DataType) ParquetColumn {
	return func(kalam.DataType) ParquetColumn {
		return ParquetColumn{Physical: p, Logical: LogicalInteger, Bits: bits, Signed: signed}
	}
}

// widensIntegers is the widens of an integer type: it takes integers of a range inside
// of its own.
func widensIntegers(to kalam.Kind) func(*descriptor) bool {
	return func(from *descriptor) bool {
		d := of(to)
		return from.kind.IsInteger() && from.min >= d.min && from.max <= d.max
	}
}

// integerDigits is the digits of an integer type of at most n digits.
func integerDigits(n int) func(kalam.DataType) (int, int) {
	return func(kalam.DataType) (whole, scale int) { return n, 0 }
}

func compareInts(a, b kalam.Value) int { return cmp.Compare(a.Int(), b.Int()) }

// boundNumber is the bound of integers that JSON has as a number.
func boundNumber(tag string) func(kalam.Value) (string, any) {
	return func(v kalam.Value) (string, any) { return tag, v.Int() }
}

// boundDigits is the bound of integers of 64 bits, which JSON has as a string.
func boundDigits(tag string) func(kalam.Value) (string, any) {
	return func(v kalam.Value) (string, any) { return tag, strconv.FormatInt(v.Int(), 10) }
}

// isFinite reports whether f is a number that has digits.
func isFinite(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }
