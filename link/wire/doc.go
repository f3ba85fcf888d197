// Package wire holds the messages that kalamd and its clients exchange: the
// JSON bodies of the HTTP endpoints and the frames of the WebSocket. The server
// (package api) and the client library (package link) share it, so that both
// sides of the wire are one text.
//
// It imports the root package and the standard library only and builds for
// js/wasm. Every type is plain data. docs/architecture/wire-protocol.md
// describes the exchange; field names and texts are those of KalamDB 0.4.
package wire
