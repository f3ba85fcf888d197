package query_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query/guard"
	"github.com/kalamlake/kalam/query/tree"
	"github.com/kalamlake/kalam/query/worker"
)

// grammar makes random queries of DuckDB's grammar.
type grammar struct {
	*rand.Rand
	next int
}

func (g *grammar) pick(list ...string) string { return list[g.IntN(len(list))] }

// some returns one to three things with commas between.
func (g *grammar) some(f func() string) string {
	list := []string{f()}
	for g.IntN(2) == 0 && len(list) < 3 {
		list = append(list, f())
	}
	return strings.Join(list, ", ")
}

func (g *grammar) name() string {
	return g.pick("a", "b", "c", `"Q c"`, `"select"`, "t.a", `t."x.y"`, "u.b", `"a""b"`)
}

func (g *grammar) literal() string {
	return g.pick(
		"0",
		"1",
		"-1",
		"- 1",
		"9223372036854775807",
		"9223372036854775808",
		"-9223372036854775808",
		"123456789012345678901234567890123456789012345",
		"1.5",
		".5",
		"5.",
		"00.10",
		"-0.0",
		"1e0",
		"-1e0",
		"1e-5",
		"1E300",
		"'x'",
		"'it''s'",
		"''",
		"'\\'",
		"E'a\\nb\\'c'",
		"$q$d'e$q$",
		"'a'\n'b'",
		"NULL",
		"TRUE",
		"FALSE",
		"DATE '2026-01-01'",
		"TIMESTAMP '2026-01-01 00:00:00'",
		"INTERVAL 1 DAY",
		"INTERVAL '2' HOURS",
		"INTERVAL (a) MINUTE",
		"'\\x00'::BLOB",
		"X'00FF'",
		"'ä\u00a0b'",
		"$1",
		"[]",
		"{'a': 1}",
		"1_000",
		"TIME '12:00'",
		"'infinity'::TIMESTAMP",
	)
}

func (g *grammar) typ() string {
	return g.pick(
		"INT",
		"BIGINT",
		"DOUBLE",
		"FLOAT",
		"REAL",
		"DECIMAL(10,2)",
		"DECIMAL",
		"VARCHAR",
		"TEXT",
		"BOOLEAN",
		"DATE",
		"TIMESTAMP",
		"TIMESTAMPTZ",
		"TIME",
		"BLOB",
		"UUID",
		"INTERVAL",
		"HUGEINT",
		"UBIGINT",
		"TINYINT",
		"INT[]",
		"INT[3]",
		"STRUCT(a INT, \"B c\" VARCHAR[])",
		"MAP(VARCHAR, INT)",
		"JSON",
		"TIMESTAMP_S",
		"TIMESTAMP_NS",
		"VARCHAR(10)",
		"BIT",
		"ENUM('a', 'it''s')",
		"UNION(n INT, s VARCHAR)",
	)
}

// expr returns an expression.
func (g *grammar) expr(depth int) string {
	if depth <= 0 {
		if g.IntN(2) == 0 {
			return g.name()
		}
		return g.literal()
	}
	x := func() string { return g.expr(depth - 1 - g.IntN(2)) }
	if g.IntN(4) == 0 {
		return "(" + x() + ")"
	}
	switch g.IntN(15) {
	case 0, 1:
		return x() + g.pick(
			" + ",
			" - ",
			" * ",
			" / ",
			" // ",
			" % ",
			" ** ",
			" ^ ",
			" || ",
			" & ",
			" | ",
			" << ",
			" >> ",
		) + x()
	case 2:
		return x() + g.pick(
			" = ",
			" <> ",
			" != ",
			" < ",
			" <= ",
			" > ",
			" >= ",
			" IS DISTINCT FROM ",
			" IS NOT DISTINCT FROM ",
		) + x()
	case 3:
		return x() + g.pick(" AND ", " OR ") + x()
	case 4:
		return g.pick("NOT ", "- ", "+ ", "~ ", "- -", "NOT NOT ") + x()
	case 5:
		return x() + g.pick(
			" IS NULL",
			" IS NOT NULL",
			" IS TRUE",
			" IS NOT FALSE",
			" ISNULL",
			" COLLATE NOCASE",
			"::"+g.typ(),
		)
	case 6:
		return x() + g.pick(
			"",
			" NOT",
		) + g.pick(
			" BETWEEN "+x()+" AND "+x(),
			" IN ("+x()+", "+x()+")",
			" LIKE 'a%'",
			" ILIKE "+x(),
			" SIMILAR TO 'a.*'",
			" LIKE 'a!%' ESCAPE '!'",
			" GLOB 'a*'",
			" IN ("+g.query(depth-2)+")",
		)
	case 7:
		return g.pick(
			"CASE WHEN "+x()+" THEN "+x()+" END",
			"CASE "+x()+" WHEN "+x()+" THEN "+x()+" ELSE "+x()+" END",
			"CASE WHEN "+x()+" THEN "+x()+" WHEN "+x()+" THEN "+x()+" ELSE "+x()+" END",
		)
	case 8:
		return g.pick("CAST(", "TRY_CAST(") + x() + " AS " + g.typ() + ")"
	case 9:
		return g.pick(
			"abs("+x()+")",
			"coalesce("+x()+", "+x()+")",
			"nullif("+x()+", "+x()+")",
			"greatest("+x()+", 1)",
			"upper("+x()+")",
			"substring("+x()+" FROM 2 FOR 1)",
			"position('a' IN "+x()+")",
			"extract(year FROM "+x()+")",
			"trim(LEADING 'x' FROM "+x()+")",
			"now()",
			"current_date",
			"date_trunc('day', "+x()+")",
			"struct_pack(Foo := "+x()+", b := 1)",
			"round("+x()+", 2)",
			"overlay('abc' PLACING 'x' FROM 2)",
			"list_sort("+x()+", 'DESC')",
		)
	case 10:
		return g.pick(
			"count(*)",
			"sum(DISTINCT "+x()+")",
			"max("+x()+") FILTER (WHERE "+x()+")",
			"string_agg("+x()+", ',' ORDER BY "+x()+" DESC NULLS LAST)",
			"list("+x()+" ORDER BY "+x()+")",
			"quantile_cont("+x()+", 0.5)",
			"count(*) FILTER (WHERE a > 1)",
			"first("+x()+" ORDER BY a)",
			"mode() WITHIN GROUP (ORDER BY "+x()+")",
			"avg("+x()+")",
		)
	case 11:
		return g.pick(
			"row_number()",
			"sum("+x()+")",
			"lag("+x()+", 2, 0)",
			"first_value("+x()+" IGNORE NULLS)",
			"count(*)",
			"rank()",
			"ntile(3)",
			"max("+x()+") FILTER (WHERE "+x()+")",
		) + " OVER (" + g.window(
			x,
		) + ")"
	case 12:
		return g.pick(
			"["+x()+", "+x()+"]",
			"{'k': "+x()+", Foo: "+x()+"}",
			"MAP {"+x()+": "+x()+"}",
			"("+x()+", "+x()+")",
			"("+x()+")[1]",
			"("+x()+")[1:2]",
			"("+x()+")[:-1]",
			"("+x()+").k",
			"ROW("+x()+", 1)",
			"b['k']",
			"("+x()+")[1:-1:2]",
		)
	case 13:
		return g.pick(
			"list_transform("+x()+", lambda v: v + "+x()+")",
			"[v + 1 for v in "+x()+" if v > 0]",
			"list_filter("+x()+", lambda v, i: i > 1)",
			"list_reduce([1, 2], lambda v, w: v + w)",
			x()+" -> 'k'",
			x()+" ->> '$.k'",
			x()+" AT TIME ZONE 'UTC'",
			"b.upper()",
			"("+x()+").substr(1, 2)",
		)
	}
	q := "(" + g.query(depth-2) + ")"
	return g.pick(
		q,
		"EXISTS "+q,
		"NOT EXISTS "+q,
		x()+" = ANY "+q,
		x()+" >= ALL "+q,
		x()+" NOT IN "+q,
		"ARRAY"+q,
		"("+x()+", 1) IN "+q,
	)
}

func (g *grammar) window(x func() string) string {
	out := g.pick("", "PARTITION BY "+x(), "PARTITION BY a, "+x())
	if g.IntN(2) == 0 {
		out += " ORDER BY " + x() + g.pick(
			"",
			" DESC",
			" ASC NULLS FIRST",
			" NULLS LAST",
		) + g.pick(
			"",
			"",
			" ROWS BETWEEN 1 PRECEDING AND CURRENT ROW",
			" RANGE BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING",
			" ROWS BETWEEN UNBOUNDED PRECEDING AND 2 FOLLOWING EXCLUDE CURRENT ROW",
			" GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING EXCLUDE TIES",
			" ROWS 3 PRECEDING",
		)
	}
	return out
}

// from returns a table reference.
func (g *grammar) from(depth int) string {
	g.next++
	alias := fmt.Sprintf(" AS r%d", g.next)
	if depth <= 0 {
		return g.pick(
			"t",
			"u",
			"ns.t",
			"t"+alias,
			"u"+alias+"(x, \"Y z\")",
			"range(3)"+alias+"(i)",
			"(VALUES (1, 'a'), (2, NULL))"+alias+"(p, q)",
			"generate_series(1, 3)",
			"unnest([1, 2])"+alias+"(n)",
		)
	}
	l, r := g.from(depth-1), g.from(depth-1-g.IntN(2))
	if g.IntN(3) == 0 {
		l = "(" + l + ")"
	}
	switch g.IntN(8) {
	case 0:
		return l + ", " + r
	case 1:
		return l + " CROSS JOIN " + g.pick(r, "("+r+")")
	case 2:
		return l + g.pick(" NATURAL JOIN ", " NATURAL LEFT JOIN ", " POSITIONAL JOIN ") + g.from(0)
	case 3:
		return l + g.pick(
			" JOIN ",
			" LEFT JOIN ",
			" FULL OUTER JOIN ",
			" SEMI JOIN ",
			" ANTI JOIN ",
		) + g.pick(
			r,
			"("+r+")",
		) + " USING (" + g.pick(
			"a",
			`"Q c"`,
			"a, b",
		) + ")"
	case 4:
		return "(" + g.query(depth-1) + ")" + alias + g.pick("", "(m, n)")
	case 5:
		return l + ", LATERAL (" + g.query(depth-1) + ")" + alias
	}
	return l + g.pick(
		" JOIN ",
		" INNER JOIN ",
		" LEFT JOIN ",
		" RIGHT JOIN ",
		" FULL JOIN ",
		" SEMI JOIN ",
		" ANTI JOIN ",
		" ASOF JOIN ",
		" ASOF LEFT JOIN ",
	) + g.pick(
		r,
		"("+r+")",
	) + " ON " + g.expr(
		1,
	)
}

func (g *grammar) item(depth int) string {
	x := g.expr(depth)
	return g.pick(
		x,
		x,
		x,
		x+" AS n",
		x+` AS "N m"`,
		x+" nn",
		"v: "+x,
		"*",
		"t.*",
		"* EXCLUDE (a)",
		"* REPLACE ("+x+" AS b)",
		"* RENAME (a AS z)",
		"COLUMNS('a.*')",
		"COLUMNS(*) + 1",
		"t.* EXCLUDE (a, \"Q c\")",
		"COLUMNS(lambda c: c LIKE 'a%')",
	)
}

// query returns a query.
func (g *grammar) query(depth int) string {
	if depth <= 0 {
		return g.pick(
			"SELECT 1",
			"SELECT a FROM t",
			"SELECT max(b) FROM u WHERE a = 1",
			"VALUES (1), (2)",
			"FROM t",
			"SELECT t.a FROM t LIMIT 1",
		)
	}
	switch g.IntN(9) {
	case 0:
		return g.operand(
			depth-1,
		) + g.pick(
			" UNION ",
			" UNION ALL ",
			" INTERSECT ",
			" EXCEPT ",
			" EXCEPT ALL ",
			" UNION BY NAME ",
			" UNION ALL BY NAME ",
		) + g.operand(
			depth-1,
		) + g.modifiers(
			depth-1,
		)
	case 1:
		return "WITH " + g.pick(
			"",
			"RECURSIVE ",
		) + g.pick(
			"q AS (",
			"q(x, y) AS (",
			"q AS MATERIALIZED (",
			"q AS NOT MATERIALIZED (",
		) + g.query(
			depth-1,
		) + "), p AS (" + g.query(
			depth-1,
		) + ") " + g.query(
			depth-1,
		)
	case 2:
		return g.pick(
			"SELECT * FROM (PIVOT t ON a USING sum(b) GROUP BY c)",
			"SELECT * FROM t PIVOT (sum(b) AS s, max(c) FOR a IN (1, 'x', 'it''s' AS z) GROUP BY c)",
			"SELECT * FROM t UNPIVOT (v FOR n IN (a, b AS Bee))",
			"SELECT * FROM t UNPIVOT INCLUDE NULLS ((v, w) FOR n IN ((a, b), (b, c) AS Two)) AS up",
			"SELECT * FROM (UNPIVOT t ON a, b INTO NAME n VALUE v)",
			"SELECT * FROM t PIVOT (count(*) FOR a IN (1, 2) b IN ('x'))",
		)
	}
	var b strings.Builder
	b.WriteString(
		"SELECT " + g.pick(
			"",
			"",
			"",
			"DISTINCT ",
			"DISTINCT ON ("+g.expr(1)+") ",
		) + g.some(
			func() string { return g.item(depth) },
		),
	)
	if g.IntN(6) > 0 {
		b.WriteString(" FROM " + g.from(g.IntN(3)))
		b.WriteString(g.pick("", "", "", "", "", "", "", "", " TABLESAMPLE 10%"))
	}
	if g.IntN(2) == 0 {
		b.WriteString(" WHERE " + g.expr(depth))
	}
	if g.IntN(4) == 0 {
		b.WriteString(
			" GROUP BY " + g.pick(
				"ALL",
				"1",
				g.some(func() string { return g.expr(1) }),
				"ROLLUP (a, b)",
				"CUBE (a, c)",
				"GROUPING SETS ((a, b), (a), ())",
				"a, ROLLUP (b)",
			),
		)
		b.WriteString(g.pick("", " HAVING "+g.expr(1)))
	}
	b.WriteString(
		g.pick("", "", "", "", "", " QUALIFY "+g.expr(1), " WINDOW w AS ("+g.window(func() string { return g.expr(0) })+")"),
	)
	return b.String() + g.modifiers(depth)
}

// operand returns a query that may stand beside a set operator.
func (g *grammar) operand(depth int) string {
	return g.pick("("+g.query(depth)+")", "SELECT "+g.expr(depth)+" FROM "+g.from(0), "VALUES (1)", "SELECT a, b FROM t")
}

func (g *grammar) modifiers(depth int) string {
	out := ""
	if g.IntN(3) == 0 {
		out = " ORDER BY " + g.pick(
			"ALL",
			"ALL DESC",
			"1",
			g.some(func() string { return g.expr(1) + g.pick("", " DESC", " ASC", " NULLS FIRST", " DESC NULLS LAST") }),
		)
	}
	if g.IntN(4) == 0 {
		out += " LIMIT " + g.pick("10", "0", "10%", "(SELECT 1)", "$1", "1 + 2") + g.pick("", " OFFSET 3", " OFFSET (1)")
	}
	return out
}

// comparable drops from a tree what means nothing: places, the subquery that VALUES is
// written as, how often commas nest, and the two forms of TRUE and FALSE.
func comparable(v any) any {
	switch v := v.(type) {
	case map[string]any:
		delete(v, "query_location")
		for k, x := range v {
			v[k] = comparable(x)
		}
		switch {
		case v["type"] == "SUBQUERY" && v["alias"] == "valueslist":
			return v["subquery"].(map[string]any)["node"].(map[string]any)["from_table"]
		case v["ref_type"] == "CROSS":
			return map[string]any{"comma": append(commas(v["left"]), commas(v["right"])...), "alias": v["alias"]}
		case v["class"] == "CAST" && fmt.Sprint(v["cast_type"]) == "map[id:BOOLEAN type_info:<nil>]":
			inner, _ := v["child"].(map[string]any)
			value, _ := inner["value"].(map[string]any)
			if is, ok := map[string]string{"t": "true", "f": "false"}[fmt.Sprint(value["value"])]; ok {
				return is
			}
		case v["class"] == "CONSTANT" && strings.Contains(fmt.Sprint(v["value"]), "id:BOOLEAN") &&
			v["value"].(map[string]any)["is_null"] == false:
			return fmt.Sprint(v["value"].(map[string]any)["value"])
		}
	case []any:
		for i, x := range v {
			v[i] = comparable(x)
		}
	}
	return v
}

// commas are the tables of a cross join, in their order.
func commas(v any) []any {
	if m, ok := v.(map[string]any); ok && m["comma"] != nil {
		return m["comma"].([]any)
	}
	return []any{v}
}

// TestEveryTextOfTheTree: the text that is written of an edited tree gives that tree again
// (case A4). KALAM_TREES sets the number of random queries, KALAM_SEED the seed.
func TestEveryTextOfTheTree(t *testing.T) {
	x, err := openExecutor(worker.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	p := &guard.Parser{Prefix: "kalam_0_", Grammar: x, User: testUser}
	g := &grammar{Rand: rand.New(rand.NewPCG(seedOf(t), 5))}
	texts := append([]string(nil), legitimate...)
	for range numberOf(t, "KALAM_TREES", 4000) {
		texts = append(texts, g.query(1+g.IntN(3)))
	}
	equal, refused, differences := 0, map[string]int{}, 0
	for _, q := range texts {
		edited, again, text, err := trees(t.Context(), p, q)
		if err != nil {
			var ke *kalam.Error
			if !asKalam(err, &ke) {
				t.Errorf("%s: %v", q, err)
				continue
			}
			refused[fmt.Sprintf("%.40s", ke.Msg)]++
			continue
		}
		a, b := fmt.Sprint(comparable(edited)), fmt.Sprint(comparable(again))
		if a == b {
			equal++
			continue
		}
		if differences++; differences <= 25 {
			t.Errorf("%s\nis written as\n%s\nwhich is another tree:\n%s", q, text, firstDifference(a, b))
		}
	}
	t.Logf("%d trees are equal, %d are not; refused: %v", equal, differences, refused)
}

// trees returns the tree of a query as it is after the rewrite, and the tree that its
// text gives when it is parsed.
func trees(ctx context.Context, p *guard.Parser, sql string) (edited, again any, text string, err error) {
	root, err := p.Parse(ctx, sql)
	if err != nil {
		return nil, nil, "", err
	}
	if _, err := p.Check(ctx, sql, root, true, nil); err != nil {
		return nil, nil, "", err
	}
	doc, err := tree.Encode(root)
	if err != nil {
		return nil, nil, "", err
	}
	text, parsed, err := p.Grammar.Rewrite(ctx, p.User, doc)
	if err != nil {
		return nil, nil, "", err
	}
	for _, x := range []struct {
		doc string
		to  *any
	}{{doc, &edited}, {parsed, &again}} {
		n, err := tree.Decode(x.doc)
		if err != nil {
			return nil, nil, "", err
		}
		statements := tree.Elems(n, "statements")
		if len(statements) != 1 {
			return nil, nil, "", kalam.Errorf(kalam.CodeUnsupported, "not one statement: %s", tree.Str(n, "error_message"))
		}
		st, _ := statements[0].(tree.Node)
		*x.to = st["node"]
	}
	return edited, again, text, nil
}
