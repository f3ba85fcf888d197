// Package duckerr takes the errors of DuckDB apart: type, message, and the name that they
// are about.
//
// # Guarantees
//
// The instances report errors as JSON, so that no text needs to be understood where DuckDB
// goes by that. Parse never fails: what it does not know has the type "Unknown".
package duckerr
