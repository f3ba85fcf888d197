package query

import (
	"context"
	"strconv"
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/subscribe"
)

// LivePlan is the analysed text of a live query: columns of one table under a
// condition.
type LivePlan struct {
	Table     []string // Parts of the table's name, in lower case.
	Namespace string   // See TableRef.
	Position  int      // 0-based byte offset of the name.
	Alias     string   // "" when the query gives none.
	Columns   []string // In lower case; nil is all.
	// Where is the condition as DuckDB writes it, "" for none. Columns are
	// unqualified or qualified with the alias, without one with the table's name.
	Where        string
	NamesDeleted bool           // Where names _deleted.
	Filter       subscribe.Expr // Where as a tree; nil for none, or when FilterErr is set.
	FilterErr    error          // Wraps subscribe.ErrNotCompilable.
}

// LiveQuery analyses SELECT columns FROM table [WHERE condition]. Every other
// construct gives CodeUnsupported with its name, and the errors of Analyse are
// possible. params are the values of its placeholders, each of which becomes a
// literal: a TEXT one that is read like a string literal, any other of its own type.
func (e *Engine) LiveQuery(ctx context.Context, user kalam.UserID, sql string, params []kalam.Value) (*LivePlan, error) {
	if err := checkPlaceholders(sql); err != nil {
		return nil, err
	}
	if err := e.open(ctx); err != nil {
		return nil, err
	}
	parser := e.parserOf(user)
	q, err := parser.parse(ctx, sql)
	if err != nil {
		return nil, err
	}
	if what := notLive(q); what != "" {
		return nil, kalam.Errorf(kalam.CodeUnsupported, "Live queries do not support %s; they take SELECT columns FROM table [WHERE condition]", what)
	}
	original, _ := clone(q).(node)
	c := newChecker(sql, e.prefix)
	c.query(q)
	highest := c.checkParams()
	if c.err != nil {
		return nil, c.err
	}
	if highest != len(params) {
		return nil, mismatch(highest, len(params))
	}
	bind(original, params)
	if c.qualify(q); c.err != nil {
		return nil, c.err
	}
	t := c.tables[0]
	p := &LivePlan{Table: t.parts, Namespace: t.namespace, Position: t.pos, NamesDeleted: t.withDeleted}
	if t.named {
		p.Alias = t.alias
	}
	qualified := func(parts []string) bool { return p.means(parts) }
	if p.Columns, err = liveColumns(elems(original, "select_list"), qualified); err != nil {
		return nil, err
	}
	where := child(original, "where_clause")
	if where == nil {
		return p, nil
	}
	p.Filter, p.FilterErr = filterOf(where, qualified)
	if p.FilterErr != nil {
		p.Filter = nil
	}
	p.shorten(where)
	text, err := parser.unparse(ctx, selectOf(where))
	if err != nil {
		return nil, unprocessed(err, "condition")
	}
	p.Where = strings.TrimPrefix(text, "SELECT ")
	if _, err := parser.parseExpr(ctx, p.Where); err != nil {
		return nil, unprocessed(err, "condition")
	}
	return p, nil
}

// mismatch is the error of a wrong number of parameters.
func mismatch(placeholders, given int) error {
	return kalam.Errorf(kalam.CodeParameterMismatch,
		"Parameter mismatch: statement has %d placeholders but %d parameters were given", placeholders, given)
}

// bind puts literals for the placeholders below v, whose numbers are checked.
func bind(v any, params []kalam.Value) {
	switch v := v.(type) {
	case node:
		if str(v, "class") == "PARAMETER" {
			number, _ := strconv.Atoi(str(v, "identifier"))
			become(v, literalOf(params[number-1]))
			return
		}
		for _, x := range v {
			bind(x, params)
		}
	case []any:
		for _, x := range v {
			bind(x, params)
		}
	}
}

// literalOf returns a parameter as a literal of its type.
func literalOf(v kalam.Value) node {
	switch v.Kind() {
	case kalam.KindNull:
		return nullConst()
	case kalam.KindText:
		return textConst(v.Str())
	case kalam.KindBoolean:
		return castTo("BOOLEAN", textConst(strconv.FormatBool(v.Bool())[:1]))
	case kalam.KindDouble:
		return castTo("DOUBLE", textConst(strconv.FormatFloat(v.Float64(), 'g', -1, 64)))
	case kalam.KindBigInt:
		return intConst(v.Int())
	}
	return textConst(strings.Trim(string(datatype.AppendValue(nil, v)), `"`))
}

// means reports whether parts name the table of the query.
func (p *LivePlan) means(parts []string) bool {
	if p.Alias != "" {
		return len(parts) == 1 && strings.EqualFold(parts[0], p.Alias)
	}
	whole := strings.Join(p.Table, ".")
	if p.Namespace != "" {
		whole = p.Namespace + "." + whole
	}
	return len(parts) == 1 && strings.EqualFold(parts[0], p.Table[len(p.Table)-1]) || strings.EqualFold(strings.Join(parts, "."), whole)
}

// shorten reduces ns.table.column to table.column below v.
func (p *LivePlan) shorten(v any) {
	switch v := v.(type) {
	case node:
		if cols := names(v, "column_names"); len(cols) > 2 && p.means(cols[:len(cols)-1]) {
			v["column_names"] = columnRef(cols[len(cols)-2:]...)["column_names"]
		}
		for _, x := range v {
			p.shorten(x)
		}
	case []any:
		for _, x := range v {
			p.shorten(x)
		}
	}
}

// notLive names the construct of q that live queries do not have, "" for none.
func notLive(q node) string {
	if str(q, "type") != "SELECT_NODE" {
		return "UNION, INTERSECT and EXCEPT"
	}
	if len(elems(child(q, "cte_map"), "map")) > 0 {
		return "WITH"
	}
	if what := notLiveFrom(child(q, "from_table")); what != "" {
		return what
	}
	for _, m := range elems(q, "modifiers") {
		m, _ := m.(node)
		switch str(m, "type") {
		case "ORDER_MODIFIER":
			return "ORDER BY"
		case "DISTINCT_MODIFIER":
			return "DISTINCT"
		default:
			return "LIMIT"
		}
	}
	for _, clause := range []struct{ key, name string }{
		{"group_expressions", "GROUP BY"}, {"group_sets", "GROUP BY"}, {"having", "HAVING"}, {"qualify", "QUALIFY"}, {"sample", "USING SAMPLE"},
	} {
		if !isEmpty(q[clause.key]) {
			return clause.name
		}
	}
	if str(q, "aggregate_handling") != "STANDARD_HANDLING" {
		return "GROUP BY"
	}
	if what := notLiveExpr(q["select_list"]); what != "" {
		return what
	}
	return notLiveExpr(q["where_clause"])
}

func notLiveFrom(from node) string {
	if !isEmpty(from["sample"]) {
		return "TABLESAMPLE"
	}
	switch t := str(from, "type"); t {
	case "BASE_TABLE":
		if len(elems(from, "column_name_alias")) > 0 {
			return "column aliases of a table"
		}
		if !isEmpty(from["at_clause"]) {
			return "AT"
		}
		return ""
	case "JOIN":
		return "joins"
	case "SUBQUERY":
		return "subqueries"
	case "TABLE_FUNCTION":
		return "table functions"
	case "EMPTY":
		return "a query without a table"
	default:
		return t
	}
}

// notLiveExpr names what in v needs more than one row.
func notLiveExpr(v any) string {
	switch v := v.(type) {
	case node:
		switch str(v, "class") {
		case "SUBQUERY":
			return "subqueries"
		case "WINDOW":
			return "window functions"
		case "FUNCTION":
			if name := str(v, "function_name"); reducerFunctions.has(name) {
				return "aggregate functions (" + name + ")"
			}
		}
		for _, key := range fieldOrder {
			if what := notLiveExpr(v[key]); what != "" {
				return what
			}
		}
		for _, key := range []string{"when_expr", "then_expr"} {
			if what := notLiveExpr(v[key]); what != "" {
				return what
			}
		}
	case []any:
		for _, x := range v {
			if what := notLiveExpr(x); what != "" {
				return what
			}
		}
	}
	return ""
}

// liveColumns returns the columns of the select list, nil for *.
func liveColumns(items []any, qualified func(parts []string) bool) ([]string, error) {
	if len(items) == 1 {
		star, _ := items[0].(node)
		if isPlainStar(star) && (str(star, "relation_name") == "" || qualified([]string{str(star, "relation_name")})) {
			return nil, nil
		}
	}
	var out []string
	for _, v := range items {
		n, _ := v.(node)
		cols := names(n, "column_names")
		last := len(cols) - 1
		if str(n, "class") != "COLUMN_REF" || last > 0 && !qualified(cols[:last]) || last == 0 && valueKeywords.has(cols[0]) {
			return nil, kalam.Errorf(kalam.CodeUnsupported, "Live queries do not support expressions in the select list; name columns, or * alone")
		}
		name := strings.ToLower(cols[last])
		if alias := str(n, "alias"); alias != "" && !strings.EqualFold(alias, name) {
			return nil, kalam.Errorf(kalam.CodeUnsupported, "Live queries do not support column aliases (%s AS %s)", name, alias)
		}
		out = append(out, name)
	}
	return out, nil
}

func isPlainStar(n node) bool {
	if str(n, "class") != "STAR" || !isEmpty(n["columns"]) || child(n, "expr") != nil {
		return false
	}
	for _, key := range []string{"exclude_list", "replace_list", "qualified_exclude_list", "rename_list"} {
		if !isEmpty(n[key]) {
			return false
		}
	}
	return true
}
