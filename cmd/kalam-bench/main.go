package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

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
