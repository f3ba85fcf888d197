package guard

import (
	"strconv"
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query/tree"
)

// tableUse is one occurrence of a table.
type tableUse struct {
	node        tree.Node
	parts       []string
	pos         int
	alias       string // The name that columns are qualified with.
	named       bool   // The statement gives the alias.
	namespace   string // By which columns call the table, whose name has none; "" when none does.
	withDeleted bool
	system      systemUse
}

// cteScope is the chain of the WITH names that are visible.
type cteScope struct {
	outer   *cteScope
	name    string // Lower case.
	unique  string
	tables  []*tableUse
	width   int
	exports systemColumn
}

// selectScope is the FROM clause of a SELECT.
type selectScope struct {
	outer   *selectScope
	number  int // Different for each scope of a statement.
	items   []fromItem
	aliases map[string]bool // Names of results, in lower case.
}

// width returns what * stands for.
func (s *selectScope) width() int {
	n := 0
	for _, it := range s.items {
		n += it.width
	}
	return n
}

// fromItem is one relation of a FROM clause and the tables below it.
type fromItem struct {
	alias  string // Lower case.
	base   bool   // It is a table itself.
	number int    // Of the table then: its place among those of the statement.
	// renamed says that the reference gives the columns other names.
	renamed bool
	width   int          // How often * of it repeats the columns of a table.
	exports systemColumn // Names of system columns that its columns have.
	tables  []*tableUse
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

// tableFunction checks the function of a table reference.
func (c *checker) tableFunction(f tree.Node) {
	name := tree.Str(f, "function_name")
	if !fromFunctions.has(name) || tree.Str(f, "class") != "FUNCTION" || !OwnSchema(f) {
		c.refuseFunction(f, "Table function", name)
	}
}

// OwnSchema reports whether f is a call of a function without a schema, or with the one
// that user SQL may name.
func OwnSchema(f tree.Node) bool {
	s := tree.Str(f, "schema")
	return tree.Str(f, "catalog") == "" && (s == "" || s == "main")
}

func (c *checker) refuseFunction(f tree.Node, kind, name string) {
	if s := tree.Str(f, "schema"); s != "" && s != "main" {
		name = s + "." + name
	}
	c.refuse(f, kalam.CodeInvalidSQL, "%s '%s' does not exist or is not allowed", kind, name)
}

// recurring stands before the name of a WITH RECURSIVE ... USING KEY, in its own query:
// all of its rows so far.
const recurring = "recurring"

// baseTable resolves a name in FROM: a WITH name, or a table, which gets a name
// of ours.
func (c *checker) baseTable(n tree.Node) {
	table := tree.Str(n, "table_name")
	if c.generated {
		schema := tree.Str(n, "schema_name")
		if schema != "" && schema != recurring || tree.Str(n, "catalog_name") != "" || !strings.HasPrefix(table, c.prefix) {
			c.refuse(n, kalam.CodeUnsupported, "This query cannot be processed")
		}
		return
	}
	if schema := tree.Str(n, "schema_name"); (schema == "" || schema == recurring) && tree.Str(n, "catalog_name") == "" {
		for s := c.scope; s != nil; s = s.outer {
			if s.name == strings.ToLower(table) {
				n["table_name"] = s.unique
				alias := aliasOf(n, table)
				c.addItem(fromItem{
					alias: strings.ToLower(alias), width: max(1, s.width), tables: s.tables, exports: s.exports | columnAliases(n),
				})
				return
			}
		}
	}
	use := &tableUse{node: n, parts: c.partsOf(n), pos: max(tree.Offset(n), 0), named: tree.Str(n, "alias") != ""}
	if table == "" {
		c.refuse(n, kalam.CodeInvalidSQL, "Syntax error: the name of a table is empty")
		return
	}
	use.alias, use.system.number = aliasOf(n, table), len(c.tables)
	n["table_name"] = sourceName(c.prefix, len(c.tables))
	n["schema_name"], n["catalog_name"] = "", ""
	c.mark(n, tableMark, use)
	c.tables = append(c.tables, use)
	c.addItem(fromItem{
		alias: strings.ToLower(use.alias), base: true, number: len(c.tables) - 1, width: 1, tables: []*tableUse{use},
		renamed: len(tree.Elems(n, "column_name_alias")) > 0,
	})
}

// aliasOf returns the alias of n, which becomes name when it has none.
func aliasOf(n tree.Node, name string) string {
	if tree.Str(n, "alias") == "" {
		n["alias"] = name
	}
	return tree.Str(n, "alias")
}

func (c *checker) addItem(it fromItem) {
	if c.sel != nil {
		c.sel.items = append(c.sel.items, it)
	}
}

// partsOf returns the parts of a table's name, in lower case.
func (c *checker) partsOf(n tree.Node) []string {
	var parts []string
	for _, key := range []string{"catalog_name", "schema_name", "table_name"} {
		if s := tree.Str(n, key); s != "" {
			parts = append(parts, strings.ToLower(s))
		}
	}
	if pos := tree.Offset(n); pos >= 0 && pos < len(c.sql) {
		if c.sql[pos] == '\'' {
			return parts // FROM 'name': as written.
		}
		if written, ok := nameAt(c.sql, pos); ok &&
			strings.EqualFold(strings.Join(written, "\x00"), strings.Join(parts, "\x00")) {
			return written
		}
	}
	for i := range parts {
		parts[i] = strings.ToLower(parts[i])
	}
	return parts
}
