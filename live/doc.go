// Package live runs live queries over SQL: the rows that a SELECT gives now, and then what changes of them.
//
// # Basics
//
// Queries.Subscribe analyses a text, asks package access whether the principal may follow its table, and registers it
// with the hub of package subscribe. A Query gives its initial rows by NextBatch, at one read point, and after
// Activate its events through the Outbox of its connection. A condition that cannot be compiled is evaluated by the
// query engine over each batch of changes, as the same principal.
//
// # Guarantees
//
//   - Registration comes first, then the read point at some seq, then events above it: nothing is lost, nothing comes
//     twice.
//   - A client that resumes gets the newest version of every key that changed since, deletions among them, or is told
//     that deletions since then were forgotten.
//   - Two principals never share an evaluation.
package live
