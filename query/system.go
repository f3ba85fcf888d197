package query

import (
	"strconv"
	"strings"

	"github.com/kalamlake/kalam"
)

// The system columns of a table, _seq and _deleted, are there when they are named,
// and * stands for the others. So a table in the text of a statement has the system
// columns that the statement names of it, under names of ours, which no other table
// has: NATURAL JOIN does not compare them, and a star leaves them out. The exception
// is a * over one table in the statement's own SELECT list, which clients of KalamDB
// know: it gives both columns, under their names.

// systemColumn is one of the system columns that tables store; a set of them is a sum.
type systemColumn uint8

const (
	seqColumn systemColumn = 1 << iota
	deletedColumn
)

// systemNames are the names of the system columns, in their order.
var systemNames = [...]string{kalam.ColumnSeq, kalam.ColumnDeleted}

// systemColumnOf returns the system column of a name, 0 if it is none.
func systemColumnOf(name string) systemColumn {
	for i, n := range systemNames {
		if strings.EqualFold(n, name) {
			return 1 << i
		}
	}
	return 0
}

// Fields of nodes that hold what finish needs for system columns, which removes them.
const (
	systemMark = "kalam_system" // Of a system column: the *tableUse that it is of.
	starMark   = "kalam_star"   // Of a star: the *selectScope that it stands in.
	rowMark    = "kalam_row"    // Of a name that may mean a whole row: the *tableUse.
)

// systemUse is what a statement wants of the system columns of one table.
type systemUse struct {
	number int          // Of the table: its place among those of the statement.
	named  systemColumn // Those that it names.
	plain  bool         // A star gives both, under their own names.
}

// visible returns the name of a column of the table in the statement's text; ok is
// false when it is not there.
func (u *systemUse) visible(prefix, column string) (name string, ok bool) {
	c := systemColumnOf(column)
	switch {
	case c == 0 || u == nil || u.plain:
		return column, true
	case u.named&c == 0:
		return "", false
	}
	return systemName(prefix, u.number, c), true
}

// shows returns the names of the system columns that the table has in the text.
func (u *systemUse) shows(prefix string) []string {
	var out []string
	for _, column := range systemNames {
		if name, ok := u.visible(prefix, column); ok {
			out = append(out, name)
		}
	}
	return out
}

// systemName is the name that a system column of table i has in the text.
func systemName(prefix string, i int, c systemColumn) string {
	kind := "seq_"
	if c == deletedColumn {
		kind = "deleted_"
	}
	return prefix + kind + strconv.Itoa(i) + "_"
}

// rowName is the name that stands in the text for a whole row of table i.
func rowName(prefix string, i int) string { return prefix + "row_" + strconv.Itoa(i) + "_" }

// systemRef notes that n names a system column. Which table has it must be clear.
func (c *checker) systemRef(n node, cols []string) {
	column := systemColumnOf(cols[len(cols)-1])
	if column == 0 || len(cols) == 1 && c.meansResult(cols[0]) {
		return
	}
	it, several := c.sel.systemTable(cols, column)
	if several {
		c.refuse(n, kalam.CodeInvalidSQL, "Ambiguous reference to column name \"%s\": write the table before it, as in t.%s", cols[0], cols[0])
	}
	if it != nil {
		it.tables[0].system.named |= column
		c.mark(n, systemMark, it.tables[0])
	}
}

// aliasRule says where a name means a result of the SELECT before a column of a table.
type aliasRule uint8

const (
	columnsFirst aliasRule = iota
	sortKey                // A whole key of ORDER BY.
	resultsFirst           // HAVING and QUALIFY, outside aggregates.
	resultsOnly            // ORDER BY of a set operation.
)

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
func (c *checker) exportsOf(n node) systemColumn {
	var out systemColumn
	for _, v := range elems(n, "select_list") {
		item, _ := v.(node)
		name := str(item, "alias")
		if cols := names(item, "column_names"); name == "" && str(item, "class") == "COLUMN_REF" {
			name = cols[len(cols)-1]
		}
		out |= systemColumnOf(name)
		if str(item, "class") == "STAR" {
			for i := range c.sel.items {
				out |= c.sel.items[i].exports
			}
		}
	}
	return out
}

// columnAliases returns the system columns that a reference has by the names that it
// gives its columns itself.
func columnAliases(n node) systemColumn {
	var out systemColumn
	for _, name := range names(n, "column_name_alias") {
		out |= systemColumnOf(name)
	}
	return out
}

// wholeRow notes that n, one name, may mean the row of a table.
func (c *checker) wholeRow(n node, name string) {
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
func (c *checker) usingColumns(n node, items []fromItem) {
	var column systemColumn
	for _, name := range names(n, "using_columns") {
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
func (c *checker) showSystem(q node) {
	from := child(q, "from_table")
	if str(from, "type") == "SHOW_REF" && str(from, "show_type") == "DESCRIBE" {
		q = child(from, "query")
		from = child(q, "from_table")
	}
	use, isTable := from[tableMark].(*tableUse)
	if !isTable || str(q, "type") != "SELECT_NODE" || str(q, "aggregate_handling") != "STANDARD_HANDLING" ||
		!isEmpty(q["group_expressions"]) || !isEmpty(q["group_sets"]) || !isEmpty(q["having"]) {
		return
	}
	for _, v := range elems(q, "modifiers") {
		if m, _ := v.(node); str(m, "type") == "DISTINCT_MODIFIER" {
			return
		}
	}
	for _, v := range elems(q, "select_list") {
		if item, _ := v.(node); isPlainStar(item) {
			use.system.plain = true
		}
	}
}

// nameSystem gives the system columns below root the names that they have in the
// text, and takes them out of the stars that do not give them. Aliases are settled.
func (c *checker) nameSystem(root node) {
	c.eachMarked(root, systemMark, func(n node) {
		use, _ := n[systemMark].(*tableUse)
		delete(n, systemMark)
		cols := names(n, "column_names")
		if name, ok := use.system.visible(c.prefix, cols[len(cols)-1]); ok && !use.system.plain {
			cols[len(cols)-1] = name
			n["column_names"] = columnRef(cols...)["column_names"]
		}
	})
	c.eachMarked(root, rowMark, func(n node) {
		use, _ := n[rowMark].(*tableUse)
		delete(n, rowMark)
		if use.system.plain || use.system.named != 0 {
			n["column_names"] = columnRef(rowName(c.prefix, use.system.number))["column_names"]
			c.rows[use.system.number] = use.alias
		}
	})
	c.eachMarked(root, starMark, func(n node) {
		sel, _ := n[starMark].(*selectScope)
		delete(n, starMark)
		if sel != nil {
			sel.leaveOut(n, c.prefix)
		}
	})
}

// leaveOut takes the system columns of the scope's tables out of a star in it.
func (s *selectScope) leaveOut(n node, prefix string) {
	var out []string
	exported := systemColumn(0)
	for i := range s.items {
		it := &s.items[i]
		exported |= it.exports
		if it.base && (str(n, "relation_name") == "" || strings.EqualFold(str(n, "relation_name"), it.tables[0].alias)) {
			if use := &it.tables[0].system; !use.plain || !isPlainStar(n) {
				out = append(out, use.shows(prefix)...)
			}
		}
	}
	excluded := make([]any, 0, len(out))
	for _, name := range names(n, "exclude_list") {
		if c := systemColumnOf(name); c == 0 || exported&c != 0 {
			excluded = append(excluded, name)
		}
	}
	for _, name := range out {
		excluded = append(excluded, name)
	}
	n["exclude_list"] = excluded
	var qualified []any
	for _, v := range elems(n, "qualified_exclude_list") {
		column, _ := v.(node)
		if it := s.named(str(column, "table")); it == nil || !it.base || systemColumnOf(str(column, "column")) == 0 {
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
func excludeFromColumns(n node, excluded []any) {
	pattern := child(n, "expr")
	if pattern == nil {
		return
	}
	n["exclude_list"] = []any{}
	if str(pattern, "class") == "FUNCTION" { // Of a lambda: the star inside has its own list.
		return
	}
	star, _ := clone(n).(node)
	star["columns"], star["expr"], star["exclude_list"] = false, nil, excluded
	const name = "kalam_column"
	lambda := node{
		"class": "LAMBDA", "type": "LAMBDA", "alias": "", "lhs": columnRef(name),
		"expr": call("regexp_matches", columnRef(name), pattern),
	}
	n["expr"] = call("list_filter", star, lambda)
	n["relation_name"] = ""
}
