//go:build !unix

package main

import "os"

// arguments are those of the process, from the second on.
func arguments() []string { return os.Args[1:] }
