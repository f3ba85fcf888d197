package query

import "strings"

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
func (c *checker) qualify(root node) {
	for _, s := range c.scopes {
		s.separate()
	}
	eachMarked(root, scopeMark, func(n node) { // Aliases first: the names depend on them.
		sel, _ := n[scopeMark].(*selectScope)
		if it, at, _ := sel.wholeName(names(n, "column_names")); it != nil && sel.hides(at, it.tables[0].alias) {
			it.rename()
		}
	})
	eachMarked(root, scopeMark, func(n node) {
		sel, _ := n[scopeMark].(*selectScope)
		delete(n, scopeMark)
		if str(n, "class") == "STAR" {
			if it := sel.renamed(str(n, "relation_name")); it != nil {
				n["relation_name"] = it.tables[0].alias
			}
			return
		}
		cols := names(n, "column_names")
		it, _, parts := sel.wholeName(cols)
		if it == nil {
			it, parts = sel.renamed(cols[0]), 1
		}
		if it != nil {
			rest := columnRef(append([]string{it.tables[0].alias}, cols[parts:]...)...)
			n["column_names"] = rest["column_names"]
		}
	})
	eachMarked(root, tableMark, func(n node) {
		use, _ := n[tableMark].(*tableUse)
		delete(n, tableMark)
		n["alias"] = use.alias
	})
}

// eachMarked calls f for every node below v that has the field mark.
func eachMarked(v any, mark string, f func(node)) {
	switch v := v.(type) {
	case node:
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
func (it *fromItem) rename() { it.tables[0].alias = it.wholeName() }

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

// wholeName returns the nearest table whose whole name cols begins with, the scope
// that holds it, and how many of cols the name takes: at least two.
func (s *selectScope) wholeName(cols []string) (it *fromItem, at *selectScope, parts int) {
	for parts = len(cols) - 1; parts >= 2; parts-- {
		name := strings.Join(cols[:parts], ".")
		for at = s; at != nil; at = at.outer {
			for i := range at.items {
				if it := &at.items[i]; it.known() && strings.EqualFold(it.wholeName(), name) {
					return it, at, parts
				}
			}
		}
	}
	return nil, nil, 0
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
