package tree

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
)

// Node is an object of the JSON that DuckDB's parser gives: objects in it are Nodes, lists
// []any, numbers json.Number, which keeps every digit.
type Node = map[string]any

// Decode reads what json_serialize_sql gives.
func Decode(doc string) (Node, error) {
	dec := json.NewDecoder(strings.NewReader(doc))
	dec.UseNumber()
	var n Node
	if err := dec.Decode(&n); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("text after the syntax tree")
	}
	return n, nil
}

// Encode writes the query node q as json_deserialize_sql reads it.
func Encode(q Node) (string, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(Node{"error": false, "statements": []any{Node{"node": q, "named_param_map": []any{}}}})
	return b.String(), err
}

// Str returns the text n[key], "" when it is none.
func Str(n Node, key string) string {
	s, _ := n[key].(string)
	return s
}

// Elems returns the list n[key], nil when it is none.
func Elems(n Node, key string) []any {
	l, _ := n[key].([]any)
	return l
}

// Child returns the object n[key], nil when it is none.
func Child(n Node, key string) Node {
	c, _ := n[key].(Node)
	return c
}

// Names returns the texts of the list n[key].
func Names(n Node, key string) []string {
	l := Elems(n, key)
	out := make([]string, 0, len(l))
	for _, v := range l {
		s, _ := v.(string)
		out = append(out, s)
	}
	return out
}

// Offset returns the byte offset of n in the text, -1 when it has none.
func Offset(n Node) int {
	num, _ := n["query_location"].(json.Number)
	i, err := strconv.Atoi(num.String())
	if err != nil {
		return -1
	}
	return i
}

// Int returns the value of an integer constant.
func Int(n Node) (int64, bool) {
	if Str(n, "class") != "CONSTANT" {
		return 0, false
	}
	v := Child(n, "value")
	switch Str(Child(v, "type"), "id") {
	case "INTEGER", "BIGINT":
	default:
		return 0, false
	}
	num, _ := v["value"].(json.Number)
	i, err := num.Int64()
	return i, err == nil
}

// Text returns the value of a string constant.
func Text(n Node) (string, bool) {
	if Str(n, "class") != "CONSTANT" {
		return "", false
	}
	v := Child(n, "value")
	s, ok := v["value"].(string)
	return s, ok && Str(Child(v, "type"), "id") == "VARCHAR"
}

// Clone returns a deep copy of v.
func Clone(v any) any {
	switch v := v.(type) {
	case Node:
		out := make(Node, len(v))
		for k, x := range v {
			out[k] = Clone(x)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = Clone(x)
		}
		return out
	}
	return v
}

// IsEmpty reports whether a field says nothing.
func IsEmpty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case bool:
		return !v
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	case Node:
		return len(v) == 0
	}
	return false
}

// Count returns the number of objects in v.
func Count(v any) int {
	n := 0
	switch v := v.(type) {
	case Node:
		n = 1
		for _, x := range v {
			n += Count(x)
		}
	case []any:
		for _, x := range v {
			n += Count(x)
		}
	}
	return n
}

// IsNull reports whether n is NULL.
func IsNull(n Node) bool {
	null, _ := Child(n, "value")["is_null"].(bool)
	return Str(n, "class") == "CONSTANT" && null
}

// IsPlainStar reports whether n is * or t.*, without EXCLUDE, REPLACE and the like.
func IsPlainStar(n Node) bool {
	if Str(n, "class") != "STAR" || !IsEmpty(n["columns"]) || Child(n, "expr") != nil {
		return false
	}
	for _, key := range []string{"exclude_list", "replace_list", "qualified_exclude_list", "rename_list"} {
		if !IsEmpty(n[key]) {
			return false
		}
	}
	return true
}

// FieldOrder is the order in which fields are walked: that of the text, except
// that FROM comes before what refers to it.
var FieldOrder = []string{
	"from_table", "source", "left", "right", "condition", "function", "query", "subquery", "values", "expected_types",
	"select_list", "where_clause", "group_expressions", "group_sets", "having", "qualify", "sample",
	"aggregates", "pivots", "input", "lower", "upper", "case_checks", "else_expr", "lhs", "expr", "child", "children",
	"cast_type",
	"partitions", "orders", "order_bys", "arg_orders", "start_expr", "end_expr", "offset_expr", "default_expr", "filter",
	"filter_expr",
	"replace_list", "at_clause", "duplicate_eliminated_columns", "key_targets",
	"value", "column_names", "relation_name", "exclude_list", "qualified_exclude_list", "rename_list", "columns", "index",
	"identifier",
	"collation", "try_cast", "function_name", "schema", "catalog", "distinct", "is_operator", "export_state",
	"subquery_type",
	"comparison_type", "start", "end", "ignore_nulls", "exclude_clause", "schema_name", "table_name", "catalog_name",
	"column_name_alias",
	"expected_names", "join_type", "ref_type", "using_columns", "delim_flipped", "unpivot_names", "groups",
	"include_nulls", "show_type",
	"with_ordinality", "aggregate_handling", "setop_type", "setop_all", "cte_name", "union_all", "aliases",
}
