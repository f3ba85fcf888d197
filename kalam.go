// Package kalam holds the words of the system: identifiers, data types,
// values, tables, rows, changes, principals, jobs and errors, and the rules
// that are true of them everywhere.
//
// It imports the standard library only and builds for js/wasm, so that the
// server, the client library and the shell share one vocabulary. It does no
// I/O and starts no goroutine; every type is a plain value.
package kalam

// Names of the columns that every table has beside its own.
const (
	ColumnSeq     = "_seq"     // BIGINT: the Seq of the row version.
	ColumnDeleted = "_deleted" // BOOLEAN: true for a tombstone.
	ColumnUpdated = "_updated" // TIMESTAMP: time of the last change, derived from _seq; only by name.
)

// Field ids of the system columns in Parquet files, beside those of the table's columns. They are below the ids that
// Apache Iceberg reserves, and far above any ColumnID. Files of early versions have none.
const (
	FieldIDSeq     ColumnID = 2147483000
	FieldIDDeleted ColumnID = 2147483001
)

// DefaultNamespace is the namespace of unqualified names.
const DefaultNamespace NamespaceID = "default"
