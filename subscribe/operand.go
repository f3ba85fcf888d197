package subscribe

import (
	"math/bits"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
)

// operand is a compiled expression of any type.
type operand struct {
	t     kalam.DataType // KindNull for the literal NULL
	eval  func(r *row) kalam.Value
	konst *kalam.Value // its value, when it is a constant
}

// constant returns the operand of a literal.
func constant(v kalam.Value) operand {
	return operand{t: typeOfConst(v), konst: &v, eval: func(*row) kalam.Value { return v }}
}

// isNull reports whether o is the literal NULL.
func (o operand) isNull() bool { return o.t.Kind == kalam.KindNull }

// isLiteral reports whether o is a string literal, which has no type of its own.
func (o operand) isLiteral() bool { return o.konst != nil && o.t.Kind == kalam.KindText }

// constAs returns the value of a constant that is compared with something of type
// t.
func (o operand) constAs(t kalam.DataType) (kalam.Value, bool) {
	switch {
	case o.konst == nil:
		return kalam.Value{}, false
	case o.isLiteral() && t.Kind != kalam.KindText:
		return literalAs(t, o.konst.Str())
	}
	return *o.konst, true
}

// literalAs reads a string literal as type t.
func literalAs(t kalam.DataType, s string) (kalam.Value, bool) {
	v, err := datatype.FromText(t, s)
	return v, err == nil
}

// typeOfConst returns the type of a literal. A DECIMAL has the digits it shows.
func typeOfConst(v kalam.Value) kalam.DataType {
	t := kalam.DataType{Kind: v.Kind()}
	if t.Kind == kalam.KindDecimal {
		hi, lo, scale := v.Decimal()
		t.Scale = scale
		t.Precision = uint8(max(countDigits(hi, lo), int(scale)))
	}
	return t
}

// typedText returns a TEXT that is no literal: it does not take another type.
func typedText(s string) operand {
	v := kalam.Text(s)
	return operand{t: kalam.TypeOf(kalam.KindText), eval: func(*row) kalam.Value { return v }}
}

// commonType returns the type that all os but NULLs have. DECIMAL is left to the
// evaluator, because a literal does not tell its precision.
func commonType(os []operand) (kalam.DataType, error) {
	var t kalam.DataType
	for _, o := range os {
		switch {
		case o.isNull():
		case t.Kind == kalam.KindNull && o.t.Kind != kalam.KindDecimal:
			t = o.t
		case o.t != t:
			return t, notCompilable("CASE with results of type %s and %s", t, o.t)
		}
	}
	return t, nil
}

// digitsOf returns how many digits before and after the point the exact numbers
// of o need.
func digitsOf(o operand) (whole, scale int) {
	if o.konst != nil && o.t.Kind.IsInteger() {
		n := o.konst.Int()
		return countDigits(n>>63, uint64(n)), 0
	}
	return datatype.Digits(o.t)
}

// countDigits returns the number of decimal digits of a 128-bit number.
func countDigits(hi int64, lo uint64) int {
	_, h, l := magnitude(hi, lo)
	n := 0
	for h|l != 0 {
		var r uint64
		h, r = h/10, h%10
		l, _ = bits.Div64(r, l, 10)
		n++
	}
	return n
}

// magnitude splits a two's complement 128-bit number into sign and magnitude.
func magnitude(hi int64, lo uint64) (neg bool, h, l uint64) {
	if hi >= 0 {
		return false, uint64(hi), lo
	}
	l, borrow := bits.Sub64(0, lo, 0)
	h, _ = bits.Sub64(0, uint64(hi), borrow)
	return true, h, l
}
