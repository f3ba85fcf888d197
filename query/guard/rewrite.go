package guard

import (
	"strconv"
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query/tree"
)

// serverFunctions are the functions that the rewrite replaces.
var serverFunctions = newFunctionSet(`
	now current_timestamp transaction_timestamp get_current_timestamp localtimestamp current_localtimestamp
	statement_timestamp
	current_date today current_time localtime current_localtime get_current_time
	current_user current_user_id session_user current_role current_database current_catalog current_schema
	current_schemas snowflake_id uuid_v7 ulid
	json_get json_get_str json_get_int json_get_float json_get_bool json_get_json json_as_text json_contains
	json_length json_object_keys`)

// valueKeywords are those of them that SQL writes without parentheses. DuckDB's
// parser gives them as column names.
var valueKeywords = newFunctionSet(`
	current_timestamp localtimestamp current_date current_time localtime current_user session_user current_role
	current_catalog current_schema`)

// rewrite replaces what stands for something of ours. The children of n are
// done.
func (c *checker) rewrite(n tree.Node) {
	c.typeMeetings(n, tree.Str(n, "class"))
	switch tree.Str(n, "class") {
	case "CONSTANT":
		c.exactNumber(n)
	case "COMPARISON":
		c.distinctFrom(n)
	case "OPERATOR", "COLLATE":
		c.exactPrefix(n)
	case "COLUMN_REF":
		c.columnRef(n)
	case "STAR":
		if c.generated {
			return
		}
		c.mark(n, starMark, c.sel)
		if tree.Str(n, "relation_name") != "" {
			c.mark(n, scopeMark, c.sel)
		}
	case "FUNCTION":
		c.exactOperator(n)
		if !c.generated && OwnSchema(n) && serverFunctions.has(tree.Str(n, "function_name")) {
			c.serverFunction(n, strings.ToLower(tree.Str(n, "function_name")), tree.Elems(n, "children"))
		}
	}
}

// distinctFrom keeps DuckDB 1.5 from pushing IS DISTINCT FROM into the scan when
// it stands below an OR: it then loses the rows with NULL as soon as statistics
// rule the other side out. coalesce changes nothing, because the comparison is
// never NULL.
func (c *checker) distinctFrom(n tree.Node) {
	t := tree.Str(n, "type")
	if c.generated || !c.in.disjoint || t != "COMPARE_DISTINCT_FROM" && t != "COMPARE_NOT_DISTINCT_FROM" {
		return
	}
	comparison, _ := tree.Clone(n).(tree.Node)
	comparison["alias"] = ""
	tree.Become(n, tree.Node{
		"class": "OPERATOR", "type": "OPERATOR_COALESCE", "alias": "",
		"children": []any{comparison, tree.Cast("BOOLEAN", tree.TextConst("f"))},
	})
}

func (c *checker) columnRef(n tree.Node) {
	cols := tree.Names(n, "column_names")
	if len(cols) == 0 || c.generated {
		return
	}
	last := strings.ToLower(cols[len(cols)-1])
	c.names = append(c.names, nameUse{last, tree.Offset(n)})
	if len(cols) == 1 && valueKeywords.has(last) {
		c.serverFunction(n, last, nil)
		return
	}
	if len(cols) > 1 {
		c.mark(n, scopeMark, c.sel)
	} else {
		c.wholeRow(n, last)
	}
	switch {
	case !c.filter:
	case last == kalam.ColumnDeleted:
		c.filters(cols, func(t *tableUse) { t.withDeleted = true })
	case last == droppedColumn:
		c.filters(cols, func(t *tableUse) { t.dropped = true })
	}
	if last == kalam.ColumnUpdated {
		c.updated(n, cols)
		return
	}
	c.systemRef(n, cols)
}

// droppedColumn is the column of system.users that says since when a user is dropped.
const droppedColumn = "deleted_at"

// filters calls mark for the tables that a filter on a column is about: the one it
// names, else all of the nearest FROM that has any.
func (c *checker) filters(cols []string, mark func(*tableUse)) {
	for s := c.sel; s != nil; s = s.outer {
		found := false
		for _, it := range s.items {
			if len(cols) > 1 && it.alias != strings.ToLower(cols[len(cols)-2]) {
				continue
			}
			for _, t := range it.tables {
				mark(t)
				found = true
			}
		}
		if found {
			return
		}
	}
}

// updated turns _updated of a table into an expression over its _seq. Of a
// subquery it is an ordinary column.
func (c *checker) updated(n tree.Node, cols []string) {
	for s := c.sel; s != nil; s = s.outer {
		for _, it := range s.items {
			if len(cols) > 1 && it.alias != strings.ToLower(cols[len(cols)-2]) {
				continue
			}
			if !it.base {
				return
			}
			seqCols := append(append([]string(nil), cols[:len(cols)-1]...), kalam.ColumnSeq)
			seq := tree.Column(seqCols...)
			if len(cols) > 1 {
				c.mark(seq, scopeMark, c.sel)
			}
			it.tables[0].system.named |= seqColumn
			c.mark(seq, systemMark, it.tables[0])
			// Microseconds of the moment that Seq.Time gives.
			millis := tree.Operator(
				"+",
				tree.Operator(">>", seq, tree.IntConst(seqShift)),
				tree.IntConst(kalam.Seq(0).Time().UnixMilli()),
			)
			tree.Become(n, tree.Call("make_timestamp", tree.Operator("*", millis, tree.IntConst(1000))))
			return
		}
	}
}

// catalogName is the one database that there is, as in information_schema.
const catalogName = "kalam"

// seqShift is the number of bits of a Seq below its milliseconds.
const seqShift = 22

// serverFunction replaces a call of a function of ours.
func (c *checker) serverFunction(n tree.Node, name string, args []any) {
	if strings.HasPrefix(name, "json_") {
		c.jsonFunction(n, name, args)
		return
	}
	if name == "current_schemas" && len(args) == 1 { // Whether those of the system are wanted.
		tree.Become(n, tree.Call("list_value", c.param(ArgNamespace)))
		return
	}
	if len(args) > 0 {
		c.refuse(n, kalam.CodeInvalidSQL, "Function '%s' takes no arguments", name)
		return
	}
	switch name {
	case "current_user", "current_user_id", "session_user":
		tree.Become(n, c.param(ArgUser))
	case "current_role":
		tree.Become(n, c.param(ArgRole))
	case "current_schema":
		tree.Become(n, c.param(ArgNamespace))
	case "current_database", "current_catalog":
		tree.Become(n, tree.TextConst(catalogName))
	case "current_date", "today":
		tree.Become(n, tree.Cast("DATE", c.param(c.localNow())))
	case "current_time", "localtime", "current_localtime", "get_current_time":
		tree.Become(n, tree.Cast("TIME", c.param(c.localNow())))
	case "localtimestamp", "current_localtimestamp":
		tree.Become(n, c.param(c.localNow()))
	case "snowflake_id":
		tree.Become(n, tree.Call("kalam_snowflake_id"))
	case "uuid_v7":
		tree.Become(n, tree.Call("uuidv7"))
	case "ulid":
		tree.Become(n, tree.Call("kalam_ulid"))
	default:
		tree.Become(n, c.param(ArgNow))
	}
}

// localNow is what stands for the time that clocks show.
func (c *checker) localNow() ArgKind {
	if c.zone == nil {
		return ArgNow
	}
	return ArgLocal
}

// param returns a placeholder for a value of ours. finish gives it its number.
func (c *checker) param(kind ArgKind) tree.Node {
	p := tree.Param(0)
	p[ownKind] = kind
	c.added = append(c.added, kind)
	return p
}

// finish settles what needs the whole statement: the numbers of our
// placeholders, from first on, and qualified names. It returns what the
// placeholders stand for; those of the operands follow them.
func (c *checker) finish(root tree.Node, first int) []ArgKind {
	var kinds []ArgKind
	number := map[ArgKind]int{}
	for _, kind := range c.added {
		if _, ok := number[kind]; !ok {
			number[kind] = first + len(kinds)
			kinds = append(kinds, kind)
		}
	}
	setNumbers(root, number, first+len(kinds))
	c.qualify(root)
	c.nameSystem(root)
	return kinds
}

// setNumbers numbers the placeholders of ours below v, wherever they have been
// copied to. operands is the number of the first operand's. It removes the marks of
// constants.
func setNumbers(v any, number map[ArgKind]int, operands int) {
	switch v := v.(type) {
	case tree.Node:
		if i, ok := v[operandMark].(int); ok {
			delete(v, operandMark)
			v["identifier"] = strconv.Itoa(operands + i)
			return
		}
		delete(v, constantMark)
		if kind, ok := v[ownKind].(ArgKind); ok {
			delete(v, ownKind)
			v["identifier"] = strconv.Itoa(number[kind])
			return
		}
		for _, x := range v {
			setNumbers(x, number, operands)
		}
	case []any:
		for _, x := range v {
			setNumbers(x, number, operands)
		}
	}
}

// IsValueKeyword reports whether a name, which DuckDB's parser takes for a column, is a
// value of ours, such as current_user.
func IsValueKeyword(name string) bool { return valueKeywords.has(name) }

// IsServerFunction reports whether a function is one of ours, which DuckDB does not get to
// see.
func IsServerFunction(name string) bool { return serverFunctions.has(name) }
