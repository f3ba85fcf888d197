package schema

import (
	"fmt"
	"strings"

	"github.com/kalamlake/kalam"
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
