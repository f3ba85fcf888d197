// Package ast is what the statements of the dialect say: a type for each, with the names,
// expressions and options that stand in it. Package dialect makes them out of text.
//
// # Guarantees
//
// A statement is immutable, and may alias the text that it was parsed from. Positions are
// byte offsets in that text. A Secret is shown by no way of formatting.
package ast
