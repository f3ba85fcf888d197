package schema

import (
	"fmt"
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/dialect"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/read"
)

// KeyAmong returns the results that are the primary key of the only table that is read,
// nil if some of it is missing.
func KeyAmong(fields []read.Field, t *kalam.Table) []int {
	var key []int
	for i := range fields {
		if len(fields[i].Flags) > 0 && fields[i].Flags[0] == "pk" {
			key = append(key, i)
		}
	}
	if t == nil || len(key) != len(t.PrimaryKey) {
		return nil
	}
	return key
}

// KeyOfResults chooses the primary key: the columns that the statement names, else those
// of known, else the first column. Tables that need no key have the one that is named.
func KeyOfResults(st *ast.CreateTable, spec *kalam.Table, known []int) error {
	for _, c := range st.Key {
		i := spec.ColumnIndex(c.Name)
		if i < 0 {
			return kalam.Errorf(kalam.CodeInvalidSQL, "PRIMARY KEY column '%s' is no column of the query",
				c.Name).At(c.Pos)
		}
		spec.PrimaryKey = append(spec.PrimaryKey, i)
	}
	if len(st.Key) == 0 && spec.Kind.NeedsKey() {
		if spec.PrimaryKey = known; len(known) == 0 {
			spec.PrimaryKey = []int{0}
		}
	}
	for _, i := range spec.PrimaryKey {
		c := &spec.Columns[i]
		if err := dialect.CheckKeyColumn(c); err != nil {
			return kalam.Errorf(kalam.CodeInvalidSQL, "%s; %s", kalam.MessageOf(err), NameTheKey(st, spec)).At(st.As.Pos)
		}
		c.NotNull = true
	}
	return nil
}

// NameTheKey says how to choose another primary key.
func NameTheKey(st *ast.CreateTable, spec *kalam.Table) string {
	kind := strings.ToUpper(spec.Kind.String())
	return fmt.Sprintf("name the columns of the key: CREATE %s TABLE %s (PRIMARY KEY (...)) AS ...", kind, st.Name)
}

// ExactKey returns the number v as a key of type t if they are equal: DuckDB
// compares numbers by value, and here none is rounded.
func ExactKey(t kalam.DataType, v kalam.Value) (kalam.Value, bool) {
	if !isExact(t.Kind) || !isExact(v.Kind()) {
		return kalam.Value{}, false
	}
	key, err := datatype.Cast(t, v)
	if err != nil || t.Kind != kalam.KindDecimal && v.Kind() != kalam.KindDecimal {
		return key, err == nil
	}
	most := kalam.TypeOf(kalam.KindDecimal)
	if _, _, scale := v.Decimal(); v.Kind() == kalam.KindDecimal {
		most.Scale = max(scale, t.Scale)
	} else {
		most.Scale = t.Scale
	}
	a, errA := datatype.Cast(most, v)
	b, errB := datatype.Cast(most, key)
	return key, errA == nil && errB == nil && a == b
}

// isExact reports whether the values of a kind are exact numbers.
func isExact(k kalam.Kind) bool {
	switch k {
	case kalam.KindSmallInt, kalam.KindInt, kalam.KindBigInt, kalam.KindDecimal:
		return true
	default:
		return false
	}
}
