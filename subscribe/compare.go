package subscribe

import (
	"cmp"
	"math"
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
)

// comparator orders two values that are not NULL: -1, 0 or 1.
type comparator func(a, b kalam.Value) int

// class is the type to which DuckDB brings both sides of a comparison.
type class uint8

const (
	classNone    class = iota // one side is the literal NULL
	classBits                 // order of the value itself, same kind on both sides
	classInteger              // SMALLINT, INT and BIGINT
	classExact                // integers and DECIMAL
	classFloat                // FLOAT
	classDouble               // DOUBLE
	classMoment               // TIMESTAMP and DATE
)

// comparators returns one comparator per right side. DuckDB brings left and all
// of rights to one type, so they must all be of one class.
func comparators(left operand, rights ...operand) ([]comparator, error) {
	if mixesLiteral(append([]operand{left}, rights...)) {
		return nil, notCompilable("a literal that meets operands of different types")
	}
	cmps := make([]comparator, len(rights))
	common := classNone
	whole, scale := digitsOf(left)
	for i, right := range rights {
		var cl class
		var err error
		if cmps[i], cl, err = comparatorOf(left, right); err != nil {
			return nil, err
		}
		switch {
		case cl == classNone:
		case common == classNone || common == classInteger && cl == classExact:
			common = cl
		case cl != common && (cl != classInteger || common != classExact):
			return nil, notCompilable("operands of different types")
		}
		w, s := digitsOf(right)
		whole, scale = max(whole, w), max(scale, s)
	}
	if common == classExact && whole+scale > kalam.MaxDecimalPrecision {
		return nil, notCompilable("a DECIMAL of more than %d digits", kalam.MaxDecimalPrecision)
	}
	return cmps, nil
}

// mixesLiteral reports whether a constant stands beside operands of different types,
// of which DuckDB chooses the one that the constant is read as.
func mixesLiteral(os []operand) bool {
	var t kalam.DataType
	constants, mixed := false, false
	for _, o := range os {
		switch {
		case o.isNull():
		case o.konst != nil && (o.isLiteral() || o.t.Kind.IsNumber()): // DATE '...' has its type.
			constants = true
		case t.Kind == kalam.KindNull:
			t = o.t
		default:
			mixed = mixed || o.t != t
		}
	}
	return constants && mixed
}

// comparatorOf returns the comparator for a pair of operands.
func comparatorOf(a, b operand) (comparator, class, error) {
	if a.isNull() || b.isNull() {
		return func(kalam.Value, kalam.Value) int { return 0 }, classNone, nil
	}
	if a.isLiteral() != b.isLiteral() {
		return literalComparator(a, b)
	}
	if (a.konst != nil) != (b.konst != nil) {
		if cmp, cl, err := numberComparator(a, b); cmp != nil || err != nil {
			return cmp, cl, err
		}
	}
	ka, kb := a.t.Kind, b.t.Kind
	switch {
	case ka.IsInteger() && kb.IsInteger():
		return datatype.Compare(ka), classInteger, nil
	case ka.IsExact() && kb.IsExact():
		return datatype.CompareExact, classExact, nil
	case ka.IsNumber() && kb.IsNumber():
		return floatComparator(a, b)
	case isMoment(ka) && isMoment(kb):
		if ka == kb {
			return datatype.Compare(ka), classMoment, nil
		}
		return compareMoments, classMoment, nil
	case ka != kb:
		return nil, 0, notCompilable("%s compared with %s", a.t, b.t)
	}
	return datatype.Compare(ka), classBits, nil
}

// literalComparator returns the comparator of a pair of which one is a string
// literal: it is read once, as the type of the other. The error is that of
// datatype.FromText when it is no text of that type.
func literalComparator(a, b operand) (comparator, class, error) {
	lit, other := a, b
	if b.isLiteral() {
		lit, other = b, a
	}
	if other.t.Kind == kalam.KindText {
		return datatype.Compare(kalam.KindText), classBits, nil
	}
	if other.konst != nil {
		return nil, 0, notCompilable("a string literal beside another literal")
	}
	v, err := datatype.FromText(other.t, lit.konst.Str())
	if err != nil {
		return nil, 0, unreadable(err, lit.konst.Str())
	}
	return constComparator(other, v, b.isLiteral())
}

// numberComparator returns the comparator of a pair of which one is a number that
// takes the type of the other; nil when it takes none.
func numberComparator(a, b operand) (comparator, class, error) {
	lit, other := a, b
	if b.konst != nil {
		lit, other = b, a
	}
	v, ok, err := datatype.Operand(other.t, *lit.konst)
	if !ok || err != nil {
		return nil, 0, err
	}
	return constComparator(other, v, b.konst != nil)
}

// constComparator returns the comparator of other with v, a constant of its type.
func constComparator(other operand, v kalam.Value, right bool) (comparator, class, error) {
	inner, cl, err := comparatorOf(operand{t: other.t, eval: other.eval}, operand{t: other.t, eval: constant(v).eval})
	if err != nil {
		return nil, 0, err
	}
	if right {
		return func(x, _ kalam.Value) int { return inner(x, v) }, cl, nil
	}
	return func(_, y kalam.Value) int { return inner(v, y) }, cl, nil
}

// unreadable is the error of a text that is not of the type of what it meets. What
// only DuckDB reads, an infinite moment, is left to it.
func unreadable(err error, s string) error {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "infinity", "-infinity":
		return notCompilable("an infinite moment")
	}
	return err
}

// isMoment reports whether DuckDB compares the kind as a moment without time zone.
func isMoment(k kalam.Kind) bool { return k == kalam.KindTimestamp || k == kalam.KindDate }

// compareMoments orders a TIMESTAMP and a DATE, which is its midnight.
func compareMoments(a, b kalam.Value) int { return cmp.Compare(micros(a), micros(b)) }

// micros returns a TIMESTAMP or DATE in microseconds. Dates beyond the range of
// TIMESTAMP are before or after all of them.
func micros(v kalam.Value) int64 {
	const perDay = 24 * 60 * 60 * 1_000_000
	if v.Kind() != kalam.KindDate {
		return v.Int()
	}
	switch n := v.Int(); {
	case n > math.MaxInt64/perDay:
		return math.MaxInt64
	case n < math.MinInt64/perDay:
		return math.MinInt64
	default:
		return n * perDay
	}
}

// floatComparator returns the comparator of a pair with a FLOAT or DOUBLE. DuckDB
// compares a FLOAT with exact numbers as FLOAT, everything else as DOUBLE.
func floatComparator(a, b operand) (comparator, class, error) {
	single := a.t.Kind != kalam.KindDouble && b.t.Kind != kalam.KindDouble
	digits := 15 // integers below 10^15 are exact in a DOUBLE
	if single {
		digits = 7
	}
	for _, o := range []operand{a, b} {
		// DuckDB divides the unscaled value by a power of ten, which gives the
		// nearest number only when both are exact.
		if o.t.Kind == kalam.KindDecimal && (int(o.t.Precision) > digits || o.t.Scale > 10) {
			return nil, 0, notCompilable("%s compared with a floating-point number", o.t)
		}
	}
	if single {
		return func(x, y kalam.Value) int { return datatype.CompareFloats(float64(toFloat(x)), float64(toFloat(y))) },
			classFloat, nil
	}
	return func(x, y kalam.Value) int { return datatype.CompareFloats(toDouble(x), toDouble(y)) }, classDouble, nil
}

// powersOfTen are exact in a float64 and, up to 10^10, in a float32.
var powersOfTen = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10}

// toDouble returns the DOUBLE that DuckDB makes of a number.
func toDouble(v kalam.Value) float64 {
	if v.Kind() == kalam.KindDecimal {
		_, lo, scale := v.Decimal()
		return float64(int64(lo)) / powersOfTen[scale]
	}
	if v.Kind().IsInteger() {
		return float64(v.Int())
	}
	return v.Float64()
}

// toFloat returns the FLOAT that DuckDB makes of a number other than a DOUBLE.
func toFloat(v kalam.Value) float32 {
	if v.Kind() == kalam.KindDecimal {
		_, lo, scale := v.Decimal()
		return float32(int64(lo)) / float32(powersOfTen[scale])
	}
	if v.Kind().IsInteger() {
		return float32(v.Int())
	}
	return float32(v.Float64())
}
