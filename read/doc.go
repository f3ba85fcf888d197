// Package read runs SELECTs as a principal.
//
// # Basics
//
// A Caller is who reads, and what its request holds. Caller.Open analyses a text, asks package access for every table
// that it names, fixes a read point, or takes that of the open Transaction, builds what the query engine reads
// of each (segments, buffered batches, the transaction's own writes, computed tables, relations that the caller gives)
// and returns the running query, Rows. Statements, live queries and their conditions all read in this way and in no
// other.
//
// # Guarantees
//
//   - A query reads at one point: nothing that it reads is changed or removed until its Rows are closed.
//   - It reads of a table only the scope that package access grants, and no row that has expired.
//   - Rows are handed on only while the files that they come from are what was checked.
//
// # Caveats
//
// A Caller belongs to one goroutine. Whoever has one calls EndStatement after each statement and Release after the
// last.
package read
