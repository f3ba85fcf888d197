package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/kalamlake/kalam/config"
	"github.com/kalamlake/kalam/maintain/verify"
)

// verifyOptions say how `kalamd verify` tells what it finds.
type verifyOptions struct {
	json     bool      // One document instead of lines.
	progress io.Writer // Is told every few seconds how far it is; nil: nobody.
}

// verifyCommand returns `kalamd verify`. It takes the configuration of the server whose
// files it reads.
func verifyCommand() *cobra.Command {
	var f flags
	var o verifyOptions
	var progress bool
	cmd := &cobra.Command{
		Use: "verify", Args: cobra.NoArgs,
		Short: "Compare all files of a stopped server with the record and their checksums; the exit code is 0 if all is right. " +
			"A running server does it by STORAGE VERIFY",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := load(f, os.Environ())
			if err != nil {
				return err
			}
			if progress {
				o.progress = cmd.ErrOrStderr()
			}
			return verifyLake(cmd.Context(), s.Config, o, cmd.OutOrStdout())
		},
	}
	configFlags(cmd, &f)
	cmd.Flags().BoolVar(&o.json, "json", false, "print one JSON document")
	cmd.Flags().BoolVar(&progress, "progress", false, "tell on stderr, every few seconds, how far it is")
	return cmd
}

// progressPause is the time between two words about the progress.
const progressPause = 2 * time.Second

// verifyLake prints what is wrong with a lake, a line each, and a summary. The error says
// that something is, or that not all could be looked at.
func verifyLake(ctx context.Context, cfg config.Config, o verifyOptions, out io.Writer) error {
	said := time.Now()
	r, err := verify.Run(ctx, cfg.Inspect(), verify.Options{
		Problem: func(line string) {
			if !o.json {
				fmt.Fprintln(out, line) // The exit code says the same.
			}
		},
		Progress: func(p verify.Progress) {
			if o.progress != nil && time.Since(said) >= progressPause {
				said = time.Now()
				fmt.Fprintf(o.progress, "%d of %d segments, %d bytes, %d problems\n", p.Done, p.Segments, p.Bytes,
					p.Problems) // A word.
			}
		},
	})
	if o.json {
		if err := writeVerified(out, r, err); err != nil {
			return err
		}
	}
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	if !o.json {
		err = writeSummary(out, &r)
	}
	if r.Problems > 0 {
		return fmt.Errorf("verify: %d problems", r.Problems)
	}
	return err
}

// writeVerified writes the result as JSON, with the error that ended the verification.
func writeVerified(out io.Writer, r verify.Result, failed error) error {
	doc := struct {
		verify.Result
		Error string `json:"error,omitempty"`
	}{Result: r}
	if failed != nil {
		doc.Error = failed.Error()
	}
	e := json.NewEncoder(out)
	e.SetIndent("", " ")
	return e.Encode(doc)
}

// writeSummary writes what was looked at, and what is no problem but may be asked for.
func writeSummary(out io.Writer, r *verify.Result) error {
	for _, f := range r.Findings {
		if f.Kind == verify.KindStray || f.Kind == verify.KindStale {
			fmt.Fprintln(out, "note:", f.Text) // The last line tells whether out works.
		}
	}
	_, err := fmt.Fprintln(out, r.Summary())
	if r.Unnamed > 0 && err == nil {
		_, err = fmt.Fprintf(out, "%d files are named by no manifest; the server moves them to .trash in time\n", r.Unnamed)
	}
	return err
}
