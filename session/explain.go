package session

import (
	"context"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/dialect/ast"
)

// explain answers EXPLAIN [ANALYZE] of a query, a row for each line.
func (s *Session) explain(ctx context.Context, st *ast.Explain) error {
	lines, err := s.Explain(ctx, st.SQL, s.params, st.Analyze)
	if err != nil {
		return st.Edits.Place(err, st.Pos)
	}
	rows := make([][]kalam.Value, len(lines))
	for i, l := range lines {
		rows[i] = []kalam.Value{kalam.Text(l)}
	}
	columns := []kalam.Column{{Name: "QUERY PLAN", Type: kalam.TypeOf(kalam.KindText), NotNull: true}}
	return s.listing(columns, rows, "")
}
