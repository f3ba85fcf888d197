package guard

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query/tree"
)

// DuckDB writes a syntax tree as text that does not always give the tree again.
// What is written otherwise is replaced here by what is written as it is;
// TestTextOfTheTree holds this against DuckDB's grammar.

// constantMark is the field of a cast that stands for a number constant: the constant.
// finish removes it.
const constantMark = "kalam_constant"

// exactNumber keeps the type of a number constant: 1e0 is written as 1.0, which is a
// DECIMAL, and 5. as 5, which is an INTEGER.
func (c *checker) exactNumber(n tree.Node) {
	value := tree.Child(n, "value")
	typ := tree.Child(value, "type")
	num, ok := value["value"].(json.Number)
	if c.generated || !ok {
		return
	}
	constant, _ := tree.Clone(n).(tree.Node)
	switch tree.Str(typ, "id") {
	case "DOUBLE":
		tree.Become(n, tree.Cast("DOUBLE", tree.TextConst(num.String())))
		n[constantMark] = constant
	case "DECIMAL":
		info := tree.Child(typ, "type_info")
		scale, err := strconv.Atoi(fmt.Sprint(info["scale"]))
		if err != nil {
			return
		}
		text := decimalText(num.String(), scale)
		if scale > 0 && fmt.Sprint(len(strings.Trim(text, "-"))-1) == fmt.Sprint(info["width"]) {
			return
		}
		cast := tree.Cast("DECIMAL", tree.TextConst(text))
		cast["cast_type"] = tree.Clone(typ)
		tree.Become(n, cast)
		n[constantMark] = constant
	}
}

// decimalText writes a DECIMAL that the tree holds without its point.
func decimalText(digits string, scale int) string {
	if scale == 0 {
		return digits
	}
	digits, negative := strings.CutPrefix(digits, "-")
	if missing := scale + 1 - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	at := len(digits) - scale
	text := digits[:at] + "." + digits[at:]
	if negative {
		text = "-" + text
	}
	return text
}

// exactPrefix keeps the brackets around x in (-x)[1], (-x).k and (-x) COLLATE c, where n
// is what follows it: the operator in front, written without them, would come last. As a
// function it is written with its argument in brackets.
func (c *checker) exactPrefix(n tree.Node) {
	first := n["child"] // Of COLLATE.
	switch tree.Str(n, "type") {
	case "ARRAY_EXTRACT", "ARRAY_SLICE", "STRUCT_EXTRACT":
		if args := tree.Elems(n, "children"); len(args) > 0 {
			first = args[0]
		}
	}
	f, _ := first.(tree.Node)
	if !c.generated && isPrefix(f) {
		f["is_operator"] = false
	}
}

// exactOperator keeps the brackets around ~x in (~x) + 1: an operator in front is written
// without them, and all but the signs bind weaker than what may follow.
func (c *checker) exactOperator(n tree.Node) {
	if name := tree.Str(n, "function_name"); !c.generated && isPrefix(n) && name != "-" && name != "+" {
		n["is_operator"] = false
	}
}

// isPrefix tells whether n is an operator in front of its only argument.
func isPrefix(n tree.Node) bool {
	operator, _ := n["is_operator"].(bool)
	return operator && len(tree.Elems(n, "children")) == 1
}

// exactJoin keeps the brackets of joins. A CROSS JOIN is written as a comma, which
// binds weaker than any other join: below one it becomes a join ON TRUE. What stands
// in brackets to the right of a join without a condition has no form at all.
func (c *checker) exactJoin(n tree.Node) {
	kind := tree.Str(n, "ref_type")
	if c.generated || kind == "CROSS" {
		return
	}
	crossToInner(tree.Child(n, "left"))
	right := tree.Child(n, "right")
	crossToInner(right)
	if (kind == "NATURAL" || kind == "POSITIONAL") && tree.Str(right, "type") == "JOIN" {
		c.refuse(n, kalam.CodeUnsupported, "%s JOIN takes no join in brackets on its right: write it as a subquery", kind)
	}
}

// crossToInner turns the CROSS JOINs among the joins of n into joins ON TRUE.
func crossToInner(n tree.Node) {
	if tree.Str(n, "type") != "JOIN" {
		return
	}
	if tree.Str(n, "ref_type") == "CROSS" {
		n["ref_type"], n["join_type"], n["condition"] = "REGULAR", "INNER", tree.Cast("BOOLEAN", tree.TextConst("t"))
	}
	crossToInner(tree.Child(n, "left"))
	crossToInner(tree.Child(n, "right"))
}
