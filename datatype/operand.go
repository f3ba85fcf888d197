package datatype

import (
	"github.com/kalamlake/kalam"
)

// Operand returns what v, a literal or a parameter, means where a condition
// compares it with an expression of type t. A string is read as a t by FromText,
// as INSERT reads it. A number that meets a TIMESTAMP, DATETIME, DATE or TIME is
// the number that results show of it, and one that meets a FLOAT or DOUBLE the
// nearest of that type; one of these that meets a DECIMAL is the number that its digits
// show, if t has as many. ok is false where v keeps its own type: strings that meet
// text, and numbers that meet exact numbers, which are compared by value and not
// rounded. Errors are those of FromText.
func Operand(t kalam.DataType, v kalam.Value) (out kalam.Value, ok bool, err error) {
	switch from, to := v.Kind(), t.Kind; {
	case from == kalam.KindText:
		if to == kalam.KindNull || to == kalam.KindText {
			return v, false, nil
		}
		out, err = FromText(t, v.Str())
		return out, err == nil, err
	case !from.IsNumber():
	case to.IsTemporal():
		out, err = castNumber(t, v)
		return out, err == nil, err
	case to.Family() == kalam.FamilyFloat:
		// A number beyond the range of FLOAT can still be compared with one.
		if out, err = Cast(t, v); err == nil {
			return out, true, nil
		}
	case to == kalam.KindDecimal:
		if out, ok = exactDecimal(t, v); ok {
			return out, true, nil
		}
	}
	return v, false, nil
}

// exactDecimal returns the DECIMAL that a FLOAT or DOUBLE is the nearest to, which is
// the number that its digits show: 1.24 of a JSON parameter is 1.24. ok is false when
// it has more digits than t.
func exactDecimal(t kalam.DataType, v kalam.Value) (out kalam.Value, ok bool) {
	if v.Kind().Family() != kalam.FamilyFloat {
		return v, false
	}
	if out, err := Cast(t, v); err == nil {
		again, err := Cast(kalam.TypeOf(v.Kind()), out)
		return out, err == nil && again.Float64() == v.Float64()
	}
	return v, false
}

// castNumber casts a number to a temporal type: one without a fraction, whatever
// its own type.
func castNumber(t kalam.DataType, v kalam.Value) (kalam.Value, error) {
	if n, err := Cast(kalam.TypeOf(kalam.KindBigInt), v); err == nil {
		return Cast(t, n)
	}
	return Cast(t, v)
}

// SQLText returns the text of v that DuckDB, cast to the type of v, reads as
// exactly v. For NULL it is "NULL".
func SQLText(v kalam.Value) string {
	if v.Kind() != kalam.KindBytes {
		return Format(v)
	}
	const digits = "0123456789ABCDEF"
	b := v.Str()
	out := make([]byte, 0, 4*len(b))
	for i := range len(b) {
		out = append(out, '\\', 'x', digits[b[i]>>4], digits[b[i]&15])
	}
	return string(out)
}
