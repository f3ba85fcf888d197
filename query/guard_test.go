package query_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	_ "github.com/duckdb/duckdb-go/v2"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query"
)

// attacks are texts that must not reach DuckDB, or only in a form without harm.
// All of them are refused by Analyse.
var attacks = []string{
	// Files.
	"SELECT * FROM read_parquet('/etc/passwd')",
	"SELECT * FROM read_csv('/etc/passwd')",
	"SELECT * FROM read_text('/etc/passwd')",
	"SELECT * FROM read_blob('/proc/self/environ')",
	"SELECT * FROM glob('/**')",
	"SELECT * FROM parquet_metadata('users/bob/x.parquet')",
	"SELECT * FROM parquet_schema('x'), t",
	"SELECT * FROM t, LATERAL (SELECT * FROM read_text(t.body))",
	"SELECT (SELECT content FROM read_text('/etc/passwd'))",
	"SELECT * FROM t WHERE EXISTS (SELECT 1 FROM glob('*'))",
	"WITH x AS (SELECT * FROM read_csv('x')) SELECT 1",
	"WITH x AS MATERIALIZED (FROM read_csv('x')) SELECT * FROM t",
	"SELECT * FROM t ORDER BY (SELECT max(file) FROM glob('*'))",
	"SELECT * FROM t LIMIT (SELECT count(*) FROM glob('*'))",
	"SELECT * FROM t GROUP BY (SELECT max(file) FROM glob('*'))",
	"SELECT count(*) FROM t HAVING (SELECT max(file) FROM glob('*')) > ''",
	"SELECT row_number() OVER (ORDER BY (SELECT max(file) FROM glob('*'))) FROM t",
	"SELECT row_number() OVER w FROM t WINDOW w AS (PARTITION BY (SELECT max(file) FROM glob('*')))",
	"SELECT * FROM t QUALIFY row_number() OVER (ORDER BY (SELECT file FROM glob('*'))) = 1",
	"SELECT sum(id) FILTER (WHERE (SELECT count(*) FROM glob('*')) > 0) FROM t",
	"SELECT string_agg(body, ',' ORDER BY (SELECT max(file) FROM glob('*'))) FROM t",
	"SELECT DISTINCT ON ((SELECT max(file) FROM glob('*'))) id FROM t",
	"SELECT CASE WHEN true THEN (SELECT max(file) FROM glob('*')) END",
	"SELECT list_transform([1], lambda x: (SELECT max(file) FROM glob('*')))",
	"SELECT id FROM t UNION ALL SELECT 1 FROM glob('*')",
	"SELECT * FROM t JOIN u ON (SELECT true FROM glob('*'))",
	"SELECT * REPLACE ((SELECT max(file) FROM glob('*')) AS id) FROM t",
	"SELECT COLUMNS(c -> (SELECT true FROM glob('*'))) FROM t",
	"SELECT x BETWEEN 1 AND (SELECT count(*) FROM glob('*')) FROM t",
	"SELECT x IN (SELECT file FROM glob('*')) FROM t",
	"SELECT x = ANY (SELECT file FROM glob('*')) FROM t",
	"VALUES ((SELECT max(file) FROM glob('*')))",
	"FROM (VALUES ((SELECT max(file) FROM glob('*'))))",
	"WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r, glob('*') WHERE n < 3) SELECT * FROM r",
	"SUMMARIZE SELECT * FROM glob('*')",
	"DESCRIBE SELECT * FROM read_csv('/etc/passwd')",
	"FROM (PIVOT t ON id IN (1) USING max((SELECT max(file) FROM glob('*'))))",
	"SELECT * FROM (DESCRIBE read_csv('x'))",
	"SELECT * FROM read_csv_auto(['a', 'b'])",
	"SELECT * FROM sniff_csv('x')",
	"SELECT * FROM read_json_objects('x')",
	"SELECT * FROM parquet_scan('x')",
	"SELECT * FROM seq_scan('x')",
	"SELECT * FROM arrow_scan(1, 2, 3)",
	"SELECT * FROM READ_PARQUET('x')",
	`SELECT * FROM "read_parquet"('x')`,
	"SELECT * FROM main.read_parquet('x')",
	"SELECT * FROM system.main.read_parquet('x')",
	"SELECT * FROM read_parquet /* comment */ ('x')",
	// Functions that read or change state.
	"SELECT getenv('HOME')",
	"SELECT current_setting('allowed_directories')",
	"SELECT getvariable('x')",
	"SELECT current_query()",
	"SELECT txid_current()",
	"SELECT nextval('s')",
	"SELECT currval('s')",
	"SELECT in_search_path('a', 'b')",
	"SELECT write_log('x')",
	"SELECT setseed(0.5)",
	"SELECT sleep_ms(100000)",
	"SELECT pg_sleep(100)",
	"SELECT has_table_privilege('x', 'select')",
	"SELECT stats(id) FROM t",
	"SELECT json_serialize_plan('SELECT * FROM read_csv(''/etc/passwd'')')",
	"SELECT json_execute_serialized_sql('{}')",
	"SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))",
	"SELECT json_serialize_sql('SELECT 1')",
	"SELECT json_deserialize_sql('{}')",
	"SELECT * FROM query('SELECT 1')",
	"SELECT * FROM query_table('t')",
	"SELECT * FROM query_table(['t', 'u'])",
	"SELECT * FROM duckdb_settings()",
	"SELECT * FROM duckdb_secrets()",
	"SELECT * FROM duckdb_logs()",
	"SELECT * FROM duckdb_memory()",
	"SELECT * FROM pragma_table_info('t')",
	"SELECT * FROM pragma_database_size()",
	"SELECT * FROM enable_profiling()",
	"SELECT * FROM checkpoint()",
	"SELECT * FROM which_secret('x', 'y')",
	"SELECT * FROM kalam_scan(0)",
	"SELECT kalam_alive(0, 0, 0)",
	"SELECT kalam_snowflake_id()",
	"SELECT main.kalam_ulid()",
	"SELECT __internal_decompress_string(1::UTINYINT)",
	"SELECT t.read_text('x') FROM t",
	"SELECT 'x'.getenv()",
	"SELECT system.main.getenv('HOME')",
	"SELECT nosuchfunction(1)",
	// Other statements.
	"COPY t TO '/tmp/x'",
	"COPY (SELECT 1) TO '/tmp/x'",
	"COPY t FROM '/etc/passwd'",
	"ATTACH ':memory:' AS m",
	"DETACH memory",
	"INSTALL httpfs",
	"LOAD httpfs",
	"SET threads = 1",
	"RESET threads",
	"SET VARIABLE x = 1",
	"PRAGMA database_list",
	"PRAGMA enable_profiling",
	"CALL pragma_version()",
	"EXPORT DATABASE '/tmp/x'",
	"IMPORT DATABASE '/tmp/x'",
	"CREATE TABLE x (i INT)",
	"CREATE MACRO f(x) AS x",
	"CREATE SECRET s (TYPE s3)",
	"CREATE TEMP VIEW v AS SELECT 1",
	"CREATE TYPE e AS ENUM ('a')",
	"DROP TABLE t",
	"ALTER TABLE t ADD COLUMN x INT",
	"INSERT INTO t VALUES (1)",
	"UPDATE t SET id = 1",
	"DELETE FROM t",
	"TRUNCATE t",
	"MERGE INTO t USING u ON true WHEN MATCHED THEN DELETE",
	"CHECKPOINT",
	"VACUUM",
	"ANALYZE",
	"BEGIN",
	"COMMIT",
	"PREPARE p AS SELECT 1",
	"EXECUTE p",
	"DEALLOCATE p",
	"EXPLAIN SELECT 1",
	"USE memory",
	"SHOW TABLES",
	"SHOW ALL TABLES",
	"SHOW DATABASES",
	"DESCRIBE",
	"FROM (SHOW TABLES)",
	"FROM (SHOW ALL TABLES)",
	"PIVOT t ON id IN (SELECT file FROM glob('*')) USING sum(id)",
	"PIVOT t ON id USING max((SELECT max(file) FROM glob('*')))",
	"PIVOT t ON (SELECT max(file) FROM glob('*')) USING max(id)",
	"PIVOT read_text('/etc/passwd') ON content USING count(*)",
	"WITH x AS (FROM glob('*')) PIVOT x ON file USING count(*)",
	// More than one statement, or none.
	"SELECT 1; SELECT 2",
	"SELECT 1; DROP TABLE t",
	"SELECT 1;; SELECT * FROM glob('*')",
	"",
	"-- only a comment",
	";",
	// What the syntax tree of a SELECT may hide.
	"SELECT * FROM t AT (VERSION => 1)",
	"SELECT * FROM t AT (TIMESTAMP => now())",
	"SELECT 'x'::nosuchtype",
	"SELECT 'x'::pg_catalog.mytype",
	"SELECT NULL::GEOMETRY",
	"SELECT 1::VARIANT",
	"SELECT 1 COLLATE \"a b\"",
	"SELECT DEFAULT",
	"VALUES (DEFAULT)",
	"SELECT export_state sum(id) FROM t",
	// Placeholders.
	"SELECT ?",
	"SELECT $0",
	"SELECT $x",
	"SELECT $1, $3",
	"SELECT $1, ?",
	"SELECT $70000",
	// Text.
	"SELECT 'a\x00b'",
	"SELECT '\xff'",
	"SELECT 1e400",
	"SELECT (",
	"SELECT 'unterminated",
	"SELECT /* unterminated",
	// Values that take gigabytes.
	"SELECT repeat(body, 1000000000) FROM t",
	"SELECT range(1000000000)",
	"SELECT range(x) FROM range(range(10000000000)) r(x)",
	"SELECT printf('%1000000000d', 1)",
	"SELECT printf(body, 1) FROM t",
	"SELECT printf('%*d', 1000000000, 1)",
	"SELECT format('{:>1000000000}', 1)",
	"SELECT format('{:{}}', 1, 1000000000)",
}

func TestGuardRefuses(t *testing.T) {
	e := newEngine(t)
	if len(attacks) < 100 {
		t.Errorf("only %d attacks", len(attacks))
	}
	for _, sql := range attacks {
		checkRefused(t, e, sql)
	}
}

func checkRefused(t *testing.T, e *engine, sql string) {
	t.Helper()
	p, err := e.Analyse(context.Background(), testUser, sql)
	if err == nil {
		t.Errorf("accepted: %s (tables %v)", sql, p.Tables())
		return
	}
	switch kalam.CodeOf(err) {
	case kalam.CodeInvalidSQL, kalam.CodeUnsupported, kalam.CodeEmptySQL:
	default:
		t.Errorf("%s: code %d: %v", sql, kalam.CodeOf(err), err)
	}
	var ke *kalam.Error
	if !asKalam(err, &ke) || ke.Msg == "" || strings.Contains(ke.Msg, "kalam_") && !strings.Contains(sql, "kalam_") ||
		strings.Contains(ke.Msg, "Did you mean") {
		t.Errorf("%s: message %q", sql, err)
	}
}

// legitimate are queries that must be accepted, over t (id, body) and u (id, n).
var legitimate = []string{
	"SELECT 1",
	"SELECT 1;",
	"SELECT * FROM t",
	"SELECT id, body FROM t WHERE id > 2 AND body LIKE 'b%' ORDER BY id DESC LIMIT 3 OFFSET 1",
	"FROM t",
	"FROM t SELECT id WHERE id = 3",
	"TABLE t",
	"VALUES (1, 'a'), (2, NULL)",
	"SELECT count(*), sum(id), avg(id), min(body), max(body) FROM t",
	"SELECT body, count(*) AS n FROM t GROUP BY body HAVING count(*) > 0 ORDER BY ALL",
	"SELECT id % 2 AS k, list(id ORDER BY id DESC) FROM t GROUP BY ALL ORDER BY k",
	"SELECT grouping(id), count(*) FROM t GROUP BY ROLLUP (id) ORDER BY ALL",
	"SELECT id, n FROM t JOIN u USING (id) ORDER BY id",
	"SELECT t.id, u.n FROM t LEFT JOIN u ON t.id = u.id ORDER BY 1",
	"SELECT t.id FROM t SEMI JOIN u ON t.id = u.id ORDER BY 1",
	"SELECT t.id FROM t ANTI JOIN u ON t.id = u.id ORDER BY 1",
	"SELECT a.id, b.id FROM t a, t b WHERE a.id = b.id + 1 ORDER BY 1",
	"SELECT * FROM t NATURAL JOIN u ORDER BY id",
	"SELECT t.id, u.n FROM t ASOF JOIN u ON t.id >= u.id ORDER BY 1",
	"SELECT count(*) FROM t POSITIONAL JOIN u",
	"SELECT t.id, x.n FROM t, LATERAL (SELECT n FROM u WHERE u.id = t.id) x ORDER BY 1",
	"SELECT id FROM t WHERE id IN (SELECT id FROM u) ORDER BY 1",
	"SELECT id FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.id = t.id AND n > 10) ORDER BY 1",
	"SELECT id, (SELECT max(n) FROM u WHERE u.id <= t.id) FROM t ORDER BY 1",
	"SELECT id FROM t WHERE id >= ALL (SELECT id FROM t)",
	"WITH a AS (SELECT id FROM t), b AS (SELECT id FROM a WHERE id > 1) SELECT count(*) FROM a, b",
	"WITH t AS (SELECT id + 100 AS id FROM t) SELECT min(id) FROM t",
	"WITH a AS MATERIALIZED (SELECT * FROM t) SELECT x.id FROM a x JOIN a y ON x.id = y.id ORDER BY 1",
	"WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT sum(n) FROM r",
	"WITH RECURSIVE r(a, b) AS (SELECT id, 0 FROM t UNION SELECT a, b + 1 FROM r WHERE b < 2) SELECT count(*) FROM r",
	"SELECT id FROM t UNION ALL SELECT id FROM u ORDER BY 1",
	"SELECT id FROM t UNION SELECT n FROM u EXCEPT SELECT 1 ORDER BY 1",
	"SELECT id FROM t INTERSECT SELECT id FROM u ORDER BY 1",
	"SELECT 1 AS a UNION BY NAME SELECT 2 AS b ORDER BY ALL",
	"SELECT DISTINCT id % 2 FROM t ORDER BY 1",
	"SELECT DISTINCT ON (id % 2) id FROM t ORDER BY id % 2, id",
	"SELECT id, row_number() OVER (PARTITION BY id % 2 ORDER BY id DESC) AS r FROM t QUALIFY r = 1 ORDER BY id",
	"SELECT sum(id) OVER w FROM t WINDOW w AS (ORDER BY id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) ORDER BY 1",
	"SELECT lag(id, 1, 0) OVER (ORDER BY id), first_value(id IGNORE NULLS) OVER (ORDER BY id) FROM t ORDER BY ALL",
	"SELECT sum(id) FILTER (WHERE id > 2), string_agg(body, ',' ORDER BY id) FROM t",
	"SELECT CASE id WHEN 1 THEN 'one' WHEN 2 THEN 'two' ELSE 'many' END FROM t ORDER BY id",
	"SELECT CASE WHEN id > 2 THEN body END FROM t ORDER BY id",
	"SELECT id::TEXT, CAST(id AS DOUBLE), TRY_CAST(body AS INT), id::DECIMAL(10,2) FROM t ORDER BY id",
	"SELECT * EXCLUDE (body), * REPLACE (id + 1 AS id), * RENAME (id AS key) FROM t ORDER BY ALL",
	"SELECT COLUMNS('i.*') FROM t ORDER BY 1",
	"SELECT COLUMNS(c -> c LIKE 'i%') FROM t ORDER BY 1",
	"SELECT t.* FROM t, u WHERE t.id = u.id ORDER BY 1",
	"SELECT max(COLUMNS(*)) FROM t",
	"SELECT coalesce(body, '-'), nullif(id, 1), ifnull(body, 'x'), greatest(id, 2), least(id, 2) FROM t ORDER BY id",
	"SELECT body IS NULL, body IS NOT NULL, id IS DISTINCT FROM 1, id BETWEEN 1 AND 2, id NOT IN (1, 2) FROM t " +
		"ORDER BY id",
	"SELECT body ILIKE 'B%', body SIMILAR TO 'b.*', body ~ 'b', body NOT LIKE 'x', body LIKE 'b!%' ESCAPE '!', body " +
		"GLOB 'b*' FROM t ORDER BY id",
	"SELECT extract(year FROM DATE '2025-02-03'), date_trunc('month', TIMESTAMP '2025-02-03 04:05:06'), DATE " +
		"'2025-01-01' + INTERVAL 3 DAY AS d",
	"SELECT substring('hello' FROM 2 FOR 3), position('l' IN 'hello'), trim(BOTH 'x' FROM 'xax'), 'a' || 'b', upper('a')",
	"SELECT [1, 2, 3][2], [1, 2, 3][1:2], {'a': 1}.a, {'a': {'b': 2}}['a']['b'], MAP {'k': 1}['k']",
	"SELECT list_transform([1, 2], lambda x: x + 1) AS a, [x * 2 FOR x IN [1, 2, 3] IF x > 1] AS b, list_reduce([1, " +
		"2], lambda a, b: a + b) AS c",
	"SELECT unnest([1, 2, 3]) AS x ORDER BY x",
	"SELECT * FROM unnest([1, 2]) AS x(i), range(3) AS r(j) ORDER BY ALL",
	"SELECT * FROM generate_series(TIMESTAMP '2025-01-01', TIMESTAMP '2025-01-02', INTERVAL 12 HOUR)",
	"SELECT r.range FROM t, LATERAL range(t.id) r ORDER BY ALL",
	"SELECT * FROM range(3) WITH ORDINALITY",
	`SELECT '{"a": [1, {"b": "x"}]}'::JSON -> 'a' -> 1 ->> 'b', '{"a": 5}' ->> '$.a', json_extract('{"a": 5}', '$.a')`,
	`SELECT key, value FROM json_each('{"a": 1, "b": 2}') ORDER BY key`,
	"SELECT json_object('a', 1), json_array(1, 2), to_json([1]), json_group_array(id) FROM t GROUP BY id ORDER BY " +
		"id LIMIT 1",
	"SELECT md5('x'), sha256('x'), hash(1) = hash(1), encode('x'), hex('x')",
	"SELECT strftime(TIMESTAMP '2025-01-02 03:04:05', '%Y/%m/%d'), strptime('02/01/2025', '%d/%m/%Y'), " +
		"epoch(TIMESTAMP '2025-01-01'), age(DATE '2025-03-01', DATE '2025-01-01')",
	"SELECT regexp_replace('aaa', 'a', 'b', 'g'), regexp_extract('ab12', '\\d+'), string_split('a,b', ','), " +
		"split_part('a,b', ',', 2)",
	"SELECT quantile_cont(id, 0.5), median(id), stddev(id), mode(id % 5 = 0), approx_count_distinct(id) > 0, " +
		"arg_max(body, id) FROM t",
	"SELECT TIMESTAMPTZ '2025-01-01 00:00:00+00' AT TIME ZONE 'America/New_York', timezone('UTC', TIMESTAMP '2025-01-01')",
	"SELECT * FROM t TABLESAMPLE reservoir(100 ROWS) ORDER BY ALL",
	"SELECT count(*) FROM (SELECT * FROM t USING SAMPLE 100 ROWS)",
	"FROM (PIVOT (SELECT id % 2 AS k, id FROM t) ON k IN (0, 1) USING sum(id)) ORDER BY ALL",
	"FROM (PIVOT (SELECT id % 2 AS k, id FROM t) ON k USING sum(id)) ORDER BY ALL",
	"FROM (UNPIVOT (SELECT 1 AS a, 2 AS b) ON a, b INTO NAME name VALUE value) ORDER BY ALL",
	"SELECT * FROM (VALUES (1, 'x'), (2, 'y')) AS v(a, b) ORDER BY a",
	"SELECT \"id\" AS \"select\", body AS \"a b\" FROM \"t\" ORDER BY 1",
	"SELECT 'it''s', E'a\\nb' AS e, $$dollar 'quoted'$$, 'a' -- comment",
	"SELECT /* nested /* comment */ */ 1",
	"SELECT try(1 / 0), error('x') IS NULL FROM t WHERE false",
	"SELECT typeof(1), typeof(id) FROM t LIMIT 1",
	"SELECT (id, body), row(id, 1), t FROM t ORDER BY id LIMIT 1",
	"SELECT lpad(body, 10, '*'), rpad(body, 5, '-'), repeat('ab', 3), printf('%05d', id), format('{:>6}', body) " +
		"FROM t ORDER BY id",
	"SELECT id FROM t ORDER BY body NULLS FIRST, id DESC NULLS LAST",
	"SELECT id FROM t ORDER BY body COLLATE NOCASE, id LIMIT 2",
	"SELECT -id, +id, NOT true, ~id, id << 1, id & 1, 7 // 2, 7 % 2, 2 ^ 3, 2 ** 3, @ -1, 4! FROM t ORDER BY id",
	"SELECT id + 1 AS x, x * 2 AS y FROM t ORDER BY y LIMIT 2",
	"SELECT id + 1 AS x FROM t WHERE x > 2 ORDER BY x LIMIT 2",
	"SELECT sum(id) AS s FROM t GROUP BY id % 2 ORDER BY s LIMIT 1",
	"DESCRIBE SELECT * FROM t",
	"SELECT column_name, count FROM (SUMMARIZE SELECT * FROM t) ORDER BY 1",
	"(SELECT id FROM t ORDER BY id LIMIT 1) UNION ALL (SELECT id FROM t ORDER BY id DESC LIMIT 1)",
	"SELECT * FROM (SELECT id FROM t ORDER BY id DESC LIMIT 2) ORDER BY id",
	"SELECT id FROM t LIMIT 50%",
	"SELECT 0x1F, 1_000, .5, 1e3, 1.50, 123456789012345678901234567890, -9223372036854775808",
	"SELECT DATE '2025-01-01', TIME '01:02:03', TIMESTAMP '2025-01-01 01:02:03.000004', INTERVAL '1 year 2 days', " +
		"'\\xAA'::BLOB, true, NULL",
}

// legitSources are the relations of the legitimate queries.
func legitSources(t testing.TB, e *engine) map[string]query.Source {
	t.Helper()
	ts := columnsOf(t, "id BIGINT, body TEXT")
	us := columnsOf(t, "id BIGINT, n BIGINT")
	var tr, ur [][]kalam.Value
	for i := range int64(6) {
		body := txt(fmt.Sprintf("b%d", i%4))
		if i == 4 {
			body = kalam.Null()
		}
		tr = append(tr, row(big(i+1), body))
		if i%2 == 0 {
			ur = append(ur, row(big(i+1), big(10*i)))
		}
	}
	return map[string]query.Source{
		"t": {Schema: ts, Files: []query.File{e.file(t, "t.parquet", ts, tr[:3])}, Batches: batchesOf(t, ts, tr[3:], 2)},
		"u": {Schema: us, Batches: batchesOf(t, us, ur, 2048)},
	}
}

// plainDuckDB returns a DuckDB without any of our layers, with t and u.
func plainDuckDB(t testing.TB) *sql.DB {
	t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, s := range []string{
		"SET TimeZone = 'UTC'",
		"CREATE TABLE t AS SELECT i + 1 AS id, CASE WHEN i = 4 THEN NULL ELSE 'b' || (i % 4) END AS body FROM range(6) r(i)",
		"CREATE TABLE u AS SELECT i + 1 AS id, 10 * i AS n FROM range(6) r(i) WHERE i % 2 = 0",
	} {
		if _, err := db.Exec(s); err != nil {
			t.Fatal(err)
		}
	}
	return db
}

// TestGuardAccepts runs every legitimate query and compares names and rows with
// those of a plain DuckDB: checking, rewriting and writing the text again change
// nothing but the case of names.
func TestGuardAccepts(t *testing.T) {
	e := newEngine(t)
	src := legitSources(t, e)
	db := plainDuckDB(t)
	if len(legitimate) < 40 {
		t.Errorf("only %d queries", len(legitimate))
	}
	for _, q := range legitimate {
		got, err := e.plainText(t, q, src)
		if err != nil {
			t.Errorf("refused: %s: %v", q, err)
			continue
		}
		want, err := duckText(db, q)
		if err != nil {
			t.Errorf("%s: %v", q, err)
			continue
		}
		gotNames, gotRows, _ := strings.Cut(got, "\n")
		wantNames, wantRows, _ := strings.Cut(want, "\n")
		if !strings.EqualFold(gotNames, wantNames) || gotRows != wantRows {
			t.Errorf("%s:\ngot  %s\nwant %s", q, got, want)
		}
	}
}

// plainText returns column names and rows, every cell as DuckDB's text of it.
func (e *engine) plainText(t testing.TB, q string, src map[string]query.Source) (string, error) {
	t.Helper()
	q = strings.TrimSuffix(strings.TrimSpace(q), ";")
	p, err := e.Analyse(context.Background(), testUser, q)
	if err != nil {
		return "", err
	}
	_ = p
	s, err := e.text(context.Background(), "SELECT CAST(COLUMNS(*) AS TEXT) FROM (\n"+q+"\n)", testArgs(), src)
	if err != nil && strings.Contains(q, "#") {
		return "", err
	}
	lines := strings.Split(s, "\n")
	return strings.ReplaceAll(lines[0], " TEXT", "") + "\n" + strings.Join(lines[1:], "\n"), err
}

// duckText is plainText for a plain DuckDB.
func duckText(db *sql.DB, q string) (string, error) {
	q = strings.TrimSuffix(strings.TrimSpace(q), ";")
	rows, err := db.Query("SELECT CAST(COLUMNS(*) AS TEXT) FROM (\n" + q + "\n)")
	if err != nil {
		return "", err
	}
	defer rows.Close()
	cols, err := rows.Columns()
	if err != nil {
		return "", err
	}
	out := strings.Join(cols, ", ") + "\n"
	cells, ptrs := make([]sql.NullString, len(cols)), make([]any, len(cols))
	for i := range cells {
		ptrs[i] = &cells[i]
	}
	var lines []string
	for rows.Next() {
		if err := rows.Scan(ptrs...); err != nil {
			return "", err
		}
		var line []string
		for _, c := range cells {
			if !c.Valid {
				line = append(line, "null")
				continue
			}
			line = append(line, jsonString(c.String))
		}
		lines = append(lines, strings.Join(line, " "))
	}
	return out + strings.Join(lines, "\n"), rows.Err()
}

// TestEveryTableIsOurs shows that no name in FROM reaches DuckDB: system views,
// files and strings are relations that the engine is asked about.
func TestEveryTableIsOurs(t *testing.T) {
	e := newEngine(t)
	secret := filepath.Join(e.dir, "secret.parquet")
	if err := os.WriteFile(filepath.Join(e.dir, "secret.csv"), []byte("a\ncanary\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		sql  string
		want []string
	}{
		{"SELECT * FROM duckdb_settings", []string{"duckdb_settings"}},
		{"SELECT * FROM pg_catalog.pg_class", []string{"pg_catalog.pg_class"}},
		{"SELECT * FROM information_schema.tables", []string{"information_schema.tables"}},
		{"SELECT * FROM system.main.duckdb_tables", []string{"system.main.duckdb_tables"}},
		{"SELECT * FROM sqlite_master", []string{"sqlite_master"}},
		{"SELECT * FROM '" + secret + "'", []string{strings.ToLower(secret)}},
		{`SELECT * FROM "` + secret + `"`, []string{strings.ToLower(secret)}},
		{"SELECT * FROM 'https://example.com/x.parquet'", []string{"https://example.com/x.parquet"}},
		{"SELECT * FROM a.b.c.d", nil},
		{"WITH x AS (SELECT * FROM duckdb_views), duckdb_views AS (SELECT 1) SELECT * FROM x", []string{"duckdb_views"}},
		{"WITH x AS (SELECT * FROM x) SELECT * FROM x", []string{"x"}},
		{"SELECT * FROM (WITH y AS (SELECT 1) SELECT * FROM y), y", []string{"y"}},
		{"DESCRIBE pg_class", []string{"pg_class"}},
		{"SUMMARIZE pg_class", []string{"pg_class"}},
		{"SELECT * FROM main.t", []string{"main.t"}},
	} {
		p, err := e.Analyse(t.Context(), testUser, tt.sql)
		if err != nil {
			if tt.want != nil {
				t.Errorf("%s: %v", tt.sql, err)
			}
			continue
		}
		var got []string
		for _, ref := range p.Tables() {
			got = append(got, strings.Join(ref.Parts, "."))
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: tables %q, want %q", tt.sql, got, tt.want)
		}
	}
}
