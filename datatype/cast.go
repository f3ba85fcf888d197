package datatype

import (
	"encoding/hex"
	"math"
	"math/big"
	"strconv"

	"github.com/kalamlake/kalam"
)

// Cast returns v as a value of type t, as an assignment to a column does. NULL
// stays NULL and a value of type t is returned as it is. A TIMESTAMP given to a
// DATE or TIME keeps that part; a number with a fraction given to an integer is
// refused. Errors are those of FromText.
func Cast(t kalam.DataType, v kalam.Value) (kalam.Value, error) {
	k := v.Kind()
	if k == t.Kind && k != kalam.KindDecimal || k == kalam.KindNull {
		return v, nil
	}
	switch k {
	case kalam.KindBoolean:
		return FromBool(t, v.Bool())
	case kalam.KindSmallInt, kalam.KindInt, kalam.KindBigInt:
		return castInteger(t, v.Int())
	case kalam.KindFloat, kalam.KindDouble:
		return castFloat(t, v)
	case kalam.KindDecimal:
		return castDecimal(t, v)
	case kalam.KindText:
		return FromText(t, v.Str())
	case kalam.KindJSON:
		if t.Kind == kalam.KindText {
			return kalam.Text(v.Str()), nil
		}
	case kalam.KindTimestamp, kalam.KindDateTime, kalam.KindDate, kalam.KindTime:
		return castTemporal(t, v)
	case kalam.KindBytes, kalam.KindUUID:
		if t.Kind == kalam.KindText {
			return kalam.Text(Format(v)), nil
		}
	}
	return kalam.Value{}, mismatch(t, describe(v))
}

// castInteger is Cast for the integer kinds.
func castInteger(t kalam.DataType, n int64) (kalam.Value, error) {
	switch t.Kind {
	case kalam.KindSmallInt, kalam.KindInt, kalam.KindBigInt:
		if n < minInt(t.Kind) || n > MaxInt(t.Kind) {
			return kalam.Value{}, outOfRange(t)
		}
		return kalam.Integer(t.Kind, n), nil
	case kalam.KindDouble:
		return kalam.Double(float64(n)), nil
	case kalam.KindFloat:
		return kalam.Float(float32(n)), nil
	case kalam.KindDecimal:
		return rescale(t, n>>63, uint64(n), 0)
	case kalam.KindBoolean:
		if n == 0 || n == 1 {
			return kalam.Bool(n == 1), nil
		}
	case kalam.KindTimestamp, kalam.KindDateTime, kalam.KindDate, kalam.KindTime:
		if !temporalFits(t.Kind, n) {
			return kalam.Value{}, outOfRange(t)
		}
		if t.Kind != kalam.KindDate && t.Kind != kalam.KindTime && isCoarse(n) {
			return kalam.Value{}, coarse(t, n)
		}
		return kalam.Integer(t.Kind, n), nil
	case kalam.KindText:
		return kalam.Text(strconv.FormatInt(n, 10)), nil
	case kalam.KindJSON:
		return kalam.JSON(strconv.FormatInt(n, 10)), nil
	}
	return kalam.Value{}, mismatch(t, strconv.FormatInt(n, 10))
}

// castFloat is Cast for FLOAT and DOUBLE.
func castFloat(t kalam.DataType, v kalam.Value) (kalam.Value, error) {
	f := v.Float64()
	finite := !math.IsNaN(f) && !math.IsInf(f, 0)
	switch t.Kind {
	case kalam.KindDouble:
		return kalam.Double(f), nil
	case kalam.KindFloat:
		if finite && math.IsInf(float64(float32(f)), 0) {
			return kalam.Value{}, outOfRange(t)
		}
		return kalam.Float(float32(f)), nil
	case kalam.KindText:
		return kalam.Text(Format(v)), nil
	case kalam.KindSmallInt, kalam.KindInt, kalam.KindBigInt:
		if !finite || f != math.Trunc(f) {
			break
		}
		if f < -1<<63 || f >= 1<<63 {
			return kalam.Value{}, outOfRange(t)
		}
		return castInteger(t, int64(f))
	case kalam.KindDecimal:
		if finite {
			return floatToDecimal(t, v)
		}
	case kalam.KindBoolean:
		if f == 0 || f == 1 {
			return kalam.Bool(f == 1), nil
		}
	case kalam.KindJSON:
		if finite {
			return kalam.JSON(Format(v)), nil
		}
	}
	return kalam.Value{}, mismatch(t, Format(v))
}

// floatToDecimal rounds the shortest decimal text of v, which is the number the
// user wrote, not the binary fraction behind it: 0.1 gives 0.1 at every scale.
func floatToDecimal(t kalam.DataType, v kalam.Value) (kalam.Value, error) {
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

// castDecimal is Cast for DECIMAL.
func castDecimal(t kalam.DataType, v kalam.Value) (kalam.Value, error) {
	hi, lo, scale := v.Decimal()
	switch t.Kind {
	case kalam.KindDecimal:
		return rescale(t, hi, lo, scale)
	case kalam.KindText:
		return kalam.Text(Format(v)), nil
	case kalam.KindJSON:
		return kalam.JSON(Format(v)), nil
	case kalam.KindDouble, kalam.KindFloat:
		return decimalToFloat(t, v), nil
	case kalam.KindSmallInt, kalam.KindInt, kalam.KindBigInt, kalam.KindBoolean:
		n, fits, exact := decimalToInt(hi, lo, scale)
		if !exact {
			break
		}
		if !fits {
			return kalam.Value{}, outOfRange(t)
		}
		return castInteger(t, n)
	}
	return kalam.Value{}, mismatch(t, Format(v))
}

// decimalToFloat returns the FLOAT or DOUBLE nearest to a DECIMAL. 38 digits are
// inside the range of both.
func decimalToFloat(t kalam.DataType, v kalam.Value) kalam.Value {
	r, _ := new(big.Rat).SetString(Format(v))
	if t.Kind == kalam.KindFloat {
		f, _ := r.Float32()
		return kalam.Float(f)
	}
	f, _ := r.Float64()
	return kalam.Double(f)
}

// castTemporal is Cast for TIMESTAMP, DATETIME, DATE and TIME.
func castTemporal(t kalam.DataType, v kalam.Value) (kalam.Value, error) {
	n := v.Int()
	instant := v.Kind() == kalam.KindTimestamp || v.Kind() == kalam.KindDateTime
	switch t.Kind {
	case kalam.KindText:
		return kalam.Text(Format(v)), nil
	case kalam.KindTimestamp, kalam.KindDateTime:
		if v.Kind() == kalam.KindDate {
			if !temporalFits(kalam.KindDate, n) {
				return kalam.Value{}, outOfRange(t)
			}
			return kalam.Integer(t.Kind, n*microsPerDay), nil
		}
		if instant {
			return kalam.Integer(t.Kind, n), nil
		}
	case kalam.KindDate:
		if instant {
			return kalam.Integer(t.Kind, floorDiv(n, microsPerDay)), nil
		}
	case kalam.KindTime:
		if instant {
			return kalam.Integer(t.Kind, n-floorDiv(n, microsPerDay)*microsPerDay), nil
		}
	}
	return kalam.Value{}, mismatch(t, describe(v))
}

// Format returns v as the text that casting it to TEXT gives, which FromText
// reads back: "NULL" for NULL, true, 12, 3.0, 1.50,
// 2024-01-31 23:59:59.5, \xff for BYTES.
func Format(v kalam.Value) string {
	if k := v.Kind(); k == kalam.KindText || k == kalam.KindJSON {
		return v.Str()
	}
	return string(appendText(nil, v))
}

// appendText appends what Format returns.
func appendText(dst []byte, v kalam.Value) []byte {
	switch v.Kind() {
	case kalam.KindNull:
		return append(dst, "NULL"...)
	case kalam.KindBoolean:
		return strconv.AppendBool(dst, v.Bool())
	case kalam.KindSmallInt, kalam.KindInt, kalam.KindBigInt:
		return strconv.AppendInt(dst, v.Int(), 10)
	case kalam.KindFloat:
		return appendFloatText(dst, v.Float64(), 32)
	case kalam.KindDouble:
		return appendFloatText(dst, v.Float64(), 64)
	case kalam.KindDecimal:
		hi, lo, scale := v.Decimal()
		return appendDecimal(dst, hi, lo, int(scale))
	case kalam.KindText, kalam.KindJSON:
		return append(dst, v.Str()...)
	case kalam.KindTimestamp:
		return appendTimestamp(dst, v.Int())
	case kalam.KindDateTime:
		return append(appendTimestamp(dst, v.Int()), "+00"...)
	case kalam.KindDate:
		return appendDate(dst, v.Int())
	case kalam.KindTime:
		return appendClock(dst, v.Int())
	case kalam.KindBytes:
		return hex.AppendEncode(append(dst, `\x`...), []byte(v.Str()))
	case kalam.KindUUID:
		return appendUUID(dst, v.UUID())
	}
	return dst
}

// describe returns v as an error message quotes it: strings and times in quotes.
func describe(v kalam.Value) string {
	switch v.Kind() {
	case kalam.KindNull, kalam.KindBoolean, kalam.KindSmallInt, kalam.KindInt, kalam.KindBigInt,
		kalam.KindFloat, kalam.KindDouble, kalam.KindDecimal:
		return Format(v)
	}
	return "'" + abbreviate(Format(v)) + "'"
}
