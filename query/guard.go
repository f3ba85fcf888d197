package query

import (
	"strconv"
	"strings"

	"github.com/kalamlake/kalam"
)

// The guard walks the tree of a statement and refuses everything that is not
// explicitly allowed: each kind of node has a shape, which lists the fields it
// may have and what they hold. A field or node that is not listed is refused,
// even if a later DuckDB invents it.

// fieldKind says what a field of a node holds.
type fieldKind uint8

const (
	fPlain     fieldKind = iota // Texts, numbers and objects without nodes.
	fNone                       // Nothing: a value means a construct that is not allowed.
	fExpr                       // An expression.
	fExprs                      // A list of them.
	fExprLists                  // A list of those.
	fFilter                     // An expression that selects rows.
	fRef                        // A table reference.
	fQuery                      // A query node.
	fStatement                  // {node: a query node}
	fModifiers                  // ORDER BY, LIMIT and DISTINCT of a query.
	fOrderBy                    // ORDER BY of a function: one modifier.
	fOrders                     // A list of sort keys.
	fType                       // A type.
	fTypes                      // A list of types.
	fChecks                     // The branches of a CASE.
	fReplace                    // The REPLACE list of a star.
	fPivots                     // The ON list of PIVOT.
)

type shape map[string]fieldKind

// exprShapes has the fields of expressions by class, beside class, type, alias
// and query_location.
var exprShapes = map[string]shape{
	"BETWEEN":     {"input": fExpr, "lower": fExpr, "upper": fExpr},
	"CASE":        {"case_checks": fChecks, "else_expr": fExpr},
	"CAST":        {"child": fExpr, "cast_type": fType, "try_cast": fPlain},
	"COLLATE":     {"child": fExpr, "collation": fPlain},
	"COLUMN_REF":  {"column_names": fPlain},
	"COMPARISON":  {"left": fExpr, "right": fExpr},
	"CONJUNCTION": {"children": fExprs},
	"CONSTANT":    {"value": fPlain},
	"FUNCTION": {
		"function_name": fPlain, "schema": fPlain, "catalog": fPlain, "children": fExprs, "filter": fFilter, "order_bys": fOrderBy,
		"distinct": fPlain, "is_operator": fPlain, "export_state": fPlain,
	},
	"LAMBDA":               {"lhs": fExpr, "expr": fExpr},
	"OPERATOR":             {"children": fExprs},
	"PARAMETER":            {"identifier": fPlain},
	"POSITIONAL_REFERENCE": {"index": fPlain},
	"STAR": {
		"relation_name": fPlain, "exclude_list": fPlain, "replace_list": fReplace, "columns": fPlain, "expr": fExpr,
		"qualified_exclude_list": fPlain, "rename_list": fPlain,
	},
	"SUBQUERY": {"subquery_type": fPlain, "subquery": fStatement, "child": fExpr, "comparison_type": fPlain},
	"WINDOW": {
		"function_name": fPlain, "schema": fPlain, "catalog": fPlain, "children": fExprs, "partitions": fExprs, "orders": fOrders,
		"start": fPlain, "end": fPlain, "start_expr": fExpr, "end_expr": fExpr, "offset_expr": fExpr, "default_expr": fExpr,
		"ignore_nulls": fPlain, "filter_expr": fFilter, "exclude_clause": fPlain, "distinct": fPlain, "arg_orders": fOrders,
	},
}

// operatorTypes are the types of the class OPERATOR.
var operatorTypes = newFunctionSet(`
	operator_not operator_is_null operator_is_not_null operator_coalesce operator_nullif operator_try operator_unpack compare_in
	compare_not_in array_extract array_slice struct_extract array_constructor arrow grouping_function`)

// refShapes has the fields of table references by type, beside type, alias,
// sample and query_location.
var refShapes = map[string]shape{
	"BASE_TABLE": {"schema_name": fPlain, "table_name": fPlain, "catalog_name": fPlain, "column_name_alias": fPlain, "at_clause": fNone},
	"EMPTY":      {},
	"EXPRESSION_LIST": {
		"expected_names": fPlain, "expected_types": fTypes, "values": fExprLists,
	},
	"JOIN": {
		"left": fRef, "right": fRef, "condition": fFilter, "join_type": fPlain, "ref_type": fPlain, "using_columns": fPlain,
		"delim_flipped": fPlain, "duplicate_eliminated_columns": fNone,
	},
	"PIVOT": {
		"source": fRef, "aggregates": fExprs, "unpivot_names": fPlain, "pivots": fPivots, "groups": fPlain, "column_name_alias": fPlain,
		"include_nulls": fPlain,
	},
	"SHOW_REF":       {"query": fQuery, "show_type": fPlain, "table_name": fPlain, "schema_name": fPlain, "catalog_name": fPlain},
	"SUBQUERY":       {"subquery": fStatement, "column_name_alias": fPlain},
	"TABLE_FUNCTION": {"function": fExpr, "column_name_alias": fPlain, "with_ordinality": fPlain},
}

// queryShapes has the fields of query nodes by type, beside type, cte_map and
// modifiers. FROM comes before what refers to it, see queryOrder.
var queryShapes = map[string]shape{
	"SELECT_NODE": {
		"from_table": fRef, "select_list": fExprs, "where_clause": fFilter, "group_expressions": fExprs, "group_sets": fPlain,
		"aggregate_handling": fPlain, "having": fFilter, "qualify": fFilter, "sample": fPlain,
	},
	"SET_OPERATION_NODE": {"setop_type": fPlain, "setop_all": fPlain, "left": fQuery, "right": fQuery},
	"RECURSIVE_CTE_NODE": {"cte_name": fPlain, "union_all": fPlain, "left": fQuery, "right": fQuery, "aliases": fPlain, "key_targets": fNone},
}

// checker checks and rewrites one statement.
type checker struct {
	sql    string
	prefix string // Of generated table names; unguessable.
	err    error  // The first refusal. Walking goes on as a no-op.

	nodes, depth int
	tables       []*tableUse
	ctes         int
	params       map[int]bool // Placeholders seen.
	added        []argKind
	names        []nameUse // Column and function names, to place errors.
	columns      []columnUse
	items        []itemUse // Result columns whose text was changed.
	inFrom       bool      // Inside the function of a table reference.

	scope  *cteScope
	sel    *selectScope
	filter bool // Inside an expression that selects rows.
	// generated is set for the second walk, over the text that will run: every
	// table must bear a generated name, and nothing is rewritten.
	generated bool
}

// tableUse is one occurrence of a table.
type tableUse struct {
	node        node
	parts       []string
	pos         int
	alias       string // The name that columns are qualified with.
	named       bool   // The statement gives the alias.
	withDeleted bool
}

// nameUse is where a name stands in the text.
type nameUse struct {
	name string
	pos  int
}

// columnUse is a column name and the SELECT it stands in.
type columnUse struct {
	node node
	sel  *selectScope
}

// itemUse is an element of a SELECT list whose name the rewrite would change.
type itemUse struct {
	item     node // As rewritten.
	original node // As written.
}

// cteScope is the chain of the WITH names that are visible.
type cteScope struct {
	outer  *cteScope
	name   string // Lower case.
	unique string
	tables []*tableUse
}

// selectScope is the FROM clause of a SELECT.
type selectScope struct {
	outer *selectScope
	items []fromItem
}

// fromItem is one relation of a FROM clause and the tables below it.
type fromItem struct {
	alias  string // Lower case.
	base   bool   // It is a table itself.
	tables []*tableUse
}

func newChecker(sql, prefix string) *checker {
	return &checker{sql: sql, prefix: prefix, params: map[int]bool{}}
}

// refuse records the first refusal.
func (c *checker) refuse(n node, code kalam.Code, format string, args ...any) {
	if c.err != nil {
		return
	}
	e := kalam.Errorf(code, format, args...)
	if pos := offsetOf(n); pos >= 0 && pos <= len(c.sql) && !c.generated {
		e = e.At(pos)
	}
	c.err = e
}

// enter counts a node; it is false when the walk must stop.
func (c *checker) enter(n node) bool {
	c.nodes++
	c.depth++
	if c.nodes > maxNodes {
		c.refuse(n, kalam.CodeInvalidSQL, "Query is too large: it has more than %d elements", maxNodes)
	}
	if c.depth > maxDepth {
		c.refuse(n, kalam.CodeInvalidSQL, "Query is too deeply nested")
	}
	return c.err == nil
}

func (c *checker) leave() { c.depth-- }

// known refuses fields of n that are neither in its shape nor among the words
// of common.
func (c *checker) known(n node, what string, s shape, common string) {
	for key, v := range n {
		if _, ok := s[key]; !ok && !wordOf(common, key) && !isEmpty(v) {
			c.refuse(n, kalam.CodeUnsupported, "This form of %s is not supported (%s)", what, key)
		}
	}
}

// fields walks the fields of n by its shape. common are fields that the caller
// handles.
func (c *checker) fields(n node, what string, s shape, common string) {
	c.known(n, what, s, common)
	for _, key := range fieldOrder {
		if kind, ok := s[key]; ok {
			c.field(n, n[key], kind)
		}
	}
}

// fieldOrder is the order in which fields are walked: that of the text, except
// that FROM comes before what refers to it.
var fieldOrder = []string{
	"from_table", "source", "left", "right", "condition", "function", "query", "subquery", "values", "expected_types",
	"select_list", "where_clause", "group_expressions", "group_sets", "having", "qualify", "sample",
	"aggregates", "pivots", "input", "lower", "upper", "case_checks", "else_expr", "lhs", "expr", "child", "children", "cast_type",
	"partitions", "orders", "order_bys", "arg_orders", "start_expr", "end_expr", "offset_expr", "default_expr", "filter", "filter_expr",
	"replace_list", "at_clause", "duplicate_eliminated_columns", "key_targets",
	"value", "column_names", "relation_name", "exclude_list", "qualified_exclude_list", "rename_list", "columns", "index", "identifier",
	"collation", "try_cast", "function_name", "schema", "catalog", "distinct", "is_operator", "export_state", "subquery_type",
	"comparison_type", "start", "end", "ignore_nulls", "exclude_clause", "schema_name", "table_name", "catalog_name", "column_name_alias",
	"expected_names", "join_type", "ref_type", "using_columns", "delim_flipped", "unpivot_names", "groups", "include_nulls", "show_type",
	"with_ordinality", "aggregate_handling", "setop_type", "setop_all", "cte_name", "union_all", "aliases",
}

func wordOf(words, w string) bool {
	for _, x := range strings.Fields(words) {
		if x == w {
			return true
		}
	}
	return false
}

// isEmpty reports whether a field says nothing.
func isEmpty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case bool:
		return !v
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	case node:
		return len(v) == 0
	}
	return false
}

// field walks one field.
func (c *checker) field(parent node, v any, kind fieldKind) {
	if c.err != nil {
		return
	}
	switch kind {
	case fPlain:
		c.plain(parent, v)
		return
	case fNone:
		if !isEmpty(v) {
			c.refuse(parent, kalam.CodeUnsupported, "This form of the clause is not supported")
		}
		return
	}
	if v == nil {
		return
	}
	switch v := v.(type) {
	case node:
		c.object(v, kind)
	case []any:
		c.elements(parent, v, kind)
	default:
		c.refuse(parent, kalam.CodeUnsupported, "This construct is not supported")
	}
}

// object walks a field that holds one object.
func (c *checker) object(n node, kind fieldKind) {
	switch kind {
	case fExpr:
		c.expr(n)
	case fFilter:
		outer := c.filter
		c.filter = true
		c.expr(n)
		c.filter = outer
	case fRef:
		c.ref(n)
	case fQuery:
		c.query(n)
	case fStatement:
		c.query(child(n, "node"))
	case fOrderBy:
		c.elements(n, elems(n, "orders"), fOrders)
	case fType:
		c.typ(n)
	default:
		c.refuse(n, kalam.CodeUnsupported, "This construct is not supported")
	}
}

// elements walks a field that holds a list.
func (c *checker) elements(parent node, l []any, kind fieldKind) {
	for _, v := range l {
		if inner, ok := v.([]any); ok && kind == fExprLists {
			c.elements(parent, inner, fExprs)
			continue
		}
		n, ok := v.(node)
		if !ok {
			c.refuse(parent, kalam.CodeUnsupported, "This construct is not supported")
			return
		}
		switch kind {
		case fExprs:
			c.expr(n)
		case fTypes:
			c.typ(n)
		case fOrders:
			c.known(n, "ORDER BY", nil, "type null_order expression")
			c.field(n, n["expression"], fExpr)
		case fChecks:
			c.known(n, "CASE", nil, "when_expr then_expr")
			c.field(n, n["when_expr"], fExpr)
			c.field(n, n["then_expr"], fExpr)
		case fReplace:
			c.known(n, "REPLACE", nil, "key value")
			c.field(n, n["value"], fExpr)
		case fPivots:
			c.pivot(n)
		case fModifiers:
			c.modifier(n)
		default:
			c.refuse(parent, kalam.CodeUnsupported, "This construct is not supported")
		}
	}
}

// plain checks that v holds no nodes that the walk would miss.
func (c *checker) plain(parent node, v any) {
	switch v := v.(type) {
	case node:
		for key, x := range v {
			switch key {
			case "class", "node", "function_name", "select_list", "from_table":
				c.refuse(parent, kalam.CodeUnsupported, "This construct is not supported")
				return
			}
			c.plain(parent, x)
		}
	case []any:
		for _, x := range v {
			c.plain(parent, x)
		}
	}
}

// typ checks a type: built-in ones and those made of them.
func (c *checker) typ(n node) {
	if !c.enter(n) {
		return
	}
	defer c.leave()
	id, info := str(n, "id"), child(n, "type_info")
	name := strings.ToLower(id)
	if id == "UNBOUND" {
		name = strings.ToLower(str(info, "name"))
		if str(info, "schema") != "" || str(info, "catalog") != "" || !namedTypes.has(name) {
			c.refuse(n, kalam.CodeInvalidSQL, "Type '%s' does not exist", str(info, "name"))
			return
		}
	} else if !allowedTypes.has(strings.NewReplacer(" with time zone", "").Replace(name)) || str(info, "type") == "GENERIC_TYPE_INFO" {
		c.refuse(n, kalam.CodeInvalidSQL, "Type '%s' is not supported", id)
		return
	}
	if t := child(info, "child_type"); t != nil {
		c.typ(t)
	}
	for _, v := range elems(info, "child_types") {
		member, _ := v.(node)
		if t := child(member, "second"); t != nil {
			c.typ(t)
		}
	}
	c.plain(n, info)
}

// modifier checks ORDER BY, LIMIT or DISTINCT of a query.
func (c *checker) modifier(n node) {
	switch t := str(n, "type"); t {
	case "ORDER_MODIFIER":
		c.known(n, "ORDER BY", nil, "type orders")
		c.elements(n, elems(n, "orders"), fOrders)
	case "LIMIT_MODIFIER", "LIMIT_PERCENT_MODIFIER":
		c.known(n, "LIMIT", nil, "type limit offset")
		c.field(n, n["limit"], fExpr)
		c.field(n, n["offset"], fExpr)
	case "DISTINCT_MODIFIER":
		c.known(n, "DISTINCT", nil, "type distinct_on_targets")
		c.elements(n, elems(n, "distinct_on_targets"), fExprs)
	default:
		c.refuse(n, kalam.CodeUnsupported, "%s is not supported", t)
	}
}

// pivot checks one element of the ON list of PIVOT.
func (c *checker) pivot(n node) {
	c.known(n, "PIVOT", nil, "pivot_expressions unpivot_names entries pivot_enum")
	if str(n, "pivot_enum") != "" {
		c.refuse(n, kalam.CodeUnsupported, "PIVOT without an IN list is not supported")
	}
	c.elements(n, elems(n, "pivot_expressions"), fExprs)
	c.plain(n, n["unpivot_names"])
	for _, v := range elems(n, "entries") {
		e, _ := v.(node)
		c.known(e, "PIVOT", nil, "alias star_expr values")
		c.plain(n, e["values"])
		c.field(n, e["star_expr"], fExpr)
	}
}

// query checks a query node.
func (c *checker) query(n node) {
	if n == nil {
		c.refuse(n, kalam.CodeUnsupported, "This form of subquery is not supported")
		return
	}
	if !c.enter(n) {
		return
	}
	defer c.leave()
	s, ok := queryShapes[str(n, "type")]
	if !ok {
		c.refuse(n, kalam.CodeUnsupported, "%s is not supported", str(n, "type"))
		return
	}
	outerScope, outerSel, outerFilter := c.scope, c.sel, c.filter
	defer func() { c.scope, c.sel, c.filter = outerScope, outerSel, outerFilter }()
	c.filter = false
	c.with(child(n, "cte_map"))
	if str(n, "type") == "SELECT_NODE" {
		c.sel = &selectScope{outer: outerSel}
		c.selectNode(n, s)
	} else {
		c.fields(n, "Query", s, "type cte_map modifiers")
	}
	c.elements(n, elems(n, "modifiers"), fModifiers)
}

// selectNode checks a SELECT. The elements of its list keep their names when
// the rewrite changes their text.
func (c *checker) selectNode(n node, s shape) {
	var before []node
	items := elems(n, "select_list")
	if !c.generated {
		for _, v := range items {
			original, _ := clone(v).(node)
			before = append(before, original)
		}
	}
	c.fields(n, "SELECT", s, "type cte_map modifiers")
	for i, original := range before {
		item, _ := items[i].(node)
		if str(item, "alias") == "" && str(item, "class") != "STAR" && !same(item, original) {
			c.items = append(c.items, itemUse{item, original})
		}
	}
}

// with checks the WITH list of a query. A name is visible to the elements after
// it, and to itself when it is recursive. Every element gets a name of ours, so
// that a mistake here would lead to a relation that does not exist.
func (c *checker) with(m node) {
	c.known(m, "WITH", nil, "map")
	for _, v := range elems(m, "map") {
		e, _ := v.(node)
		def := child(e, "value")
		c.known(e, "WITH", nil, "key value")
		c.known(def, "WITH", nil, "aliases query materialized")
		c.plain(e, def["aliases"])
		q := child(child(def, "query"), "node")
		s := &cteScope{outer: c.scope, name: strings.ToLower(str(e, "key")), unique: c.prefix + "cte_" + strconv.Itoa(c.ctes) + "_"}
		c.ctes++
		first := len(c.tables)
		if str(q, "type") == "RECURSIVE_CTE_NODE" {
			c.scope = s
			if !c.generated {
				q["cte_name"] = s.unique
			}
		}
		if c.generated {
			s.unique = str(e, "key")
		}
		c.query(q)
		s.tables = c.tables[first:len(c.tables):len(c.tables)]
		c.scope = s
		e["key"] = s.unique
	}
}

// ref checks a table reference.
func (c *checker) ref(n node) {
	if !c.enter(n) {
		return
	}
	defer c.leave()
	t := str(n, "type")
	s, ok := refShapes[t]
	if !ok {
		c.refuse(n, kalam.CodeUnsupported, "%s in FROM is not supported", t)
		return
	}
	if t == "TABLE_FUNCTION" {
		c.tableFunction(child(n, "function"))
	}
	if t == "SHOW_REF" && (child(n, "query") == nil || !wordOf("SUMMARY DESCRIBE", str(n, "show_type"))) {
		c.refuse(n, kalam.CodeInvalidSQL, "Only DESCRIBE and SUMMARIZE of a query are allowed here")
		return
	}
	first, items := len(c.tables), 0
	if c.sel != nil {
		items = len(c.sel.items)
	}
	c.inFrom = t == "TABLE_FUNCTION"
	c.fields(n, "FROM", s, "type alias sample query_location")
	c.inFrom = false
	c.plain(n, n["sample"])
	if t == "BASE_TABLE" {
		c.baseTable(n)
		return
	}
	if t != "JOIN" && c.sel != nil {
		// What stands below is seen through the alias of this reference.
		below := c.tables[first:len(c.tables):len(c.tables)]
		for _, it := range c.sel.items[items:] {
			below = append(below, it.tables...)
		}
		c.sel.items = append(c.sel.items[:items], fromItem{alias: strings.ToLower(str(n, "alias")), tables: below})
	}
}

// tableFunction checks the function of a table reference.
func (c *checker) tableFunction(f node) {
	name := str(f, "function_name")
	if !fromFunctions.has(name) || str(f, "class") != "FUNCTION" || !ownSchema(f) {
		c.refuseFunction(f, "Table function", name)
	}
}

func ownSchema(f node) bool {
	s := str(f, "schema")
	return str(f, "catalog") == "" && (s == "" || s == "main")
}

func (c *checker) refuseFunction(f node, kind, name string) {
	if s := str(f, "schema"); s != "" && s != "main" {
		name = s + "." + name
	}
	c.refuse(f, kalam.CodeInvalidSQL, "%s '%s' does not exist or is not allowed", kind, name)
}

// baseTable resolves a name in FROM: a WITH name, or a table, which gets a name
// of ours.
func (c *checker) baseTable(n node) {
	table := str(n, "table_name")
	if c.generated {
		if str(n, "schema_name") != "" || str(n, "catalog_name") != "" || !strings.HasPrefix(table, c.prefix) {
			c.refuse(n, kalam.CodeUnsupported, "This query cannot be processed")
		}
		return
	}
	if str(n, "schema_name") == "" && str(n, "catalog_name") == "" {
		for s := c.scope; s != nil; s = s.outer {
			if s.name == strings.ToLower(table) {
				n["table_name"] = s.unique
				alias := aliasOf(n, table)
				c.addItem(fromItem{alias: strings.ToLower(alias), tables: s.tables})
				return
			}
		}
	}
	use := &tableUse{node: n, parts: c.partsOf(n), pos: max(offsetOf(n), 0), named: str(n, "alias") != ""}
	use.alias = aliasOf(n, table)
	n["table_name"] = sourceName(c.prefix, len(c.tables))
	n["schema_name"], n["catalog_name"] = "", ""
	c.tables = append(c.tables, use)
	c.addItem(fromItem{alias: strings.ToLower(use.alias), base: true, tables: []*tableUse{use}})
}

// aliasOf returns the alias of n, which becomes name when it has none.
func aliasOf(n node, name string) string {
	if str(n, "alias") == "" {
		n["alias"] = name
	}
	return str(n, "alias")
}

func (c *checker) addItem(it fromItem) {
	if c.sel != nil {
		c.sel.items = append(c.sel.items, it)
	}
}

// partsOf returns the parts of a table's name as written, folded to lower case
// unless quoted.
func (c *checker) partsOf(n node) []string {
	var parts []string
	for _, key := range []string{"catalog_name", "schema_name", "table_name"} {
		if s := str(n, key); s != "" {
			parts = append(parts, s)
		}
	}
	if pos := offsetOf(n); pos >= 0 && pos < len(c.sql) {
		if c.sql[pos] == '\'' {
			return parts // FROM 'name': as written.
		}
		if written, ok := nameAt(c.sql, pos); ok && strings.EqualFold(strings.Join(written, "\x00"), strings.Join(parts, "\x00")) {
			return written
		}
	}
	for i := range parts {
		parts[i] = strings.ToLower(parts[i])
	}
	return parts
}

// expr checks an expression.
func (c *checker) expr(n node) {
	if !c.enter(n) {
		return
	}
	defer c.leave()
	class := str(n, "class")
	s, ok := exprShapes[class]
	if !ok {
		c.refuse(n, kalam.CodeUnsupported, "%s is not supported in an expression", class)
		return
	}
	switch class {
	case "OPERATOR":
		if t := str(n, "type"); !operatorTypes.has(t) {
			c.refuse(n, kalam.CodeUnsupported, "%s is not supported in an expression", t)
		}
	case "FUNCTION", "WINDOW":
		c.function(n)
	case "PARAMETER":
		c.placeholder(n)
	case "COLLATE":
		c.collation(n)
	case "SUBQUERY":
		// A subquery without a query has a form that the parser does not give.
		if child(n, "subquery") == nil {
			c.refuse(n, kalam.CodeUnsupported, "This form of subquery is not supported")
		}
	}
	c.fields(n, class, s, "class type alias query_location")
	if c.err == nil {
		c.rewrite(n)
	}
}

// function checks the name of a function.
func (c *checker) function(n node) {
	name, inFrom := str(n, "function_name"), c.inFrom
	c.inFrom = false // The arguments are values again.
	if c.generated {
		if strings.HasPrefix(name, "kalam_") {
			if name != "kalam_snowflake_id" && name != "kalam_ulid" {
				c.refuseFunction(n, "Function", name)
			}
			return
		}
	} else if serverFunctions.has(name) && str(n, "class") == "FUNCTION" && ownSchema(n) {
		return
	}
	if export, _ := n["export_state"].(bool); export || !ownSchema(n) || !valueFunctions.has(name) && !fromFunctions.has(name) {
		c.refuseFunction(n, "Function", name)
		return
	}
	c.names = append(c.names, nameUse{strings.ToLower(name), offsetOf(n)})
	c.checkAmplifier(n, strings.ToLower(name), inFrom)
}

// sourceName is the name that stands for table i in the text of a statement.
func sourceName(prefix string, i int) string { return prefix + "src_" + strconv.Itoa(i) + "_" }

// placeholder checks $n.
func (c *checker) placeholder(n node) {
	id := str(n, "identifier")
	i, err := strconv.Atoi(id)
	if err != nil || i < 1 || i > maxParams || strconv.Itoa(i) != id {
		c.refuse(n, kalam.CodeInvalidSQL, "Invalid parameter placeholder '$%s'", id)
		return
	}
	c.params[i] = true
}

// maxParams is the highest number of a placeholder.
const maxParams = 65535

// collation checks the name of a collation.
func (c *checker) collation(n node) {
	name := str(n, "collation")
	for i := 0; i < len(name); i++ {
		if !isWordByte(name[i]) && name[i] != '.' {
			c.refuse(n, kalam.CodeInvalidSQL, "Collation '%s' does not exist", name)
		}
	}
}

// checkParams checks that placeholders are $1..$n without gaps and returns n.
func (c *checker) checkParams() int {
	highest := 0
	for i := range c.params {
		highest = max(highest, i)
	}
	for i := 1; i <= highest; i++ {
		if !c.params[i] {
			c.refuse(nil, kalam.CodeInvalidSQL, "Invalid parameter placeholder '$%d': there is no $%d", highest, i)
		}
	}
	return highest
}
