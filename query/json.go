package query

import (
	"fmt"
	"strings"

	"github.com/kalamlake/kalam"
)

// jsonFunction replaces a function of the json_get family by DuckDB's functions.
// Its arguments are a document and the path to a value in it: keys of objects
// and indexes of arrays. A text that is no JSON document holds nothing.
func (c *checker) jsonFunction(n node, name string, args []any) {
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
	if c.nodes += 5 * countNodes(args); c.nodes > maxNodes {
		c.refuse(n, kalam.CodeInvalidSQL, "Query is too large: it has more than %d elements", maxNodes)
		return
	}
	at := func(function string) node { return call(function, clone(doc), clone(path)) }
	text := func() node { return at("json_extract_string") }
	is := func(types ...string) node { return oneOf(at("json_type"), types) }
	var value node
	switch name {
	case "json_get", "json_get_json":
		value = at("json_extract")
	case "json_as_text":
		value = text()
	case "json_get_str":
		value = when(is("VARCHAR"), text(), nullConst())
	case "json_get_int":
		value = when(is("BIGINT", "UBIGINT"), tryCastTo("BIGINT", text()), nullConst())
	case "json_get_float":
		value = when(is("DOUBLE", "BIGINT", "UBIGINT"), tryCastTo("DOUBLE", text()), nullConst())
	case "json_get_bool":
		value = when(is("BOOLEAN"), tryCastTo("BOOLEAN", text()), nullConst())
	case "json_contains":
		value = at("json_exists")
	case "json_length":
		value = when(is("ARRAY"), castTo("BIGINT", at("json_array_length")), when(is("OBJECT"), call("len", at("json_keys")), nullConst()))
	case "json_object_keys":
		value = when(is("OBJECT"), at("json_keys"), nullConst())
	}
	become(n, when(call("json_valid", clone(doc)), value, nullConst()))
}

// oneOf is x IN (texts).
func oneOf(x node, texts []string) node {
	children := []any{x}
	for _, t := range texts {
		children = append(children, textConst(t))
	}
	return node{"class": "OPERATOR", "type": "COMPARE_IN", "alias": "", "children": children}
}

// jsonPointer returns the expression of the JSON pointer to a path. A pointer
// takes any key as it is, which a JSONPath does not.
func jsonPointer(keys []any) node {
	fixed, parts := "", []any{}
	for _, k := range keys {
		n, _ := k.(node)
		if s, ok := textOf(n); ok {
			fixed += "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(s)
			continue
		}
		text := castTo("VARCHAR", n)
		text = call("replace", call("replace", text, textConst("~"), textConst("~0")), textConst("/"), textConst("~1"))
		parts = append(parts, textConst(fixed+"/"), text)
		fixed = ""
	}
	if len(parts) == 0 {
		return textConst(fixed)
	}
	sum := parts[0].(node)
	for _, p := range parts[1:] {
		sum = operator("||", sum, p)
	}
	if fixed != "" {
		sum = operator("||", sum, textConst(fixed))
	}
	return sum
}

// countNodes returns the number of objects in v.
func countNodes(v any) int {
	n := 0
	switch v := v.(type) {
	case node:
		n = 1
		for _, x := range v {
			n += countNodes(x)
		}
	case []any:
		for _, x := range v {
			n += countNodes(x)
		}
	}
	return n
}

// maxFill is the number of characters to which a text may be filled up.
const maxFill = 10_000

// checkAmplifier bounds the functions that make a large value out of a small
// one, whose memory DuckDB does not count.
func (c *checker) checkAmplifier(n node, name string, inFrom bool) {
	args := elems(n, "children")
	if c.generated || str(n, "class") != "FUNCTION" {
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
		first, _ := args[0].(node)
		s, ok := textOf(first)
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
func capped(x any, limit int64) node {
	n, _ := x.(node)
	if i, ok := intOf(n); ok && i <= limit {
		return n
	}
	return when(compare("COMPARE_GREATERTHAN", clone(n), intConst(limit)), call("error", textConst(fmt.Sprintf("a value may be filled up to %d here", limit))), n)
}

// maxSeries is the number of elements of a list that range makes.
const maxSeries = 100_000

// checkSeries bounds range and generate_series as functions of a value; in FROM
// they make rows, not a list. What is no literal is compared when the query runs.
func (c *checker) checkSeries(n node, args []any) {
	literals := true
	for _, a := range args {
		x, _ := a.(node)
		i, ok := intOf(x)
		literals = literals && ok && i <= maxSeries && i >= -maxSeries
	}
	if literals || len(args) < 1 || len(args) > 3 {
		return // DuckDB knows no other count of arguments.
	}
	only, _ := args[0].(node)
	if i, ok := intOf(only); ok && len(args) == 1 && i > maxSeries {
		c.refuse(n, kalam.CodeUnsupported, "Function '%s' makes lists of up to %d elements here; use it in FROM", str(n, "function_name"), maxSeries)
		return
	}
	if c.nodes += 2 * countNodes(args); c.nodes > maxNodes {
		c.refuse(n, kalam.CodeInvalidSQL, "Query is too large: it has more than %d elements", maxNodes)
		return
	}
	measure := func(x any) node { return castTo("DOUBLE", clone(x)) }
	start, stop, step := any(intConst(0)), 0, any(intConst(1))
	if len(args) > 1 {
		start, stop = args[0], 1
	}
	if len(args) > 2 {
		step = args[2]
	}
	elements := operator("/", operator("-", measure(args[stop]), measure(start)), measure(step))
	if isInterval(step) {
		moment := func(x any) node { return call("epoch", castTo("TIMESTAMP", clone(x))) }
		elements = operator("/", operator("-", moment(args[stop]), moment(start)), call("epoch", clone(step)))
	}
	text := fmt.Sprintf("%s makes lists of up to %d elements; use it in FROM", strings.ToLower(str(n, "function_name")), maxSeries)
	args[stop] = when(compare("COMPARE_GREATERTHAN", elements, intConst(maxSeries)), call("error", textConst(text)), args[stop])
}

// intervalFunctions give intervals.
var intervalFunctions = newFunctionSet(`
	to_centuries to_days to_decades to_hours to_microseconds to_millennia to_milliseconds to_minutes to_months to_quarters to_seconds to_weeks to_years`)

// isInterval reports whether the text of x says that it is an interval.
func isInterval(x any) bool {
	n, _ := x.(node)
	switch str(n, "class") {
	case "CAST":
		return str(child(n, "cast_type"), "id") == "INTERVAL"
	case "FUNCTION":
		if intervalFunctions.has(str(n, "function_name")) {
			return true
		}
		for _, a := range elems(n, "children") {
			if b, _ := n["is_operator"].(bool); b && isInterval(a) {
				return true
			}
		}
	}
	return false
}

// checkFormat refuses a format that is computed, or fills up.
func (c *checker) checkFormat(n node, args []any) {
	if len(args) == 0 {
		return
	}
	first, _ := args[0].(node)
	s, ok := textOf(first)
	digits := 0
	for i := 0; ok && i < len(s); i++ {
		if digits++; s[i] < '0' || s[i] > '9' {
			digits = 0
		}
		ok = digits < 4 && s[i] != '*' && !strings.HasPrefix(s[i:], ":{")
	}
	if !ok {
		c.refuse(n, kalam.CodeUnsupported, "Function '%s' takes a string literal with widths below 1000 as format", str(n, "function_name"))
	}
}
