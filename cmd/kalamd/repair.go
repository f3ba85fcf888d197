package main

import (
	"errors"
	"os"

	"github.com/spf13/cobra"

	"github.com/kalamlake/kalam/maintain/adopt"
)

// repairCommand returns `kalamd repair`.
func repairCommand() *cobra.Command {
	var f flags
	var wanted bool
	var o adopt.Options
	c := &cobra.Command{
		Use: "repair --adopt", Args: cobra.NoArgs,
		Short: "Bring a lake back whose write buffer is lost, from the files in its storage",
		Long: `Bring a lake back whose write buffer is lost, from the files in its storage.

The directory of the write buffer (storage.buffer_path) must be empty: move a damaged one away, and keep it. No server
may run. Tables, segments, and what was updated and deleted come back as of the last flush of each user's table; rows that
were only in the write buffer, accounts and passwords do not. Nothing is removed from the storage. Run it again when it
was interrupted.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !wanted {
				return errors.New("repair needs --adopt: it is the only repair so far (kalamd repair --help)")
			}
			s, err := load(f, os.Environ())
			if err != nil {
				return err
			}
			log, closeLog := newLogger(s.Config.Log, cmd.ErrOrStderr())
			o.Logger = log
			report, err := adopt.Run(cmd.Context(), s.Config.Adopt(), o)
			if err = errors.Join(err, closeLog()); err != nil {
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
	c.Flags().BoolVar(&o.DryRun, "dry-run", false, "only say what would be adopted; change nothing")
	c.Flags().BoolVar(&o.WithoutDamaged, "without-damaged", false,
		"adopt users with damaged or missing files without these: their rows are missing, and deleted ones may come back")
	configFlags(c, &f)
	return c
}
