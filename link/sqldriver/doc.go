// Package sqldriver is a driver of database/sql for kalam, named "kalam". It is made of package link: no cgo, no query
// engine, requests over HTTP.
//
// # Basics
//
//	db, err := sql.Open("kalam", "http://alice:secret@localhost:8080?namespace=app")
//	rows, err := db.QueryContext(ctx, "SELECT id, body FROM notes WHERE id > $1", 10)
//
// ParseDSN says what a data source name may hold. A program that has a link.Client already, for live queries, opens
// sql.OpenDB(sqldriver.NewConnector(client, nil)).
//
// # Guarantees
//
//   - When a context ends, the server cancels the statement; a write was then done in full or not at all.
//   - driver.ErrBadConn, upon which database/sql sends a statement again, is the error only of requests that surely did
//     not reach the server. Errors are a *link.Error: code, position, hint and suggestions are there by errors.As.
//   - Parameters are $1, $2, ...: what link.Client.Query takes, and every driver.Valuer. Named arguments are refused.
//   - Times are sent in UTC, and come in UTC, or in the location of the data source name. A DATE is its midnight in UTC;
//     TIME, DECIMAL, UUID, JSON and lists come as text.
//   - A result that the server cut at its limit ends with an error, not as if it were whole.
//
// # Caveats
//
// A transaction of kalam lives inside one request. So what Exec is given in a sql.Tx is collected, and Commit sends
// it as one request: all of it takes effect or nothing. Until then RowsAffected is an error, and Query in a sql.Tx is
// refused. Isolation is a snapshot; higher levels, and read-only transactions, are refused.
//
// SET and USE end with their request; the namespace stands in the data source name. There is no LastInsertId:
// RETURNING gives what was inserted. Results are read whole before the first row is scanned.
package sqldriver
