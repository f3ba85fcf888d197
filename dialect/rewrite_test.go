package dialect_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/sqltext"
)

func itoa(n int) string { return strconv.Itoa(n) }

// TestRewrite checks the spellings that DuckDB does not know. Case A1.
func TestRewrite(t *testing.T) {
	for _, c := range []struct{ name, sql, want string }{
		{"nothing", "SELECT a, \"b\", 'c', $$d$$, E'e' FROM t LIMIT 5",
			"SELECT a, \"b\", 'c', $$d$$, E'e' FROM t LIMIT 5"},
		{"backticks", "SELECT `a`.`B c` FROM `t`", `SELECT "a"."B c" FROM "t"`},
		{"backtick in backticks", "SELECT `a``b`", "SELECT \"a`b\""},
		{"quote in backticks", "SELECT `a\"b`", `SELECT "a""b"`},
		{"backtick elsewhere", "SELECT '`a`', \"`b`\" -- `c`", "SELECT '`a`', \"`b`\""},
		{"limit", "SELECT * FROM t LIMIT 5, 10", "SELECT * FROM t LIMIT 10 OFFSET 5"},
		{"limit with placeholders", "SELECT * FROM t limit $1 , $2", "SELECT * FROM t limit $2  OFFSET $1"},
		{"limit in a subquery", "SELECT (SELECT a LIMIT 1, 2), 3", "SELECT (SELECT a LIMIT 2 OFFSET 1), 3"},
		{"limit of one", "SELECT (SELECT a LIMIT 1), 2", "SELECT (SELECT a LIMIT 1), 2"},
		{"limit with comments", "SELECT 1 LIMIT /* a */ 5 /* b */, /* c */ 10",
			"SELECT 1 LIMIT /* a */ 10 /* b */ OFFSET 5"},
		{"limit of a fraction", "SELECT 1 LIMIT.5,1", "SELECT 1 LIMIT.5,1"},
		{"limit of an expression", "SELECT 1 LIMIT 1 + 1, 5", "SELECT 1 LIMIT 1 + 1, 5"},
		{"hexadecimal", "SELECT X'0aFF', 0x0a, x''", `SELECT '\x0A\xFF'::BLOB, '\x0A'::BLOB, ''::BLOB`},
		{"hexadecimal and a word", "SELECT X'0a'b", `SELECT '\x0A'::BLOB b`},
		{"hexadecimal after a string", "SELECT 'a'X'0a'", `SELECT 'a'('\x0A'::BLOB)`},
		{"hexadecimal in the next line", "SELECT 'a'\n0x0a", "SELECT 'a'\n('\\x0A'::BLOB)"},
		{"escape string", `SELECT E'a\tb\'\u00e9'`, "SELECT 'a\tb''é'"},
		{"escape strings side by side", `SELECT E'a\t'E'b\t'`, "SELECT 'a\t' ('b\t')"},
		{"continued escape string", "SELECT E'a\\t'\n'b'", "SELECT 'a\tb'"},
		{"NUL", "SELECT 'a\x00b', $$\x00$$", "SELECT ('a' || chr(0) || 'b'), ('' || chr(0) || '')"},
		{"escaped NUL", `SELECT E'\0'`, "SELECT ('' || chr(0) || '')"},
		{"contains", "SELECT a ? 'k' FROM t", "SELECT json_contains(a , 'k') FROM t"},
		{"contains binds to the left", "SELECT a ? 'k' ? 'l'", "SELECT json_contains(json_contains(a , 'k') , 'l')"},
		{"contains after arrow", "SELECT t.a -> 'b' ->> 'c' ? 'k' = true",
			"SELECT json_contains(((t.a -> 'b') ->> 'c') , 'k') = true"},
		{"arrow and comparison", "SELECT a = j->>'t' AND j->'x' IS NULL", "SELECT a = (j->>'t') AND (j->'x') IS NULL"},
		{"arrow under NOT", "SELECT 1 WHERE NOT j->>'u' IS NULL", "SELECT 1 WHERE NOT (j->>'u') IS NULL"},
		{"arrow and LIKE", "SELECT a LIKE j->>'t' ESCAPE '!'", "SELECT a LIKE (j->>'t') ESCAPE '!'"},
		{"arrow and IN", "SELECT j->>'t' IN ('a', k->>'b')", "SELECT (j->>'t') IN ('a', k->>'b')"},
		{"arrow and BETWEEN", "SELECT x BETWEEN j->>'a' AND j->>'b'", "SELECT x BETWEEN (j->>'a') AND (j->>'b')"},
		{"arrow binds tighter than ||", "SELECT 'p' || j->>'t' || 'q'", "SELECT 'p' || (j->>'t') || 'q'"},
		{"arrow and arithmetic", "SELECT a + j -> 'b' * 2, x", "SELECT (a + j -> 'b' * 2), x"},
		{"arrow chain", "SELECT j->'a'->0->>-1 = 'x'", "SELECT (((j->'a')->0)->>-1) = 'x'"},
		{"arrow and a cast", "SELECT (j->>'n')::INT, j->>'n'::TEXT FROM t",
			"SELECT (j->>'n')::INT, (j->>'n'::TEXT) FROM t"},
		{"arrow of a call", "SELECT f(a, g(b))->>'t' AS x", "SELECT (f(a, g(b))->>'t') AS x"},
		{"arrow of a window", "SELECT first(j) FILTER (WHERE b) OVER (ORDER BY a) ->> 't' x",
			"SELECT (first(j) FILTER (WHERE b) OVER (ORDER BY a) ->> 't') x"},
		{"arrow to a window", "SELECT j ->> max(k) OVER w x", "SELECT (j ->> max(k) OVER w) x"},
		{"arrow of CASE", "SELECT CASE WHEN a THEN j->'x' ELSE CASE b WHEN 1 THEN k END END ->> 't' FROM t",
			"SELECT (CASE WHEN a THEN (j->'x') ELSE CASE b WHEN 1 THEN k END END ->> 't') FROM t"},
		{"arrow to CASE", "SELECT j ->> CASE WHEN a THEN 'x' END y", "SELECT (j ->> CASE WHEN a THEN 'x' END) y"},
		{"arrow of a typed literal", "SELECT JSON '{}' -> 'a', j -> VARCHAR 'x' FROM t",
			"SELECT (JSON '{}' -> 'a'), (j -> VARCHAR 'x') FROM t"},
		{"arrow of a subquery", "SELECT (SELECT j FROM t) ->> 'a', b", "SELECT ((SELECT j FROM t) ->> 'a'), b"},
		{"arrow in brackets", "SELECT (j->'a'), f(j->>'b'), f(x, j->'c', y), [j->'d']",
			"SELECT (j->'a'), f(j->>'b'), f(x, j->'c', y), [j->'d']"},
		{"arrow of names", "SELECT t.j->>'a' b, \"t\".\"j\"->>'c' FROM t",
			"SELECT (t.j->>'a') b, (\"t\".\"j\"->>'c') FROM t"},
		{"arrow without blanks", "SELECT 1 WHERE NOT\"j\"->>'a'AND\"k\"->'b'IS NULL",
			"SELECT 1 WHERE NOT (\"j\"->>'a')AND (\"k\"->'b')IS NULL"},
		{"arrow in ORDER BY", "SELECT a FROM t ORDER BY j->>'a' DESC NULLS LAST, j->'b' LIMIT 1",
			"SELECT a FROM t ORDER BY (j->>'a') DESC NULLS LAST, (j->'b') LIMIT 1"},
		{"arrow in a join", "SELECT * FROM a JOIN b ON a.t = b.j->>'t' WHERE b.j->>'u' > 'a'",
			"SELECT * FROM a JOIN b ON a.t = (b.j->>'t') WHERE (b.j->>'u') > 'a'"},
		{"lambda", "SELECT list_filter(l, x -> x > 3), l.list_transform(x -> x + 1), list_reduce(l, (a, b) -> a + b)",
			"SELECT list_filter(l, x -> x > 3), l.list_transform(x -> x + 1), list_reduce(l, (a, b) -> a + b)"},
		{"arrow in a lambda", "SELECT list_filter(l, x -> x->>'a' = 'b' AND y)",
			"SELECT list_filter(l, x -> (x->>'a') = 'b' AND y)"},
		{"arrow beside a lambda", "SELECT list_filter(j->'l' || k, x -> x = j->>'a')",
			"SELECT list_filter((j->'l') || k, x -> x = (j->>'a'))"},
		{"arrow that is none", "SELECT -> 'a', j ->", "SELECT -> 'a', j ->"},
		{"contains and arrow", "SELECT a ? 'k' -> 'x' = 1", "SELECT (json_contains(a , 'k') -> 'x') = 1"},
		{"contains and comparison", "SELECT 1 = a ? 'k' AND b ? 'l' OR c",
			"SELECT 1 = json_contains(a , 'k') AND json_contains(b , 'l') OR c"},
		{"contains and arithmetic", "SELECT a + 1 ? 2 * -3 + 4, 5", "SELECT json_contains(a + 1 , 2 * -3 + 4), 5"},
		{"contains of a call", "SELECT f(a, b)[1] ? g('x')::text", "SELECT json_contains(f(a, b)[1] , g('x')::text)"},
		{"contains of a cast", "SELECT a::json ? CAST(b AS text)", "SELECT json_contains(a::json , CAST(b AS text))"},
		{"contains of a cast with arguments", "SELECT a::decimal(5, 2) ? x.y.z(1)[2]::decimal(3, 1)",
			"SELECT json_contains(a::decimal(5, 2) , x.y.z(1)[2]::decimal(3, 1))"},
		{"contains of brackets", "SELECT (a || b) ? (c)", "SELECT json_contains((a || b) , (c))"},
		{"contains of lists", "SELECT [1, 2] ? [3]", "SELECT json_contains([1, 2] , [3])"},
		{"contains of a sign", "SELECT -a ? - - 5", "SELECT json_contains(-a , - - 5)"},
		{"contains of NULL", "SELECT NULL ? TRUE", "SELECT json_contains(NULL , TRUE)"},
		{"contains of placeholders", "SELECT $1 ? $2", "SELECT json_contains($1 , $2)"},
		{"contains without blanks", "SELECT 1 WHERE NOT\"a\"?'k'AND(b)?'l'",
			"SELECT 1 WHERE NOT json_contains(\"a\",'k')AND json_contains((b),'l')"},
		{"contains of quoted names", "SELECT `a`.`b` ? `c`", `SELECT json_contains("a"."b" , "c")`},
		{"contains inside contains", "SELECT (a ? b) ? (c ? d)",
			"SELECT json_contains((json_contains(a , b)) , (json_contains(c , d)))"},
		{"other operators", "SELECT a ?| b, a ?& b, a @> b, a #>> b", "SELECT a ?| b, a ?& b, a @> b, a #>> b"},
		{"all at once", "SELECT `a` ? X'0a', E'\\n' FROM `t` LIMIT 1,2",
			"SELECT json_contains(\"a\" , '\\x0A'::BLOB), '\n' FROM \"t\" LIMIT 2 OFFSET 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			st := mustParse(t, c.sql).(*ast.Select)
			if st.SQL != c.want {
				t.Errorf("%s\ngot  %s\nwant %s", c.sql, st.SQL, c.want)
			}
			again := mustParse(t, st.SQL).(*ast.Select)
			if again.SQL != st.SQL {
				t.Errorf("a second rewrite gives %s", again.SQL)
			}
		})
	}
}

// TestOrigin checks that an offset in rewritten SQL leads back to the text: the
// marks in both say what belongs together.
func TestOrigin(t *testing.T) {
	for _, c := range []struct {
		name, sql string
		pairs     [][2]string // A piece of the rewritten SQL and what it came from.
	}{
		{"no edits", "  SELECT abc", [][2]string{{"SELECT", "SELECT"}, {"abc", "abc"}}},
		{"backticks", "SELECT `a`, `b``c`, xyz", [][2]string{{`"a"`, "`a`"}, {"b`c", "b``c"}, {"xyz", "xyz"}}},
		{"limit", "SELECT a FROM t LIMIT 5, 10 -- x", [][2]string{{"10", "10"}, {"OFFSET", "5"}, {"a FROM", "a FROM"}}},
		{"contains", "SELECT data ? 'k', next", [][2]string{{"json_contains", "data"}, {"data", "data"}, {"'k'", "'k'"},
			{"next", "next"}}},
		{"contains twice", "SELECT a ? 'k' ? 'l', next", [][2]string{{"'l'", "'l'"}, {"next", "next"}}},
		{"longer literals", "SELECT X'0aff', E'\\u00e9', abc, 0x00, def",
			[][2]string{{"abc", "abc"}, {"def", "def"}, {"BLOB, 'é'", "X'0aff'"}}},
		{"subscription", "SUBSCRIBE TO `n`.t WHERE `a` ? 'k' AND bcd",
			[][2]string{{"SELECT", "`n`"}, {"bcd", "bcd"}, {"'k'", "'k'"}}},
		{"explain", "EXPLAIN SELECT `a`, bcd", [][2]string{{"bcd", "bcd"}, {"SELECT", "SELECT"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var piece string
			var pos int
			var edits sqltext.Edits
			switch st := mustParse(t, c.sql).(type) {
			case *ast.Select:
				piece, pos, edits = st.SQL, st.Pos, st.Edits
			case *ast.Explain:
				piece, pos, edits = st.SQL, st.Pos, st.Edits
			case *ast.SubscribeTo:
				piece, pos, edits = st.Query, st.Pos, st.Edits
			}
			for _, p := range c.pairs {
				at, want := strings.Index(piece, p[0]), strings.Index(c.sql, p[1])
				if at < 0 || want < 0 {
					t.Fatalf("%q is not in %s or %q not in %s", p[0], piece, p[1], c.sql)
				}
				if got := edits.Origin(pos, at); got != want {
					t.Errorf("%q at %d of %s comes from %d, want %d", p[0], at, piece, got, want)
				}
			}
		})
	}
}

// TestOriginOfPieces has several pieces of raw SQL in one statement.
func TestOriginOfPieces(t *testing.T) {
	const sql = "UPDATE t SET a = `b` ? 'k', c = f(`d`, oops1) WHERE `e` = 1 AND oops2 RETURNING `f` || oops3, oops4"
	st := mustParse(t, sql).(*ast.Update)
	for _, p := range []struct {
		piece, mark string
		pos         int
	}{
		{st.Set[0].Value.Text, "'k'", st.Set[0].Value.Pos},
		{st.Set[1].Value.Text, "oops1", st.Set[1].Value.Pos},
		{st.Where, "oops2", st.WherePos},
		{st.Returning[0].SQL, "oops3", st.Returning[0].Pos},
		{st.Returning[1].SQL, "oops4", st.Returning[1].Pos},
	} {
		if got, want := st.Edits.Origin(p.pos, strings.Index(p.piece, p.mark)),
			strings.Index(sql, p.mark); got != want {
			t.Errorf("%s of %s comes from %d, want %d", p.mark, p.piece, got, want)
		}
	}
}

func TestQuote(t *testing.T) {
	for s, want := range map[string]string{"a": `"a"`, `a"b`: `"a""b"`, "": `""`} {
		if got := sqltext.QuoteIdent(s); got != want {
			t.Errorf("QuoteIdent(%q) = %s", s, got)
		}
	}
	for _, s := range []string{"", "a", "it's", "'", "''", `a\b`, "a\nb", "a\x00b", "é", "$1", "--", ";"} {
		q := sqltext.QuoteString(s)
		f, err := sqltext.Split("INSERT INTO t VALUES (" + q + ")")
		if err != nil || len(f) != 1 {
			t.Fatalf("%q: %v, %v", s, f, err)
		}
		if got := mustParse(t, f[0].Text).(*ast.Insert).Rows[0][0]; got.Kind != ast.ExprString ||
			got.Text != s {
			t.Errorf("%q is read back as %s", s, show(got))
		}
	}
}
