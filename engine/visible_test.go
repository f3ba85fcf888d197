package engine_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/config"
	"github.com/kalamlake/kalam/live"
	"github.com/kalamlake/kalam/session"
)

// levels are SHARED tables by who may see them, beside one that nobody made. Their
// names are of one length, so that positions in errors can be compared.
var levels = []struct {
	name string
	sees kalam.Role
}{
	{"public", kalam.RoleAnonymous}, {"privat", kalam.RoleService}, {"restri", kalam.RoleService}, {"admins",
		kalam.RoleDBA}, {"nosuch", 99},
}

// tablePaths are the ways to name a table, T.
var tablePaths = []string{
	"SELECT * FROM T",
	"SELECT v FROM T WHERE id = 1", // A point read.
	"SELECT v FROM T WHERE id = $1",
	"SELECT count(*) FROM app.mine, T",
	"SELECT (SELECT max(id) FROM T)",
	"SELECT 1 WHERE EXISTS (SELECT 1 FROM T x WHERE x.id = 1)",
	"WITH w AS (SELECT * FROM T) SELECT * FROM w",
	"SELECT 1 UNION ALL SELECT id FROM T",
	"SELECT * FROM app.mine JOIN T USING (id)",
	"USE app; SELECT * FROM T",
	"INSERT INTO T VALUES (1, 'x')",
	"INSERT INTO T (id, v) VALUES (1, 'x') RETURNING v",
	"INSERT INTO T VALUES (1, 'x') ON CONFLICT (id) DO NOTHING",
	"INSERT INTO app.mine SELECT id, v FROM T",
	"UPDATE T SET v = 'x' WHERE id = 1",
	"UPDATE app.mine SET v = (SELECT max(v) FROM T) WHERE id = 1",
	"DELETE FROM T WHERE id = 1",
	"DELETE FROM app.mine WHERE id IN (SELECT id FROM T)",
	"BEGIN; INSERT INTO T VALUES (1, 'x'); COMMIT",
	"BEGIN; SELECT * FROM T; COMMIT",
	"DESCRIBE T",
	"DESCRIBE T HISTORY",
	"DESCRIBE SELECT * FROM T",
	"SHOW COLUMNS FROM T",
	"SHOW TABLE STATS T",
	"SHOW STATS FOR TABLE T",
	"DROP TABLE T",
	"DROP TABLE IF EXISTS T",
	"STORAGE FLUSH TABLE T",
	"STORAGE COMPACT TABLE T",
	"SUBSCRIBE TO T",
	"EXECUTE AS USER 'alice' (SELECT * FROM T)",
	"EXECUTE AS USER 'alice' (INSERT INTO T VALUES (1, 'x'))",
	"EXECUTE AS USER 'alice' (DESCRIBE T)",
	"LIVE SELECT * FROM T",
	"LIVE SELECT v FROM T WHERE id > 0",
}

// answer renders all that a principal learns from a request; "LIVE" stands for a live
// query.
func (s *server) answer(p kalam.Principal, sql string) string {
	if text, ok := strings.CutPrefix(sql, "LIVE "); ok {
		q, err := s.Live().Subscribe(context.Background(), p, live.Request{
			Connection: fmt.Sprintf("%032x", connections.Add(1)), ID: "v", SQL: text, Outbox: s.Live().NewOutbox(),
		})
		if err != nil {
			return explained(err)
		}
		q.Close()
		return "subscribed"
	}
	var params []kalam.Value
	if strings.Contains(sql, "$1") {
		params = []kalam.Value{kalam.BigInt(1)}
	}
	res, err := s.try(p, sql, params...)
	var b strings.Builder
	for _, r := range res {
		fmt.Fprintf(&b, "%s%s\n", r.table(), r.message)
	}
	if err != nil {
		var se *session.StatementError
		b.WriteString(explained(err))
		if errors.As(err, &se) {
			fmt.Fprintf(&b, " in statement %d", se.Statement)
		}
	}
	return b.String()
}

// principals are one of each role. alice has a table of her own.
func principals() []kalam.Principal {
	return []kalam.Principal{
		{Role: kalam.RoleAnonymous}, userOf("alice"), {User: "alice", Role: kalam.RoleService},
		{User: "alice", Role: kalam.RoleDBA}, {User: "alice", Role: kalam.RoleSystem},
	}
}

// newVisible makes a server with a table of each level in app, and a namespace hid of
// which only service and above may know.
func newVisible(t *testing.T) *server {
	s := newServer(t)
	s.config.Live.SharedTables = config.SharedAllow
	s.restart()
	s.must(root, "CREATE NAMESPACE app; CREATE NAMESPACE hid; CREATE USER TABLE app.mine (id BIGINT PRIMARY KEY, v TEXT)")
	const create = "CREATE SHARED TABLE %s (id BIGINT PRIMARY KEY, v TEXT) WITH (ACCESS_LEVEL = '%s')"
	for name, level := range map[string]string{
		"app.public": "PUBLIC", "app.privat": "PRIVATE", "app.restri": "RESTRICTED", "app.admins": "DBA", "hid.privat": "PRIVATE",
	} {
		s.must(root, fmt.Sprintf(create, name, level))
	}
	return s
}

// subscriptionPattern is the id that SUBSCRIBE TO makes up, whatever the table.
var subscriptionPattern = regexp.MustCompile(`sub-app-[a-z-]*-[0-9a-f]{15}`)

// TestNamesAreNotShown gives each path to a table, as each role, the name of a table
// that the role may not see and one that nobody made: the answers are the same. Where
// the role may see it, they differ, so the comparison can fail (case N7).
func TestNamesAreNotShown(t *testing.T) {
	s := newVisible(t)
	for _, p := range principals() {
		for _, path := range tablePaths {
			if p.Role >= kalam.RoleDBA && strings.HasPrefix(path, "DROP") {
				continue // It would.
			}
			// SUBSCRIBE TO looks at nothing, EXECUTE AS reads with the rights of a user.
			tells := p.Role >= kalam.RoleService && !strings.HasPrefix(path, "SUBSCRIBE") && !strings.HasPrefix(path, "EXECUTE")
			for _, form := range []string{"app.%s", `"app".%s`, "app.user.%s"} {
				ask := func(name string) string {
					sql := replaceTable(path, fmt.Sprintf(form, name))
					answer := subscriptionPattern.ReplaceAllString(generic(s.answer(p, sql)), "<subscription>")
					return strings.ReplaceAll(answer, name, "NAME")
				}
				none := ask("nosuch")
				for _, l := range levels[:4] {
					sql := replaceTable(path, fmt.Sprintf(form, l.name))
					switch got := ask(l.name); {
					case p.Role < l.sees && got != none:
						t.Errorf("%s, %s: a hidden table is told from none:\n%s\n---\n%s", p.Role, sql, got, none)
					case p.Role >= l.sees && tells && !strings.HasPrefix(path, "DROP TABLE IF") && got == none:
						t.Errorf("%s, %s: a visible table is not told from none: %s", p.Role, sql, got)
					}
				}
			}
		}
	}
}

// replaceTable puts a name in the place of T.
func replaceTable(path, name string) string {
	words := strings.Fields(path)
	for i, w := range words {
		if bare := strings.TrimRight(w, "),;"); bare == "T" {
			words[i] = name + w[len(bare):]
		}
	}
	return strings.Join(words, " ")
}

// namespacePaths are the ways to name a namespace, {}.
var namespacePaths = []string{
	"SHOW TABLES IN {}",
	"USE {}",
	"USE {}; SELECT * FROM privat",
	"CREATE USER TABLE {}.t (id BIGINT PRIMARY KEY)",
	"CREATE STREAM TABLE {}.t (id BIGINT PRIMARY KEY) WITH (TTL_SECONDS = 9)",
	"CREATE SHARED TABLE {}.t (id BIGINT PRIMARY KEY)",
	"CREATE TABLE IF NOT EXISTS {}.privat (id BIGINT PRIMARY KEY)",
	"CREATE USER TABLE IF NOT EXISTS {}.privat (id BIGINT PRIMARY KEY)",
	"CREATE NAMESPACE {}",
	"CREATE NAMESPACE IF NOT EXISTS {}",
	"ALTER NAMESPACE {} SET OPTIONS (a = 1)",
	"DROP NAMESPACE {}",
	"DROP NAMESPACE IF EXISTS {} CASCADE",
	"STORAGE FLUSH ALL IN {}",
	"STORAGE COMPACT ALL IN {}",
	"SELECT * FROM {}.privat",
	"SELECT {}.privat.id FROM {}.privat",
	"SELECT * FROM {}.user.privat",
	"DESCRIBE {}.privat",
	"DROP TABLE {}.privat",
	"INSERT INTO {}.privat VALUES (1, 'x')",
}

// TestNamespacesAreNotShown does for namespaces what TestNamesAreNotShown does for
// tables.
func TestNamespacesAreNotShown(t *testing.T) {
	s := newVisible(t)
	for _, p := range principals() {
		for _, path := range namespacePaths {
			ask := func(name string) string {
				return strings.ReplaceAll(generic(s.answer(p, strings.ReplaceAll(path, "{}", name))), name, "NAME")
			}
			if p.Role < kalam.RoleService {
				if got, none := ask("hid"), ask("nix"); got != none {
					t.Errorf("%s, %s: a hidden namespace is told from none:\n%s\n---\n%s", p.Role, path, got, none)
				}
			}
		}
	}
	if got := s.answer(userOf("alice"), "SHOW TABLES IN app"); !strings.Contains(got, "mine") {
		t.Errorf("SHOW TABLES IN app: %s", got)
	}
}

// TestListsShowWhatIsVisible looks for names in every list.
func TestListsShowWhatIsVisible(t *testing.T) {
	s := newVisible(t)
	s.must(root, "CREATE NAMESPACE alice; CREATE NAMESPACE empty; CREATE NAMESPACE open; ALTER NAMESPACE open SET OPTIONS (user_tables = true)")
	tables := []string{
		"SHOW TABLES", "SHOW TABLES IN app", "SELECT table_name FROM information_schema.tables", "SELECT * FROM information_schema.columns",
		"SELECT * FROM information_schema.key_column_usage",
	}
	for _, p := range principals() {
		for _, list := range tables {
			text := s.answer(p, list)
			for _, l := range levels {
				if got := strings.Contains(text, l.name); got != (p.Role >= l.sees) {
					t.Errorf("%s, %s: %s is shown: %v", p.Role, list, l.name, got)
				}
			}
		}
		want := []string{"app", "default", "open", "alice"}
		switch {
		case p.Role >= kalam.RoleService:
			want = append(want, "hid", "empty")
		case p.Role == kalam.RoleAnonymous:
			want = []string{"app", "default"}
		}
		slices.Sort(want)
		for _, list := range []string{"SHOW NAMESPACES", "SELECT schema_name FROM information_schema.schemata ORDER BY 1"} {
			var got []string
			for _, row := range s.must(p, list).rows {
				if name := strings.Trim(row[0], `"`); name != "information_schema" && name != "system" {
					got = append(got, name)
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s, %s: %v, want %v", p.Role, list, got, want)
			}
		}
	}
	for _, row := range s.must(userOf("alice"), "SHOW NAMESPACES").rows {
		if row[0] == `"app"` && row[4] != "2" { // mine and public
			t.Errorf("table_count of app is %s", row[4])
		}
	}
	for _, view := range []string{"tables", "schemas", "table_schemas", "columns", "table_options", "namespaces",
		"stats"} {
		for _, p := range principals()[:3] {
			if _, err := s.try(p, "SELECT * FROM system."+view); kalam.CodeOf(err) != kalam.CodePermissionDenied {
				t.Errorf("%s, system.%s: %v", p.Role, view, err)
			}
		}
	}
}

// TestWhoCreatesTables creates and drops tables as every role, in every sort of
// namespace. Case N7.
func TestWhoCreatesTables(t *testing.T) {
	s := newServer(t)
	s.config.Limits.MaxTablesPerUser = 3
	s.restart()
	alice, bob := userOf("alice"), userOf("bob")
	s.must(root, "CREATE NAMESPACE app; CREATE NAMESPACE alice; CREATE NAMESPACE open; ALTER NAMESPACE open SET OPTIONS (user_tables = true)")
	refusedAs := func(p kalam.Principal, sql string, code kalam.Code, text string) {
		t.Helper()
		_, err := s.try(p, sql)
		if kalam.CodeOf(err) != code || !strings.Contains(fmt.Sprint(err), text) {
			t.Errorf("%s as %s: %v", sql, p.User, err)
		}
	}
	const t1 = " (id BIGINT PRIMARY KEY)"
	refusedAs(alice, "CREATE USER TABLE app.t"+t1, kalam.CodePermissionDenied,
		"ALTER NAMESPACE app SET OPTIONS (user_tables = true)")
	refusedAs(bob, "CREATE USER TABLE alice.t"+t1, kalam.CodePermissionDenied, "cannot create tables in namespace 'alice'")
	refusedAs(alice, "CREATE SHARED TABLE alice.t"+t1, kalam.CodePermissionDenied, "role user cannot create shared tables")
	refusedAs(root, "EXECUTE AS USER 'bob' (CREATE USER TABLE alice.t"+t1+")", kalam.CodePermissionDenied, "")
	s.must(alice, "CREATE TABLE alice.t"+t1)
	s.must(root, "EXECUTE AS USER 'alice' (CREATE STREAM TABLE alice.u (id BIGINT) WITH (TTL_SECONDS = 60))")
	s.must(bob, "CREATE USER TABLE open.t"+t1)
	s.must(kalam.Principal{User: "svc", Role: kalam.RoleService},
		"CREATE USER TABLE app.t"+t1+"; CREATE USER TABLE alice.svc"+t1)
	if got := s.must(alice, "CREATE USER TABLE IF NOT EXISTS app.t"+t1).message; got != "Table app.t already exists" {
		t.Errorf("an app's own set-up: %s", got)
	}
	s.must(alice, "CREATE USER TABLE open.u"+t1)
	refusedAs(alice, "CREATE USER TABLE alice.more"+t1, kalam.CodeResourceExhausted, "limits.max_tables_per_user")
	if got := s.single(root,
		"SELECT string_agg(table_name || ' of ' || coalesce(created_by, '-'), ', ' ORDER BY table_name) FROM system.tables WHERE namespace_id = 'alice'"); got != `"svc of svc, t of alice, u of alice"` {
		t.Errorf("creators: %s", got)
	}

	s.restart()
	refusedAs(bob, "DROP TABLE alice.t", kalam.CodePermissionDenied, "role user cannot drop table '")
	refusedAs(bob, "DROP TABLE open.t", kalam.CodePermissionDenied, "role user cannot drop table '")
	refusedAs(alice, "DROP TABLE alice.svc", kalam.CodePermissionDenied, "role user cannot drop table '")
	refusedAs(alice, "DROP TABLE app.t", kalam.CodePermissionDenied, "role user cannot drop table '")
	s.must(alice, "DROP TABLE alice.t")
	s.must(root, "DROP TABLE alice.u")
	s.must(root, "ALTER NAMESPACE open SET OPTIONS (user_tables = false)")
	refusedAs(bob, "CREATE USER TABLE open.v"+t1, kalam.CodePermissionDenied, "")
}

// TestStoragesOfAUser checks case B7: names and types, nothing else.
func TestStoragesOfAUser(t *testing.T) {
	s := newServer(t)
	for _, p := range principals()[1:] {
		res := s.must(p, "SHOW STORAGES")
		short := slices.Equal(res.columns, []string{"storage_id", "storage_name", "storage_type"})
		if short != (p.Role < kalam.RoleDBA) || len(res.rows) != 1 || res.rows[0][0] != `"local"` {
			t.Errorf("%s: %v %v", p.Role, res.columns, res.rows)
		}
	}
	if _, err := s.try(userOf("alice"), "SELECT * FROM system.storages"); kalam.CodeOf(err) != kalam.CodePermissionDenied {
		t.Errorf("system.storages: %v", err)
	}
}
