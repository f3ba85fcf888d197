package guard

import (
	"strconv"
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query/tree"
)

// query checks a query node.
func (c *checker) query(n tree.Node) {
	if n == nil {
		c.refuse(n, kalam.CodeUnsupported, "This form of subquery is not supported")
		return
	}
	if !c.enter(n) {
		return
	}
	defer c.leave()
	s, ok := queryShapes[tree.Str(n, "type")]
	if !ok {
		c.refuse(n, kalam.CodeUnsupported, "%s is not supported", tree.Str(n, "type"))
		return
	}
	outer := *c
	defer func() {
		c.scope, c.sel, c.filter, c.in = outer.scope, outer.sel, outer.filter, outer.in
	}()
	c.filter, c.in.nesting, c.in.disjoint, c.in.results = false, 0, false, columnsFirst
	c.with(tree.Child(n, "cte_map"))
	if tree.Str(n, "type") == "SELECT_NODE" {
		c.sel = &selectScope{outer: outer.sel, number: len(c.scopes), aliases: aliasesOf(n)}
		c.scopes = append(c.scopes, c.sel)
		c.selectNode(n, s)
		defer func(w int, x systemColumn) { c.width, c.exports = w, x }(c.starWidth(n), outer.exports|c.exportsOf(n))
		c.in.results = sortKey
	} else {
		c.relation(n)
		c.fields(n, "Query", s, "type cte_map modifiers")
		c.in.results = resultsOnly
	}
	c.elements(n, tree.Elems(n, "modifiers"), fModifiers)
}

// aliasesOf returns the names that a SELECT gives to its results, in lower case.
func aliasesOf(n tree.Node) map[string]bool {
	out := map[string]bool{}
	for _, v := range tree.Elems(n, "select_list") {
		item, _ := v.(tree.Node)
		if alias := tree.Str(item, "alias"); alias != "" {
			out[strings.ToLower(alias)] = true
		}
	}
	return out
}

// selectNode checks a SELECT. The elements of its list keep their names when
// the rewrite changes their text.
func (c *checker) selectNode(n tree.Node, s shape) {
	var before []tree.Node
	items := tree.Elems(n, "select_list")
	if !c.generated {
		for _, v := range items {
			original, _ := tree.Clone(v).(tree.Node)
			before = append(before, original)
		}
	}
	c.fields(n, "SELECT", s, "type cte_map modifiers having qualify")
	c.in.results = resultsFirst
	c.field(n, n["having"], fFilter)
	c.field(n, n["qualify"], fFilter)
	c.in.results = columnsFirst
	for i, original := range before {
		item, _ := items[i].(tree.Node)
		if tree.Str(item, "alias") == "" && tree.Str(item, "class") != "STAR" && !same(item, original) {
			c.items = append(c.items, itemUse{item, original})
		}
	}
}

// with checks the WITH list of a query. A name is visible to the elements after
// it, and to itself when it is recursive. Every element gets a name of ours, so
// that a mistake here would lead to a relation that does not exist.
func (c *checker) with(m tree.Node) {
	c.known(m, "WITH", nil, "map")
	for _, v := range tree.Elems(m, "map") {
		e, _ := v.(tree.Node)
		def := tree.Child(e, "value")
		c.known(e, "WITH", nil, "key value")
		c.known(def, "WITH", nil, "aliases query materialized key_targets")
		c.elements(def, tree.Elems(def, "key_targets"), fExprs)
		c.plain(e, def["aliases"])
		q := tree.Child(tree.Child(def, "query"), "node")
		s := &cteScope{
			outer:  c.scope,
			name:   strings.ToLower(tree.Str(e, "key")),
			unique: c.prefix + "cte_" + strconv.Itoa(c.ctes) + "_",
		}
		c.ctes++
		first := len(c.tables)
		if tree.Str(q, "type") == "RECURSIVE_CTE_NODE" {
			c.scope = s
			if !c.generated {
				q["cte_name"] = s.unique
			}
		}
		if c.generated {
			s.unique = tree.Str(e, "key")
		}
		c.exports = 0
		c.query(q)
		s.tables, s.width = c.tables[first:len(c.tables):len(c.tables)], c.width
		s.exports = c.exports | columnAliases(tree.Node{"column_name_alias": def["aliases"]})
		c.scope = s
		e["key"] = s.unique
	}
}

// ref checks a table reference.
func (c *checker) ref(n tree.Node) {
	if !c.enter(n) {
		return
	}
	defer c.leave()
	t := tree.Str(n, "type")
	s, ok := refShapes[t]
	if !ok {
		c.refuse(n, kalam.CodeUnsupported, "%s in FROM is not supported", t)
		return
	}
	if t == "TABLE_FUNCTION" {
		c.tableFunction(tree.Child(n, "function"))
	}
	if t == "SHOW_REF" && (tree.Child(n, "query") == nil || !wordOf("SUMMARY DESCRIBE", tree.Str(n, "show_type"))) {
		c.refuse(n, kalam.CodeInvalidSQL, "Only DESCRIBE and SUMMARIZE of a query are allowed here")
		return
	}
	if t != "JOIN" && t != "EMPTY" {
		c.relation(n)
	}
	c.width, c.exports = 1, 0
	first, items := len(c.tables), 0
	if c.sel != nil {
		items = len(c.sel.items)
	}
	c.inFrom = t == "TABLE_FUNCTION"
	c.fields(n, "FROM", s, "type alias sample query_location")
	c.inFrom = false
	c.plain(n, n["sample"])
	if t == "JOIN" {
		c.exactJoin(n)
		if c.sel != nil {
			c.usingColumns(n, c.sel.items[items:])
		}
	}
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
		c.sel.items = append(c.sel.items[:items], fromItem{
			alias: strings.ToLower(tree.Str(n, "alias")), width: c.width, tables: below, exports: c.exports | columnAliases(n),
		})
	}
}

// expr checks an expression.
func (c *checker) expr(n tree.Node) {
	if !c.enter(n) {
		return
	}
	defer c.leave()
	class := tree.Str(n, "class")
	s, ok := exprShapes[class]
	if !ok {
		c.refuse(n, kalam.CodeUnsupported, "%s is not supported in an expression", class)
		return
	}
	outer := c.in
	if c.in.nesting++; c.in.nesting > maxNesting {
		c.refuse(
			n,
			kalam.CodeInvalidSQL,
			"Expression is nested more than %d deep; each operator of a chain counts",
			maxNesting,
		)
	}
	_, lambda := n[lambdaMark]
	delete(n, lambdaMark)
	c.class(n, class, lambda)
	c.fields(n, class, s, "class type alias query_location")
	c.in = outer
	if class == "LAMBDA" && !lambda {
		// DuckDB tries each arrow as a lambda first, which doubles the work for
		// every one in a chain.
		tree.Become(n, tree.Call("json_extract", n["lhs"], n["expr"]))
	}
	if c.err == nil {
		c.rewrite(n)
	}
}

// class checks what is special to a class, before the fields of the node.
func (c *checker) class(n tree.Node, class string, lambda bool) {
	switch class {
	case "LAMBDA":
		if lambda {
			if c.in.lambdas++; c.in.lambdas > maxLambdas {
				c.refuse(n, kalam.CodeUnsupported, "Lambdas may be nested %d deep", maxLambdas)
			}
		} else if c.generated {
			c.refuse(n, kalam.CodeUnsupported, "This query cannot be processed")
		}
	case "CONJUNCTION":
		c.in.disjoint = c.in.disjoint || tree.Str(n, "type") == "CONJUNCTION_OR"
	case "OPERATOR":
		t := tree.Str(n, "type")
		if !operatorTypes.has(t) {
			c.refuse(n, kalam.CodeUnsupported, "%s is not supported in an expression", t)
		}
		c.in.disjoint = c.in.disjoint || t == "OPERATOR_NOT"
	case "FUNCTION", "WINDOW":
		c.methodCall(n)
		c.function(n)
	case "PARAMETER":
		c.placeholder(n)
	case "COLLATE":
		c.collation(n)
	case "SUBQUERY":
		if c.in.subqueries++; c.in.subqueries > maxSubqueries {
			c.refuse(n, kalam.CodeUnsupported, "Subqueries in expressions may be nested %d deep", maxSubqueries)
		}
		// A subquery without a query has a form that the parser does not give.
		if tree.Child(n, "subquery") == nil {
			c.refuse(n, kalam.CodeUnsupported, "This form of subquery is not supported")
		}
	}
}

// typ checks a type: built-in ones and those made of them.
func (c *checker) typ(n tree.Node) {
	if !c.enter(n) {
		return
	}
	defer c.leave()
	if !c.generated {
		ourType(n)
	}
	id, info := tree.Str(n, "id"), tree.Child(n, "type_info")
	name := strings.ToLower(id)
	if id == "UNBOUND" {
		name = strings.ToLower(tree.Str(info, "name"))
		if tree.Str(info, "schema") != "" || tree.Str(info, "catalog") != "" || !namedTypes.has(name) {
			c.refuseAs(n, kalam.Errorf(kalam.CodeInvalidSQL, "Type '%s' does not exist", tree.Str(info, "name")).
				Lacks(kalam.MissingType, name))
			return
		}
	} else if !allowedTypes.has(strings.ReplaceAll(name, " with time zone", "")) ||
		tree.Str(info, "type") == "GENERIC_TYPE_INFO" {
		c.refuse(n, kalam.CodeInvalidSQL, "Type '%s' is not supported", id)
		return
	}
	if t := tree.Child(info, "child_type"); t != nil {
		c.typ(t)
	}
	for _, v := range tree.Elems(info, "child_types") {
		member, _ := v.(tree.Node)
		if t := tree.Child(member, "second"); t != nil {
			c.typ(t)
		}
	}
	c.plain(n, info)
}

// fields walks the fields of n by its shape. common are fields that the caller
// handles.
func (c *checker) fields(n tree.Node, what string, s shape, common string) {
	c.known(n, what, s.kinds, common)
	for _, key := range s.order {
		c.field(n, n[key], s.kinds[key])
	}
}

// field walks one field.
func (c *checker) field(parent tree.Node, v any, kind fieldKind) {
	if c.err != nil {
		return
	}
	switch kind {
	case fPlain:
		c.plain(parent, v)
		return
	case fNone:
		if !tree.IsEmpty(v) {
			c.refuse(parent, kalam.CodeUnsupported, "This form of the clause is not supported")
		}
		return
	default:
	}
	if v == nil {
		return
	}
	switch v := v.(type) {
	case tree.Node:
		c.object(v, kind)
	case []any:
		c.elements(parent, v, kind)
	default:
		c.refuse(parent, kalam.CodeUnsupported, "This construct is not supported")
	}
}

// object walks a field that holds one object.
func (c *checker) object(n tree.Node, kind fieldKind) {
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
		c.query(tree.Child(n, "node"))
	case fOrderBy:
		c.elements(n, tree.Elems(n, "orders"), fOrders)
	case fType:
		c.typ(n)
	default:
		c.refuse(n, kalam.CodeUnsupported, "This construct is not supported")
	}
}

// elements walks a field that holds a list.
func (c *checker) elements(parent tree.Node, l []any, kind fieldKind) {
	for _, v := range l {
		if inner, ok := v.([]any); ok && kind == fExprLists {
			c.elements(parent, inner, fExprs)
			continue
		}
		n, ok := v.(tree.Node)
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
func (c *checker) plain(parent tree.Node, v any) {
	switch v := v.(type) {
	case tree.Node:
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

// modifier checks ORDER BY, LIMIT or DISTINCT of a query.
func (c *checker) modifier(n tree.Node) {
	switch t := tree.Str(n, "type"); t {
	case "ORDER_MODIFIER":
		c.known(n, "ORDER BY", nil, "type orders")
		c.elements(n, tree.Elems(n, "orders"), fOrders)
	case "LIMIT_MODIFIER", "LIMIT_PERCENT_MODIFIER":
		c.known(n, "LIMIT", nil, "type limit offset")
		c.field(n, n["limit"], fExpr)
		c.field(n, n["offset"], fExpr)
	case "DISTINCT_MODIFIER":
		c.known(n, "DISTINCT", nil, "type distinct_on_targets")
		c.elements(n, tree.Elems(n, "distinct_on_targets"), fExprs)
	default:
		c.refuse(n, kalam.CodeUnsupported, "%s is not supported", t)
	}
}

// pivot checks one element of the ON list of PIVOT.
func (c *checker) pivot(n tree.Node) {
	c.known(n, "PIVOT", nil, "pivot_expressions unpivot_names entries pivot_enum")
	if tree.Str(n, "pivot_enum") != "" {
		c.refuse(n, kalam.CodeUnsupported, "PIVOT without an IN list is not supported")
	}
	c.pivots = true
	c.elements(n, tree.Elems(n, "pivot_expressions"), fExprs)
	c.plain(n, n["unpivot_names"])
	for _, v := range tree.Elems(n, "entries") {
		e, _ := v.(tree.Node)
		c.known(e, "PIVOT", nil, "alias star_expr values")
		c.plain(n, e["values"])
		c.field(n, e["star_expr"], fExpr)
	}
}
