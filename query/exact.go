package query

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/kalamlake/kalam"
)

// DuckDB writes a syntax tree as text that does not always give the tree again.
// What is written otherwise is replaced here by what is written as it is;
// TestTextOfTheTree holds this against DuckDB's grammar.

// constantMark is the field of a cast that stands for a number constant: the constant.
// finish removes it.
const constantMark = "kalam_constant"

// exactNumber keeps the type of a number constant: 1e0 is written as 1.0, which is a
// DECIMAL, and 5. as 5, which is an INTEGER.
func (c *checker) exactNumber(n node) {
	value := child(n, "value")
	typ := child(value, "type")
	num, ok := value["value"].(json.Number)
	if c.generated || !ok {
		return
	}
	constant, _ := clone(n).(node)
	switch str(typ, "id") {
	case "DOUBLE":
		become(n, castTo("DOUBLE", textConst(num.String())))
		n[constantMark] = constant
	case "DECIMAL":
		info := child(typ, "type_info")
		scale, err := strconv.Atoi(fmt.Sprint(info["scale"]))
		if err != nil {
			return
		}
		text := decimalText(num.String(), scale)
		if scale > 0 && fmt.Sprint(len(strings.Trim(text, "-"))-1) == fmt.Sprint(info["width"]) {
			return
		}
		cast := castTo("DECIMAL", textConst(text))
		cast["cast_type"] = clone(typ)
		become(n, cast)
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
func (c *checker) exactPrefix(n node) {
	var first any = n["child"] // Of COLLATE.
	switch str(n, "type") {
	case "ARRAY_EXTRACT", "ARRAY_SLICE", "STRUCT_EXTRACT":
		if args := elems(n, "children"); len(args) > 0 {
			first = args[0]
		}
	}
	f, _ := first.(node)
	if operator, _ := f["is_operator"].(bool); operator && !c.generated && len(elems(f, "children")) == 1 {
		f["is_operator"] = false
	}
}

// exactJoin keeps the brackets of joins. A CROSS JOIN is written as a comma, which
// binds weaker than any other join: below one it becomes a join ON TRUE. What stands
// in brackets to the right of a join without a condition has no form at all.
func (c *checker) exactJoin(n node) {
	kind := str(n, "ref_type")
	if c.generated || kind == "CROSS" {
		return
	}
	crossToInner(child(n, "left"))
	right := child(n, "right")
	crossToInner(right)
	if (kind == "NATURAL" || kind == "POSITIONAL") && str(right, "type") == "JOIN" {
		c.refuse(n, kalam.CodeUnsupported, "%s JOIN takes no join in brackets on its right: write it as a subquery", kind)
	}
}

// crossToInner turns the CROSS JOINs among the joins of n into joins ON TRUE.
func crossToInner(n node) {
	if str(n, "type") != "JOIN" {
		return
	}
	if str(n, "ref_type") == "CROSS" {
		n["ref_type"], n["join_type"], n["condition"] = "REGULAR", "INNER", castTo("BOOLEAN", textConst("t"))
	}
	crossToInner(child(n, "left"))
	crossToInner(child(n, "right"))
}
