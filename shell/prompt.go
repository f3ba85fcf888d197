package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/kalamlake/kalam/link"
	"github.com/kalamlake/kalam/shell/complete"
	"github.com/kalamlake/kalam/shell/edit"
	"github.com/kalamlake/kalam/shell/format"
	"github.com/kalamlake/kalam/shell/highlight"
)

// namesWait is how long the first prompt waits for the names of the server, so that
// what is typed at once is completed too.
const namesWait = 500 * time.Millisecond

// prompt greets and runs what is typed until the user leaves.
func (s *session) prompt(ctx context.Context, in io.Reader) int {
	s.warn()
	s.ask = edit.NewAsker(ctx, in, s.err)
	if !s.greet(ctx, s.ask) {
		return ExitError
	}
	s.server.Store(s.client)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt)
	interrupts, stop := relay(signals)
	defer stop()
	s.names = complete.NewNameCache(func(ctx context.Context, sql string) (*link.Response, error) {
		return s.server.Load().Query(ctx, sql) // \connect replaces it.
	})
	defer s.names.Close()
	s.names.Ready(namesWait)
	s.past = s.openHistory()
	s.reopen = func() edit.Editor { return s.editor(in, interrupts) }
	s.line = s.reopen()
	defer func() { s.line.Close() }()
	if err := s.startUp(ctx, interrupts); errors.Is(err, errQuit) {
		return ExitOK
	}
	return s.interact(ctx, interrupts)
}

// openHistory returns what was typed before, as far as it is kept.
func (s *session) openHistory() *edit.History {
	dir := s.config.directory()
	if dir == "" {
		return edit.NewHistory(s.config.file.HistorySize, memorable)
	}
	past, warning := edit.OpenHistory(dir, s.config.file.HistorySize, memorable)
	if warning != "" {
		s.remark("%s", warning)
	}
	return past
}

// editor returns the line editor for a terminal, or one of plain lines for one
// that cannot place its cursor.
func (s *session) editor(in io.Reader, interrupts <-chan struct{}) edit.Editor {
	if s.config.Getenv("TERM") == "dumb" {
		return edit.NewLines(in, s.err, interrupts)
	}
	found := &complete.Completer{
		Names: s.names.Names, Namespace: s.namespace, Commands: completions(), Pending: pending,
	}
	e, err := edit.NewTerminal(in, []io.Writer{s.err, s.output}, edit.Options{
		History: s.past, Ready: readyPart, Suggest: found.Complete, Highlight: highlighted,
		Interrupts: interrupts, Color: s.printer.Color,
	})
	if err == nil {
		return e
	}
	if !errors.Is(err, edit.ErrNoTerminal) {
		s.remark("Warning: no line editing: %v", err)
	}
	return edit.NewLines(in, s.err, interrupts)
}

// colours are how a terminal is told to show each style.
var colours = [...]string{highlight.Plain: "", highlight.Keyword: "\x1b[1;34m", highlight.String: "\x1b[32m",
	highlight.Number: "\x1b[36m", highlight.Comment: "\x1b[2m", highlight.Command: "\x1b[1;35m"}

// highlighted is what the line editor shows of a text.
func highlighted(text string) (styles, marks []string) {
	t := highlight.Scan(text)
	styles = make([]string, len(t.Styles))
	for i, s := range t.Styles {
		styles[i] = colours[s]
	}
	return styles, t.Marks
}

// promptText is what stands before a statement: who acts, in which namespace, and
// a star while a transaction is open.
func (s *session) promptText() string {
	star := ""
	if s.open != nil {
		star = "*"
	}
	return fmt.Sprintf("%s@%s kalam%s> ", format.Escape(s.user), s.namespace(), star)
}

// relay passes signals on as what they mean here. A signal waits until the prompt
// or a statement takes it; further ones meanwhile are one with it. stop ends it.
func relay(signals chan os.Signal) (interrupts chan struct{}, stop func()) {
	interrupts = make(chan struct{})
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-signals:
				select {
				case interrupts <- struct{}{}:
				case <-done:
					return
				}
			case <-done:
				return
			}
		}
	}()
	return interrupts, func() {
		signal.Stop(signals)
		close(done)
		<-ended
	}
}

// greet tells what the shell is connected to, after a statement has shown that
// the credentials are good; ask, if not nil, reads a password that is missing. It
// reports false, with advice, if there is nothing to work with.
func (s *session) greet(ctx context.Context, ask edit.Asker) bool {
	h, err := s.client.Health(ctx)
	if unreachable(err) {
		s.unreachable(err)
		return false
	}
	err = s.login(ctx, ask)
	switch {
	case unreachable(err):
		s.unreachable(err)
		return false
	case err != nil:
		s.fail(err, "")
		if link.KindOf(err) == link.KindAuthentication && s.auth.IsZero() {
			s.remark("Name a user with -u NAME, and the password is asked for; or give --token or --apikey.")
		}
		return false
	}
	if s.config.SaveCredentials {
		if err := s.save(); err != nil {
			s.fail(err, "")
		}
	}
	s.note("Connected to %s (%s) as %s. Type \\help for help, \\quit to leave.", s.client.URL(), versionOf(h), s.user)
	return true
}

// interact runs what the editor gives until its end or \quit.
func (s *session) interact(ctx context.Context, interrupts <-chan struct{}) int {
	defer s.dropOpen()
	defer s.endPaused()
	var text strings.Builder
	for {
		prompt := s.promptText()
		if text.Len() > 0 {
			prompt = edit.Continuation(prompt, highlight.Scan(text.String()).Open)
		}
		l, err := s.line.ReadLine(ctx, prompt)
		switch {
		case errors.Is(err, edit.ErrInterrupted):
			s.discarded(text.String() + l)
			text.Reset()
			continue
		case errors.Is(err, io.EOF):
			return ExitOK
		case ctx.Err() != nil:
			s.remark("Terminated")
			return ExitError
		case err != nil:
			s.fail(err, "")
			return ExitError
		}
		if text.Len() == 0 && strings.TrimSpace(l) == "" {
			continue
		}
		text.WriteString(l + "\n")
		if err := s.typed(ctx, &text, interrupts); errors.Is(err, errQuit) {
			return ExitOK
		}
	}
}

// discarded tells what Ctrl+C did to the text that was typed.
func (s *session) discarded(text string) {
	switch {
	case strings.TrimSpace(text) != "":
		s.remark("Command cancelled")
	case s.open != nil:
		s.remark(`A transaction is open: COMMIT; or ROLLBACK; ends it. Use \quit or \q to exit`)
	default:
		s.remark(`Use \quit or \q to exit`)
	}
}

// typed runs the steps that are complete and leaves the rest in text.
func (s *session) typed(ctx context.Context, text *strings.Builder, interrupts <-chan struct{}) error {
	whole := text.String()
	if readyPart(whole) < len(whole) {
		return nil
	}
	text.Reset()
	sql, expanded, _ := cutGo(whole)
	steps, err := planLines(sql, isPromptLine)
	if err != nil {
		s.fail(err, whole)
		return nil
	}
	for i, st := range steps {
		s.remember(st)
		err := s.attend(ctx, st, expanded && i+1 == len(steps), interrupts)
		if errors.Is(err, errQuit) {
			return err
		}
		if errors.Is(err, context.Canceled) && i+1 < len(steps) {
			s.remark("%s not run", counted(len(steps)-i-1, "further statement was", "further statements were"))
			return nil
		}
	}
	return nil
}

// attend runs one step, which an interrupt cancels. Its error was shown, but for
// errQuit.
func (s *session) attend(ctx context.Context, st step, expanded bool, interrupts <-chan struct{}) error {
	ctx, cancel := context.WithCancel(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case <-interrupts:
			cancel()
		case <-ctx.Done():
		}
	}()
	defer func() { cancel(); <-watched }()
	if s.redirected == nil {
		s.printer.More = func() bool { return s.more(ctx) }
	}
	if expanded {
		defer s.expanded()()
	}
	return s.perform(ctx, st)
}

// warn tells what is wrong with the settings.
func (s *session) warn() {
	for _, w := range s.config.warnings {
		s.remark("Warning: %s", w)
	}
	s.config.warnings = nil
}
