package datatype

import (
	"math"
	"strings"

	"github.com/kalamlake/kalam"
)

// FromNumber returns the value of type t that the numeric literal s, such as
// "-12" or "1.5e3", means. Integers also make TIMESTAMP and DATETIME
// (microseconds since the epoch), DATE (days since it) and TIME (microseconds
// since midnight), which is the form of those values in results; 0 and 1 make
// BOOLEAN. A number with a fraction is no integer: it is refused, not rounded.
// Errors are those of FromText.
func FromNumber(t kalam.DataType, s string) (kalam.Value, error) {
	if d := of(t.Kind); d.number != nil {
		if v, ok, err := d.number(t, s); ok {
			return v, err
		}
	}
	return kalam.Value{}, mismatch(t, abbreviate(s))
}

// FromBool returns the value of type t that TRUE or FALSE means: BOOLEAN itself,
// and TEXT and JSON "true" or "false". Errors are those of FromText.
func FromBool(t kalam.DataType, b bool) (kalam.Value, error) { return Cast(t, kalam.Bool(b)) }

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

// trimBlanks cuts the blanks that SQL ignores around a literal.
func trimBlanks(s string) string {
	if s != "" && s[0] > ' ' && s[len(s)-1] > ' ' {
		return s
	}
	return strings.Trim(s, " \t\r\n\v\f")
}
