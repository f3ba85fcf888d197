package query

import (
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/duckdb/duckdb-go/v2/mapping"

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
		switch strings.ToLower(str(n, "function_name")) {
		case "nullif", "greatest", "least":
			c.meet(elems(n, "children"))
		}
	case "CAST":
		c.castOperand(n)
	}
}

// meet puts placeholders in the place of the operands among list. Of rows the first
// elements meet each other, the second, and so on.
func (c *checker) meet(list []any) {
	for _, column := range columnsOfRows(list) {
		c.meet(column)
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
		if str(n, "class") != "FUNCTION" || !strings.EqualFold(str(n, "function_name"), "row") || i > 0 && len(elements) != len(columns) {
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
	x, _ := constOf(n) // isOperand has seen that it is one.
	k, _ := x.(subscribe.Const)
	o := operand{value: k.Value}
	switch k.Value.Kind() {
	case kalam.KindText:
		o.text = quoteText(k.Value.Str())
	case kalam.KindDouble:
		o.text = strconv.FormatFloat(k.Value.Float64(), 'e', -1, 64)
	default:
		o.text = datatype.Format(k.Value)
	}
	return o
}

// countFunctions always give a BIGINT. There are more; conditions on these are common
// enough not to ask DuckDB.
var countFunctions = newFunctionSet("count count_star row_number rank dense_rank length len strlen")

// meetingOf returns the meeting with others, with the column that it is if the
// text alone tells its table, up to which of several tables has it.
func (c *checker) meetingOf(others []node) meeting {
	if class := str(others[0], "class"); len(others) == 1 && (class == "FUNCTION" || class == "WINDOW") && ownSchema(others[0]) &&
		countFunctions.has(str(others[0], "function_name")) {
		return meeting{typ: kalam.TypeOf(kalam.KindBigInt)}
	}
	cols := names(others[0], "column_names")
	if len(others) != 1 || str(others[0], "class") != "COLUMN_REF" || len(cols) > 2 || c.sel == nil || c.in.lambdas > 0 {
		return meeting{}
	}
	m := meeting{column: strings.ToLower(cols[len(cols)-1])}
	if c.sel.aliases[m.column] {
		return meeting{}
	}
	for _, it := range c.sel.items {
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
			if k != "query_location" && k != scopeMark && k != tableMark {
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
	v, ok, err := readCast(t, operandOf(x))
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

// settle turns a composed text into a variant: the operands get the types of what
// they meet, and the placeholders new numbers, without gaps.
func (a *analysed) settle(text string, types []kalam.DataType, files []fileArg) (*variant, error) {
	v := &variant{}
	numbers := map[int]int{}
	var err error
	v.sql = replacePlaceholders(text, func(n int) string {
		s, literal, e := a.slotOf(n, types, files)
		if err == nil {
			err = e
		}
		if literal != "" {
			return literal
		}
		if numbers[n] == 0 {
			v.slots = append(v.slots, s)
			numbers[n] = len(v.slots)
		}
		return "$" + strconv.Itoa(numbers[n])
	})
	return v, err
}

// slotOf returns what placeholder n of a composed text stands for, or the text that
// takes its place.
func (a *analysed) slotOf(n int, types []kalam.DataType, files []fileArg) (s slot, literal string, err error) {
	n--
	switch {
	case n < a.params:
		return slot{param: n + 1}, "", nil
	case n < a.params+len(a.args):
		return slot{arg: &a.args[n-a.params]}, "", nil
	case n >= a.params+len(a.args)+len(a.operands):
		return slot{files: &files[n-a.params-len(a.args)-len(a.operands)]}, "", nil
	}
	o := &a.operands[n-a.params-len(a.args)]
	if o.param > 0 {
		return slot{param: o.param, typ: types[o.meet], try: a.meetings[o.meet].try}, "", nil
	}
	if isBoundless(types[o.meet], o.value) {
		return slot{}, o.text, nil
	}
	val, ok, err := datatype.Operand(types[o.meet], o.value)
	if err != nil {
		return slot{}, "NULL", at(err, o.pos)
	}
	if ok {
		return slot{}, "CAST(" + quoteText(datatype.SQLText(val)) + " AS " + sqlType(types[o.meet]) + ")", nil
	}
	return slot{}, o.text, nil
}

// at returns err with its position in the text, if that is known.
func at(err error, pos int) error {
	var ke *kalam.Error
	if pos < 0 || !errors.As(err, &ke) {
		return err
	}
	return ke.At(pos)
}

// messageOf returns the user's part of an error.
func messageOf(err error) string {
	var ke *kalam.Error
	if errors.As(err, &ke) {
		return ke.Msg
	}
	return err.Error()
}

// valueOf returns the value of the slot's parameter.
func (s *slot) valueOf(v kalam.Value) (kalam.Value, error) {
	if isBoundless(s.typ, v) {
		return v, nil
	}
	out, _, err := datatype.Operand(s.typ, v)
	if err != nil && s.try {
		return kalam.Null(), nil
	}
	return out, err
}

// replacePlaceholders returns text with each $n replaced.
func replacePlaceholders(text string, by func(n int) string) string {
	var b strings.Builder
	end := 0
	for _, l := range lex(text) {
		if l.kind != lexParam {
			continue
		}
		n, err := strconv.Atoi(text[l.pos+1 : l.end])
		if err != nil {
			continue
		}
		b.WriteString(text[end:l.pos])
		b.WriteString(by(n))
		end = l.end
	}
	b.WriteString(text[end:])
	return b.String()
}

// meetingTypes returns the types of the meetings, KindNull for those that are of no
// type of ours or that only the values decide. It depends on the schemas, and on the
// kinds of the parameters where an expression that is met is made of them.
func (a *analysed) meetingTypes(c *conn, shapes []*shaped, params []kalam.Value) []kalam.DataType {
	types := make([]kalam.DataType, len(a.meetings))
	known := make([]bool, len(a.meetings))
	asked := false
	for i := range a.meetings {
		if types[i] = a.meetings[i].typ; types[i].Kind != kalam.KindNull {
			known[i] = true
		} else if types[i], known[i] = a.meetings[i].columnType(shapes); !known[i] {
			types[i], asked = kalam.DataType{}, true
		}
	}
	for _, s := range shapes {
		asked = asked && s.schema.isOurs()
	}
	// A placeholder that DuckDB finds no type for hides those of the others.
	if asked && !a.askTypes(c, shapes, types, known, nil) && len(params) > 0 {
		a.askTypes(c, shapes, types, known, params)
	}
	return types
}

// columnType returns the type of a meeting that is a column of exactly one of its
// tables.
func (m *meeting) columnType(shapes []*shaped) (t kalam.DataType, known bool) {
	found := 0
	for _, i := range m.tables {
		s := shapes[i].schema.arrow
		for k := range s.NumFields() {
			if f := s.Field(k); strings.EqualFold(f.Name, m.column) {
				t = datatype.TypeOfArrow(f)
				known = arrow.TypeEqual(datatype.ArrowType(t), f.Type)
				found++
			}
		}
	}
	return t, known && found == 1
}

// askTypes asks DuckDB for the types of the meetings that are not known: it prepares
// the query over relations without rows, with one placeholder for all operands of a
// meeting. Other placeholders of the user's are NULLs of the kinds of params, if those
// are given. It reports whether every type was found.
func (a *analysed) askTypes(c *conn, shapes []*shaped, types []kalam.DataType, known []bool, params []kalam.Value) bool {
	text := a.whole.fill(func(i int) string { return "(" + shapes[i].schema.nothing() + ")" })
	numbers, asked := map[int]int{}, []int{}
	text = replacePlaceholders(text, func(n int) string {
		meet := -n // Of a placeholder that is no operand.
		switch i := n - 1 - a.params; {
		case i >= len(a.args):
			if meet = a.operands[i-len(a.args)].meet; known[meet] {
				return nullOf(types[meet])
			}
		case i >= 0 && a.args[i] == argNow:
			return nullOf(kalam.TypeOf(kalam.KindTimestamp))
		case i >= 0:
			return nullOf(kalam.TypeOf(kalam.KindText))
		case params != nil:
			return nullOf(kalam.TypeOf(params[n-1].Kind()))
		}
		if numbers[meet] == 0 {
			asked = append(asked, meet)
			numbers[meet] = len(asked)
		}
		return "$" + strconv.Itoa(numbers[meet])
	})
	st, err := c.prepare(text)
	if err != nil {
		return true // The statement itself fails in the same way, and says why.
	}
	defer st.close()
	all := true
	for i, meet := range asked {
		if meet >= 0 {
			var found bool
			types[meet], found = st.paramType(i + 1)
			all = all && found
		}
	}
	return all
}

// nullOf is NULL of a type, which is text for JSON and no type for KindNull.
func nullOf(t kalam.DataType) string {
	if t.Kind == kalam.KindNull {
		return "NULL"
	}
	return "CAST(NULL AS " + sqlType(t) + ")"
}

// paramType returns the type of placeholder i, from 1, KindNull if it is none of ours.
// found is false when DuckDB has not decided.
func (st *statement) paramType(i int) (typ kalam.DataType, found bool) {
	t := mapping.ParamLogicalType(st.p, mapping.IdxT(i))
	defer mapping.DestroyLogicalType(&t)
	id := mapping.GetTypeId(t)
	if id == mapping.TypeDecimal {
		return kalam.DataType{Kind: kalam.KindDecimal, Precision: mapping.DecimalWidth(t), Scale: mapping.DecimalScale(t)}, true
	}
	return kalam.DataType{Kind: typeKinds[id]}, id != mapping.TypeInvalid
}

// typeKinds are our kinds of DuckDB's types, but for text, which no operand is read as.
var typeKinds = map[mapping.Type]kalam.Kind{
	mapping.TypeBoolean: kalam.KindBoolean, mapping.TypeSmallInt: kalam.KindSmallInt, mapping.TypeInteger: kalam.KindInt,
	mapping.TypeBigInt: kalam.KindBigInt, mapping.TypeFloat: kalam.KindFloat, mapping.TypeDouble: kalam.KindDouble,
	mapping.TypeTimestamp: kalam.KindTimestamp, mapping.TypeTimestampTZ: kalam.KindDateTime, mapping.TypeDate: kalam.KindDate,
	mapping.TypeTime: kalam.KindTime, mapping.TypeBlob: kalam.KindBytes, mapping.TypeUUID: kalam.KindUUID,
}
