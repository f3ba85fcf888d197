// Package scan cuts a statement into tokens that may not be finished: a quote that is
// still open ends with the text. Package sqltext, the lexer of statements, refuses
// such texts; the prompt must make sense of them while they are typed.
//
// Every function is pure, and no text makes one panic.
package scan
