package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/live"
)

// spellings are ways to write the table t of the namespace default.
var spellings = []string{
	"default.t", "DEFAULT.T", `"default".t`, "`default`.`t`", "default . t", "default\n/* default. */ .-- .\n\tt", "t",
}

// TestDefaultNamespace runs every statement that names a table on one of the
// namespace default, however it is written, and with parameters. Case B2.
func TestDefaultNamespace(t *testing.T) {
	s := newServer(t)
	alice := userOf("alice")
	i64, text := kalam.BigInt, kalam.Text
	s.must(root, "ALTER NAMESPACE default SET OPTIONS (user_tables = true)")
	for _, name := range spellings {
		run := func(p kalam.Principal, want, sql string, params ...kalam.Value) {
			t.Helper()
			sql = strings.ReplaceAll(sql, "#", name)
			r := s.must(p, sql, params...)
			if got := strings.ReplaceAll(r.table(), "\n", "; "); r.columns != nil && got != want {
				t.Errorf("%s gives %s, want %s", sql, got, want)
			} else if r.columns == nil && generic(r.message) != want {
				t.Errorf("%s says %s, want %s", sql, r.message, want)
			}
			for _, id := range r.jobs {
				if j := s.await(id); j.Status != kalam.JobCompleted {
					t.Errorf("%s: job %s is %s: %s", sql, id, j.Status, j.Error)
				}
			}
		}
		run(alice, "user table default.t created successfully",
			"CREATE USER TABLE # (id BIGINT PRIMARY KEY, v TEXT DEFAULT 'd', n INT)")
		run(alice, "Inserted 2 row(s)", "INSERT INTO # VALUES ($1, $2, 1), (2, DEFAULT, $3)", i64(1), text("one"), i64(2))
		run(alice, "Inserted 1 row(s)", "INSERT INTO # AS x (id, v) SELECT id + $1, v FROM # WHERE id = 1", i64(2))
		run(alice, "id; 3; ",
			"INSERT INTO # (id, n) VALUES (3, $1) ON CONFLICT (id) DO UPDATE SET n = #.n, v = EXCLUDED.v || #.v RETURNING id", i64(9))
		run(root, "Storage flush started for table 'default.t'. Job ID: FL-...", "STORAGE FLUSH TABLE #")
		run(alice, "v | n; one | 1; ", "SELECT v, n FROM # WHERE id = $1", i64(1)) // A point read.
		run(alice, "v; done; ", "SELECT v FROM # WHERE #.id = $1", i64(3))
		run(alice, "id; 2; 3; ",
			"SELECT a.id FROM # a JOIN # b ON a.id = b.id WHERE a.id > $1 AND EXISTS (SELECT 1 FROM # WHERE #.id = a.id) ORDER BY 1", i64(1))
		run(alice, "m; 3; ", "WITH c AS (SELECT * FROM #) SELECT max(id) AS m FROM (SELECT id FROM c UNION SELECT id FROM #)")
		run(alice, "Updated 1 row(s)", "UPDATE # SET n = $2, v = DEFAULT WHERE id = $1", i64(1), i64(5))
		run(alice, "Updated 3 row(s)",
			"UPDATE # SET n = coalesce(#.n, 0) + (SELECT max(n) FROM #) WHERE id IN (SELECT id FROM #)")
		run(alice, "id | n; 1 | 10; ", "DELETE FROM # WHERE #.id = $1 RETURNING #.id, n", i64(1))
		run(alice, "Deleted 1 row(s)", "DELETE FROM # x WHERE x.id = (SELECT min(id) FROM #)")
		run(root, "Storage flush started for 1 table(s) in namespace 'default'. Job IDs: [FL-...]",
			"STORAGE FLUSH ALL IN default")
		run(root, "Storage compaction started for table 'default.t'. Job ID: CO-...", "STORAGE COMPACT TABLE #")
		for _, sql := range []string{"DESCRIBE #", "DESC TABLE #", "SHOW COLUMNS FROM #"} {
			if r := s.must(alice, strings.ReplaceAll(sql, "#", name)); len(r.rows) != 5 || r.rows[0][0] != `"id"` {
				t.Errorf("%s of %q gives %v", sql, name, r.rows)
			}
		}
		for _, sql := range []string{"SHOW TABLE STATS #", "SHOW STATS FOR TABLE #"} {
			if r := s.must(alice, strings.ReplaceAll(sql, "#", name)); len(r.rows) != 1 || r.rows[0][0] != `"default"` ||
				r.rows[0][1] != `"t"` {
				t.Errorf("%s of %q gives %v", sql, name, r.rows)
			}
		}
		run(root, "Table default.t dropped successfully. Cleanup job: CL-...", "DROP USER TABLE #")
		run(root, "Table default.t does not exist (skipped)", "DROP TABLE IF EXISTS #")
	}
	if got := s.single(alice,
		"SELECT count(*) AS n FROM information_schema.tables WHERE table_schema = 'default'"); got != `"0"` {
		t.Errorf("%s tables are left", got)
	}
}

// TestPlacesInDefault checks that an error after default.t has its place in the
// user's request, of statements and live queries alike. Case A7.
func TestPlacesInDefault(t *testing.T) {
	s := newServer(t)
	alice := userOf("alice")
	s.must(root, "ALTER NAMESPACE default SET OPTIONS (user_tables = true)")
	s.must(alice, "CREATE USER TABLE default.t (id BIGINT PRIMARY KEY, v TEXT)")
	for _, c := range []struct{ sql, at string }{
		{"SELECT DEFAULT.t.id, nope FROM default.t", "nope"},
		{"SELECT app.t.id FROM t", "t"},
		{"SELECT 1; SELECT default.t.id FROM default . t WHERE default.t.id = = 2", "= 2"},
		{"SELECT * FROM default.t JOIN default.gone USING (id)", "default.gone"},
		{"INSERT INTO default.t SELECT default.t.id, frob(1) FROM default.t", "frob"},
		{"INSERT INTO default.t VALUES (1, default.t.x + frob(2))", "frob"},
		{"UPDATE default.t SET v = default.t.v || frob(default.t.id) WHERE id = 1", "frob"},
		{"UPDATE default.t SET v = 'x' WHERE default.t.id = 1 AND frob(2)", "frob"},
		{"DELETE FROM DEFAULT . t WHERE default.t.id = 1 AND frob(2)", "frob"},
		{"DELETE FROM default.t WHERE default.t.id = 1 RETURNING default.t.id + 1, frob(2)", "frob"},
		{"EXECUTE AS USER 'alice' (SELECT default.t.id, nope FROM default.t)", "nope"},
		{"INSERT INTO default.t (id, nope) VALUES (1, 2)", "nope"},
		{"DROP TABLE default.t x", "x"},
	} {
		_, err := s.try(alice, c.sql)
		checkPlace(t, c.sql, err, c.at)
	}
	for _, c := range []struct{ sql, at string }{
		{"SELECT * FROM default.t WHERE default.t.id = 1 AND frob(2)", "frob"},
		{"SELECT * FROM default . t WHERE default.t.id = = 2", "= 2"},
		{"SUBSCRIBE TO default.t WHERE default.t.id = 1 AND frob(2)", "frob"},
		{"SUBSCRIBE TO SELECT * FROM default.gone", "default.gone"},
		{"SELECT * FROM '' WHERE a.b = 1", "''"},
		{"SELECT * FROM t WHERE app.t.id = 1", "t WHERE"},
		{"SUBSCRIBE TO default.gone WHERE id = 1", "default.gone"},
	} {
		out := s.Live().NewOutbox()
		_, err := s.Live().Subscribe(context.Background(), alice,
			live.Request{Connection: strings.Repeat("0", 32), ID: "a", SQL: c.sql, Outbox: out})
		out.Close()
		checkPlace(t, c.sql, err, c.at)
	}
}

func checkPlace(t *testing.T, sql string, err error, at string) {
	t.Helper()
	var ke *kalam.Error
	if !errors.As(err, &ke) || ke.Position < 1 || ke.Position > len(sql) || !strings.HasPrefix(sql[ke.Position-1:], at) {
		t.Errorf("%s: %v, want it at %q", sql, explained(err), at)
	}
}

// TestLiveDefault follows a table of the namespace default, by every form of live
// query and filter. Case B2.
func TestLiveDefault(t *testing.T) {
	s := newServer(t)
	alice, bob := userOf("alice"), userOf("bob")
	s.must(root, "ALTER NAMESPACE default SET OPTIONS (user_tables = true)")
	s.must(alice, "CREATE USER TABLE default.t (id BIGINT PRIMARY KEY, n INT)")
	s.must(alice, "INSERT INTO default.t VALUES (1, 1), (2, 2)")
	var followers []*follower
	forms := []string{
		"SELECT * FROM default.t WHERE default.t.n > 1", "SELECT id, n FROM DEFAULT . t WHERE n > 1", "SUBSCRIBE TO default.t WHERE default.t.n > 1",
		`SUBSCRIBE TO SELECT default.t.id, t.n FROM "default".t WHERE t.n > 1`, "SELECT * FROM t WHERE default.t.n > 1",
		"SELECT default.t.* FROM default.t WHERE t.n > 1", "SUBSCRIBE TO t WHERE default.t.n > length(repeat('x', 1))",
		"SELECT * FROM default.t WHERE length(repeat('x', 2)) + default.t.n > 3", "SELECT x.id, x.n FROM default.t AS x WHERE x.n > 1",
	}
	for _, sql := range forms {
		f := s.follow(alice, sql, &live.Options{}, false)
		defer f.close()
		followers = append(followers, f)
	}
	s.must(bob, "INSERT INTO default.t VALUES (8, 8)")
	s.must(alice, "INSERT INTO default.t VALUES (3, 3), (4, 0)")
	s.must(alice, "UPDATE default.t SET n = default.t.n + 10 WHERE id = 2")
	s.must(alice, "DELETE FROM default.t WHERE id = 3")
	for i, f := range followers {
		f.read(3)
		ids := make([]string, 0, 2)
		for id := range f.rows {
			ids = append(ids, id)
		}
		if fmt.Sprint(ids) != `["2"]` || !strings.HasPrefix(f.events[0], "insert") ||
			!strings.HasPrefix(f.events[1], "update") || !strings.HasPrefix(f.events[2], "delete") {
			t.Errorf("%s: rows %v after %v", forms[i], f.rows, f.events)
		}
	}
}

// TestLiveReservedColumns follows columns that are called by reserved words. Case A7.
func TestLiveReservedColumns(t *testing.T) {
	s := newServer(t)
	alice := userOf("alice")
	s.must(root, "ALTER NAMESPACE default SET OPTIONS (user_tables = true)")
	s.must(alice, `CREATE USER TABLE default.w ("order" INT PRIMARY KEY, "end" INT, "from" TEXT)`)
	s.must(alice, "INSERT INTO default.w VALUES (1, 1, 'a'), (2, 2, 'b')")
	for _, sql := range []string{
		`SELECT * FROM default.w WHERE "end" > 1 AND "from" <> 'z'`, `SELECT "order", "end" FROM w WHERE default.w.end > 1`,
		"SUBSCRIBE TO default.w WHERE w.end > 1 AND length(repeat('x', 2)) = length(`from`) + 1", "SELECT x.order, x.from FROM default.w AS x WHERE x.end > 1",
	} {
		f := s.follow(alice, sql, &live.Options{}, false)
		s.must(alice, "INSERT INTO default.w VALUES (3, 3, 'c'), (4, 0, 'd')")
		s.must(alice, "DELETE FROM default.w WHERE w.order > 2")
		f.read(2)
		if len(f.rows) != 1 || f.rows["2"] == "" {
			t.Errorf("%s: rows %v after %v", sql, f.rows, f.events)
		}
		f.close()
	}
}
