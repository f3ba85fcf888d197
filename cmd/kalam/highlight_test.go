//go:build unix

package main

import (
	"strings"
	"testing"
)

// drawn returns all that was written to the terminal.
func (x *terminal) drawn() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.raw.String()
}

// TestHighlighting types words, values, comments and a command: they are coloured while they
// are typed, unless colours are off.
func TestHighlighting(t *testing.T) {
	url := slow(t)
	for _, c := range []struct {
		name    string
		args    []string
		colours bool
	}{{"colours", nil, true}, {"none", []string{"--no-color"}, false}} {
		t.Run(c.name, func(t *testing.T) {
			x := startTerminal(t, 80, 24, t.TempDir(), append([]string{"--url", url, "-u", "ann", "--password", "s3cret"}, c.args...)...)
			x.line(annPrompt)
			x.typed("SELECT 'a b', 12 /* c */ ")
			x.line(annPrompt + "SELECT 'a b', 12 /* c */ ")
			x.typed(ctrlU + `\x on`)
			x.line(annPrompt + `\x on`)
			x.typed(ctrlC)
			x.shows("Command cancelled")
			x.typed(`\q` + keyEnter)
			x.ends()
			for _, want := range []string{"\x1b[1;34mSELECT\x1b[0m", "\x1b[32m'a b'\x1b[0m", "\x1b[36m12\x1b[0m", "\x1b[2m/* c */\x1b[0m",
				"\x1b[1;35m\\x\x1b[0m"} {
				if strings.Contains(x.drawn(), want) != c.colours {
					t.Errorf("%q is drawn: %t", want, !c.colours)
				}
			}
		})
	}
}

// TestContinuation has a mark for what is open in the prompts of further lines.
func TestContinuation(t *testing.T) {
	x := startTerminal(t, 80, 24, t.TempDir(), "--url", slow(t), "-u", "ann", "--password", "s3cret")
	x.line(annPrompt)
	for _, c := range []struct{ typed, next string }{
		{"SELECT", "-> "},
		{" (1", "(-> "},
		{", [2", "[-> "},
		{", 'x", "'-> "},
		{"' /*", "/*-> "},
		{"*/ \"n", "\"-> "},
		{"\"]", "(-> "},
		{")", "-> "},
	} {
		x.typed(c.typed + keyEnter)
		pad := strings.Repeat(" ", len(annPrompt)-len(c.next))
		x.until(c.next+" behind "+c.typed, func(_, line string) bool { return line == pad+c.next })
	}
	x.typed(ctrlC)
	x.line(annPrompt)
	x.typed("BEGIN;" + keyEnter)
	x.line("ann@default kalam*> ")
	x.typed("SELECT" + keyEnter)
	x.until("the mark of a transaction", func(_, line string) bool { return strings.TrimLeft(line, " ") == "*-> " })
	x.typed(ctrlC)
	x.line("ann@default kalam*> ")
	x.typed("ROLLBACK;" + keyEnter)
	x.line(annPrompt)
	x.typed(`\q` + keyEnter)
	x.ends()
}
