package datatype

import (
	"cmp"
	"math"
	"strconv"
	"strings"

	"github.com/kalamlake/kalam"
)

// What FLOAT and DOUBLE have in common.

// parseDigits reads a decimal literal, NaN or an infinity as a number of so many bits.
func parseDigits(t kalam.DataType, s string, bits int) (f float64, ok bool, err error) {
	if f, ok := floatWord(s); ok {
		return f, true, nil
	}
	if _, ok := parseNumber(s); !ok {
		return 0, false, nil
	}
	if f, err = strconv.ParseFloat(s, bits); err != nil {
		return 0, true, outOfRange(t)
	}
	return f, true, nil
}

// floatWord reads the words for the numbers that have no digits.
func floatWord(s string) (f float64, ok bool) {
	if len(s) > len("-infinity") || len(s) < len("nan") {
		return 0, false
	}
	switch strings.ToLower(s) {
	case "nan":
		return math.NaN(), true
	case "inf", "infinity", "+inf", "+infinity":
		return math.Inf(1), true
	case "-inf", "-infinity":
		return math.Inf(-1), true
	}
	return 0, false
}

// appendFloatCell appends a number of so many bits: a FLOAT of 0.1 is 0.1, though
// a reader that widens it has another number than 0.1.
func appendFloatCell(dst []byte, f float64, bits int) []byte {
	if !isFinite(f) {
		return append(appendFloatText(append(dst, '"'), f, bits), '"')
	}
	return appendFloatText(dst, f, bits)
}

// appendFloatText appends the shortest text that reads back as f among numbers
// of bits bits, always with a point or an exponent: 3.0, 0.1, 1e21, 1.5e-7.
func appendFloatText(dst []byte, f float64, bits int) []byte {
	switch abs := math.Abs(f); {
	case f != f:
		return append(dst, "NaN"...)
	case math.IsInf(f, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(f, -1):
		return append(dst, "-Infinity"...)
	case abs < 1e15 && f == math.Trunc(f) && (f != 0 || !math.Signbit(f)):
		return append(strconv.AppendInt(dst, int64(f), 10), ".0"...)
	case abs == 0 || abs >= 1e-5 && abs < 1e16:
		start := len(dst)
		dst = strconv.AppendFloat(dst, f, 'f', -1, bits)
		for _, c := range dst[start:] {
			if c == '.' {
				return dst
			}
		}
		return append(dst, ".0"...)
	}
	start := len(dst)
	dst = strconv.AppendFloat(dst, f, 'e', -1, bits)
	return shortenExponent(dst, start)
}

// shortenExponent rewrites the exponent that strconv wrote after start, e+05 or
// e-07, as e5 or e-7.
func shortenExponent(dst []byte, start int) []byte {
	for e := len(dst) - 1; e >= start; e-- {
		if dst[e] != 'e' {
			continue
		}
		out := e + 1
		in := e + 1
		if dst[in] == '-' {
			out++
		}
		in++
		for in < len(dst)-1 && dst[in] == '0' {
			in++
		}
		return append(dst[:out], dst[in:]...)
	}
	return dst
}

// CompareFloats orders numbers as DuckDB does: NaN is equal to itself and above
// everything else.
func CompareFloats(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	case a == b:
		return 0
	}
	return cmp.Compare(nan(a), nan(b))
}

// nan returns 1 for NaN and 0 for numbers.
func nan(f float64) int {
	if f != f {
		return 1
	}
	return 0
}

func compareFloatValues(a, b kalam.Value) int { return CompareFloats(a.Float64(), b.Float64()) }

// floating adds to d what FLOAT and DOUBLE, numbers of so many bits, have in common.
// of makes a value of a number in the range of the type.
func floating(bits int, physical ParquetPhysical, of func(float64) kalam.Value, d descriptor) descriptor {
	d.parse, d.duckReads = parseNumeric, isNoText
	d.number = func(t kalam.DataType, s string) (v kalam.Value, ok bool, err error) {
		f, ok, err := parseDigits(t, s, bits)
		if !ok || err != nil {
			return v, ok, err
		}
		return of(f), true, nil
	}
	d.format = func(dst []byte, v kalam.Value) []byte { return appendFloatText(dst, v.Float64(), bits) }
	d.cell = func(dst []byte, v kalam.Value) []byte { return appendFloatCell(dst, v.Float64(), bits) }
	d.size = uint8(bits / 8)
	d.parquet = func(kalam.DataType) ParquetColumn { return ParquetColumn{Physical: physical} }
	d.stored = storedPlain(d.kind, physical)
	d.widens, d.compare = widensNumbers, compareFloatValues
	return d
}
