package filter

import (
	"context"
	"strconv"
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/query/guard"
	"github.com/kalamlake/kalam/query/tree"
	"github.com/kalamlake/kalam/subscribe"
)

// Plan is the analysed text of a live query: columns of one table under a
// condition.
type Plan struct {
	Table     []string // Parts of the table's name, in lower case.
	Namespace string   // See TableRef.
	Position  int      // 0-based byte offset of the name.
	Alias     string   // "" when the query gives none.
	Columns   []string // In lower case; nil is all.
	// Where is the condition as DuckDB writes it, "" for none. Columns are
	// unqualified or qualified with the alias, without one with the table's name.
	Where        string
	NamesDeleted bool           // Where names _deleted.
	Filter       subscribe.Expr // Where as a tree; nil for none, or when FilterErr is set.
	FilterErr    error          // Wraps subscribe.ErrNotCompilable.
}

// Analyse reads SELECT columns FROM table [WHERE condition]. Every other construct gives
// CodeUnsupported with its name. params are the values of its placeholders, each of
// which becomes a literal: a TEXT one that is read like a string literal, any other of
// its own type.
func Analyse(ctx context.Context, parser *guard.Parser, sql string, params []kalam.Value) (*Plan, error) {
	q, err := parser.Parse(ctx, sql)
	if err != nil {
		return nil, err
	}
	if what := notLive(q); what != "" {
		return nil, kalam.Errorf(
			kalam.CodeUnsupported,
			"Live queries do not support %s; they take SELECT columns FROM table [WHERE condition]",
			what,
		)
	}
	original, _ := tree.Clone(q).(tree.Node)
	checked, err := parser.CheckTree(sql, q)
	if err != nil {
		return nil, err
	}
	if checked.Params != len(params) {
		return nil, guard.Mismatch(checked.Params, len(params))
	}
	bind(original, params)
	t := &checked.Tables[0]
	p := &Plan{
		Table: t.Parts, Namespace: t.Namespace, Position: t.Position, Alias: t.Alias, NamesDeleted: t.NamesDeleted,
	}
	qualified := func(parts []string) bool { return p.means(parts) }
	if p.Columns, err = liveColumns(tree.Elems(original, "select_list"), qualified); err != nil {
		return nil, err
	}
	where := tree.Child(original, "where_clause")
	if where == nil {
		return p, nil
	}
	p.Filter, p.FilterErr = exprOf(where, qualified)
	if p.FilterErr != nil {
		p.Filter = nil
	}
	p.shorten(where)
	text, err := parser.Write(ctx, tree.Select(where))
	if err != nil {
		return nil, guard.Unprocessed(err, "condition")
	}
	p.Where = strings.TrimPrefix(text, "SELECT ")
	if _, err := parser.Expr(ctx, p.Where); err != nil {
		return nil, guard.Unprocessed(err, "condition")
	}
	return p, nil
}

// bind puts literals for the placeholders below v, whose numbers are checked.
func bind(v any, params []kalam.Value) {
	switch v := v.(type) {
	case tree.Node:
		if tree.Str(v, "class") == "PARAMETER" {
			number, _ := strconv.Atoi(tree.Str(v, "identifier"))
			tree.Become(v, literalOf(params[number-1]))
			return
		}
		for _, x := range v {
			bind(x, params)
		}
	case []any:
		for _, x := range v {
			bind(x, params)
		}
	}
}

// literalOf returns a parameter as a literal of its type.
func literalOf(v kalam.Value) tree.Node {
	switch v.Kind().Family() {
	case kalam.FamilyNone:
		return tree.Null()
	case kalam.FamilyText:
		return tree.TextConst(v.Str())
	case kalam.FamilyBoolean:
		return tree.Cast("BOOLEAN", tree.TextConst(strconv.FormatBool(v.Bool())[:1]))
	case kalam.FamilyFloat:
		return tree.Cast("DOUBLE", tree.TextConst(strconv.FormatFloat(v.Float64(), 'g', -1, 64)))
	case kalam.FamilyInteger:
		return tree.IntConst(v.Int())
	default:
		return tree.TextConst(strings.Trim(string(datatype.AppendValue(nil, v)), `"`))
	}
}

// means reports whether parts name the table of the query.
func (p *Plan) means(parts []string) bool {
	if p.Alias != "" {
		return len(parts) == 1 && strings.EqualFold(parts[0], p.Alias)
	}
	whole := strings.Join(p.Table, ".")
	if p.Namespace != "" {
		whole = p.Namespace + "." + whole
	}
	return len(parts) == 1 && strings.EqualFold(parts[0], p.Table[len(p.Table)-1]) ||
		strings.EqualFold(strings.Join(parts, "."), whole)
}

// shorten reduces ns.table.column to table.column below v.
func (p *Plan) shorten(v any) {
	switch v := v.(type) {
	case tree.Node:
		if cols := tree.Names(v, "column_names"); len(cols) > 2 && p.means(cols[:len(cols)-1]) {
			v["column_names"] = tree.Column(cols[len(cols)-2:]...)["column_names"]
		}
		for _, x := range v {
			p.shorten(x)
		}
	case []any:
		for _, x := range v {
			p.shorten(x)
		}
	}
}

// notLive names the construct of q that live queries do not have, "" for none.
func notLive(q tree.Node) string {
	if tree.Str(q, "type") != "SELECT_NODE" {
		return "UNION, INTERSECT and EXCEPT"
	}
	if len(tree.Elems(tree.Child(q, "cte_map"), "map")) > 0 {
		return "WITH"
	}
	if what := notLiveFrom(tree.Child(q, "from_table")); what != "" {
		return what
	}
	for _, m := range tree.Elems(q, "modifiers") {
		m, _ := m.(tree.Node)
		switch tree.Str(m, "type") {
		case "ORDER_MODIFIER":
			return "ORDER BY"
		case "DISTINCT_MODIFIER":
			return "DISTINCT"
		default:
			return "LIMIT"
		}
	}
	for _, clause := range []struct{ key, name string }{
		{"group_expressions", "GROUP BY"}, {"group_sets", "GROUP BY"}, {"having", "HAVING"}, {"qualify", "QUALIFY"},
		{"sample", "USING SAMPLE"},
	} {
		if !tree.IsEmpty(q[clause.key]) {
			return clause.name
		}
	}
	if tree.Str(q, "aggregate_handling") != "STANDARD_HANDLING" {
		return "GROUP BY"
	}
	if what := notLiveExpr(q["select_list"]); what != "" {
		return what
	}
	return notLiveExpr(q["where_clause"])
}

func notLiveFrom(from tree.Node) string {
	if !tree.IsEmpty(from["sample"]) {
		return "TABLESAMPLE"
	}
	switch t := tree.Str(from, "type"); t {
	case "BASE_TABLE":
		if len(tree.Elems(from, "column_name_alias")) > 0 {
			return "column aliases of a table"
		}
		if !tree.IsEmpty(from["at_clause"]) {
			return "AT"
		}
		return ""
	case "JOIN":
		return "joins"
	case "SUBQUERY":
		return "subqueries"
	case "TABLE_FUNCTION":
		return "table functions"
	case "EMPTY":
		return "a query without a table"
	default:
		return t
	}
}

// notLiveExpr names what in v needs more than one row.
func notLiveExpr(v any) string {
	switch v := v.(type) {
	case tree.Node:
		switch tree.Str(v, "class") {
		case "SUBQUERY":
			return "subqueries"
		case "WINDOW":
			return "window functions"
		case "FUNCTION":
			if name := tree.Str(v, "function_name"); guard.IsReducer(name) {
				return "aggregate functions (" + name + ")"
			}
		}
		for _, key := range tree.FieldOrder {
			if what := notLiveExpr(v[key]); what != "" {
				return what
			}
		}
		for _, key := range []string{"when_expr", "then_expr"} {
			if what := notLiveExpr(v[key]); what != "" {
				return what
			}
		}
	case []any:
		for _, x := range v {
			if what := notLiveExpr(x); what != "" {
				return what
			}
		}
	}
	return ""
}

// liveColumns returns the columns of the select list, nil for *.
func liveColumns(items []any, qualified func(parts []string) bool) ([]string, error) {
	if len(items) == 1 {
		star, _ := items[0].(tree.Node)
		if tree.IsPlainStar(star) &&
			(tree.Str(star, "relation_name") == "" || qualified([]string{tree.Str(star, "relation_name")})) {
			return nil, nil
		}
	}
	var out []string
	for _, v := range items {
		n, _ := v.(tree.Node)
		cols := tree.Names(n, "column_names")
		last := len(cols) - 1
		if tree.Str(n, "class") != "COLUMN_REF" || last > 0 && !qualified(cols[:last]) ||
			last == 0 && guard.IsValueKeyword(cols[0]) {
			return nil, kalam.Errorf(
				kalam.CodeUnsupported,
				"Live queries do not support expressions in the select list; name columns, or * alone",
			)
		}
		name := strings.ToLower(cols[last])
		if alias := tree.Str(n, "alias"); alias != "" && !strings.EqualFold(alias, name) {
			return nil, kalam.Errorf(kalam.CodeUnsupported, "Live queries do not support column aliases (%s AS %s)", name, alias)
		}
		out = append(out, name)
	}
	return out, nil
}
