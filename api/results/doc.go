// Package results writes the results of requests: as the JSON document of the SQL endpoint or as
// an Arrow IPC stream, whole or in pieces while they are made, compressed as a client asks.
//
// # Guarantees
//
// Up to 1 MiB of a document is held back, so that a failure until then has its own status. A
// document of which pieces were sent says at its end how the request came out.
package results
