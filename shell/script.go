package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// script runs a text step by step and stops at the first error.
func (s *session) script(ctx context.Context, text string) int {
	start := s.config.Now()
	steps, err := plan(text)
	if err != nil {
		s.fail(err, text)
		return ExitError
	}
	done := 0
	for _, st := range steps {
		if ctx.Err() != nil {
			s.fail(fmt.Errorf("canceled after %d statements", done), "")
			return ExitError
		}
		err := s.step(ctx, st, done+1)
		if errors.Is(err, errQuit) {
			break
		}
		if err != nil {
			return ExitError
		}
		done += st.statements
	}
	if s.nested == 0 {
		s.note("Completed %d statements in %.3fs", done, s.config.Now().Sub(start).Seconds())
	}
	return ExitOK
}

// step runs one step, whose first statement has number first, and shows its
// error.
func (s *session) step(ctx context.Context, st step, first int) error {
	if st.command {
		return s.meta(ctx, st.text)
	}
	st.text = s.interpolate(st.text)
	if s.open != nil {
		s.collect(ctx, st)
		return nil
	}
	if q, ok := subscription(st.text); ok {
		if s.subscribeTo(ctx, q) != ExitOK {
			return errShown
		}
		return nil
	}
	err := s.execute(ctx, st.text, func(n int) string {
		if s.config.Quiet {
			return ""
		}
		return fmt.Sprintf("Statement %d: ", first+n-1)
	})
	if err != nil {
		s.failAt(err, st.text, first, st.line)
	}
	return err
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
