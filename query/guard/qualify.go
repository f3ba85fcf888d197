package guard

import (
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query/tree"
)

// Fields of nodes that hold what a name means until all of the statement is
// known: clones of a node keep them. qualify removes them.
const (
	scopeMark = "kalam_scope" // Of a qualified column or star: the *selectScope it stands in.
	tableMark = "kalam_table" // Of a table reference: its *tableUse.
)

// qualify makes qualified names mean what they mean in the user's text, where a
// table is known by its whole name too: columns get the alias that their table
// has now. Tables of one name in different namespaces get different aliases where
// one alias would mean the wrong one.
func (c *checker) qualify(root tree.Node) {
	for _, s := range c.scopes {
		s.separate()
	}
	c.eachMarked(root, scopeMark, func(n tree.Node) { // Aliases first: the names depend on them.
		sel, _ := n[scopeMark].(*selectScope)
		if it, at, _ := sel.tableOf(qualifiedName(n)); it != nil && sel.hides(at, it.tables[0].alias) {
			it.rename()
		}
	})
	c.eachMarked(root, scopeMark, func(n tree.Node) {
		if it, _ := meaning(n); it != nil && isStar(n) {
			it.plainAlias()
		}
	})
	c.eachMarked(root, scopeMark, c.applyAlias)
	c.eachMarked(root, tableMark, func(n tree.Node) {
		use, _ := n[tableMark].(*tableUse)
		delete(n, tableMark)
		n["alias"] = use.alias
	})
}

// applyAlias writes a qualified name with the alias of its table.
func (c *checker) applyAlias(n tree.Node) {
	it, parts := meaning(n)
	delete(n, scopeMark)
	switch name := qualifiedName(n); {
	case it == nil && isStar(n) && len(name) > 2:
		c.refuse(n, kalam.CodeInvalidSQL, "Referenced table \"%s\" not found!", tree.Str(n, "relation_name"))
	case it == nil:
	case isStar(n):
		n["relation_name"] = it.tables[0].alias
	default:
		n["column_names"] = tree.Column(append([]string{it.tables[0].alias}, name[parts:]...)...)["column_names"]
	}
}

// meaning returns the table that a marked name means, if its whole name or an alias
// that has changed says so, and how many parts of the name that takes.
func meaning(n tree.Node) (it *fromItem, parts int) {
	sel, _ := n[scopeMark].(*selectScope)
	name := qualifiedName(n)
	if it, _, parts = sel.tableOf(name); it == nil && (len(name) == 2 || !isStar(n)) {
		it, parts = sel.renamed(name[0]), 1
	}
	return it, parts
}

func isStar(n tree.Node) bool { return tree.Str(n, "class") == "STAR" }

// qualifiedName returns the parts of the name of a column, or of ns.t.*: the grammar
// has one part before a star, so that package dialect writes ns.t as one.
func qualifiedName(n tree.Node) []string {
	if isStar(n) {
		return append(strings.Split(tree.Str(n, "relation_name"), "."), "*")
	}
	return tree.Names(n, "column_names")
}

// mark sets the field mark of n, for eachMarked.
func (c *checker) mark(n tree.Node, mark string, v any) {
	n[mark] = v
	c.marks[mark] = true
}

// eachMarked calls f for every node below root that has the field mark, which mark has
// set. It spares the walk where there is none.
func (c *checker) eachMarked(root tree.Node, mark string, f func(tree.Node)) {
	if c.marks[mark] {
		eachMarked(root, mark, f)
	}
}

// eachMarked calls f for every node below v that has the field mark.
func eachMarked(v any, mark string, f func(tree.Node)) {
	switch v := v.(type) {
	case tree.Node:
		for _, x := range v {
			eachMarked(x, mark, f)
		}
		if _, ok := v[mark]; ok {
			f(v)
		}
	case []any:
		for _, x := range v {
			eachMarked(x, mark, f)
		}
	}
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
