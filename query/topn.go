package query

import "strings"

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

// splitTop returns the outer query and the branch, or nil when the rewrite does
// not apply to q.
func splitTop(q node, c *checker) (outer, branch node) {
	if !isSimpleSelect(q) || len(c.tables) != 1 || str(child(q, "from_table"), "type") != "BASE_TABLE" || c.ctes > 0 {
		return nil, nil
	}
	var order, limit node
	for _, m := range elems(q, "modifiers") {
		m, _ := m.(node)
		switch str(m, "type") {
		case "ORDER_MODIFIER":
			order = m
		case "LIMIT_MODIFIER":
			limit = m
		default:
			return nil, nil
		}
	}
	if order == nil || limit == nil || len(elems(child(q, "from_table"), "column_name_alias")) > 0 {
		return nil, nil
	}
	alias := aliases(elems(q, "select_list"))
	keys, ok := sortKeys(q, order, alias)
	// WHERE may name result columns, which the branch does not have.
	if !ok || !isSteady(q["where_clause"]) || usesAlias(q["where_clause"], alias) {
		return nil, nil
	}
	count, ok := rowCount(limit)
	if !ok {
		return nil, nil
	}
	outer, _ = clone(q).(node)
	outer["where_clause"] = nil
	branch, _ = clone(q).(node)
	branch["select_list"] = []any{node{
		"class": "STAR", "type": "STAR", "alias": "", "relation_name": "", "exclude_list": []any{}, "replace_list": []any{}, "columns": false,
		"expr": nil, "qualified_exclude_list": []any{}, "rename_list": []any{},
	}}
	branch["modifiers"] = []any{
		node{"type": "ORDER_MODIFIER", "orders": keys},
		node{"type": "LIMIT_MODIFIER", "limit": count, "offset": nil},
	}
	return outer, branch
}

// isSimpleSelect reports whether q gives one row per row of its table.
func isSimpleSelect(q node) bool {
	if str(q, "type") != "SELECT_NODE" || str(q, "aggregate_handling") != "STANDARD_HANDLING" {
		return false
	}
	for _, key := range []string{"group_expressions", "group_sets", "having", "qualify", "sample"} {
		if !isEmpty(q[key]) {
			return false
		}
	}
	return isEmpty(child(q, "from_table")["sample"]) && isSteady(q["select_list"])
}

// isSteady reports whether v holds no aggregate, window, subquery or volatile
// function, so that it can be evaluated per row, and twice.
func isSteady(v any) bool {
	switch v := v.(type) {
	case node:
		switch str(v, "class") {
		case "WINDOW", "SUBQUERY":
			return false
		case "FUNCTION":
			if name := str(v, "function_name"); reducerFunctions.has(name) || changingFuncs.has(name) {
				return false
			}
		case "OPERATOR":
			if str(v, "type") == "GROUPING_FUNCTION" {
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
func sortKeys(q, order node, alias map[string]node) (keys []any, ok bool) {
	items := elems(q, "select_list")
	for _, v := range elems(order, "orders") {
		o, _ := clone(v).(node)
		x := child(o, "expression")
		if i, isNumber := intOf(x); isNumber {
			if x, ok = itemAt(items, i); !ok {
				return nil, false
			}
			x["alias"] = ""
		} else if x, ok = resolveKey(x, alias); !ok {
			return nil, false
		}
		if !isSteady(x) || str(x, "class") == "STAR" || str(x, "class") == "CONSTANT" || str(x, "class") == "PARAMETER" {
			return nil, false
		}
		o["expression"] = x
		keys = append(keys, o)
	}
	return keys, len(keys) > 0
}

// itemAt returns a copy of the i-th result column, counted from 1, when no star
// stands before it.
func itemAt(items []any, i int64) (node, bool) {
	if i < 1 || i > int64(len(items)) {
		return nil, false
	}
	for _, v := range items[:i] {
		if hasStar(v) {
			return nil, false
		}
	}
	x, ok := clone(items[i-1]).(node)
	return x, ok
}

func hasStar(v any) bool {
	n, ok := v.(node)
	if !ok {
		return false
	}
	if str(n, "class") == "STAR" {
		return true
	}
	for _, x := range n {
		switch x := x.(type) {
		case node:
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
func aliases(items []any) map[string]node {
	m := map[string]node{}
	for _, v := range items {
		n, _ := v.(node)
		a := strings.ToLower(str(n, "alias"))
		if _, twice := m[a]; twice {
			n = node{} // Ambiguous: equal to no column.
		}
		if a != "" {
			m[a] = n
		}
	}
	return m
}

// resolveKey replaces a sort key that is the alias of a result column by its
// expression. A larger expression must not use such an alias.
func resolveKey(key node, alias map[string]node) (node, bool) {
	if cols := names(key, "column_names"); str(key, "class") == "COLUMN_REF" && len(cols) == 1 {
		n, ok := alias[strings.ToLower(cols[0])]
		if !ok {
			return key, true
		}
		x, _ := clone(n).(node)
		x["alias"] = ""
		return x, len(n) > 0 && !hasStar(x) && !usesAlias(x, alias)
	}
	return key, !usesAlias(key, alias) && !hasStar(key)
}

// usesAlias reports whether x names a result column that is not simply a column
// of that name.
func usesAlias(v any, alias map[string]node) bool {
	switch v := v.(type) {
	case node:
		if cols := names(v, "column_names"); str(v, "class") == "COLUMN_REF" && len(cols) == 1 {
			n, ok := alias[strings.ToLower(cols[0])]
			return ok && !(str(n, "class") == "COLUMN_REF" && lastIs(n, cols[0]))
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

func lastIs(ref node, name string) bool {
	cols := names(ref, "column_names")
	return len(cols) > 0 && strings.EqualFold(cols[len(cols)-1], name)
}

// rowCount returns the expression of LIMIT plus OFFSET, when both are integers
// or placeholders.
func rowCount(limit node) (node, bool) {
	n, ok := limit["limit"].(node)
	if !ok || !isCount(n) {
		return nil, false
	}
	m, ok := limit["offset"].(node)
	if !ok {
		return n, limit["offset"] == nil
	}
	if !isCount(m) {
		return nil, false
	}
	return operator("+", castTo("BIGINT", clone(n)), castTo("BIGINT", clone(m))), true
}

func isCount(n node) bool {
	i, ok := intOf(n)
	return ok && i >= 0 && i < 1<<40 || str(n, "class") == "PARAMETER"
}
