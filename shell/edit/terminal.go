package edit

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

	"github.com/kalamlake/kalam/shell/format"
)

// Asker asks for a line on the terminal; what is typed is shown or not.
type Asker func(question string, shown bool) (string, error)

// IsTerminal reports whether f is a terminal.
func IsTerminal(f any) bool {
	_, ok := terminal(f)
	return ok
}

// Width returns the columns of the terminal w, 0 if it is none.
func Width(w io.Writer) int {
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

// NewAsker returns a function that asks for a line, which is shown or, of a
// password, not; nil if in is no terminal. Its error is ErrInterrupted after Ctrl+C, io.EOF after
// Ctrl+D. The terminal is given back in any case.
func NewAsker(ctx context.Context, in io.Reader, out io.Writer) Asker {
	fd, ok := terminal(in)
	if !ok {
		return nil
	}
	return func(question string, shown bool) (string, error) {
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
		var show func([]rune)
		if shown {
			show = func(typed []rune) { fmt.Fprint(out, "\r", question, format.Escape(string(typed)), "\x1b[J") }
		}
		line, err := readSecret(c, func() { fmt.Fprint(out, question) }, show)
		if !ended() {
			err = ErrInterrupted // The context was first.
		}
		return line, errors.Join(err, c.Close(), c.release())
	}
}

// readSecret reads a line. It calls ask when nothing that is typed is shown any more by
// the terminal itself, and show, if not nil, after each change.
func readSecret(c *console, ask func(), show func(typed []rune)) (string, error) {
	if err := c.Setup(); err != nil {
		return "", err
	}
	ask()
	var typed []rune
	for {
		before := len(typed)
		stroke, err := c.Read()
		if err != nil {
			return "", err
		}
		if strings.HasPrefix(string(stroke), pasteBegin) {
			typed = append(typed, []rune(strings.TrimRight(unescaped(stroke), "\n"))...)
		}
		switch key := keyOf(stroke); {
		case IsText(stroke):
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
		if show != nil && before != len(typed) {
			show(typed)
		}
	}
}
