// Package spelling rewrites pieces of a query, on tokens, into what DuckDB's parser
// reads in the meaning of this dialect.
//
// # Basics
//
// A Watch is shown every token of a piece and says whether it needs a rewrite at
// all; most do not. Rewrite returns the edits: `name` becomes "name", a keyword that
// is a name gets quotes, LIMIT n, m becomes LIMIT m OFFSET n, the JSON operators of
// PostgreSQL get calls or brackets by PostgreSQL's precedence, and literals that
// DuckDB does not know are spelled in its way. The edits keep where each byte comes
// from.
//
// # Guarantees
//
// Pure functions without state. Time and memory are linear in the length of the
// piece. A piece that was rewritten needs no second rewrite.
package spelling
