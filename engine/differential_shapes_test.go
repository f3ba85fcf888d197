package engine_test

import (
	"fmt"
	"strings"
)

// diffShapes are the forms of queries, by name.
var diffShapes = []struct {
	name string
	make func(*diffQuery) string
}{
	{"select", (*diffQuery).plainSelect}, {"select", (*diffQuery).plainSelect}, {"top", (*diffQuery).top}, {"top",
		(*diffQuery).top},
	{"key", (*diffQuery).byKey}, {"aggregate", (*diffQuery).aggregate}, {"group", (*diffQuery).group}, {"group",
		(*diffQuery).group},
	{"sets", (*diffQuery).groupingSets}, {"join", (*diffQuery).join}, {"join", (*diffQuery).join}, {"set operation",
		(*diffQuery).setOperation},
	{"window", (*diffQuery).window}, {"with", (*diffQuery).with}, {"derived", (*diffQuery).derived}, {"distinct",
		(*diffQuery).distinct},
	{"distinct on", (*diffQuery).distinctOn}, {"correlated", (*diffQuery).correlated}, {"list",
		(*diffQuery).list}, {"lateral", (*diffQuery).lateral},
	{"recursive", (*diffQuery).recursive}, {"values", (*diffQuery).valuesJoin},
}

func newDiffQuery(d *differential) *diffQuery {
	q := &diffQuery{differential: d, aliases: []string{"a"}}
	s := diffShapes[d.rng.IntN(len(diffShapes))]
	q.shape, q.text = s.name, s.make(q)
	return q
}

func (q *diffQuery) plainSelect() string {
	return "SELECT a.id, " + q.items(1+q.rng.IntN(4)) + " FROM " + markTable + " AS a" + q.where()
}

func (q *diffQuery) top() string {
	return "SELECT a.id, " + q.items(1+q.rng.IntN(3)) + " FROM " + markTable + " AS a" + q.where() + q.limit("a.id")
}

func (q *diffQuery) byKey() string {
	id := fmt.Sprint(q.rng.IntN(90))
	list := make([]string, 0, 4)
	for range 1 + q.rng.IntN(4) {
		list = append(list, diffColumns[q.anyColumn()].name)
	}
	return "SELECT " + strings.Join(list, ", ") + " FROM " + markTable + " WHERE id = " + q.pick(id, "'"+id+"'",
		"' "+id+" '", id+".0", id+" AND c_b", "'"+id+"' OR id = 3")
}

// total returns an aggregate that does not depend on the order of rows.
func (q *diffQuery) total() string {
	c := q.anyColumn()
	switch q.rng.IntN(8) {
	case 0:
		return "count(*)"
	case 1:
		return "count(" + q.value(c, 1) + ")"
	case 2:
		return "count(DISTINCT " + q.value(c, 1) + ")"
	case 3, 4:
		for !diffColumns[c].sum {
			c = q.anyColumn()
		}
		return q.pick("sum(", "sum(DISTINCT ", "avg(") + q.column(c) + ")" + q.filter()
	case 5:
		return q.pick("bool_and(", "bool_or(") + q.condition(1) + ")"
	case 6:
		return "string_agg(" + q.value(colText, 1) + ", ',' ORDER BY " + q.aliases[0] + ".id)"
	}
	return q.pick("min(", "max(") + q.value(c, 1) + ")" + q.filter()
}

func (q *diffQuery) filter() string {
	if q.chance(3) {
		return " FILTER (WHERE " + q.condition(1) + ")"
	}
	return ""
}

func (q *diffQuery) aggregate() string {
	return "SELECT " + q.total() + " AS x, " + q.total() + " AS y, " + q.total() + " AS z FROM " + markTable + " AS a" + q.where()
}

func (q *diffQuery) group() string {
	out := "SELECT " + q.value(q.anyColumn(), 1) + " AS k, " + q.value(q.anyColumn(),
		0) + " AS l, " + q.total() + " AS x, " + q.total() + " AS y FROM " + markTable + " AS a" + q.where() +
		" GROUP BY " + q.pick("1, 2", "k, l", "ALL")
	if q.chance(3) {
		out += " HAVING count(*) " + q.pick(">", "<=") + " " + q.pick("1", "2", "3")
	}
	return out
}

func (q *diffQuery) groupingSets() string {
	k, l := q.column(q.anyColumn()), q.column(q.anyColumn())
	for l == k {
		l = q.column(q.anyColumn())
	}
	how := q.pick("ROLLUP (%s, %s)", "CUBE (%s, %s)", "GROUPING SETS ((%s), (%s), ())")
	return "SELECT " + k + " AS k, " + l + " AS l, " + q.total() + " AS x FROM " + markTable + " AS a" + q.where() + " GROUP BY " + fmt.Sprintf(how, k, l)
}

func (q *diffQuery) join() string {
	q.aliases = []string{"a", "b"}
	c := q.anyColumn()
	on := "a." + diffColumns[c].name + " = b." + diffColumns[c].name + q.pick("", " AND a.id < b.id",
		" AND "+q.condition(0))
	kind := q.pick(" JOIN ", " LEFT JOIN ", " RIGHT JOIN ", " FULL JOIN ", " SEMI JOIN ", " ANTI JOIN ", " CROSS JOIN ")
	from := markTable + " AS a" + kind + markTable + " AS b"
	switch kind {
	case " CROSS JOIN ":
		from += " WHERE " + on
	case " SEMI JOIN ", " ANTI JOIN ":
		from += " ON " + on
		q.aliases = []string{"a"}
		return "SELECT a.id, " + q.items(2) + " FROM " + from + q.where()
	default:
		from += " ON " + on
		if q.chance(3) {
			from += q.pick(" CROSS", " ") + "JOIN (VALUES (1), (2)) AS v(x)"
			if !strings.Contains(from, "CROSSJOIN") && !strings.HasSuffix(from, " JOIN (VALUES (1), (2)) AS v(x)") {
				break
			}
			from = strings.Replace(from, "CROSSJOIN", "CROSS JOIN", 1)
			if !strings.Contains(from, "CROSS JOIN (VALUES") {
				from += " ON v.x = coalesce(a.c_i, 1)"
			}
		}
		from += q.where()
	}
	return "SELECT a.id AS x, b.id AS y, " + q.items(2) + " FROM " + from
}

func (q *diffQuery) setOperation() string {
	c, d := q.anyColumn(), q.anyColumn()
	arm := func() string {
		return "SELECT " + q.value(c, 1) + " AS x, " + q.value(d, 1) + " AS y FROM " + markTable + " AS a" + q.where()
	}
	op := func() string {
		return q.pick(" UNION ", " UNION ALL ", " INTERSECT ", " EXCEPT ", " EXCEPT ALL ", " INTERSECT ALL ")
	}
	out := arm() + op() + arm()
	if q.chance(3) {
		out = "(" + out + ")" + op() + "(" + arm() + ")"
	}
	return out
}

func (q *diffQuery) window() string {
	over := " OVER (PARTITION BY " + q.column(q.anyColumn()) + " ORDER BY " + q.column(q.anyColumn()) + q.direction() + ", a.id)"
	f := q.pick("row_number()", "rank()", "lag("+q.column(q.anyColumn())+")", "lead("+q.column(q.anyColumn())+", 2)",
		"first_value("+q.column(q.anyColumn())+")", "sum(a.c_i)", "count(*)", "max("+q.column(q.anyColumn())+")")
	out := "SELECT a.id, " + f + over + " AS w FROM " + markTable + " AS a" + q.where()
	if q.chance(3) {
		out += " QUALIFY row_number()" + over + " <= 3"
	}
	return out
}

func (q *diffQuery) with() string {
	c := q.anyColumn()
	out := "WITH q AS (SELECT a.* EXCLUDE (c_b) FROM (SELECT a.id, a.c_b, " + q.allColumns("a") + " FROM " + markTable + " AS a) AS a" + q.where() + "), r AS (SELECT id AS n, "
	q.aliases = []string{"q"}
	out += "q." + diffColumns[max(1,
		c)].name + " AS v FROM q) SELECT r.n, r.v FROM r WHERE r.v " + q.operator() + " " + q.literal(max(1, c))
	return out
}

// allColumns are the columns of a table but for its first.
func (q *diffQuery) allColumns(alias string) string {
	var list []string
	for _, c := range diffColumns[1:] {
		list = append(list, alias+"."+c.name)
	}
	return strings.Join(list, ", ")
}

func (q *diffQuery) derived() string {
	c := q.anyColumn()
	return "SELECT d.n, d.v FROM (SELECT a.id AS n, " + q.value(c,
		2) + " AS v FROM " + markTable + " AS a" + q.where() + ") AS d WHERE d.v " + q.operator() + " " + q.literal(c)
}

func (q *diffQuery) distinct() string {
	return "SELECT DISTINCT " + q.value(q.anyColumn(), 1) + " AS x, " + q.value(q.anyColumn(),
		0) + " AS y FROM " + markTable + " AS a" + q.where()
}

func (q *diffQuery) distinctOn() string {
	k := q.column(q.anyColumn())
	return "SELECT DISTINCT ON (" + k + ") a.id, " + q.items(2) + " FROM " + markTable + " AS a" + q.where() + " ORDER BY " + k + q.direction() + ", a.id" + q.pick("", " DESC")
}

func (q *diffQuery) correlated() string {
	c := q.anyColumn()
	name := diffColumns[c].name
	return "SELECT a.id, (SELECT " + q.pick("max(b.id)", "count(*)", "min(b."+name+")",
		"sum(b.c_i)") + " FROM " + markTable + " AS b WHERE b." + name + " = a." + name + q.pick("", " AND b.id > a.id") +
		") AS x FROM " + markTable + " AS a" + q.where()
}

func (q *diffQuery) list() string {
	c := q.column(q.anyColumn())
	switch q.rng.IntN(4) {
	case 0:
		return "SELECT " + q.column(colText) + " AS k, list(" + c + " ORDER BY a.id) AS l FROM " + markTable + " AS a" + q.where() + " GROUP BY 1"
	case 1:
		return "SELECT a.id, unnest([" + q.column(colInt) + ", " + q.column(colInt) + " + 1, 7]) AS u FROM " + markTable + " AS a" + q.where()
	case 2:
		return "SELECT a.id, list_transform([" + q.column(colInt) + ", 2], lambda x: x + 1) AS l, list_contains([" + c + "], " + c + ") AS h FROM " + markTable + " AS a" + q.where()
	}
	return "SELECT a.id, {FooBar: " + q.column(colInt) + ", 'b': " + q.column(colText) + ", c: [" + q.column(colDouble) + "]} AS s, MAP {'k': " + q.column(colSmall) + "} AS m FROM " + markTable + " AS a" + q.where()
}

func (q *diffQuery) lateral() string {
	c := diffColumns[q.anyColumn()].name
	return "SELECT a.id AS x, l.id AS y FROM " + markTable + " AS a, LATERAL (SELECT b.id FROM " + markTable + " AS b WHERE b." + c + " = a." + c + " ORDER BY b.id LIMIT 2) AS l" + q.where()
}

func (q *diffQuery) recursive() string {
	return "WITH RECURSIVE r(n, d) AS (SELECT a.id, 0 FROM " + markTable + " AS a" + q.where() + " UNION SELECT b.id, r.d + 1 FROM r JOIN " + markTable +
		" AS b ON b.id = r.n + 5 WHERE r.d < 3) SELECT r.n, r.d FROM r"
}

func (q *diffQuery) valuesJoin() string {
	c := q.anyColumn()
	name, l := diffColumns[c].name, diffColumns[c].plain(diffColumns[c].values[0])
	return "SELECT a.id, v.x FROM " + markTable + " AS a JOIN (VALUES (" + l + ", 1), (NULL, 2)) AS v(k, x) ON a." + name + q.pick(" = ", " IS NOT DISTINCT FROM ", " <> ") + "v.k" + q.where()
}
