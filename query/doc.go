// Package query runs SELECT statements in DuckDB over rows that others keep. It knows
// neither DuckDB's API nor the write buffer nor the lake: an Executor runs DuckDB, and a
// query's tables are given to it as Sources, Parquet files and Arrow batches.
//
// # Basics
//
// Analyse has package guard parse, check and rewrite a text; the Plan names the tables.
// Query takes one Source per table, composes the text that reads them, and gives Rows,
// Arrow batches. CheckExpr checks a fragment that the caller will put into a larger text.
// CopyParquet writes batches as a Parquet file. LiveQuery and Filter turn the text of a
// live query into what package subscribe evaluates by itself, see package filter.
//
// # Guarantees
//
// Text of users is never executed. What runs is the syntax tree that passed the guard,
// written as text by DuckDB, parsed and checked once more, with every table replaced by
// a subquery of ours over the statement's own sources. Parameters, the user's name and
// role, NOW() and file names are bound, never written.
//
// Plans and prepared statements hold nothing of who ran them, so users share
// them; but a PIVOT without a list finds its values before each run, and the text that
// has them serves that run alone.
//
// Rows come in the order of a source's files and batches unless the query orders
// them. After Rows.Close nothing of the sources is referenced.
package query
