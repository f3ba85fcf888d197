package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"github.com/kalamlake/kalam/link"
)

// The prompts: of a statement, and of its further lines.
const (
	promptFirst = "kalam> "
	promptNext  = "    -> "
)

// prompt greets and runs what is typed until the user leaves.
func (s *session) prompt(ctx context.Context, in io.Reader) int {
	if !s.greet(ctx) {
		return ExitError
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt)
	interrupts, stop := relay(signals)
	defer stop()
	editor := newLineEditor(in, s.err, interrupts)
	defer editor.Close()
	return s.interact(ctx, editor, interrupts)
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

// greet tells what the shell is connected to. It reports false, with advice, if
// that is nothing.
func (s *session) greet(ctx context.Context) bool {
	h, err := s.client.Health(ctx)
	if link.KindOf(err) == link.KindConnection || link.KindOf(err) == link.KindTimeout {
		s.remark("Connection failed: cannot reach %s\n  %v\nIs kalamd running there? Choose another server with --url, or --host and --port.", s.client.URL(), err)
		return false
	}
	if err := s.client.Login(ctx); err != nil {
		s.fail(err, "")
		return false
	}
	version := "unknown version"
	if h != nil && h.Version != "" {
		version = "version " + h.Version
	}
	user := s.config.User
	if user == "" {
		user = "the credentials' user"
	}
	s.remark("Connected to %s (%s) as %s. Type \\help for help, \\quit to leave.", s.client.URL(), version, user)
	return true
}

// interact runs what the editor gives until its end or \quit.
func (s *session) interact(ctx context.Context, editor Editor, interrupts <-chan struct{}) int {
	var text strings.Builder
	for {
		prompt := promptFirst
		if text.Len() > 0 {
			prompt = promptNext
		}
		l, err := editor.ReadLine(ctx, prompt)
		switch {
		case errors.Is(err, ErrInterrupted):
			fmt.Fprintln(s.err)
			if text.Len() > 0 {
				text.Reset()
				s.remark("Command cancelled")
			} else {
				s.remark(`Use \quit or \q to exit`)
			}
			continue
		case errors.Is(err, io.EOF):
			fmt.Fprintln(s.err)
			return ExitOK
		case err != nil:
			s.fail(err, "")
			return ExitError
		}
		if text.Len() == 0 && strings.TrimSpace(l) == "" {
			continue
		}
		text.WriteString(l + "\n")
		if err := s.typed(ctx, &text, editor, interrupts); errors.Is(err, errQuit) {
			return ExitOK
		}
	}
}

// typed runs the steps that are complete and leaves the rest in text.
func (s *session) typed(ctx context.Context, text *strings.Builder, editor Editor, interrupts <-chan struct{}) error {
	whole := text.String()
	if !strings.HasPrefix(strings.TrimSpace(whole), `\`) && pending(whole) {
		return nil
	}
	text.Reset()
	steps, err := plan(whole)
	if err != nil {
		s.fail(err, whole)
		return nil
	}
	for _, st := range steps {
		editor.Remember(st.text)
		if err := s.attend(ctx, st, interrupts); err != nil {
			return err
		}
	}
	return nil
}

// attend runs one step, which an interrupt cancels. Only errQuit is returned;
// other errors are shown.
func (s *session) attend(ctx context.Context, st step, interrupts <-chan struct{}) error {
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
	switch q, live := subscription(st.text); {
	case st.command:
		if err := s.meta(ctx, st.text); errors.Is(err, errQuit) {
			return err
		}
	case live:
		s.subscribeTo(ctx, q)
	default:
		if err := s.execute(ctx, st.text, unnamed); err != nil {
			s.fail(err, st.text)
		}
	}
	return nil
}
