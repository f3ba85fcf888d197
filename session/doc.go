// Package session executes statements for principals.
//
// # Basics
//
// Server.Open gives a Session, which lives as long as its connection and has settings, prepared statements (Stmt) and
// a transaction. Server.Execute is a session for one request: one or more statements, their parameters and a default
// namespace. Package dialect splits and parses the text; package access says what the principal may do with each
// table; package read runs what is a SELECT, or is evaluated by one; rows are written through the committer of
// package buffer. A SELECT of one row by its key, and what is written by key or from literals and parameters, never
// reach the query engine. What a statement gives goes to Results. Statements that order work on the lake hand it to
// Maintenance.
//
// # Guarantees
//
//   - A statement of BEGIN ... COMMIT reads one snapshot plus its own writes and commits with the others or not at all;
//     any other statement commits alone. A transaction names its tables in the request of its BEGIN; it never outlives
//     its session, and over HTTP not its request.
//   - Nothing that SET or PREPARE changed is seen by another session. What is kept of a user between sessions (cache) is
//     the reading of texts alone, and for the schemas as they are.
//   - The columns of a prepared statement's result are those that it was described with.
//   - A statement that fails has changed nothing.
//   - RETURNING is evaluated before the write, so that a list that fails leaves nothing behind.
//   - A statement that acts for another user (EXECUTE AS) has that user's rows and role user; one that may not refuses
//     the whole request before anything runs.
//
// # Caveats
//
// A Session belongs to one goroutine. Errors are of the type *StatementError; positions count in the request's text.
package session
