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
	dropped     bool // A filter on it names deleted_at.
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

// width returns what * stands for.
func (s *selectScope) width() int {
	n := 0
	for _, it := range s.items {
		n += it.width
	}
	return n
}

// known reports whether it is a table that columns are qualified with the name of.
func (it *fromItem) known() bool { return it.base && !it.tables[0].named }

// wholeName is the name of the item's table as written. In a text that the caller
// composed, a first part that begins with '_' only says where the rows come from.
func (it *fromItem) wholeName() string {
	parts := it.tables[0].parts
	if len(parts) > 1 && strings.HasPrefix(parts[0], "_") {
		parts = parts[1:]
	}
	return strings.Join(parts, ".")
}

// rename makes the whole name of the item's table its alias.
func (it *fromItem) rename() {
	use := it.tables[0]
	if use.alias = it.wholeName(); use.namespace != "" {
		use.alias = use.namespace + "." + use.alias
	}
}

// plainAlias makes the alias one that may stand before a star: DuckDB writes it
// there without quotes.
func (it *fromItem) plainAlias() {
	it.tables[0].alias = strings.ReplaceAll(it.tables[0].alias, ".", "_")
}

// separate renames the tables of one FROM that have one name and are different.
func (s *selectScope) separate() {
	byName := map[string]string{}
	several := map[string]bool{}
	for i := range s.items {
		it := &s.items[i]
		if !it.known() {
			continue
		}
		if other, ok := byName[it.alias]; ok && other != it.wholeName() {
			several[it.alias] = true
		}
		byName[it.alias] = it.wholeName()
	}
	for i := range s.items {
		if it := &s.items[i]; it.known() && several[it.alias] {
			it.rename()
		}
	}
}

// tableOf returns the nearest table whose whole name cols begins with, the scope
// that holds it, and how many of cols the name takes: at least two. A table that is
// written without a namespace is the one of cols, unless there is a better one; its
// use says so.
func (s *selectScope) tableOf(cols []string) (it *fromItem, at *selectScope, parts int) {
	for parts = len(cols) - 1; parts >= 2; parts-- {
		name := strings.Join(cols[:parts], ".")
		if it, at = s.find(func(it *fromItem) bool { return strings.EqualFold(it.wholeName(), name) }); it != nil {
			return it, at, parts
		}
	}
	if len(cols) < 3 {
		return nil, nil, 0
	}
	it, at = s.find(func(it *fromItem) bool {
		use := it.tables[0]
		return len(use.parts) == 1 && strings.EqualFold(use.parts[0], cols[1]) &&
			(use.namespace == "" || use.namespace == cols[0])
	})
	if it != nil {
		it.tables[0].namespace = cols[0]
	}
	return it, at, 2
}

// find returns the first table of the nearest scope for which is holds.
func (s *selectScope) find(is func(*fromItem) bool) (*fromItem, *selectScope) {
	for ; s != nil; s = s.outer {
		for i := range s.items {
			if it := &s.items[i]; it.known() && is(it) {
				return it, s
			}
		}
	}
	return nil, nil
}

// hides reports whether an alias of the scope at, seen from s, means an item of a
// nearer scope.
func (s *selectScope) hides(at *selectScope, alias string) bool {
	for ; s != at; s = s.outer {
		for _, it := range s.items {
			if strings.EqualFold(it.alias, alias) {
				return true
			}
		}
	}
	return false
}

// renamed returns the item that name means, if that is a table with another alias
// by now: the only one of the nearest scope that has any.
func (s *selectScope) renamed(name string) *fromItem {
	for ; s != nil; s = s.outer {
		var found *fromItem
		for i := range s.items {
			if it := &s.items[i]; strings.EqualFold(it.alias, name) {
				if found != nil {
					return nil
				}
				found = it
			}
		}
		if found != nil {
			if found.known() && !strings.EqualFold(found.tables[0].alias, name) {
				return found
			}
			return nil
		}
	}
	return nil
}

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

// aliasRule says where a name means a result of the SELECT before a column of a table.
type aliasRule uint8

const (
	columnsFirst aliasRule = iota
	sortKey                // A whole key of ORDER BY.
	resultsFirst           // HAVING and QUALIFY, outside aggregates.
	resultsOnly            // ORDER BY of a set operation.
)

// same reports whether two trees are equal but for where they stand in the text.
func same(a, b any) bool {
	switch a := a.(type) {
	case tree.Node:
		b, ok := b.(tree.Node)
		return ok && sameFields(a, b)
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !same(a[i], b[i]) {
				return false
			}
		}
		return true
	}
	return a == b
}

func sameFields(a, b tree.Node) bool {
	isPlace := func(key string) bool { return key == "query_location" || key == scopeMark || key == starMark }
	fields := 0
	for k, x := range a {
		if isPlace(k) {
			continue
		}
		fields++
		if y, ok := b[k]; !ok || !same(x, y) {
			return false
		}
	}
	for k := range b {
		if !isPlace(k) {
			fields--
		}
	}
	return fields == 0
}

// Fields of nodes that hold what a name means until all of the statement is
// known: clones of a node keep them. qualify removes them.
const (
	scopeMark = "kalam_scope" // Of a qualified column or star: the *selectScope it stands in.
	tableMark = "kalam_table" // Of a table reference: its *tableUse.
)

// Fields of nodes that hold what finish needs for system columns, which removes them.
const (
	systemMark = "kalam_system" // Of a system column: the *tableUse that it is of.
	starMark   = "kalam_star"   // Of a star: the *selectScope that it stands in.
	rowMark    = "kalam_row"    // Of a name that may mean a whole row: the *tableUse.
)
