package edit

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// Editor reads the lines of the prompt. It is used by one goroutine.
type Editor interface {
	// ReadLine shows the prompt and returns the next line without its end; an editor
	// of several lines returns all of a statement at once. The error is io.EOF at
	// the end of the input, ErrInterrupted, together with the discarded text, when
	// the user typed Ctrl+C, or that of ctx. What is written next begins on a new
	// line.
	ReadLine(ctx context.Context, prompt string) (string, error)
	// Ask shows a question and returns the line that answers it, which is no statement
	// and no part of the history.
	Ask(ctx context.Context, question string) (string, error)
	// Remember adds a statement to the history, if the editor has one. Its error is
	// that of the history's file.
	Remember(statement string) error
	// Close gives the terminal back as it was. It may be called more than once.
	Close() error
}

// ErrInterrupted is returned by Editor.ReadLine when the user typed Ctrl+C.
var ErrInterrupted = errors.New("interrupted")

// Lines is the Editor that any input can be read with.
type Lines struct {
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

// NewLines returns an Editor over in that shows its prompts on out. Its
// goroutine ends with Close, or, because a read of a terminal cannot be broken
// off, with the line that is being read then.
func NewLines(in io.Reader, out io.Writer, interrupts <-chan struct{}) *Lines {
	e := &Lines{out: out, lines: make(chan line, 1), ask: make(chan struct{}, 1), interrupts: interrupts}
	go e.read(bufio.NewReader(in), e.ask)
	return e
}

func (e *Lines) read(r *bufio.Reader, ask <-chan struct{}) {
	for range ask {
		text, err := r.ReadString('\n')
		if text != "" {
			err = nil // The last line may lack its end.
		}
		e.lines <- line{strings.TrimRight(text, "\r\n"), err}
	}
}

func (e *Lines) ReadLine(ctx context.Context, prompt string) (string, error) {
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
		if errors.Is(l.err, io.EOF) {
			return l.text, errors.Join(l.err, e.newLine())
		}
		return l.text, l.err
	case <-e.interrupts:
		return "", errors.Join(ErrInterrupted, e.newLine())
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

func (e *Lines) Ask(ctx context.Context, question string) (string, error) {
	return e.ReadLine(ctx, question)
}

// newLine ends the line of a prompt to which nothing was typed.
func (e *Lines) newLine() error {
	_, err := io.WriteString(e.out, "\n")
	return err
}

func (e *Lines) Remember(string) error { return nil }

func (e *Lines) Close() error {
	if e.ask != nil {
		close(e.ask)
		e.ask = nil
	}
	return nil
}

// terminal returns the descriptor of f if it is one, and whether it is.
func terminal(f any) (fd int, ok bool) {
	file, ok := f.(*os.File)
	if !ok {
		return 0, false
	}
	fd = int(file.Fd())
	return fd, term.IsTerminal(fd)
}
