package dialect_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/dialect"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/sqltext"
)

// seeds are statements of every kind and pieces that lexers stumble over.
var seeds = []string{
	"SELECT `a` ? 'k', X'0a', E'\\n\\u00e9', $$x$$ FROM t WHERE b = $1 LIMIT 5, 10 -- c",
	"WITH x AS (SELECT 1) SELECT * FROM x", "(SELECT 1)",
	"INSERT INTO ns.t (a, \"b\") VALUES (1, 'it''s'), (f(2), $1), (NULL, DEFAULT) ON CONFLICT (a) DO UPDATE SET b = " +
		"EXCLUDED.b WHERE t.b < 3 RETURNING *, a AS x",
	"INSERT INTO t DEFAULT VALUES", "INSERT INTO t SELECT * FROM u ON CONFLICT DO NOTHING",
	"UPDATE t x SET (a, b) = (1, NOW()), c = c + 1 WHERE x.id = 1 AND k = 'y' RETURNING x.*",
	"DELETE FROM ns.t WHERE ns.t.id = -1",
	"CREATE USER TABLE IF NOT EXISTS a.b (id BIGINT PRIMARY KEY DEFAULT SNOWFLAKE_ID(), v DECIMAL(5,2) NOT NULL " +
		"DEFAULT -1.5, PRIMARY KEY (id)) FLUSH ROWS 5 WITH (STORAGE = s, TTL = 60s)",
	"CREATE TABLE t (a SERIAL, b TEXT DEFAULT ('x'), c TIMESTAMP(3) WITH TIME ZONE, d INT GENERATED ALWAYS AS " +
		"IDENTITY)",
	"ALTER TABLE t ALTER COLUMN c SET DEFAULT 'x'",
	"CREATE OR REPLACE VIEW v (a) AS SELECT 1", "DROP VIEW IF EXISTS v",
	"ALTER TABLE t SET TBLPROPERTIES (ACCESS_LEVEL = 'dba', FLUSH_CRON = '@every 2s', FLUSH_CRON_TZ = 'UTC')", "DROP STREAM TABLE IF EXISTS t",
	"CREATE NAMESPACE n WITH OPTIONS (a = 1, b = 'x')", "DROP NAMESPACE n CASCADE", "USE n",
	"CREATE USER u WITH PASSWORD 'p' ROLE dba EMAIL 'e'", "ALTER USER u SET ROLE user, EMAIL NULL",
	"CREATE STORAGE s TYPE s3 BUCKET 'b' CREDENTIALS '{}'", "ALTER STORAGE s SET NAME 'n'",
	"STORAGE CHECK s EXTENDED", "BACKUP DATABASE TO '/x'", "STORAGE FLUSH ALL IN NAMESPACE n", "KILL JOB FL-0123456789ab",
	"DESCRIBE t HISTORY LIMIT 5", "SHOW STATS FOR TABLE t", "EXPLAIN ANALYZE SELECT 1",
	"SUBSCRIBE TO `n`.t WHERE a = 1 LAST 5 OPTIONS (batch_size = 5)", "EXECUTE AS USER 'a' (SELECT ')')",
	"BEGIN; COMMIT; ROLLBACK", "START TRANSACTION ISOLATION LEVEL READ COMMITTED",
	"SELECT default.t.j ? 'k' FROM DEFAULT /* . */ . t WHERE order.x = CASE WHEN a THEN b END.c",
	"UPDATE default.t SET a = DEFAULT, b = default.t.c WHERE from.d RETURNING where . e",
	"'a'\n'b' -- x\n 'c'", "E'\\''", "$t$ $$ ; $t$", "/* a /* ; */ */;", "1.5e3.5 .5 5. 0x0a 1_000",
	"a.b.c::d[1] ? {x: 1}", "\ufeff\u00a0;\u2028", "\"a\x00", "'\xff", "$1$2", "$", "?",
}

func addSeeds(f *testing.F) {
	for _, s := range seeds {
		f.Add(s)
	}
}

// FuzzSplit checks Split against the lexer of Parse: they must agree on where
// strings, identifiers and comments end.
func FuzzSplit(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, text string) { splitHolds(t, text) })
}

func splitHolds(t tester, text string) {
	for _, fragment := range checkSplit(t, text) {
		again := checkSplit(t, fragment.Text)
		if len(again) != 1 || again[0] != (sqltext.Fragment{Text: fragment.Text}) {
			t.Errorf("Split(%q) gives %q, which is no fragment: %v", text, fragment.Text, again)
		}
		if _, err := dialect.Parse(fragment.Text); err != nil && isLexical(err) {
			t.Errorf("Split takes %q, Parse says %v", fragment.Text, err)
		}
	}
}

// isLexical reports whether an error is one that Split should have found.
func isLexical(err error) bool {
	for _, s := range []string{"Unterminated", "NUL byte", "Text is not valid UTF-8"} {
		if strings.HasPrefix(err.Error(), s) {
			return true
		}
	}
	return false
}

// FuzzParse checks every statement that parses: its raw SQL is closed, and the
// form that caches use is the same statement.
func FuzzParse(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, text string) { parseHolds(t, text) })
}

func parseHolds(t tester, text string) {
	redacted := sqltext.Redact(text)
	if utf8.ValidString(text) && !utf8.ValidString(redacted) {
		t.Errorf("Redact(%q) = %q", text, redacted)
	}
	normal := sqltext.Normalize(text)
	if again := sqltext.Normalize(normal); again != normal {
		t.Errorf("Normalize(%q) = %q, and of that %q", text, normal, again)
	}
	st := checkParse(t, text)
	if st == nil {
		return
	}
	if st2, err := dialect.Parse(normal); err != nil || st2.Verb() != st.Verb() {
		t.Errorf("%q is %s, but its normal form %q is %v, %v", text, st.Verb(), normal, st2, err)
	}
	for _, piece := range rawSQL(st) {
		checkClosed(t, text, piece)
	}
}

// rawSQL returns the pieces of a statement that engines put between parentheses.
func rawSQL(st ast.Statement) []string {
	var out []string
	add := func(list ...string) {
		for _, s := range list {
			if s != "" && s != "*" {
				out = append(out, s)
			}
		}
	}
	exprs := func(list []ast.Expr) {
		for _, x := range list {
			if x.Kind == ast.ExprOther {
				add(x.Text)
			}
		}
	}
	sets := func(list []ast.Assign) {
		for _, a := range list {
			exprs([]ast.Expr{a.Value})
		}
	}
	returning := func(list []ast.ReturnExpr) {
		for _, r := range list {
			add(r.SQL)
		}
	}
	switch st := st.(type) {
	case *ast.Select:
		if dialect.IsQuery(st.SQL) { // Not DESCRIBE.
			add(st.SQL)
		}
	case *ast.Insert:
		for _, row := range st.Rows {
			exprs(row)
		}
		add(st.Select)
		if st.Conflict != nil {
			sets(st.Conflict.Set)
			add(st.Conflict.Where)
		}
		returning(st.Returning)
	case *ast.Update:
		sets(st.Set)
		add(st.Where)
		returning(st.Returning)
	case *ast.Delete:
		add(st.Where)
		returning(st.Returning)
	case *ast.SubscribeTo:
		add(st.Query)
	}
	return out
}

// checkClosed checks that a piece of raw SQL stays between the parentheses that
// it is put into.
func checkClosed(t tester, text, piece string) {
	t.Helper()
	const before, after = "SELECT (", ") AS closed"
	sql := before + sqltext.MapParams(piece, func(int) int { return 1 }) + after
	list, err := sqltext.Split(sql)
	if err != nil || len(list) != 1 {
		t.Errorf("%q has the raw SQL %q, which gives %v, %v", text, piece, list, err)
		return
	}
	st, err := dialect.Parse(sql)
	q, ok := st.(*ast.Select)
	if err != nil || !ok || !strings.HasPrefix(q.SQL, before) || !strings.HasSuffix(q.SQL, after) {
		t.Errorf("%q has the raw SQL %q, which is not closed: %v, %v", text, piece, st, err)
	}
}

// FuzzRewrite checks the SQL that goes to DuckDB.
func FuzzRewrite(f *testing.F) {
	for _, s := range seeds {
		f.Add(strings.TrimPrefix(s, "SELECT "))
	}
	f.Fuzz(func(t *testing.T, body string) { rewriteHolds(t, "SELECT "+body) })
}

func rewriteHolds(t tester, text string) {
	st, err := dialect.Parse(text)
	if err != nil {
		return
	}
	q, ok := st.(*ast.Select)
	if !ok {
		t.Fatalf("%q is a %s", text, st.Verb())
	}
	if strings.IndexByte(q.SQL, 0) >= 0 {
		t.Errorf("%q becomes %q, which has a NUL", text, q.SQL)
	}
	for i := range len(q.SQL) + 1 {
		if at := q.Edits.Origin(q.Pos, i); at < q.Pos || at > len(text) {
			t.Fatalf("%q: byte %d of %q comes from %d", text, i, q.SQL, at)
		}
	}
	if len(q.Edits) == 0 && !strings.HasPrefix(text[q.Pos:], q.SQL) {
		t.Errorf("%q becomes %q without an edit", text, q.SQL)
	}
	again, err := dialect.Parse(q.SQL)
	if err != nil || again.(*ast.Select).SQL != q.SQL || again.(*ast.Select).Params != q.Params {
		t.Errorf("%q becomes %q, which becomes %v, %v", text, q.SQL, again, err)
	}
}

// FuzzMapParams checks that only placeholders change, and that it can be undone.
func FuzzMapParams(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, sql string) { mapParamsHolds(t, sql) })
}

func mapParamsHolds(t tester, sql string) {
	var seen []int
	plain := sqltext.MapParams(sql, func(n int) int { seen = append(seen, n); return n })
	moved := sqltext.MapParams(sql, func(n int) int { return n/2 + 1000 })
	i := 0
	back := sqltext.MapParams(moved, func(n int) int {
		if i == len(seen) || n != seen[i]/2+1000 {
			t.Fatalf("%q: placeholder %d of %q is %d", sql, i, moved, n)
		}
		i++
		return seen[i-1]
	})
	if i != len(seen) || back != plain {
		t.Errorf("%q becomes %q and back %q", sql, moved, back)
	}
	if len(seen) == 0 && plain != sql {
		t.Errorf("%q has no placeholder and becomes %q", sql, plain)
	}
}

// tester is a *testing.T or a *rapid.T.
type tester interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// soup are the tokens of TestTokenSoup, so chosen that neighbours run into each
// other.
var soup = strings.Fields("a e x E X id NULL TRUE DEFAULT NOT AND OR AS FROM WHERE RETURNING ON CONFLICT DO NOTHING " +
	"UPDATE SET SELECT VALUES LIMIT DISTINCT IS GROUP WITHIN CASE END " +
	"t.b \"c\" `d` `e\"f` 'g' 'h''i' E'j\\n' E'' X'0a' x'' 0x0b 0x $$k$$ $l$m$l$ $1 $2 1 .5 2. 3e4 1_0 + - * / % ^ " +
	"= <> < -> ->> ? ?| :: || == := => . : , ; ( ) [ ] { } ( ) ( ) -- /* */ /**/ ' \" ` $ \\ " +
	"default. default.t .default order .from ns.t t INTO INSERT DELETE USER TABLE CREATE INT TEXT PRIMARY KEY DATE " +
	"now() NOW() CURRENT_USER f( 'a\x00b' é \u00a0 \u2028")

// TestTokenSoup is the fuzz targets on texts of whole tokens, of which more
// are nearly statements.
func TestTokenSoup(t *testing.T) {
	token := rapid.OneOf(rapid.SampledFrom(soup), rapid.SampledFrom([]string{" ", "\n", " ", "  "}))
	prefix := rapid.SampledFrom([]string{
		"", "SELECT ", "SELECT a ? ", "INSERT INTO t VALUES (", "INSERT INTO t SELECT ", "INSERT INTO t VALUES (1) ",
		"UPDATE t SET a = ", "DELETE FROM t WHERE ",
		"DELETE FROM ns.t WHERE id = 1 ", "DELETE FROM t RETURNING ", "CREATE TABLE t (",
		"SUBSCRIBE TO t ", "EXECUTE AS USER a (", "EXECUTE q(", "PREPARE q(", "SET a = ", "RESET ",
	})
	rapid.Check(t, func(t *rapid.T) {
		text := prefix.Draw(t, "prefix") + strings.Join(rapid.SliceOfN(token, 0, 12).Draw(t, "tokens"), "")
		splitHolds(t, text)
		parseHolds(t, text)
		rewriteHolds(t, "SELECT "+text)
		mapParamsHolds(t, text)
	})
}

// condition is a random WHERE clause and whether it is a conjunction of
// equalities.
type condition struct {
	sql   string
	plain bool
	terms []string
}

func conditions(depth int) *rapid.Generator[condition] {
	return rapid.Custom(func(t *rapid.T) condition {
		kind := rapid.IntRange(0, 9).Draw(t, "kind")
		if depth == 0 {
			kind = rapid.IntRange(0, 4).Draw(t, "leaf")
		}
		column := rapid.SampledFrom([]string{"a", "t.b", "ns.t.c", `"d"`, "`e`"}).Draw(t, "column")
		name := strings.Trim(column[strings.LastIndexByte(column, '.')+1:], "\"`")
		value := rapid.SampledFrom([][2]string{{"1", "n:1"}, {"-2", "n:-2"}, {"'x'", "s:x"}, {"$1", "$1"},
			{"TRUE", "true"},
			{"X'0a'", "b:0a"}}).Draw(t, "value")
		switch kind {
		case 0, 1:
			return condition{column + " = " + value[0], true, []string{name + "=" + value[1]}}
		case 2:
			if value[0] == "TRUE" {
				value = [2]string{"3", "n:3"}
			}
			return condition{value[0] + "=" + column, true, []string{name + "=" + value[1]}}
		case 3:
			op := rapid.SampledFrom([]string{"<>", "<", ">=", "IS NOT DISTINCT FROM", "IS DISTINCT FROM",
				"LIKE", "+ 1 ="}).Draw(t, "op")
			return condition{sql: column + " " + op + " " + value[0]}
		case 4:
			return condition{sql: rapid.SampledFrom([]string{"a = NULL", "b = 1.5", "c = 1e3", "a = b", "d",
				"a IS NULL",
				"u.a = 1", "ns.a = 1", "a = f(1)", "b IN (1)"}).Draw(t, "other")}
		case 5, 6:
			x, y := conditions(depth-1).Draw(t, "x"), conditions(depth-1).Draw(t, "y")
			return condition{x.sql + " AND " + y.sql, x.plain && y.plain,
				append(append([]string(nil), x.terms...), y.terms...)}
		case 7:
			x, y := conditions(depth-1).Draw(t, "x"), conditions(depth-1).Draw(t, "y")
			return condition{sql: x.sql +
				rapid.SampledFrom([]string{" OR ", " = ", " IS NOT DISTINCT FROM "}).Draw(t, "op") +
				y.sql}
		case 8:
			return condition{sql: "NOT " + conditions(depth-1).Draw(t, "x").sql}
		}
		x := conditions(depth-1).Draw(t, "x")
		return condition{"(" + x.sql + ")", x.plain, x.terms}
	})
}

// TestKeyEqualsModel checks that KeyEquals is set for conjunctions of equalities
// and for nothing else.
func TestKeyEqualsModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := conditions(4).Draw(t, "condition")
		st, err := dialect.Parse("DELETE FROM ns.t WHERE " + c.sql)
		if err != nil {
			t.Fatalf("%s: %v", c.sql, err)
		}
		var got []string
		for _, k := range st.(*ast.Delete).KeyEquals {
			got = append(got, k.Column.Name+"="+show(k.Value))
		}
		want := ""
		if c.plain {
			want = strings.Join(c.terms, " ")
		}
		if s := strings.Join(got, " "); s != want {
			t.Fatalf("%s\ngot  %q\nwant %q", c.sql, s, want)
		}
	})
}

// TestQuoteModel checks that every text survives quoting and parsing, and that
// Redact hides it.
func TestQuoteModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "text")
		st, err := dialect.Parse("INSERT INTO t VALUES (" + sqltext.QuoteString(s) + ")")
		if err != nil {
			t.Fatal(err)
		}
		if got := st.(*ast.Insert).Rows[0][0]; got.Kind != ast.ExprString || got.Text != s {
			t.Fatalf("%q is read back as %v", s, got)
		}
		secret := "5ecret" + strings.ReplaceAll(s, "'", "")
		if got := sqltext.Redact("CREATE USER u WITH PASSWORD " + sqltext.QuoteString(secret)); strings.Contains(got,
			"5ecret") {
			t.Fatalf("Redact gives %s", got)
		}
		_, err = dialect.Parse("CREATE USER u WITH PASSWORD " + sqltext.QuoteString(s) +
			sqltext.QuoteString(secret) + " '5ecret'")
		if err == nil || strings.Contains(err.Error(), "5ecret") || kalam.CodeOf(err) != kalam.CodeInvalidSQL {
			t.Fatalf("got error %v", err)
		}
	})
}
