// Package wire is what a server and its query workers say to each other: the kinds of
// frames of package process, and how statements, values and errors stand in them.
//
// A call is one frame of the server, preceded by the batches that it needs, and ends
// with an Answer, an End or a Failure of the worker. There is one call at a time on a
// connection. Both sides are the same program, so the encoding has no versions.
package wire
