package guard

// Limits of what is parsed: DuckDB's parser and our walk recurse.
const (
	maxSQL   = 1 << 20 // Bytes of a statement.
	maxNodes = 200_000 // Nodes of its tree.
	maxDepth = 2_500   // Nesting of its tree: an expression takes two or three levels.
	// Limits of what takes DuckDB's parser more than linear time, during which it
	// cannot be interrupted, and our walk up to a second.
	maxLexemes   = 40_000
	maxJunctions = 2_000  // AND and OR.
	maxQuotes    = 50_000 // Quotes inside strings.
	maxParts     = 200    // Dots of one name.
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

// maxLambdas and maxMacros bound how deep lambdas, and macros that use an
// argument twice, may be nested: DuckDB's work doubles with each level.
const (
	maxLambdas = 6
	maxMacros  = 8
)
