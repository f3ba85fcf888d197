package dialect_test

import (
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/dialect/ast"
)

func TestPolicies(t *testing.T) {
	name := func(s string, pos int) ast.Ident { return ast.Ident{Name: s, Pos: pos} }
	table := func(pos int) ast.Name { return ast.Name{Parts: []string{"app", "t"}, Pos: pos} }
	for _, c := range []statementCase{
		{"CREATE POLICY p ON app.t USING (a = (1))", &ast.CreatePolicy{
			Name: name("p", 14), Table: table(19), Using: ast.RawSQL{SQL: "a = (1)", Pos: 32}}},
		{"create policy P on table app.t for all to public using (a) with check (b);", &ast.CreatePolicy{
			Name: name("p", 14), Table: table(25), Using: ast.RawSQL{SQL: "a", Pos: 56}, Check: ast.RawSQL{SQL: "b", Pos: 71}}},
		{"CREATE POLICY p ON app.t FOR INSERT TO USER u, ROLE service WITH CHECK (b)", &ast.CreatePolicy{
			Name: name("p", 14), Table: table(19), Command: "INSERT",
			To:    []ast.Grantee{{User: "u", Pos: 44}, {Role: kalam.RoleService, Pos: 52}},
			Check: ast.RawSQL{SQL: "b", Pos: 72}}},
		{"DROP POLICY p ON app.t", &ast.DropPolicy{Name: name("p", 12), Table: table(17)}},
		{"DROP POLICY IF EXISTS p ON TABLE app.t", &ast.DropPolicy{Name: name("p", 22), Table: table(33), IfExists: true}},
		{"SHOW POLICIES", &ast.ShowPolicies{}},
		{"SHOW POLICIES ON app.t", &ast.ShowPolicies{Table: &ast.Name{Parts: []string{"app", "t"}, Pos: 17}}},
	} {
		c.check(t)
	}
}

func TestPolicyErrors(t *testing.T) {
	const sql = kalam.CodeInvalidSQL
	for _, c := range []errorCase{
		{"CREATE POLICY", sql, 14, "Syntax error at end of statement: expected policy name"},
		{"CREATE POLICY p", sql, 16, "Syntax error at end of statement: expected ON"},
		{"CREATE POLICY p ON t", sql, 21, "Syntax error at end of statement: expected USING (condition)"},
		{"CREATE POLICY p ON t FOR TRUNCATE USING (a)", sql, 26,
			"Syntax error at or near 'TRUNCATE': expected ALL, SELECT, INSERT, UPDATE or DELETE"},
		{"CREATE POLICY p ON t TO u USING (a)", sql, 25, "Syntax error at or near 'u': expected USER or ROLE"},
		{"CREATE POLICY p ON t USING a", sql, 28, "Syntax error at or near 'a': expected '('"},
		{"CREATE POLICY p ON t USING ()", sql, 29, "Syntax error at or near ')': expected a condition"},
		{"CREATE POLICY p ON t USING (a", sql, 30, "Syntax error at end of statement: expected ')'"},
		{"CREATE POLICY p ON t USING (a) OR (b)", sql, 32, "Syntax error at or near 'OR': expected end of statement"},
		{"CREATE POLICY p ON t USING (a = $1)", sql, 15, "The conditions of a policy take no placeholders"},
		{"CREATE POLICY p ON t WITH CHECK (a)", sql, 36, "Syntax error at end of statement: expected USING (condition)"},
		{"CREATE POLICY p ON t FOR INSERT USING (a)", sql, 33,
			"A policy FOR INSERT takes WITH CHECK: there is no row before it that USING could be about"},
		{"CREATE POLICY p ON t FOR DELETE USING (a) WITH CHECK (b)", sql, 43,
			"A policy FOR DELETE takes USING: it writes no row that WITH CHECK could be about"},
		{"CREATE POLICY p ON t FOR INSERT", sql, 32, "Syntax error at end of statement: expected WITH CHECK (condition)"},
		{"DROP POLICY p", sql, 14, "Syntax error at end of statement: expected ON"},
	} {
		c.check(t)
	}
}
