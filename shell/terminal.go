package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	prompt "github.com/c-bata/go-prompt"
	"golang.org/x/term"
)

// terminal returns the descriptor of f if it is one, and whether it is.
func terminal(f any) (fd int, ok bool) {
	file, ok := f.(*os.File)
	if !ok {
		return 0, false
	}
	fd = int(file.Fd())
	return fd, term.IsTerminal(fd)
}

// width returns the columns of the terminal w, 0 if it is none.
func width(w io.Writer) int {
	fd, ok := terminal(w)
	if !ok {
		return 0
	}
	columns, _, err := term.GetSize(fd)
	if err != nil || columns <= 0 {
		return 80
	}
	return columns
}

// passwordAsker returns a function that asks for a password without showing it,
// nil if in is no terminal. Its error is ErrInterrupted after Ctrl+C, io.EOF after
// Ctrl+D. The terminal is given back in any case.
func passwordAsker(ctx context.Context, in io.Reader, out io.Writer) func(string) (string, error) {
	fd, ok := terminal(in)
	if !ok {
		return nil
	}
	return func(question string) (string, error) {
		defer fmt.Fprintln(out)
		c, err := openConsole(fd)
		if err != nil {
			fmt.Fprint(out, question)
			b, err := term.ReadPassword(fd)
			return string(b), err
		}
		ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
		defer stop()
		ended := context.AfterFunc(ctx, func() { c.Close() })
		password, err := readPassword(c, func() { fmt.Fprint(out, question) })
		if !ended() {
			err = ErrInterrupted // The context was first.
		}
		return password, errors.Join(err, c.Close(), c.release())
	}
}

// readPassword reads a line that is not shown. It calls ask when nothing that is
// typed is shown any more.
func readPassword(c *console, ask func()) (string, error) {
	if err := c.Setup(); err != nil {
		return "", err
	}
	ask()
	var typed []rune
	for {
		stroke, err := c.Read()
		if err != nil {
			return "", err
		}
		if strings.HasPrefix(string(stroke), pasteBegin) {
			typed = append(typed, []rune(strings.TrimRight(unescaped(stroke), "\n"))...)
			continue
		}
		switch key := keyOf(stroke); {
		case isText(stroke):
			typed = append(typed, []rune(string(stroke))...)
		case key == prompt.Enter:
			return string(typed), nil
		case key == prompt.ControlC:
			return "", ErrInterrupted
		case key == prompt.ControlD && len(typed) == 0:
			return "", io.EOF
		case key == prompt.ControlU:
			typed = nil
		case (key == prompt.Backspace || key == prompt.ControlH) && len(typed) > 0:
			typed = typed[:len(typed)-1]
		}
	}
}
