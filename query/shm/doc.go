// Package shm passes Arrow record batches between processes without copies: the one
// writes a batch into memory that has no name and cannot be changed any more, the other
// maps it and reads it in place.
//
// # Basics
//
// Write gives a file for a batch, which is sent to another process as a descriptor.
// There Map gives the batch back. The memory is free when the last file and the last
// mapping of it are closed.
//
// A Page is memory for one batch after the other, which the reader of each gives back: what
// a copy reads takes turns in a few of them, instead of new memory for every batch.
//
// # Guarantees
//
// A file is sealed: nobody who has it can change, shorten or extend it, so that a
// reader can neither see rows that change nor fault. Of a page the one who made it can, and
// does so only when the reader has given the batch before back. Values are those of the batch,
// with their types and metadata.
//
// # Caveats
//
// Linux only. A mapped batch must not be used after Close, nor may anything that was
// made of it without a copy.
package shm
