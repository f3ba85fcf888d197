package shell

import (
	"context"
	"io"

	"github.com/kalamlake/kalam/link"
	"github.com/kalamlake/kalam/shell/edit"
	"github.com/kalamlake/kalam/shell/format"
)

// Names for tests of what a test cannot reach without a terminal.
var (
	Escape        = format.Escape
	Excerpt       = excerpt
	NewLineEditor = edit.NewLines
)

// Step is a step of a script.
type Step struct {
	Text       string
	Command    bool
	Line       int
	Statements int
}

// Plan is plan.
func Plan(text string) (out []Step, err error) {
	steps, err := plan(text)
	for _, s := range steps {
		out = append(out, Step{s.text, s.command, s.line, s.statements})
	}
	return out, err
}

// ServerURL is Config.serverURL with its defaults.
func ServerURL(c Config) (string, error) {
	c, err := c.withDefaults()
	if err != nil {
		return "", err
	}
	return c.serverURL()
}

// Auth is Config.auth with its defaults.
func Auth(c Config, ask func(string, bool) (string, error)) (link.Auth, error) {
	c, err := c.withDefaults()
	if err != nil {
		return link.Auth{}, err
	}
	return c.auth(ask)
}

// Interact is the prompt over an editor of the caller's, with tables of the given
// width.
func Interact(ctx context.Context, c Config, e edit.Editor, interrupts chan struct{},
	columns int, out, errOut io.Writer) int {
	s, err := open(ctx, c, nil, out, errOut)
	if err != nil {
		return usage(err, errOut)
	}
	defer s.close()
	s.printer.Width = func() int { return columns }
	if !s.greet(ctx, nil) {
		return ExitError
	}
	s.line = e
	return s.interact(ctx, interrupts)
}
