package worker

import (
	"fmt"
	"os"

	"github.com/kalamlake/kalam/query/wire"
)

// Main serves as a query worker if this process was started as one: served is then true
// and the program ends with the exit code. Every program that starts workers calls it
// first, since it is its own worker; otherwise it returns at once.
func Main() (code int, served bool) {
	wire.NoteServes()
	if len(os.Args) != 2 || os.Args[1] != wire.Argument {
		return 0, false
	}
	if err := Serve(); err != nil {
		fmt.Fprintln(os.Stderr, "query worker:", err)
		return 1, true
	}
	return 0, true
}
