package tree

import (
	"encoding/json"
	"strconv"
)

// Column is the name of a column, with what stands before it.
func Column(names ...string) Node {
	l := make([]any, len(names))
	for i, s := range names {
		l[i] = s
	}
	return Node{"class": "COLUMN_REF", "type": "COLUMN_REF", "alias": "", "column_names": l}
}

// Call is name(args).
func Call(name string, args ...any) Node {
	if args == nil {
		args = []any{} // The parser does not take null for a list.
	}
	return Node{
		"class": "FUNCTION", "type": "FUNCTION", "alias": "", "function_name": name, "schema": "", "catalog": "",
		"children": args, "filter": nil, "order_bys": Node{"type": "ORDER_MODIFIER", "orders": []any{}},
		"distinct": false, "is_operator": false, "export_state": false,
	}
}

// Operator is left name right.
func Operator(name string, left, right any) Node {
	n := Call(name, left, right)
	n["is_operator"] = true
	return n
}

// TextConst is a string literal.
func TextConst(s string) Node {
	return Node{
		"class": "CONSTANT",
		"type":  "VALUE_CONSTANT",
		"alias": "",
		"value": Node{"type": Type("VARCHAR"), "is_null": false, "value": s},
	}
}

// IntConst is a number of type BIGINT.
func IntConst(i int64) Node {
	return Node{"class": "CONSTANT", "type": "VALUE_CONSTANT", "alias": "", "value": Node{
		"type": Type("BIGINT"), "is_null": false, "value": json.Number(strconv.FormatInt(i, 10)),
	}}
}

// Null is NULL.
func Null() Node {
	return Node{
		"class": "CONSTANT",
		"type":  "VALUE_CONSTANT",
		"alias": "",
		"value": Node{"type": Type("NULL"), "is_null": true},
	}
}

// Type is a type without arguments.
func Type(id string) Node { return Node{"id": id, "type_info": nil} }

// Cast is CAST(x AS typ).
func Cast(typ string, x any) Node {
	return Node{
		"class":     "CAST",
		"type":      "OPERATOR_CAST",
		"alias":     "",
		"child":     x,
		"cast_type": Type(typ),
		"try_cast":  false,
	}
}

// TryCast is TRY_CAST(x AS typ).
func TryCast(typ string, x any) Node {
	n := Cast(typ, x)
	n["try_cast"] = true
	return n
}

// Compare is a comparison; op is the parser's name of the operator.
func Compare(op string, left, right any) Node {
	return Node{"class": "COMPARISON", "type": op, "alias": "", "left": left, "right": right}
}

// When is CASE WHEN cond THEN then ELSE otherwise END.
func When(cond, then, otherwise any) Node {
	return Node{
		"class": "CASE", "type": "CASE_EXPR", "alias": "",
		"case_checks": []any{Node{"when_expr": cond, "then_expr": then}}, "else_expr": otherwise,
	}
}

// Param is the placeholder $number.
func Param(number int) Node {
	return Node{"class": "PARAMETER", "type": "VALUE_PARAMETER", "alias": "", "identifier": strconv.Itoa(number)}
}

// Become makes n the node m, but for its place and alias.
func Become(n, m Node) {
	alias, pos := n["alias"], n["query_location"]
	clear(n)
	for k, v := range m {
		n[k] = v
	}
	n["alias"] = alias
	if pos != nil {
		n["query_location"] = pos
	}
}

// Select is SELECT x.
func Select(x Node) Node {
	return Node{
		"type": "SELECT_NODE", "modifiers": []any{}, "cte_map": Node{"map": []any{}}, "select_list": []any{x},
		"from_table": Node{"type": "EMPTY", "alias": "", "sample": nil}, "where_clause": nil, "group_expressions": []any{},
		"group_sets": []any{}, "aggregate_handling": "STANDARD_HANDLING", "having": nil, "sample": nil, "qualify": nil,
	}
}
