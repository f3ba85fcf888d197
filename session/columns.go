package session

import (
	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/dialect/ast"
)

// insertColumns maps each value position of the statement to a column index.
func insertColumns(t *kalam.Table, st *ast.Insert) ([]int, error) {
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
			return nil, unknownColumn(c)
		}
		if seen[j] {
			return nil, kalam.Errorf(kalam.CodeInvalidSQL, "Column '%s' is named twice", c.Name).At(c.Pos)
		}
		seen[j], target[i] = true, j
	}
	return target, nil
}

func unknownColumn(c ast.Ident) error {
	switch c.Name {
	case kalam.ColumnSeq, kalam.ColumnDeleted, kalam.ColumnUpdated:
		return kalam.Errorf(kalam.CodeInvalidOperation, "Column '%s' is assigned by the server", c.Name).At(c.Pos)
	}
	return kalam.Errorf(kalam.CodeInvalidOperation, "Column '%s' does not exist", c.Name).At(c.Pos)
}
