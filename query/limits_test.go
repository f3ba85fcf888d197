package query_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	_ "github.com/duckdb/duckdb-go/v2"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query"
)

// hardTexts are texts of any length that are hard on recursive code, or take a parser
// more than linear time.
func hardTexts() map[string]func(n int) string {
	nested := func(open, inner, end string) func(int) string {
		return func(n int) string { return "SELECT " + strings.Repeat(open, n) + inner + strings.Repeat(end, n) }
	}
	chain := func(start, link string) func(int) string {
		return func(n int) string { return start + strings.Repeat(link, n) }
	}
	within := func(start, link, end string) func(int) string {
		return func(n int) string { return start + strings.Repeat(link, n) + end }
	}
	return map[string]func(n int) string{
		"parentheses": nested("(", "1", ")"),
		"not":         nested("NOT ", "true", ""),
		"minus":       nested("- ", "1", ""),
		"functions":   nested("abs(", "1", ")"),
		"subqueries":  nested("(SELECT ", "1", ")"),
		"from":        nested("* FROM (SELECT ", "* FROM t", ")"),
		"lists":       nested("[", "1", "]"),
		"structs":     nested("{a: ", "1", "}"),
		"sum":         chain("SELECT 1", " + 1"),
		"concat":      chain("SELECT 'a'", " || 'a'"),
		"and":         chain("SELECT 1 WHERE true", " AND true"),
		"or":          chain("SELECT 1 WHERE false", " OR 1 = 2"),
		"in list":     within("SELECT 1 WHERE 1 IN (1", ",1", ")"),
		"values":      chain("VALUES (1)", ",(1)"),
		"union":       chain("SELECT 1", " UNION ALL SELECT 1"),
		"intersect":   chain("SELECT 1", " INTERSECT SELECT 1"),
		"joins":       chain("SELECT 1 FROM t", ", t"),
		"inner joins": chain("SELECT 1 FROM t", " JOIN t ON true"),
		"ctes":        within("WITH a AS (SELECT 1)", ", a AS (SELECT 1)", " SELECT 1"),
		"nested ctes": func(n int) string {
			return strings.Repeat("WITH a AS (", n) + "SELECT 1" + strings.Repeat(") SELECT 1", n)
		},
		"case":          nested("CASE WHEN true THEN ", "1", " END"),
		"when":          within("SELECT CASE", " WHEN true THEN 1", " END"),
		"casts":         chain("SELECT 1", "::INT"),
		"indexes":       chain("SELECT x", "[1]"),
		"fields":        chain("SELECT x", ".a"),
		"comments":      chain("SELECT 1 ", "/*"),
		"line comments": chain("SELECT 1 ", "--\n"),
		"types": func(n int) string {
			return "SELECT 1::" + strings.Repeat("STRUCT(a ", n) + "INT" + strings.Repeat(")", n)
		},
		"array type":    chain("SELECT NULL::INT", "[]"),
		"columns":       chain("SELECT 1", ",1"),
		"json get":      nested("json_get_int(", "'{}'", ", 'a')"),
		"long string":   within("SELECT '", "x", "'"),
		"long name":     within("SELECT 1 AS \"", "x", "\""),
		"long number":   chain("SELECT ", "1"),
		"lambda":        nested("list_transform([1], lambda x: ", "1", ")"),
		"order":         chain("SELECT 1 ORDER BY 1", ",1"),
		"grouping sets": within("SELECT 1 FROM t GROUP BY CUBE (a", ",a", ")"),
		"rollup":        within("SELECT 1 FROM t GROUP BY ROLLUP (a", ",a", ")"),
		"partitions":    within("SELECT sum(1) OVER (PARTITION BY 1", ",1", ")"),
		"windows":       chain("SELECT 1", ", sum(1) OVER ()"),
		"arrow":         chain("SELECT x", "->'a'"),
		"intervals":     chain("SELECT DATE '2025-01-01'", " + INTERVAL 1 DAY"),
		"placeholders":  chain("SELECT $1", ",$1"),
		"strings":       chain("SELECT ", "'"),
		"quotes":        chain("SELECT ", "\""),
		"dollars":       chain("SELECT ", "$a$"),
		"stars":         chain("SELECT *", ", *"),
		"nested stars": func(n int) string {
			return "SELECT * FROM " + strings.Repeat("(SELECT *, * FROM ", n) + "t" + strings.Repeat(")", n)
		},
		"doubling ctes": doublingCTEs,
		"fmod":          nested("fmod(", "1", ", 2)"),
		"coalesce":      nested("coalesce(", "1", ", 2)"),
		"unnest":        nested("unnest([", "1", "])"),
		"exists":        nested("EXISTS (SELECT ", "1", ")"),
		"correlated": func(n int) string {
			return "SELECT a" + strings.Repeat(", (SELECT max(a) FROM t WHERE t.a = s.a)", n) + " FROM t s"
		},
		"wide blanks":      chain("SELECT 1 WHERE\u00a01", "\u00a0AND\u00a01"),
		"blanks":           chain("SELECT 1", " \u2003\t"),
		"continued string": chain("SELECT 'a'", "\n'b'"),
		"commented string": chain("SELECT 'a'", "--c\n'b'"),
		"quoted quotes":    within("SELECT 1 AS \"", "\"\"", "\""),
		"escapes":          within("SELECT E'", "\\'", "'"),
		"operators":        chain("SELECT 1", "+-1"),
		"long operator":    within("SELECT 1 ", "<", " 1"),
		"backticks":        chain("SELECT 1", " ` 1"),
		"between":          chain("SELECT 1 WHERE 1", " BETWEEN 1 AND 2"),
		"like":             chain("SELECT 'a'", " LIKE 'a'"),
		"comparisons":      chain("SELECT 1", " = 1"),
		"dots":             chain("SELECT * FROM a", ".a"),
		"spaced dots":      chain("SELECT a", " . \"b\""),
		"dots and indexes": chain("SELECT a", "[1].b"),
		"dots and casts":   chain("SELECT a", "::INT.b"),
		"dots and calls":   chain("SELECT a", ".upper()"),
		"semicolons":       chain("SELECT 1", ";"),
		"unclosed":         nested("(", "1", ""),
		"named arguments":  within("SELECT struct_pack(a := 1", ", a := 1", ")"),
		"using":            within("SELECT 1 FROM t JOIN t USING (a", ", a", ")"),
		"collate":          chain("SELECT 'a'", " COLLATE NOCASE"),
		"is null":          chain("SELECT 1", " IS NULL"),
		"at time zone":     chain("SELECT now()", " AT TIME ZONE 'UTC'"),
	}
}

// TestLargeAndDeep feeds texts that are hard on recursive code. Each must end
// with an error or a plan.
func TestLargeAndDeep(t *testing.T) {
	e := newEngine(t)
	for name, sql := range hardTexts() {
		for _, n := range []int{25, 190, 8000, 300_000} {
			t.Run(fmt.Sprintf("%s/%d", name, n), func(t *testing.T) {
				start := time.Now()
				checkSurvives(t, e, sql(n))
				if took := time.Since(start); took > time.Second {
					t.Logf("TOOK %v", took)
				}
			})
		}
	}
}

// TestTextsBelowTheLimits: no text that the limits of the parser let through keeps it
// for long, during which nothing could interrupt it (case N4).
func TestTextsBelowTheLimits(t *testing.T) {
	e := newEngine(t)
	for name, sql := range hardTexts() {
		for _, n := range []int{9_900, 19_900, 39_900, 250_000} {
			text := sql(n)
			took, most := time.Hour, time.Second
			if raceEnabled {
				most *= 10
			}
			for try := 0; try < 6 && took > most; try++ { // What else runs on a core slows it down.
				start := cpuTime()
				_, _ = e.Analyse(t.Context(), testUser, text) // An error is as good as a plan.
				took = min(took, cpuTime()-start)
			}
			if took > most {
				t.Errorf("%s of %d, %d bytes: %v", name, n, len(text), took)
			}
		}
	}
}

// doublingCTEs joins every WITH element twice in the next.
func doublingCTEs(n int) string {
	var b strings.Builder
	b.WriteString("WITH c0 AS (SELECT 1 AS a)")
	for i := range n {
		fmt.Fprintf(&b, ", c%d AS (SELECT x.a FROM c%d x, c%d y)", i+1, i, i)
	}
	fmt.Fprintf(&b, " SELECT * FROM c%d", n)
	return b.String()
}

// checkSurvives analyses and runs a text that ends with an error or rows.
func checkSurvives(t *testing.T, e *engine, sql string) {
	t.Helper()
	p, err := e.Analyse(t.Context(), testUser, sql)
	if err != nil {
		switch kalam.CodeOf(err) {
		case kalam.CodeInvalidSQL, kalam.CodeUnsupported, kalam.CodeTooLarge:
		default:
			t.Errorf("code %d: %.200v", kalam.CodeOf(err), err)
		}
		return
	}
	sources := make([]query.Source, len(p.Tables()))
	for i := range sources {
		sources[i].Schema = columnsOf(t, "a BIGINT")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	rows, err := e.Query(ctx, p, sources, query.Args{Params: make([]kalam.Value, p.Params())})
	if err == nil {
		rows.Close()
	} else if kalam.CodeOf(err) == kalam.CodeInternal {
		t.Errorf("%.300v", err)
	}
}

// FuzzAnalyse: whatever a text is, it is refused with a proper error, or runs
// without hurting the instance and without showing the file that nobody may read.
func FuzzAnalyse(f *testing.F) {
	e := newEngine(f)
	canary := filepath.Join(e.dir, "canary.csv")
	if err := os.WriteFile(canary, []byte("secret\nCANARY-7f3a\n"), 0o600); err != nil {
		f.Fatal(err)
	}
	files := []string{"SELECT * FROM '" + canary + "'", "SELECT * FROM read_csv('" + canary + "')"}
	for _, sql := range slices.Concat(attacks, legitimate, files) {
		f.Add(sql)
	}
	src := query.Source{Schema: columnsOf(f, "id BIGINT, body TEXT")}
	src.Batches = batchesOf(f, src.Schema, [][]kalam.Value{row(big(1), txt("a")), row(big(2), kalam.Null())}, 2048)
	f.Fuzz(func(t *testing.T, sql string) {
		p, err := e.Analyse(t.Context(), testUser, sql)
		if err != nil {
			if kalam.CodeOf(err) == kalam.CodeInternal {
				t.Errorf("%q: %v", sql, err)
			}
			return
		}
		sources := make([]query.Source, len(p.Tables()))
		for i := range sources {
			sources[i] = src
		}
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		rows, err := e.Query(ctx, p, sources, testArgs(make([]kalam.Value, p.Params())...))
		if err == nil {
			err = drain(ctx, rows, func(rec arrow.RecordBatch) {
				if strings.Contains(fmt.Sprint(rec), "CANARY-7f3a") {
					t.Errorf("%q shows a file", sql)
				}
			})
			rows.Close()
		}
		if err != nil && kalam.CodeOf(err) == kalam.CodeInternal {
			t.Errorf("%q: %v", sql, err)
		}
	})
}
