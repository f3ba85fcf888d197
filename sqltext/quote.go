package sqltext

import "strings"

// QuoteIdent returns name as a quoted identifier: "name".
func QuoteIdent(name string) string {
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// QuoteString returns s as a string literal: 'text'. Every byte of s is kept;
// the result is safe in any statement that Split and Parse read.
func QuoteString(s string) string {
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}
