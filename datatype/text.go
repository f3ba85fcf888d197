package datatype

import (
	"encoding/base64"
	"encoding/hex"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/kalamlake/kalam"
)

// FromText returns the value of type t that the string s means: the content of
// an SQL string literal, a JSON string parameter or a TEXT value assigned to a
// column of another type. Blanks around numbers, booleans, times and UUIDs are
// ignored; TEXT and JSON share the memory of s. The error is CodeConstraint,
// "{T} value out of range", "Type mismatch: expected {T}, got '{s}'" or "Invalid
// JSON value: expected object or array"; see ForColumn.
func FromText(t kalam.DataType, s string) (kalam.Value, error) {
	switch t.Kind {
	case kalam.KindText:
		if !utf8.ValidString(s) {
			return kalam.Value{}, mismatchText(t, s)
		}
		return kalam.Text(s), nil
	case kalam.KindJSON:
		if err := CheckJSON(s); err != nil {
			return kalam.Value{}, err
		}
		return kalam.JSON(s), nil
	case kalam.KindBytes:
		b, ok := parseBytes(s)
		if !ok {
			return kalam.Value{}, mismatchText(t, s)
		}
		return kalam.Bytes(b), nil
	}
	trimmed := trimBlanks(s)
	switch t.Kind {
	case kalam.KindBoolean:
		if b, ok := parseBool(trimmed); ok {
			return kalam.Bool(b), nil
		}
	case kalam.KindSmallInt, kalam.KindInt, kalam.KindBigInt, kalam.KindDecimal, kalam.KindFloat, kalam.KindDouble:
		if v, ok, err := parseNumeric(t, trimmed); ok {
			return v, err
		}
	case kalam.KindTimestamp, kalam.KindDateTime, kalam.KindDate, kalam.KindTime:
		if n, ok, fits := parseTemporal(t.Kind, trimmed); ok {
			if !fits {
				return kalam.Value{}, outOfRange(t)
			}
			return kalam.Integer(t.Kind, n), nil
		}
	case kalam.KindUUID:
		if u, ok := parseUUID(trimmed); ok {
			return kalam.UUID(u), nil
		}
	}
	return kalam.Value{}, mismatchText(t, s)
}

// FromNumber returns the value of type t that the numeric literal s, such as
// "-12" or "1.5e3", means. Integers also make TIMESTAMP and DATETIME
// (microseconds since the epoch), DATE (days since it) and TIME (microseconds
// since midnight), which is the form of those values in results; 0 and 1 make
// BOOLEAN. A number with a fraction is no integer: it is refused, not rounded.
// Errors are those of FromText.
func FromNumber(t kalam.DataType, s string) (kalam.Value, error) {
	switch t.Kind {
	case kalam.KindSmallInt, kalam.KindInt, kalam.KindBigInt, kalam.KindDecimal, kalam.KindFloat, kalam.KindDouble:
		if v, ok, err := parseNumeric(t, s); ok {
			return v, err
		}
	case kalam.KindText:
		if _, ok := parseNumber(s); ok {
			return kalam.Text(s), nil
		}
	case kalam.KindJSON:
		if err := CheckJSON(s); err != nil {
			return kalam.Value{}, err
		}
		return kalam.JSON(s), nil
	case kalam.KindBoolean, kalam.KindTimestamp, kalam.KindDateTime, kalam.KindDate, kalam.KindTime:
		v, ok, err := parseNumeric(kalam.TypeOf(kalam.KindBigInt), s)
		if ok && err != nil {
			return kalam.Value{}, outOfRange(t)
		}
		if ok {
			return castInteger(t, v.Int())
		}
	}
	return kalam.Value{}, mismatch(t, abbreviate(s))
}

// FromBool returns the value of type t that TRUE or FALSE means: BOOLEAN itself,
// and TEXT and JSON "true" or "false". Errors are those of FromText.
func FromBool(t kalam.DataType, b bool) (kalam.Value, error) {
	switch t.Kind {
	case kalam.KindBoolean:
		return kalam.Bool(b), nil
	case kalam.KindText:
		return kalam.Text(strconv.FormatBool(b)), nil
	case kalam.KindJSON:
		return kalam.JSON(strconv.FormatBool(b)), nil
	}
	return kalam.Value{}, mismatch(t, strconv.FormatBool(b))
}

// parseNumeric returns the value of a numeric type t that s means; ok is false
// when s is no number of that form.
func parseNumeric(t kalam.DataType, s string) (v kalam.Value, ok bool, err error) {
	switch t.Kind {
	case kalam.KindDecimal:
		return parseDecimal(t, s)
	case kalam.KindFloat, kalam.KindDouble:
		return parseFloat(t, s)
	}
	n, ok, fits := parseInt(s)
	if !ok {
		return kalam.Value{}, false, nil
	}
	if !fits || n < minInt(t.Kind) || n > MaxInt(t.Kind) {
		return kalam.Value{}, true, outOfRange(t)
	}
	return kalam.Integer(t.Kind, n), true, nil
}

// parseInt returns the integer that the literal s is; 1.0 and 1e3 are integers,
// 1.5 is not (ok is false).
func parseInt(s string) (n int64, ok, fits bool) {
	if n, ok := parseShortInt(s); ok {
		return n, true, true
	}
	num, ok := parseNumber(s)
	if !ok {
		return 0, false, false
	}
	u, fits, exact := num.scaled(0)
	switch {
	case fits && !exact:
		return 0, false, false
	case !fits || u.hi != 0 || u.lo > math.MaxInt64+1 || u.lo == math.MaxInt64+1 && !num.neg:
		return 0, true, false
	case num.neg:
		return -int64(u.lo), true, true
	}
	return int64(u.lo), true, true
}

// parseShortInt is parseInt for the common case: [-]digits, at most 18 of them.
func parseShortInt(s string) (n int64, ok bool) {
	neg := len(s) > 0 && s[0] == '-'
	if neg {
		s = s[1:]
	}
	if len(s) == 0 || len(s) > 18 {
		return 0, false
	}
	for i := 0; i < len(s); i++ {
		d := s[i] - '0'
		if d > 9 {
			return 0, false
		}
		n = n*10 + int64(d)
	}
	if neg {
		n = -n
	}
	return n, true
}

// minInt returns the least value of an integer kind.
func minInt(k kalam.Kind) int64 {
	switch k {
	case kalam.KindSmallInt:
		return math.MinInt16
	case kalam.KindInt:
		return math.MinInt32
	}
	return math.MinInt64
}

// MaxInt returns the greatest value of an integer kind.
func MaxInt(k kalam.Kind) int64 {
	switch k {
	case kalam.KindSmallInt:
		return math.MaxInt16
	case kalam.KindInt:
		return math.MaxInt32
	}
	return math.MaxInt64
}

// parseFloat reads a decimal literal, NaN or an infinity as FLOAT or DOUBLE.
func parseFloat(t kalam.DataType, s string) (v kalam.Value, ok bool, err error) {
	f, ok := floatWord(s)
	if !ok {
		if _, ok := parseNumber(s); !ok {
			return kalam.Value{}, false, nil
		}
		size := 64
		if t.Kind == kalam.KindFloat {
			size = 32
		}
		if f, err = strconv.ParseFloat(s, size); err != nil {
			return kalam.Value{}, true, outOfRange(t)
		}
	}
	if t.Kind == kalam.KindFloat {
		return kalam.Float(float32(f)), true, nil
	}
	return kalam.Double(f), true, nil
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

// parseBool reads the words for true and false.
func parseBool(s string) (b, ok bool) {
	if len(s) > len("false") {
		return false, false
	}
	switch strings.ToLower(s) {
	case "true", "t", "1", "yes", "y", "on":
		return true, true
	case "false", "f", "0", "no", "n", "off":
		return false, true
	}
	return false, false
}

// parseBytes reads 0x.. or \x.. as hexadecimal, [1, 2, 255] as the numbers of the
// bytes, which is their form in results, and anything else as base64, with or
// without padding.
func parseBytes(s string) (string, bool) {
	if len(s) >= 2 && (s[0] == '0' || s[0] == '\\') && (s[1] == 'x' || s[1] == 'X') {
		digits := s[2:]
		if s[0] == '\\' && len(s) > 4 && s[4] == '\\' { // \xDE\xAD, the form of DuckDB.
			for i := 4; i < len(s); i += 2 {
				if !strings.HasPrefix(s[i:], `\x`) || len(s) < i+4 {
					return "", false
				}
				s = s[:i] + s[i+2:]
			}
			digits = s[2:]
		}
		b, err := hex.DecodeString(digits)
		return string(b), err == nil
	}
	if strings.HasPrefix(s, "[") {
		return parseByteList(s)
	}
	// The decoder skips line breaks, which a value must not be changed by.
	if strings.ContainsAny(s, "\r\n") {
		return "", false
	}
	enc := base64.StdEncoding
	if len(s)%4 != 0 {
		enc = base64.RawStdEncoding
	}
	b, err := enc.Strict().DecodeString(s)
	return string(b), err == nil
}

// parseByteList reads [n, n, ...] with numbers from 0 to 255.
func parseByteList(s string) (string, bool) {
	inner, ok := strings.CutSuffix(s[1:], "]")
	if !ok {
		return "", false
	}
	if trimBlanks(inner) == "" {
		return "", true
	}
	list := strings.Split(inner, ",")
	out := make([]byte, len(list))
	for i, x := range list {
		n, err := strconv.ParseUint(trimBlanks(x), 10, 8)
		if err != nil {
			return "", false
		}
		out[i] = byte(n)
	}
	return string(out), true
}

// parseUUID reads 32 hexadecimal digits, with the four hyphens or without, and
// optionally in braces.
func parseUUID(s string) (u [16]byte, ok bool) {
	if len(s) > 2 && s[0] == '{' && s[len(s)-1] == '}' {
		s = s[1 : len(s)-1]
	}
	hyphens := len(s) == 36
	if !hyphens && len(s) != 32 {
		return u, false
	}
	j := 0
	for i := range u {
		if hyphens && (i == 4 || i == 6 || i == 8 || i == 10) {
			if s[j] != '-' {
				return u, false
			}
			j++
		}
		hi, lo := hexDigit(s[j]), hexDigit(s[j+1])
		if hi|lo > 15 {
			return u, false
		}
		u[i] = hi<<4 | lo
		j += 2
	}
	return u, true
}

// hexDigit returns the value of c, or 0xFF when it is no hexadecimal digit.
func hexDigit(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	}
	return 0xFF
}

// appendUUID appends the hyphenated lower-case form.
func appendUUID(dst []byte, u [16]byte) []byte {
	const digits = "0123456789abcdef"
	for i, b := range u {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			dst = append(dst, '-')
		}
		dst = append(dst, digits[b>>4], digits[b&15])
	}
	return dst
}

// trimBlanks cuts the blanks that SQL ignores around a literal.
func trimBlanks(s string) string { return strings.Trim(s, " \t\r\n\v\f") }
