package dialect_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/dialect"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/sqltext"
)

// options of cmp: positions and edits have tests of their own.
var options = cmp.Options{
	cmpopts.IgnoreTypes(sqltext.Edits{}),
	cmp.Comparer(func(a, b kalam.Value) bool { return a == b }),
}

func mustParse(t *testing.T, sql string) ast.Statement {
	t.Helper()
	st, err := dialect.Parse(sql)
	if err != nil {
		t.Fatalf("%s\n%v", sql, err)
	}
	return st
}

// show renders expressions shortly: kind:text.
func show(x ast.Expr) string {
	switch x.Kind {
	case ast.ExprNull:
		return "NULL"
	case ast.ExprBool:
		return fmt.Sprint(x.Bool)
	case ast.ExprNumber:
		return "n:" + x.Text
	case ast.ExprString:
		return "s:" + x.Text
	case ast.ExprBytes:
		return fmt.Sprintf("b:%x", x.Text)
	case ast.ExprParam:
		return fmt.Sprintf("$%d", x.Param)
	case ast.ExprDefault:
		return "DEFAULT"
	case ast.ExprFunc:
		return "f:" + x.Text
	}
	return "o:" + x.Text
}

func showRows(rows [][]ast.Expr) []string {
	var out []string
	for _, r := range rows {
		var cells []string
		for _, x := range r {
			cells = append(cells, show(x))
		}
		out = append(out, strings.Join(cells, "|"))
	}
	return out
}

func TestInsertValues(t *testing.T) {
	for _, c := range []struct {
		name, values string
		want         []string
	}{
		{"numbers", "(1, -2, +3, - 4, 1.5, -0.25, 1e3, -1.5E-2, .5, 5., 1_000)",
			[]string{"n:1|n:-2|n:3|n:-4|n:1.5|n:-0.25|n:1e3|n:-1.5E-2|n:0.5|n:5|n:1000"}},
		{"strings", "('a', '', 'it''s', '''', 'a;b', '(,)')", []string{"s:a|s:|s:it's|s:'|s:a;b|s:(,)"}},
		{"escape strings", `(E'a\n\t\'\\', e'\x41\101\u00e9\U0001F600\q', E'it''s')`,
			[]string{"s:a\n\t'\\|s:AAé😀q|s:it's"}},
		{"dollar strings", "($$it's$$, $t$a$$b$t$)", []string{"s:it's|s:a$$b"}},
		{"continued string", "('a'\n'b', E'\\x41' -- c\n 'b\\n')", []string{"s:ab|s:Ab\n"}},
		{"strings without newline are no literal", "('a' 'b')", []string{"o:'a' 'b'"}},
		{"NUL", "('a\x00b')", []string{"s:a\x00b"}},
		{"words", "(NULL, null, TRUE, false, DEFAULT, True)", []string{"NULL|NULL|true|false|DEFAULT|true"}},
		{"bytes", "(X'0aFF', x'', 0x0aff, 0x)", []string{"b:0aff|b:|b:0aff|b:"}},
		{"placeholders", "($1, $2 , $1)", []string{"$1|$2|$1"}},
		{"functions",
			"(NOW(), now ( ), CURRENT_TIMESTAMP, current_timestamp(), SNOWFLAKE_ID(), UUID_V7(), ULID(), " +
				"CURRENT_USER, CURRENT_USER(), CURRENT_USER_ID())",
			[]string{"f:NOW|f:NOW|f:CURRENT_TIMESTAMP|f:CURRENT_TIMESTAMP|f:SNOWFLAKE_ID|" +
				"f:UUID_V7|f:ULID|f:CURRENT_USER|f:CURRENT_USER|f:CURRENT_USER_ID"}},
		{"expressions",
			"(1 + 2, upper('a'), TIMESTAMP '2024-01-01', '1'::int, CAST('1' AS int), NOW() - INTERVAL 1 DAY, " +
				"(SELECT max(id), 1 FROM t), [1, 2], {'a': 1}, now, -x, 300s)",
			[]string{"o:1 + 2|o:upper('a')|o:TIMESTAMP '2024-01-01'|o:'1'::int|o:CAST('1' AS int)|o:NOW() - " +
				"INTERVAL 1 DAY|o:(SELECT max(id), 1 FROM t)|o:[1, 2]|o:{'a': 1}|o:now|o:-x|o:300s"}},
		{"comments", "(/* a */ 1 -- b\n, 2 /* c */)/* d */, -- e\n (3,4)", []string{"n:1|n:2", "n:3|n:4"}},
		{"rows", "(1,'a'),(2,'b')\n,\n(3,'c')", []string{"n:1|s:a", "n:2|s:b", "n:3|s:c"}},
		{"mixed rows", "(1,'a'),(1+1,'it''s'),($1,NULL)", []string{"n:1|s:a", "o:1+1|s:it's", "$1|NULL"}},
		{"names that begin like words", "(nullable, truex, default_value, now1())",
			[]string{"o:nullable|o:truex|o:default_value|o:now1()"}},
		{"rewrites", "(data ? 'k', `c`, f(X'0a'))", []string{`o:json_contains(data , 'k')|o:"c"|o:f('\x0A'::BLOB)`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			st := mustParse(t, "INSERT INTO t VALUES "+c.values).(*ast.Insert)
			if d := cmp.Diff(c.want, showRows(st.Rows)); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestInsertLarge(t *testing.T) {
	sql := insertText(5000)
	st := mustParse(t, sql).(*ast.Insert)
	if len(st.Rows) != 5000 {
		t.Fatalf("got %d rows", len(st.Rows))
	}
	for i, r := range st.Rows {
		if len(r) != 6 || r[0].Text != fmt.Sprint(1700000000000+i) || sql[r[5].Pos] != '\'' ||
			r[5].Kind != ast.ExprString {
			t.Fatalf("row %d is %v", i, r)
		}
	}
}

func TestInsert(t *testing.T) {
	name := func(pos int, parts ...string) ast.Name { return ast.Name{Parts: parts, Pos: pos} }
	for _, c := range []struct {
		name, sql string
		want      ast.Insert
	}{
		{"columns", `INSERT INTO ns.T (A, "B", c) VALUES (1, 2, 3)`, ast.Insert{
			Table: name(12, "ns", "t"), Columns: []ast.Ident{{Name: "a", Pos: 18},
				{Name: "b", Quoted: true, Pos: 21}, {Name: "c", Pos: 26}},
		}},
		{"overriding", "INSERT INTO t (a) overriding SYSTEM value SELECT 1", ast.Insert{
			Table: name(12, "t"), Columns: []ast.Ident{{Name: "a", Pos: 15}}, Overriding: true,
			Select: "SELECT 1", SelectPos: 42,
		}},
		{"user qualifier", "INSERT INTO ns.user.t VALUES (1)", ast.Insert{Table: name(12, "ns", "user", "t")}},
		{"alias", "INSERT INTO t AS x VALUES (1)", ast.Insert{Table: name(12, "t"), Alias: "x"}},
		{"backticks", "INSERT INTO `n`.`T` VALUES (1)", ast.Insert{Table: name(12, "n", "t")}},
		{"default values", "INSERT INTO t DEFAULT VALUES RETURNING *", ast.Insert{
			Table: name(12, "t"), Defaults: true, Returning: []ast.ReturnExpr{{SQL: "*", Pos: 39}},
		}},
		{"select", "INSERT INTO t SELECT a FROM u JOIN v ON conflict = 1 WHERE x = $1", ast.Insert{
			Table: name(12, "t"), Select: "SELECT a FROM u JOIN v ON conflict = 1 WHERE x = $1", SelectPos: 14,
			Params: 1,
		}},
		{"select in parentheses", "INSERT INTO t (SELECT 1)",
			ast.Insert{Table: name(12, "t"), Select: "(SELECT 1)", SelectPos: 14}},
		{"with", "INSERT INTO t (a) WITH x AS (SELECT 1) SELECT * FROM x ON CONFLICT DO NOTHING", ast.Insert{
			Table: name(12, "t"), Columns: []ast.Ident{{Name: "a", Pos: 15}},
			Select: "WITH x AS (SELECT 1) SELECT * FROM x", SelectPos: 18,
			Conflict: &ast.OnConflict{DoNothing: true, Pos: 55},
		}},
		{"column named values", "INSERT INTO t (values) VALUES (1)",
			ast.Insert{Table: name(12, "t"), Columns: []ast.Ident{{Name: "values", Pos: 15}}}},
		{"do update",
			"INSERT INTO t VALUES (1) ON CONFLICT (id, k) DO UPDATE SET a = EXCLUDED.a, b = 2 WHERE t.a < $1 " +
				"RETURNING id",
			ast.Insert{
				Table: name(12, "t"), Params: 1,
				Conflict: &ast.OnConflict{
					Columns: []ast.Ident{{Name: "id", Pos: 38}, {Name: "k", Pos: 42}}, Pos: 25, Where: "t.a < $1",
					WherePos: 87,
					Set: []ast.Assign{
						{Column: ast.Ident{Name: "a", Pos: 59},
							Value: ast.Expr{Kind: ast.ExprOther, Text: "EXCLUDED.a",
								Pos: 63}},
						{Column: ast.Ident{Name: "b", Pos: 75},
							Value: ast.Expr{Kind: ast.ExprNumber, Text: "2", Pos: 79}},
					},
				},
				Returning: []ast.ReturnExpr{{SQL: "id", Column: "id", Pos: 106}},
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := mustParse(t, c.sql).(*ast.Insert)
			got.Rows = nil
			if d := cmp.Diff(&c.want, got, options); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestUpdateAndDelete(t *testing.T) {
	for _, c := range []struct {
		name, sql string
		want      ast.Statement
	}{
		{"update by key", "UPDATE ns.t SET a = 1, b = $1 WHERE id = $2", &ast.Update{
			Table: ast.Name{Parts: []string{"ns", "t"}, Pos: 7},
			Set: []ast.Assign{
				{Column: ast.Ident{Name: "a", Pos: 16},
					Value: ast.Expr{Kind: ast.ExprNumber, Text: "1", Pos: 20}},
				{Column: ast.Ident{Name: "b", Pos: 23},
					Value: ast.Expr{Kind: ast.ExprParam, Param: 1, Pos: 27}},
			},
			Where: "id = $2", WherePos: 36, Params: 2,
			KeyEquals: []ast.ColumnEquals{{Column: ast.Ident{Name: "id", Pos: 36},
				Value: ast.Expr{Kind: ast.ExprParam, Param: 2, Pos: 41}}},
		}},
		{"no where", "UPDATE t SET a = upper(b)", &ast.Update{
			Table: ast.Name{Parts: []string{"t"}, Pos: 7},
			Set: []ast.Assign{{Column: ast.Ident{Name: "a", Pos: 13},
				Value: ast.Expr{Kind: ast.ExprOther, Text: "upper(b)", Pos: 17}}},
		}},
		{"alias and distinct from",
			"UPDATE t AS x SET x.a = b IS DISTINCT FROM c WHERE x.a > 1 RETURNING x.*, a + 1 AS Sum, count",
			&ast.Update{
				Table: ast.Name{Parts: []string{"t"}, Pos: 7}, Alias: "x", Where: "x.a > 1", WherePos: 51,
				Set: []ast.Assign{{Column: ast.Ident{Name: "a", Pos: 20},
					Value: ast.Expr{Kind: ast.ExprOther, Text: "b IS DISTINCT FROM c", Pos: 24}}},
				Returning: []ast.ReturnExpr{
					{SQL: "*", Pos: 69}, {SQL: "a + 1", Alias: "sum", Pos: 74},
					{SQL: "count", Column: "count", Pos: 88},
				},
			}},
		{"tuple", "UPDATE t SET (a, b) = (1, NOW()), c = DEFAULT WHERE true", &ast.Update{
			Table: ast.Name{Parts: []string{"t"}, Pos: 7}, Where: "true", WherePos: 52,
			Set: []ast.Assign{
				{Column: ast.Ident{Name: "a", Pos: 14},
					Value: ast.Expr{Kind: ast.ExprNumber, Text: "1", Pos: 23}},
				{Column: ast.Ident{Name: "b", Pos: 17},
					Value: ast.Expr{Kind: ast.ExprFunc, Text: "NOW", Pos: 26}},
				{Column: ast.Ident{Name: "c", Pos: 34}, Value: ast.Expr{Kind: ast.ExprDefault, Pos: 38}},
			},
		}},
		{"delete", "DELETE FROM t x WHERE `a` = 'x' OR b ? 'k';", &ast.Delete{
			Table: ast.Name{Parts: []string{"t"}, Pos: 12}, Alias: "x",
			Where: `"a" = 'x' OR json_contains(b , 'k')`, WherePos: 22,
		}},
		{"delete without where", "delete from t returning *", &ast.Delete{
			Table: ast.Name{Parts: []string{"t"}, Pos: 12}, Returning: []ast.ReturnExpr{{SQL: "*", Pos: 24}},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if d := cmp.Diff(c.want, mustParse(t, c.sql), options); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestKeyEquals(t *testing.T) {
	for _, c := range []struct{ where, want string }{
		{"id = 1", "id=n:1"},
		{"id = -1", "id=n:-1"},
		{"ID='x'", "id=s:x"},
		{"id == 1", "id=n:1"},
		{"1 = id", "id=n:1"},
		{"$1 = t.id AND k = X'0a'", "id=$1 k=b:0a"},
		{"((id = 1) AND (k = true))", "id=n:1 k=true"},
		{"ns.t.id = 1 and t.k = 2", "id=n:1 k=n:2"},
		{"ns.id = 1", ""},
		{"t.ns.id = 1", ""},
		{"t.t.id = 1", ""},
		{"a.b.c.t.id = 1", ""},
		{"id = 1 AND id = 2", "id=n:1 id=n:2"},
		{"id = 1e3", ""},
		{"id = 9007199254740992e0", ""},
		{"id = 1.0", ""},
		{"id = 1.5", ""},
		{"1.5 = id", ""},
		{"id = .5", ""},
		{"id = 5.", "id=n:5"},
		{"id = 1_000", "id=n:1000"},
		{"id = +007", "id=n:007"},
		{"id = - -1", ""},
		{"id = -$1", ""},
		{"id = 'a'\n'b'", "id=s:ab"},
		{"id = E'a\\n'", "id=s:a\n"},
		{"id = $$x$$", "id=s:x"},
		{"id = DATE '2024-01-01'", ""},
		{"id = 'x' COLLATE nocase", ""},
		{"id = 1 = true", ""},
		{"1 = id = 2", ""},
		{"true = id", ""},
		{"id = 1 IS NULL", ""},
		{"(id, k) = (1, 2)", ""},
		{"((((id = 1)))) AND (((k = 2)))", "id=n:1 k=n:2"},
		{"(id = 1 AND (k = 2))", "id=n:1 k=n:2"},
		{"NOT (id = 1)", ""},
		{"(id = 1) = (k = 1)", ""},
		{"(id = 1) IS TRUE", ""},
		{"id = 1 AND NOT k = 2", ""},
		{"id = 1 AND TRUE", ""},
		{"id <> 1", ""},
		{"id == $1 AND k := 2", ""},
		{"id = DEFAULT", ""},
		{"id = k AND k = 1", ""},
		{"id = x'0a' AND k = 0x0b", "id=b:0a k=b:0b"},
		{"id = CURRENT_USER", ""},
		{"id BETWEEN 1 AND k = 2", ""},
		{"id = 1 OR (k = 2 AND id = 3)", ""},
		{"CASE WHEN id = 1 THEN true END", ""},
		{"id = (SELECT 1)", ""},
		{"id = ANY ($1)", ""},
		{"id IS NOT DISTINCT FROM 1", ""},
		{"`id` = 1 AND \"K\" = 2", "id=n:1 k=n:2"},
		{"id = 1 /* c */ AND -- d\n k = 2", "id=n:1 k=n:2"},
		{"u.id = 1", ""},
		{"id = NULL", ""},
		{"id = NOW()", ""},
		{"id = 1 OR k = 2", ""},
		{"id = 1 AND k > 2", ""},
		{"id = 1 AND k", ""},
		{"NOT id = 1", ""},
		{"id = 1 + 1", ""},
		{"id = 1::bigint", ""},
		{"id = 'a' 'b'", ""},
		{"id = 1 AND (k = 2", "error"},
		{"(id = 1 AND) k = 2", ""},
		{"id = k", ""},
		{"id IN (1)", ""},
		{"id = (1)", ""},
	} {
		for _, sql := range []string{"DELETE FROM ns.t WHERE " + c.where,
			"UPDATE ns.t SET a = 1 WHERE " + c.where + " RETURNING *"} {
			st, err := dialect.Parse(sql)
			if err != nil {
				if c.want != "error" {
					t.Errorf("%s: %v", sql, err)
				}
				continue
			}
			terms := []ast.ColumnEquals{}
			switch st := st.(type) {
			case *ast.Delete:
				terms = st.KeyEquals
			case *ast.Update:
				terms = st.KeyEquals
			}
			var got []string
			for _, k := range terms {
				got = append(got, k.Column.Name+"="+show(k.Value))
			}
			if s := strings.Join(got, " "); s != c.want {
				t.Errorf("%s: got %q, want %q", sql, s, c.want)
			}
		}
	}
	if st := mustParse(t, "UPDATE t x SET a = 1 WHERE t.id = 1").(*ast.Update); st.KeyEquals != nil {
		t.Error("the table's own name qualifies a column although there is an alias")
	}
}

func TestDMLErrors(t *testing.T) {
	const sql, no = kalam.CodeInvalidSQL, kalam.CodeUnsupported
	for _, c := range []struct {
		sql  string
		code kalam.Code
		pos  int
		want string
	}{
		{"INSERT t VALUES (1)", sql, 8, "Syntax error at or near 't': expected INTO"},
		{"INSERT INTO", sql, 12, "Syntax error at end of statement: expected table name"},
		{"INSERT INTO VALUES (1)", sql, 21, "Syntax error at or near '1': expected column name"},
		{"INSERT INTO select VALUES (1)", sql, 13,
			"Syntax error at or near 'select': expected table name; as a name it needs quotes: \"select\""},
		{"INSERT INTO a.b.c.d VALUES (1)", sql, 18, "table name has more than three parts"},
		{"INSERT INTO t", sql, 14, "Syntax error at end of statement: expected VALUES, DEFAULT VALUES or a query"},
		{"INSERT INTO t (a", sql, 17, "Syntax error at end of statement: expected ')'"},
		{"INSERT INTO t VALUES", sql, 21, "Syntax error at end of statement: expected '('"},
		{"INSERT INTO t VALUES (1", sql, 24, "Syntax error at end of statement: expected ',' or ')'"},
		{"INSERT INTO t VALUES (1,", sql, 25, "Syntax error at end of statement: expected a value"},
		{"INSERT INTO t VALUES (1,)", sql, 25, "Syntax error at or near ')': expected a value"},
		{"INSERT INTO t VALUES ()", sql, 23, "Syntax error at or near ')': expected a value"},
		{"INSERT INTO t VALUES (1),", sql, 26, "Syntax error at end of statement: expected '('"},
		{"INSERT INTO t VALUES (1), x", sql, 27, "Syntax error at or near 'x': expected '('"},
		{"INSERT INTO t VALUES (1) x", sql, 26, "Syntax error at or near 'x': expected end of statement"},
		{"INSERT INTO t VALUES (1;2)", sql, 24, "Syntax error at or near ';': expected ',' or ')'"},
		{"INSERT INTO t VALUES (f(1;2))", sql, 26, "Syntax error at or near ';': expected ')'"},
		{"INSERT INTO t VALUES (1], 2)", sql, 24, "Syntax error at or near ']': expected ',' or ')'"},
		{"INSERT INTO t VALUES ([1), 2)", sql, 25, "Syntax error at or near ')': expected ']'"},
		{"INSERT INTO t VALUES (1), (1, 2)", sql, 27, "INSERT row 2 has 2 values for 1 columns"},
		{"INSERT INTO t (a, b) VALUES (1)", sql, 29, "INSERT row 1 has 1 values for 2 columns"},
		{"INSERT INTO t VALUES ('a)", sql, 23, "Unterminated quoted string"},
		{"INSERT INTO t VALUES (1) /* x", sql, 26, "Unterminated comment"},
		{"INSERT INTO t VALUES (X'0')", sql, 23, "Syntax error: a hexadecimal literal needs an even number of digits"},
		{"INSERT INTO t VALUES (X'0g')", sql, 23,
			"Syntax error: a hexadecimal literal may only hold the digits 0-9 and a-f"},
		{`INSERT INTO t VALUES (E'\u12')`, sql, 23, "Syntax error: invalid Unicode escape in the string"},
		{`INSERT INTO t VALUES (E'\ud800')`, sql, 23, "Syntax error: invalid Unicode escape in the string"},
		{`INSERT INTO t VALUES (E'\xff')`, sql, 23, "Syntax error: the escapes of the string make invalid UTF-8"},
		{"INSERT INTO t VALUES ($0)", sql, 23, "Invalid parameter placeholder '$0'"},
		{"INSERT INTO t VALUES ($-1)", sql, 23, "Invalid parameter placeholder '$-1'"},
		{"INSERT INTO t VALUES ($name)", sql, 23, "Invalid parameter placeholder '$name'"},
		{"INSERT INTO t VALUES ($99999999999999999999)", sql, 23,
			"Invalid parameter placeholder '$99999999999999999999'"},
		{"INSERT INTO t VALUES ($1, $3)", sql, 27, "Invalid parameter placeholder '$3'"},
		{"INSERT INTO t VALUES ($2)", sql, 23, "Invalid parameter placeholder '$2'"},
		{"INSERT INTO t VALUES (?)", sql, 23, "Invalid parameter placeholder '?'; placeholders are $1, $2, ..."},
		{"INSERT INTO t (a) DEFAULT VALUES", sql, 16, "INSERT ... DEFAULT VALUES takes no column list"},
		{"INSERT INTO t SET a = 1", no, 15, "INSERT ... SET is not supported; use INSERT ... VALUES"},
		{"INSERT OR REPLACE INTO t VALUES (1)", no, 8,
			"INSERT OR REPLACE is not supported; use INSERT ... ON CONFLICT"},
		{"REPLACE INTO t VALUES (1)", no, 1, "REPLACE is not supported; use INSERT ... ON CONFLICT (key) DO UPDATE"},
		{"INSERT INTO t VALUES (1) ON CONFLICT", sql, 37, "Syntax error at end of statement: expected DO"},
		{"INSERT INTO t VALUES (1) ON CONFLICT (id) DO UPDATE", sql, 52,
			"Syntax error at end of statement: expected SET"},
		{"INSERT INTO t VALUES (1) ON CONFLICT ON CONSTRAINT c DO NOTHING", no, 38,
			"ON CONFLICT ON CONSTRAINT is not supported; name the primary key columns"},
		{"INSERT INTO t VALUES (1) ON CONFLICT (id) WHERE a DO NOTHING", no, 43,
			"a condition on the conflict target is not supported"},
		{"INSERT INTO t VALUES (1) ON DUPLICATE KEY UPDATE a = 1", no, 26,
			"ON DUPLICATE KEY is not supported; use ON CONFLICT (key) DO UPDATE SET c = EXCLUDED.c"},
		{"INSERT INTO t SELECT 1 ON DUPLICATE KEY UPDATE a = 1", no, 24,
			"ON DUPLICATE KEY is not supported; use ON CONFLICT (key) DO UPDATE SET c = EXCLUDED.c"},
		{"INSERT INTO t VALUES (1) RETURNING", sql, 35,
			"Syntax error at end of statement: expected an expression after RETURNING"},
		{"INSERT INTO t VALUES (1) RETURNING a,", sql, 38,
			"Syntax error at end of statement: expected an expression after RETURNING"},
		{"INSERT INTO t VALUES (1) RETURNING a AS", sql, 40, "Syntax error at end of statement: expected alias"},
		{"INSERT INTO t VALUES (1) RETURNING a FROM x WHERE 1", sql, 38,
			"Syntax error at or near 'FROM': expected end of statement"},
		{"INSERT INTO t VALUES (1) RETURNING * AS x", sql, 38,
			"Syntax error at or near 'AS': expected end of statement"},
		{"INSERT INTO t VALUES (1) RETURNING FROM", sql, 36,
			"Syntax error at or near 'FROM': expected an expression after RETURNING"},
		{"INSERT INTO t VALUES (SELECT 1)", sql, 23, "Syntax error at or near 'SELECT': expected a value"},
		{"INSERT INTO t VALUES (1 UNION SELECT 2)", sql, 25, "Syntax error at or near 'UNION': expected ',' or ')'"},
		{"INSERT INTO t VALUES (1 FROM u)", sql, 25, "Syntax error at or near 'FROM': expected ',' or ')'"},
		{"INSERT OVERWRITE t VALUES (1)", no, 8, "INSERT OVERWRITE T is not supported; use INSERT ... ON CONFLICT"},
		{"INSERT INTO t AS select VALUES (1)", sql, 18,
			"Syntax error at or near 'select': expected alias; as a name it needs quotes: \"select\""},
		{"INSERT INTO t (a, select) VALUES (1)", sql, 19,
			"Syntax error at or near 'select': expected column name; as a name it needs quotes: \"select\""},
		{"INSERT INTO t (a.b) VALUES (1)", sql, 17, "Syntax error at or near '.': expected ')'"},
		{"INSERT INTO t VALUES (1, (2)", sql, 29, "Syntax error at end of statement: expected ',' or ')'"},
		{"INSERT INTO t VALUES (1) ON CONFLICT (id) DO UPDATE SET a = 1 WHERE", sql, 68,
			"Syntax error at end of statement: expected a condition after WHERE"},
		{"INSERT INTO t VALUES (1) ON CONFLICT (id) DO DELETE", sql, 46,
			"Syntax error at or near 'DELETE': expected UPDATE"},
		{"INSERT INTO t VALUES (1) ON CONFLICT (id", sql, 41, "Syntax error at end of statement: expected ')'"},
		{"INSERT INTO t VALUES (1) ON a", sql, 29, "Syntax error at or near 'a': expected CONFLICT"},
		{"INSERT INTO \"\" VALUES (1)", sql, 13, "table name is empty"},
		{"INSERT INTO t (SELECT 1", sql, 24, "Syntax error at end of statement: expected ')'"},
		{"INSERT INTO t SELECT $2", sql, 22, "Invalid parameter placeholder '$2'"},
		{"INSERT INTO t VALUES ($65536)", sql, 23, "Invalid parameter placeholder '$65536'"},
		{"INSERT INTO t VALUES (f(X'0'))", sql, 25,
			"Syntax error: a hexadecimal literal needs an even number of digits"},
		{`INSERT INTO t VALUES (f(E'\u12'))`, sql, 25, "Syntax error: invalid Unicode escape in the string"},

		{"UPDATE t", sql, 9, "Syntax error at end of statement: expected SET"},
		{"UPDATE t SET", sql, 13, "Syntax error at end of statement: expected column name"},
		{"UPDATE t SET a 1", sql, 16, "Syntax error at or near '1': expected '='"},
		{"UPDATE t SET a =", sql, 17, "Syntax error at end of statement: expected a value"},
		{"UPDATE t SET a = WHERE b = 1", sql, 18, "Syntax error at or near 'WHERE': expected a value"},
		{"UPDATE t SET u.a = 1", sql, 14, "SET takes columns of the statement's own table, not 'u.'"},
		{"UPDATE ns.t SET ns.a = 1", sql, 17, "SET takes columns of the statement's own table, not 'ns.'"},
		{"UPDATE t x SET t.a = 1", sql, 16, "SET takes columns of the statement's own table, not 't.'"},
		{"UPDATE t SET t.t.a = 1", sql, 14, "SET takes columns of the statement's own table, not 't.'"},
		{"UPDATE t SET t. = 1", sql, 17, "Syntax error at or near '=': expected column name"},
		{"UPDATE t SET a = SELECT 1", sql, 18, "Syntax error at or near 'SELECT': expected a value"},
		{"UPDATE t SET a = 1 ORDER BY b", sql, 20, "Syntax error at or near 'ORDER': expected end of statement"},
		{"UPDATE t SET a = 1 LIMIT 5", sql, 20, "Syntax error at or near 'LIMIT': expected end of statement"},
		{"UPDATE t SET a[1] = 2", sql, 15, "Syntax error at or near '[': expected '='"},
		{"UPDATE t SET (a, b) 1", sql, 21, "Syntax error at or near '1': expected '='"},
		{"UPDATE t SET (a, b) = 1", sql, 23, "Syntax error at or near '1': expected '('"},
		{"UPDATE t SET (a, b) = (1, 2, 3)", sql, 23, "SET has 3 values for 2 columns"},
		{"UPDATE t SET (a) = (1", sql, 22, "Syntax error at end of statement: expected ')'"},
		{"UPDATE t SET (a) = (", sql, 21, "Syntax error at end of statement: expected a value"},
		{"UPDATE t SET () = ()", sql, 15, "Syntax error at or near ')': expected column name"},
		{"UPDATE t AS select SET a = 1", sql, 13,
			"Syntax error at or near 'select': expected alias; as a name it needs quotes: \"select\""},
		{"UPDATE t SET a = 1 WHERE b = 1 FROM u", sql, 32,
			"Syntax error at or near 'FROM': expected RETURNING or end of statement after the WHERE clause"},
		{"UPDATE t SET a = 1 WHERE b = 1, c = 2", sql, 31, "Syntax error at or near ',': expected end of statement"},
		{"UPDATE t SET a = 1 WHERE b = $1 AND c = $3", sql, 41, "Invalid parameter placeholder '$3'"},
		{"UPDATE t SET a = 1 RETURNING", sql, 29,
			"Syntax error at end of statement: expected an expression after RETURNING"},
		{"UPDATE t SET (a, b) = (1)", sql, 23, "SET has 1 values for 2 columns"},
		{"UPDATE t SET (a, b) = (SELECT 1, 2)", no, 23,
			"SET (...) = (query) is not supported; assign each column its own subquery"},
		{"UPDATE t SET a = 1 FROM", sql, 24, "Syntax error at end of statement: expected a table after FROM"},
		{"UPDATE t SET a = 1 FROM WHERE b = 1", sql, 25,
			"Syntax error at or near 'WHERE': expected a table after FROM"},
		{"UPDATE t SET a = 1 WHERE", sql, 25, "Syntax error at end of statement: expected a condition after WHERE"},
		{"UPDATE t SET a = 1 WHERE a = 1)", sql, 31, "Syntax error at or near ')': expected end of statement"},
		{"UPDATE t SET a = 1 WHERE (a = 1", sql, 32, "Syntax error at end of statement: expected ')'"},
		{"UPDATE t SET a = 1 WHERE a = 1 ORDER BY b", sql, 32,
			"Syntax error at or near 'ORDER': expected RETURNING or end of statement after the WHERE clause"},
		{"DELETE FROM t WHERE 1 = 1 UNION SELECT 1", sql, 27,
			"Syntax error at or near 'UNION': expected RETURNING or end of statement after the WHERE clause"},
		{"DELETE t WHERE a = 1", sql, 8, "Syntax error at or near 't': expected FROM"},
		{"DELETE FROM t USING WHERE a = 1", sql, 21, "Syntax error at or near 'WHERE': expected a table after USING"},
		{"TRUNCATE", sql, 9, "Syntax error at end of statement: expected table name"},
		{"TRUNCATE a,", sql, 12, "Syntax error at end of statement: expected table name"},
		{"TRUNCATE a, b RESTART IDENTITY", no, 15,
			"TRUNCATE ... RESTART IDENTITY is not supported: a counter gives no value twice, and " +
				"clients may hold ids of rows that are gone; DROP TABLE takes the counters along"},
		{"TRUNCATE a WHERE b", sql, 12, "Syntax error at or near 'WHERE': expected end of statement"},
		{"DELETE FROM", sql, 12, "Syntax error at end of statement: expected table name"},
		{"DELETE FROM t AS", sql, 17, "Syntax error at end of statement: expected alias"},
		{"DELETE FROM t LIMIT 5", sql, 15, "Syntax error at or near 'LIMIT': expected end of statement"},
		{"DELETE FROM t WHERE a = 1 RETURNING", sql, 36,
			"Syntax error at end of statement: expected an expression after RETURNING"},
		{"DELETE FROM t WHERE a ? ", sql, 23, "Invalid parameter placeholder '?'; placeholders are $1, $2, ..."},
		{"DELETE FROM t WHERE a = $2", sql, 25, "Invalid parameter placeholder '$2'"},
	} {
		t.Run(c.sql, func(t *testing.T) {
			_, err := dialect.Parse(c.sql)
			checkError(t, err, c.code, c.pos, c.want)
		})
	}
}

// TestOtherRelations: what a statement that writes rows reads beside its table is left
// to the query engine, word for word (case A7).
func TestOtherRelations(t *testing.T) {
	parse := func(sql string) ast.Statement {
		t.Helper()
		st, err := dialect.Parse(sql)
		if err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		return st
	}
	u := parse("WITH x(a) AS (SELECT $1), y AS (SELECT (1)) UPDATE t AS q SET n = b.n, v = $2 FROM b JOIN x ON " +
		"(b.id = x.a) WHERE q.id = 1 RETURNING n").(*ast.Update)
	if u.With.SQL != "WITH x(a) AS (SELECT $1), y AS (SELECT (1))" || u.From.SQL != "b JOIN x ON (b.id = x.a)" ||
		u.Where != "q.id = 1" || u.KeyEquals != nil || u.Params != 2 {
		t.Errorf("UPDATE: %+v", u)
	}
	d := parse("with x as (select 1) delete from t using x, `b`.c as d where true").(*ast.Delete)
	if d.With.SQL != "with x as (select 1)" || d.Using.SQL != `x, "b".c as d` || d.Alias != "" {
		t.Errorf("DELETE: %+v", d)
	}
	i := parse("WITH x AS (SELECT 1) INSERT INTO t WITH y AS (FROM x) SELECT * FROM y").(*ast.Insert)
	if i.With.SQL != "WITH x AS (SELECT 1)" || i.Select != "WITH y AS (FROM x) SELECT * FROM y" {
		t.Errorf("INSERT: %+v", i)
	}
	for _, sql := range []string{"TRUNCATE a.b", "truncate table a.b",
		"TRUNCATE TABLE a.b CONTINUE IDENTITY CASCADE;", "TRUNCATE a.b RESTRICT"} {
		if st, ok := parse(sql).(*ast.Truncate); !ok || len(st.Tables) != 1 ||
			st.Tables[0].String() != "a.b" || st.Verb() != "TRUNCATE" {
			t.Errorf("%s: %+v", sql, st)
		}
	}
	if _, ok := parse("WITH x AS (SELECT 1) SELECT insert FROM x").(*ast.Select); !ok {
		t.Error("a query is taken for an INSERT")
	}
}
