// Package filter reads the texts of live queries.
//
// # Basics
//
// Analyse takes SELECT columns FROM table [WHERE condition] and names the construct that is
// more than that. The Plan has the condition as text and, when package subscribe can
// evaluate it, as an expression tree. Condition does the same for a condition alone.
//
// # Guarantees
//
// An expression tree means what DuckDB makes of the same text. A condition that it cannot
// express gives an error that wraps subscribe.ErrNotCompilable, never another meaning.
package filter
