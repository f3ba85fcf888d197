package datatype

import (
	"fmt"

	"github.com/kalamlake/kalam"
)

// Widenable reports whether every value of type from is one of type to, the same one: a column of the first can
// become one of the second while its values stay as they are stored.
func Widenable(from, to kalam.DataType) bool {
	switch {
	case from.Kind == kalam.KindFloat:
		return to.Kind == kalam.KindDouble
	case !from.Kind.IsInteger() && from.Kind != kalam.KindDecimal, !to.Kind.IsInteger() && to.Kind != kalam.KindDecimal:
		return false
	case from.Kind == kalam.KindDecimal && to.Kind != kalam.KindDecimal:
		return false
	}
	whole, scale := Digits(from)
	wholeTo, scaleTo := Digits(to)
	return from != to && wholeTo >= whole && scaleTo >= scale
}

// WiderThan words the types to which a column of type t can be widened.
func WiderThan(t kalam.DataType) string {
	whole, scale := Digits(t)
	switch t.Kind {
	case kalam.KindSmallInt:
		return "SMALLINT to INT, BIGINT or DECIMAL"
	case kalam.KindInt:
		return "INT to BIGINT or DECIMAL"
	case kalam.KindBigInt:
		return fmt.Sprintf("BIGINT to a DECIMAL with %d digits before the point", whole)
	case kalam.KindFloat:
		return "FLOAT to DOUBLE"
	case kalam.KindDecimal:
		return fmt.Sprintf("%s to a DECIMAL with at least %d digits before the point and %d after it", t, whole, scale)
	default:
		return fmt.Sprintf("and no type is wider than %s", t)
	}
}
