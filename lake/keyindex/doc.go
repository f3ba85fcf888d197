// Package keyindex reads and writes key index files: beside each segment one, which says in
// which row a key lies.
//
// # Basics
//
// Write makes a file of Contents: the keys, sorted by Prepare or encoded by a Stream while the
// rows were written, and the checksums of the blocks of the Parquet file. Open reads the index
// of such a file; Locate finds keys, each by one read of one block, and Each visits all of them.
//
// # Guarantees
//
// A file is never changed once it is written. Bytes are used only after their checksum
// was verified, and a file that belongs to another segment is refused. Damage gives a
// kalam.Error with CodeCorrupt that names the file. A File is safe for concurrent use.
//
// The bytes are described in docs/architecture/lake-format.md.
package keyindex
