// Package rowlog holds the bytes that the write buffer keeps in its backend:
// the names of its keyspaces, their keys, the blocks of the row log, and the
// records of the clock and of counters. docs/architecture/buffer-format.md
// describes them; the tests hold them to it.
//
// # Basics
//
// ScopePrefix, BlockKey and the like build keys, the Split functions read them.
// A BlockWriter turns the versions that one request commits to one scope into
// blocks; DecodeBlock reads a block back. Encode and Decode functions are of the
// small records.
//
// # Guarantees
//
//   - No scope's keys lie in the range of another scope's prefix.
//   - Keys of a scope are in the order of their seqs.
//   - Every value carries a checksum: what does not fit it is kalam.CodeCorrupt,
//     whatever the bytes are.
package rowlog
