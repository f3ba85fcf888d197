// Package gate lets commits of rows and changes of their table's definition follow one another.
//
// # Basics
//
// Gates has a Gate for each table. Commits of rows enter it together; who alters the table shuts it and is alone.
//
// # Guarantees
//
//   - While a gate is shut nobody is inside, and who comes waits until it is open, or until their context ends.
package gate
