package query_test

import (
	"strings"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/dialect"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/query"
	"github.com/kalamlake/kalam/sqltext"
)

// rewritten returns the raw SQL of a query.
func rewritten(t *testing.T, sql string) *ast.Select {
	t.Helper()
	st, err := dialect.Parse(sql)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return st.(*ast.Select)
}

// TestKeywordsBeforeDots checks, for every word that the grammar reserves, that
// DuckDB takes it for a name once package dialect has quoted it before a dot, and
// that without that no statement has a meaning that could be lost.
func TestKeywordsBeforeDots(t *testing.T) {
	e := newEngine(t)
	for _, word := range sqltext.ReservedWords() {
		if !sqltext.IsReserved(word) || word == "END" {
			continue
		}
		for _, form := range []string{
			"SELECT #.a", "SELECT x #.a FROM t", "SELECT x # .a FROM t", "SELECT x, #.* FROM t", "SELECT 1 FROM #.a",
			"SELECT 1 FROM t #.a", "SELECT 1 FROM t, # . a",
			"SELECT CASE WHEN x THEN y #.a FROM t", "SELECT (1, #.a)", "SELECT #.upper()", "SELECT x #.upper() FROM t",
			"SELECT 1 WHERE 1 IS #.a", "SELECT 1 NOT #.a",
			"SELECT CAST(1 AS #.a)", "SELECT [#.a]", "SELECT {a: #.a}", "SELECT count(x #.a) FROM t", "SELECT 1 LIMIT #.a",
			"SELECT x FROM t ORDER BY x #.a", "#.a",
		} {
			sql := strings.ReplaceAll(form, "#", word)
			_, err := e.Analyse(t.Context(), testUser, sql)
			if kalam.CodeOf(err) != kalam.CodeInvalidSQL ||
				!strings.Contains(err.Error(), "yntax error") && !strings.Contains(err.Error(), "Only queries") {
				t.Errorf("%s has a meaning of its own: %v", sql, err)
			}
		}
		low := strings.ToLower(word)
		plan, err := e.Analyse(
			t.Context(),
			testUser,
			rewritten(t, strings.ReplaceAll("SELECT #.a.b, #.b, c.# FROM #.a JOIN x.# ON #.a.b = x.#.c", "#", word)).SQL,
		)
		if err != nil {
			t.Errorf("%s: %v", word, err)
			continue
		}
		tables := plan.Tables()
		if got := strings.Join(tables[0].Parts, ".") + " " + strings.Join(tables[1].Parts, "."); got != low+".a x."+low {
			t.Errorf("%s: the tables are %s", word, got)
		}
	}
	// END before a dot does have one.
	for _, sql := range []string{
		"SELECT CASE WHEN true THEN {a: 1} END.a AS v", "SELECT CASE WHEN true THEN 'X' END.lower().length() AS v",
	} {
		if got := e.mustText(t, rewritten(t, sql).SQL, nil); got != "v INT\n1" && got != "v BIGINT\n\"1\"" {
			t.Errorf("%s gives %s", sql, got)
		}
	}
}

// TestNamesResolve compares what qualified names mean with DuckDB, whose own
// tables have namespaces.
func TestNamesResolve(t *testing.T) {
	e := newEngine(t)
	src := map[string]query.Source{
		"t": source(
			t,
			"id BIGINT, v TEXT, j TEXT",
			row(big(1), txt("m1"), txt(`{"k":1}`)),
			row(big(2), txt("m2"), txt(`{}`)),
		),
		"app.t": source(
			t,
			"id BIGINT, v TEXT, j TEXT",
			row(big(2), txt("a2"), txt(`{"k":2}`)),
			row(big(3), txt("a3"), txt(`{}`)),
		),
		"default.t": source(
			t,
			"id BIGINT, v TEXT, j TEXT",
			row(big(3), txt("d3"), txt(`{"k":3}`)),
			row(big(1), txt("d1"), txt(`{}`)),
		),
		"default.u": source(t, "id BIGINT, t TEXT", row(big(3), txt("u3"))),
	}
	db := plainDuckDB(t)
	for _, sql := range []string{
		"CREATE SCHEMA app", `CREATE SCHEMA "default"`, "DROP TABLE IF EXISTS t",
		`CREATE TABLE t AS FROM (VALUES (1, 'm1', '{"k":1}'::JSON), (2, 'm2', '{}')) x(id, v, j)`,
		`CREATE TABLE app.t AS FROM (VALUES (2, 'a2', '{"k":2}'::JSON), (3, 'a3', '{}')) x(id, v, j)`,
		`CREATE TABLE "default".t AS FROM (VALUES (3, 'd3', '{"k":3}'::JSON), (1, 'd1', '{}')) x(id, v, j)`,
		`CREATE TABLE "default".u AS FROM (VALUES (3, 'u3')) x(id, t)`,
	} {
		if _, err := db.Exec(sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	for _, sql := range []string{
		"SELECT default.t.v FROM default.t WHERE default.t.id = 1",
		"SELECT main.t.v FROM t WHERE main.t.id = 1 AND t.id < 2",
		"SELECT main.t.v FROM t WHERE EXISTS (SELECT 1 FROM default.t WHERE default.t.id = main.t.id)",
		"SELECT app.t.v FROM app.t WHERE app.t.id IN (SELECT main.t.id FROM t WHERE main.t.id <= app.t.id)",
		"SELECT t.v FROM default.t WHERE t.id > (SELECT min(t.id) FROM t) ORDER BY t.id",
		"SELECT t.v, (SELECT max(t.v) FROM default.t) FROM t ORDER BY t.id",
		"SELECT t.* FROM default.t WHERE id IN (SELECT t.id FROM app.t) ORDER BY 1",
		"SELECT t.v FROM app.t WHERE EXISTS (SELECT 1 FROM default.t WHERE default.t.id = app.t.id)",
		"SELECT t.v FROM app.t WHERE EXISTS (SELECT 1 FROM default.t WHERE t.id = app.t.id) ORDER BY app.t.id",
		"SELECT app.t.v, (SELECT default.t.v FROM default.t WHERE default.t.id = app.t.id) AS d FROM app.t ORDER BY app.t.id",
		"SELECT app.t.v, default.t.v AS d FROM app.t JOIN default.t ON app.t.id = default.t.id",
		"SELECT app.t.v, u.t FROM app.t JOIN default.u ON u.id = app.t.id",
		"SELECT default.u.t, u.t FROM default.u",
		"SELECT app.t.id, d.id AS e FROM app.t LEFT JOIN default.t AS d ON d.id = app.t.id ORDER BY ALL",
		"SELECT default.t.j ->> 'k' AS k FROM default.t WHERE json_exists(default.t.j, '/k')",
		"SELECT app.t.j ->> 'k' AS k FROM default.t JOIN app.t USING (id)",
		"SELECT v FROM default.t UNION ALL SELECT t.v FROM app.t UNION ALL SELECT t.v FROM t ORDER BY 1",
		"SELECT l.w FROM default.t, LATERAL (SELECT upper(default.t.v) AS w) l ORDER BY 1",
		"WITH t AS (SELECT 9 AS id) SELECT t.id, (SELECT max(default.t.id) FROM default.t) AS m FROM t",
		"SELECT x.v FROM (SELECT app.t.v FROM app.t WHERE app.t.id = 2) x",
		"SELECT default.t.v, count(*) AS n FROM default.t GROUP BY default.t.v HAVING max(default.t.id) > 0 ORDER BY " +
			"default.t.v",
		"SELECT t.v, (SELECT count(*) FROM app.t WHERE app.t.id >= (SELECT min(default.t.id) FROM default.t WHERE " +
			"default.t.id <= app.t.id)) AS n FROM t ORDER BY t.id",
	} {
		got, err := e.plainText(t, rewritten(t, sql).SQL, src)
		if err != nil {
			t.Errorf("%s: %v", sql, err)
			continue
		}
		want, err := duckText(db, rewritten(t, sql).SQL)
		if err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		if got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", sql, got, want)
		}
	}
	// What DuckDB's own grammar does not have.
	for sql, want := range map[string]string{
		"SELECT default.t.* FROM default.t WHERE id = 3": "SELECT t.* FROM " +
			"\"default\".t WHERE id = 3",
		"SELECT app.t.*, default.t.id AS d FROM app.t JOIN default.t ON app.t.id = default.t.id": "SELECT a.*, d.id AS " +
			"d FROM app.t a JOIN \"default\".t d ON a.id = d.id",
		"SELECT main.t.* FROM t WHERE main.t.id = 1": "SELECT * FROM t " +
			"WHERE id = 1",
		"SELECT default.u.*, x.* FROM default.u, (SELECT app.t.* FROM app.t WHERE id = 2) x": "SELECT u.*, x.* " +
			"FROM \"default\".u, (SELECT * FROM app.t WHERE id = 2) x",
	} {
		got, err := e.plainText(t, rewritten(t, sql).SQL, src)
		plain, plainErr := duckText(db, want)
		if err != nil || plainErr != nil || got != plain {
			t.Errorf("%s:\ngot  %s, %v\nwant %s, %v", sql, got, err, plain, plainErr)
		}
	}
	// A name that means no table of the statement, or two of them.
	for _, sql := range []string{
		"SELECT default.t.v FROM app.t", "SELECT default.t.* FROM app.t", "SELECT app.u.t FROM default.u",
		"SELECT a.t.v, b.t.v FROM t", "SELECT default.t.v FROM default.t AS x", "SELECT t.v FROM app.t, default.t",
	} {
		if got, err := e.text(t.Context(), rewritten(t, sql).SQL, testArgs(), src); kalam.CodeOf(
			err,
		) != kalam.CodeInvalidSQL {
			t.Errorf("%s gives %s, %v", sql, got, err)
		}
	}
}

// TestPlacesAfterNames checks that an error after a name that was quoted is where
// the user wrote what is wrong.
func TestPlacesAfterNames(t *testing.T) {
	e := newEngine(t)
	src := map[string]query.Source{"default.t": source(t, "id BIGINT, v TEXT")}
	for _, c := range []struct{ sql, at string }{
		{"SELECT DEFAULT.t.id, nope FROM default . t", "nope"},
		{"SELECT default.t.id, default.t.nope FROM default.t", "default.t.nope"},
		{"SELECT * FROM default.t JOIN default.gone USING (id)", "default.gone"},
		{"SELECT * FROM default.t JOIN\n\tDEFAULT\n.\ngone USING (id)", "DEFAULT\n."},
		{"SELECT * FROM default.t WHERE frob(1)", "frob"},
		{"SELECT * FROM default.t WHERE id = = 1", "= 1"},
		{"SELECT * FROM /* é */ default.t WHERE id ORDER id", "id"},
	} {
		q := rewritten(t, c.sql)
		_, err := e.text(t.Context(), q.SQL, testArgs(), src)
		var ke *kalam.Error
		if !asKalam(err, &ke) || ke.Position == 0 {
			t.Errorf("%s: %v", c.sql, err)
			continue
		}
		if got, want := q.Edits.Origin(q.Pos, ke.Position-1), strings.LastIndex(c.sql, c.at); got != want {
			t.Errorf("%s: %v is at %d, want %d", c.sql, err, got, want)
		}
	}
}
