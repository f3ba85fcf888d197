// Package engine executes statements. It is the only package that knows the
// buffer, the lake, the query layer, live queries and jobs together, and it
// wires each of them to the small interfaces the others state.
//
// A request goes through Execute: its text is split and parsed by package
// dialect, permissions come from package access, rows are read by package
// query out of one snapshot of package buffer, and written through the buffer's
// committer. Between statements the engine holds no state of a request; every
// committed change passes the one hook that feeds live queries.
//
// # Guarantees
//
//   - A statement of BEGIN ... COMMIT reads one snapshot plus its own writes and
//     commits with the others or not at all; any other statement commits alone.
//   - A statement that fails has changed nothing.
//   - A start compares the write buffer with the storage before it changes either, and
//     refuses halves that do not belong together. No file is removed while it is not
//     known that nothing needs it, and orphans go to a trash first.
//   - Rows of a USER or STREAM table are reached only through the scope of the
//     principal's user. There is no unscoped read.
package engine
