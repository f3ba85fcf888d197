// Package adopt rebuilds the record of a lake whose write buffer is gone, from the files in
// its storage. kalamd repair --adopt runs it.
//
// # Guarantees
//
//   - Nothing is removed from the storage; what cannot be read stays where it is and is
//     reported.
//   - The record of the lake is written last: an adoption that did not finish is begun anew
//     by the next one, and no server starts on it.
//   - A write buffer in which something is, is refused.
//
// # Caveats
//
// Rows that were only in the lost buffer are gone, and so are accounts. The report tells
// what else files cannot tell.
package adopt
