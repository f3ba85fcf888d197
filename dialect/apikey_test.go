package dialect_test

import (
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/dialect/ast"
)

func TestAPIKeys(t *testing.T) {
	for _, c := range []statementCase{
		{"CREATE API KEY 'ci' FOR USER alice", &ast.CreateAPIKey{Name: "ci", User: "alice", Pos: 15, UserPos: 29}},
		{"create api key 'a''b' for user 'A b' expires in 1 day;", &ast.CreateAPIKey{
			Name: "a'b", User: "A b", Days: 1, Pos: 15, UserPos: 31}},
		{"CREATE API KEY 'x' FOR USER u SCOPES READ ONLY EXPIRES IN 90 DAYS", &ast.CreateAPIKey{
			Name: "x", User: "u", ReadOnly: true, Days: 90, Pos: 15, UserPos: 28}},
		{"CREATE API KEY 'x' FOR USER u SCOPES (NAMESPACE App, TABLE chat.Messages, READ ONLY)", &ast.CreateAPIKey{
			Name: "x", User: "u", ReadOnly: true, Namespaces: []ast.Ident{{Name: "app", Pos: 48}},
			Tables: []ast.Name{{Parts: []string{"chat", "messages"}, Pos: 59}}, Pos: 15, UserPos: 28}},
		{"CREATE API KEY 'x' FOR USER u SCOPES TABLE t", &ast.CreateAPIKey{
			Name: "x", User: "u", Tables: []ast.Name{{Parts: []string{"t"}, Pos: 43}}, Pos: 15, UserPos: 28}},
		{"DROP API KEY 'ak-1'", &ast.DropAPIKey{ID: "ak-1", Pos: 13}},
		{"drop api key ak-1x;", &ast.DropAPIKey{ID: "ak-1x", Pos: 13}},
		{"REVOKE TOKENS FOR USER alice", &ast.RevokeTokens{User: "alice", Pos: 23}},
	} {
		c.check(t)
	}
}

func TestAPIKeyErrors(t *testing.T) {
	const sql = kalam.CodeInvalidSQL
	for _, c := range []errorCase{
		{"CREATE API KEY", sql, 15, "Syntax error at end of statement: expected a quoted name of the key"},
		{"CREATE API KEY ci FOR USER u", sql, 16, "Syntax error at or near 'ci': expected a quoted name of the key"},
		{"CREATE API KEY 'ci'", sql, 20, "Syntax error at end of statement: expected FOR"},
		{"CREATE API KEY 'ci' FOR u", sql, 25, "Syntax error at or near 'u': expected USER"},
		{"CREATE API KEY 'ci' FOR USER u SCOPES", sql, 38,
			"Syntax error at end of statement: expected READ ONLY, NAMESPACE or TABLE"},
		{"CREATE API KEY 'ci' FOR USER u SCOPES (READ ONLY", sql, 49, "Syntax error at end of statement: expected ')'"},
		{"CREATE API KEY 'ci' FOR USER u SCOPES ADMIN", sql, 39,
			"Syntax error at or near 'ADMIN': expected READ ONLY, NAMESPACE or TABLE"},
		{"CREATE API KEY 'ci' FOR USER u EXPIRES IN 0 DAYS", sql, 43, "EXPIRES IN must be at least 1 day"},
		{"CREATE API KEY 'ci' FOR USER u EXPIRES IN 9999 DAYS", sql, 43,
			"EXPIRES IN must be an integer from 0 to 3650, got '9999'"},
		{"CREATE API KEY 'ci' FOR USER u EXPIRES IN 9 HOURS", sql, 45, "Syntax error at or near 'HOURS': expected DAYS"},
		{"CREATE API KEY 'ci' FOR USER u EXPIRES IN 9 DAYS SCOPES READ ONLY", sql, 50,
			"Syntax error at or near 'SCOPES': expected end of statement"},
		{"CREATE API", sql, 1, "Unsupported statement type: CREATE API"},
		{"DROP API KEY", sql, 13, "Syntax error at end of statement: expected id of an API key"},
		{"REVOKE TOKENS", sql, 14, "Syntax error at end of statement: expected FOR"},
		{"REVOKE TOKENS FOR USER 'a/b'", kalam.CodeInvalidInput, 24, `user id "a/b" contains the character '/'`},
	} {
		c.check(t)
	}
}
