// Package segments gives readers the files of segments: checked, and with the columns
// that a version of their table asks for.
//
// # Basics
//
// A Reader finds keys and reads rows of segments for the buffer; Files are the Parquet
// files that one query or one copy reads; Layouts tell where these files have the columns
// of a table. A query lends the files of its snapshot, reads them, and gives them back.
//
// # Guarantees
//
//   - A file is lent only after it was compared with the record; Files.Changed tells
//     whether it is still the same.
//   - A segment whose key index file is lost gets a new one, made from its rows.
//   - A segment that is found damaged is noted in Damage and logged once.
//   - Columns are told apart by their ids, never by their names.
//
// # Caveats
//
// The package keeps no file from being removed: a snapshot of package buffer does.
package segments
