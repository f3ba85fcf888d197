// Package systables holds the tables that the server computes: system.* and information_schema.*.
//
// # Basics
//
// A Table is a definition and a function that gives its rows now; everything else of a query over it is that of any
// other table. Who owns data makes its tables, and NewRegistry takes those of all owners: a further table is an entry
// of one list and its function, in one file.
//
// # Guarantees
//
//   - A closed table is read by admins alone; package access sees to it.
//   - An open table gives a Viewer nothing that this principal may not know.
package systables
