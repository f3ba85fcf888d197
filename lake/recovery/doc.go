// Package recovery rebuilds the record of a lake from its files, when the write buffer that
// had it is gone.
//
// NewSurvey reads what every file of a storage says of itself; Tables sorts that into tables and
// scopes; AdoptScope finds out which files are the segments of a scope, and which of their rows a
// later one replaced; Restore writes the key index files that were missing or damaged. Only Restore
// changes anything. How it is decided is in docs/architecture/lake-format.md; maintain/adopt makes a
// new write buffer of it.
//
// No row that counts is given up silently: what is needed and cannot be read is in
// AdoptedScope.Lacking.
package recovery
