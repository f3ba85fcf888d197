//go:build !unix

package edit

import (
	"errors"
	"io"
	"os"

	prompt "github.com/c-bata/go-prompt"
)

var errConsoleClosed = errors.New("the terminal was given back")

// console does not exist here: the prompt reads plain lines.
type console struct{ prompt.ConsoleParser }

func openConsole(int) (*console, error) {
	return nil, errors.New("line editing is not available on this system")
}

func (c *console) Attend() error { return errConsoleClosed }

func (c *console) Close() error { return nil }

func (c *console) release() error { return nil }

func suspend() error { return nil }

func notifyRedraw(chan os.Signal) {}

func editorOutput([]io.Writer) prompt.ConsoleWriter { return nil }
