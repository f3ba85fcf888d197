// Package dialect turns SQL text into statements. It owns the grammar of
// everything that is not a query: INSERT, UPDATE, DELETE, DDL, user and storage
// management, maintenance and session statements. Queries (SELECT, WITH,
// VALUES, FROM first, SUMMARIZE) are judged by DuckDB's parser in package query;
// here they only get the MySQL and JSON spellings translated that DuckDB does
// not know.
//
// # Basics
//
// Parse turns one statement's text, as sqltext.Split cuts it out of a request, into
// one of the Statement types. Expressions are not parsed: a value of a
// VALUES list or SET is an Expr, which is a literal, a placeholder, a function
// of the server or the raw SQL of anything else; a WHERE clause is raw SQL. Raw
// SQL is balanced in quotes and brackets, holds no `;` and ends before any
// clause that could follow it, so that it may be put between parentheses.
//
// # Guarantees
//
//   - Every function is pure: there is no state, nothing is retained, and all of
//     them may be called concurrently.
//   - No input panics or overflows the stack; time and memory are linear in the
//     length of the text. Brackets nest to 1,000 levels at most.
//   - Strings of a Statement may alias the text that was parsed.
//   - Positions in statements (Pos, Offset) are 0-based byte offsets into the
//     parsed text; a *kalam.Error carries the 1-based Position of its cause.
//   - A message repeats at most 64 bytes of a user's token, the length of the
//     longest name, and never what may be a password.
//
// The lexical rules are those of package sqltext.
package dialect
