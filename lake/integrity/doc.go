// Package integrity tells whole files from damaged ones.
//
// Blocks are the checksums of the blocks of a file: they are made when it is written, kept
// in its key index file, and compared with what is read. A Watch notices that an open file
// is changed or replaced, an Identity that a local one was. What is found is an error with
// CodeCorrupt that names the file.
//
// Checksums are CRC-32C. Blocks may be used by several goroutines; a Watch, too, once it
// has begun.
package integrity
