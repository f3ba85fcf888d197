// Package pool runs DuckDB in worker processes: query.isolation = "process". What a user
// sends can neither hold nor fill nor break the server.
//
// # Basics
//
// Open gives a query.Executor. It starts this program again as a query worker, which runs
// one call at a time: the parsing of a text, or a statement. The results of statements are
// kept here until their readers take them, so that a worker waits for nobody.
//
// # Guarantees
//
// A call ends with its context: it is interrupted, and its worker killed if that does not
// help soon. So is a worker that holds more memory than one may, and the largest one when
// all together hold more than Options.MemoryLimit. A worker that dies costs its call a
// CodeUnavailable and nobody else anything.
//
// Users take turns, and none holds all places. A statement that outlives its slice goes on
// with less priority and leaves its place to others; there is a bounded number of such
// statements that run, the others stand still until it is their turn.
//
// A worker opens nothing but what is in its own temporary directory, as far as the kernel
// has sandboxes: the files of its statement are lent to it, open. Only the one that writes
// files of the lake can open the lake, and no user's SQL reaches it.
//
// # Caveats
//
// Linux only.
package pool
