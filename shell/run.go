package shell

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"github.com/kalamlake/kalam/link"
	"github.com/kalamlake/kalam/shell/edit"
	"github.com/kalamlake/kalam/shell/format"
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
	if c.Load != nil || c.Dump != nil {
		ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
		defer stop()
		return s.shown(s.transfer(ctx, edit.NewAsker(ctx, in, errOut)))
	}
	if interactive && c.Command == nil && c.File == "" && c.Subscribe == "" && c.Types == nil {
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
	case c.Types != nil:
		return s.types(ctx, c.Types)
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

// shown shows an error and returns the exit code.
func (s *session) shown(err error) int {
	if err == nil {
		return ExitOK
	}
	s.fail(err, "")
	return ExitError
}

// code is the exit code after err.
func code(err error) int {
	if err != nil && !errors.Is(err, errQuit) {
		return ExitError
	}
	return ExitOK
}

// newSession returns a session whose output is flushed after each statement.
func newSession(c Config, client *link.Client, out, errOut io.Writer) *session {
	buffered := bufio.NewWriterSize(out, 32<<10)
	onTerminal := edit.IsTerminal(out)
	color := onTerminal && c.Getenv("NO_COLOR") == "" && c.file.Color
	if c.Color != nil {
		color = *c.Color
	}
	s := &session{
		config: c, client: client, chosen: c.Namespace, out: buffered, output: out, err: errOut,
		variables: map[string]string{},
		printer: &format.Printer{
			Out: buffered, Err: errOut, Format: c.Format, Color: color,
			Width: func() int { return edit.Width(out) },
			Null:  c.file.Null, Times: c.file.TimestampFormat, Now: c.Now, MaxRows: c.file.MaxRows,
		},
	}
	if c.Null != nil {
		s.printer.Null, s.printer.NullGiven = *c.Null, true
	}
	for _, v := range c.Variables {
		if name, value, err := parseVariable(v); err == nil { // withDefaults has refused others.
			s.variables[name] = value
		}
	}
	for _, p := range c.Params {
		s.params = append(s.params, parseParam(p))
	}
	s.server.Store(client)
	return s
}
