package datatype

import (
	"strings"

	"github.com/kalamlake/kalam"
)

// DuckName returns DuckDB's name of t, as queries see it.
func DuckName(t kalam.DataType) string {
	if d := of(t.Kind); d.duck != "" {
		return d.duck
	}
	return t.String()
}

// StoredDuckName returns DuckDB's name of the type in which files hold a t.
func StoredDuckName(t kalam.DataType) string {
	if d := of(t.Kind); d.duckStored != "" {
		return d.duckStored
	}
	return DuckName(t)
}

// OfDuckName returns the type of ours that DuckDB's name of a type without arguments means,
// where literals and parameters are read as it; KindNull for any other. TEXT and JSON are
// no such types: a string is one as it is.
func OfDuckName(name string) kalam.DataType {
	for i := range types {
		d := &types[i]
		f := d.kind.Family()
		if !d.kind.IsColumn() || d.parametric || f == kalam.FamilyText || f == kalam.FamilyJSON {
			continue
		}
		if t := kalam.TypeOf(d.kind); DuckName(t) == name {
			return t
		}
	}
	return kalam.DataType{}
}

// FiltersWrong reports whether DuckDB's Parquet reader may lose rows by a condition on a
// column of a t: it believes bloom filters that lack values which are there, of BLOB
// columns with values that repeat and of floats beside a NaN.
func FiltersWrong(t kalam.DataType) bool {
	f := t.Kind.Family()
	return f == kalam.FamilyBytes || f == kalam.FamilyFloat
}

// CastLiteral reads v, the literal of a cast to t, as Operand does. ok is false for what
// DuckDB casts: a number to a number, and the words that SQL has for TRUE, FALSE and no
// moment.
func CastLiteral(t kalam.DataType, v kalam.Value) (out kalam.Value, ok bool, err error) {
	d := of(t.Kind)
	if d.duckReads != nil && d.duckReads(v) || IsBoundless(t, v) {
		return v, false, nil
	}
	return Operand(t, v)
}

// IsBoundless reports whether v is the text of a moment before or after all others,
// which no row can have but a condition may name.
func IsBoundless(t kalam.DataType, v kalam.Value) bool {
	if !of(t.Kind).boundless || v.Kind() != kalam.KindText {
		return false
	}
	word := strings.ToLower(strings.TrimSpace(v.Str()))
	return word == "infinity" || word == "-infinity"
}

// isTruthWord reports whether v is what DuckDB's parser makes of TRUE or FALSE.
func isTruthWord(v kalam.Value) bool {
	return v.Kind() == kalam.KindText && (v.Str() == "t" || v.Str() == "f")
}

func isNoText(v kalam.Value) bool { return v.Kind() != kalam.KindText }
