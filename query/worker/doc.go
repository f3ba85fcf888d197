// Package worker is DuckDB. It is the only package that links it.
//
// # Basics
//
// Open gives a query.Executor that runs DuckDB in this process.
//
// # Guarantees
//
// The instance that runs user SQL can open files below Options.LakeDirs only, its
// settings are locked, and COPY runs in another instance. The scan function gives a
// statement the inputs that were registered for its connection and nothing else; there
// is no handle that could be guessed.
//
// A context that ends interrupts its statement within milliseconds, while DuckDB
// executes; inside one call of a function, and while it plans, DuckDB cannot be
// interrupted.
//
// # Caveats
//
// Options.MemoryLimit holds for what DuckDB accounts for: hash tables, sorts,
// results. Values that are large by themselves are not accounted for.
//
// The build needs cgo and the tag duckdb_arrow.
package worker
