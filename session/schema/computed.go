package schema

import (
	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/dialect/ast"
)

// InsertComputed refuses the clauses that INSERT into a table which the server computes does not take.
func InsertComputed(t *kalam.Table, st *ast.Insert) error {
	if c := st.Conflict; c != nil {
		return notComputed(t, "ON CONFLICT", c.Pos)
	}
	return returningComputed(t, st.Returning)
}

// UpdateComputed does so for UPDATE.
func UpdateComputed(t *kalam.Table, st *ast.Update) error {
	if st.From.SQL != "" {
		return notComputed(t, "FROM", st.From.Pos)
	}
	return returningComputed(t, st.Returning)
}

// DeleteComputed does so for DELETE.
func DeleteComputed(t *kalam.Table, st *ast.Delete) error {
	if st.Using.SQL != "" {
		return notComputed(t, "USING", st.Using.Pos)
	}
	return returningComputed(t, st.Returning)
}

func returningComputed(t *kalam.Table, list []ast.ReturnExpr) error {
	if len(list) == 0 {
		return nil
	}
	return notComputed(t, "RETURNING", list[0].Pos)
}

func notComputed(t *kalam.Table, clause string, pos int) error {
	return kalam.Errorf(kalam.CodeUnsupported, "%s is not supported for system table '%s'", clause, t.ID).At(pos)
}

// NamesOf returns the columns of INSERT by the indexes of target, with their places where the statement names them.
func NamesOf(t *kalam.Table, st *ast.Insert, target []int) []ast.Ident {
	if len(st.Columns) > 0 {
		return st.Columns
	}
	names := make([]ast.Ident, len(target))
	for i, j := range target {
		names[i] = ast.Ident{Name: t.Columns[j].Name, Pos: st.Table.Pos}
	}
	return names
}
