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
		History: s.past, Ready: readyPart, Suggest: found.Complete, Interrupts: interrupts, Color: s.printer.Color,
	})
	if err == nil {
		return e
	}
	if !errors.Is(err, edit.ErrNoTerminal) {
		s.remark("Warning: no line editing: %v", err)
	}
	return edit.NewLines(in, s.err, interrupts)
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

// login shows that the credentials are good. If there are none, or stored ones that
// have expired, and the server wants some, ask, if not nil, reads them.
func (s *session) login(ctx context.Context, ask edit.Asker) error {
	err := s.identify(ctx)
	if link.KindOf(err) != link.KindAuthentication || ask == nil {
		return err
	}
	if s.auth.IsZero() || link.CodeOf(err) == codeSetup {
		switch done, serr := s.setUp(ctx, ask); {
		case serr != nil:
			return serr
		case done:
			return s.identify(ctx)
		}
	}
	if !s.auth.IsZero() && !s.auth.IsSession() {
		return err
	}
	if s.auth.IsSession() {
		s.remark("The stored credentials are not good any more: %s", s.explain(err))
	}
	if err := s.askPassword(ask); err != nil {
		return err
	}
	return s.identify(ctx)
}

// unreachable reports whether there was no answer.
func unreachable(err error) bool {
	return link.KindOf(err) == link.KindConnection || link.KindOf(err) == link.KindTimeout
}

func (s *session) unreachable(err error) {
	s.remark("Connection failed: cannot reach %s\n  %v\n"+
		"Is kalamd running there? Choose another server with --url, or --host and --port.", s.client.URL(), err)
}

// identify runs a statement, which tells who the server takes the user for.
func (s *session) identify(ctx context.Context) error {
	res, err := s.client.Query(ctx, "SELECT 1")
	if err != nil {
		return err
	}
	s.user = s.config.User
	if len(res.Results) > 0 && res.Results[0].AsUser() != "" {
		s.user = res.Results[0].AsUser()
	}
	return nil
}

// askPassword replaces the client by one that logs in. A user that was not named is
// asked for too.
func (s *session) askPassword(ask edit.Asker) error {
	user := s.config.User
	if user == "" {
		user = s.config.file.User
		typed, err := ask("User ["+format.Escape(user)+"]: ", true)
		if err != nil {
			return err
		}
		if typed = strings.TrimSpace(typed); typed != "" {
			user = typed
		}
	}
	password, err := ask("Password for "+format.Escape(user)+": ", false)
	if err != nil {
		return err
	}
	return s.loginAs(user, password)
}

// loginAs replaces the client by one that logs in.
func (s *session) loginAs(user, password string) error {
	auth := link.Password(user, password)
	client, err := s.config.clientAs(auth)
	if err != nil {
		return err
	}
	s.client.Close()
	s.client, s.auth = client, auth
	return nil
}

// interact runs what the editor gives until its end or \quit.
func (s *session) interact(ctx context.Context, interrupts <-chan struct{}) int {
	defer s.dropOpen()
	defer s.endPaused()
	var text strings.Builder
	for {
		prompt := s.promptText()
		if text.Len() > 0 {
			prompt = edit.Continuation(prompt)
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

// remember adds a step to the history.
func (s *session) remember(st step) {
	entry := st.text
	if !st.command {
		entry += ";"
	}
	if err := s.line.Remember(entry); err != nil && !s.forgetful {
		s.forgetful = true
		s.remark("Warning: the history is not kept: %v", err)
	}
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

// perform runs one step that was typed, see attend.
func (s *session) perform(ctx context.Context, st step) error {
	if st.command {
		text := st.text
		if word := promptWord(text); word != "" {
			text = word
		}
		if err := s.meta(ctx, text); errors.Is(err, errQuit) {
			return err
		}
		return ctx.Err()
	}
	st.text = s.interpolate(st.text)
	if err := s.confirm(ctx, st.text); err != nil {
		return err
	}
	if !s.collect(ctx, st) {
		s.runShown(ctx, st.text)
	}
	return ctx.Err()
}

// runShown runs a request and shows its error.
func (s *session) runShown(ctx context.Context, sql string) {
	if q, live := subscription(sql); live {
		s.subscribeTo(ctx, q)
		return
	}
	if err := s.execute(ctx, sql, unnamed); err != nil {
		s.fail(err, sql)
	}
}
