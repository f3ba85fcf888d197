// Package memtable holds the versions of one scope in memory: those of the row
// log above the watermark, an index of their keys, and the Arrow batches that
// queries read of them.
//
// # Basics
//
// One writer appends versions with Add, takes the newest of them back with Undo,
// and shows them to readers with Publish. A reader copies Published under the
// lock by which its caller guards it, and reads that copy for as long as it likes:
// what it holds never changes. A Reading with it gives batches, of which the
// memtable caches those that many readers share.
//
// # Guarantees
//
//   - A copy of Published shows the same versions for ever.
//   - A version never moves: a pointer to it stays good.
//   - Batches are immutable; their records live as long as somebody retains them.
//
// # Caveats
//
// Only Published, IndexAt and Batches may be used beside the writer. References
// are counted: the memtable's cache goes with the last Release.
package memtable
