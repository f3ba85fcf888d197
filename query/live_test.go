package query_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/query"
	"github.com/kalamlake/kalam/sqltext"
	"github.com/kalamlake/kalam/subscribe"
)

func TestCheckExpr(t *testing.T) {
	e := newEngine(t)
	for _, x := range []string{
		"1", "a", "a + 1", "a = 1 AND b LIKE 'x%'", "(a)", "((1))", "CASE WHEN a THEN 1 END", "$1", "$1 + $2", "now()",
		"CURRENT_USER", "a IN (1, 2)",
		"a IN (SELECT id FROM t)", "(SELECT max(id) FROM t)", "EXISTS (SELECT 1 FROM t)", "a -- comment\n", "/* c */ a",
		"'a) b'", "'--'", `"a)"`, "$$)$$", "E'\\')'",
		"[1, 2]", "{'a': 1}", "(1, 2)", "t.a", "ns.t.a", "a::TEXT", "-1", "NOT a", "a IS NULL", "json_get(doc, 'a')",
		"sum(a)", "row_number() OVER (ORDER BY a)",
		"a BETWEEN 1 AND 2", "a ->> 'x'", "list_transform([1], lambda x: x + 1)", "excluded.v", "DATE '2025-01-01'", "TRUE",
		"NULL", "snowflake_id()",
	} {
		for range 2 { // The second time from the cache.
			if err := e.CheckExpr(t.Context(), testUser, x); err != nil {
				t.Errorf("refused: %s: %v", x, err)
			}
		}
	}
	for _, x := range []string{
		"", " ", "1, 2", "a b", "a AS b", "*", "t.*", "1) + (2", "1) UNION SELECT (2", "1) FROM t WHERE (true", "1), (2",
		"1); DROP TABLE t; SELECT (1", "1;",
		"1 --", "1 -- x", "1 /*", "1 /* x", "--", "'", `"`, "$$", "(1", "1)", ")(", "1) OR (true", "SELECT 1", "a FROM t",
		"a WHERE b", "a ORDER BY b", "a LIMIT 1",
		"1 UNION SELECT 2", "x for x in [1]", "1] + [2", "1], [2", "a, b FROM (VALUES (1)) x(a", "DISTINCT a", "ALL a",
		"read_text('x')",
		"(SELECT content FROM read_text('/etc/passwd'))", "getenv('HOME')", "a AS b, (c", "1) AS x, (2", "$0", "?",
		"a COLLATE", "1\x00", "\xff", "a := 1", "1 /* */ --",
		"/*", "*/", "1 */ + /* 1", "WITH x AS (SELECT 1) SELECT 1", "CASE",
	} {
		err := e.CheckExpr(t.Context(), testUser, x)
		if err == nil {
			t.Errorf("accepted: %q", x)
			continue
		}
		var ke *kalam.Error
		if !asKalam(err, &ke) || ke.Position > len(x)+1 || ke.Code == kalam.CodeInternal {
			t.Errorf("%q: %+v", x, err)
		}
	}
	err := e.CheckExpr(t.Context(), testUser, "a + frob(1)")
	var ke *kalam.Error
	if !asKalam(err, &ke) || ke.Position != 5 {
		t.Errorf("position: %+v", err)
	}
}

// FuzzCheckExpr: what CheckExpr accepts is one expression wherever it is put.
func FuzzCheckExpr(f *testing.F) {
	e := newEngine(f)
	for _, s := range []string{
		"a", "1) + (2", "1 --", "/* */ 1", "'a' || \"b\"", "$1", "(1", "E'\\'' || 'x'", "1] + [2", "a AS b",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if e.CheckExpr(t.Context(), testUser, s) != nil {
			return
		}
		seen := map[int]int{}
		s = sqltext.MapParams(s, func(n int) int {
			if _, ok := seen[n]; !ok {
				seen[n] = len(seen) + 1
			}
			return seen[n]
		})
		for _, sql := range []string{
			"SELECT 1, (" + s + "), 2", "SELECT " + s + " AS \"x\", 3", "SELECT 1 WHERE (" + s + ") AND true",
			"SELECT coalesce(" + s + ", 1)",
		} {
			if _, err := e.Analyse(t.Context(), testUser, sql); err != nil {
				t.Errorf("%q is accepted, but not in %q: %v", s, sql, err)
			}
		}
	})
}

func TestLiveQuery(t *testing.T) {
	e := newEngine(t)
	for _, tt := range []struct {
		sql, table, alias, columns, where string
		deleted, compiled                 bool
	}{
		{"SELECT * FROM app.t", "app.t", "", "*", "", false, true},
		{"SELECT id, Body FROM T", "t", "", "id,body", "", false, true},
		{`SELECT t.id FROM "T" t WHERE t.id > 5`, "t", "t", "id", "(t.id > 5)", false, true},
		{"SELECT app.t.* FROM app.t", "", "", "", "", false, false},
		{
			"SELECT t.* FROM app.t WHERE app.t.id = 1 AND t.body LIKE 'x%'", "app.t", "", "*",
			"((t.id = 1) AND (t.body ~~ 'x%'))", false, true,
		},
		{
			"SELECT * FROM app.user.t WHERE user_id = CURRENT_USER()", "app.user.t", "", "*", "(user_id = current_user())",
			false, true,
		},
		{"SELECT * FROM t WHERE _deleted = true", "t", "", "*", "(_deleted = CAST('t' AS BOOLEAN))", true, true},
		{"SELECT * FROM t WHERE lower(body) = 'x'", "t", "", "*", "(lower(body) = 'x')", false, false},
		{"SELECT * FROM t WHERE doc -> 'a' = '1'", "t", "", "*", "", false, false},
		{
			"SELECT * FROM t WHERE id IN (1, 2) OR role IS NULL", "t", "", "*", "((id IN (1, 2)) OR (\"role\" IS NULL))", false,
			true,
		},
		{"FROM t SELECT id WHERE id = 1", "t", "", "id", "(id = 1)", false, true},
		{"SELECT id AS id FROM t", "t", "", "id", "", false, true},
	} {
		p, err := e.LiveQuery(t.Context(), testUser, tt.sql, nil)
		if tt.table == "" {
			if err == nil {
				t.Logf("%s: %+v", tt.sql, p)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", tt.sql, err)
			continue
		}
		columns := "*"
		if p.Columns != nil {
			columns = strings.Join(p.Columns, ",")
		}
		if strings.Join(p.Table, ".") != tt.table || p.Alias != tt.alias || columns != tt.columns ||
			p.NamesDeleted != tt.deleted ||
			tt.where != "" && p.Where != tt.where {
			t.Errorf("%s: %+v", tt.sql, p)
		}
		if (p.FilterErr == nil) != tt.compiled || p.FilterErr != nil && !errors.Is(p.FilterErr, subscribe.ErrNotCompilable) {
			t.Errorf("%s: filter %#v, %v", tt.sql, p.Filter, p.FilterErr)
		}
		if got := nameAt(tt.sql, p.Position); !strings.EqualFold(strings.Trim(got, `"`), strings.Split(tt.table, ".")[0]) {
			t.Errorf("%s: position %d", tt.sql, p.Position)
		}
	}
	for _, tt := range []struct{ sql, what string }{
		{"SELECT * FROM t ORDER BY id", "ORDER BY"},
		{"SELECT * FROM t LIMIT 1", "LIMIT"},
		{"SELECT DISTINCT id FROM t", "DISTINCT"},
		{"SELECT id FROM t GROUP BY id", "GROUP BY"},
		{"SELECT id FROM t GROUP BY ALL", "GROUP BY"},
		{"SELECT count(*) FROM t", "aggregate functions (count_star)"},
		{"SELECT * FROM t HAVING true", "HAVING"},
		{"SELECT * FROM t QUALIFY true", "QUALIFY"},
		{"SELECT * FROM t, u", "joins"},
		{"SELECT * FROM t JOIN u USING (id)", "joins"},
		{"SELECT * FROM (SELECT * FROM t)", "subqueries"},
		{"SELECT * FROM t WHERE id IN (SELECT id FROM u)", "subqueries"},
		{"SELECT * FROM t WHERE row_number() OVER () = 1", "window functions"},
		{"SELECT * FROM t WHERE sum(id) > 1", "aggregate functions (sum)"},
		{"WITH x AS (SELECT 1) SELECT * FROM t", "WITH"},
		{"SELECT * FROM t UNION ALL SELECT * FROM t", "UNION, INTERSECT and EXCEPT"},
		{"SELECT * FROM range(3)", "table functions"},
		{"SELECT 1", "a query without a table"},
		{"SELECT * FROM t TABLESAMPLE 10%", "TABLESAMPLE"},
		{"SELECT * FROM t USING SAMPLE 10%", "USING SAMPLE"},
		{"SELECT * FROM t x(a, b)", "column aliases of a table"},
		{"SELECT id + 1 FROM t", "expressions in the select list"},
		{"SELECT *, id FROM t", "expressions in the select list"},
		{"SELECT * EXCLUDE (id) FROM t", "expressions in the select list"},
		{"SELECT id AS x FROM t", "column aliases (id AS x)"},
		{"SELECT u.id FROM t", "expressions in the select list"},
		{"SELECT current_user FROM t", "expressions in the select list"},
	} {
		_, err := e.LiveQuery(t.Context(), testUser, tt.sql, nil)
		if kalam.CodeOf(err) != kalam.CodeUnsupported || !strings.Contains(err.Error(), tt.what) {
			t.Errorf("%s: %v", tt.sql, err)
		}
	}
	for _, sql := range []string{
		"SELECT * FROM t WHERE getenv('x') = 1", "SELECT FROM t", "DELETE FROM t", "SELECT * FROM t WHERE id = ?",
		"SELECT * FROM t; SELECT 1",
	} {
		if _, err := e.LiveQuery(t.Context(), testUser, sql, nil); kalam.CodeOf(err) != kalam.CodeInvalidSQL {
			t.Errorf("%s: %v", sql, err)
		}
	}
}

// TestLiveQueryParams binds parameters as literals of their types.
func TestLiveQueryParams(t *testing.T) {
	e := newEngine(t)
	for _, tt := range []struct {
		where    string
		params   []kalam.Value
		want     string
		compiled bool
	}{
		{"id = $1", []kalam.Value{kalam.BigInt(-5)}, "(id = -5)", true},
		{"id > $2 AND id < $1", []kalam.Value{kalam.BigInt(9), kalam.Text("it's")}, "((id > 'it''s') AND (id < 9))", true},
		{"id = $1 OR id = $1", []kalam.Value{kalam.Null()}, "((id = NULL) OR (id = NULL))", true},
		{"n = $1", []kalam.Value{kalam.Double(0.1)}, "(n = CAST('0.1' AS DOUBLE))", true},
		{"$1", []kalam.Value{kalam.Bool(true)}, "CAST('t' AS BOOLEAN)", true},
		{"lower(t) = $1", []kalam.Value{kalam.Text("$1 OR 1=1 --")}, "(lower(t) = '$1 OR 1=1 --')", false},
		{"t LIKE $1 ESCAPE $2", []kalam.Value{kalam.Text("a!%"), kalam.Text("!")}, "", true},
	} {
		p, err := e.LiveQuery(t.Context(), testUser, "SELECT * FROM t WHERE "+tt.where, tt.params)
		if err != nil || tt.want != "" && p.Where != tt.want || (p.FilterErr == nil) != tt.compiled {
			t.Errorf("%s: %+v, %v", tt.where, p, err)
		}
	}
	for _, params := range [][]kalam.Value{nil, {kalam.BigInt(1), kalam.BigInt(2)}} {
		if _, err := e.LiveQuery(t.Context(), testUser, "SELECT * FROM t WHERE id = $1", params); kalam.CodeOf(
			err,
		) != kalam.CodeParameterMismatch {
			t.Errorf("%d parameters: %v", len(params), err)
		}
	}
}

// nameAt returns the word at pos.
func nameAt(sql string, pos int) string {
	end := pos
	for end < len(sql) && !strings.ContainsRune(" .,)", rune(sql[end])) {
		end++
	}
	return sql[pos:end]
}

// drawFilter draws a condition over the columns of the model, most of what
// DuckDB's grammar has for one row.
func drawFilter(t *rapid.T, depth int) string {
	if depth > 0 {
		switch rapid.IntRange(0, 6).Draw(t, "nest") {
		case 0:
			return "(" + drawFilter(t, depth-1) + " AND " + drawFilter(t, depth-1) + ")"
		case 1:
			return "(" + drawFilter(t, depth-1) + " OR " + drawFilter(t, depth-1) + ")"
		case 2:
			return "NOT (" + drawFilter(t, depth-1) + ")"
		case 3:
			return "(" + drawFilter(
				t,
				depth-1,
			) + ") IS " + rapid.SampledFrom([]string{"TRUE", "FALSE", "NOT TRUE", "NULL", "NOT NULL", "UNKNOWN"}).
				Draw(t, "is")
		case 4:
			return "CASE WHEN " + drawFilter(
				t,
				depth-1,
			) + " THEN " + drawFilter(
				t,
				depth-1,
			) + " ELSE " + drawFilter(
				t,
				depth-1,
			) + " END"
		}
	}
	n := rapid.IntRange(-6, 12).Draw(t, "n")
	cmp := rapid.SampledFrom([]string{"=", "<>", "!=", "<", "<=", ">", ">=", "IS DISTINCT FROM", "IS NOT DISTINCT FROM"}).
		Draw(t, "cmp")
	operand := func() string {
		return rapid.SampledFrom([]string{
			"id", "k", "v", "s", "d", "ts", "b", "u", "_seq", "_deleted", "NULL", "true", fmt.Sprint(n),
			fmt.Sprintf("%d.%d", n, n*n), fmt.Sprintf("'%d'", n),
			fmt.Sprintf(
				"'s%d'",
				n,
			), fmt.Sprintf("%d.0e0", n), "'2023-11-14 22:13:2" + fmt.Sprint((n+6)%10) + "'",
			"TIMESTAMP '2023-11-14 22:13:24'", "DATE '2023-11-15'",
			"CURRENT_USER", "current_role()", "'alice'", "'00000000-0000-0000-0000-000000000000'", "'true'", "1e2",
			"123456789012345678901234.5",
		}).Draw(t, "operand")
	}
	switch rapid.IntRange(0, 5).Draw(t, "kind") {
	case 0:
		return operand() + " " + rapid.SampledFrom([]string{"", "NOT "}).
			Draw(t, "not") +
			"IN (" + operand() + ", " + operand() + ")"
	case 1:
		return operand() + rapid.SampledFrom([]string{"", " NOT"}).
			Draw(t, "not") +
			" BETWEEN " + operand() + " AND " + operand()
	case 2:
		pattern := rapid.SampledFrom([]string{"'s1%'", "'%x'", "'S_'", "'s%x%'", "'s!%'", "''", "'%'"}).Draw(t, "pattern")
		escape := rapid.SampledFrom([]string{"", "", " ESCAPE '!'"}).Draw(t, "escape")
		return rapid.SampledFrom([]string{"s", "s", "k", "NULL", "'s1'"}).
			Draw(t, "arg") +
			" " + rapid.SampledFrom([]string{"LIKE", "NOT LIKE", "ILIKE", "NOT ILIKE"}).
			Draw(t, "like") +
			" " + pattern + escape
	case 3:
		return operand() + " IS " + rapid.SampledFrom([]string{"NULL", "NOT NULL"}).Draw(t, "null")
	}
	if rapid.IntRange(0, 3).Draw(t, "any") == 0 {
		return operand() + " " + cmp + " " + operand()
	}
	// Operands that go together.
	return strings.ReplaceAll(rapid.SampledFrom(filterPairs).Draw(t, "pair"), "%s", cmp)
}

// filterPairs are comparisons of operands that go together.
var filterPairs = []string{
	"id %s 3", "k %s -2", "v %s 0.5", "s %s 's1xxx'", "d %s 0.37", "ts %s '2023-11-14 22:13:24'",
	"ts %s DATE '2023-11-15'", "b %s true", "_seq %s 1005",
	"u %s '28000000-0000-0000-0000-000000000001'", "id %s k", "k %s v", "d %s v", "d %s id", "_deleted %s b",
	"s %s CURRENT_USER", "id %s 3.5", "v %s 1e0", "k %s '3'",
}

// modelTable is the table of the model as the catalog has it.
func modelTable(t testing.TB) *kalam.Table {
	t.Helper()
	table := &kalam.Table{ID: kalam.TableID{Namespace: "app", Name: "t"}, Kind: kalam.KindUserTable, PrimaryKey: []int{0}}
	for i, f := range columnsOf(t, modelColumns).Fields() {
		if !strings.HasPrefix(f.Name, "_") {
			table.Columns = append(
				table.Columns,
				kalam.Column{ID: kalam.ColumnID(i + 1), Name: f.Name, Type: datatype.TypeOfArrow(f)},
			)
		}
	}
	return table
}

// TestFilterEqualsDuckDB: where a filter compiles, it decides like DuckDB for
// every row; where it does not, it says so.
func TestFilterEqualsDuckDB(t *testing.T) {
	e := newEngine(t)
	table := modelTable(t)
	schema := columnsOf(t, modelColumns)
	compiled, refused, stricter := 0, 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		var rows [][]kalam.Value
		for i := range int64(25) {
			rows = append(rows, drawRow(rt, i))
		}
		src := map[string]query.Source{"t": {Schema: schema, Batches: batchesOf(t, schema, rows, 2048)}}
		for range 10 {
			where := drawFilter(rt, 2)
			x, err := e.Filter(t.Context(), testUser, where)
			if err != nil {
				if !errors.Is(err, subscribe.ErrNotCompilable) && kalam.CodeOf(err) != kalam.CodeConstraint {
					rt.Fatalf("%s: %v", where, err)
				}
				refused++
				continue
			}
			f, err := subscribe.Compile(table, x, "alice", kalam.RoleUser)
			if kalam.CodeOf(err) == kalam.CodeConstraint && err != nil { // A literal is not of the type that it meets.
				if _, err := e.rows(t.Context(), "SELECT id FROM t WHERE ("+where+")", src); err == nil {
					rt.Fatalf("%s: the query runs, the filter does not compile", where)
				}
				continue
			}
			if err != nil {
				if !errors.Is(err, subscribe.ErrNotCompilable) {
					rt.Fatalf("compile %s: %v", where, err)
				}
				refused++
				continue
			}
			compiled++
			var got, want []int64
			for _, r := range rows {
				if f.Match(r[:len(r)-2], kalam.Seq(r[len(r)-2].Int()), r[len(r)-1].Bool()) {
					got = append(got, r[0].Int())
				}
			}
			vals, err := e.rows(t.Context(), "SELECT id FROM t WHERE ("+where+")", src)
			switch kalam.CodeOf(err) {
			case kalam.CodeConstraint, kalam.CodeInvalidSQL:
				if err != nil {
					stricter++ // DuckDB reads a literal, or brings operands to a type, that decides nothing here.
					continue
				}
			}
			if err != nil {
				rt.Fatalf("%s: %v", where, err)
			}
			for _, v := range vals {
				want = append(want, v[0].Int())
			}
			if !slices.Equal(got, want) {
				rt.Fatalf("%s: the filter finds %v, DuckDB %v", where, got, want)
			}
		}
	})
	t.Logf("%d filters compiled, %d of which DuckDB refuses, %d left to DuckDB", compiled, stricter, refused)
	if compiled-stricter < refused/4 {
		t.Error("too few filters compile to test much")
	}
}
