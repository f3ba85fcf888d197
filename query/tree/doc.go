// Package tree is the syntax tree of a query as DuckDB's parser gives it and takes it
// back: JSON, decoded into maps and lists.
//
// # Basics
//
// Decode and Encode read and write it. Str, Child, Elems, Names, Int, Text and Offset read
// fields; Column, Call, Cast and others make nodes. FieldOrder is the order of the fields
// of nodes in the text.
//
// # Guarantees
//
// Numbers keep every digit. Reading a field that is missing, or of another type, gives the
// zero value, so that a walk needs no checks of its own.
package tree
