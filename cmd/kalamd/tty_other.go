//go:build !unix

package main

// hasTerminal does not know terminals here.
func hasTerminal() bool { return false }
