package shell

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strings"
)

// Editor reads the lines of the prompt. It is used by one goroutine.
type Editor interface {
	// ReadLine shows the prompt and returns the next line without its end. The
	// error is io.EOF at the end of the input, ErrInterrupted when the user
	// discards the line, or that of ctx.
	ReadLine(ctx context.Context, prompt string) (string, error)
	// Remember adds a statement to the history, if the editor has one.
	Remember(statement string)
	// Close gives the terminal back as it was.
	Close() error
}

// ErrInterrupted is returned by Editor.ReadLine when the user typed Ctrl+C.
var ErrInterrupted = errors.New("interrupted")

// lineEditor is the Editor that any input can be read with.
type lineEditor struct {
	out        io.Writer
	lines      chan line // Unbuffered: a line is read when it is asked for.
	ask        chan struct{}
	asked      bool // A line is being read already.
	interrupts <-chan struct{}
}

type line struct {
	text string
	err  error
}

// newLineEditor returns an Editor over in that shows its prompts on out. Its
// goroutine ends with Close, or, because a read of a terminal cannot be broken
// off, with the line that is being read then.
func newLineEditor(in io.Reader, out io.Writer, interrupts <-chan struct{}) *lineEditor {
	e := &lineEditor{out: out, lines: make(chan line, 1), ask: make(chan struct{}, 1), interrupts: interrupts}
	go e.read(bufio.NewReader(in))
	return e
}

func (e *lineEditor) read(r *bufio.Reader) {
	for range e.ask {
		text, err := r.ReadString('\n')
		if text != "" {
			err = nil // The last line may lack its end.
		}
		e.lines <- line{strings.TrimRight(text, "\r\n"), err}
	}
}

func (e *lineEditor) ReadLine(ctx context.Context, prompt string) (string, error) {
	if _, err := io.WriteString(e.out, prompt); err != nil {
		return "", err
	}
	if !e.asked {
		e.ask <- struct{}{}
		e.asked = true
	}
	select {
	case l := <-e.lines:
		e.asked = false
		return l.text, l.err
	case <-e.interrupts:
		return "", ErrInterrupted
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

func (e *lineEditor) Remember(string) {}

func (e *lineEditor) Close() error {
	close(e.ask)
	return nil
}
