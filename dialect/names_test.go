package dialect_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/dialect"
	"github.com/kalamlake/kalam/dialect/ast"
)

// defaultTable are spellings of one table name that begin with a reserved word.
var defaultTable = []string{
	"default.t", "DEFAULT.t", "Default.T", `"default".t`, `"default"."t"`, "`default`.t", "`default`.`t`",
	"default . t", "default\n.\n\tt", "default/* a. */./* .b */t", "default -- c\n. -- d\nt",
}

// tableOf returns the table that a statement names.
func tableOf(st ast.Statement) ast.Name {
	switch st := st.(type) {
	case *ast.Insert:
		return st.Table
	case *ast.Update:
		return st.Table
	case *ast.Delete:
		return st.Table
	case *ast.CreateTable:
		return st.Name
	case *ast.AlterTable:
		return st.Name
	case *ast.DropTable:
		return st.Name
	case *ast.Describe:
		return st.Table
	case *ast.ShowCreate:
		return st.Table
	case *ast.ShowColumns:
		return st.Table
	case *ast.ShowStats:
		return st.Table
	case *ast.FlushTable:
		return st.Table
	case *ast.CompactTable:
		return st.Table
	case *ast.SubscribeTo:
		return st.Table
	case *ast.Select:
		if p := dialect.PointOf(st); p != nil {
			return p.Table
		}
	}
	return ast.Name{}
}

// TestReservedNamespace has every statement that names a table, with a namespace
// that is a reserved word.
func TestReservedNamespace(t *testing.T) {
	for _, form := range []string{
		"SELECT a FROM # WHERE id = 1", "SELECT * FROM # WHERE #.id = $1",
		"INSERT INTO # VALUES (1, DEFAULT)",
		"INSERT INTO # (id, a) VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET a = #.a, #.b = DEFAULT WHERE #.a <> " +
			"'y' RETURNING #.id",
		"INSERT INTO # AS x SELECT * FROM #", "INSERT INTO # DEFAULT VALUES RETURNING *",
		"UPDATE # SET a = DEFAULT WHERE id = 1",
		"UPDATE # AS x SET a = (SELECT max(#.a) FROM #) WHERE id IN (SELECT id FROM #) RETURNING id",
		"DELETE FROM # WHERE #.id = 1 RETURNING #.id, a", "DELETE FROM # x WHERE x.id = 1",
		"CREATE TABLE # (id INT PRIMARY KEY, a TEXT DEFAULT 'x')",
		"CREATE USER TABLE IF NOT EXISTS # (id INT PRIMARY KEY)",
		"ALTER TABLE # ADD COLUMN b TEXT DEFAULT 'x'", "ALTER TABLE # ALTER COLUMN b DROP DEFAULT", "DROP TABLE #",
		"DROP USER TABLE IF EXISTS #",
		"DESCRIBE #", "DESC TABLE # HISTORY", "SHOW COLUMNS FROM #", "SHOW TABLE STATS #", "SHOW STATS FOR TABLE #",
		"STORAGE FLUSH TABLE #", "STORAGE COMPACT TABLE #", "STORAGE COMPACT TABLE # RETAIN 5 HOURS", "SUBSCRIBE TO #",
		"SUBSCRIBE TO # WHERE #.a = 'x' LAST 5",
	} {
		for _, name := range defaultTable {
			sql := strings.ReplaceAll(form, "#", name)
			n := tableOf(mustParse(t, sql))
			if want := strings.Index(sql, name); n.String() != "default.t" || n.Pos != want {
				t.Errorf("%s\nnames %q at %d, want default.t at %d", sql, n, n.Pos, want)
			}
		}
	}
	for _, sql := range []string{"SHOW TABLES IN default", "SHOW TABLES FROM NAMESPACE DEFAULT",
		`SHOW TABLES IN "default"`, "SHOW TABLES IN 'Default'"} {
		if got := mustParse(t, sql).(*ast.ShowTables); got.Namespace == nil || got.Namespace.Name != "default" {
			t.Errorf("%s names %+v", sql, got.Namespace)
		}
	}
	flush, compact := mustParse(t, "STORAGE FLUSH ALL IN default").(*ast.FlushAll),
		mustParse(t, "STORAGE COMPACT ALL IN NAMESPACE default;").(*ast.CompactAll)
	if flush.Namespace.Name != "default" || compact.Namespace.Name != "default" {
		t.Errorf("got %+v and %+v", flush.Namespace, compact.Namespace)
	}
}

// TestNamesInRawSQL checks the text for DuckDB, whose grammar takes a keyword
// before a dot for a keyword.
func TestNamesInRawSQL(t *testing.T) {
	for _, c := range []struct{ name, sql, want string }{
		{"table", "SELECT a FROM default.t", `SELECT a FROM "default".t`},
		{"upper case", "SELECT a FROM DEFAULT.T", `SELECT a FROM "default".T`},
		{"blanks and comments", "SELECT a FROM default /* . */ . -- .\n t",
			"SELECT a FROM \"default\" /* . */ . -- .\n t"},
		{"column", "SELECT default.t.a, default.t.b + 1 AS x", `SELECT "default".t.a, "default".t.b + 1 AS x`},
		{"join", "FROM default.a JOIN default.b ON default.a.id=default.b.id",
			`FROM "default".a JOIN "default".b ON "default".a.id="default".b.id`},
		{"every keyword", "SELECT order.id, group.*, user.x, Select.from FROM offset.limit",
			`SELECT "order".id, "group".*, user.x, "select".from FROM "offset".limit`},
		{"star", "SELECT default.t.*, t.*, * FROM default.t", `SELECT "default.t".*, t.*, * FROM "default".t`},
		{"star of three parts", "SELECT App . \"T\" /* x */ . `u` . * , a.b*c.d.e, default.t.j ? 'k'",
			"SELECT \"app.T.u\" . * , a.b*c.d.e, json_contains(\"default\".t.j , 'k')"},
		{"star in a call", "SELECT count(a.b.*), COLUMNS(c.d.*) FROM a.b",
			`SELECT count("a.b".*), COLUMNS("c.d".*) FROM a.b`},
		{"qualifier", "SELECT * FROM default.user.t", `SELECT * FROM "default".user.t`},
		{"after a dot", "SELECT a.order, b.default.c FROM a.default", "SELECT a.order, b.default.c FROM a.default"},
		{"quoted already", "SELECT a FROM \"default\".t, `order`.x", `SELECT a FROM "default".t, "order".x`},
		{"contains", "SELECT default.t.j ? 'k', t.order ? 'k'",
			`SELECT json_contains("default".t.j , 'k'), json_contains(t.order , 'k')`},
		{"contains in parentheses", "SELECT (order.j)?'k' = order.k ? 'l'",
			`SELECT json_contains(("order".j),'k') = json_contains("order".k , 'l')`},
		{"subscription", "SELECT 1 WHERE default.t.a=1AND default.t.b",
			`SELECT 1 WHERE "default".t.a=1AND "default".t.b`},
		{"unicode name", "SELECT U&default.t", `SELECT U& "default".t`},
		{"end of CASE", "SELECT CASE WHEN a THEN b END.c, CASE 1 WHEN 1 THEN 'x' END . upper()",
			"SELECT CASE WHEN a THEN b END.c, CASE 1 WHEN 1 THEN 'x' END . upper()"},
		{"no dot", "SELECT default, all(1), CASE WHEN a THEN b END FROM t LIMIT.5",
			"SELECT default, all(1), CASE WHEN a THEN b END FROM t LIMIT.5"},
		{"strings and names", `SELECT 'default.t', "default.t", $$default.t$$, E'default.t' /* default.t */`,
			`SELECT 'default.t', "default.t", $$default.t$$, E'default.t'`},
		{"keys and types", "SELECT {default: 1}, {'a': 2}.default, x::DECIMAL(5,2), DATE '2024-01-01'",
			"SELECT {default: 1}, {'a': 2}.default, x::DECIMAL(5,2), DATE '2024-01-01'"},
	} {
		t.Run(c.name, func(t *testing.T) {
			st := mustParse(t, c.sql).(*ast.Select)
			if st.SQL != c.want {
				t.Errorf("%s\ngot  %s\nwant %s", c.sql, st.SQL, c.want)
			}
			if again := mustParse(t, st.SQL).(*ast.Select); again.SQL != st.SQL {
				t.Errorf("a second rewrite gives %s", again.SQL)
			}
		})
	}
}

// TestNamesEndNoClause checks that a keyword of a dotted name neither ends an
// expression nor begins a clause, and that DEFAULT alone stays the default.
func TestNamesEndNoClause(t *testing.T) {
	u := mustParse(t,
		"UPDATE default.t SET a = DEFAULT, b = default.t.c, c = returning.x + from . y WHERE order.id = 1 AND "+
			"t.returning RETURNING where.id, group.x y").(*ast.Update)
	if u.Set[0].Value.Kind != ast.ExprDefault || u.Set[1].Value.Text != `"default".t.c` ||
		u.Set[2].Value.Text != `"returning".x + "from" . y` {
		t.Errorf("SET is %+v", u.Set)
	}
	if u.Where != `"order".id = 1 AND t.returning` || len(u.Returning) != 2 || u.Returning[0].SQL != `"where".id` {
		t.Errorf("WHERE is %s, RETURNING is %+v", u.Where, u.Returning)
	}
	i := mustParse(t, "INSERT INTO default.t VALUES (DEFAULT, default.t.a, DEFAULT.x + 1, (DEFAULT))").(*ast.Insert)
	if r := i.Rows[0]; r[0].Kind != ast.ExprDefault || r[1].Text != `"default".t.a` ||
		r[2].Text != `"default".x + 1` || r[3].Kind != ast.ExprOther {
		t.Errorf("VALUES is %+v", r)
	}
	s := mustParse(t,
		"INSERT INTO t SELECT on.conflict FROM default.t WHERE on . conflict ON CONFLICT DO NOTHING").(*ast.Insert)
	if s.Select != `SELECT "on".conflict FROM "default".t WHERE "on" . conflict` || s.Conflict == nil {
		t.Errorf("the query is %s", s.Select)
	}
	d := mustParse(t, "DELETE FROM default.t WHERE (default.t.id = 1) AND \"default\".t.k = 'x'").(*ast.Delete)
	if len(d.KeyEquals) != 2 {
		t.Errorf("the key is %+v", d.KeyEquals)
	}
	for _, sql := range []string{"SUBSCRIBE TO values.t", "DESCRIBE values.t",
		"INSERT INTO values.t VALUES (1)", "DESCRIBE select.t"} {
		if n := tableOf(mustParse(t, sql)); !strings.HasSuffix(n.String(), ".t") {
			t.Errorf("%s names %q", sql, n)
		}
	}
}

// TestNamePositions checks that an error after a name that was quoted has the
// place in the user's text.
func TestNamePositions(t *testing.T) {
	for _, c := range []errorCase{
		{"SELECT * FROM default.t WHERE (a", kalam.CodeInvalidSQL, 33,
			"Syntax error at end of statement: expected ')'"},
		{"DELETE FROM default.", kalam.CodeInvalidSQL, 21, "Syntax error at end of statement: expected table name"},
		{"DELETE FROM default WHERE id = 1", kalam.CodeInvalidSQL, 13,
			"Syntax error at or near 'default': expected table name; as a name it needs quotes: \"default\""},
		{"INSERT INTO default VALUES (1)", kalam.CodeInvalidSQL, 13,
			"Syntax error at or near 'default': expected table name; as a name it needs quotes: \"default\""},
		{"INSERT INTO default.t VALUES (1) x", kalam.CodeInvalidSQL, 34,
			"Syntax error at or near 'x': expected end of statement"},
		{"UPDATE default.t SET default.t.a.b = 1 WHERE id = 1", kalam.CodeInvalidSQL, 22,
			"SET takes columns of the statement's own table, not 'default.'"},
		{"CREATE TABLE default (id INT PRIMARY KEY)", kalam.CodeInvalidSQL, 14,
			"table name 'default' is a reserved word"},
		{"CREATE TABLE default.order (id INT PRIMARY KEY)", kalam.CodeInvalidSQL, 14,
			"table name 'order' is a reserved word"},
	} {
		c.check(t)
	}
	const sql = "SELECT default.t.a, oops FROM\n DEFAULT . t, default.u, last"
	q := mustParse(t, sql).(*ast.Select)
	for _, mark := range []string{"oops", "t, ", "u, last", "last"} {
		if got, want := q.Edits.Origin(q.Pos, strings.Index(q.SQL, mark)), strings.Index(sql, mark); got != want {
			t.Errorf("%q comes from %d, want %d", mark, got, want)
		}
	}
	if got, want := q.Edits.Origin(q.Pos, strings.Index(q.SQL, "FROM\n")+len("FROM\n ")),
		strings.Index(sql, "DEFAULT"); got != want {
		t.Errorf("the name comes from %d, want %d", got, want)
	}
}

// plainTokens are tokens of which no sequence has a keyword before a dot, nor
// anything else that is spelled differently for DuckDB.
var plainTokens = strings.Fields("a b1 t.b x.y.z \"c\" \"default.t\" 'default.t' $$order.x$$ SELECT default FROM " +
	"WHERE order END CASE NULL DEFAULT 12 1.5 .5 + - , ( ) = <> :: " +
	"a.default b.order.c /*default.t*/ t.* END.x user.t values.v")

// TestOtherTextStays checks that raw SQL without a keyword before a dot reaches
// DuckDB byte by byte.
func TestOtherTextStays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := "SELECT " + strings.Join(rapid.SliceOfN(rapid.SampledFrom(plainTokens), 0, 12).Draw(t, "tokens"),
			rapid.SampledFrom([]string{" ", "\n", "  "}).Draw(t, "blank"))
		st, err := dialect.Parse(text)
		if err != nil {
			return
		}
		if q := st.(*ast.Select); !strings.HasPrefix(text, q.SQL) || len(q.Edits) > 0 {
			t.Fatalf("%q becomes %q", text, q.SQL)
		}
	})
}
