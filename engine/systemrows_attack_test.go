package engine_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kalamlake/kalam"
)

// TestUserRowsPermissions asks every role for every statement on rows of system tables. AUTH-012.
func TestUserRowsPermissions(t *testing.T) {
	s := newServer(t)
	s.must(root, "CREATE USER boss WITH PASSWORD 'a-good-password' ROLE system")
	for _, role := range []kalam.Role{kalam.RoleAnonymous, kalam.RoleUser, kalam.RoleService, kalam.RoleDBA, kalam.RoleSystem} {
		p := kalam.Principal{User: "chief", Role: role}
		s.must(root, "CREATE USER u_"+role.String()+" WITH PASSWORD 'a-good-password'")
		dir := t.TempDir()
		s.must(root, fmt.Sprintf("CREATE STORAGE s_%s TYPE filesystem PATH '%s'", role, dir))
		for sql, want := range map[string]string{
			"INSERT INTO system.users (user_id, username) VALUES ('n_" + role.String() + "', 'x')": "Inserted 1 row(s)",
			"UPDATE system.users SET email = 'x' WHERE user_id = 'u_" + role.String() + "'":        "Updated 1 row(s)",
			"DELETE FROM system.storages WHERE storage_id = 's_" + role.String() + "'":             "Deleted 1 row(s)",
		} {
			if role < kalam.RoleDBA {
				what := "users"
				if strings.Contains(sql, "storages") {
					what = "storages"
				}
				want = fmt.Sprintf("error: role %s cannot manage %s", role, what)
			}
			if got := s.told(p, sql); got != want {
				t.Errorf("as %s: %s: %s, want %s", role, sql, got, want)
			}
		}
		want := map[bool]string{true: "Deleted 1 row(s)", false: fmt.Sprintf("error: role %s cannot manage users", role)}[role >= kalam.RoleDBA]
		if got := s.told(p, "DELETE FROM system.users WHERE user_id = 'u_"+role.String()+"'"); got != want {
			t.Errorf("DELETE as %s: %s, want %s", role, got, want)
		}
	}
	dba := kalam.Principal{User: "chief", Role: kalam.RoleDBA}
	const above = "error: role dba cannot manage users of role system"
	s.run([]systemRow{
		{of: "a dba", as: dba, sql: "UPDATE system.users SET email = 'x' WHERE user_id = 'boss'", want: above},
		{of: "a dba", as: dba, sql: "DELETE FROM system.users WHERE user_id = 'boss'", want: above},
		{of: "a dba", as: dba, sql: "UPDATE system.users SET role = 'system' WHERE user_id = 'n_dba'", want: "error: role dba cannot grant role system"},
		{of: "a dba", as: dba, sql: "INSERT INTO system.users (user_id, username, role) VALUES ('boss2', 'x', 'system')", want: "error: role dba cannot grant role system"},
		{of: "root", as: root, sql: "DELETE FROM system.users WHERE user_id = 'boss'", want: "Deleted 1 row(s)"},
		{of: "a dba", as: dba, sql: "UPDATE system.users SET deleted_at = NULL WHERE user_id = 'boss'", want: above},
	})
}

// TestUserRowsTellNothing tries, as a user and as a service, to learn of other users or to change them: by statements
// on rows of system.users and by what stands around them. Each answer is the same for a user who exists, one who was
// dropped and one who never was, says nothing of any, and nothing has changed after it.
func TestUserRowsTellNothing(t *testing.T) {
	s := newServer(t)
	s.must(root, `CREATE USER mallory WITH PASSWORD 'a-good-password'; CREATE USER victim WITH PASSWORD 'a-good-password' EMAIL 'canary@x';
		CREATE USER dropped WITH PASSWORD 'a-good-password' EMAIL 'canary@x'; DROP USER dropped;
		CREATE NAMESPACE app; CREATE USER TABLE app.notes (id BIGINT PRIMARY KEY, body TEXT); CREATE VIEW app.people AS SELECT * FROM system.users`)
	forms := []string{
		"INSERT INTO system.users (user_id, username) VALUES ('#', 'x')",
		"INSERT INTO system.users (user_id, username, role) VALUES ('#', 'x', 'dba')",
		"INSERT INTO system.users (user_id, username) SELECT user_id, '#' FROM system.users",
		"INSERT INTO system.users (user_id, username) VALUES ('#', 'x') ON CONFLICT DO NOTHING RETURNING *",
		"INSERT INTO system.users (user_id, nonsense) VALUES ('#', 1/0)",
		"INSERT INTO system.users (user_id) VALUES ('#', 'too many')",
		"UPDATE system.users SET role = 'dba' WHERE user_id = '#'",
		"UPDATE system.users SET role = 'dba' WHERE user_id = 'mallory' AND EXISTS (SELECT 1 FROM system.users WHERE user_id = '#')",
		"UPDATE system.users SET deleted_at = NULL WHERE user_id = '#'",
		"UPDATE system.users SET nonsense = 1 WHERE user_id = '#'",
		"UPDATE system.users SET email = email || 'x' WHERE user_id = '#' AND 1/(CASE WHEN email IS NULL THEN 0 ELSE 1 END) = 1",
		"UPDATE system.users SET email = 'x' WHERE user_id = '#' RETURNING email",
		"UPDATE system.users SET metadata = '{' WHERE user_id = '#'",
		"DELETE FROM system.users WHERE user_id = '#'",
		"DELETE FROM system.users WHERE user_id = '#' AND deleted_at IS NOT NULL RETURNING *",
		"DELETE FROM system.users",
		"DELETE FROM system.users WHERE user_id = '#' AND cast(email AS INTEGER) = 1",
		"DELETE FROM system.storages WHERE (SELECT count(*) FROM system.users WHERE user_id = '#') = 1",
		"WITH c AS (SELECT * FROM system.users WHERE user_id = '#') DELETE FROM system.users WHERE user_id IN (SELECT user_id FROM c)",
		"WITH c AS (DELETE FROM system.users WHERE user_id = '#' RETURNING *) SELECT * FROM c",
		"SELECT * FROM (DELETE FROM system.users WHERE user_id = '#' RETURNING *)",
		"SELECT * FROM _target.system.users WHERE user_id = '#'",
		"SELECT count(*) FROM app.people WHERE user_id = '#' AND deleted_at IS NOT NULL",
		"PREPARE p AS DELETE FROM system.users WHERE user_id = '#'",
		"PREPARE p AS UPDATE system.users SET email = $1 WHERE user_id = '#' RETURNING *",
		"EXPLAIN DELETE FROM system.users WHERE user_id = '#'",
		"EXPLAIN ANALYZE UPDATE system.users SET role = 'dba' WHERE user_id = '#'",
		"EXPLAIN SELECT * FROM system.users WHERE user_id = '#'",
		"EXECUTE AS USER 'mallory' (DELETE FROM system.users WHERE user_id = '#')",
		"EXECUTE AS USER 'mallory' (UPDATE system.users SET role = 'dba' WHERE user_id = '#')",
		"INSERT INTO app.notes SELECT 1, email FROM system.users WHERE user_id = '#'",
		"INSERT INTO app.notes VALUES (1, (SELECT email FROM system.users WHERE user_id = '#'))",
		"INSERT INTO app.notes VALUES (1, 'x') RETURNING (SELECT email FROM system.users WHERE user_id = '#')",
		"UPDATE app.notes SET body = (SELECT email FROM system.users WHERE user_id = '#') WHERE id = 1",
		"DELETE FROM app.notes USING system.users u WHERE u.user_id = '#'",
		"CREATE USER '#' WITH PASSWORD 'a-good-password'",
		"ALTER USER '#' RESTORE",
		"BEGIN; DELETE FROM system.users WHERE user_id = '#'; COMMIT",
		"TRUNCATE system.users",
	}
	before := s.must(root, allUsers).table()
	for _, role := range []kalam.Role{kalam.RoleUser, kalam.RoleService} {
		p := kalam.Principal{User: "mallory", Role: role}
		for _, form := range forms {
			var first string
			for _, user := range []string{"victim", "dropped", "absent"} {
				got := s.told(p, strings.ReplaceAll(form, "#", user))
				if !strings.HasPrefix(got, "error: ") {
					t.Errorf("as %s: %s is allowed: %s", role, form, got)
				}
				if strings.Contains(got, "canary") {
					t.Errorf("as %s: %s tells %s", role, form, got)
				}
				got = strings.ReplaceAll(got, user, "#")
				if first == "" {
					first = got
				}
				if got != first {
					t.Errorf("as %s: %s\nof victim: %s\nof %s: %s", role, form, first, user, got)
				}
			}
		}
	}
	if after := s.must(root, allUsers).table(); after != before {
		t.Errorf("the users are\n%s\nwere\n%s", after, before)
	}
}
