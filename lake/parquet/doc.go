// Package parquet reads and writes the Parquet files of segments.
//
// # Basics
//
// New takes an open file and the checksums by which its bytes are compared; Open reads the
// footer and compares it with the record of the segment. PlanFor finds the columns of one version
// of a table in the file, by their ids; ReadGroup and DecodeGroup give rows by position, Keys the
// key of every row. FileMetadata is what a file says of itself beside its rows: table, user,
// seqs, and the definition of the table. A Writer makes a file of few rows in memory; larger ones
// are made by a query engine, in the same form.
//
// # Guarantees
//
// Nothing is read or allocated by what an unchecked footer says. Damage gives a kalam.Error
// with CodeCorrupt that names the file, also where the decoder panics. Values that are returned
// share no memory with pages or groups. A File is safe for concurrent use once its footer was
// read; a Writer belongs to one goroutine.
package parquet
