// Package format writes results: as tables for people, and as json, csv and other
// formats for programs.
//
// # Guarantees
//
//   - What programs read is valid whatever the data; what people read holds no control
//     character of the data.
//   - A table is at most as wide as the terminal, unless its narrowest form is wider.
package format
