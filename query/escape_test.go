package query_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query"
	"github.com/kalamlake/kalam/query/guard"
)

// canary is what no answer to another user may hold.
const canary = "canary-8f3a61"

// escapeForms are the places where a call of a table function can stand, %s.
var escapeForms = []string{
	"SELECT * FROM %s", "FROM %s", "SELECT (SELECT count(*) FROM %s)", "SELECT 1 WHERE EXISTS (FROM %s)",
	"WITH c AS (SELECT * FROM %s) SELECT * FROM c", "WITH c AS MATERIALIZED (FROM %s) TABLE c",
	"SELECT * FROM t, LATERAL (FROM %s) x", "SELECT * FROM t JOIN %s AS x ON true", "SELECT * FROM t POSITIONAL JOIN %s",
	"SELECT id FROM t UNION ALL SELECT 1 FROM %s", "SELECT id FROM t EXCEPT SELECT 1 FROM %s",
	"WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT 2 FROM r, %s) FROM r", "VALUES ((SELECT count(*) FROM %s))",
	"PIVOT (FROM %s) ON x USING count(*)", "FROM (PIVOT (FROM %s) ON x IN (1) USING count(*))",
	"UNPIVOT (FROM %s) ON COLUMNS(*) INTO NAME n VALUE v", "SUMMARIZE SELECT * FROM %s", "DESCRIBE SELECT * FROM %s",
	"FROM (SUMMARIZE FROM %s)", "SELECT list_transform([1], lambda x: (SELECT count(*) FROM %s))",
	"SELECT * FROM t ORDER BY (SELECT count(*) FROM %s)", "SELECT * FROM t LIMIT (SELECT count(*) FROM %s)",
	"SELECT row_number() OVER (ORDER BY (SELECT count(*) FROM %s)) FROM t", "SELECT x IN (FROM %s) FROM t AS x(x)",
	"SELECT 1; SELECT * FROM %s", "PREPARE p AS SELECT * FROM %s", "EXPLAIN ANALYZE SELECT * FROM %s",
	"CREATE MACRO m() AS TABLE SELECT * FROM %s", "CREATE VIEW v AS SELECT * FROM %s", "CALL %s",
	"CREATE TABLE stolen AS SELECT * FROM %s", "COPY (SELECT * FROM %s) TO 'stolen.csv'", "PRAGMA %s",
	"SELECT 1 -- \n; FROM %s", "SELECT $$a$$ FROM %s", "(SELECT * FROM %s)",
}

// spellings of a function's name.
var spellings = []func(name string) string{
	func(name string) string { return name },
	strings.ToUpper,
	func(name string) string { return `"` + name + `"` },
	func(name string) string { return "main." + name },
	func(name string) string { return "system.main." + strings.ToUpper(name) },
	func(name string) string { return name + "/* ( */" },
	func(name string) string { return name + "\u00a0" },
	func(name string) string { return `system."main"."` + name + `"` + "--\n" },
	func(name string) string { return strings.ReplaceAll(name, "a", "\uff41") }, // A wide a.
}

// escapePaths are arguments that name what belongs to others. dir is where the canaries lie.
func escapePaths(dir string) []string {
	return []string{
		"'" + dir + "/users/bob/secret.csv'", "'" + dir + "/users/alice/../bob/secret.csv'", "'" + dir + "/link.csv'",
		"'" + dir + "/users/*/*'", "'" + dir + "/**'", "['" + dir + "/users/bob/secret.csv']", "'/proc/self/environ'",
		"'file://" + dir + "/users/bob/secret.csv'", "'https://127.0.0.1:1/x.parquet'", "'s3://bucket/*'",
	}
}

// TestEscapes gives every table function that user SQL may not call every path in every
// place (S1). KALAM_ESCAPES is which of the statements run: one of so many, all of them
// with 1. Not one is accepted, no answer holds the canary, and no file is written. DuckDB
// itself reads none of the paths, either.
func TestEscapes(t *testing.T) {
	e := newEngine(t)
	root := t.TempDir()
	plantCanaries(t, root)
	src := legitSources(t, e)
	before := filesBelow(t, root, e.dir)
	step := numberOf(t, "KALAM_ESCAPES", 40)
	cases, ran, at := 0, 0, int(seedOf(t)%uint64(step))
	for _, f := range guard.Functions() {
		if f.Refused == "" || f.Kind == "scalar" || f.Kind == "macro" || f.Kind == "aggregate" {
			continue
		}
		for _, path := range escapePaths(root) {
			for _, form := range escapeForms {
				if cases++; cases%step == at {
					call := spellings[cases%len(spellings)](f.Name) + "(" + path + ")"
					checkEscape(t, e, fmt.Sprintf(form, call), src)
					ran++
				}
			}
		}
	}
	if cases < 20_000 {
		t.Errorf("only %d statements", cases)
	}
	for _, sql := range append(forbiddenStatements(root), metadataTexts...) {
		for _, spell := range []string{sql, strings.ToUpper(sql), "/* */ " + sql, "SELECT 1; " + sql, sql + " --"} {
			checkEscape(t, e, spell, src)
			ran++
		}
	}
	for _, f := range guard.Functions() {
		for _, path := range escapePaths(root) {
			if f.Refused == "files" { // Past the guard, as if it had a hole.
				if err := e.Raw("SELECT * FROM " + f.Name + "(" + path + ")"); err == nil {
					t.Errorf("DuckDB lets %s read %s", f.Name, path)
				}
				ran++
			}
		}
	}
	if after := filesBelow(t, root, e.dir); after != before {
		t.Errorf("files before:\n%s\nafter:\n%s", before, after)
	}
	t.Logf("%d of %d statements ran", ran, cases)
}

// forbiddenStatements are the statements that only whoever runs the server may give (S2).
func forbiddenStatements(dir string) []string {
	file := "'" + dir + "/stolen.db'"
	return []string{
		"COPY t TO " + file, "COPY t FROM '" + dir + "/users/bob/secret.csv'", "ATTACH ':memory:' AS m", "ATTACH " + file,
		"DETACH m", "USE m", "INSTALL httpfs", "LOAD httpfs", "SET memory_limit = '1TB'", "RESET memory_limit",
		"SET GLOBAL enable_external_access = true", "PRAGMA enable_profiling", "PRAGMA database_list", "CALL pragma_version()",
		"EXPORT DATABASE " + file, "IMPORT DATABASE " + file, "CREATE SECRET s (TYPE s3)", "DROP SECRET s",
		"CREATE MACRO f(x) AS x", "CREATE FUNCTION f(x) AS x", "CREATE TABLE x AS SELECT 1", "CREATE SEQUENCE s",
		"CREATE TYPE e AS ENUM ('a')", "CREATE INDEX i ON t (id)", "CREATE SCHEMA s", "DROP TABLE t", "ALTER TABLE t ADD x INT",
		"CHECKPOINT", "FORCE CHECKPOINT", "VACUUM", "ANALYZE", "PREPARE p AS SELECT 1", "EXECUTE p", "DEALLOCATE p",
		"INSERT INTO t VALUES (1)", "UPDATE t SET id = 1", "DELETE FROM t", "TRUNCATE t", "MERGE INTO t USING u ON false",
		"BEGIN", "COMMIT", "ROLLBACK", "SET VARIABLE x = 1", "COMMENT ON TABLE t IS 'x'", "SELECT write_log('x')",
		"EXPLAIN SELECT 1", "SHOW TABLES", "SHOW ALL TABLES", "SELECT getenv('HOME')", "SELECT nextval('s')",
	}
}

// metadataTexts ask for what the server is and has (S3).
var metadataTexts = []string{
	"FROM duckdb_settings()", "SELECT current_setting('allowed_directories')", "SELECT current_setting('temp_directory')",
	"FROM duckdb_databases()", "FROM duckdb_logs()", "FROM duckdb_secrets()", "FROM duckdb_functions()",
	"FROM duckdb_extensions()", "FROM duckdb_prepared_statements()", "FROM duckdb_memory()", "FROM duckdb_temporary_files()",
	"FROM pragma_database_size()", "FROM pragma_version()", "FROM pragma_platform()", "SELECT current_query()",
	"SELECT getvariable('x')", "SELECT txid_current()", "SELECT stats(id) FROM t", "SELECT current_connection_id()",
}

// checkEscape checks that a statement is refused, and that the refusal tells nothing.
func checkEscape(t *testing.T, e *engine, sql string, src map[string]query.Source) {
	t.Helper()
	_, err := e.Analyse(t.Context(), testUser, sql)
	if err == nil {
		text, err := e.text(t.Context(), sql, testArgs(), src)
		t.Errorf("accepted: %s\n%s, %v", sql, text, err)
		return
	}
	var ke *kalam.Error
	if !asKalam(err, &ke) || ke.Code == kalam.CodeInternal {
		t.Errorf("%s: %v", sql, err)
		return
	}
	if strings.Contains(ke.Msg, canary) || strings.Contains(ke.Msg, e.dir) || strings.Contains(ke.Msg, "kalam_") {
		t.Errorf("%s: the refusal tells of what is not the user's: %s", sql, ke.Msg)
	}
}

// plantCanaries makes files of another user's below root.
func plantCanaries(t *testing.T, root string) {
	t.Helper()
	bob := filepath.Join(root, "users", "bob")
	for _, dir := range []string{bob, filepath.Join(root, "users", "alice")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	secret := filepath.Join(bob, "secret.csv")
	if err := os.WriteFile(secret, []byte("a\n"+canary+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(secret, filepath.Join(root, "link.csv")); err != nil {
		t.Fatal(err)
	}
}

// filesBelow lists the files below folders, with their sizes.
func filesBelow(t *testing.T, dirs ...string) string {
	t.Helper()
	var b strings.Builder
	for _, dir := range dirs {
		err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
			if err == nil && !info.IsDir() {
				fmt.Fprintln(&b, path, info.Size())
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}
