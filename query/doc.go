// Package query runs SELECT statements in DuckDB over rows that others keep. It
// is the only package that links DuckDB, and it knows neither the write buffer
// nor the lake: a query's tables are given to it as Sources, Parquet files and
// Arrow batches.
//
// # Basics
//
// Analyse parses a text with DuckDB's own parser, checks it against an allow-list
// and rewrites it; the Plan names the tables. Query takes one Source per table and
// gives Rows, Arrow batches that are computed while they are read. CheckExpr checks
// a fragment that the caller will put into a larger text. CopyParquet writes batches
// as a Parquet file. LiveQuery and Filter turn the text of a live query into what
// package subscribe evaluates by itself.
//
// # Guarantees
//
// Text of users never reaches DuckDB. What runs is the syntax tree that passed the
// guard, written as text by DuckDB, parsed and checked once more, with every table
// replaced by a subquery of ours over the statement's own sources. Parameters, the
// user's name and role, NOW() and file names are bound, never written.
//
// Plans and prepared statements hold nothing of who ran them, so users share
// them; but a PIVOT without a list finds its values before each run, and the text that
// has them serves that run alone. The scan function gives a statement the sources that were registered for
// its connection and nothing else; there is no handle that could be guessed. The
// instance that runs user SQL can open files below Options.LakeDirs only, its
// settings are locked, and COPY runs in another instance.
//
// Rows come in the order of a source's files and batches unless the query orders
// them. After Rows.Close nothing of the sources is referenced. A context that ends
// interrupts its query within milliseconds, while DuckDB executes; what it plans
// cannot be interrupted, so the guard bounds what takes it long to plan.
//
// # Caveats
//
// Options.MemoryLimit holds for what DuckDB accounts for: hash tables, sorts,
// results. Values that are large by themselves are not accounted for; the guard
// refuses the functions that make them out of small ones, and the rest is for the
// operating system's limits.
//
// The build needs cgo and the tag duckdb_arrow.
package query
