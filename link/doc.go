// Package link is the client library of kalam: SQL over HTTP and live queries
// over a WebSocket. It needs no server code, terminal, file system or operating
// system, and builds for js/wasm.
//
// # Basics
//
//	client, err := link.New(link.Options{
//		URL:  "http://localhost:8080",
//		Auth: link.Password("alice", "secret"),
//	})
//	if err != nil { ... }
//	defer client.Close()
//	res, err := client.Query(ctx, "SELECT id, body FROM app.notes WHERE id > $1", int64(10))
//
// A Response holds one Result per statement. Cells stay in the JSON of the wire,
// so BIGINT and DECIMAL keep every digit; Result.Text gives their readable form.
// Subscribe opens a live query whose Events channel yields the initial rows and
// then every change; SubscribeOptions.Params are the values of its $1 to $n.
//
// Rows become Go values by their columns' names:
//
//	type Note struct {
//		ID   int64
//		Body *string // NULL is nil.
//	}
//	notes, err := link.Select[Note](ctx, client, "SELECT id, body FROM app.notes WHERE id > $1", int64(10))
//
// Collect and Each do it with a Result, ScanRow with the rows of events. NewLiveRows keeps the current result of a live
// query. Transaction runs statements that take effect together or not at all.
//
// # Guarantees
//
//   - A Client is safe for concurrent use. HTTP connections are pooled and reused;
//     all subscriptions of a Client share one WebSocket.
//   - An error is an *Error with a Kind, and wraps its cause. No answer of a server,
//     however malformed, panics.
//   - A statement is sent again only if it never left this side, or only reads, or
//     was refused for an expired token, which is renewed once.
//   - A Subscription loses and doubles no event across reconnects: it resumes from
//     the last seq it handed over. A reader that is slower than the changes holds
//     up nobody: beyond BufferSize events the subscription pauses on the server and
//     resumes when the reader has caught up.
//   - Close waits for every goroutine that the Client started.
//
// # Caveats
//
//   - After a resume the rows that changed meanwhile come as initial rows, each
//     once in its newest version, and deletions as deletions; single steps in
//     between are not repeated.
//   - In a browser the WebSocket carries no headers, so live queries need a JWT or a
//     password there, and redirects are refused.
package link
