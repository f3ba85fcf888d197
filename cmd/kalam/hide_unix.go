//go:build unix

package main

import (
	"os"
	"strings"
	"unsafe"
)

// hideSecrets returns the arguments and blanks those of them that are secret where other
// users of the machine see them. The runtime's strings are the process's own arguments,
// so writing over them is what changes the list of processes; nothing else may use them
// afterwards.
func hideSecrets(args []string) []string {
	out := make([]string, len(args))
	for i, a := range args {
		out[i] = strings.Clone(a)
	}
	for i, a := range out {
		if n := secretFrom(out, i); n < len(a) {
			memory := unsafe.Slice(unsafe.StringData(args[i]), len(a)) //nolint:gosec // See above.
			for j := n; j < len(a); j++ {
				memory[j] = 'x'
			}
		}
	}
	return out
}

// arguments are those of the process, from the second on.
func arguments() []string { return hideSecrets(os.Args[1:]) }
