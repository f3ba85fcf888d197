package query

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
)

// A statement is handled as the JSON that DuckDB's parser gives: objects are
// node, lists []any, numbers json.Number, which keeps every digit.
type node = map[string]any

// decodeAST reads what json_serialize_sql gives.
func decodeAST(doc string) (node, error) {
	dec := json.NewDecoder(strings.NewReader(doc))
	dec.UseNumber()
	var n node
	if err := dec.Decode(&n); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("text after the syntax tree")
	}
	return n, nil
}

// encodeAST writes the query node q as json_deserialize_sql reads it.
func encodeAST(q node) (string, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(node{"error": false, "statements": []any{node{"node": q, "named_param_map": []any{}}}})
	return b.String(), err
}

// str returns the text n[key], "" when it is none.
func str(n node, key string) string {
	s, _ := n[key].(string)
	return s
}

// elems returns the list n[key], nil when it is none.
func elems(n node, key string) []any {
	l, _ := n[key].([]any)
	return l
}

// child returns the object n[key], nil when it is none.
func child(n node, key string) node {
	c, _ := n[key].(node)
	return c
}

// names returns the texts of the list n[key].
func names(n node, key string) []string {
	l := elems(n, key)
	out := make([]string, 0, len(l))
	for _, v := range l {
		s, _ := v.(string)
		out = append(out, s)
	}
	return out
}

// offsetOf returns the byte offset of n in the text, -1 when it has none.
func offsetOf(n node) int {
	num, _ := n["query_location"].(json.Number)
	i, err := strconv.Atoi(num.String())
	if err != nil {
		return -1
	}
	return i
}

// intOf returns the value of an integer constant.
func intOf(n node) (int64, bool) {
	if str(n, "class") != "CONSTANT" {
		return 0, false
	}
	v := child(n, "value")
	switch str(child(v, "type"), "id") {
	case "INTEGER", "BIGINT":
	default:
		return 0, false
	}
	num, _ := v["value"].(json.Number)
	i, err := num.Int64()
	return i, err == nil
}

// textOf returns the value of a string constant.
func textOf(n node) (string, bool) {
	if str(n, "class") != "CONSTANT" {
		return "", false
	}
	v := child(n, "value")
	s, ok := v["value"].(string)
	return s, ok && str(child(v, "type"), "id") == "VARCHAR"
}

// clone returns a deep copy of v.
func clone(v any) any {
	switch v := v.(type) {
	case node:
		out := make(node, len(v))
		for k, x := range v {
			out[k] = clone(x)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = clone(x)
		}
		return out
	}
	return v
}

// same reports whether two trees are equal but for where they stand in the text.
func same(a, b any) bool {
	switch a := a.(type) {
	case node:
		b, ok := b.(node)
		return ok && sameFields(a, b)
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !same(a[i], b[i]) {
				return false
			}
		}
		return true
	}
	return a == b
}

func sameFields(a, b node) bool {
	isPlace := func(key string) bool { return key == "query_location" || key == scopeMark || key == starMark }
	fields := 0
	for k, x := range a {
		if isPlace(k) {
			continue
		}
		fields++
		if y, ok := b[k]; !ok || !same(x, y) {
			return false
		}
	}
	for k := range b {
		if !isPlace(k) {
			fields--
		}
	}
	return fields == 0
}

// Constructors of the nodes that the rewrite adds.

func columnRef(names ...string) node {
	l := make([]any, len(names))
	for i, s := range names {
		l[i] = s
	}
	return node{"class": "COLUMN_REF", "type": "COLUMN_REF", "alias": "", "column_names": l}
}

func call(name string, args ...any) node {
	if args == nil {
		args = []any{} // The parser does not take null for a list.
	}
	return node{
		"class": "FUNCTION", "type": "FUNCTION", "alias": "", "function_name": name, "schema": "", "catalog": "",
		"children": args, "filter": nil, "order_bys": node{"type": "ORDER_MODIFIER", "orders": []any{}},
		"distinct": false, "is_operator": false, "export_state": false,
	}
}

func operator(name string, left, right any) node {
	n := call(name, left, right)
	n["is_operator"] = true
	return n
}

func textConst(s string) node {
	return node{"class": "CONSTANT", "type": "VALUE_CONSTANT", "alias": "", "value": node{"type": typeNode("VARCHAR"), "is_null": false, "value": s}}
}

func intConst(i int64) node {
	return node{"class": "CONSTANT", "type": "VALUE_CONSTANT", "alias": "", "value": node{
		"type": typeNode("BIGINT"), "is_null": false, "value": json.Number(strconv.FormatInt(i, 10)),
	}}
}

func nullConst() node {
	return node{"class": "CONSTANT", "type": "VALUE_CONSTANT", "alias": "", "value": node{"type": typeNode("NULL"), "is_null": true}}
}

func typeNode(id string) node { return node{"id": id, "type_info": nil} }

func castTo(typ string, x any) node {
	return node{"class": "CAST", "type": "OPERATOR_CAST", "alias": "", "child": x, "cast_type": typeNode(typ), "try_cast": false}
}

func tryCastTo(typ string, x any) node {
	n := castTo(typ, x)
	n["try_cast"] = true
	return n
}

func compare(op string, left, right any) node {
	return node{"class": "COMPARISON", "type": op, "alias": "", "left": left, "right": right}
}

// when is CASE WHEN cond THEN then ELSE otherwise END.
func when(cond, then, otherwise any) node {
	return node{
		"class": "CASE", "type": "CASE_EXPR", "alias": "",
		"case_checks": []any{node{"when_expr": cond, "then_expr": then}}, "else_expr": otherwise,
	}
}

func param(number int) node {
	return node{"class": "PARAMETER", "type": "VALUE_PARAMETER", "alias": "", "identifier": strconv.Itoa(number)}
}
