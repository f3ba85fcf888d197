package schema

import (
	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/dialect/ast"
)

// InsertColumns maps each value position of the statement to a column index.
func InsertColumns(t *kalam.Table, st *ast.Insert) ([]int, error) {
	if len(st.Columns) == 0 {
		target := make([]int, len(t.Columns))
		for i := range target {
			target[i] = i
		}
		return target, nil
	}
	target := make([]int, len(st.Columns))
	seen := make(map[int]bool, len(st.Columns))
	for i, c := range st.Columns {
		j := t.ColumnIndex(c.Name)
		if j < 0 {
			return nil, UnknownColumn(c)
		}
		if seen[j] {
			return nil, kalam.Errorf(kalam.CodeInvalidSQL, "Column '%s' is named twice", c.Name).At(c.Pos)
		}
		seen[j], target[i] = true, j
	}
	return target, nil
}

// UnknownColumn is the error of a name that no column of the table has.
func UnknownColumn(c ast.Ident) error {
	switch c.Name {
	case kalam.ColumnSeq, kalam.ColumnDeleted, kalam.ColumnUpdated:
		return kalam.Errorf(kalam.CodeInvalidOperation, "Column '%s' is assigned by the server", c.Name).At(c.Pos)
	}
	return kalam.Errorf(kalam.CodeInvalidOperation, "Column '%s' does not exist", c.Name).
		Lacks(kalam.MissingColumn, c.Name).At(c.Pos)
}

// CheckGenerated refuses values for columns that are GENERATED ALWAYS.
func CheckGenerated(t *kalam.Table, st *ast.Insert, target []int) error {
	if st.Overriding {
		return nil
	}
	for i, j := range target {
		c := &t.Columns[j]
		if c.Default == nil || !c.Default.Always {
			continue
		}
		if st.Select != "" {
			return GeneratedAlways(c).At(st.SelectPos)
		}
		for _, list := range st.Rows {
			if i < len(list) && list[i].Kind != ast.ExprDefault {
				return GeneratedAlways(c).At(list[i].Pos)
			}
		}
	}
	return nil
}

// GeneratedAlways is the error of a value for a column that is GENERATED ALWAYS.
func GeneratedAlways(c *kalam.Column) *kalam.Error {
	return kalam.Errorf(kalam.CodeInvalidOperation,
		"Column '%s' is GENERATED ALWAYS: leave it out, write DEFAULT, or insert with OVERRIDING SYSTEM VALUE", c.Name)
}

// NotUpdatable is the error of an UPDATE of a STREAM table.
func NotUpdatable(t *kalam.Table) error {
	return kalam.Errorf(kalam.CodeInvalidOperation, "UPDATE is not supported for STREAM tables (table '%s')", t.ID)
}

// KeyAssigned is the error of an UPDATE that sets a column of the primary key.
func KeyAssigned(c ast.Ident) error {
	return kalam.Errorf(kalam.CodeInvalidOperation, "Primary key column '%s' cannot be updated", c.Name).At(c.Pos)
}

// CheckConflictTarget checks that ON CONFLICT, nil for none, names the primary key or
// nothing.
func CheckConflictTarget(t *kalam.Table, c *ast.OnConflict) error {
	switch {
	case c == nil || len(c.Columns) == 0:
		return nil
	case t.HasHiddenKey():
		return kalam.Errorf(kalam.CodeInvalidOperation,
			"ON CONFLICT takes no columns here: table '%s' has no primary key", t.ID).At(c.Columns[0].Pos)
	}
	seen := map[int]bool{}
	for _, col := range c.Columns {
		j := t.ColumnIndex(col.Name)
		if j < 0 {
			return UnknownColumn(col)
		}
		if !t.IsKey(j) {
			return kalam.Errorf(kalam.CodeInvalidOperation, "ON CONFLICT takes the primary key (%s), not column '%s'",
				KeyColumns(t), col.Name).At(col.Pos)
		}
		seen[j] = true
	}
	if len(seen) != len(t.PrimaryKey) {
		return kalam.Errorf(kalam.CodeInvalidOperation, "ON CONFLICT takes the whole primary key (%s)", KeyColumns(t))
	}
	return nil
}

// CheckNotNull refuses a row, the number-th of its statement, with a NULL where none may be.
func CheckNotNull(t *kalam.Table, row []kalam.Value, number int) error {
	for i := range t.Columns {
		if t.Columns[i].NotNull && row[i].IsNull() {
			return kalam.Errorf(kalam.CodeConstraint,
				"NOT NULL constraint violation: column '%s' cannot be NULL (row %d)", t.Columns[i].Name, number)
		}
	}
	return nil
}

// DuplicateKey is the error of a row whose key is taken.
func DuplicateKey(t *kalam.Table, payload []byte) error {
	text := "?"
	if vals, err := datatype.DecodeRow(t, payload, nil); err == nil {
		text = datatype.KeyText(t, vals)
	}
	return kalam.Errorf(kalam.CodeAlreadyExists, "Primary key violation: value '%s' already exists in column '%s'",
		text, KeyColumns(t))
}

// KeyColumns names the primary key's columns, "a, b".
func KeyColumns(t *kalam.Table) string {
	out := ""
	for i, k := range t.PrimaryKey {
		if i > 0 {
			out += ", "
		}
		out += t.Columns[k].Name
	}
	return out
}
