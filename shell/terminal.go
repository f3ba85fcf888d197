package shell

import (
	"fmt"
	"io"
	"os"

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
// nil if in is no terminal.
func passwordAsker(in io.Reader, prompt io.Writer) func(string) (string, error) {
	fd, ok := terminal(in)
	if !ok {
		return nil
	}
	return func(text string) (string, error) {
		fmt.Fprint(prompt, text)
		b, err := term.ReadPassword(fd)
		fmt.Fprintln(prompt)
		if err != nil {
			return "", fmt.Errorf("read password: %w", err)
		}
		return string(b), nil
	}
}
