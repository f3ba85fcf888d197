package query

import (
	"encoding/json"
	"fmt"
	"sort"
	"strconv"
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/subscribe"
)

// A literal or placeholder that meets an expression of one of our types, in a
// comparison for instance, is read by package datatype, not by DuckDB, whose casts
// take other texts or read them differently. The checker puts a placeholder of its
// own in the place of each such operand. When the types of the query's tables are
// known, so is the type of what it meets: from the schema when that is a column, else
// from DuckDB, which tells the types of the placeholders of a statement. The text that
// runs then has the value itself, cast to that type, or the user's placeholder.

// operand is a literal or placeholder of the user's that meets an expression.
type operand struct {
	value kalam.Value // Of a literal.
	text  string      // The literal in SQL as long as nothing gives it a type.
	param int         // The number of a placeholder, 0 for a literal.
	meet  int         // Its meeting.
	pos   int         // In the analysed text, -1 when it is unknown.
}

// meeting is an expression, or several of one type, that operands meet.
type meeting struct {
	column string // When it is a column of one of tables, in lower case; else "".
	tables []int
	typ    kalam.DataType // When the text alone tells it, as that of a cast; else KindNull.
	try    bool           // Of a cast that gives NULL for what is not of its type.
}

// operandMark is the field of a placeholder that stands for an operand: its index.
const operandMark = "kalam_operand"

// typeMeetings notes the operands that an expression has beside others.
func (c *checker) typeMeetings(n node, class string) {
	if c.generated || c.err != nil {
		return
	}
	switch class {
	case "COMPARISON":
		c.meet([]any{n["left"], n["right"]})
	case "BETWEEN":
		c.meet([]any{n["input"], n["lower"], n["upper"]})
	case "SUBQUERY":
		if x := child(n, "child"); x != nil {
			c.meet([]any{x, n["subquery"]})
		}
	case "OPERATOR":
		switch str(n, "type") {
		case "COMPARE_IN", "COMPARE_NOT_IN", "OPERATOR_COALESCE":
			c.meet(elems(n, "children"))
		}
	case "CASE":
		results := []any{n["else_expr"]}
		for _, v := range elems(n, "case_checks") {
			check, _ := v.(node)
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
func equalArguments(n node) []any {
	args := elems(n, "children")
	switch strings.ToLower(str(n, "function_name")) {
	case "nullif", "greatest", "least", "age":
		return args
	case "date_diff", "datediff", "date_sub", "datesub":
		return args[min(1, len(args)):]
	case "contains", "list_contains", "list_has", "array_contains", "array_has":
		if len(args) == 2 {
			if list, _ := args[0].(node); strings.EqualFold(str(list, "function_name"), "list_value") {
				return append(append([]any(nil), elems(list, "children")...), args[1])
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
	var operands, others []node
	for _, v := range list {
		n, ok := v.(node)
		switch {
		case !ok || isNull(n):
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
	m := c.addMeeting(key, func() meeting { return c.meetingOf(others) })
	for _, n := range operands {
		c.replaceOperand(n, m)
		if inRow && c.meetings[m].column == "" {
			// DuckDB finds no type for a placeholder in a row, but for one beside a value.
			become(n, when(castTo("BOOLEAN", textConst("f")), clone(others[0]).(node), clone(n).(node)))
		}
	}
}

// addMeeting returns the number of the meeting that key is different for.
func (c *checker) addMeeting(key string, of func() meeting) int {
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
		n, _ := v.(node)
		elements := elems(n, "children")
		isRow := str(n, "class") == "FUNCTION" && strings.EqualFold(str(n, "function_name"), "row")
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
func (c *checker) replaceOperand(n node, m int) {
	o := operandOf(n)
	o.meet, o.pos = m, offsetOf(n)
	key := fmt.Sprintf("%d %d %s", m, o.param, o.text)
	i, ok := c.operandAt[key]
	if !ok {
		i = len(c.operands)
		c.operands = append(c.operands, o)
		c.operandAt[key] = i
	}
	p := param(0)
	p[operandMark] = i
	become(n, p)
}

func isNull(n node) bool {
	null, _ := child(n, "value")["is_null"].(bool)
	return str(n, "class") == "CONSTANT" && null
}

// isOperand reports whether n is a literal or a placeholder of the user's.
func isOperand(n node) bool {
	if constant, ok := n[constantMark].(node); ok {
		n = constant
	}
	switch str(n, "class") {
	case "CONSTANT":
		x, err := constOf(n)
		k, ok := x.(subscribe.Const)
		return err == nil && ok && k.Value.Kind() != kalam.KindBoolean
	case "PARAMETER":
		return n[ownKind] == nil && n[operandMark] == nil
	}
	return false
}

// operandOf reads an operand.
func operandOf(n node) operand {
	if str(n, "class") == "PARAMETER" {
		number, _ := strconv.Atoi(str(n, "identifier")) // placeholder has checked it.
		return operand{param: number}
	}
	constant, exact := n[constantMark].(node)
	if !exact {
		constant = n
	}
	x, _ := constOf(constant) // isOperand has seen that it is one.
	k, _ := x.(subscribe.Const)
	o := operand{value: k.Value}
	switch {
	case k.Value.Kind() == kalam.KindText:
		o.text = QuoteText(k.Value.Str())
	case exact:
		text, _ := textOf(child(n, "child"))
		o.text = "CAST(" + QuoteText(text) + " AS " + castName(n) + ")"
	default:
		o.text = datatype.Format(k.Value)
	}
	return o
}

// castName returns the type that the cast of a number constant names.
func castName(n node) string {
	if t := castType(n); t.Kind == kalam.KindDecimal {
		return t.String()
	}
	return "DOUBLE"
}

// countFunctions always give a BIGINT. There are more; conditions on these are common
// enough not to ask DuckDB.
var countFunctions = newFunctionSet("count count_star row_number rank dense_rank length len strlen")

// meetingOf returns the meeting with others, with the column that it is if the
// text alone tells its table, up to which of several tables has it.
func (c *checker) meetingOf(others []node) meeting {
	if len(others) != 1 {
		return meeting{}
	}
	n := others[0]
	switch class := str(n, "class"); {
	case (class == "FUNCTION" || class == "WINDOW") && ownSchema(n) && countFunctions.has(str(n, "function_name")):
		return meeting{typ: kalam.TypeOf(kalam.KindBigInt)}
	case class != "COLUMN_REF" || c.sel == nil || c.in.lambdas > 0:
		return meeting{}
	}
	return c.sel.columnMeeting(names(n, "column_names"))
}

// columnMeeting is meetingOf for a column of the scope.
func (s *selectScope) columnMeeting(cols []string) meeting {
	m := meeting{column: strings.ToLower(cols[len(cols)-1])}
	if len(cols) > 2 || s.aliases[m.column] {
		return meeting{}
	}
	for _, it := range s.items {
		if len(cols) == 2 && it.alias != strings.ToLower(cols[0]) {
			continue
		}
		if !it.base || it.renamed {
			return meeting{}
		}
		m.tables = append(m.tables, it.number)
	}
	if len(m.tables) == 0 {
		return meeting{}
	}
	return m
}

// appendTree appends a text that is equal for equal trees, wherever they stand in
// the statement.
func appendTree(dst []byte, v any) []byte {
	switch v := v.(type) {
	case node:
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
func (c *checker) castOperand(n node) {
	x, t := child(n, "child"), castType(n)
	if t.Kind == kalam.KindNull || !isOperand(x) {
		return
	}
	try, _ := n["try_cast"].(bool)
	if str(x, "class") == "PARAMETER" {
		m := c.addMeeting(fmt.Sprint("cast ", t, try), func() meeting { return meeting{typ: t, try: try} })
		c.replaceOperand(x, m)
		return
	}
	o := operandOf(x)
	v, ok := datatype.InZone(c.set.Zone, t, o.value)
	var err error
	if !ok {
		v, ok, err = readCast(t, o)
	}
	switch {
	case err != nil && try:
		n["child"] = nullConst()
	case err != nil:
		c.refuse(x, kalam.CodeOf(err), "%s", messageOf(err))
	case ok:
		n["child"] = textConst(datatype.SQLText(v))
	}
}

// readCast reads the literal o of a cast to t. ok is false for what DuckDB casts: a
// number to a number, and the words that SQL has for TRUE, FALSE and no moment.
func readCast(t kalam.DataType, o operand) (v kalam.Value, ok bool, err error) {
	switch t.Kind {
	case kalam.KindBoolean:
		ok = o.text != "'t'" && o.text != "'f'"
	case kalam.KindFloat, kalam.KindDouble:
		ok = o.value.Kind() == kalam.KindText
	default:
		ok = true
	}
	if !ok || isBoundless(t, o.value) {
		return v, false, nil
	}
	return datatype.Operand(t, o.value)
}

// isBoundless reports whether v is the text of a moment before or after all others,
// which no row can have but a condition may name.
func isBoundless(t kalam.DataType, v kalam.Value) bool {
	if v.Kind() != kalam.KindText {
		return false
	}
	switch t.Kind {
	case kalam.KindTimestamp, kalam.KindDateTime, kalam.KindDate:
		switch strings.ToLower(strings.TrimSpace(v.Str())) {
		case "infinity", "-infinity":
			return true
		}
	}
	return false
}

// castType returns the type of ours that a CAST names, KindNull for any other.
func castType(n node) kalam.DataType {
	typ := child(n, "cast_type")
	info := child(typ, "type_info")
	switch id := str(typ, "id"); id {
	case "DECIMAL":
		width, errWidth := strconv.ParseUint(fmt.Sprint(info["width"]), 10, 8)
		scale, errScale := strconv.ParseUint(fmt.Sprint(info["scale"]), 10, 8)
		if info["scale"] == nil {
			scale, errScale = 0, nil
		}
		if errWidth == nil && errScale == nil {
			return kalam.DataType{Kind: kalam.KindDecimal, Precision: uint8(width), Scale: uint8(scale)}
		}
	default:
		for _, k := range kalam.Kinds() {
			if t := kalam.TypeOf(k); k != kalam.KindText && k != kalam.KindJSON && k != kalam.KindDecimal && sqlType(t) == id {
				return t
			}
		}
	}
	return kalam.DataType{}
}
