package dialect_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/dialect/ast"
)

func TestUsers(t *testing.T) {
	secret, empty, mail := ast.Secret("p'w"), "", "a@b.c"
	dba, service := kalam.RoleDBA, kalam.RoleService
	for _, c := range []statementCase{
		{"CREATE USER alice WITH PASSWORD 'p''w'", &ast.CreateUser{User: "alice", Auth: ast.AuthPassword,
			Password: secret, Role: kalam.RoleUser, Pos: 12}},
		{"CREATE USER 'Alice B' WITH PASSWORD 'p''w' ROLE admin EMAIL 'a@b.c'", &ast.CreateUser{
			User: "Alice B", Auth: ast.AuthPassword, Password: secret, Role: dba, Email: mail, Pos: 12,
		}},
		{"create user if not exists \"a\" password = E'p\\'w' with role = 'developer' email = 'a@b.c';",
			&ast.CreateUser{
				User: "a", IfNotExists: true, Auth: ast.AuthPassword, Password: secret, Role: service, Email: mail,
				Pos: 26,
			}},
		{"CREATE USER `a` IDENTIFIED BY $$p'w$$",
			&ast.CreateUser{User: "a", Auth: ast.AuthPassword, Password: secret,
				Role: kalam.RoleUser, Pos: 12}},
		{"CREATE USER a.b-c@x ROLE viewer WITH INTERNAL",
			&ast.CreateUser{User: "a.b-c@x", Auth: ast.AuthInternal,
				Role: kalam.RoleUser, Pos: 12}},
		{"CREATE USER 007 WITH OAUTH '{\"provider\": \"x\"}'",
			&ast.CreateUser{User: "007", Auth: ast.AuthOAuth, OAuth: `{"provider": "x"}`,
				Role: kalam.RoleUser, Pos: 12}},
		{"CREATE USER a WITH OAUTH ROLE system", &ast.CreateUser{User: "a", Auth: ast.AuthOAuth,
			Role: kalam.RoleSystem, Pos: 12}},
		{"ALTER USER alice SET PASSWORD 'p''w'", &ast.AlterUser{User: "alice", Password: &secret, Pos: 11}},
		{"ALTER USER alice SET ROLE dba", &ast.AlterUser{User: "alice", Role: &dba, Pos: 11}},
		{"ALTER USER alice SET EMAIL 'a@b.c'", &ast.AlterUser{User: "alice", Email: &mail, Pos: 11}},
		{"ALTER USER alice SET STORAGE eu", &ast.AlterUser{User: "alice", Storage: ptr(kalam.StorageID("eu")), Pos: 11}},
		{"ALTER USER alice SET STORAGE_ID = 'EU', EMAIL NULL", &ast.AlterUser{
			User: "alice", Storage: ptr(kalam.StorageID("eu")), Email: &empty, Pos: 11,
		}},
		{"ALTER USER alice SET STORAGE NULL", &ast.AlterUser{User: "alice", Storage: ptr(kalam.StorageID("")), Pos: 11}},
		{"ALTER USER alice SET EMAIL = NULL", &ast.AlterUser{User: "alice", Email: &empty, Pos: 11}},
		{"ALTER USER 'alice' SET PASSWORD = 'p''w', ROLE = analyst SET EMAIL 'a@b.c'", &ast.AlterUser{
			User: "alice", Password: &secret, Role: &service, Email: &mail, Pos: 11,
		}},
		{"ALTER USER alice IDENTIFIED BY 'p''w'", &ast.AlterUser{User: "alice", Password: &secret, Pos: 11}},
		{"DROP USER alice", &ast.DropUser{User: "alice", Pos: 10}},
		{"DROP USER alice PURGE", &ast.DropUser{User: "alice", Purge: true, Pos: 10}},
		{"drop user purge purge;", &ast.DropUser{User: "purge", Purge: true, Pos: 10}},
		{"ALTER USER alice RESTORE", &ast.RestoreUser{User: "alice", Pos: 11}},
		{"DROP USER IF EXISTS 'Älice';", &ast.DropUser{User: "Älice", IfExists: true, Pos: 20}},
	} {
		c.check(t)
	}
}

func TestUserErrors(t *testing.T) {
	const sql, input = kalam.CodeInvalidSQL, kalam.CodeInvalidInput
	for _, c := range []errorCase{
		{"CREATE USER", sql, 12, "Syntax error at end of statement: expected user name"},
		{"CREATE USER (", sql, 13, "Syntax error at or near '(': expected user name"},
		{"CREATE USER a", sql, 14,
			"Syntax error at end of statement: expected WITH PASSWORD 'password', WITH OAUTH '{json}' or WITH " +
				"INTERNAL"},
		{"CREATE USER a ROLE user", sql, 24,
			"Syntax error at end of statement: expected WITH PASSWORD 'password', WITH OAUTH '{json}' or WITH " +
				"INTERNAL"},
		{"CREATE USER a WITH", sql, 19, "Syntax error at end of statement: expected PASSWORD, OAUTH or INTERNAL"},
		{"CREATE USER a WITH KEY", sql, 20, "Syntax error at or near 'KEY': expected PASSWORD, OAUTH or INTERNAL"},
		{"CREATE USER a WITH PASSWORD", sql, 28, "Syntax error at end of statement: expected a quoted password"},
		{"CREATE USER a WITH PASSWORD hunter2", sql, 29, "Syntax error: expected a quoted password"},
		{"CREATE USER a WITH PASSWORD \"hunter2\"", sql, 29, "Syntax error: expected a quoted password"},
		{"CREATE USER a WITH PASSWORD $hunter2", sql, 29, "Invalid parameter placeholder"},
		{"CREATE USER a WITH PASSWORD $1", sql, 29, "Syntax error: expected a quoted password"},
		{"CREATE USER a WITH PASSWORD ''", sql, 29, "The password is empty"},
		{"CREATE USER a WITH PASSWORD 'hunter", sql, 29, "Unterminated quoted string"},
		{"CREATE USER a WITH PASSWORD E'\\u1'", sql, 29, "Syntax error: invalid Unicode escape in the string"},
		{"CREATE USER a WITH PASSWORD 'x' 'hunter2'", sql, 33, "Syntax error: expected WITH, ROLE, EMAIL or STORAGE"},
		{"CREATE USER a WITH PASSWORD 'x'hunter2", sql, 32, "Syntax error: expected WITH, ROLE, EMAIL or STORAGE"},
		{"CREATE USER a 'hunter2'", sql, 15, "Syntax error: expected WITH, ROLE, EMAIL or STORAGE"},
		{"CREATE USER a hunter2", sql, 15, "Syntax error at or near 'hunter2': expected WITH, ROLE, EMAIL or STORAGE"},
		{"CREATE USER a IDENTIFIED WITH x", sql, 26, "Syntax error at or near 'WITH': expected BY"},
		{"CREATE USER a WITH PASSWORD 'x' PASSWORD 'y'", sql, 33, "CREATE USER takes one way to sign in"},
		{"CREATE USER a WITH PASSWORD 'x' WITH INTERNAL", sql, 38, "CREATE USER takes one way to sign in"},
		{"CREATE USER a WITH INTERNAL ROLE user ROLE dba", sql, 39, "CREATE USER takes one ROLE"},
		{"CREATE USER a WITH INTERNAL EMAIL 'x' EMAIL 'y'", sql, 39, "CREATE USER takes one EMAIL"},
		{"CREATE USER a WITH INTERNAL ROLE", sql, 33, "Syntax error at end of statement: expected role"},
		{"CREATE USER a WITH INTERNAL ROLE king", input, 34,
			"unknown role 'king' (expected user, service, dba or system)"},
		{"CREATE USER a WITH INTERNAL ROLE anonymous", input, 34, "role 'anonymous' cannot be given to a user"},
		{"CREATE USER a WITH INTERNAL EMAIL x", sql, 35,
			"Syntax error at or near 'x': expected a quoted email address"},
		{"CREATE USER a WITH INTERNAL OWNER_ID 'x'", sql, 29,
			"OWNER_ID is not supported. A user owns the rows that the user writes."},
		{"CREATE USER a WITH OAUTH 'x'", sql, 26, "OAUTH must be a JSON object in quotes"},
		{"CREATE USER a WITH OAUTH '[1]'", sql, 26, "OAUTH must be a JSON object in quotes"},
		{"CREATE USER a WITH OAUTH E'\\u'", sql, 26, "Syntax error: invalid Unicode escape in the string"},
		{"CREATE USER 'a/b' WITH INTERNAL", input, 13, `user id "a/b" contains the character '/'`},
		{"CREATE USER '..' WITH INTERNAL", input, 13, `user id ".." contains '..'`},
		{"CREATE USER '' WITH INTERNAL", input, 13, "user id is empty"},
		{"CREATE USER 'a\x00' WITH INTERNAL", input, 13, `user id "a\x00" contains the character '\x00'`},
		{"CREATE USER 'a\nb' WITH INTERNAL", input, 13, `user id "a\nb" contains the character '\n'`},
		{"ALTER USER", sql, 11, "Syntax error at end of statement: expected user name"},
		{"ALTER USER a", sql, 13, "Syntax error at end of statement: expected SET PASSWORD, SET ROLE, SET EMAIL or SET STORAGE"},
		{"ALTER USER a SET", sql, 17, "Syntax error at end of statement: expected SET PASSWORD, SET ROLE, SET EMAIL or SET STORAGE"},
		{"ALTER USER a SET NAME 'x'", sql, 18,
			"Syntax error at or near 'NAME': expected SET PASSWORD, SET ROLE, SET EMAIL or SET STORAGE"},
		{"ALTER USER a SET ROLE dba SET", sql, 30,
			"Syntax error at end of statement: expected SET PASSWORD, SET ROLE, SET EMAIL or SET STORAGE"},
		{"ALTER USER a SET PASSWORD x", sql, 27, "Syntax error: expected a quoted password"},
		{"ALTER USER a SET PASSWORD 'x' 'hunter2'", sql, 31, "Syntax error: expected end of statement"},
		{"ALTER USER a SET EMAIL 'x' SET EMAIL 'y'", sql, 32, "ALTER USER takes each of PASSWORD, ROLE, EMAIL and STORAGE once"},
		{"ALTER USER a SET ROLE dba, ROLE user", sql, 28, "ALTER USER takes each of PASSWORD, ROLE, EMAIL and STORAGE once"},
		{"ALTER USER a SET PASSWORD 'x', PASSWORD 'x'", sql, 32,
			"ALTER USER takes each of PASSWORD, ROLE, EMAIL and STORAGE once"},
		{"ALTER USER a SET ROLE king", input, 23, "unknown role 'king' (expected user, service, dba or system)"},
		{"ALTER USER a SET OWNER_ID 'x'", sql, 18,
			"OWNER_ID is not supported. A user owns the rows that the user writes."},
		{"DROP USER", sql, 10, "Syntax error at end of statement: expected user name"},
		{"DROP USER a PURGE b", sql, 19, "Syntax error at or near 'b': expected end of statement"},
		{"ALTER USER a RESTORE b", sql, 22, "Syntax error at or near 'b': expected end of statement"},
		{"DROP USER a b", sql, 13, "Syntax error at or near 'b': expected end of statement"},
	} {
		c.check(t)
	}
}

func TestAuthKinds(t *testing.T) {
	for kind, want := range map[ast.AuthKind]string{
		ast.AuthNone: "", ast.AuthPassword: "password", ast.AuthOAuth: "oauth",
		ast.AuthInternal: "internal",
	} {
		if got := kind.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestSecretsDoNotPrint checks every way in which a log could print a statement.
func TestSecretsDoNotPrint(t *testing.T) {
	st := mustParse(t, "CREATE USER a WITH PASSWORD 'hunter2'").(*ast.CreateUser)
	encoded, err := json.Marshal(st)
	if err != nil {
		t.Fatal(err)
	}
	for _, got := range []string{
		fmt.Sprint(st), fmt.Sprintf("%v", st), fmt.Sprintf("%+v", *st), fmt.Sprintf("%#v", st), st.Password.String(),
		string(encoded), st.Password.LogValue().String(),
	} {
		if strings.Contains(got, "hunter2") || !strings.Contains(got, "[redacted]") {
			t.Errorf("printed as %s", got)
		}
	}
	if string(st.Password) != "hunter2" {
		t.Error("the password is lost")
	}
}
