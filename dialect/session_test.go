package dialect_test

import (
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/dialect/ast"
)

// TestSession parses the statements on settings and prepared statements.
func TestSession(t *testing.T) {
	for _, c := range []statementCase{
		{"SET timezone = 'Europe/Berlin'", &ast.SetSetting{
			Name: ident("timezone", 4), Values: []string{"Europe/Berlin"}, ValuePos: 15}},
		{"set session TimeZone to utc;", &ast.SetSetting{
			Name: ident("timezone", 12), Values: []string{"utc"}, ValuePos: 24}},
		{"SET TIME ZONE 'UTC'", &ast.SetSetting{Name: ident("timezone", 4), Values: []string{"UTC"}, ValuePos: 14}},
		{"SET TIME ZONE LOCAL", &ast.SetSetting{Name: ident("timezone", 4), ValuePos: 14}},
		{"SET timezone TO DEFAULT", &ast.SetSetting{Name: ident("timezone", 4), ValuePos: 16}},
		{"SET search_path = app, 'b'", &ast.SetSetting{
			Name: ident("search_path", 4), Values: []string{"app", "b"}, ValuePos: 18}},
		{"SET statement_timeout = -5", &ast.SetSetting{
			Name: ident("statement_timeout", 4), Values: []string{"-5"}, ValuePos: 24}},
		{"SHOW timezone", &ast.ShowSetting{Name: ident("timezone", 5)}},
		{"SHOW TIME ZONE", &ast.ShowSetting{Name: ident("timezone", 5)}},
		{"SHOW ALL;", &ast.ShowSetting{All: true}},
		{"SHOW MANIFEST", &ast.ShowManifest{}},
		{"SHOW MANIFEST FOR TABLE a.t", &ast.ShowManifest{Table: &ast.Name{Parts: []string{"a", "t"}, Pos: 24}}},
		{"RESET ALL", &ast.ResetSetting{All: true}},
		{"RESET TIME ZONE", &ast.ResetSetting{Name: ident("timezone", 6)}},
		{"RESET application_name", &ast.ResetSetting{Name: ident("application_name", 6)}},
		{"PREPARE Q AS SELECT $1;", &ast.Prepare{Name: ident("q", 8), Inner: "SELECT $1", Offset: 13}},
		{"PREPARE q (INT, DECIMAL(5,2)) AS SELECT 1", &ast.Prepare{
			Name: ident("q", 8), Types: []kalam.DataType{
				kalam.TypeOf(kalam.KindInt), {Kind: kalam.KindDecimal, Precision: 5, Scale: 2}},
			Inner: "SELECT 1", Offset: 33}},
		{"EXECUTE q", &ast.Execute{Name: ident("q", 8)}},
		{"EXECUTE q()", &ast.Execute{Name: ident("q", 8)}},
		{"EXECUTE q(1, $1, a || 'b')", &ast.Execute{Name: ident("q", 8), Params: 1, Args: []ast.Expr{
			{Kind: ast.ExprNumber, Text: "1", Pos: 10}, {Kind: ast.ExprParam, Param: 1, Pos: 13},
			{Kind: ast.ExprOther, Text: "a || 'b'", Pos: 17}}}},
		{"DEALLOCATE q", &ast.Deallocate{Name: ident("q", 11)}},
		{"DEALLOCATE PREPARE q", &ast.Deallocate{Name: ident("q", 19)}},
		{"DEALLOCATE prepare", &ast.Deallocate{Name: ident("prepare", 11)}},
		{"DEALLOCATE ALL", &ast.Deallocate{All: true}},
		{"DESCRIBE PREPARED q", &ast.DescribePrepared{Name: ident("q", 18)}},
		{"DESCRIBE prepared", &ast.Describe{Table: ast.Name{Parts: []string{"prepared"}, Pos: 9}}},
	} {
		c.check(t)
	}
	const sql = kalam.CodeInvalidSQL
	for _, c := range []errorCase{
		{"SET", sql, 1, "Unsupported statement type: SET"},
		{"SET timezone", sql, 13, "Syntax error at end of statement: expected a value"},
		{"SET x", sql, 6, "Syntax error at end of statement: expected '=' or TO"},
		{"SET timezone =", sql, 15, "Syntax error at end of statement: expected a value"},
		{"SET timezone = (SELECT 1)", sql, 16, "Syntax error at or near '(': expected a value"},
		{"SET LOCAL timezone = 'UTC'", kalam.CodeUnsupported, 5,
			"SET LOCAL is not supported; SET in a transaction ends with its ROLLBACK"},
		{"RESET", sql, 6, "Syntax error at end of statement: expected setting name"},
		{"PREPARE q", sql, 10, "Syntax error at end of statement: expected AS"},
		{"PREPARE q AS", sql, 13, "Syntax error at end of statement: expected a statement"},
		{"PREPARE q(blah) AS SELECT 1", sql, 11, "Data type BLAH" + supportedTypes},
		{"EXECUTE q(", sql, 11, "Syntax error at end of statement: expected a value"},
		{"EXECUTE q(1,)", sql, 13, "Syntax error at or near ')': expected a value"},
		{"EXECUTE q($2)", sql, 11, "Invalid parameter placeholder '$2'"},
		{"DEALLOCATE", sql, 11, "Syntax error at end of statement: expected statement name"},
	} {
		c.check(t)
	}
}
