package dialect_test

import (
	"strings"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/dialect/ast"
)

func TestGrants(t *testing.T) {
	appT := func(pos int) ast.Name { return ast.Name{Parts: []string{"app", "t"}, Pos: pos} }
	alice := func(pos int) []ast.Grantee { return []ast.Grantee{{User: "alice", Pos: pos}} }
	for _, c := range []statementCase{
		{"GRANT SELECT ON app.t TO USER 'alice'", &ast.Grant{
			Privileges: []string{"SELECT"}, Table: appT(16), To: alice(30)}},
		{"grant select, Insert, UPDATE, delete on table App.T to user alice, role service;", &ast.Grant{
			Privileges: []string{"SELECT", "INSERT", "UPDATE", "DELETE"}, Table: appT(46),
			To: []ast.Grantee{{User: "alice", Pos: 60}, {Role: kalam.RoleService, Pos: 72}}}},
		{"GRANT ALL ON NAMESPACE app TO ROLE user", &ast.Grant{
			Namespace: &ast.Ident{Name: "app", Pos: 23}, To: []ast.Grantee{{Role: kalam.RoleUser, Pos: 35}}}},
		{"GRANT ALL PRIVILEGES ON namespace TO USER alice", &ast.Grant{
			Table: ast.Name{Parts: []string{"namespace"}, Pos: 24}, To: alice(42)}},
		{"REVOKE INSERT ON app.t FROM USER alice", &ast.Grant{
			Revoke: true, Privileges: []string{"INSERT"}, Table: appT(17), To: alice(33)}},
		{"REVOKE ALL ON NAMESPACE app FROM ROLE 'viewer'", &ast.Grant{
			Revoke: true, Namespace: &ast.Ident{Name: "app", Pos: 24}, To: []ast.Grantee{{Role: kalam.RoleUser, Pos: 38}}}},
		{"SHOW GRANTS", &ast.ShowGrants{}},
		{"show grants for user 'alice'", &ast.ShowGrants{User: "alice"}},
		{"SHOW GRANTS ON TABLE app.t;", &ast.ShowGrants{Table: &ast.Name{Parts: []string{"app", "t"}, Pos: 21}}},
	} {
		c.check(t)
	}
}

func TestGrantErrors(t *testing.T) {
	const sql = kalam.CodeInvalidSQL
	for _, c := range []errorCase{
		{"GRANT", sql, 6, "Syntax error at end of statement: expected SELECT, INSERT, UPDATE, DELETE or ALL"},
		{"GRANT TRUNCATE ON t TO USER u", sql, 7,
			"Syntax error at or near 'TRUNCATE': expected SELECT, INSERT, UPDATE, DELETE or ALL"},
		{"GRANT SELECT, ON t TO USER u", sql, 15, "Syntax error at or near 'ON': expected SELECT, INSERT, UPDATE, DELETE or ALL"},
		{"GRANT SELECT (a) ON t TO USER u", kalam.CodeUnsupported, 14,
			"Rights on single columns are not supported; grant on a view that leaves columns out"},
		{"GRANT SELECT t TO USER u", sql, 14, "Syntax error at or near 't': expected ON"},
		{"GRANT SELECT ON t FROM USER u", sql, 19, "Syntax error at or near 'FROM': expected TO"},
		{"GRANT SELECT ON t TO u", sql, 22, "Syntax error at or near 'u': expected USER or ROLE"},
		{"GRANT SELECT ON t TO PUBLIC", sql, 22, "Syntax error at or near 'PUBLIC': expected USER or ROLE"},
		{"GRANT SELECT ON t TO ROLE dba", kalam.CodeInvalidInput, 27,
			"rights are granted to ROLE user or service; role dba has them without"},
		{"GRANT SELECT ON t TO ROLE nobody", kalam.CodeInvalidInput, 27,
			"unknown role 'nobody' (expected user, service, dba or system)"},
		{"GRANT SELECT ON t TO USER u WITH GRANT OPTION", sql, 29, "Syntax error at or near 'WITH': expected end of statement"},
		{"GRANT SELECT ON t TO " + strings.Repeat("USER u, ", 100) + "USER u", sql, 822,
			"GRANT takes at most 100 users and roles"},
		{"REVOKE", sql, 7, "Syntax error at end of statement: expected SELECT, INSERT, UPDATE, DELETE or ALL"},
		{"REVOKE SELECT ON t FROM u", sql, 25, "Syntax error at or near 'u': expected USER or ROLE"},
		{"REVOKE SELECT ON t TO USER u", sql, 20, "Syntax error at or near 'TO': expected FROM"},
		{"SHOW GRANTS FOR alice", sql, 17, "Syntax error at or near 'alice': expected USER"},
		{"SHOW GRANTS TO USER u", sql, 13, "Syntax error at or near 'TO': expected end of statement"},
	} {
		c.check(t)
	}
}
