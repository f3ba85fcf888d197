package query

import (
	"strconv"
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/query/guard"
	"github.com/kalamlake/kalam/query/tree"
)

// of returns the number; ok is false for a parameter that is none.
func (n rowNumber) of(args *Args) (value int64, ok bool) {
	if n.param == 0 {
		return n.value, true
	}
	v := args.Params[n.param-1]
	if !v.Kind().IsInteger() {
		return 0, false
	}
	return v.Int(), v.Int() >= 0
}

// narrowingOf reads the finished tree q, nil when it tells nothing.
func narrowingOf(of *guard.Query, q tree.Node) *narrowing {
	from := tree.Child(q, "from_table")
	if tree.Str(q, "type") != "SELECT_NODE" || len(of.Tables) != 1 || of.Withs > 0 ||
		tree.Str(from, "type") != "BASE_TABLE" ||
		!tree.IsEmpty(from["column_name_alias"]) || !tree.IsEmpty(from["sample"]) ||
		!tree.IsEmpty(q["sample"]) {
		return nil
	}
	r := textReader{of: of, alias: tree.Str(from, "alias"), results: aliases(tree.Elems(q, "select_list"))}
	n := &narrowing{}
	n.tests, n.all = r.conditions(q["where_clause"])
	if top := topOf(of, q); top != nil {
		n.first = r.firstRows(top)
	}
	n.count = countOf(q)
	if len(n.tests) == 0 && n.first == nil && n.count == "" {
		return nil
	}
	return n
}

// countOf returns the name of the result of SELECT count(*) FROM t, "" for any other
// query.
func countOf(q tree.Node) string {
	items := tree.Elems(q, "select_list")
	if len(items) != 1 || !tree.IsEmpty(q["where_clause"]) || !tree.IsEmpty(q["modifiers"]) ||
		!tree.IsEmpty(q["having"]) ||
		!tree.IsEmpty(q["qualify"]) || !tree.IsEmpty(q["group_expressions"]) ||
		!tree.IsEmpty(q["group_sets"]) ||
		tree.Str(q, "aggregate_handling") != "STANDARD_HANDLING" {
		return ""
	}
	x, _ := items[0].(tree.Node)
	if tree.Str(x, "function_name") != "count_star" || tree.Str(x, "class") != "FUNCTION" || !guard.OwnSchema(x) ||
		!tree.IsEmpty(x["children"]) || !tree.IsEmpty(x["filter"]) || !tree.IsEmpty(x["distinct"]) ||
		!tree.IsEmpty(tree.Child(x, "order_bys")["orders"]) {
		return ""
	}
	if alias := tree.Str(x, "alias"); alias != "" {
		return alias
	}
	return "count_star()"
}

// textReader reads columns and values of a tree over one table.
type textReader struct {
	of      *guard.Query
	alias   string               // Of the table.
	results map[string]tree.Node // That have an alias, by it in lower case.
}

// column returns the name of the column that n is, in lower case, "" when it is none.
func (r *textReader) column(n tree.Node) string {
	cols := tree.Names(n, "column_names")
	if tree.Str(n, "class") != "COLUMN_REF" || len(cols) == 0 || len(cols) > 2 ||
		len(cols) == 2 && !strings.EqualFold(cols[0], r.alias) {
		return ""
	}
	name, visible := cols[len(cols)-1], r.of.Visible(0)
	for _, column := range []string{kalam.ColumnSeq, kalam.ColumnDeleted} {
		if own, ok := visible(column); ok && own == name {
			return column
		}
	}
	return strings.ToLower(name)
}

// value reads a literal or placeholder that a column is compared with.
func (r *textReader) value(column string, n tree.Node) (v testValue, ok bool) {
	v = testValue{operand: -1}
	cast := tree.Str(n, "class") == "CAST"
	if cast {
		var err error
		if v.value, ok, err = guard.CastConstant(n); ok && err == nil {
			_, isResult := r.results[column] // It may be meant.
			return v, !isResult && !v.value.IsNull()
		}
		n = tree.Child(n, "child")
	}
	number, err := strconv.Atoi(tree.Str(n, "identifier"))
	v.operand = number - r.of.Params - len(r.of.Args) - 1
	if tree.Str(n, "class") != "PARAMETER" || err != nil || v.operand < 0 || v.operand >= len(r.of.Operands) {
		return v, false
	}
	m := &r.of.Meetings[r.of.Operands[v.operand].Meeting]
	if v.typ = m.Type; !cast {
		return v, m.Column == column // Else a result is meant.
	}
	_, isResult := r.results[column]
	return v, !isResult && v.typ.Kind != kalam.KindNull && !m.Try
}

// conditions returns the tests that a condition consists of; all says that it has no
// other parts.
func (r *textReader) conditions(where any) (tests []columnTest, all bool) {
	n, _ := where.(tree.Node)
	if n == nil {
		return nil, true
	}
	if tree.Str(n, "type") == "CONJUNCTION_AND" {
		all = true
		for _, v := range tree.Elems(n, "children") {
			more, whole := r.conditions(v)
			tests, all = append(tests, more...), all && whole
		}
		return tests, all
	}
	switch tree.Str(n, "class") {
	case "COMPARISON":
		tests = r.comparison(n)
	case "BETWEEN":
		tests = append(r.test(isGreaterOrEqual, n["input"], n["lower"]), r.test(isLessOrEqual, n["input"], n["upper"])...)
		return tests, len(tests) == 2
	case "OPERATOR":
		if list := tree.Elems(n, "children"); tree.Str(n, "type") == "COMPARE_IN" && len(list) > 1 {
			tests = r.test(isAny, list[0], list[1:]...)
		}
	}
	return tests, len(tests) > 0
}

// comparisons are the tests of comparisons with the column on the left and on the right.
var comparisons = map[string][2]testOp{
	"COMPARE_EQUAL":                {isAny, isAny},
	"COMPARE_LESSTHAN":             {isLess, isGreater},
	"COMPARE_LESSTHANOREQUALTO":    {isLessOrEqual, isGreaterOrEqual},
	"COMPARE_GREATERTHAN":          {isGreater, isLess},
	"COMPARE_GREATERTHANOREQUALTO": {isGreaterOrEqual, isLessOrEqual},
}

func (r *textReader) comparison(n tree.Node) []columnTest {
	ops, ok := comparisons[tree.Str(n, "type")]
	if !ok {
		return nil
	}
	if tests := r.test(ops[0], n["left"], n["right"]); tests != nil {
		return tests
	}
	return r.test(ops[1], n["right"], n["left"])
}

// test returns the test that compares x with values, none when they are no column and
// values.
func (r *textReader) test(op testOp, x any, values ...any) []columnTest {
	n, _ := x.(tree.Node)
	t := columnTest{column: r.column(n), op: op}
	if t.column == "" {
		return nil
	}
	for _, v := range values {
		n, _ := v.(tree.Node)
		value, ok := r.value(t.column, n)
		if !ok {
			return nil
		}
		t.values = append(t.values, value)
	}
	return []columnTest{t}
}

// firstRows reads the order and the limit of a query, nil when the first key is no
// column.
func (r *textReader) firstRows(top *topParts) *firstRows {
	key, _ := top.keys[0].(tree.Node)
	f := &firstRows{column: r.column(tree.Child(key, "expression")), descending: tree.Str(key, "type") == "DESCENDING"}
	switch tree.Str(key, "null_order") {
	case "NULLS LAST", "NULLS_LAST":
		f.nullsLast = true
	case "ORDER_DEFAULT": // Every executor has them last in an ascending order.
		f.nullsLast = !f.descending
	}
	f.limit = numberOf(tree.Child(top.limit, "limit"))
	f.offset = numberOf(tree.Child(top.limit, "offset"))
	if f.column == "" {
		return nil
	}
	return f
}

// numberOf reads a count that isCount takes, or none.
func numberOf(n tree.Node) rowNumber {
	if i, ok := tree.Int(n); ok {
		return rowNumber{value: i}
	}
	param, _ := strconv.Atoi(tree.Str(n, "identifier")) // The checker has read it.
	return rowNumber{param: param}
}

// bind returns the values of the test for a column of type t; ok is false when one of
// them is of another type or cannot be read as one.
func (t *columnTest) bind(a *analysed, args *Args, typ kalam.DataType) (values []kalam.Value, ok bool) {
	for _, v := range t.values {
		x := v.value
		if v.operand >= 0 {
			if x, ok = a.read(&a.Operands[v.operand], args, v.typ, typ); !ok {
				return nil, false
			}
		}
		if !comparable(x.Kind(), typ.Kind) {
			return nil, false
		}
		values = append(values, x)
	}
	return values, true
}

// read returns the value of an operand that meets a column of type typ after a cast to
// cast, if that is a type.
func (a *analysed) read(o *guard.Operand, args *Args, cast, typ kalam.DataType) (kalam.Value, bool) {
	v := o.Value
	if o.Param > 0 {
		v = args.Params[o.Param-1]
	}
	if cast.Kind != kalam.KindNull {
		typ = cast
	}
	if datatype.IsBoundless(typ, v) {
		return v, false
	}
	v, _, err := a.set.operand(typ, v)
	return v, err == nil
}

// comparable reports whether values of both kinds compare as DuckDB compares them.
func comparable(a, b kalam.Kind) bool {
	return a == b || a.IsInteger() && b.IsInteger()
}
