package guard

import (
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query/tree"
)

// The system columns of a table, _seq and _deleted, are there when they are named,
// and * stands for the others. So a table in the text of a statement has the system
// columns that the statement names of it, under names of ours, which no other table
// has: NATURAL JOIN does not compare them, and a star leaves them out. The exception
// is a * over one table in the statement's own SELECT list, which clients of KalamDB
// know: it gives both columns, under their names.

// systemRef notes that n names a system column. Which table has it must be clear.
func (c *checker) systemRef(n tree.Node, cols []string) {
	column := systemColumnOf(cols[len(cols)-1])
	if column == 0 || len(cols) == 1 && c.meansResult(cols[0]) {
		return
	}
	it, several := c.sel.systemTable(cols, column)
	if several {
		c.refuse(
			n,
			kalam.CodeInvalidSQL,
			"Ambiguous reference to column name \"%s\": write the table before it, as in t.%s",
			cols[0],
			cols[0],
		)
	}
	if it != nil {
		it.tables[0].system.named |= column
		c.mark(n, systemMark, it.tables[0])
	}
}

// meansResult reports whether an unqualified name means a result of the SELECT.
func (c *checker) meansResult(name string) bool {
	switch c.in.results {
	case columnsFirst:
		return false
	case resultsOnly:
		return true
	case sortKey:
		if c.in.nesting > 0 {
			return false
		}
	case resultsFirst:
	}
	return c.sel != nil && c.sel.aliases[strings.ToLower(name)]
}

// systemTable returns the table that cols name a system column of; nil when it is no
// table's. several says that it could be of more than one.
func (s *selectScope) systemTable(cols []string, column systemColumn) (it *fromItem, several bool) {
	if len(cols) > 2 {
		if it, _, _ = s.tableOf(cols); it != nil {
			return it, false
		}
	}
	for ; s != nil; s = s.outer {
		found := 0
		for i := range s.items {
			item := &s.items[i]
			named := len(cols) > 1 && item.alias == strings.ToLower(cols[len(cols)-2])
			if named || len(cols) == 1 && (item.base || item.exports&column != 0) {
				it, found = item, found+1
			}
		}
		switch {
		case found > 1:
			return nil, len(cols) == 1
		case found == 1 && it.base:
			return it, false
		case found == 1:
			return nil, false // A column like any other, of a subquery.
		}
	}
	return nil, false
}

// exportsOf returns the system columns that a SELECT has among its results, under
// their names.
func (c *checker) exportsOf(n tree.Node) systemColumn {
	var out systemColumn
	for _, v := range tree.Elems(n, "select_list") {
		item, _ := v.(tree.Node)
		name := tree.Str(item, "alias")
		if cols := tree.Names(item, "column_names"); name == "" && tree.Str(item, "class") == "COLUMN_REF" {
			name = cols[len(cols)-1]
		}
		out |= systemColumnOf(name)
		if tree.Str(item, "class") == "STAR" {
			for i := range c.sel.items {
				out |= c.sel.items[i].exports
			}
		}
	}
	return out
}

// columnAliases returns the system columns that a reference has by the names that it
// gives its columns itself.
func columnAliases(n tree.Node) systemColumn {
	var out systemColumn
	for _, name := range tree.Names(n, "column_name_alias") {
		out |= systemColumnOf(name)
	}
	return out
}

// wholeRow notes that n, one name, may mean the row of a table.
func (c *checker) wholeRow(n tree.Node, name string) {
	for s := c.sel; s != nil; s = s.outer {
		for i := range s.items {
			if it := &s.items[i]; it.alias == name {
				if it.base {
					c.mark(n, rowMark, it.tables[0])
				}
				return
			}
		}
	}
}

// usingColumns refuses a system column in USING, where it has no name of its own.
func (c *checker) usingColumns(n tree.Node, items []fromItem) {
	var column systemColumn
	for _, name := range tree.Names(n, "using_columns") {
		column |= systemColumnOf(name)
	}
	for i := range items {
		if column != 0 && items[i].base {
			c.refuse(n, kalam.CodeUnsupported, "USING takes no system column of a table: write ON a._seq = b._seq")
		}
	}
}

// showSystem lets a star over one table in the SELECT list of q, the statement itself,
// give the system columns.
func (c *checker) showSystem(q tree.Node) {
	from := tree.Child(q, "from_table")
	if tree.Str(from, "type") == "SHOW_REF" && tree.Str(from, "show_type") == "DESCRIBE" {
		q = tree.Child(from, "query")
		from = tree.Child(q, "from_table")
	}
	use, isTable := from[tableMark].(*tableUse)
	if !isTable || tree.Str(q, "type") != "SELECT_NODE" || tree.Str(q, "aggregate_handling") != "STANDARD_HANDLING" ||
		!tree.IsEmpty(q["group_expressions"]) || !tree.IsEmpty(q["group_sets"]) || !tree.IsEmpty(q["having"]) {
		return
	}
	for _, v := range tree.Elems(q, "modifiers") {
		if m, _ := v.(tree.Node); tree.Str(m, "type") == "DISTINCT_MODIFIER" {
			return
		}
	}
	for _, v := range tree.Elems(q, "select_list") {
		if item, _ := v.(tree.Node); tree.IsPlainStar(item) {
			use.system.plain = true
		}
	}
}

// nameSystem gives the system columns below root the names that they have in the
// text, and takes them out of the stars that do not give them. Aliases are settled.
func (c *checker) nameSystem(root tree.Node) {
	c.eachMarked(root, systemMark, func(n tree.Node) {
		use, _ := n[systemMark].(*tableUse)
		delete(n, systemMark)
		cols := tree.Names(n, "column_names")
		if name, ok := use.system.visible(c.prefix, cols[len(cols)-1]); ok && !use.system.plain {
			cols[len(cols)-1] = name
			n["column_names"] = tree.Column(cols...)["column_names"]
		}
	})
	c.eachMarked(root, rowMark, func(n tree.Node) {
		use, _ := n[rowMark].(*tableUse)
		delete(n, rowMark)
		if use.system.plain || use.system.named != 0 {
			n["column_names"] = tree.Column(rowName(c.prefix, use.system.number))["column_names"]
			c.rows[use.system.number] = use.alias
		}
	})
	c.eachMarked(root, starMark, func(n tree.Node) {
		sel, _ := n[starMark].(*selectScope)
		delete(n, starMark)
		if sel != nil {
			sel.leaveOut(n, c.prefix)
		}
	})
}

// leaveOut takes the system columns of the scope's tables out of a star in it.
func (s *selectScope) leaveOut(n tree.Node, prefix string) {
	var out []string
	exported := systemColumn(0)
	for i := range s.items {
		it := &s.items[i]
		exported |= it.exports
		if it.base &&
			(tree.Str(n, "relation_name") == "" || strings.EqualFold(tree.Str(n, "relation_name"), it.tables[0].alias)) {
			if use := &it.tables[0].system; !use.plain || !tree.IsPlainStar(n) {
				out = append(out, use.shows(prefix)...)
			}
		}
	}
	excluded := make([]any, 0, len(out))
	for _, name := range tree.Names(n, "exclude_list") {
		if c := systemColumnOf(name); c == 0 || exported&c != 0 {
			excluded = append(excluded, name)
		}
	}
	for _, name := range out {
		excluded = append(excluded, name)
	}
	n["exclude_list"] = excluded
	var qualified []any
	for _, v := range tree.Elems(n, "qualified_exclude_list") {
		column, _ := v.(tree.Node)
		if it := s.named(tree.Str(column, "table")); it == nil || !it.base ||
			systemColumnOf(tree.Str(column, "column")) == 0 {
			qualified = append(qualified, v)
		}
	}
	n["qualified_exclude_list"] = append([]any{}, qualified...)
	if len(out) > 0 {
		excludeFromColumns(n, excluded)
	}
}

// named returns the item of the scope that columns are qualified with the name of.
func (s *selectScope) named(alias string) *fromItem {
	for i := range s.items {
		if strings.EqualFold(s.items[i].alias, alias) {
			return &s.items[i]
		}
	}
	return nil
}

// excludeFromColumns gives COLUMNS('pattern') a form that takes an EXCLUDE list: that
// of COLUMNS(lambda).
func excludeFromColumns(n tree.Node, excluded []any) {
	pattern := tree.Child(n, "expr")
	if pattern == nil {
		return
	}
	n["exclude_list"] = []any{}
	if tree.Str(pattern, "class") == "FUNCTION" { // Of a lambda: the star inside has its own list.
		return
	}
	star, _ := tree.Clone(n).(tree.Node)
	star["columns"], star["expr"], star["exclude_list"] = false, nil, excluded
	const name = "kalam_column"
	lambda := tree.Node{
		"class": "LAMBDA", "type": "LAMBDA", "alias": "", "lhs": tree.Column(name),
		"expr": tree.Call("regexp_matches", tree.Column(name), pattern),
	}
	n["expr"] = tree.Call("list_filter", star, lambda)
	n["relation_name"] = ""
}
