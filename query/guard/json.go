package guard

import (
	"fmt"
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query/tree"
)

// jsonFunction replaces a function of the json_get family by DuckDB's functions.
// Its arguments are a document and the path to a value in it: keys of objects
// and indexes of arrays. A text that is no JSON document holds nothing.
func (c *checker) jsonFunction(n tree.Node, name string, args []any) {
	if len(args) == 0 {
		c.refuse(n, kalam.CodeInvalidSQL, "Function '%s' takes a JSON document", name)
		return
	}
	if len(args) < 2 && name != "json_length" && name != "json_object_keys" && name != "json_as_text" {
		c.refuse(n, kalam.CodeInvalidSQL, "Function '%s' takes a JSON document and a key", name)
		return
	}
	doc, path := args[0], jsonPointer(args[1:])
	// The rewrite copies them up to five times.
	if c.nodes += 5 * tree.Count(args); c.nodes > maxNodes {
		c.refuse(n, kalam.CodeInvalidSQL, "Query is too large: it has more than %d elements", maxNodes)
		return
	}
	at := func(function string) tree.Node { return tree.Call(function, tree.Clone(doc), tree.Clone(path)) }
	text := func() tree.Node { return at("json_extract_string") }
	is := func(types ...string) tree.Node { return oneOf(at("json_type"), types) }
	var value tree.Node
	switch name {
	case "json_get", "json_get_json":
		value = at("json_extract")
	case "json_as_text":
		value = text()
	case "json_get_str":
		value = tree.When(is("VARCHAR"), text(), tree.Null())
	case "json_get_int":
		value = tree.When(is("BIGINT", "UBIGINT"), tree.TryCast("BIGINT", text()), tree.Null())
	case "json_get_float":
		value = tree.When(is("DOUBLE", "BIGINT", "UBIGINT"), tree.TryCast("DOUBLE", text()), tree.Null())
	case "json_get_bool":
		value = tree.When(is("BOOLEAN"), tree.TryCast("BOOLEAN", text()), tree.Null())
	case "json_contains":
		value = at("json_exists")
	case "json_length":
		value = tree.When(
			is("ARRAY"),
			tree.Cast("BIGINT", at("json_array_length")),
			tree.When(is("OBJECT"), tree.Call("len", at("json_keys")), tree.Null()),
		)
	case "json_object_keys":
		value = tree.When(is("OBJECT"), at("json_keys"), tree.Null())
	}
	tree.Become(n, tree.When(tree.Call("json_valid", tree.Clone(doc)), value, tree.Null()))
}

// oneOf is x IN (texts).
func oneOf(x tree.Node, texts []string) tree.Node {
	children := []any{x}
	for _, t := range texts {
		children = append(children, tree.TextConst(t))
	}
	return tree.Node{"class": "OPERATOR", "type": "COMPARE_IN", "alias": "", "children": children}
}

// jsonPointer returns the expression of the JSON pointer to a path. A pointer
// takes any key as it is, which a JSONPath does not.
func jsonPointer(keys []any) tree.Node {
	fixed, parts := "", []any{}
	for _, k := range keys {
		n, _ := k.(tree.Node)
		if s, ok := tree.Text(n); ok {
			fixed += "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(s)
			continue
		}
		text := tree.Cast("VARCHAR", n)
		text = tree.Call(
			"replace",
			tree.Call("replace", text, tree.TextConst("~"), tree.TextConst("~0")),
			tree.TextConst("/"),
			tree.TextConst("~1"),
		)
		parts = append(parts, tree.TextConst(fixed+"/"), text)
		fixed = ""
	}
	if len(parts) == 0 {
		return tree.TextConst(fixed)
	}
	sum := parts[0].(tree.Node)
	for _, p := range parts[1:] {
		sum = tree.Operator("||", sum, p)
	}
	if fixed != "" {
		sum = tree.Operator("||", sum, tree.TextConst(fixed))
	}
	return sum
}

// maxFill is the number of characters to which a text may be filled up.
const maxFill = 10_000

// checkAmplifier bounds the functions that make a large value out of a small
// one, whose memory DuckDB does not count.
func (c *checker) checkAmplifier(n tree.Node, name string, inFrom bool) {
	args := tree.Elems(n, "children")
	if c.generated || tree.Str(n, "class") != "FUNCTION" {
		return
	}
	switch name {
	case "lpad", "rpad":
		if len(args) == 3 {
			args[1] = capped(args[1], maxFill)
		}
	case "list_resize", "array_resize":
		if len(args) > 1 {
			args[1] = capped(args[1], maxSeries)
		}
	case "repeat":
		if len(args) != 2 {
			return
		}
		first, _ := args[0].(tree.Node)
		s, ok := tree.Text(first)
		if !ok {
			c.refuse(n, kalam.CodeUnsupported, "Function 'repeat' takes a string literal here")
			return
		}
		args[1] = capped(args[1], int64(maxFill/max(len(s), 1)))
	case "range", "generate_series":
		if !inFrom {
			c.checkSeries(n, args)
		}
	case "format", "printf":
		c.checkFormat(n, args)
	}
}

// capped is x, or an error when x is above limit.
func capped(x any, limit int64) tree.Node {
	n, _ := x.(tree.Node)
	if i, ok := tree.Int(n); ok && i <= limit {
		return n
	}
	return tree.When(
		tree.Compare("COMPARE_GREATERTHAN", tree.Clone(n), tree.IntConst(limit)),
		tree.Call("error", tree.TextConst(fmt.Sprintf("a value may be filled up to %d here", limit))),
		n,
	)
}

// maxSeries is the number of elements of a list that range makes.
const maxSeries = 100_000

// checkSeries bounds range and generate_series as functions of a value; in FROM
// they make rows, not a list. What is no literal is compared when the query runs.
func (c *checker) checkSeries(n tree.Node, args []any) {
	literals := true
	for _, a := range args {
		x, _ := a.(tree.Node)
		i, ok := tree.Int(x)
		literals = literals && ok && i <= maxSeries && i >= -maxSeries
	}
	if literals || len(args) < 1 || len(args) > 3 {
		return // DuckDB knows no other count of arguments.
	}
	only, _ := args[0].(tree.Node)
	if i, ok := tree.Int(only); ok && len(args) == 1 && i > maxSeries {
		c.refuse(
			n,
			kalam.CodeUnsupported,
			"Function '%s' makes lists of up to %d elements here; use it in FROM",
			tree.Str(n, "function_name"),
			maxSeries,
		)
		return
	}
	if c.nodes += 2 * tree.Count(args); c.nodes > maxNodes {
		c.refuse(n, kalam.CodeInvalidSQL, "Query is too large: it has more than %d elements", maxNodes)
		return
	}
	measure := func(x any) tree.Node { return tree.Cast("DOUBLE", tree.Clone(x)) }
	start, stop, step := any(tree.IntConst(0)), 0, any(tree.IntConst(1))
	if len(args) > 1 {
		start, stop = args[0], 1
	}
	if len(args) > 2 {
		step = args[2]
	}
	elements := tree.Operator("/", tree.Operator("-", measure(args[stop]), measure(start)), measure(step))
	if isInterval(step) {
		moment := func(x any) tree.Node { return tree.Call("epoch", tree.Cast("TIMESTAMP", tree.Clone(x))) }
		elements = tree.Operator(
			"/",
			tree.Operator("-", moment(args[stop]), moment(start)),
			tree.Call("epoch", tree.Clone(step)),
		)
	}
	text := fmt.Sprintf(
		"%s makes lists of up to %d elements; use it in FROM",
		strings.ToLower(tree.Str(n, "function_name")),
		maxSeries,
	)
	args[stop] = tree.When(
		tree.Compare("COMPARE_GREATERTHAN", elements, tree.IntConst(maxSeries)),
		tree.Call("error", tree.TextConst(text)),
		args[stop],
	)
}

// intervalFunctions give intervals.
var intervalFunctions = newFunctionSet(`
	to_centuries to_days to_decades to_hours to_microseconds to_millennia to_milliseconds to_minutes to_months
	to_quarters to_seconds to_weeks to_years`)

// isInterval reports whether the text of x says that it is an interval.
func isInterval(x any) bool {
	n, _ := x.(tree.Node)
	switch tree.Str(n, "class") {
	case "CAST":
		return tree.Str(tree.Child(n, "cast_type"), "id") == "INTERVAL"
	case "FUNCTION":
		if intervalFunctions.has(tree.Str(n, "function_name")) {
			return true
		}
		for _, a := range tree.Elems(n, "children") {
			if b, _ := n["is_operator"].(bool); b && isInterval(a) {
				return true
			}
		}
	}
	return false
}

// checkFormat refuses a format that is computed, or fills up.
func (c *checker) checkFormat(n tree.Node, args []any) {
	if len(args) == 0 {
		return
	}
	first, _ := args[0].(tree.Node)
	s, ok := tree.Text(first)
	digits := 0
	for i := 0; ok && i < len(s); i++ {
		if digits++; s[i] < '0' || s[i] > '9' {
			digits = 0
		}
		ok = digits < 4 && s[i] != '*' && !strings.HasPrefix(s[i:], ":{")
	}
	if !ok {
		c.refuse(
			n,
			kalam.CodeUnsupported,
			"Function '%s' takes a string literal with widths below 1000 as format",
			tree.Str(n, "function_name"),
		)
	}
}
