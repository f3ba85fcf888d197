package query

import (
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
	return when(compare("COMPARE_GREATERTHAN", clone(n), intConst(limit)), call("error", textConst("a text may be filled up to 10000 characters")), n)
}

// maxSeries is the number of elements of a list that range makes.
const maxSeries = 100_000

// checkSeries bounds range and generate_series as functions of a value; in FROM
// they make rows, not a list.
func (c *checker) checkSeries(n node, args []any) {
	for _, a := range args {
		x, _ := a.(node)
		i, ok := intOf(x)
		if !ok || i > maxSeries || i < -maxSeries {
			c.refuse(n, kalam.CodeUnsupported, "Function '%s' takes integer literals up to %d here; use it in FROM", str(n, "function_name"), maxSeries)
			return
		}
	}
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
