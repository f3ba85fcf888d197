package datatype

import (
	"math"
	"math/bits"
	"strconv"
	"strings"

	"github.com/kalamlake/kalam"
)

// uint128 is an unsigned 128-bit number: the magnitude of a DECIMAL's unscaled
// value. 10^38 < 2^127, so every DECIMAL fits with room for one rounding step.
type uint128 struct{ hi, lo uint64 }

// pow10 holds 10^0 to 10^38.
var pow10 = func() (p [kalam.MaxDecimalPrecision + 1]uint128) {
	p[0] = uint128{lo: 1}
	for i := 1; i < len(p); i++ {
		p[i], _ = p[i-1].mul64(10)
	}
	return p
}()

// mul64 returns u*m and whether it fits into 128 bits.
func (u uint128) mul64(m uint64) (uint128, bool) {
	h, l := bits.Mul64(u.lo, m)
	o, h2 := bits.Mul64(u.hi, m)
	hi, carry := bits.Add64(h, h2, 0)
	return uint128{hi, l}, o == 0 && carry == 0
}

// add64 returns u+a and whether it fits into 128 bits.
func (u uint128) add64(a uint64) (uint128, bool) {
	lo, c := bits.Add64(u.lo, a, 0)
	hi, c := bits.Add64(u.hi, 0, c)
	return uint128{hi, lo}, c == 0
}

// mul returns u*v and whether it fits into 128 bits.
func (u uint128) mul(v uint128) (uint128, bool) {
	if u.hi != 0 && v.hi != 0 {
		return uint128{}, false
	}
	if u.hi != 0 {
		u, v = v, u
	}
	// u fits into 64 bits: u*v = u*v.lo + u*v.hi<<64.
	return v.mul64(u.lo)
}

// cmp orders u and v.
func (u uint128) cmp(v uint128) int {
	switch {
	case u.hi < v.hi || u.hi == v.hi && u.lo < v.lo:
		return -1
	case u == v:
		return 0
	}
	return 1
}

// divmod64 returns u/d and u%d; d must not be zero.
func (u uint128) divmod64(d uint64) (uint128, uint64) {
	q, r := u.hi/d, u.hi%d
	lo, r := bits.Div64(r, u.lo, d)
	return uint128{q, lo}, r
}

// scaleDown returns u/10^n rounded half away from zero; n is at least 1.
func (u uint128) scaleDown(n int) uint128 {
	if n > kalam.MaxDecimalPrecision+1 {
		return uint128{}
	}
	for ; n > 1; n-- {
		if n > 19 {
			u, _ = u.divmod64(1e19)
			n -= 18
			continue
		}
		u, _ = u.divmod64(10)
	}
	u, r := u.divmod64(10)
	if r >= 5 {
		u, _ = u.add64(1)
	}
	return u
}

// isZero reports whether u is 0.
func (u uint128) isZero() bool { return u.hi|u.lo == 0 }

// decimalValue returns the DECIMAL of the given sign and magnitude, which the
// caller has checked against the precision.
func decimalValue(neg bool, u uint128, scale uint8) kalam.Value {
	if neg {
		lo, borrow := bits.Sub64(0, u.lo, 0)
		hi, _ := bits.Sub64(0, u.hi, borrow)
		u = uint128{hi, lo}
	}
	return kalam.Decimal(int64(u.hi), u.lo, scale)
}

// magnitude splits a two's complement 128-bit number into sign and magnitude.
func magnitude(hi int64, lo uint64) (neg bool, u uint128) {
	u = uint128{uint64(hi), lo}
	if hi >= 0 {
		return false, u
	}
	l, borrow := bits.Sub64(0, lo, 0)
	h, _ := bits.Sub64(0, u.hi, borrow)
	return true, uint128{h, l}
}

// number is a decimal literal taken apart: (-1)^neg * 0.digits * 10^point, where
// digits may hold one '.' to be skipped and carries no leading zeros.
type number struct {
	neg    bool
	digits string // significant digits, possibly with a '.' inside
	count  int    // number of digits in it
	point  int    // decimal exponent: value = 0.d1d2d3... * 10^point
}

// maxExponent bounds the exponent of a literal; beyond it the value is zero or
// out of range for every type.
const maxExponent = 100000

// parseNumber reads [+-]digits[.digits][e[+-]digits]; at least one digit is
// needed before the exponent.
func parseNumber(s string) (n number, ok bool) {
	i := 0
	if i < len(s) && (s[i] == '-' || s[i] == '+') {
		n.neg = s[i] == '-'
		i++
	}
	start, digits, dot := i, 0, -1
	for ; i < len(s); i++ {
		if c := s[i]; c >= '0' && c <= '9' {
			digits++
		} else if c == '.' && dot < 0 {
			dot = i
		} else {
			break
		}
	}
	end := i
	if digits == 0 {
		return n, false
	}
	exp, ok := parseExponent(s[i:])
	if !ok {
		return n, false
	}
	before := end - start // digits before the point
	if dot >= 0 {
		before = dot - start
	}
	n.point = before + exp
	n.count = digits
	n.digits = s[start:end]
	for n.count > 0 && (n.digits[0] == '0' || n.digits[0] == '.') {
		if n.digits[0] == '0' {
			n.count--
			n.point--
		}
		n.digits = n.digits[1:]
	}
	return n, true
}

// parseExponent reads "" or e[+-]digits, clamped to maxExponent.
func parseExponent(s string) (exp int, ok bool) {
	if s == "" {
		return 0, true
	}
	if s[0] != 'e' && s[0] != 'E' || len(s) < 2 {
		return 0, false
	}
	s = s[1:]
	neg := s[0] == '-'
	if neg || s[0] == '+' {
		s = s[1:]
	}
	if s == "" {
		return 0, false
	}
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		exp = min(exp*10+int(s[i]-'0'), maxExponent)
	}
	if neg {
		exp = -exp
	}
	return exp, true
}

// scaled returns the magnitude of n * 10^scale, whether it fits into 128 bits
// and whether it is exact; otherwise it is rounded half away from zero.
func (n number) scaled(scale int) (u uint128, fits, exact bool) {
	exact, fits = true, true
	keep := n.point + scale // how many leading digits are in the result
	seen := 0
	for i := 0; i < len(n.digits); i++ {
		c := n.digits[i]
		if c == '.' {
			continue
		}
		d := uint64(c - '0')
		if seen < keep {
			var ok1, ok2 bool
			u, ok1 = u.mul64(10)
			u, ok2 = u.add64(d)
			if !ok1 || !ok2 {
				return u, false, exact
			}
		} else {
			exact = exact && d == 0
			if seen == keep && d >= 5 {
				u, _ = u.add64(1)
			}
		}
		seen++
	}
	for zeros := keep - seen; zeros > 0 && !u.isZero(); zeros-- {
		if u, fits = u.mul64(10); !fits {
			return u, false, exact
		}
	}
	return u, fits, exact
}

// parseDecimal returns the DECIMAL of type t that the literal s means. ok is
// false when s is no number.
func parseDecimal(t kalam.DataType, s string) (v kalam.Value, ok bool, err error) {
	n, ok := parseNumber(s)
	if !ok {
		return kalam.Value{}, false, nil
	}
	u, fits, _ := n.scaled(int(t.Scale))
	if !fits || !inPrecision(u, t) {
		return kalam.Value{}, true, outOfRange(t)
	}
	return decimalValue(n.neg && !u.isZero(), u, t.Scale), true, nil
}

// Number returns the number that s, a number of JSON, means: BIGINT for an integer of 64
// bits, DOUBLE when that has all the digits of s, else a DECIMAL. ok is false when no
// type keeps them.
func Number(s string) (v kalam.Value, ok bool) {
	if i, err := strconv.ParseInt(s, 10, 64); err == nil {
		return kalam.BigInt(i), true
	}
	n, ok := parseNumber(s)
	if !ok {
		return v, false
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil {
		if again, _ := parseNumber(strconv.FormatFloat(f, 'e', -1, 64)); n.equals(again) {
			return kalam.Double(f), true
		}
	}
	scale := max(0, len(n.significant())-n.point)
	if scale > kalam.MaxDecimalPrecision {
		return v, false
	}
	v, ok, err := parseDecimal(kalam.DataType{Kind: kalam.KindDecimal,
		Precision: kalam.MaxDecimalPrecision, Scale: uint8(scale)}, s)
	return v, ok && err == nil
}

// significant returns the digits of n without zeros at the end.
func (n number) significant() string {
	return strings.TrimRight(strings.Replace(n.digits, ".", "", 1), "0")
}

// equals reports whether n and m are one number.
func (n number) equals(m number) bool {
	digits := n.significant()
	return digits == m.significant() && (digits == "" || n.point == m.point && n.neg == m.neg)
}

// inPrecision reports whether u has at most the digits of DECIMAL type t.
func inPrecision(u uint128, t kalam.DataType) bool {
	return u.cmp(pow10[min(int(t.Precision), kalam.MaxDecimalPrecision)]) < 0
}

// rescale returns v, a DECIMAL of any scale, as a DECIMAL of type t.
func rescale(t kalam.DataType, hi int64, lo uint64, scale uint8) (kalam.Value, error) {
	neg, u := magnitude(hi, lo)
	switch d := int(t.Scale) - int(scale); {
	case d > 0:
		fits := d <= kalam.MaxDecimalPrecision
		if fits {
			u, fits = u.mul(pow10[d])
		} else if u.isZero() {
			fits = true
		}
		if !fits {
			return kalam.Value{}, outOfRange(t)
		}
	case d < 0:
		u = u.scaleDown(-d)
	}
	if !inPrecision(u, t) {
		return kalam.Value{}, outOfRange(t)
	}
	return decimalValue(neg && !u.isZero(), u, t.Scale), nil
}

// decimalToInt returns the integer that a DECIMAL is; exact is false when it has
// a fraction, fits when it is outside int64.
func decimalToInt(hi int64, lo uint64, scale uint8) (n int64, fits, exact bool) {
	neg, u := magnitude(hi, lo)
	for i := uint8(0); i < scale; i++ {
		var r uint64
		if u, r = u.divmod64(10); r != 0 {
			return 0, true, false
		}
	}
	switch {
	case u.hi != 0 || u.lo > math.MaxInt64+1 || u.lo == math.MaxInt64+1 && !neg:
		return 0, false, true
	case neg:
		return -int64(u.lo), true, true
	}
	return int64(u.lo), true, true
}

// appendDecimal appends the unscaled number with exactly scale decimals. The
// sign is kept also when the integer part is 0.
func appendDecimal(dst []byte, hi int64, lo uint64, scale int) []byte {
	neg, u := magnitude(hi, lo)
	if neg {
		dst = append(dst, '-')
	}
	var buf [48]byte
	digits := appendUint128(buf[:0], u)
	if scale <= 0 {
		dst = append(dst, digits...)
		for ; scale < 0 && !u.isZero(); scale++ {
			dst = append(dst, '0')
		}
		return dst
	}
	if whole := len(digits) - scale; whole > 0 {
		dst = append(dst, digits[:whole]...)
		dst = append(dst, '.')
		return append(dst, digits[whole:]...)
	}
	dst = append(dst, '0', '.')
	for i := len(digits); i < scale; i++ {
		dst = append(dst, '0')
	}
	return append(dst, digits...)
}

// appendUint128 appends u in decimal.
func appendUint128(dst []byte, u uint128) []byte {
	if u.hi == 0 {
		return strconv.AppendUint(dst, u.lo, 10)
	}
	q, r := u.divmod64(1e19)
	dst = appendUint128(dst, q)
	const zeros = "0000000000000000000"
	start := len(dst)
	dst = append(dst, zeros...)
	for i := len(dst) - 1; i >= start; i-- {
		dst[i] = byte('0' + r%10)
		r /= 10
	}
	return dst
}
