package engine_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/catalog"
)

// told is what a user is told: the message of the last result, its rows, or the error.
func (s *server) told(p kalam.Principal, sql string, params ...kalam.Value) string {
	res, err := s.try(p, sql, params...)
	switch {
	case err != nil:
		return "error: " + messageOf(err)
	case len(res) == 0:
		return "nothing"
	case len(res[len(res)-1].columns) == 0:
		return res[len(res)-1].message
	}
	return strings.TrimSuffix(res[len(res)-1].table(), "\n")
}

// systemRow is a statement and its answer.
type systemRow struct {
	of     string // The requirement, or what it is about.
	as     kalam.Principal
	sql    string
	want   string
	params []kalam.Value
}

// run runs statements one after another.
func (s *server) run(rows []systemRow) {
	s.t.Helper()
	for _, row := range rows {
		if got := s.told(row.as, row.sql, row.params...); got != row.want {
			s.t.Errorf("%s: as %s: %s\ngot  %s\nwant %s", row.of, row.as.User, row.sql, got, row.want)
		}
	}
}

func textsOf(list ...string) []kalam.Value {
	out := make([]kalam.Value, len(list))
	for i, s := range list {
		out[i] = kalam.Text(s)
	}
	return out
}

// TestUserRows has a row for each sentence of USER-001 to USER-010 that is about statements on rows of system.users.
func TestUserRows(t *testing.T) {
	s := newServer(t)
	dba := kalam.Principal{User: "chief", Role: kalam.RoleDBA}
	s.must(root, "CREATE USER chief WITH PASSWORD 'a-good-password' ROLE dba")
	s.must(root, "CREATE NAMESPACE app; CREATE USER TABLE app.notes (id BIGINT PRIMARY KEY, body TEXT)")
	long := strings.Repeat("x", 65)
	notNull := func(c string) string {
		return "error: NOT NULL constraint violation: column '" + c + "' cannot be NULL"
	}
	const badJSON = "error: Invalid JSON value for column 'metadata': expected object or array"
	s.run([]systemRow{
		{of: "USER-001", as: root, want: "Inserted 3 row(s)", sql: `INSERT INTO system.users (user_id, username, metadata)
			VALUES ('ann', 'Ann', '{"team": "a"}'), ('ben', 'Ben', NULL), ('cat', 'Cat', '{}')`},
		{of: "USER-001 the rest", as: dba, want: "Inserted 1 row(s)", sql: `INSERT INTO system.users
			(user_id, username, role, email, storage_mode, storage_id) VALUES ('dan', 'Dan', 'Developer', 'd@x.y', 'region', 'local')`},
		{of: "USER-001 required", as: root, sql: "INSERT INTO system.users (user_id) VALUES ('eve')", want: notNull("username")},
		{of: "USER-001 required", as: root, sql: "INSERT INTO system.users (username) VALUES ('eve')", want: notNull("user_id")},
		{of: "USER-001 required", as: root, sql: "INSERT INTO system.users (user_id, username) VALUES (NULL, 'x')", want: notNull("user_id")},
		{of: "USER-001 required", as: root, sql: "INSERT INTO system.users (user_id, username) VALUES ('eve', NULL)", want: notNull("username")},
		{of: "USER-001 not empty", as: root, sql: "INSERT INTO system.users (user_id, username) VALUES ('eve', '')", want: notNull("username")},
		{of: "USER-001 not empty", as: root, sql: "INSERT INTO system.users (user_id, username) VALUES ('', 'x')", want: "error: user id is empty"},
		{of: "USER-001 user_id <= 64", as: root, sql: "INSERT INTO system.users (user_id, username) VALUES ($1, 'x')",
			params: textsOf(long), want: "error: user id is 65 bytes long (maximum 64)"},
		{of: "USER-001 username <= 128", as: root, sql: "INSERT INTO system.users (user_id, username) VALUES ('eve', $1)",
			params: textsOf(strings.Repeat("x", 129)), want: "error: username is 129 bytes long (maximum 128)"},
		{of: "USER-001 both at their limits", as: root, sql: "INSERT INTO system.users (user_id, username) VALUES ($1, $2)",
			params: textsOf(long[1:], strings.Repeat("x", 128)), want: "Inserted 1 row(s)"},
		{of: "USER-001 an id that is a path", as: root, sql: "INSERT INTO system.users (user_id, username) VALUES ('../a', 'x')",
			want: `error: user id "../a" contains '..'`},
		{of: "USER-001 times of the server", as: root, sql: "INSERT INTO system.users (user_id, username, created_at) VALUES ('eve', 'x', now())",
			want: "error: Column 'created_at' of system.users cannot be set: it is set by the server"},
		{of: "USER-001 times of the server", as: root, sql: "INSERT INTO system.users (user_id, username, deleted_at) VALUES ('eve', 'x', NULL)",
			want: "error: Column 'deleted_at' of system.users cannot be set: it is set by the server"},
		{of: "USER-001 no columns", as: root, sql: "INSERT INTO system.users VALUES ('eve')",
			want: "error: Column 'password_hash' of system.users cannot be set: use ALTER USER name SET PASSWORD 'password'"},
		{of: "USER-001 an unknown column", as: root, sql: "INSERT INTO system.users (user_id, username, password) VALUES ('eve', 'x', 'p')",
			want: "error: Column 'password' does not exist"},
		{of: "USER-001 what is set", as: root, sql: `SELECT user_id, username, role, auth_type, storage_mode, storage_id, email, metadata,
			created_at = updated_at AND created_at <= now() AS now, deleted_at FROM system.users WHERE user_id IN ('ann', 'ben', 'cat', 'dan') ORDER BY 1`,
			want: "user_id | username | role | auth_type | storage_mode | storage_id | email | metadata | now | deleted_at\n" +
				"ann | Ann | user | password | table | null | null | \"{\\\"team\\\": \\\"a\\\"}\" | true | null\n" +
				"ben | Ben | user | password | table | null | null | null | true | null\n" +
				"cat | Cat | user | password | table | null | null | {} | true | null\n" +
				"dan | Dan | service | password | region | local | d@x.y | null | true | null"},
		{of: "USER-002 exists", as: root, sql: "INSERT INTO system.users (user_id, username) VALUES ('ann', 'x')",
			want: "error: User with user_id 'ann' already exists"},
		{of: "USER-002 exists, in one statement", as: root, sql: "INSERT INTO system.users (user_id, username) VALUES ('new', 'x'), ('new', 'y')",
			want: "error: User with user_id 'new' already exists"},
		{of: "USER-002 nothing half inserted", as: root, sql: "SELECT count(*) AS n FROM system.users WHERE user_id = 'new'", want: "n\n0"},
		{of: "USER-002 not found", as: root, sql: "UPDATE system.users SET email = 'x' WHERE user_id = 'nobody'",
			want: "error: User with user_id 'nobody' not found"},
		{of: "USER-002 not found", as: root, sql: "DELETE FROM system.users WHERE user_id = $1", params: textsOf("nobody"),
			want: "error: User with user_id 'nobody' not found"},
		{of: "USER-002 NULL", as: root, sql: "UPDATE system.users SET username = NULL WHERE user_id = 'ann'", want: notNull("username")},
		{of: "USER-002 NULL", as: root, sql: "UPDATE system.users SET role = NULL WHERE user_id = 'ann'", want: notNull("role")},
		{of: "USER-002 JSON", as: root, sql: "UPDATE system.users SET metadata = '{' WHERE user_id = 'ann'", want: badJSON},
		{of: "USER-002 JSON", as: root, sql: "UPDATE system.users SET metadata = $1 WHERE user_id = 'ann'", params: textsOf("not json"),
			want: "error: Parameter $1: expected JSON for column 'metadata', got TEXT (Invalid JSON value: expected object or array)"},
		{of: "USER-002 JSON", as: root, sql: "INSERT INTO system.users (user_id, username, metadata) VALUES ('eve', 'x', '[1')", want: badJSON},
		{of: "USER-003 no user_id", as: root, sql: "UPDATE system.users SET user_id = 'eve' WHERE user_id = 'ann'",
			want: "error: Column 'user_id' of system.users cannot be set: rows belong to the id"},
		{of: "USER-003 no time", as: root, sql: "UPDATE system.users SET updated_at = now() WHERE user_id = 'ann'",
			want: "error: Column 'updated_at' of system.users cannot be set: it is set by the server"},
		{of: "USER-003 no deleted_at", as: root, sql: "UPDATE system.users SET deleted_at = now() WHERE user_id = 'ann'",
			want: "error: Column 'deleted_at' of system.users can only be set to NULL, which restores the user; DELETE drops it"},
		{of: "USER-003 no way to sign in", as: root, sql: "UPDATE system.users SET auth_type = 'internal' WHERE user_id = 'ann'",
			want: "error: Column 'auth_type' of system.users cannot be set: use CREATE USER"},
		{of: "USER-003 no password", as: root, sql: "UPDATE system.users SET password_hash = 'x' WHERE user_id = 'ann'",
			want: "error: Column 'password_hash' of system.users cannot be set: use ALTER USER name SET PASSWORD 'password'"},
		{of: "USER-003 every column", as: root, want: "Updated 1 row(s)", sql: `UPDATE system.users
			SET username = 'Anna', role = 'service', email = 'a@x', metadata = '{}', storage_mode = 'region', storage_id = 'local' WHERE user_id = 'ann'`},
		{of: "USER-003 NULL", as: root, sql: "UPDATE system.users SET email = NULL, metadata = NULL, storage_mode = 'table', storage_id = NULL, role = 'user' WHERE user_id = 'ann'",
			want: "Updated 1 row(s)"},
		{of: "USER-003 only what is named", as: root, sql: `SELECT username, role, email, metadata, storage_mode, storage_id, created_at < updated_at AS newer
			FROM system.users WHERE user_id = 'ann'`,
			want: "username | role | email | metadata | storage_mode | storage_id | newer\nAnna | user | null | null | table | null | true"},
		{of: "USER-004 the same users", as: root, sql: "CREATE USER ann WITH PASSWORD 'a-good-password'", want: "error: User 'ann' already exists"},
		{of: "USER-004 the same users", as: root, sql: "ALTER USER ben SET EMAIL 'b@x'", want: "User 'ben' updated"},
		{of: "USER-004 the same users", as: root, sql: "INSERT INTO system.users (user_id, username) VALUES ('chief', 'x')",
			want: "error: User with user_id 'chief' already exists"},
		{of: "USER-005 data", as: userOf("ann"), sql: "INSERT INTO app.notes VALUES (1, 'of ann')", want: "Inserted 1 row(s)"},
		{of: "USER-005 delete", as: dba, sql: "DELETE FROM system.users WHERE user_id = 'ann'", want: "Deleted 1 row(s)"},
		{of: "USER-005 hidden", as: root, sql: "SELECT user_id, deleted_at FROM system.users WHERE user_id IN ('ann', 'ben') ORDER BY deleted_at",
			want: "user_id | deleted_at\nben | null"},
		{of: "USER-005 shown", as: root, sql: "SELECT user_id FROM system.users WHERE deleted_at IS NOT NULL", want: "user_id\nann"},
		{of: "USER-005 shown", as: root, sql: "SELECT u.user_id FROM system.users u WHERE u.deleted_at > '2020-01-01' AND u.role = 'user'", want: "user_id\nann"},
		{of: "USER-005 gone", as: root, sql: "DELETE FROM system.users WHERE user_id = 'ann'", want: "error: User with user_id 'ann' not found"},
		{of: "USER-005 gone", as: root, sql: "UPDATE system.users SET email = 'x' WHERE user_id = 'ann'", want: "error: User with user_id 'ann' not found"},
		{of: "USER-005 gone", as: root, sql: "DROP USER ann", want: "error: User with user_id 'ann' not found"},
		{of: "USER-005 stays deleted", as: root, sql: "DELETE FROM system.users WHERE user_id = 'ann' AND deleted_at IS NOT NULL", want: "Deleted 0 row(s)"},
		{of: "USER-005 no change while deleted", as: root, sql: "UPDATE system.users SET email = 'x' WHERE deleted_at IS NOT NULL", want: "error: User with user_id 'ann' not found"},
		{of: "USER-005 data stays", as: root, sql: "EXECUTE AS USER 'ann' (SELECT body FROM app.notes)", want: "body\nof ann"},
		{of: "USER-007 not created anew", as: root, sql: "INSERT INTO system.users (user_id, username) VALUES ('ann', 'x')",
			want: "error: User with user_id 'ann' already exists: it was dropped, and can be restored until its data is removed"},
		{of: "USER-006 restored", as: dba, sql: "UPDATE system.users SET deleted_at = NULL WHERE user_id = 'ann'", want: "Updated 1 row(s)"},
		{of: "USER-006 as before", as: userOf("ann"), sql: "SELECT body FROM app.notes", want: "body\nof ann"},
		{of: "USER-006 as before", as: root, sql: "SELECT username, deleted_at FROM system.users WHERE user_id = 'ann'", want: "username | deleted_at\nAnna | null"},
		{of: "USER-006 who is not deleted", as: root, sql: "UPDATE system.users SET deleted_at = NULL WHERE user_id = 'ann'", want: "Updated 0 row(s)"},
		{of: "USER-006 what DROP USER dropped, with another role", as: root, sql: `DROP USER ann;
			UPDATE system.users SET deleted_at = NULL, role = 'service' WHERE user_id LIKE 'an%'`, want: "Updated 1 row(s)"},
		{of: "USER-006 with another role", as: root, sql: "SELECT role FROM system.users WHERE user_id = 'ann'", want: "role\nservice"},
		{of: "USER-008", as: root, sql: "SELECT user_id, password_hash FROM system.users WHERE user_id LIKE '%a%' AND role <> 'system' ORDER BY user_id DESC LIMIT 2",
			want: "user_id | password_hash\ndan | ***\ncat | ***"},
		{of: "USER-009 storage_mode", as: root, sql: "UPDATE system.users SET storage_mode = 'cloud' WHERE user_id = 'ann'",
			want: "error: unknown storage_mode 'cloud' (expected table or region)"},
		{of: "USER-009 region", as: root, sql: "UPDATE system.users SET storage_mode = 'region' WHERE user_id = 'ann'",
			want: "error: storage_mode 'region' needs a storage_id"},
		{of: "USER-009 region", as: root, sql: "INSERT INTO system.users (user_id, username, storage_mode, storage_id) VALUES ('eve', 'x', 'region', 'mars')",
			want: "error: Storage 'mars' does not exist"},
		{of: "USER-009 role", as: root, sql: "INSERT INTO system.users (user_id, username, role) VALUES ('eve', 'x', 'king')",
			want: "error: unknown role 'king' (expected user, service, dba or system)"},
		{of: "USER-009 role", as: root, sql: "INSERT INTO system.users (user_id, username, role) VALUES ('eve', 'x', 'anonymous')",
			want: "error: a user cannot have the role anonymous"},
		{of: "USER-010 root", as: root, sql: "DELETE FROM system.users WHERE user_id = 'root'", want: "error: User 'root' cannot be dropped"},
		{of: "USER-010 root", as: root, sql: "UPDATE system.users SET role = 'user' WHERE user_id = 'root'", want: "error: The role of user 'root' cannot be changed"},
		{of: "USER-010 the last", as: root, sql: "DELETE FROM system.users WHERE role IN ('dba', 'system')", want: "error: User 'root' cannot be dropped"},
		{of: "USER-010 the last", as: root, sql: "SELECT count(*) AS n FROM system.users WHERE role IN ('dba', 'system')", want: "n\n3"},
	})
	if _, err := s.Catalog().Login(t.Context(), "ben", "", catalog.Origin{}); !errors.Is(err, catalog.ErrInvalidCredentials) {
		t.Errorf("USER-010: a login without a password = %v", err)
	}
	s.must(root, "ALTER USER ben SET PASSWORD 'a-good-password'")
	if _, err := s.Catalog().Login(t.Context(), "ben", "a-good-password", catalog.Origin{}); err != nil {
		t.Errorf("USER-010: a login with one = %v", err)
	}
	before := s.must(root, allUsers).table()
	s.restart()
	if after := s.must(root, allUsers).table(); after != before {
		t.Errorf("after a restart:\n%s\nbefore:\n%s", after, before)
	}
	s.await(s.must(root, "DROP USER ann PURGE").jobs[0])
	s.run([]systemRow{
		{of: "USER-007", as: root, sql: "INSERT INTO system.users (user_id, username) VALUES ('ann', 'another')", want: "Inserted 1 row(s)"},
		{of: "USER-007 starts empty", as: userOf("ann"), sql: "SELECT count(*) AS n FROM app.notes", want: "n\n0"},
	})
}

// allUsers shows what there is of all users, but for what changes by itself.
const allUsers = `SELECT user_id, username, role, email, auth_type, metadata, storage_mode, storage_id, created_at, updated_at, deleted_at
	FROM system.users WHERE deleted_at IS NULL OR deleted_at IS NOT NULL ORDER BY user_id`
