package engine_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/session"
)

// TestUserRowsForms has the statements in every form: all rows or none, with whatever conditions and values.
func TestUserRowsForms(t *testing.T) {
	s := newServer(t)
	s.must(root, "CREATE NAMESPACE app; CREATE SHARED TABLE app.staff (id TEXT PRIMARY KEY, mail TEXT)")
	s.must(root, "INSERT INTO app.staff VALUES ('u1', 'one@x'), ('u2', 'two@x')")
	emails := "SELECT string_agg(user_id || ':' || coalesce(email, '-'), ' ' ORDER BY user_id) AS e FROM system.users WHERE user_id LIKE 'u_'"
	unchanged := systemRow{of: "nothing half applied", as: root, sql: emails, want: "e\nu1:U1@y u2:two@x u3:-"}
	refused := func(of, sql, want string) systemRow {
		return systemRow{of: of, as: root, sql: sql, want: "error: " + want}
	}
	s.run([]systemRow{
		{of: "expressions", as: root, sql: "INSERT INTO system.users (username, user_id) VALUES ('N' || 1, concat('u', 1)), (upper('n2'), 'u2'), (current_user, 'u3')",
			want: "Inserted 3 row(s)"},
		{of: "INSERT SELECT", as: root, sql: "INSERT INTO system.users (user_id, username, email) SELECT id || 'x', id, mail FROM app.staff WHERE id = $1",
			params: textsOf("u1"), want: "Inserted 1 row(s)"},
		{of: "of itself", as: root, sql: "INSERT INTO system.users (user_id, username) SELECT user_id || 'y', username FROM system.users WHERE user_id = 'u1x'",
			want: "Inserted 1 row(s)"},
		{of: "LIKE", as: root, sql: "DELETE FROM system.users WHERE user_id LIKE 'u1_%'", want: "Deleted 2 row(s)"},
		{of: "IN with a subquery", as: root, sql: "UPDATE system.users SET email = 's@x' WHERE user_id IN (SELECT id FROM app.staff)", want: "Updated 2 row(s)"},
		{of: "values of the row", as: root, sql: "UPDATE system.users SET email = upper(user_id) || '@' || $2 WHERE user_id = $1 AND role = 'user'",
			params: textsOf("u1", "y"), want: "Updated 1 row(s)"},
		{of: "an alias, and values of another table", as: root, sql: "UPDATE system.users u SET email = (SELECT mail FROM app.staff s WHERE s.id = u.user_id) WHERE u.user_id = 'u2'",
			want: "Updated 1 row(s)"},
		{of: "what came of it", as: root, sql: emails, want: unchanged.want},
		{of: "WITH", as: root, sql: "WITH c AS (SELECT 'u3' AS id) UPDATE system.users SET metadata = '{\"a\": 1}' WHERE user_id IN (SELECT id FROM c)",
			want: "Updated 1 row(s)"},
		{of: "json", as: root, sql: "DELETE FROM system.users WHERE json_get_int(metadata, 'a') = 2", want: "Deleted 0 row(s)"},
		{of: "no row", as: root, sql: "UPDATE system.users SET email = 'x' WHERE user_id = 'u1' AND role = 'dba'", want: "Updated 0 row(s)"},
		{of: "no row", as: root, sql: "DELETE FROM system.users WHERE user_id IN ('x', 'y')", want: "Deleted 0 row(s)"},
		{of: "a name by a view", as: root, sql: "PREPARE p AS UPDATE system.users SET email = $1 WHERE user_id = $2; EXECUTE p('one@x', 'u1')", want: "Updated 1 row(s)"},
		{of: "back", as: root, sql: "UPDATE system.users SET email = 'U1@y' WHERE user_id = 'u1'", want: "Updated 1 row(s)"},

		refused("a role among them that nobody takes away", "UPDATE system.users SET role = 'service' WHERE user_id IN ('u1', 'root')",
			"The role of user 'root' cannot be changed"), unchanged,
		refused("a value of one row", "UPDATE system.users SET email = 'z', username = CASE user_id WHEN 'u2' THEN '' ELSE 'ok' END WHERE user_id LIKE 'u_'",
			"NOT NULL constraint violation: column 'username' cannot be NULL"), unchanged,
		refused("one who cannot be dropped", "DELETE FROM system.users WHERE user_id >= 'root'", "User 'root' cannot be dropped"), unchanged,
		refused("one who is there", "INSERT INTO system.users (user_id, username) VALUES ('u4', 'x'), ('u1', 'x')", "User with user_id 'u1' already exists"),
		unchanged,
		refused("DELETE without WHERE", "DELETE FROM system.users", "DELETE requires a WHERE clause"),
		refused("UPDATE without WHERE", "UPDATE system.users SET role = 'user'", "UPDATE requires a WHERE clause"),
		refused("TRUNCATE", "TRUNCATE system.users", "Cannot truncate system table 'system.users'"),
		refused("RETURNING", "DELETE FROM system.users WHERE user_id = 'u1' RETURNING password_hash", "RETURNING is not supported for system table 'system.users'"),
		refused("RETURNING", "INSERT INTO system.users (user_id, username) VALUES ('u4', 'x') RETURNING *", "RETURNING is not supported for system table 'system.users'"),
		refused("FROM", "UPDATE system.users SET email = s.mail FROM app.staff s WHERE s.id = user_id", "FROM is not supported for system table 'system.users'"),
		refused("USING", "DELETE FROM system.users USING app.staff s WHERE s.id = user_id", "USING is not supported for system table 'system.users'"),
		refused("ON CONFLICT", "INSERT INTO system.users (user_id, username) VALUES ('u1', 'x') ON CONFLICT (user_id) DO UPDATE SET username = 'y'",
			"ON CONFLICT is not supported for system table 'system.users'"),
		refused("twice", "UPDATE system.users SET email = 'a', email = 'b' WHERE user_id = 'u1'", "Column 'email' is assigned twice"),
		refused("parameters", "UPDATE system.users SET email = $1 WHERE user_id = 'u1'", "Parameter mismatch: statement has 1 placeholders but 0 parameters were given"),
		refused("two conditions in one", "DELETE FROM system.users WHERE user_id = 'u1') OR (true", "Syntax error at or near ')': expected end of statement"),
		unchanged,
		{of: "other tables", as: root, sql: "INSERT INTO system.jobs (job_id) VALUES ('x')", want: "error: Cannot insert system table 'system.jobs'"},
		{of: "other tables", as: root, sql: "UPDATE information_schema.tables SET table_name = 'x' WHERE true",
			want: "error: Cannot update system table 'information_schema.tables'"},
	})
}

// TestUserRowsInTransactions refuses the statements in BEGIN ... COMMIT, which then changes nothing at all.
func TestUserRowsInTransactions(t *testing.T) {
	s := newServer(t)
	s.must(root, "CREATE NAMESPACE app; CREATE SHARED TABLE app.t (id BIGINT PRIMARY KEY); CREATE USER ann WITH PASSWORD 'a-good-password'")
	before := s.must(root, allUsers).table()
	for _, sql := range []string{
		"INSERT INTO system.users (user_id, username) VALUES ('ben', 'x')", "DELETE FROM system.users WHERE user_id = 'ann'",
		"UPDATE system.users SET role = 'dba' WHERE user_id = 'ann'", "DELETE FROM system.storages WHERE storage_id = 'x'",
	} {
		got := s.told(root, "BEGIN; INSERT INTO app.t VALUES (1); "+sql+"; COMMIT")
		if !strings.HasPrefix(got, "error: Rows of system table 'system.") || !strings.Contains(got, "' cannot be written inside explicit transaction '") {
			t.Errorf("%s in a transaction: %s", sql, got)
		}
	}
	if after := s.must(root, allUsers).table(); after != before {
		t.Errorf("the users are\n%s\nwere\n%s", after, before)
	}
	s.wantCell(root, "SELECT count(*) FROM app.t", "0")
}

// TestUserRowsTogether runs statements on the same users at once: of INSERTs of one id one wins, and no UPDATE is lost
// that its condition let through.
func TestUserRowsTogether(t *testing.T) {
	s := newServer(t)
	const clients, rounds = 8, 5
	together := func(sql func(client int) string, check func(sql string, err error)) {
		var all sync.WaitGroup
		var mu sync.Mutex
		for client := range clients {
			all.Go(func() {
				text := sql(client)
				err := s.Execute(t.Context(), root, session.Request{SQL: text}, &collector{})
				mu.Lock()
				defer mu.Unlock()
				check(text, err)
			})
		}
		all.Wait()
	}
	for round := range rounds {
		won := 0
		together(func(int) string {
			return fmt.Sprintf("INSERT INTO system.users (user_id, username, metadata) VALUES ('u%d', 'x', '{\"n\": 0}')", round)
		}, func(sql string, err error) {
			switch {
			case err == nil:
				won++
			case messageOf(err) != fmt.Sprintf("User with user_id 'u%d' already exists", round):
				t.Errorf("%s: %v", sql, err)
			}
		})
		if won != 1 {
			t.Errorf("%d of %d INSERTs of one id won", won, clients)
		}
		together(func(int) string {
			return fmt.Sprintf(`UPDATE system.users SET metadata = '{"n": ' || (json_get_int(metadata, 'n') + 1) || '}' WHERE user_id = 'u%d'`, round)
		}, func(sql string, err error) {
			if err != nil {
				t.Errorf("%s: %v", sql, err)
			}
		})
		s.wantCell(root, fmt.Sprintf("SELECT json_get_int(metadata, 'n') FROM system.users WHERE user_id = 'u%d'", round), fmt.Sprint(clients))
	}
}

// TestStorageRows has a row for each sentence of STOR-006 to STOR-010 that is about statements.
func TestStorageRows(t *testing.T) {
	s := newServer(t)
	dir := t.TempDir()
	for _, id := range []string{"zeta", "cold", "free", "own"} {
		s.must(root, fmt.Sprintf("CREATE STORAGE %s TYPE filesystem NAME 'Name of %s' PATH '%s'", id, id, filepath.Join(dir, id)))
	}
	s.must(root, "CREATE NAMESPACE app")
	var names []string
	for i := range 12 {
		s.must(root, fmt.Sprintf("CREATE USER TABLE app.t%02d (id BIGINT PRIMARY KEY) STORAGE cold", i))
		if i < 10 {
			names = append(names, fmt.Sprintf("app.t%02d", i))
		}
	}
	list := strings.Join(names, ", ") + ", ..."
	s.must(root, "CREATE USER TABLE app.plain (id BIGINT PRIMARY KEY)")
	s.must(root, "CREATE USER ann WITH PASSWORD 'a-good-password' STORAGE own")
	s.run([]systemRow{
		{of: "STOR-006 unknown", as: root, sql: "CREATE USER TABLE app.x (id BIGINT PRIMARY KEY) STORAGE nowhere", want: "error: Storage 'nowhere' does not exist"},
		{of: "STOR-006 local", as: root, sql: "SELECT storage_id FROM system.tables WHERE table_name IN ('plain', 't00') ORDER BY 1", want: "storage_id\ncold\nlocal"},
		{of: "STOR-008 DELETE", as: root, sql: "DELETE FROM system.storages WHERE storage_id = 'cold'",
			want: "error: Cannot delete storage 'Name of cold': 12 table(s) still reference it: " + list},
		{of: "STOR-008 DROP", as: root, sql: "DROP STORAGE cold", want: "error: Cannot drop storage 'cold': 12 table(s) still using it: " + list},
		{of: "STOR-008 users", as: root, sql: "DELETE FROM system.storages WHERE storage_id = $1", params: textsOf("own"),
			want: "error: Cannot delete storage 'Name of own': 1 user(s) still reference it: ann"},
		{of: "STOR-008 users", as: root, sql: "DROP STORAGE own", want: "error: Cannot drop storage 'own': 1 user(s) still using it: ann"},
		{of: "STOR-009", as: root, sql: "DELETE FROM system.storages WHERE storage_id = 'local'", want: "error: Cannot delete storage 'local': it is the default storage"},
		{of: "STOR-009", as: root, sql: "DROP STORAGE local", want: "error: Cannot delete storage 'local': it is the default storage"},
		{of: "STOR-010 order", as: root, sql: "SELECT storage_id FROM system.storages", want: "storage_id\nlocal\ncold\nfree\nown\nzeta"},
		{of: "STOR-010 hint", as: root, sql: "SELECT * FROM system.storage_locations", want: "error: relation 'system.storage_locations' does not exist; use system.storages"},
		{of: "several", as: root, sql: "DELETE FROM system.storages WHERE storage_type = 'filesystem' AND storage_id <> 'local'",
			want: "error: DELETE FROM system.storages removes one storage at a time, and the condition is true of 4"},
		{of: "none", as: root, sql: "DELETE FROM system.storages WHERE storage_id = 'nowhere'", want: "error: Storage 'nowhere' does not exist"},
		{of: "none", as: root, sql: "DELETE FROM system.storages WHERE storage_name = 'nowhere'", want: "Deleted 0 row(s)"},
		{of: "unused", as: root, sql: "DELETE FROM system.storages WHERE storage_name LIKE '%free'", want: "Deleted 1 row(s)"},
		{of: "a user's, who lets go", as: root, sql: `UPDATE system.users SET storage_mode = 'table', storage_id = NULL WHERE storage_id = 'own';
			DELETE FROM system.storages WHERE storage_id = 'own'`, want: "Deleted 1 row(s)"},
		{of: "what is left", as: root, sql: "SELECT storage_id FROM system.storages", want: "storage_id\nlocal\ncold\nzeta"},
		{of: "INSERT", as: root, sql: "INSERT INTO system.storages (storage_id) VALUES ('x')", want: "error: Cannot insert system table 'system.storages'"},
		{of: "UPDATE", as: root, sql: "UPDATE system.storages SET uri = 'x' WHERE storage_id = 'cold'", want: "error: Cannot update system table 'system.storages'"},
	})
	if left := filesBelow(t, filepath.Join(dir, "free"), "lake.json"); len(left) != 0 {
		t.Errorf("marks of a storage that was removed: %q", left)
	}
}

// TestUserRowsMoveFiles has an UPDATE of a user's storage move the files, as ALTER USER does. STOR-007.
func TestUserRowsMoveFiles(t *testing.T) {
	s := newServer(t)
	dir := t.TempDir()
	s.must(root, "CREATE STORAGE eu TYPE filesystem PATH '"+dir+"'; CREATE USER ann WITH PASSWORD 'a-good-password'; CREATE NAMESPACE app")
	s.must(root, "CREATE USER TABLE app.t (id BIGINT PRIMARY KEY) USE_USER_STORAGE FLUSH_POLICY 'manual'")
	s.must(userOf("ann"), "INSERT INTO app.t VALUES (1)")
	s.flush()
	for _, tt := range []struct {
		set   string
		files int
	}{{"storage_mode = 'region', storage_id = 'eu'", 1}, {"storage_mode = 'table'", 0}} {
		r := s.must(root, "UPDATE system.users SET "+tt.set+" WHERE user_id = 'ann'")
		if len(r.jobs) != 1 || r.count != 1 || !strings.HasPrefix(r.message, "Updated 1 row(s). Files are moved by jobs [") {
			t.Fatalf("%s: %+v", tt.set, r)
		}
		if j := s.await(r.jobs[0]); j.Status != kalam.JobCompleted {
			t.Errorf("%s: the move is %s: %s", tt.set, j.Status, j.Error)
		}
		if got := filesBelow(t, dir, ".parquet"); len(got) != tt.files {
			t.Errorf("after %s there are %q", tt.set, got)
		}
		s.wantCell(userOf("ann"), "SELECT count(*) FROM app.t", "1")
	}
}
