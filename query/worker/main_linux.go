package worker

import (
	"fmt"
	"os"

	"github.com/kalamlake/kalam/query/wire"
)

// Main serves as a query worker if this process was started as one; otherwise it returns
// at once. Every program that starts workers calls it first: it is its own worker.
func Main() {
	wire.NoteServes()
	if len(os.Args) != 2 || os.Args[1] != wire.Argument {
		return
	}
	if err := Serve(); err != nil {
		fmt.Fprintln(os.Stderr, "query worker:", err)
		os.Exit(1)
	}
	os.Exit(0)
}
