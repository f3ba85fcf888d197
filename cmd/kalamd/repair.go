package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/config"
	"github.com/kalamlake/kalam/maintain/adopt"
	"github.com/kalamlake/kalam/maintain/backup"
	"github.com/kalamlake/kalam/maintain/repair"
)

// repairOptions say what `kalamd repair` may do without --adopt.
type repairOptions struct {
	yes  bool
	from string // Directory of backups; "" is none.
}

// repairCommand returns `kalamd repair`.
func repairCommand() *cobra.Command {
	var f flags
	var wanted bool
	var o adopt.Options
	var mend repairOptions
	c := &cobra.Command{
		Use: "repair [--yes] | repair --adopt", Args: cobra.NoArgs,
		Short: "Mend what verify finds, or bring a lake back whose write buffer is lost",
		Long: `Mend what kalamd verify finds wrong with a lake that no server uses, as far as nothing is lost by it: key index files
and manifest.json files are made anew, files that belong to nothing are moved to .trash, and damaged files are put back
from a backup (--from-backup). Without --yes it only says what it would do. Nothing is deleted.

With --adopt: bring a lake back whose write buffer is lost, from the files in its storage. The directory of the write
buffer (storage.buffer_path) must be empty: move a damaged one away, and keep it. No server may run. Tables, segments, and
what was updated and deleted come back as of the last flush of each user's table; rows that were only in the write
buffer, accounts and passwords do not. Nothing is removed from the storage. Run it again when it was interrupted.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := load(f, os.Environ())
			if err != nil {
				return err
			}
			if !wanted {
				return mendLake(cmd.Context(), s.Config, mend, cmd.OutOrStdout())
			}
			log := newLogging(s.Config.Log, cmd.ErrOrStderr())
			o.Logger = log.Logger
			report, err := adopt.Run(cmd.Context(), s.Config.Adopt(), o)
			if err = errors.Join(err, log.close()); err != nil {
				return err
			}
			if _, err := report.WriteTo(cmd.OutOrStdout()); err != nil {
				return err
			}
			if !report.Complete() {
				return errors.New("the lake is not whole: see what is missing above")
			}
			return nil
		},
	}
	c.Flags().BoolVar(&wanted, "adopt", false, "rebuild the record of the lake in a new write buffer")
	c.Flags().BoolVar(&o.DryRun, "dry-run", false, "with --adopt: only say what would be adopted; change nothing")
	c.Flags().BoolVar(&o.WithoutDamaged, "without-damaged", false,
		"with --adopt: adopt users with damaged or missing files without these: their rows are missing, and deleted ones may come back")
	c.Flags().BoolVar(&mend.yes, "yes", false, "do it, not only say what would be done")
	c.Flags().StringVar(&mend.from, "from-backup", "", "directory of backups from which damaged files are put back")
	configFlags(c, &f)
	return c
}

// mendLake mends a lake, or says what it would do. The error says that something is left.
func mendLake(ctx context.Context, cfg config.Config, m repairOptions, out io.Writer) (err error) {
	o := repair.Options{Consent: m.yes, Done: func(line string) {
		if !m.yes {
			line = "would have " + line
		}
		fmt.Fprintln(out, line) // The last line tells whether out works.
	}}
	if m.from != "" {
		if o.From, err = backup.Open(ctx, m.from, false); err != nil {
			return fmt.Errorf("repair: %w", err)
		}
		defer func() { err = errors.Join(err, o.From.Close()) }()
	}
	r, err := repair.Run(ctx, cfg.Inspect(), o)
	if code := kalam.CodeOf(err); code == kalam.CodeNotFound || code == kalam.CodeCorrupt {
		return fmt.Errorf("repair: %w. If the write buffer is lost, restore a backup, or see kalamd repair --adopt", err)
	}
	if err != nil {
		return fmt.Errorf("repair: %w", err)
	}
	for _, failed := range r.Failed {
		fmt.Fprintln(out, "not", failed) // As above.
	}
	left := &r.After
	if !m.yes {
		left = &r.Before
	}
	for _, f := range left.Findings {
		if f.Kind.IsProblem() {
			fmt.Fprintln(out, "problem:", f.Text) // As above.
		}
	}
	if _, err := fmt.Fprintf(out, "%d problems before, %d repairs\n", r.Before.Problems, r.Done); err != nil {
		return err
	}
	switch {
	case !m.yes && r.Done > 0:
		return errors.New("repair: nothing was changed; --yes does what is said above")
	case left.Problems > 0:
		return fmt.Errorf("repair: %d problems are left", left.Problems)
	}
	return nil
}
