// Package sqltext cuts SQL text into tokens. It is the one lexer of kalam: the
// statements of package dialect, the queries of package query and the prompt of
// package shell are all read by it.
//
// # Basics
//
// A Lexer gives the Tokens of a statement; Lex gives the Lexemes of a text that
// DuckDB is to read, whose rules differ in a few places. Split cuts a request into
// Fragments at each `;`. Normalize gives the text that cache keys use, Redact the
// text that logs may show. Edits remember where a text that was changed comes from,
// so that positions in it can be told in the text that the user wrote.
//
// # Guarantees
//
//   - Every function is pure: there is no state, nothing is retained, and all of
//     them may be called concurrently.
//   - No input panics; time and memory are linear in the length of the text.
//   - Positions are 0-based byte offsets; a *kalam.Error carries the 1-based
//     Position of its cause.
//   - Short cuts what messages repeat of a user's token.
//
// # Lexical rules
//
// They are those of PostgreSQL as DuckDB applies them: 'text' with doubled
// quotes, E'text' with backslash escapes, $tag$text$tag$, strings continued
// after a newline, "identifier", nested /* comments */, -- comments, and in
// addition `identifier` of MySQL, X'0aff' and 0x0aff. Words fold to lower case
// in ASCII; quoted identifiers keep their case. Text must be valid UTF-8; NUL
// bytes may stand in string literals only.
package sqltext
