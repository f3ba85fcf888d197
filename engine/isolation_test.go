package engine_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/config"
)

const (
	canaryAlice = "CANARY-alice-7f3a91"
	canaryBob   = "CANARY-bob-52c0de"
)

// escapes are attempts of bob to reach what is alice's, or the machine's. {file},
// {dir}, {root} and {handle} stand for a real Parquet file of alice, its folder,
// the storage's root and a number in the place of a scan handle.
var escapes = []string{
	// Files by function.
	`SELECT * FROM read_parquet('{file}')`,
	`SELECT * FROM read_parquet(['{file}'])`,
	`SELECT * FROM parquet_scan('{file}')`,
	`SELECT * FROM read_parquet('{root}/users/*/*/*/*.parquet')`,
	`SELECT * FROM read_parquet('{dir}/../*/*.parquet')`,
	`SELECT * FROM READ_PARQUET('{file}')`,
	`SELECT * FROM "read_parquet"('{file}')`,
	`SELECT * FROM main.read_parquet('{file}')`,
	`SELECT * FROM system.main.read_parquet('{file}')`,
	`SELECT * FROM read_csv('{file}')`,
	`SELECT * FROM read_csv_auto('/etc/passwd')`,
	`SELECT * FROM read_json('{dir}/manifest.json')`,
	`SELECT * FROM read_json_auto('{dir}/manifest.json')`,
	`SELECT * FROM read_json_objects('{dir}/manifest.json')`,
	`SELECT * FROM read_ndjson('{dir}/manifest.json')`,
	`SELECT * FROM read_text('{dir}/manifest.json')`,
	`SELECT * FROM read_blob('{file}')`,
	`SELECT * FROM glob('{root}/**')`,
	`SELECT * FROM parquet_metadata('{file}')`,
	`SELECT * FROM parquet_schema('{file}')`,
	`SELECT * FROM parquet_file_metadata('{file}')`,
	`SELECT * FROM parquet_kv_metadata('{file}')`,
	`SELECT * FROM parquet_bloom_probe('{file}', 'id', 1)`,
	`SELECT * FROM sniff_csv('/etc/passwd')`,
	// Files by name.
	`SELECT * FROM '{file}'`,
	`SELECT * FROM "{file}"`,
	`SELECT * FROM '/etc/passwd'`,
	`SELECT * FROM "file://{file}"`,
	`FROM '{file}'`,
	`TABLE "{file}"`,
	// Text that becomes SQL.
	`SELECT * FROM query('SELECT * FROM read_parquet(''{file}'')')`,
	`SELECT * FROM query_table('{file}')`,
	`SELECT * FROM query_table(['{file}'])`,
	`SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT * FROM read_parquet(''{file}'')'))`,
	`SELECT json_serialize_sql('SELECT 1')`,
	`SELECT * FROM json_serialize_plan('SELECT * FROM app.secrets')`,
	`PRAGMA json_execute_serialized_sql('{}')`,
	// The function that reads buffered rows, under any name it may have.
	`SELECT * FROM kalam_scan({handle})`,
	`SELECT * FROM kalam_scan(CAST({handle} AS UBIGINT))`,
	`SELECT * FROM scan({handle})`,
	`SELECT * FROM buffer_scan('{handle}')`,
	`SELECT * FROM arrow_scan(1, 2, 3)`,
	`SELECT * FROM arrow_scan_dumb(1, 2, 3)`,
	`SELECT kalam_alive(1, 2, 3)`,
	`SELECT * FROM seq_scan('app.secrets')`,
	`SELECT * FROM pandas_scan(1)`,
	// Hidden in other constructs.
	`WITH x AS (SELECT * FROM read_parquet('{file}')) SELECT * FROM x`,
	`WITH RECURSIVE x AS (SELECT 1 AS n UNION ALL SELECT n FROM x, read_parquet('{file}')) SELECT * FROM x`,
	`SELECT (SELECT max(body) FROM read_parquet('{file}'))`,
	`SELECT * FROM app.secrets WHERE EXISTS (FROM read_parquet('{file}'))`,
	`SELECT * FROM app.secrets, LATERAL (SELECT * FROM read_parquet('{file}')) x`,
	`SELECT * FROM app.secrets ORDER BY (SELECT max(body) FROM read_parquet('{file}'))`,
	`SELECT count(*) FILTER (WHERE EXISTS (FROM read_parquet('{file}'))) FROM app.secrets`,
	`SELECT sum(1) OVER (ORDER BY (SELECT 1 FROM read_parquet('{file}'))) FROM app.secrets`,
	`SELECT list_transform([1], x -> (SELECT max(body) FROM read_parquet('{file}')))`,
	`SELECT 1 UNION ALL SELECT id FROM read_parquet('{file}')`,
	`PIVOT read_parquet('{file}') ON id USING count(*)`,
	`SELECT * FROM (PIVOT (SELECT * FROM read_parquet('{file}')) ON id USING count(*))`,
	`SELECT * FROM (UNPIVOT read_parquet('{file}') ON id INTO NAME n VALUE v)`,
	`DESCRIBE SELECT * FROM read_parquet('{file}')`,
	`SUMMARIZE SELECT * FROM read_parquet('{file}')`,
	`SELECT * FROM read_parquet/* */('{file}')`,
	"SELECT * FROM read_parquet--\n('{file}')",
	`SELECT * FROM U&"read\005Fparquet"('{file}')`,
	`SELECT * FROM ｒｅａｄ_ｐａｒｑｕｅｔ('{file}')`,
	`SELECT * FROM rеad_parquet('{file}')`, // A Cyrillic letter.
	`EXPLAIN ANALYZE SELECT * FROM read_parquet('{file}')`,
	// Statements.
	`COPY (SELECT 1) TO '{root}/users/bob/x.parquet'`,
	`COPY app.secrets TO '/tmp/kalam-escape.csv'`,
	`COPY app.secrets FROM '{file}'`,
	`ATTACH '{root}/x.db' AS x`,
	`ATTACH ':memory:' AS x`,
	`DETACH memory`,
	`EXPORT DATABASE '{root}/x'`,
	`IMPORT DATABASE '{root}/x'`,
	`INSTALL httpfs`,
	`LOAD httpfs`,
	`SET enable_external_access = true`,
	`SET allowed_directories = ['/']`,
	`SET VARIABLE x = 1`,
	`RESET memory_limit`,
	`PRAGMA database_list`,
	`PRAGMA enable_profiling`,
	`CALL pragma_version()`,
	`CREATE MACRO leak() AS TABLE SELECT * FROM read_parquet('{file}')`,
	`CREATE VIEW v AS SELECT * FROM read_parquet('{file}')`,
	`CREATE TEMP TABLE t AS SELECT * FROM read_parquet('{file}')`,
	`CREATE SECRET s (TYPE s3)`,
	`CHECKPOINT`,
	`VACUUM`,
	`PREPARE p AS COPY (SELECT 1) TO '/tmp/x'`,
	`EXECUTE p`,
	`SELECT 1; SELECT * FROM read_parquet('{file}')`,
	`SELECT * FROM app.secrets; COPY app.secrets TO '/tmp/kalam-escape.csv'`,
	// State of the engine.
	`SELECT current_setting('allowed_directories')`,
	`SELECT getenv('HOME')`,
	`SELECT getvariable('x')`,
	`SELECT * FROM duckdb_settings()`,
	`SELECT * FROM duckdb_databases()`,
	`SELECT * FROM duckdb_tables()`,
	`SELECT * FROM duckdb_functions()`,
	`SELECT * FROM duckdb_logs`,
	`SELECT * FROM duckdb_secrets()`,
	`SELECT * FROM duckdb_temporary_files()`,
	`SELECT * FROM duckdb_prepared_statements()`,
	`SELECT * FROM pg_catalog.pg_tables`,
	`SELECT * FROM sqlite_master`,
	`SELECT * FROM which_secret('{file}', 's3')`,
	`SELECT * FROM pragma_storage_info('secrets')`,
	`SELECT * FROM test_all_types()`,
	`SELECT write_log('x')`,
	`SELECT nextval('x')`,
	// Other users, by name.
	`SELECT * FROM app.alice.secrets`,
	`SELECT * FROM app."user".alice.secrets`,
	`SELECT * FROM alice.app.secrets`,
	`EXECUTE AS USER 'alice' (SELECT * FROM app.secrets)`,
	`EXECUTE AS USER root (SELECT * FROM app.secrets)`,
	`SELECT * FROM app.vault`,
	`INSERT INTO app.vault VALUES (9, 'x')`,
	`INSERT INTO app.secrets SELECT * FROM read_parquet('{file}')`,
	`INSERT INTO app.secrets (id, body) VALUES (77, (SELECT max(body) FROM read_parquet('{file}')))`,
	`INSERT INTO app.secrets (id, body) VALUES (77, 'x') RETURNING (SELECT max(body) FROM read_parquet('{file}'))`,
	`UPDATE app.secrets SET body = (SELECT max(body) FROM read_parquet('{file}')) WHERE id = 1`,
	`UPDATE app.secrets SET body = 'x' WHERE id = (SELECT max(id) FROM read_parquet('{file}'))`,
	`DELETE FROM app.secrets WHERE body IN (SELECT body FROM read_parquet('{file}'))`,
	`DELETE FROM app.secrets WHERE true) OR EXISTS (FROM read_parquet('{file}')`,
	`UPDATE app.secrets SET body = 'x' WHERE 1=1) UNION SELECT * FROM read_parquet('{file}'`,
	// Keywords as names.
	`SELECT * FROM default.read_parquet('{file}')`,
	`SELECT order.read_parquet('{file}')`,
	`SELECT * FROM select.from.kalam_scan({handle})`,
	`SELECT default.kalam_alive(1, 2, 3)`,
	`SELECT CASE WHEN true THEN '{file}' END.read_text()`,
	`SELECT * FROM default.alice.secrets`,
	`SELECT * FROM default.app.secrets`,
	`SELECT * FROM default . "{file}"`,
	`DELETE FROM app.secrets WHERE group.by OR EXISTS (FROM read_parquet('{file}'))`,
	`DELETE FROM app.secrets WHERE union.x) UNION SELECT * FROM read_parquet('{file}'`,
	`UPDATE app.secrets SET body = from.body FROM read_parquet('{file}') from WHERE id = 1`,
	`INSERT INTO app.secrets VALUES (77, (DEFAULT.x)) RETURNING (SELECT max(body) FROM read_parquet('{file}'))`,
	`SELECT * FROM system.users`,
	`SELECT * FROM system.storages`,
	`SELECT * FROM system.settings`,
	`STORAGE FLUSH ALL`,
	`STORAGE FLUSH TABLE app.secrets`, `STORAGE COMPACT ALL`, `STORAGE COMPACT TABLE app.secrets`,
	`KILL JOB 'FL-000000000000'`,
	`DROP TABLE app.secrets`,
	`KILL LIVE QUERY 'alice-0-0'`,
}

// fill writes one canary per user, one of them flushed and one buffered.
func fill(s *server) {
	s.must(root, "CREATE NAMESPACE app")
	s.must(root, "CREATE USER TABLE app.secrets (id BIGINT PRIMARY KEY, body TEXT)")
	s.must(root, "CREATE SHARED TABLE app.vault (id BIGINT PRIMARY KEY, body TEXT)")
	s.must(root, "INSERT INTO app.vault VALUES (1, '"+canaryAlice+"')")
	for _, u := range []struct{ name, canary string }{{"alice", canaryAlice}, {"bob", canaryBob}} {
		s.must(userOf(u.name), "INSERT INTO app.secrets VALUES (1, '"+u.canary+"')")
	}
	s.flush()
	for _, u := range []struct{ name, canary string }{{"alice", canaryAlice}, {"bob", canaryBob}} {
		s.must(userOf(u.name), "INSERT INTO app.secrets VALUES (2, '"+u.canary+"')")
	}
}

// aFileOf returns a Parquet file of a user.
func aFileOf(t *testing.T, storage, user string) string {
	t.Helper()
	var found string
	err := filepath.WalkDir(filepath.Join(storage, "users", user), func(p string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(p, ".parquet") {
			found = p
		}
		return err
	})
	if err != nil || found == "" {
		t.Fatalf("no Parquet file of %s: %v", user, err)
	}
	return found
}

// TestScopesAreDisjoint lets bob try every escape, on a fresh server state and
// with statements of alice cached before; nothing of alice, of the machine or
// of the engine's inside may come back, and each attempt gets a clear error.
func TestScopesAreDisjoint(t *testing.T) {
	s := newServer(t)
	fill(s)
	storage, err := filepath.Abs(s.config.StoragePath())
	if err != nil {
		t.Fatal(err)
	}
	file := aFileOf(t, storage, "alice")
	s.must(userOf("alice"), "SELECT * FROM app.secrets")
	s.must(userOf("alice"), "SELECT body FROM app.secrets WHERE id = $1", kalam.BigInt(1))
	marker := filepath.Join(os.TempDir(), "kalam-escape.csv")
	tried := 0
	for _, pattern := range escapes {
		for _, handle := range []string{"1", "18446744073709551615"} {
			sql := strings.NewReplacer("{file}", file, "{dir}", filepath.Dir(file), "{root}", storage, "{handle}",
				handle).Replace(pattern)
			tried++
			res, err := s.try(userOf("bob"), sql)
			if err == nil {
				t.Errorf("%s\nwas accepted: %v", sql, res)
			}
			shown := fmt.Sprint(res)
			if err != nil {
				shown += messageOf(err)
				if strings.HasPrefix(messageOf(err), "internal error") {
					t.Errorf("%s\nfails inside: %v", sql, err)
				}
			}
			if strings.Contains(shown, canaryAlice) {
				t.Errorf("%s\nshows a row of alice: %s", sql, shown)
			}
			if strings.Contains(strings.ReplaceAll(shown, file, ""), storage) && !strings.Contains(sql, storage) {
				t.Errorf("%s\nshows a path: %s", sql, shown)
			}
			if !strings.Contains(pattern, "{handle}") {
				break
			}
		}
	}
	if _, err := os.Stat(marker); err == nil {
		t.Errorf("%s was written", marker)
	}
	t.Logf("%d attempts", tried)
	unharmed(t, s)
}

// unharmed checks that both users have exactly their own rows.
func unharmed(t *testing.T, s *server) {
	t.Helper()
	for _, u := range []struct{ name, own, foreign string }{{"alice", canaryAlice, canaryBob},
		{"bob", canaryBob, canaryAlice}} {
		got := s.must(userOf(u.name), "SELECT id, body FROM app.secrets ORDER BY id").table()
		want := fmt.Sprintf("id | body\n1 | %s\n2 | %s\n", u.own, u.own)
		if got != want {
			t.Errorf("%s has\n%swant\n%s", u.name, got, want)
		}
		if strings.Contains(got, u.foreign) {
			t.Errorf("%s sees %s", u.name, u.foreign)
		}
	}
}

// TestCachesHoldNothingOfAUser runs one text as different users, roles and
// parameters in turn, across a flush and with EXECUTE AS between them.
func TestCachesHoldNothingOfAUser(t *testing.T) {
	s := newServer(t)
	fill(s)
	texts := []struct {
		sql    string
		params []kalam.Value
	}{
		{"SELECT body FROM app.secrets ORDER BY id", nil},
		{"SELECT body FROM app.secrets WHERE id = $1", []kalam.Value{kalam.BigInt(2)}},
		{"SELECT body FROM app.secrets WHERE id = 1", nil},
		{"SELECT body FROM app.secrets WHERE id >= $1 ORDER BY body LIMIT 5", []kalam.Value{kalam.BigInt(0)}},
		{"SELECT max(body) AS body FROM app.secrets a JOIN app.secrets b USING (id, body)", nil},
		{"SELECT body FROM app.secrets WHERE CURRENT_USER() = 'alice' OR CURRENT_USER() = 'bob'", nil},
	}
	for round := range 3 {
		for _, q := range texts {
			for _, u := range []struct{ name, own, foreign string }{
				{"alice", canaryAlice, canaryBob}, {"bob", canaryBob, canaryAlice}, {"carol", "", canaryBob}, {"alice",
					canaryAlice, canaryBob},
			} {
				got := s.must(userOf(u.name), q.sql, q.params...).table()
				if strings.Contains(got, u.foreign) || u.own == "" && strings.Contains(got, "CANARY") || u.own != "" &&
					!strings.Contains(got, u.own) {
					t.Fatalf("round %d, %s as %s gives\n%s", round, q.sql, u.name, got)
				}
			}
			if len(q.params) == 0 {
				got := s.must(root, "EXECUTE AS USER 'alice' ("+q.sql+")").table()
				if !strings.Contains(got, canaryAlice) || strings.Contains(got, canaryBob) {
					t.Fatalf("acting as alice, %s gives\n%s", q.sql, got)
				}
				if got := s.must(root, q.sql).table(); strings.Contains(got, "CANARY") {
					t.Fatalf("root without acting sees\n%s", got)
				}
			}
		}
		s.flush()
	}
}

// TestUserIDsAreHarmless uses ids that try to be paths, keys or SQL.
func TestUserIDsAreHarmless(t *testing.T) {
	s := newServer(t, func(c *config.Config) { c.Query.Threads = 1 })
	s.must(root, "CREATE NAMESPACE app")
	s.must(root, "CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, body TEXT)")
	ids := []string{
		"a", "ab", "a b", "A", "a'b", `a"b`, "a;DROP", "a%", "a_", "a__b", "a_b", "con", "nul", "users", "ü", "日本", "a.b", ".hidden", "-", "a-", "~",
		"$HOME", "*", "?", "a\u200bb", "é", "e\u0301", strings.Repeat("x",
			64), "ALICE", "alice", "Alice", "' OR 1=1 --", "shared", "manifest.json",
	}
	for i, id := range ids {
		s.must(userOf(id), "INSERT INTO app.t VALUES ($1, $2)", kalam.BigInt(int64(i)), kalam.Text(id))
	}
	check := func(when string) {
		t.Helper()
		for i, id := range ids {
			got := s.must(userOf(id), "SELECT id, CAST(body = CURRENT_USER() AS INT) AS mine FROM app.t").table()
			if want := fmt.Sprintf("id | mine\n%d | 1\n", i); got != want {
				t.Errorf("%s: user %q sees\n%s", when, id, got)
			}
		}
	}
	check("buffered")
	s.flush()
	check("flushed")
	s.restart()
	check("restarted")
	for _, bad := range []string{"", "..", "a/../b", "a/b", `a\b`, "a\x00b", "a\nb", strings.Repeat("x", 65), "\xff"} {
		if _, err := kalam.ParseUserID(bad); err == nil {
			t.Errorf("user id %q is accepted", bad)
		}
	}
}
