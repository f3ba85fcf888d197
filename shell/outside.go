package shell

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"github.com/kalamlake/kalam/shell/complete"
)

// mostNested bounds how deep scripts may run scripts.
const mostNested = 16

// metaInclude runs a script.
func (s *session) metaInclude(ctx context.Context, args string) error {
	if args == "" {
		return errors.New(`\i needs a file`)
	}
	if s.nested >= mostNested {
		return fmt.Errorf("scripts run scripts more than %d deep", mostNested)
	}
	s.nested++
	defer func() { s.nested-- }()
	if s.file(ctx, complete.ExpandHome(unquoted(args))) != ExitOK {
		return errShown
	}
	return nil
}

// metaOutput writes results to a file from now on, or to standard output again.
func (s *session) metaOutput(_ context.Context, args string) error {
	if err := s.closeOutput(); err != nil || args == "" || args == "-" {
		return err
	}
	f, err := os.Create(complete.ExpandHome(unquoted(args)))
	if err != nil {
		return err
	}
	p := *s.printer
	s.redirected, s.atTerminal = f, &p
	s.out.Reset(f)
	s.printer.Width, s.printer.Color, s.printer.More = func() int { return 0 }, false, nil
	s.remark("Results go to %s; \\o alone shows them here again.", f.Name())
	return nil
}

// closeOutput ends what metaOutput began.
func (s *session) closeOutput() error {
	if s.redirected == nil {
		return nil
	}
	err := errors.Join(s.out.Flush(), s.redirected.Close())
	s.redirected = nil
	s.out.Reset(s.output)
	s.printer.Width, s.printer.Color, s.printer.More = s.atTerminal.Width, s.atTerminal.Color, s.atTerminal.More
	return err
}

// outside runs f while the terminal is as it was found.
func (s *session) outside(f func() error) error {
	if s.reopen == nil {
		return f()
	}
	if err := s.line.Close(); err != nil {
		return err
	}
	defer func() { s.line = s.reopen() }()
	return f()
}

// runProgram runs a program that has the terminal.
func (s *session) runProgram(ctx context.Context, name string, args ...string) error {
	return s.outside(func() error {
		cmd := exec.CommandContext(ctx, name, args...) //nolint:gosec // The program that the user set.
		if in, ok := s.in.(*os.File); ok {
			cmd.Stdin = in
		}
		cmd.Stdout, cmd.Stderr = s.output, s.err
		err := cmd.Run()
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return fmt.Errorf("exit code %d", exit.ExitCode())
		}
		return err
	})
}

// metaShell runs a command of the operating system.
func (s *session) metaShell(ctx context.Context, args string) error {
	if args == "" {
		return errors.New(`\! needs a command`)
	}
	if runtime.GOOS == "windows" {
		return s.runProgram(ctx, "cmd", "/c", args)
	}
	return s.runProgram(ctx, "sh", "-c", args)
}

// metaEdit opens the last statement, or a file, in the user's editor and runs what
// was made of it.
func (s *session) metaEdit(ctx context.Context, args string) error {
	if s.line == nil {
		return errors.New(`\e works at the prompt only`)
	}
	path := complete.ExpandHome(unquoted(args))
	if args == "" {
		f, err := os.CreateTemp("", "kalam-*.sql")
		if err != nil {
			return err
		}
		path = f.Name()
		defer os.Remove(path) //nolint:errcheck // It is in the temporary directory.
		_, err = f.WriteString(s.last + "\n")
		if err = errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	before, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	words := strings.Fields(s.editorCommand())
	if err := s.runProgram(ctx, words[0], append(words[1:], path)...); err != nil {
		return fmt.Errorf("%s: %w", words[0], err)
	}
	after, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if bytes.Equal(before, after) {
		s.remark("Nothing was changed, nothing is run.")
		return nil
	}
	return s.runEdited(ctx, string(after))
}

// editorCommand is the editor that the environment names.
func (s *session) editorCommand() string {
	for _, name := range []string{"KALAM_EDITOR", "VISUAL", "EDITOR"} {
		if v := strings.TrimSpace(s.config.Getenv(name)); v != "" {
			return v
		}
	}
	if runtime.GOOS == "windows" {
		return "notepad"
	}
	return "vi"
}

// runEdited runs a text as if it had been typed.
func (s *session) runEdited(ctx context.Context, text string) error {
	steps, err := planLines(text, isPromptLine)
	if err != nil {
		s.fail(err, text)
		return errShown
	}
	for _, st := range steps {
		s.remark("%s", st.text)
		s.remember(st)
		if err := s.perform(ctx, st); errors.Is(err, errQuit) || ctx.Err() != nil {
			return err
		}
	}
	return nil
}
