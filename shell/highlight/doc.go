// Package highlight says what a text that is being typed consists of, for colours and for what the
// prompt of a further line shows. It reads statements by sqltext's lexer, the one of kalam.
//
// # Guarantees
//
//   - Every function is pure, and no text panics, however broken.
//   - Time is linear in the length of the text.
package highlight
