package datatype

import (
	"unicode/utf8"

	"github.com/kalamlake/kalam"
)

// Cast returns v as a value of type t, as an assignment to a column does. NULL
// stays NULL and a value of type t is returned as it is. A TIMESTAMP given to a
// DATE or TIME keeps that part; a number with a fraction given to an integer is
// refused. Errors are those of FromText.
func Cast(t kalam.DataType, v kalam.Value) (kalam.Value, error) {
	k := v.Kind()
	d := of(t.Kind)
	if k == t.Kind && !d.parametric || k == kalam.KindNull {
		return v, nil
	}
	family := k.Family()
	if family == kalam.FamilyText {
		return FromText(t, v.Str())
	}
	if cast := d.from[family]; cast != nil {
		return cast(t, v)
	}
	return kalam.Value{}, mismatchValue(t, v)
}

// Format returns v as the text that casting it to TEXT gives, which FromText
// reads back: "NULL" for NULL, true, 12, 3.0, 1.50,
// 2024-01-31 23:59:59.5, \xff for BYTES.
func Format(v kalam.Value) string {
	if f := v.Kind().Family(); f == kalam.FamilyText || f == kalam.FamilyJSON {
		return v.Str()
	}
	return string(appendText(nil, v))
}

// appendText appends what Format returns.
func appendText(dst []byte, v kalam.Value) []byte { return of(v.Kind()).format(dst, v) }

// describe returns v as an error message quotes it: strings and times in quotes.
func describe(v kalam.Value) string {
	if k := v.Kind(); k == kalam.KindNull || k == kalam.KindBoolean || k.IsNumber() {
		return Format(v)
	}
	return "'" + abbreviate(Format(v)) + "'"
}

// mismatchValue is the error of a value that t does not take.
func mismatchValue(t kalam.DataType, v kalam.Value) error { return mismatch(t, describe(v)) }

// FromText returns the value of type t that the string s means: the content of
// an SQL string literal, a JSON string parameter or a TEXT value assigned to a
// column of another type. Blanks around numbers, booleans, times and UUIDs are
// ignored; TEXT and JSON share the memory of s. The error is CodeConstraint,
// "{T} value out of range", "Type mismatch: expected {T}, got '{s}'" or "Invalid
// JSON value: expected object or array"; see ForColumn.
func FromText(t kalam.DataType, s string) (kalam.Value, error) {
	// Most values of an INSERT are text: the call through the descriptor is 40 % of its check.
	if t.Kind == kalam.KindText && utf8.ValidString(s) {
		return kalam.Text(s), nil
	}
	return of(t.Kind).parse(t, s)
}
