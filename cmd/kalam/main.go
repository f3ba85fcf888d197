package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/kalamlake/kalam/shell"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	m := Main{Args: arguments(), In: os.Stdin, Out: os.Stdout, Err: os.Stderr}
	code := m.Run(ctx)
	stop()
	os.Exit(code)
}

// Main is the command with its surroundings.
type Main struct {
	Args     []string
	In       io.Reader
	Out, Err io.Writer
	Getenv   func(string) string // nil is os.Getenv.
}

// Run does what the arguments say and returns the exit code.
func (m *Main) Run(ctx context.Context) int {
	code := shell.ExitOK
	run := func(c shell.Config) {
		c.Getenv = m.Getenv
		code = shell.Run(ctx, c, m.In, m.Out, m.Err)
	}
	f := newFlags(run)
	f.command.AddCommand(f.loadCommand(run), f.dumpCommand(run), f.types(run), f.manCommand())
	if err := f.completeValues(); err != nil {
		fmt.Fprintf(m.Err, "kalam: %v\n", err)
		return shell.ExitError
	}
	f.command.SetArgs(variables(m.Args))
	f.command.SetOut(m.Out)
	f.command.SetErr(m.Err)
	if err := f.command.ExecuteContext(ctx); err != nil {
		fmt.Fprintf(m.Err, "kalam: %v\nTry 'kalam --help' for more information.\n", err)
		return shell.ExitUsage
	}
	return code
}
