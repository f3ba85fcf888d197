package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/kalamlake/kalam/config"
	"github.com/kalamlake/kalam/maintain/verify"
)

// verifyCommand returns `kalamd verify`. It takes the configuration of the server whose
// files it reads.
func verifyCommand() *cobra.Command {
	var f flags
	cmd := &cobra.Command{
		Use: "verify", Args: cobra.NoArgs,
		Short: "Compare all files of a stopped server with the record and their checksums; the exit code is 0 if all is right",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := load(f, os.Environ())
			if err != nil {
				return err
			}
			return verifyLake(cmd.Context(), s.Config, cmd.OutOrStdout())
		},
	}
	configFlags(cmd, &f)
	return cmd
}

// verifyLake prints what is wrong with a lake, a line each, and a summary. The error says
// that something is, or that not all could be looked at.
func verifyLake(ctx context.Context, cfg config.Config, out io.Writer) error {
	r, err := verify.Run(ctx, cfg.Inspect(), verify.Options{Problem: func(line string) {
		fmt.Fprintln(out, line) // The exit code says the same.
	}})
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	_, err = fmt.Fprintf(out, "checked %d tables, %d segments, %d bytes: %d problems\n", r.Tables,
		r.Segments, r.Bytes, r.Problems)
	if r.Unnamed > 0 && err == nil {
		_, err = fmt.Fprintf(out, "%d files are named by no manifest; the server moves them to .trash in time\n", r.Unnamed)
	}
	if r.Problems > 0 {
		return fmt.Errorf("verify: %d problems", r.Problems)
	}
	return err
}
