package main

import (
	"slices"
	"strings"
)

// secretFlags have a value that others may not see.
var secretFlags = []string{"--password", "--token", "--apikey"}

// secretFrom returns the byte from which on an argument is secret, its length if
// nothing of it is.
func secretFrom(args []string, i int) int {
	if i > 0 && slices.Contains(secretFlags, args[i-1]) {
		return 0
	}
	flag, _, ok := strings.Cut(args[i], "=")
	if ok && slices.Contains(secretFlags, flag) {
		return len(flag) + 1
	}
	return len(args[i])
}
