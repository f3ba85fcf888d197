package guard

import (
	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query/tree"
)

// Limits of what DuckDB plans in more than linear time, or memory, without
// looking at interrupts.
const (
	maxRelations  = 150 // Tables, subqueries and set operations.
	maxWidth      = 256 // How often * may repeat a table's columns.
	maxSubqueries = 12  // Nesting of subqueries in expressions: each level doubles the work.
	maxGroupSets  = 1024
	maxNesting    = 200 // Of an expression; the work grows with its cube.
)

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

// maxLambdas and maxMacros bound how deep lambdas, and macros that use an
// argument twice, may be nested: DuckDB's work doubles with each level.
const (
	maxLambdas = 6
	maxMacros  = 8
)
