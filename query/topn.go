package query

import (
	"strings"

	"github.com/kalamlake/kalam/query/guard"
	"github.com/kalamlake/kalam/query/tree"
)

// A UNION ALL of Parquet and buffered rows keeps DuckDB from reading only the
// columns of the sort key first, which makes ORDER BY ... LIMIT several times
// slower. So the query
//
//	SELECT list FROM t WHERE cond ORDER BY keys LIMIT n OFFSET m
//
// becomes, when t has both kinds of rows,
//
//	SELECT list FROM (branch UNION ALL branch) ORDER BY keys LIMIT n OFFSET m
//
// with a branch that is SELECT * FROM part WHERE cond ORDER BY keys LIMIT n + m.
// A row of the result is among the first n + m of its own branch, or as good as
// one that is; so the answer is one that the original query may give.

// topParts are the clauses of a query that gives the first rows of one table.
type topParts struct {
	keys  []any     // Of ORDER BY, as expressions over the columns of the table.
	limit tree.Node // LIMIT and OFFSET: integers or placeholders.
	count tree.Node // The sum of both.
}

// topOf returns the clauses of q, nil when it is no such query or they cannot be told
// from the text.
func topOf(of *guard.Query, q tree.Node) *topParts {
	if !isSimpleSelect(q) || len(of.Tables) != 1 || tree.Str(tree.Child(q, "from_table"), "type") != "BASE_TABLE" ||
		of.Withs > 0 {
		return nil
	}
	var order tree.Node
	var top topParts
	for _, m := range tree.Elems(q, "modifiers") {
		m, _ := m.(tree.Node)
		switch tree.Str(m, "type") {
		case "ORDER_MODIFIER":
			order = m
		case "LIMIT_MODIFIER":
			top.limit = m
		default:
			return nil
		}
	}
	if order == nil || top.limit == nil || len(tree.Elems(tree.Child(q, "from_table"), "column_name_alias")) > 0 {
		return nil
	}
	alias := aliases(tree.Elems(q, "select_list"))
	var ok bool
	// WHERE may name result columns, which the branch does not have.
	if top.keys, ok = sortKeys(q, order, alias); !ok || !isSteady(q["where_clause"]) ||
		usesAlias(q["where_clause"], alias) {
		return nil
	}
	if top.count, ok = rowCount(top.limit); !ok {
		return nil
	}
	return &top
}

// splitTop returns the outer query and the branch, or nil when the rewrite does
// not apply to q.
func splitTop(of *guard.Query, q tree.Node) (outer, branch tree.Node) {
	top := topOf(of, q)
	if top == nil {
		return nil, nil
	}
	outer, _ = tree.Clone(q).(tree.Node)
	outer["where_clause"] = nil
	branch, _ = tree.Clone(q).(tree.Node)
	branch["select_list"] = []any{tree.Node{
		"class": "STAR", "type": "STAR", "alias": "", "relation_name": "", "exclude_list": []any{}, "replace_list": []any{},
		"columns": false,
		"expr":    nil, "qualified_exclude_list": []any{}, "rename_list": []any{},
	}}
	branch["modifiers"] = []any{
		tree.Node{"type": "ORDER_MODIFIER", "orders": top.keys},
		tree.Node{"type": "LIMIT_MODIFIER", "limit": top.count, "offset": nil},
	}
	return outer, branch
}

// isSimpleSelect reports whether q gives one row per row of its table.
func isSimpleSelect(q tree.Node) bool {
	if tree.Str(q, "type") != "SELECT_NODE" || tree.Str(q, "aggregate_handling") != "STANDARD_HANDLING" {
		return false
	}
	for _, key := range []string{"group_expressions", "group_sets", "having", "qualify", "sample"} {
		if !tree.IsEmpty(q[key]) {
			return false
		}
	}
	return tree.IsEmpty(tree.Child(q, "from_table")["sample"]) && isSteady(q["select_list"])
}

// isSteady reports whether v holds no aggregate, window, subquery or volatile
// function, so that it can be evaluated per row, and twice.
func isSteady(v any) bool {
	switch v := v.(type) {
	case tree.Node:
		switch tree.Str(v, "class") {
		case "WINDOW", "SUBQUERY":
			return false
		case "FUNCTION":
			if name := tree.Str(v, "function_name"); guard.IsReducer(name) || guard.IsChanging(name) {
				return false
			}
		case "OPERATOR":
			if tree.Str(v, "type") == "GROUPING_FUNCTION" {
				return false
			}
		}
		for _, x := range v {
			if !isSteady(x) {
				return false
			}
		}
	case []any:
		for _, x := range v {
			if !isSteady(x) {
				return false
			}
		}
	}
	return true
}

// sortKeys returns the sort keys of q as expressions over the columns of its
// table. ok is false when they cannot be told from the text.
func sortKeys(q, order tree.Node, alias map[string]tree.Node) (keys []any, ok bool) {
	items := tree.Elems(q, "select_list")
	for _, v := range tree.Elems(order, "orders") {
		o, _ := tree.Clone(v).(tree.Node)
		x := tree.Child(o, "expression")
		if i, isNumber := tree.Int(x); isNumber {
			if x, ok = itemAt(items, i); !ok {
				return nil, false
			}
			x["alias"] = ""
		} else if x, ok = resolveKey(x, alias); !ok {
			return nil, false
		}
		if !isSteady(x) || tree.Str(x, "class") == "STAR" || tree.Str(x, "class") == "CONSTANT" ||
			tree.Str(x, "class") == "PARAMETER" {
			return nil, false
		}
		o["expression"] = x
		keys = append(keys, o)
	}
	return keys, len(keys) > 0
}

// itemAt returns a copy of the i-th result column, counted from 1, when no star
// stands before it.
func itemAt(items []any, i int64) (tree.Node, bool) {
	if i < 1 || i > int64(len(items)) {
		return nil, false
	}
	for _, v := range items[:i] {
		if hasStar(v) {
			return nil, false
		}
	}
	x, ok := tree.Clone(items[i-1]).(tree.Node)
	return x, ok
}

func hasStar(v any) bool {
	n, ok := v.(tree.Node)
	if !ok {
		return false
	}
	if tree.Str(n, "class") == "STAR" {
		return true
	}
	for _, x := range n {
		switch x := x.(type) {
		case tree.Node:
			if hasStar(x) {
				return true
			}
		case []any:
			for _, y := range x {
				if hasStar(y) {
					return true
				}
			}
		}
	}
	return false
}

// aliases returns the result columns that have one by their alias in lower case.
func aliases(items []any) map[string]tree.Node {
	m := map[string]tree.Node{}
	for _, v := range items {
		n, _ := v.(tree.Node)
		a := strings.ToLower(tree.Str(n, "alias"))
		if _, twice := m[a]; twice {
			n = tree.Node{} // Ambiguous: equal to no column.
		}
		if a != "" {
			m[a] = n
		}
	}
	return m
}

// resolveKey replaces a sort key that is the alias of a result column by its
// expression. A larger expression must not use such an alias.
func resolveKey(key tree.Node, alias map[string]tree.Node) (tree.Node, bool) {
	if cols := tree.Names(key, "column_names"); tree.Str(key, "class") == "COLUMN_REF" && len(cols) == 1 {
		n, ok := alias[strings.ToLower(cols[0])]
		if !ok {
			return key, true
		}
		x, _ := tree.Clone(n).(tree.Node)
		x["alias"] = ""
		return x, len(n) > 0 && !hasStar(x) && !usesAlias(x, alias)
	}
	return key, !usesAlias(key, alias) && !hasStar(key)
}

// usesAlias reports whether x names a result column that is not simply a column
// of that name.
func usesAlias(v any, alias map[string]tree.Node) bool {
	switch v := v.(type) {
	case tree.Node:
		if cols := tree.Names(v, "column_names"); tree.Str(v, "class") == "COLUMN_REF" && len(cols) == 1 {
			n, ok := alias[strings.ToLower(cols[0])]
			return ok && !(tree.Str(n, "class") == "COLUMN_REF" && lastIs(n, cols[0]))
		}
		for _, x := range v {
			if usesAlias(x, alias) {
				return true
			}
		}
	case []any:
		for _, x := range v {
			if usesAlias(x, alias) {
				return true
			}
		}
	}
	return false
}

func lastIs(ref tree.Node, name string) bool {
	cols := tree.Names(ref, "column_names")
	return len(cols) > 0 && strings.EqualFold(cols[len(cols)-1], name)
}

// rowCount returns the expression of LIMIT plus OFFSET, when both are integers
// or placeholders.
func rowCount(limit tree.Node) (tree.Node, bool) {
	n, ok := limit["limit"].(tree.Node)
	if !ok || !isCount(n) {
		return nil, false
	}
	m, ok := limit["offset"].(tree.Node)
	if !ok {
		return n, limit["offset"] == nil
	}
	if !isCount(m) {
		return nil, false
	}
	return tree.Operator("+", tree.Cast("BIGINT", tree.Clone(n)), tree.Cast("BIGINT", tree.Clone(m))), true
}

func isCount(n tree.Node) bool {
	i, ok := tree.Int(n)
	return ok && i >= 0 && i < 1<<40 || tree.Str(n, "class") == "PARAMETER"
}
