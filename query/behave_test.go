package query_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query"
	"github.com/kalamlake/kalam/query/worker"
)

// TestErrors checks the words and places of errors. Case N5.
func TestErrors(t *testing.T) {
	e := newEngine(t)
	src := legitSources(t, e)
	broken := src["t"]
	broken.Files = append([]query.File(nil), broken.Files...)
	path := e.dir + "/broken.parquet"
	if err := os.WriteFile(path, []byte("PAR1 this is not a Parquet file PAR1"), 0o600); err != nil {
		t.Fatal(err)
	}
	broken.Files[0].Path = path
	src["app.broken"] = broken
	gone := broken
	gone.Files = []query.File{{Path: e.dir + "/gone.parquet"}}
	src["app.gone"] = gone
	outside := broken
	outside.Files = []query.File{{Path: "/etc/passwd"}}
	src["outside"] = outside
	for _, tt := range []struct {
		sql  string
		code kalam.Code
		msg  string
		at   int // 1-based, 0: no place.
	}{
		{"SELECT nosuch FROM t", kalam.CodeInvalidSQL, "Column 'nosuch' does not exist", 8},
		{"SELECT id, t.nosuch FROM t", kalam.CodeInvalidSQL, "", 12},
		{"SELECT 'ä', nosuch FROM t", kalam.CodeInvalidSQL, "Column 'nosuch' does not exist", 14},
		{"SELECT id FROM t WHERE nope > 1", kalam.CodeInvalidSQL, "Column 'nope' does not exist", 24},
		{"SELECT id FROM app.nosuch", kalam.CodeTableNotFound, "relation 'app.nosuch' does not exist", 16},
		{
			"SELECT sum(body) FROM t", kalam.CodeInvalidSQL,
			"No function matches the given name and argument types 'sum(VARCHAR)'. You might need to add explicit type casts.",
			8,
		},
		{"SELECT frob(1)", kalam.CodeInvalidSQL, "Function 'frob' does not exist or is not allowed", 8},
		{"SELECT id FORM t", kalam.CodeInvalidSQL, `Syntax error: syntax error at or near "t"`, 16},
		{"SELECT 'ö' +", kalam.CodeInvalidSQL, "Syntax error: syntax error at end of input", 14},
		{"SELECT CAST('x' || '' AS INT)", kalam.CodeConstraint, "Could not convert string 'x' to INT32", 0},
		{"SELECT CAST('x' AS INT)", kalam.CodeConstraint, "Type mismatch: expected INT, got 'x'", 13},
		{"SELECT 9223372036854775807 + 1", kalam.CodeConstraint, "", 0},
		{"SELECT id FROM t GROUP BY body", kalam.CodeInvalidSQL, "", 0},
		{"SELECT error('custom message')", kalam.CodeConstraint, "custom message", 0},
		{"SELECT * FROM t WHERE body = 5", kalam.CodeConstraint, "", 0},
		{
			`SELECT error('{"exception_type":"FATAL","exception_message":"x"}')`, kalam.CodeConstraint,
			`{"exception_type":"FATAL","exception_message":"x"}`, 0,
		},
		{
			`SELECT error('{"exception_type":"Out of Memory","exception_message":"No space left"}') FROM t`,
			kalam.CodeConstraint, "", 0,
		},
		{`SELECT "error"(body || '{"exception_type":"INTERRUPT"}') FROM t LIMIT 1`, kalam.CodeConstraint, "", 0},
		{`SELECT error('IO Error: No space left')`, kalam.CodeConstraint, "IO Error: No space left", 0},
		{`SELECT error('Fatal Error: {"exception_type":"FATAL"}')`, kalam.CodeConstraint, "", 0},
		{`SELECT ('a.parquet' || '')::INT`, kalam.CodeConstraint, "Could not convert string 'a.parquet' to INT32", 0},
		{`SELECT 'file ''/a.parquet'''::INT`, kalam.CodeConstraint, "", 0},
		{`SELECT CAST('{"exception_type":"FATAL","exception_message":"x"}' AS INT)`, kalam.CodeConstraint, "", 0},
		{`SELECT strptime('{"exception_type":"FATAL"}', '%Y')`, kalam.CodeConstraint, "", 0},
		{`SELECT error('File ''/x/a.parquet'' too small TProtocolException')`, kalam.CodeConstraint, "", 0},
		{"SELECT id FROM t WHERE id > TIMESTAMP '2025-01-01'", kalam.CodeInvalidSQL, "", 0},
		{"SELECT x.id FROM t", kalam.CodeInvalidSQL, "", 0},
		{"SELECT (SELECT id FROM t) AS x", kalam.CodeConstraint, "", 0},
		{"SELECT * FROM app.broken", kalam.CodeCorrupt, "cannot read segment broken.parquet", 0},
		{"SELECT * FROM app.gone", kalam.CodeCorrupt, "cannot read segment gone.parquet", 0},
		{"SELECT * FROM outside", kalam.CodeInternal, "query failed", 0},
		{"", kalam.CodeEmptySQL, "SQL text is empty", 0},
		{
			"SELECT $1", kalam.CodeParameterMismatch,
			"Parameter mismatch: statement has 1 placeholders but 0 parameters were given", 0,
		},
		{"SELECT $2", kalam.CodeInvalidSQL, "Invalid parameter placeholder '$2': there is no $1", 0},
		{"SELECT $0", kalam.CodeInvalidSQL, "Invalid parameter placeholder '$0'", 8},
		{"SELECT CURRENT_USER(1)", kalam.CodeInvalidSQL, "Function 'current_user' takes no arguments", 8},
	} {
		_, err := e.text(t.Context(), tt.sql, testArgs(), src)
		var ke *kalam.Error
		if !asKalam(err, &ke) || ke.Code != tt.code || tt.msg != "" && ke.Msg != tt.msg ||
			tt.at != 0 && ke.Position != tt.at {
			t.Errorf("%s:\ngot  %+v\nwant code %d, %q at %d", tt.sql, err, tt.code, tt.msg, tt.at)
			if ke != nil {
				t.Logf("code %d at %d: %s", ke.Code, ke.Position, ke.Msg)
			}
			continue
		}
		if strings.Contains(ke.Msg, e.dir) || strings.Contains(ke.Msg, "kalam_") || strings.Contains(ke.Msg, "Candidate") {
			t.Errorf("%s: the message tells internals: %s", tt.sql, ke.Msg)
		}
	}
	// Another spelling of the same statement has its own places.
	for _, sql := range []string{"SELECT nosuch FROM t", "SELECT   /* x */ nosuch FROM t"} {
		_, err := e.text(t.Context(), sql, testArgs(), src)
		var ke *kalam.Error
		if !asKalam(err, &ke) || ke.Position != strings.Index(sql, "nosuch")+1 {
			t.Errorf("%s: %+v", sql, err)
		}
	}
}

// TestParams checks how parameters behave against columns of every kind.
func TestParams(t *testing.T) {
	e := newEngine(t)
	schema := columnsOf(t, everyType)
	src := map[string]query.Source{
		"t": {Schema: schema, Batches: batchesOf(t, schema, rowsOfEveryType(t, schema, 60), 2048)},
	}
	for _, tt := range []struct {
		where  string
		params []kalam.Value
	}{
		{"id = $1", row(big(7))},
		{"id = $1", row(txt("7"))},
		{"id IN ($1, $2)", row(big(7), txt("8"))},
		{"s = $1", row(big(-32768))},
		{"l > $1", row(kalam.Double(0.5))},
		{"ts >= $1", row(txt("2100-12-31T12:00:00Z"))},
		{"ts = $1", row(txt("2024-02-29 23:59:59.999999"))},
		{"dt = $1", row(txt("2024-02-29T23:59:59.999999Z"))},
		{"day = $1", row(txt("2024-02-29"))},
		{"tm = $1", row(txt("12:34:56.789012"))},
		{"u = $1", row(txt("123E4567-e89b-12d3-a456-426614174000"))},
		{"dec < $1", row(kalam.Double(-1))},
		{"b = $1", row(kalam.Bool(true))},
		{"b = $1", row(txt("true"))},
		{"t = $1", row(txt("'quoted\""))},
		{"t LIKE $1", row(txt("long %"))},
		{"id = $1", row(kalam.Null())},
		{"t IS NOT DISTINCT FROM $1", row(kalam.Null())},
		{"j ->> 'b' = $1", row(txt("x"))},
		{"id BETWEEN $1 AND $2", row(big(3), txt("9"))},
		{"t || $1 = 'ab'", row(txt("b"))},
	} {
		literals := tt.where
		for i, p := range tt.params {
			lit := literal(p)
			if p.Kind() == kalam.KindBigInt || p.Kind() == kalam.KindDouble {
				lit = strings.Trim(lit, "'")
			}
			literals = strings.ReplaceAll(literals, fmt.Sprintf("$%d", i+1), lit)
		}
		want, err := e.text(t.Context(), "SELECT count(*) AS n FROM t WHERE "+literals, testArgs(), src)
		if err != nil {
			t.Fatalf("%s: %v", literals, err)
		}
		got, err := e.text(t.Context(), "SELECT count(*) AS n FROM t WHERE "+tt.where, testArgs(tt.params...), src)
		if err != nil || got != want {
			t.Errorf("%s: got %q, %v; want %q", tt.where, got, err, want)
		}
		if strings.Contains(want, `"0"`) && !tt.params[0].IsNull() {
			t.Errorf("%s finds no row", tt.where)
		}
	}
	got := e.mustText(t, "SELECT count(*) > 0 AS n FROM t WHERE t = $1", src, txt("nul\x00inside"))
	if got != "n BOOLEAN\ntrue" {
		t.Errorf("text with NUL: %s", got)
	}
	for _, tt := range []struct {
		sql    string
		params []kalam.Value
		want   string
	}{
		{"SELECT $1 AS x", row(txt("a")), "x TEXT\n\"a\""},
		{"SELECT $1 AS x", row(big(5)), "x BIGINT\n\"5\""},
		{"SELECT $1 + 1 AS x", row(big(5)), "x BIGINT\n\"6\""},
		{"SELECT $1 AS x", row(kalam.Double(1.5)), "x DOUBLE\n1.5"},
		{"SELECT $1 AS x", row(kalam.Bool(true)), "x BOOLEAN\ntrue"},
		{"SELECT $1 IS NULL AS x", row(kalam.Null()), "x BOOLEAN\ntrue"},
		{"SELECT $2 || $1 AS x", row(txt("a"), txt("b")), "x TEXT\n\"ba\""},
		{
			"SELECT $1 AS x, $1 AS y, now() AS z, CURRENT_USER AS w", row(txt("a")),
			"x TEXT, y TEXT, z TIMESTAMP, w TEXT\n\"a\" \"a\" 1741064767891234 \"alice\"",
		},
		{"SELECT x FROM range(10) r(x) ORDER BY x LIMIT $1 OFFSET $2", row(big(2), big(3)), "x BIGINT\n\"3\"\n\"4\""},
		{"SELECT $1::TIMESTAMP AS x", row(txt("2025-01-02 03:04:05")), "x TIMESTAMP\n1735787045000000"},
		{"SELECT $1 AS x", row(kalam.Bytes("\x00\xff")), "x BYTES\n[0,255]"},
		{"SELECT $1 AS x", row(kalam.Integer(kalam.KindDate, 20000)), "x DATE\n20000"},
		{"SELECT $1 AS x", row(kalam.Decimal(0, 12345, 2)), "x DECIMAL(38,2)\n\"123.45\""},
	} {
		got, err := e.text(t.Context(), tt.sql, testArgs(tt.params...), nil)
		if err != nil || got != tt.want {
			t.Errorf("%s: got %q, %v; want %q", tt.sql, got, err, tt.want)
		}
	}
}

// TestServerFunctions checks what the rewrite puts in, and the names of columns.
func TestServerFunctions(t *testing.T) {
	e := newEngine(t)
	src := map[string]query.Source{"app.t": source(t, "id BIGINT, doc TEXT, _seq BIGINT, _deleted BOOLEAN",
		row(big(1), txt(`{"a": {"b/c": [10, "x", true, 1.5, null]}, "n": 7, "": 1}`), big(5<<22), kalam.Bool(false)),
		row(big(2), txt("no document"), big(6<<22), kalam.Bool(false)),
		row(big(3), kalam.Null(), big(7<<22), kalam.Bool(true)))}
	const doc = "FROM app.t WHERE id = 1"
	for _, tt := range []struct{ sql, want string }{
		{
			"SELECT CURRENT_USER, current_user(), CURRENT_USER_ID(), CURRENT_ROLE, current_role(), session_user",
			"current_user TEXT, current_user() TEXT, current_user_id() TEXT, current_role TEXT, current_role() TEXT, " +
				"session_user TEXT\n\"alice\" \"alice\" \"alice\" \"user\" \"user\" \"alice\"",
		},
		{
			"SELECT now() = CURRENT_TIMESTAMP AND now() = transaction_timestamp() AND now() = current_timestamp() AS " +
				"same, NOW()",
			"same BOOLEAN, now() TIMESTAMP\ntrue 1741064767891234",
		},
		{
			"SELECT CURRENT_DATE, today() AS t, current_time AS c", "current_date DATE, t DATE, c TIME\n20151 20151 18367891234",
		},
		{"SELECT current_user || '!' AS x", "x TEXT\n\"alice!\""},
		{"SELECT upper(current_user)", "upper(current_user) TEXT\n\"ALICE\""},
		{"SELECT snowflake_id() AS a FROM range(3)", "a BIGINT\n\"1\"\n\"2\"\n\"3\""},
		{
			"SELECT count(DISTINCT ulid()) AS a, max(length(ulid())) AS b, count(DISTINCT uuid_v7()) AS c FROM range(5000)",
			"a BIGINT, b BIGINT, c BIGINT\n\"5000\" \"26\" \"5000\"",
		},
		{"SELECT count(DISTINCT snowflake_id()) AS n FROM range(10000)", "n BIGINT\n\"10000\""},
		{"SELECT typeof(uuid_v7()) AS x", "x TEXT\n\"UUID\""},
		{
			"SELECT id, _updated FROM app.t ORDER BY _updated DESC LIMIT 1",
			"id BIGINT, _updated TIMESTAMP\n\"3\" 1704067200007000",
		},
		{
			"SELECT max(t._updated) AS m FROM app.t WHERE _updated < TIMESTAMP '2024-01-01 00:00:00.007'",
			"m TIMESTAMP\n1704067200006000",
		},
		{
			"SELECT _updated AS u, app.t._updated FROM app.t WHERE id = 1",
			"u TIMESTAMP, _updated TIMESTAMP\n1704067200005000 1704067200005000",
		},
		{"SELECT s._updated FROM (SELECT _updated FROM app.t WHERE id = 1) s", "_updated TIMESTAMP\n1704067200005000"},
		{
			"SELECT json_get(doc, 'a', 'b/c', 0) AS a, json_get_int(doc, 'n') AS b, json_get_str(doc, 'a', 'b/c', 1) AS c, " +
				"json_get_bool(doc, 'a', 'b/c', 2) AS d, json_get_float(doc, 'a', 'b/c', 3) AS e " + doc,
			"a JSON, b BIGINT, c TEXT, d BOOLEAN, e DOUBLE\n\"10\" \"7\" \"x\" true 1.5"},
		{
			"SELECT json_get_int(doc, 'a') AS a, json_get_str(doc, 'n') AS b, json_get_bool(doc, 'n') AS c, " +
				"json_get(doc, 'zz') AS d, json_get_int(doc, '') AS e " + doc,
			"a BIGINT, b TEXT, c BOOLEAN, d JSON, e BIGINT\nnull null null null \"1\"",
		},
		{
			"SELECT json_contains(doc, 'a') AS a, json_contains(doc, 'b') AS b, json_contains(doc, 'a', 'b/c', 4) AS c, " +
				"json_length(doc) AS d, json_length(doc, 'a', 'b/c') AS e, json_length(doc, 'n') AS f " + doc,
			"a BOOLEAN, b BOOLEAN, c BOOLEAN, d BIGINT, e BIGINT, f BIGINT\ntrue false true \"3\" \"5\" null"},
		{
			"SELECT json_object_keys(doc) AS k, json_as_text(doc, 'a', 'b/c', 1) AS t, json_as_text(doc, 'n') AS n, " +
				"json_get_json(doc, 'a', 'b/c', 1) AS j " + doc,
			"k TEXT, t TEXT, n TEXT, j JSON\n[\"a\",\"n\",\"\"] \"x\" \"7\" \"\\\"x\\\"\"",
		},
		{
			"SELECT id, json_get_int(doc, 'n') AS n, json_contains(doc, 'n') AS c FROM app.t ORDER BY id",
			"id BIGINT, n BIGINT, c BOOLEAN\n\"1\" \"7\" true\n\"2\" null null\n\"3\" null null",
		},
		{"SELECT json_get_str(doc, k) AS v FROM app.t, (VALUES ('n'), ('a')) x(k) WHERE id = 1", "v TEXT\nnull\nnull"},
		{
			"SELECT doc -> 'n' AS a, doc ->> 'n' AS b, doc -> 'a' -> 'b/c' ->> 1 AS c " + doc,
			"a JSON, b TEXT, c TEXT\n\"7\" \"7\" \"x\"",
		},
		{"SELECT doc -> 'n' " + doc, "(doc -> 'n') JSON\n\"7\""},
		{"SELECT json_get_int(doc, 'n') " + doc, "json_get_int(doc, 'n') BIGINT\n\"7\""},
		{"SELECT (SELECT max(id) FROM app.t)", "(SELECT max(id) FROM app.t) BIGINT\n\"3\""},
		{"SELECT app.t.id FROM app.t WHERE app.t.id = 1", "id BIGINT\n\"1\""},
		{"SELECT t.id FROM app.t WHERE t.id = 1", "id BIGINT\n\"1\""},
		{"SELECT sum(id) FROM app.t", "sum(id) BIGINT\n\"6\""},
	} {
		got, err := e.text(t.Context(), tt.sql, testArgs(), src)
		if err != nil || got != tt.want {
			t.Errorf("%s:\ngot  %q, %v\nwant %q", tt.sql, got, err, tt.want)
		}
	}
	if _, err := e.text(t.Context(), "SELECT json_get(doc) FROM app.t", testArgs(), src); kalam.CodeOf(
		err,
	) != kalam.CodeInvalidSQL {
		t.Errorf("json_get without key: %v", err)
	}
}

// TestSameNames reads two tables of one name, and the other ways to name tables.
func TestSameNames(t *testing.T) {
	e := newEngine(t)
	one := source(t, "id BIGINT, v TEXT", row(big(1), txt("a")))
	two := source(t, "id BIGINT, v TEXT", row(big(1), txt("b")))
	src := map[string]query.Source{"a.t": one, "b.t": two, "a.user.t": two, "t": one, "x": one}
	for _, tt := range []struct{ sql, want string }{
		{"SELECT a.t.v, b.t.v FROM a.t JOIN b.t ON a.t.id = b.t.id", "v TEXT, v TEXT\n\"a\" \"b\""},
		{"SELECT x.v, t.v FROM a.t x, b.t", "v TEXT, v TEXT\n\"a\" \"b\""},
		{"SELECT a.user.t.v FROM a.user.t", "v TEXT\n\"b\""},
		{"SELECT T.V FROM A.T", "v TEXT\n\"a\""},
		{`SELECT "X".v FROM "X"`, "v TEXT\n\"a\""},
		{`SELECT v FROM a . t`, "v TEXT\n\"a\""},
		{"SELECT v FROM t, LATERAL (SELECT t.id + 1 AS n) x WHERE n = 2", "v TEXT\n\"a\""},
		{"SELECT t FROM t", "t JSON\n\"{\\\"id\\\":\\\"1\\\",\\\"v\\\":\\\"a\\\"}\""},
	} {
		got, err := e.text(t.Context(), tt.sql, testArgs(), src)
		if err != nil || got != tt.want {
			t.Errorf("%s:\ngot  %q, %v\nwant %q", tt.sql, got, err, tt.want)
		}
	}
}

// marked are a query and its tables: each with + if it is marked, and with - if not.
type marked struct{ sql, want string }

// TestNamesDeleted finds the tables whose deleted rows a query wants to see.
func TestNamesDeleted(t *testing.T) {
	wantMarked(t, func(r query.TableRef) bool { return r.NamesDeleted }, []marked{
		{"SELECT * FROM t", "t-"},
		{"SELECT * FROM t WHERE deleted_at IS NULL", "t-"},
		{"SELECT _deleted FROM t", "t-"},
		{"SELECT * FROM t WHERE _deleted", "t+"},
		{"SELECT * FROM t WHERE id = 1 OR NOT (_deleted = true)", "t+"},
		{"SELECT * FROM t WHERE _DELETED = false", "t+"},
		{"SELECT * FROM t a WHERE a._deleted", "t+"},
		{"SELECT * FROM t a, u WHERE u._deleted", "t- u+"},
		{"SELECT * FROM t JOIN u ON t.id = u.id AND u._deleted", "t- u+"},
		{"SELECT * FROM t, (SELECT 1 AS x) s WHERE _deleted", "t+"},
		{"SELECT * FROM t WHERE id IN (SELECT id FROM u WHERE _deleted)", "t- u+"},
		{"SELECT * FROM (SELECT * FROM t) s WHERE s._deleted", "t+"},
		{"SELECT * FROM (SELECT * FROM t WHERE _deleted) s, u", "t+ u-"},
		{"WITH c AS (SELECT * FROM t) SELECT * FROM c WHERE _deleted", "t+"},
		{"SELECT count(*) FILTER (WHERE _deleted) FROM t", "t+"},
		{"SELECT max(id) FROM t GROUP BY id HAVING bool_or(_deleted)", "t+"},
		{"SELECT id FROM t QUALIFY row_number() OVER (ORDER BY id) = 1 AND _deleted", "t+"},
		{"SELECT * FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.id = t.id AND t._deleted)", "t+ u-"},
		{"SELECT * FROM t WHERE '_deleted' = body", "t-"},
	})
}

// TestNamesDropped finds the tables with a filter on deleted_at.
func TestNamesDropped(t *testing.T) {
	wantMarked(t, func(r query.TableRef) bool { return r.NamesDropped }, []marked{
		{"SELECT deleted_at FROM t ORDER BY deleted_at", "t-"},
		{"SELECT * FROM t WHERE id = 'deleted_at'", "t-"},
		{"SELECT * FROM t WHERE DELETED_AT IS NOT NULL", "t+"},
		{"SELECT * FROM t, u WHERE u.deleted_at IS NULL", "t- u+"},
		{"SELECT * FROM (SELECT * FROM t) s WHERE s.deleted_at IS NULL", "t+"},
		{"SELECT * FROM t WHERE id IN (SELECT id FROM u WHERE deleted_at > now())", "t- u+"},
		{"SELECT * FROM t WHERE _deleted", "t-"},
	})
}

// wantMarked compares which tables of queries have a mark.
func wantMarked(t *testing.T, has func(query.TableRef) bool, tests []marked) {
	t.Helper()
	e := newEngine(t)
	for _, tt := range tests {
		p, err := e.Analyse(t.Context(), testUser, tt.sql)
		if err != nil {
			t.Errorf("%s: %v", tt.sql, err)
			continue
		}
		var got []string
		for _, r := range p.Tables() {
			mark := "-"
			if has(r) {
				mark = "+"
			}
			got = append(got, r.Parts[0]+mark)
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s: got %v, want %s", tt.sql, got, tt.want)
		}
	}
}

// TestPlanCache checks what counts as the same statement, and that a hit gives
// nothing of another user.
func TestPlanCache(t *testing.T) {
	e := newEngine(t)
	src := map[string]query.Source{"t": source(t, "id BIGINT", row(big(1)))}
	analyse := func(sql string) *query.Plan {
		p, err := e.Analyse(t.Context(), testUser, sql)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	for _, tt := range []struct {
		sql string
		hit bool
	}{
		{"SELECT id FROM t WHERE id = $1", false},
		{"SELECT id FROM t WHERE id = $1", true},
		{"select id\n from t -- comment\n where id = $1", true},
		{"SELECT id FROM t WHERE id = $1", true},
		{"SELECT ID FROM t WHERE id = $1", false},
		{"SELECT id FROM t WHERE id = 1", false},
	} {
		if p := analyse(tt.sql); p.CacheHit() != tt.hit {
			t.Errorf("%s: hit %v", tt.sql, p.CacheHit())
		}
	}
	if p := analyse("select  id from   t where id = $1"); p.Tables()[0].Position != 18 {
		t.Errorf("position %d", p.Tables()[0].Position)
	}
	for _, user := range []kalam.UserID{"alice", "bob", "alice"} {
		args := testArgs()
		args.User = user
		got, err := e.text(t.Context(), "SELECT CURRENT_USER AS u FROM t", args, src)
		if err != nil || got != fmt.Sprintf("u TEXT\n%q", user) {
			t.Errorf("%s sees %s, %v", user, got, err)
		}
	}
	before := e.Stats().PreparedHits
	for range 5 {
		e.mustText(t, "SELECT count(*) FROM t WHERE id > 0", src)
	}
	if hits := e.Stats().PreparedHits - before; hits != 4 {
		t.Errorf("%d prepared hits", hits)
	}
	if n, _ := e.ClearPlans(); n == 0 || e.Stats().Plans != 0 {
		t.Errorf("cleared %d, left %d", n, e.Stats().Plans)
	}
	if analyse("SELECT id FROM t WHERE id = $1").CacheHit() {
		t.Error("hit after clear")
	}
}

// TestChangingSources runs one plan over sources of all shapes in turn.
func TestChangingSources(t *testing.T) {
	e := newEngine(t)
	narrow, wide := columnsOf(t, "id BIGINT, v INT"), columnsOf(t, "id BIGINT, v TEXT, extra DOUBLE")
	rows := [][]kalam.Value{row(big(1), kalam.Integer(kalam.KindInt, 5)), row(big(2), kalam.Integer(kalam.KindInt, 6))}
	file := e.file(t, "narrow.parquet", narrow, rows)
	dead := file
	dead.Dead = roaring.BitmapOf(1)
	// As files of the first version are read under the second: a column was added.
	older := func(f query.File) query.File {
		f.Layout = &query.Layout{Version: 1, Width: 2, Columns: []query.FileColumn{{Index: 0}, {Index: 1}, {Index: -1}}}
		return f
	}
	// And under a third, with the columns in turn renamed, dropped and added with a default.
	swapped := file
	swapped.Layout = &query.Layout{
		Version: 1,
		Width:   2,
		Columns: []query.FileColumn{{Index: -1, Missing: big(9)}, {Index: 0}},
	}
	wideFile := e.file(t, "wide.parquet", wide, [][]kalam.Value{row(big(3), txt("x"), kalam.Double(1.5))})
	odd := columnsOf(t, "id BIGINT, file_row_number TEXT, filename TEXT, file_index BIGINT")
	oddFile := e.file(
		t,
		"odd.parquet",
		odd,
		[][]kalam.Value{row(big(1), txt("a"), txt("b"), big(7)), row(big(2), txt("c"), txt("d"), big(8))},
	)
	oddFile.Dead = roaring.BitmapOf(0)
	for i, tt := range []struct {
		src  query.Source
		want string
	}{
		{query.Source{Schema: narrow}, "id BIGINT, v INT"},
		{query.Source{Schema: narrow, Files: []query.File{file}}, "id BIGINT, v INT\n\"1\" 5\n\"2\" 6"},
		{query.Source{Schema: narrow, Files: []query.File{dead}}, "id BIGINT, v INT\n\"1\" 5"},
		{
			query.Source{Schema: narrow, Files: []query.File{file, dead, file}},
			"id BIGINT, v INT\n\"1\" 5\n\"2\" 6\n\"1\" 5\n\"1\" 5\n\"2\" 6",
		},
		{query.Source{Schema: narrow, Batches: batchesOf(t, narrow, rows, 1)}, "id BIGINT, v INT\n\"1\" 5\n\"2\" 6"},
		{
			query.Source{Schema: narrow, Files: []query.File{dead}, Batches: batchesOf(t, narrow, rows[1:], 1)},
			"id BIGINT, v INT\n\"1\" 5\n\"2\" 6",
		},
		// A column was added, and one widened to TEXT.
		{
			query.Source{Schema: wide, Files: []query.File{older(file), wideFile, older(dead)}},
			"id BIGINT, v TEXT, extra DOUBLE\n\"1\" \"5\" null\n\"2\" \"6\" null\n\"3\" \"x\" 1.5\n\"1\" \"5\" null",
		},
		{
			query.Source{Schema: wide, Files: []query.File{older(file)}},
			"id BIGINT, v TEXT, extra DOUBLE\n\"1\" \"5\" null\n\"2\" \"6\" null",
		},
		{query.Source{Schema: narrow, Files: []query.File{swapped, dead}}, "id BIGINT, v INT\n\"9\" 1\n\"9\" 2\n\"1\" 5"},
		{query.Source{Schema: narrow, Files: []query.File{older(file)}}, ""}, // A layout of another schema.
		// Names of DuckDB's own columns.
		{
			query.Source{Schema: odd, Files: []query.File{oddFile}},
			"id BIGINT, file_row_number TEXT, filename TEXT, file_index BIGINT\n\"2\" \"c\" \"d\" \"8\"",
		},
	} {
		got, err := e.text(t.Context(), "SELECT * FROM t", testArgs(), map[string]query.Source{"t": tt.src})
		if tt.want == "" {
			if kalam.CodeOf(err) != kalam.CodeInternal {
				t.Errorf("%d: %q, %v", i, got, err)
			}
			continue
		}
		if err != nil || got != tt.want {
			t.Errorf("%d:\ngot  %q, %v\nwant %q", i, got, err, tt.want)
		}
	}
}

// TestTopN checks which queries are pushed down into the branches.
func TestTopN(t *testing.T) {
	e := newEngine(t)
	src := e.chatSource(t, "top", 100, 50)
	for _, tt := range []struct {
		sql    string
		pushed bool
	}{
		{"SELECT * FROM t ORDER BY id LIMIT 5", true},
		{"SELECT id, content FROM t WHERE role = 'user' ORDER BY created_at DESC, id LIMIT 5 OFFSET 2", true},
		{"SELECT id AS x FROM t ORDER BY x LIMIT 5", true},
		{"SELECT upper(role) AS up FROM t ORDER BY up LIMIT 5", true},
		{"SELECT upper(role) AS role FROM t ORDER BY role LIMIT 5", false},
		{"SELECT id FROM t a ORDER BY a.id LIMIT $1 OFFSET $2", true},
		{"SELECT id FROM t ORDER BY 1 LIMIT 5", true},
		{"SELECT id FROM t ORDER BY length(content), id LIMIT 5", true},
		{"SELECT id FROM t ORDER BY id", false},
		{"SELECT id FROM t LIMIT 5", false},
		{"SELECT count(*) FROM t ORDER BY 1 LIMIT 5", false},
		{"SELECT role FROM t GROUP BY role ORDER BY role LIMIT 5", false},
		{"SELECT DISTINCT role FROM t ORDER BY role LIMIT 5", false},
		{"SELECT id, row_number() OVER () FROM t ORDER BY id LIMIT 5", false},
		{"SELECT a.id FROM t a, t b ORDER BY a.id LIMIT 5", false},
		{"SELECT id FROM t ORDER BY random() LIMIT 5", false},
		{"SELECT id FROM t WHERE random() < 2 ORDER BY id LIMIT 5", false},
		{"SELECT id + 1 AS x FROM t WHERE x > 5 ORDER BY id LIMIT 5", false},
		{"SELECT id AS content, content AS y FROM t ORDER BY lower(content::TEXT) LIMIT 5", false},
		{"SELECT unnest([1, 2]), id FROM t ORDER BY id LIMIT 5", false},
		{"SELECT id FROM t ORDER BY ALL LIMIT 5", false},
		{"SELECT id FROM t ORDER BY id LIMIT 5%", false},
		{"SELECT id FROM t ORDER BY (SELECT 1) LIMIT 5", false},
	} {
		p, err := e.Analyse(t.Context(), testUser, tt.sql)
		if err != nil {
			t.Errorf("%s: %v", tt.sql, err)
			continue
		}
		sources := make([]query.Source, len(p.Tables()))
		for i := range sources {
			sources[i] = src
		}
		text, err := e.FinalSQL(p, sources)
		if err != nil {
			t.Errorf("%s: %v", tt.sql, err)
			continue
		}
		if pushed := strings.Count(text, "LIMIT") > 1; pushed != tt.pushed {
			t.Errorf("%s: pushed %v:\n%s", tt.sql, pushed, text)
		}
	}
}

// TestClosed: an engine that is closed refuses everything.
func TestClosed(t *testing.T) {
	e := openEngine(t, worker.Options{})
	p, err := e.Analyse(t.Context(), testUser, "SELECT 1")
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	if _, err := e.Query(t.Context(), p, nil, query.Args{}); kalam.CodeOf(err) != kalam.CodeShuttingDown {
		t.Errorf("Query: %v", err)
	}
	if _, err := e.Analyse(t.Context(), testUser, "SELECT 2"); kalam.CodeOf(err) != kalam.CodeShuttingDown {
		t.Errorf("Analyse: %v", err)
	}
	if _, err := e.CopyParquet(t.Context(), query.CopySpec{}); kalam.CodeOf(err) != kalam.CodeShuttingDown {
		t.Errorf("CopyParquet: %v", err)
	}
	if err := e.CheckExpr(t.Context(), testUser, "1"); kalam.CodeOf(err) != kalam.CodeShuttingDown {
		t.Errorf("CheckExpr: %v", err)
	}
}

// TestCopyFails: COPY outside the lake, to a missing directory, or cancelled, fails,
// and the next one is not concerned.
func TestCopyFails(t *testing.T) {
	e := newEngine(t)
	schema := columnsOf(t, "id BIGINT, body TEXT")
	var rows [][]kalam.Value
	for i := range 200_000 {
		rows = append(rows, row(big(int64(i)), txt(fmt.Sprint(i*7919))))
	}
	batches := batchesOf(t, schema, rows, 2048)
	for _, path := range []string{"/tmp/outside.parquet", e.dir + "/nosuch/x.parquet", e.dir + "/../x.parquet", ""} {
		if _, err := e.CopyParquet(t.Context(), query.CopySpec{
			Path: path, Schema: schema, Batches: each(batches),
		}); err == nil {
			t.Errorf("wrote %q", path)
		}
	}
	path := e.dir + "/cancelled.parquet"
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancel()
	if _, err := e.CopyParquet(ctx, query.CopySpec{Path: path, Schema: schema, Batches: each(batches)}); !errors.Is(
		err,
		context.DeadlineExceeded,
	) {
		t.Errorf("cancelled: %v", err)
	}
	if err := os.Remove(path); err != nil &&
		!errors.Is(err, os.ErrNotExist) { // A part may be left, for the caller to remove.
		t.Error(err)
	}
	if n, err := e.CopyParquet(t.Context(), query.CopySpec{
		Path: path, Schema: schema, Batches: each(batches),
	}); n != 200_000 ||
		err != nil {
		t.Errorf("%d rows, %v", n, err)
	}
	if n, err := e.CopyParquet(t.Context(), query.CopySpec{Path: path, Schema: schema}); n != 0 || err != nil {
		t.Errorf("empty: %d rows, %v", n, err)
	}
	if n := e.Stats().Chunks; n != 0 {
		t.Errorf("%d chunks are alive", n)
	}
}

// TestSandbox runs texts past the guard, as if it had a hole: the instance still
// keeps them from files outside the lake, and its settings cannot be changed.
func TestSandbox(t *testing.T) {
	e := newEngine(t)
	for _, sql := range []string{
		"SELECT * FROM read_text('/etc/passwd')",
		"SELECT * FROM read_text('" + e.dir + "/../../../../etc/passwd')",
		"COPY (SELECT 1) TO '/tmp/escaped.csv'",
		"ATTACH '/tmp/escaped.db'",
		"INSTALL httpfs",
		"LOAD httpfs",
		"SET enable_external_access = true",
		"SET allowed_directories = ['/']",
		"SET lock_configuration = false",
		"SET memory_limit = '100GB'",
		"RESET threads",
		"SELECT * FROM kalam_scan(0)",
		"SELECT kalam_alive(0, 0::UBIGINT, 0)",
		"SELECT * FROM read_csv('https://example.com/x')",
	} {
		if err := e.Raw(sql); err == nil {
			t.Errorf("ran: %s", sql)
		}
	}
	if _, err := os.Stat("/tmp/escaped.csv"); err == nil {
		t.Error("a file was written outside")
	}
}

// TestExplain shows a plan without what users must not see.
func TestExplain(t *testing.T) {
	e := newEngine(t)
	src := e.chatSource(t, "explained", 100, 50)
	p, err := e.Analyse(t.Context(), testUser, "SELECT role, count(*) FROM app.messages WHERE id > $1 GROUP BY role")
	if err != nil {
		t.Fatal(err)
	}
	for _, analyze := range []bool{false, true} {
		text, _, err := e.Explain(t.Context(), p, []query.Source{src}, testArgs(big(3)), analyze)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(text, "UNION") || !strings.Contains(text, "READ_PARQUET") ||
			analyze != strings.Contains(text, "Total Time") {
			t.Errorf("plan:\n%s", text)
		}
		if strings.Contains(text, e.dir) || strings.Contains(strings.ToLower(text), "kalam") {
			t.Errorf("the plan tells internals:\n%s", text)
		}
	}
	if n := e.Stats().InFlight; n != 0 {
		t.Errorf("%d sources are alive", n)
	}
	if _, _, err := e.Explain(t.Context(), p, []query.Source{src}, testArgs(), false); kalam.CodeOf(
		err,
	) != kalam.CodeParameterMismatch {
		t.Errorf("without parameter: %v", err)
	}
}
