//go:build unix

package edit

import (
	"context"
	"errors"
	"io"
	"reflect"
	"testing"
	"time"

	prompt "github.com/c-bata/go-prompt"
	"github.com/creack/pty"
	"golang.org/x/term"

	"github.com/kalamlake/kalam/shell/complete"
)

// nowhere draws nothing. It calls drawn when the editor draws for the first time:
// then the terminal is in its mode for editing.
type nowhere struct {
	prompt.VT100Writer
	flushes int
	drawn   func()
}

func (w *nowhere) Flush() error {
	if w.flushes++; w.flushes == 2 { // The first one turned on the marks of pastes.
		w.drawn()
	}
	return nil
}

// whole lets any text be run.
func whole(text string) int { return len(text) }

// TestEditorGivesTheTerminalBack leaves ReadLine in every way, also by a panic.
func TestEditorGivesTheTerminalBack(t *testing.T) {
	for _, c := range []struct {
		name, keys string
		want       error
		panics     bool
	}{
		{"text", "SELECT 1;\r", nil, false},
		{"Ctrl+C", "abc\x03", ErrInterrupted, false},
		{"Ctrl+D", "\x04", io.EOF, false},
		{"the context", "", context.Canceled, false},
		{"a panic", "a\t", nil, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			master, slave, err := pty.Open()
			if err != nil {
				t.Fatal(err)
			}
			defer master.Close()
			defer slave.Close()
			before, err := term.GetState(int(slave.Fd()))
			if err != nil {
				t.Fatal(err)
			}
			out := &nowhere{drawn: func() {
				if _, err := master.WriteString(c.keys); err != nil {
					t.Error(err)
				}
			}}
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			if c.keys == "" {
				cancel()
			}
			func() {
				defer func() {
					if r := recover(); (r != nil) != c.panics {
						t.Errorf("recovered %v", r)
					}
				}()
				suggest := func(string, int) complete.Suggestions { panic("suggest") }
				if !c.panics {
					suggest = noSuggestions
				}
				console, err := openConsole(int(slave.Fd()))
				if err != nil {
					t.Fatal(err)
				}
				e, err := newPromptEditor(console, out, Options{History: &History{}, Ready: whole, Suggest: suggest})
				if err != nil {
					t.Fatal(err)
				}
				defer e.Close()
				if _, err := e.ReadLine(ctx, "> "); !errors.Is(err, c.want) {
					t.Errorf("error %v, want %v", err, c.want)
				}
				if during, err := term.GetState(int(slave.Fd())); err != nil || reflect.DeepEqual(before, during) {
					t.Errorf("the terminal is as before while the editor has it (%v)", err)
				}
			}()
			after, err := term.GetState(int(slave.Fd()))
			if err != nil || !reflect.DeepEqual(before, after) {
				t.Errorf("the terminal was %+v and is %+v, %v", before, after, err)
			}
		})
	}
}
