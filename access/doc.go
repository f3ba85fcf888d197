// Package access answers one question: may this principal do this with this table, and which rows of it are meant. It
// is the only place that answers it.
//
// # Basics
//
//   - rules.go is the whole of what each role may do: a row for each Intent, a column for each class of tables, the
//     Powers over the server, and which of these it takes to write rows of computed tables. No other code compares
//     roles, or asks of what kind a table is, to allow something.
//   - Resolver.Resolve turns a name into a TableAccess: the table and the scope in which the principal's rows lie.
//   - Rules are the questions that the catalog asks inside its writes.
//
// # Guarantees
//
//   - A table that a principal may not know of is answered for exactly like one that does not exist: the same error, at
//     the same position.
//   - What a rule does not name is refused: a kind of table, a level or a role that this version does not know.
//   - The rows of a USER or STREAM table are always those of the principal's own scope. To reach those of another user
//     a principal must act for that user (ActFor), with role user.
package access
