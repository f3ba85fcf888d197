//go:build unix

package main

import (
	"os"
	"syscall"
)

// hasTerminal reports whether the process has a terminal that it would be stopped from.
func hasTerminal() bool {
	f, err := os.OpenFile("/dev/tty", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		return false
	}
	_ = f.Close() // It was only looked for.
	return true
}
