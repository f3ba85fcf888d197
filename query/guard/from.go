package guard

import (
	"strconv"
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query/tree"
)

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
	c.refuseAs(f, kalam.Errorf(kalam.CodeInvalidSQL, "%s '%s' does not exist or is not allowed", kind, name).
		Lacks(kalam.MissingFunction, name))
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

// SourceMark begins the names that stand for tables in a text that Written gives; the
// number of the table and '_' follow.
func SourceMark(prefix string) string { return prefix + "src_" }

// sourceName is the name that stands for table i in the text of a statement.
func sourceName(prefix string, i int) string { return SourceMark(prefix) + strconv.Itoa(i) + "_" }

// relation counts one of the things that DuckDB orders and plans.
func (c *checker) relation(n tree.Node) {
	if c.relations++; c.relations > maxRelations {
		c.refuse(n, kalam.CodeInvalidSQL, "Query is too large: it combines more than %d relations", maxRelations)
	}
}

// starWidth returns how often the result of a SELECT repeats the columns of a
// table, and refuses those that repeat them too often.
func (c *checker) starWidth(n tree.Node) int {
	if c.err != nil {
		return 1
	}
	w := max(1, countStars(n["select_list"])*c.sel.width())
	if w > maxWidth {
		c.refuse(n, kalam.CodeUnsupported, "Query is too large: * repeats columns more than %d times", maxWidth)
	}
	if len(tree.Elems(n, "group_sets")) > maxGroupSets {
		c.refuse(n, kalam.CodeUnsupported, "Query is too large: it has more than %d grouping sets", maxGroupSets)
	}
	return w
}

// countStars returns the number of stars in v, outside subqueries.
func countStars(v any) int {
	count := 0
	switch v := v.(type) {
	case tree.Node:
		switch tree.Str(v, "class") {
		case "STAR":
			return 1
		case "SUBQUERY":
			return 0
		}
		for _, x := range v {
			count += countStars(x)
		}
	case []any:
		for _, x := range v {
			count += countStars(x)
		}
	}
	return count
}
