// Package pair opens the two halves of a lake: the write buffer, and the storage that the
// manifests of the buffer name files of.
//
// # Basics
//
// Both halves hold the id of their lake: the buffer in a record, the storage in a mark.
// Open compares the two before it changes anything, because a server that sees half of a
// lake would take the other half's files for leftovers. Inspect does the same for a command
// that only looks. The Pair they return knows afterwards whether the buffer was restored
// from a backup that is older than the storage, and how much of their disks is left free.
//
// # Guarantees
//
//   - Halves that do not belong together are refused, and nothing is changed then.
//   - One server at a time has a pair open: both halves are locked.
//   - A buffer that is older than its storage is known as such in all later starts.
//
// # Caveats
//
// The pair does not close what others opened over it: close those first.
package pair
