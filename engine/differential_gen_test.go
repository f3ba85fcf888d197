package engine_test

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/kalamlake/kalam"
)

// diffColumn is a column of the tables of TestDifferential, with values in the form
// that both sides read, and other forms that only we do.
type diffColumn struct {
	name, typ, duck string
	values          []string
	forms           func(v string) []form
	number          bool // A literal may be a number.
	sum             bool // Sums of it do not depend on the order of rows.
}

// plain is the value as stock DuckDB gets it.
//
// A no-break space is written as chr(160): stock DuckDB replaces one within a literal
// by a blank where an E'…\'…' stands before it in the text, because the pass that
// does so does not know that escape.
func (c *diffColumn) plain(v string) string {
	return "CAST(" + strings.ReplaceAll(quoted(v), "\u00a0", "' || chr(160) || '") + " AS " + c.duck + ")"
}

func blanks(v string) []form { return []form{text(v), text(" " + v), text(v + "  ")} }

func numberForms(v string) []form {
	forms := append(blanks(v), form{sql: v})
	if n, err := strconv.ParseInt(v, 10, 64); err == nil {
		return append(forms, text(v+".0"), text(v+"e0"), form{v, kalam.BigInt(n)})
	}
	if f, err := strconv.ParseFloat(v, 64); err == nil && f == f {
		forms = append(forms, form{v, kalam.Double(f)})
	}
	return forms
}

// floatForms have no bare numbers: 0.1 is a DECIMAL there.
func floatForms(v string) []form {
	f, err := strconv.ParseFloat(v, 64)
	if err != nil || f != f {
		return []form{text(v)}
	}
	return []form{text(v), text(v + "e0"), {v + "e0", kalam.Double(f)}}
}

// momentForms are those of 'YYYY-MM-DD HH:MM:SS' in UTC.
func momentForms(v string) []form {
	forms := []form{text(v), text(strings.Replace(v, " ", "T", 1)), text(v + "Z"), text(v + "+00:00"), text(v + " UTC"),
		text(v + ".000")}
	if day, ok := strings.CutSuffix(v, " 00:00:00"); ok {
		forms = append(forms, text(day), text(day+"T02:00:00+02:00"), text(day+" 02:00 +0200"))
	}
	return forms
}

func boolForms(v string) []form {
	if v == "true" {
		return []form{text("t"), text("yes"), text("on"), text("1"), text(" TRUE "), {"TRUE", kalam.Bool(true)}}
	}
	return []form{text("f"), text("no"), text("off"), text("0"), text("False"), {"FALSE", kalam.Bool(false)}}
}

func plainForms(v string) []form { return []form{text(v)} }

func uuidForms(v string) []form {
	return []form{text(v), text(strings.ToUpper(v)), text("{" + v + "}"), text(strings.ReplaceAll(v, "-", ""))}
}

// bytesForms are those of \xAB\xCD.
func bytesForms(v string) []form {
	digits := strings.ReplaceAll(v, `\x`, "")
	return []form{text(v), text("0x" + digits), text(`\x` + strings.ToLower(digits)), sql("X'" + digits + "'"),
		sql("0x" + digits)}
}

// diffColumns are the columns beside id.
var diffColumns = []diffColumn{
	{name: "c_b", typ: "BOOLEAN", duck: "BOOLEAN", values: []string{"true", "false"}, forms: boolForms},
	{name: "c_si", typ: "SMALLINT", duck: "SMALLINT", values: []string{"-3", "-1", "0", "1", "2", "7"},
		forms: numberForms, number: true, sum: true},
	{name: "c_i", typ: "INT", duck: "INTEGER", values: []string{"-40", "-1", "0", "1", "2", "5", "100000"},
		forms: numberForms, number: true, sum: true},
	{name: "c_l", typ: "BIGINT", duck: "BIGINT",
		values: []string{"-9007199254740993", "-1", "0", "1", "2", "3",
			"9007199254740993"}, forms: numberForms, number: true, sum: true},
	{name: "c_f", typ: "FLOAT", duck: "FLOAT", values: []string{"-1.5", "0.1", "0.25", "1", "2", "10000000000"},
		forms: floatForms, sum: false},
	{name: "c_d", typ: "DOUBLE", duck: "DOUBLE", values: []string{"-1.5", "0.25", "0.5", "1", "2", "10000000000", "NaN"},
		forms: floatForms, sum: true},
	{name: "c_dec", typ: "DECIMAL(10,2)", duck: "DECIMAL(10,2)",
		values: []string{"-1.50", "0.10", "0.25", "1.00", "2.00",
			"12345678.90"}, forms: numberForms, number: true, sum: true},
	{name: "c_big", typ: "DECIMAL(38,10)", duck: "DECIMAL(38,10)",
		values: []string{"-1.5", "0.0000000001", "1", "2",
			"1234567890123456789012345678.0123456789"}, forms: blanks, sum: false},
	{name: "c_s", typ: "TEXT", duck: "VARCHAR",
		values: []string{"", "a", "b", "A", "ab", "ä", "a%b", "1", "it's", "zz\u00a0z"}, forms: plainForms},
	{name: "c_j", typ: "JSON", duck: "JSON",
		values: []string{`{"k":1,"s":"a"}`, `{"k":2,"s":"b","l":[1,2]}`, `[1,{"k":3}]`, `"a"`, `17`,
			`{"k":null}`}, forms: plainForms},
	{name: "c_by", typ: "BYTES", duck: "BLOB", values: []string{`\x00`, `\x00\xFF`, `\x41`, `\xDE\xAD\xBE\xEF`},
		forms: bytesForms},
	{name: "c_u", typ: "UUID", duck: "UUID",
		values: []string{"123e4567-e89b-12d3-a456-426614174000", "00000000-0000-0000-0000-000000000001",
			"ffffffff-ffff-4fff-bfff-ffffffffffff"}, forms: uuidForms},
	{name: "c_dt", typ: "DATE", duck: "DATE", values: []string{"1969-12-31", "2024-02-29", "2025-12-31", "2026-01-01"},
		forms: blanks},
	{name: "c_tm", typ: "TIME", duck: "TIME", values: []string{"00:00:00", "12:34:56", "12:34:56.5", "23:59:59.999999"},
		forms: blanks},
	{name: "c_ts", typ: "TIMESTAMP", duck: "TIMESTAMP",
		values: []string{"1969-12-31 23:59:59", "2024-02-29 12:00:00", "2026-01-01 00:00:00",
			"2026-01-01 00:00:01"}, forms: momentForms},
	{name: "c_tz", typ: "DATETIME", duck: "TIMESTAMPTZ",
		values: []string{"1969-12-31 23:59:59", "2026-01-01 00:00:00", "2026-06-01 00:00:00"}, forms: momentForms},
}

// Indexes of diffColumns.
const (
	colBool = iota
	colSmall
	colInt
	colBig
	colFloat
	colDouble
	colDecimal
	colHuge
	colText
	colJSON
	colBytes
	colUUID
	colDate
	colTime
	colStamp
	colZoned
)

// diffQuery is a query of both sides: text has marks in the place of literals and tables.
type diffQuery struct {
	*differential
	shape, text string
	ordered     bool
	literals    []diffLiteral
	tables      int
	aliases     []string // Whose columns the next expression may use.
}

// diffLiteral is a literal of ours beside that of stock DuckDB.
type diffLiteral struct {
	form
	plain string
	bound bool // Ours is a parameter.
}

// Marks in a text. What stands between markOpen and markClose is in brackets for stock
// DuckDB, where -> and ->> bind weaker than with us.
const markLiteral, markTable, markEnd, markOpen, markClose = "\x01", "\x02", "\x03", "\x04", "\x05"

// arrow returns j -> key or j ->> key.
func (q *diffQuery) arrow(operator, key string) string {
	return markOpen + q.column(colJSON) + " " + operator + " '" + key + "'" + markClose
}

// render writes the texts.
func (q *diffQuery) render(d *differential) (ours, plain string, params []kalam.Value) {
	var a, b strings.Builder
	number := map[int]int{}
	for i, part := range strings.Split(q.text, markLiteral) {
		rest := part
		if i > 0 {
			mark, after, _ := strings.Cut(part, markEnd)
			n, _ := strconv.Atoi(mark)
			l := q.literals[n]
			rest = after
			b.WriteString(l.plain)
			if l.bound && number[n] == 0 {
				params = append(params, l.param)
				number[n] = len(params)
			}
			if l.bound {
				fmt.Fprintf(&a, "$%d", number[n])
			} else {
				a.WriteString(l.sql)
			}
		}
		a.WriteString(strings.NewReplacer(markOpen, "", markClose, "").Replace(rest))
		b.WriteString(strings.NewReplacer(markOpen, "(", markClose, ")").Replace(rest))
	}
	for strings.Contains(a.String(), markTable) {
		text := strings.Replace(a.String(), markTable, "app."+d.states[d.rng.IntN(len(d.states))], 1)
		a.Reset()
		a.WriteString(text)
	}
	return a.String(), strings.ReplaceAll(b.String(), markTable, "t"), params
}

func (q *diffQuery) pick(list ...string) string { return list[q.rng.IntN(len(list))] }

// chance is true once in n times.
func (q *diffQuery) chance(n int) bool { return q.rng.IntN(n) == 0 }

func (q *diffQuery) column(c int) string {
	return q.aliases[q.rng.IntN(len(q.aliases))] + "." + diffColumns[c].name
}

// anyColumn returns a column's index; few are JSON, which knows few operators.
func (q *diffQuery) anyColumn() int { return q.rng.IntN(len(diffColumns)) }

// literal returns the mark of a literal that meets an expression of column c's type.
func (q *diffQuery) literal(c int) string {
	col := &diffColumns[c]
	v := col.values[q.rng.IntN(len(col.values))]
	forms := col.forms(v)
	f := forms[q.rng.IntN(len(forms))]
	l := diffLiteral{form: f, plain: col.plain(v), bound: f.param.Kind() != kalam.KindNull && q.chance(2)}
	if col.number && f.sql == v && f.param.Kind() != kalam.KindText {
		l.plain = v // A number keeps its own type.
		if f.param.Kind() == kalam.KindDouble {
			l.bound = false
		}
	}
	q.literals = append(q.literals, l)
	return markLiteral + strconv.Itoa(len(q.literals)-1) + markEnd
}

func (q *diffQuery) operator() string {
	return q.pick("=", "=", "<>", "<", "<=", ">", ">=", "IS DISTINCT FROM", "IS NOT DISTINCT FROM")
}

// value returns an expression of exactly the type of column c.
func (q *diffQuery) value(c, depth int) string {
	if depth == 0 || q.chance(2) {
		return q.column(c)
	}
	v := func() string { return q.value(c, depth-1) }
	switch q.rng.IntN(6) {
	case 0:
		return "coalesce(" + v() + ", " + v() + ")"
	case 1:
		return "CASE WHEN " + q.condition(depth-1) + " THEN " + v() + " ELSE " + v() + " END"
	case 2:
		return "nullif(" + v() + ", " + v() + ")"
	case 3:
		if c != colJSON {
			return q.pick("greatest", "least") + "(" + v() + ", " + v() + ")"
		}
	case 4:
		return "CASE " + v() + " WHEN " + q.literal(c) + " THEN " + v() + " END"
	}
	return q.special(c, v)
}

// special returns an expression that only the type of column c knows.
func (q *diffQuery) special(c int, v func() string) string {
	switch c {
	case colBool:
		return "(NOT " + v() + ")"
	case colSmall, colInt:
		return q.pick("-"+v(), "abs("+v()+")", "("+v()+" % 5)", "("+v()+" // 3)",
			"CAST("+v()+" + "+v()+" AS "+diffColumns[c].duck+")")
	case colBig:
		return q.pick("(-"+v()+")", "("+v()+" % 7)", "("+v()+" // 2)", "length("+q.column(colText)+")", "("+v()+" + 1)")
	case colDouble:
		return q.pick("(-"+v()+")", "("+v()+" * 2)", "floor("+v()+")", "round("+v()+")",
			"CAST("+q.column(colDecimal)+" AS DOUBLE)", "("+v()+" + 0.5e0)")
	case colDecimal:
		return q.pick("(-"+v()+")", "abs("+v()+")", "CAST("+q.column(colInt)+" AS DECIMAL(10,2))",
			"CAST(1.5 AS DECIMAL(10,2))")
	case colText:
		return q.pick("upper("+v()+")", "lower("+v()+")", "("+v()+" || 'x')", "substr("+v()+", 1, 1)",
			"replace("+v()+", 'a', 'it''s')", "trim("+v()+")", "reverse("+v()+")",
			"CAST("+q.column(colInt)+" AS VARCHAR)", "CAST("+q.column(colDate)+" AS VARCHAR)", q.arrow("->>",
				"s"), "concat("+v()+", "+v()+")", "E'\\x41\\'' || "+v(), "$q$a'b$q$ || "+v())
	case colDate:
		return q.pick("CAST("+v()+" + INTERVAL 1 DAY AS DATE)", "("+v()+" + 3)", "CAST("+q.column(colStamp)+" AS DATE)",
			"last_day("+v()+")")
	case colStamp:
		return q.pick("date_trunc('month', "+v()+")", "("+v()+" + INTERVAL 90 MINUTE)",
			"CAST("+q.column(colDate)+" AS TIMESTAMP)")
	case colJSON:
		return q.pick("json_extract("+v()+", '$.l')", q.arrow("->", "k"),
			"json_object('a', "+q.column(colInt)+", 'j', "+v()+")", "json_array("+v()+", "+q.column(colText)+")")
	}
	return v()
}

// condition returns an expression of BOOLEAN.
func (q *diffQuery) condition(depth int) string {
	if depth > 0 && q.chance(2) {
		c := q.condition(depth-1) + q.pick(" AND ", " OR ") + q.condition(depth-1)
		return q.pick("", "", "NOT ") + "(" + c + ")"
	}
	c := q.anyColumn()
	v := q.value(c, min(depth, 1))
	switch q.rng.IntN(12) {
	case 0:
		return v + " IS" + q.pick("", " NOT") + " NULL"
	case 1:
		return v + q.pick("", " NOT") + " IN (" + q.literal(c) + ", " + q.literal(c) + q.pick(")", ", NULL)")
	case 2:
		return v + q.pick("", " NOT") + " BETWEEN " + q.literal(c) + " AND " + q.literal(c)
	case 3:
		return v + " " + q.operator() + " " + q.value(c, min(depth, 1))
	case 4:
		return q.column(colText) + q.pick(" LIKE ", " NOT LIKE ", " ILIKE ") + q.pick("'a%'", "'%b'", "'_'", "'%'",
			"'a\\%%' ESCAPE '\\'")
	case 5:
		return q.pick(q.column(colBool), "NOT "+q.column(colBool), q.column(colBool)+" IS NOT TRUE",
			q.column(colBool)+" IS FALSE")
	case 6:
		return q.subcondition(c, v)
	case 7:
		return q.pick(q.arrow("->>", "k")+" = '1'", q.column(colText)+" = "+q.arrow("->>", "s"),
			"CAST("+q.arrow("->>", "k")+" AS INT) > 1", q.arrow("->", "k")+" IS NULL",
			"'p' || "+q.arrow("->>", "s")+" LIKE 'pa'", "NOT "+q.arrow("->>", "s")+" IS NULL")
	case 8:
		return "(" + v + ", " + q.column(colInt) + ") " + q.pick("=", "<>") + " (" + q.literal(c) + ", 1)"
	case 9:
		return q.literal(c) + " " + q.operator() + " " + v
	}
	return v + " " + q.operator() + " " + q.literal(c)
}

// subcondition returns a condition with a subquery that sees the rows around it.
func (q *diffQuery) subcondition(c int, v string) string {
	outer := q.aliases
	q.tables++
	in := fmt.Sprintf("s%d", q.tables)
	q.aliases = []string{in}
	defer func() { q.aliases = outer }()
	inner := q.column(c)
	where := q.condition(0)
	switch q.rng.IntN(4) {
	case 0:
		return v + q.pick("",
			" NOT") + " IN (SELECT " + inner + " FROM " + markTable + " AS " + in + " WHERE " + where + " AND " + inner + " IS NOT NULL)"
	case 1:
		return q.pick("", "NOT ") + "EXISTS (SELECT 1 FROM " + markTable + " AS " + in + " WHERE " + in + ".id <> " + outer[0] + ".id AND " + inner + " = " + v + ")"
	case 2:
		return v + " " + q.pick("=", "<", ">") + " (SELECT " + q.pick("max",
			"min") + "(" + inner + ") FROM " + markTable + " AS " + in + " WHERE " + where + ")"
	}
	return outer[0] + ".id " + q.pick("<",
		">=") + " (SELECT count(*) FROM " + markTable + " AS " + in + " WHERE " + inner + " = " + v + ")"
}

// where returns a WHERE, or nothing.
func (q *diffQuery) where() string {
	if q.chance(5) {
		return ""
	}
	return " WHERE " + q.condition(2)
}

// items returns n expressions with the aliases c1, c2, ...
func (q *diffQuery) items(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = q.value(q.anyColumn(), 2)
		if q.chance(6) {
			list[i] = q.condition(1)
		}
		list[i] += fmt.Sprintf(" AS c%d", i+1)
	}
	return strings.Join(list, ", ")
}

func (q *diffQuery) direction() string {
	return q.pick("", " DESC") + q.pick(" NULLS FIRST", " NULLS LAST")
}

// limit returns ORDER BY with a total order and LIMIT.
func (q *diffQuery) limit(key string) string {
	q.ordered = true
	out := " ORDER BY " + q.value(q.anyColumn(), 1) + q.direction() + ", " + key
	if q.chance(3) {
		return out
	}
	out += fmt.Sprintf(" LIMIT %d", q.rng.IntN(30))
	if q.chance(3) {
		out += fmt.Sprintf(" OFFSET %d", q.rng.IntN(20))
	}
	return out
}
