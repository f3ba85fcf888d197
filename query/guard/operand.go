package guard

import (
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/query/tree"
)

// A literal or placeholder that meets an expression of one of our types, in a
// comparison for instance, is read by package datatype, not by DuckDB, whose casts
// take other texts or read them differently. The checker puts a placeholder of its
// own in the place of each such operand. When the types of the query's tables are
// known, so is the type of what it meets: from the schema when that is a column, else
// from DuckDB, which tells the types of the placeholders of a statement. The text that
// runs then has the value itself, cast to that type, or the user's placeholder.

// typeMeetings notes the operands that an expression has beside others.
func (c *checker) typeMeetings(n tree.Node, class string) {
	if c.generated || c.err != nil {
		return
	}
	switch class {
	case "COMPARISON":
		c.meet([]any{n["left"], n["right"]})
	case "BETWEEN":
		c.meet([]any{n["input"], n["lower"], n["upper"]})
	case "SUBQUERY":
		if x := tree.Child(n, "child"); x != nil {
			c.meet([]any{x, n["subquery"]})
		}
	case "OPERATOR":
		switch tree.Str(n, "type") {
		case "COMPARE_IN", "COMPARE_NOT_IN", "OPERATOR_COALESCE":
			c.meet(tree.Elems(n, "children"))
		}
	case "CASE":
		results := []any{n["else_expr"]}
		for _, v := range tree.Elems(n, "case_checks") {
			check, _ := v.(tree.Node)
			results = append(results, check["then_expr"])
		}
		c.meet(results)
	case "FUNCTION":
		c.meet(equalArguments(n))
	case "CAST":
		c.castOperand(n)
	}
}

// equalArguments returns the arguments of a call that are of one type, as far as they
// can be told from the name.
func equalArguments(n tree.Node) []any {
	args := tree.Elems(n, "children")
	switch strings.ToLower(tree.Str(n, "function_name")) {
	case "nullif", "greatest", "least", "age":
		return args
	case "date_diff", "datediff", "date_sub", "datesub":
		return args[min(1, len(args)):]
	case "contains", "list_contains", "list_has", "array_contains", "array_has":
		if len(args) == 2 {
			if list, _ := args[0].(tree.Node); strings.EqualFold(tree.Str(list, "function_name"), "list_value") {
				return append(append([]any(nil), tree.Elems(list, "children")...), args[1])
			}
		}
	}
	return nil
}

// meet puts placeholders in the place of the operands among list. Of rows the first
// elements meet each other, the second, and so on.
func (c *checker) meet(list []any) { c.meetIn(list, false) }

// meetIn is meet. inRow says that list is a column of rows.
func (c *checker) meetIn(list []any, inRow bool) {
	for _, column := range columnsOfRows(list) {
		c.meetIn(column, true)
	}
	var operands, others []tree.Node
	for _, v := range list {
		n, ok := v.(tree.Node)
		switch {
		case !ok || tree.IsNull(n):
		case isOperand(n):
			operands = append(operands, n)
		default:
			others = append(others, n)
		}
	}
	if len(operands) == 0 || len(others) == 0 {
		return
	}
	// Equal conditions must stay equal: GROUP BY compares them.
	key := strconv.Itoa(len(c.scopes)) + "\x00"
	if c.sel != nil {
		key = strconv.Itoa(c.sel.number) + "\x00"
	}
	for _, n := range others {
		key += string(appendTree(nil, n)) + "\x00"
	}
	m := c.addMeeting(key, func() Meeting { return c.meetingOf(others) })
	for _, n := range operands {
		c.replaceOperand(n, m)
		if inRow && c.meetings[m].Column == "" {
			// DuckDB finds no type for a placeholder in a row, but for one beside a value.
			tree.Become(
				n,
				tree.When(tree.Cast("BOOLEAN", tree.TextConst("f")), tree.Clone(others[0]).(tree.Node), tree.Clone(n).(tree.Node)),
			)
		}
	}
}

// addMeeting returns the number of the meeting that key is different for.
func (c *checker) addMeeting(key string, of func() Meeting) int {
	m, ok := c.meetingAt[key]
	if !ok {
		m = len(c.meetings)
		c.meetings = append(c.meetings, of())
		c.meetingAt[key] = m
	}
	return m
}

// columnsOfRows returns the elements of the rows in list by column, nil when list
// is not rows of one length.
func columnsOfRows(list []any) [][]any {
	var columns [][]any
	for i, v := range list {
		n, _ := v.(tree.Node)
		elements := tree.Elems(n, "children")
		isRow := tree.Str(n, "class") == "FUNCTION" && strings.EqualFold(tree.Str(n, "function_name"), "row")
		if !isRow || i > 0 && len(elements) != len(columns) {
			return nil
		}
		if i == 0 {
			columns = make([][]any, len(elements))
		}
		for k, x := range elements {
			columns[k] = append(columns[k], x)
		}
	}
	return columns
}

// replaceOperand puts a placeholder in the place of an operand of meeting m.
func (c *checker) replaceOperand(n tree.Node, m int) {
	o := operandOf(n)
	o.Meeting, o.Position = m, tree.Offset(n)
	key := fmt.Sprintf("%d %d %s", m, o.Param, o.Text)
	i, ok := c.operandAt[key]
	if !ok {
		i = len(c.operands)
		c.operands = append(c.operands, o)
		c.operandAt[key] = i
	}
	p := tree.Param(0)
	p[operandMark] = i
	tree.Become(n, p)
}

// countFunctions always give a BIGINT. There are more; conditions on these are common
// enough not to ask DuckDB.
var countFunctions = newFunctionSet("count count_star row_number rank dense_rank length len strlen")

// meetingOf returns the meeting with others, with the column that it is if the
// text alone tells its table, up to which of several tables has it.
func (c *checker) meetingOf(others []tree.Node) Meeting {
	if len(others) != 1 {
		return Meeting{}
	}
	n := others[0]
	switch class := tree.Str(n, "class"); {
	case (class == "FUNCTION" || class == "WINDOW") && OwnSchema(n) && countFunctions.has(tree.Str(n, "function_name")):
		return Meeting{Type: kalam.TypeOf(kalam.KindBigInt)}
	case class != "COLUMN_REF" || c.sel == nil || c.in.lambdas > 0:
		return Meeting{}
	}
	return c.sel.columnMeeting(tree.Names(n, "column_names"))
}

// columnMeeting is meetingOf for a column of the scope.
func (s *selectScope) columnMeeting(cols []string) Meeting {
	m := Meeting{Column: strings.ToLower(cols[len(cols)-1])}
	if len(cols) > 2 || s.aliases[m.Column] {
		return Meeting{}
	}
	for _, it := range s.items {
		if len(cols) == 2 && it.alias != strings.ToLower(cols[0]) {
			continue
		}
		if !it.base || it.renamed {
			return Meeting{}
		}
		m.Tables = append(m.Tables, it.number)
	}
	if len(m.Tables) == 0 {
		return Meeting{}
	}
	return m
}

// appendTree appends a text that is equal for equal trees, wherever they stand in
// the statement.
func appendTree(dst []byte, v any) []byte {
	switch v := v.(type) {
	case tree.Node:
		keys := make([]string, 0, len(v))
		for k := range v {
			switch k {
			case "query_location", scopeMark, tableMark, starMark, systemMark, rowMark:
			default:
				keys = append(keys, k)
			}
		}
		sort.Strings(keys)
		dst = append(dst, '{')
		for _, k := range keys {
			dst = append(append(append(dst, k...), ':'), appendTree(nil, v[k])...)
		}
		return append(dst, '}')
	case []any:
		dst = append(dst, '[')
		for _, x := range v {
			dst = append(appendTree(dst, x), ',')
		}
		return append(dst, ']')
	case string:
		return strconv.AppendQuote(dst, v)
	case json.Number:
		return append(dst, v...)
	}
	return fmt.Append(dst, v)
}

// castOperand reads a literal that is cast to one of our types: TIMESTAMP '...' is
// such a cast, as is '...'::TIMESTAMP. A parameter is read when it is bound.
func (c *checker) castOperand(n tree.Node) {
	x, t := tree.Child(n, "child"), castType(n)
	if t.Kind == kalam.KindNull || !isOperand(x) {
		return
	}
	try, _ := n["try_cast"].(bool)
	if tree.Str(x, "class") == "PARAMETER" {
		m := c.addMeeting(fmt.Sprint("cast ", t, try), func() Meeting { return Meeting{Type: t, Try: try} })
		c.replaceOperand(x, m)
		return
	}
	o := operandOf(x)
	v, ok := datatype.InZone(c.zone, t, o.Value)
	var err error
	if !ok {
		v, ok, err = datatype.CastLiteral(t, o.Value)
	}
	switch {
	case err != nil && try:
		n["child"] = tree.Null()
	case err != nil:
		c.refuse(x, kalam.CodeOf(err), "%s", messageOf(err))
	case ok:
		n["child"] = tree.TextConst(datatype.SQLText(v))
	}
}

// messageOf returns the user's part of an error.
func messageOf(err error) string {
	var ke *kalam.Error
	if errors.As(err, &ke) {
		return ke.Msg
	}
	return err.Error()
}
