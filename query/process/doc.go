// Package process starts this program again as a helper process, talks to it over a
// socket, and ends it whatever it does. It knows nothing of what the helper computes.
//
// # Basics
//
// A Starter starts Processes. Each has one end of a socket pair, over which a Conn
// sends and receives frames, with open files if need be; the helper finds its end as
// descriptor 3 (Inherited). The parent reads how much memory a helper holds, limits
// it, lowers its priority and kills it.
//
// # Guarantees
//
// A helper ends with its parent, also when that is killed. Kill ends a helper within
// milliseconds, also in the middle of a system call. Ended is closed when the process
// is gone and its memory is free. Frames are whole or not there; their length is
// bounded, so that a helper that is taken over cannot make the parent allocate without
// bounds.
//
// # Caveats
//
// Linux only: the other platforms run queries in the server's own process.
package process
