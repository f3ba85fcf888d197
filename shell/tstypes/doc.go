// Package tstypes writes the types of tables in TypeScript: what rows are that the client in link/js gives.
//
// The text depends on the columns alone, so that it can be kept beside the program and compared. Names of any
// kind are written so that they stay names: quoted where they are no identifiers, never as part of the text.
package tstypes
