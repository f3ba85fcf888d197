// Package engine opens, connects and closes the parts of a server over one data directory.
// It is the only package that knows all of them, and it decides nothing: statements are
// package session, live queries package live, jobs and what keeps the data in order package
// maintain, and both halves of the lake are opened by maintain/pair.
//
// # Guarantees
//
//   - A start compares the write buffer with the storage before it changes either, and
//     refuses halves that do not belong together.
//   - The parts are closed in the reverse order of their opening, after an error too.
//   - Every write goes through the backend, the storage and the copier that Options.Wrap
//     may wrap.
package engine
