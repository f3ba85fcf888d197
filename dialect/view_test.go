package dialect_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/dialect/ast"
)

func TestViews(t *testing.T) {
	type view struct {
		Parts         []string
		Replace, Not  bool
		Columns       []string
		SQL, Original string
	}
	for _, c := range []struct {
		sql  string
		want view
	}{
		{"CREATE VIEW v AS SELECT 1;", view{Parts: []string{"v"}, SQL: "SELECT 1", Original: "SELECT 1"}},
		{"create or replace view App.V (a, \"B\") as (SELECT 1, 2) -- x", view{Parts: []string{"app", "v"}, Replace: true,
			Columns: []string{"a", "b"}, SQL: "(SELECT 1, 2)", Original: "(SELECT 1, 2)"}},
		{"CREATE VIEW IF NOT EXISTS v AS WITH x AS (SELECT 1) FROM x", view{Parts: []string{"v"}, Not: true,
			SQL: "WITH x AS (SELECT 1) FROM x", Original: "WITH x AS (SELECT 1) FROM x"}},
	} {
		st := mustParse(t, c.sql).(*ast.CreateView)
		got := view{Parts: st.Name.Parts, Replace: st.Replace, Not: st.IfNotExists, SQL: st.Query.SQL, Original: st.Text}
		for _, id := range st.Columns {
			got.Columns = append(got.Columns, id.Name)
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s: %s", c.sql, d)
		}
	}
	for sql, want := range map[string]ast.DropView{
		"DROP VIEW app.v":       {Name: ast.Name{Parts: []string{"app", "v"}, Pos: 10}},
		"DROP VIEW IF EXISTS v": {Name: ast.Name{Parts: []string{"v"}, Pos: 20}, IfExists: true},
	} {
		if d := cmp.Diff(&want, mustParse(t, sql)); d != "" {
			t.Errorf("%s: %s", sql, d)
		}
	}
	for _, c := range []errorCase{
		{"CREATE VIEW", kalam.CodeInvalidSQL, 12, "Syntax error at end of statement: expected table name"},
		{"CREATE VIEW v", kalam.CodeInvalidSQL, 14, "Syntax error at end of statement: expected AS"},
		{"CREATE VIEW v SELECT 1", kalam.CodeInvalidSQL, 15, "Syntax error at or near 'SELECT': expected AS"},
		{"CREATE VIEW v () AS SELECT 1", kalam.CodeInvalidSQL, 16, "Syntax error at or near ')': expected column name"},
		{"CREATE VIEW v AS DROP TABLE t", kalam.CodeInvalidSQL, 18, "Syntax error at or near 'DROP': expected a query"},
		{"CREATE VIEW v AS WITH x AS (SELECT 1) DELETE FROM t", kalam.CodeInvalidSQL, 18,
			"Syntax error at or near 'WITH': expected a query"},
		{"CREATE VIEW v AS SELECT $1", kalam.CodeUnsupported, 18,
			"A view takes no parameters: $1 cannot stand in its query"},
		{"CREATE OR REPLACE VIEW IF NOT EXISTS v AS SELECT 1", kalam.CodeInvalidSQL, 27,
			"Syntax error at or near 'NOT': expected AS"},
		{"DROP VIEW v CASCADE", kalam.CodeInvalidSQL, 13, "Syntax error at or near 'CASCADE': expected end of statement"},
	} {
		c.check(t)
	}
}
