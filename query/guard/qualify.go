package guard

import (
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query/tree"
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
