package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// errUsage says that the command line was wrong; it ends with status 2.
var errUsage = errors.New(`usage: kalam-bench load --url URL --data FILE [--table NS.T] [--users-password P] [--batch N] [--workers N]
       kalam-bench measure --dir DIR [--kalamd BINARY] [--quick] [--only STEPS]`)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	switch {
	case err == nil:
	case errors.Is(err, errUsage):
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "kalam-bench:", err)
		os.Exit(1)
	}
}

// run executes the subcommand.
func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errUsage
	}
	switch args[0] {
	case "load":
		return runLoad(ctx, args[1:])
	case "measure":
		return runMeasure(ctx, args[1:])
	case "echo": // The reference of a measurement, started by it.
		return runEcho()
	}
	return fmt.Errorf("unknown command %q; %w", args[0], errUsage)
}
