// Command kalam-bench loads chat messages into a running kalamd and measures
// it. It is a client like any other: everything goes over HTTP and WebSocket.
//
//	kalam-bench load --url URL --data chat.ndjson.gz   each message as its own user
//	kalam-bench measure --dir DIR                      every budget beside its raw reference
//
// The data is one JSON object a line: user_id, conversation_id, id, role,
// content and created_at (RFC 3339).
package main
