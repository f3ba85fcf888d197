package datatype

import (
	"cmp"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/kalamlake/kalam"
)

// Range says what the values of one column lie between in some rows. The zero Range says
// nothing.
type Range struct {
	Min, Max kalam.Value // Of the values that are not NULL; NULL when there is none.
	Nulls    bool        // A row may have NULL.
	Known    bool        // Otherwise the rest means nothing.
}

// HasRange reports whether ranges of the values of a type are kept: those that DuckDB
// orders as Compare does, and of which a file's statistics leave nothing out. FLOAT and
// DOUBLE have a NaN, which statistics are silent about.
func HasRange(k kalam.Kind) bool {
	return k.IsInteger() || k.IsTemporal() || k == kalam.KindText || k == kalam.KindUUID
}

// Extremes returns where the least and the greatest value of a column of kind k lie, of a
// column that has a value.
func Extremes(a arrow.Array, k kalam.Kind) (low, high int) {
	switch a := a.(type) {
	case *array.Int16:
		return extremes(a)
	case *array.Int32:
		return extremes(a)
	case *array.Int64:
		return extremes(a)
	case *array.Timestamp:
		return extremes(a)
	case *array.Date32:
		return extremes(a)
	case *array.Time64:
		return extremes(a)
	case *array.String:
		return extremes(a)
	}
	compare := Compare(k)
	low, high = -1, -1
	for i := range a.Len() {
		if a.IsNull(i) {
			continue
		}
		v := ValueAt(a, i)
		if low < 0 || compare(v, ValueAt(a, low)) < 0 {
			low = i
		}
		if high < 0 || compare(v, ValueAt(a, high)) > 0 {
			high = i
		}
	}
	return low, high
}

// extremes is Extremes of values that Go orders as Compare does.
func extremes[T cmp.Ordered](a interface {
	Len() int
	NullN() int
	IsNull(i int) bool
	Value(i int) T
}) (low, high int) {
	low, high = -1, -1
	var least, most T
	nulls := a.NullN() > 0
	for i := range a.Len() {
		if nulls && a.IsNull(i) {
			continue
		}
		v := a.Value(i)
		if low < 0 || v < least {
			low, least = i, v
		}
		if high < 0 || v > most {
			high, most = i, v
		}
	}
	return low, high
}
