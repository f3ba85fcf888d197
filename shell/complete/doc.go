// Package complete finds what may stand at a place of a statement or command that is
// being typed.
//
// # Basics
//
// A Completer looks at the text around the cursor and at the Names of the server: its
// namespaces, tables and columns. A NameCache reads those in the background.
//
// # Guarantees
//
//   - Complete looks only at what is in memory, but for the names of files, and never
//     waits for the server.
//   - No text, however wrong, makes it panic.
//   - A refresh that fails keeps the names that there are.
package complete
