// Package api is the HTTP and WebSocket server of kalam. It is thin: it turns
// requests into calls of package engine and results into the wire format, which
// docs/architecture/wire-protocol.md describes, and holds no data of its own.
//
// # Basics
//
// New makes a Server over an open engine; Serve answers one listener until its
// context ends, then stops in order. POST /v1/api/sql streams: the statement runs
// as a coroutine that hands over a piece of the document whenever 64 KiB are
// ready, so a slow reader slows the query and memory stays bounded whatever the
// size of the result. A document that fits into one piece is sent with its length
// and the status of its outcome.
//
// # Guarantees
//
//   - A request acts as the user its token names, and only while that user exists,
//     has the role the token claims, and has not ended the token by a change of
//     password or role or by a logout. This is checked at every request, and for a
//     WebSocket at every heartbeat.
//   - A result that fails after its first piece was sent ends as a document that
//     is no valid JSON, and the connection is cut: never a short valid success.
//   - A client that goes away cancels its statement.
//   - Users read the messages of *kalam.Error and nothing else. Any other error is
//     logged under a random id, which is all that users see of it.
//   - Request bodies, queues of live events and the tables of the rate limits are
//     bounded.
//
// # Caveats
//
// TLS and HTTP/2 are a reverse proxy's work. A half-closed connection counts as a
// client that went away. The address of a request is its peer's, or, when the peer
// is on this machine, the last one of X-Forwarded-For; a request that carries a
// forwarding header is never treated as coming from this machine.
package api
