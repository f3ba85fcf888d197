package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"github.com/kalamlake/kalam/dialect"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/link"
	"github.com/kalamlake/kalam/shell/edit"
	"github.com/kalamlake/kalam/shell/format"
	"github.com/kalamlake/kalam/sqltext"
)

// Run does what c says and returns the exit code. It reads from in and writes
// data to out and all else to errOut; whether they are terminals decides about
// the prompt, colours and widths. While it runs, an interrupt cancels what is
// under way.
func Run(ctx context.Context, c Config, in io.Reader, out, errOut io.Writer) int {
	s, err := open(ctx, c, in, out, errOut)
	if err != nil {
		return usage(err, errOut)
	}
	defer s.close()
	s.in = in
	c = s.config
	interactive := edit.IsTerminal(in)
	if interactive && c.Command == nil && c.File == "" && c.Subscribe == "" {
		return s.prompt(ctx, in)
	}
	if interactive && s.auth.IsZero() && c.User != "" || c.SaveCredentials {
		err := s.login(ctx, edit.NewAsker(ctx, in, errOut))
		if err == nil && c.SaveCredentials {
			err = s.save()
		}
		if err != nil {
			s.fail(err, "")
			return ExitError
		}
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	switch {
	case c.Command != nil:
		return s.command(ctx, *c.Command)
	case c.Subscribe != "":
		return s.subscribe(ctx, c.Subscribe)
	case c.File != "" && c.File != "-":
		return s.file(ctx, c.File)
	}
	return s.input(ctx, in)
}

// open returns the session that a Config describes.
func open(ctx context.Context, c Config, in io.Reader, out, errOut io.Writer) (*session, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	ask := edit.NewAsker(ctx, in, errOut)
	if c.Command != nil || c.File != "" {
		ask = nil // What runs unattended must not wait for someone to type.
	}
	client, auth, err := c.client(ask)
	if err != nil {
		return nil, err
	}
	s := newSession(c, client, out, errOut)
	s.auth = auth
	if c.Verbose {
		s.warn()
	}
	return s, nil
}

// warn tells what is wrong with the settings.
func (s *session) warn() {
	for _, w := range s.config.warnings {
		s.remark("Warning: %s", w)
	}
	s.config.warnings = nil
}

// close ends the session's requests and connections.
func (s *session) close() {
	s.endPaused()
	if err := s.closeOutput(); err != nil {
		s.fail(err, "")
	}
	s.client.Close()
}

// usage shows an error from before the first request.
func usage(err error, errOut io.Writer) int {
	var u *usageError
	if !errors.As(err, &u) {
		fmt.Fprintf(errOut, "ERROR: %s\n", format.EscapeLines(err.Error()))
		return ExitError
	}
	fmt.Fprintf(errOut, "kalam: %s\nTry 'kalam --help' for more information.\n", format.EscapeLines(err.Error()))
	return ExitUsage
}

// command runs the text of --command.
func (s *session) command(ctx context.Context, text string) int {
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, `\`) {
		return code(s.meta(ctx, text))
	}
	text = s.interpolate(text)
	if q, ok := subscription(text); ok {
		return s.subscribeTo(ctx, q)
	}
	if err := s.execute(ctx, text, unnamed); err != nil {
		s.fail(err, text)
		return ExitError
	}
	return ExitOK
}

// code is the exit code after err.
func code(err error) int {
	if err != nil && !errors.Is(err, errQuit) {
		return ExitError
	}
	return ExitOK
}

// file runs a script.
func (s *session) file(ctx context.Context, path string) int {
	text, err := os.ReadFile(path)
	if err != nil {
		s.fail(fmt.Errorf("File error: %w", err), "")
		return ExitError
	}
	return s.script(ctx, string(text))
}

// input runs a script from standard input.
func (s *session) input(ctx context.Context, in io.Reader) int {
	text, err := io.ReadAll(in)
	if err != nil {
		s.fail(fmt.Errorf("File error: read standard input: %w", err), "")
		return ExitError
	}
	return s.script(ctx, string(text))
}

// liveQuery is a live query as text asks for it.
type liveQuery struct {
	sql     string
	options link.SubscribeOptions
}

// subscription reads SUBSCRIBE TO. ok is false for any other text, also a wrong
// one: then the server says what is wrong.
func subscription(text string) (q liveQuery, ok bool) {
	fragments, err := sqltext.Split(text)
	if err != nil || len(fragments) != 1 || !startsWith(fragments[0].Text, "SUBSCRIBE") {
		return q, false
	}
	st, err := dialect.Parse(fragments[0].Text)
	to, ok := st.(*ast.SubscribeTo)
	if err != nil || !ok {
		return q, false
	}
	q.sql = to.Query
	o := to.Options
	if o == nil {
		return q, true
	}
	if o.LastRows != nil {
		q.options.LastRows = *o.LastRows
	} else {
		q.options.LastRows = link.AllRows
	}
	if o.BatchSize != nil {
		q.options.BatchSize = *o.BatchSize
	}
	if o.BufferSize != nil {
		q.options.BufferSize = *o.BufferSize
	}
	if o.From != nil {
		q.options.From = *o.From
	}
	return q, true
}
