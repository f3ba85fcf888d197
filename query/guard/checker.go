package guard

import (
	"strings"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query/tree"
)

// checker checks and rewrites one statement.
type checker struct {
	sql    string
	prefix string         // Of generated table names; unguessable.
	zone   *time.Location // Of moments that are written without one; nil is UTC.
	err    error          // The first refusal. Walking goes on as a no-op.

	nodes, depth int
	tables       []*tableUse
	ctes         int
	params       map[int]bool    // Placeholders seen.
	marks        map[string]bool // Marks that nodes have.
	added        []ArgKind
	names        []nameUse // Column and function names, to place errors.
	scopes       []*selectScope
	items        []itemUse // Result columns whose text was changed.
	operands     []Operand
	meetings     []Meeting
	operandAt    map[string]int // Index of an operand by what makes it equal to another.
	meetingAt    map[string]int // The same of a meeting.
	inFrom       bool           // Inside the function of a table reference.
	in           surroundings
	relations    int            // Seen so far.
	width        int            // Of the query walked last, see starWidth.
	exports      systemColumn   // That the queries walked last have among their results.
	rows         map[int]string // Aliases of the tables of which whole rows are named, by number.

	pivots bool // There is a PIVOT.

	scope  *cteScope
	sel    *selectScope
	filter bool // Inside an expression that selects rows.
	// generated is set for the second walk, over the text that will run: every
	// table must bear a generated name, and nothing is rewritten.
	generated bool
}

// nameUse is where a name stands in the text.
type nameUse struct {
	name string
	pos  int
}

// itemUse is an element of a SELECT list whose name the rewrite would change.
type itemUse struct {
	item     tree.Node // As rewritten.
	original tree.Node // As written.
}

func newChecker(sql, prefix string) *checker {
	return &checker{
		sql: sql, prefix: prefix, params: map[int]bool{}, marks: map[string]bool{}, rows: map[int]string{},
		operandAt: map[string]int{}, meetingAt: map[string]int{},
	}
}

// refuse records the first refusal.
func (c *checker) refuse(n tree.Node, code kalam.Code, format string, args ...any) {
	if c.err != nil {
		return
	}
	e := kalam.Errorf(code, format, args...)
	if pos := tree.Offset(n); pos >= 0 && pos <= len(c.sql) && !c.generated {
		e = e.At(pos)
	}
	c.err = e
}

// enter counts a node; it is false when the walk must stop.
func (c *checker) enter(n tree.Node) bool {
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
func (c *checker) known(n tree.Node, what string, s fieldKinds, common string) {
	for key, v := range n {
		if _, ok := s[key]; !ok && !wordOf(common, key) && !tree.IsEmpty(v) {
			c.refuse(n, kalam.CodeUnsupported, "This form of %s is not supported (%s)", what, key)
		}
	}
}

// fields walks the fields of n by its shape. common are fields that the caller
// handles.
func (c *checker) fields(n tree.Node, what string, s shape, common string) {
	c.known(n, what, s.kinds, common)
	for _, key := range s.order {
		c.field(n, n[key], s.kinds[key])
	}
}

// wordOf reports whether w is one of words, which have a blank between them.
func wordOf(words, w string) bool {
	for len(words) > 0 {
		word, rest, _ := strings.Cut(words, " ")
		if word == w && w != "" {
			return true
		}
		words = rest
	}
	return false
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
