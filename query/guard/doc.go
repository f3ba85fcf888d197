// Package guard decides what SQL of users may run. It parses a text with DuckDB's own
// parser, checks the tree against allow-lists and limits, and rewrites it, so that it can
// run over sources of ours. It runs nothing.
//
// # Basics
//
// Parser.Check gives a Query and its rewritten tree: every table has a name of ours,
// literals and placeholders beside expressions are Operands, whose types the caller finds
// out, and functions of ours are replaced. Parser.Written writes a tree as text and checks
// that text in turn. Parser.Expr, With and From check fragments of a query.
//
// # Guarantees
//
// Whatever is not listed is refused: each kind of node has a shape, the fields it may have,
// and functions, types and operators stand in lists. What DuckDB plans in more than linear
// time or memory without looking at interrupts has limits. A Query holds nothing of who
// runs it.
//
// # Caveats
//
// A tree that was checked is changed in place. Positions in errors are byte offsets in the
// text that was given.
package guard
