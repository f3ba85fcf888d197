package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/config"
	"github.com/kalamlake/kalam/maintain/backup"
	"github.com/kalamlake/kalam/maintain/inspect"
)

// configFlags adds the flags of commands that take the configuration of a server.
func configFlags(c *cobra.Command, f *flags) {
	c.Flags().StringVar(&f.config, "config", "",
		"configuration file of the server (default $KALAM_CONFIG, then ./config.toml if there is one)")
	c.Flags().StringVar(&f.data, "data", "", "data directory (storage.data_path)")
}

// backupCommand returns `kalamd backup` with list and verify.
func backupCommand() *cobra.Command {
	var f flags
	var to string
	c := &cobra.Command{
		Use: "backup --to DIR", Args: cobra.NoArgs,
		Short: "Copy all that a stopped server stores; of a running one, BACKUP DATABASE TO does",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := load(f, os.Environ())
			if err != nil {
				return err
			}
			return backUp(cmd.Context(), s.Config, to, cmd.OutOrStdout())
		},
	}
	configFlags(c, &f)
	c.Flags().StringVar(&to, "to", "", "directory of backups: a new or empty one, or one that has backups")
	c.AddCommand(backupListCommand(), backupVerifyCommand())
	return c
}

// backUp makes a backup of a stopped server and says what it did.
func backUp(ctx context.Context, cfg config.Config, to string, out io.Writer) (err error) {
	if to == "" {
		return errors.New("backup needs --to, the directory of the backups")
	}
	at := time.Now()
	l, err := inspect.Open(ctx, cfg.Inspect(), nil)
	if kalam.CodeOf(err) == kalam.CodeInvalidOperation && strings.Contains(err.Error(), "used by another process") {
		return fmt.Errorf("backup: %w; while the server runs, BACKUP DATABASE TO '%s' makes a backup", err, to)
	}
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	d, err := backup.Open(ctx, to, true)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	snapshot, err := l.Pair.Backend.Snapshot(ctx)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	defer snapshot.Close()
	sum, err := backup.Run(ctx, backup.Source{Snapshot: snapshot, Lake: l.Lake, At: at}, d, backup.Options{})
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	for _, line := range sum.Damaged {
		fmt.Fprintln(out, "damaged before the backup:", line) // The summary counts them.
	}
	_, err = fmt.Fprintf(out, "backup %s: everything up to seq %d, %d segments, %d buffered rows; %d new files of %d bytes (%d linked)\n",
		sum.ID, sum.Seq, sum.Segments, sum.Buffered, sum.Files, sum.Bytes, sum.Linked)
	return err
}

// fromBackups opens the directory of backups and calls do.
func fromBackups(ctx context.Context, dir string, do func(*backup.Destination) error) (err error) {
	if dir == "" {
		return errors.New("--from, the directory of the backups, is missing")
	}
	d, err := backup.Open(ctx, dir, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	return do(d)
}

// backupListCommand returns `kalamd backup list`.
func backupListCommand() *cobra.Command {
	var from string
	c := &cobra.Command{
		Use: "list --from DIR", Args: cobra.NoArgs, Short: "List the backups in a directory, the oldest first",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return fromBackups(cmd.Context(), from, func(d *backup.Destination) error {
				list, err := d.List(cmd.Context())
				if err != nil {
					return err
				}
				return writeBackups(cmd.OutOrStdout(), list)
			})
		},
	}
	c.Flags().StringVar(&from, "from", "", "directory of backups")
	return c
}

// writeBackups writes a table of backups. The error says that some cannot be read.
func writeBackups(out io.Writer, list []backup.Listed) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "BACKUP\tMADE\tSEQ\tCAN GO BACK TO\tTABLES\tSEGMENTS\tBUFFERED ROWS\tDAMAGED") // Flush tells.
	bad := 0
	for _, b := range list {
		if m := b.Manifest; m != nil {
			fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\n", b.ID, m.CreatedAt.Format(time.RFC3339), m.Seq, m.Floor, m.Tables,
				len(m.Segments), m.Buffered, len(m.Damaged))
			continue
		}
		bad++
		fmt.Fprintf(w, "%s\t%v\n", b.ID, b.Err)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if bad > 0 {
		return fmt.Errorf("%d backups cannot be read", bad)
	}
	return nil
}

// backupVerifyCommand returns `kalamd backup verify`.
func backupVerifyCommand() *cobra.Command {
	var from, id string
	c := &cobra.Command{
		Use: "verify --from DIR", Args: cobra.NoArgs,
		Short: "Compare all files of backups with their checksums; the exit code is 0 if all is right",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return fromBackups(cmd.Context(), from, func(d *backup.Destination) error {
				out := cmd.OutOrStdout()
				v, err := backup.Verify(cmd.Context(), d, id, func(line string) {
					fmt.Fprintln(out, line) // The exit code says the same.
				})
				if err != nil {
					return err
				}
				if _, err := fmt.Fprintf(out, "checked %d backups, %d files, %d bytes: %d problems\n", v.Backups, v.Files, v.Bytes,
					v.Problems); err != nil {
					return err
				}
				if v.Problems > 0 {
					return fmt.Errorf("backup verify: %d problems", v.Problems)
				}
				return nil
			})
		},
	}
	c.Flags().StringVar(&from, "from", "", "directory of backups")
	c.Flags().StringVar(&id, "backup", "", "only this backup")
	return c
}

// restoreCommand returns `kalamd restore`.
func restoreCommand() *cobra.Command {
	var f flags
	var from, at string
	var seq uint64
	var o backup.RestoreOptions
	c := &cobra.Command{
		Use: "restore --from DIR --data DIR", Args: cobra.NoArgs,
		Short: "Make a data directory of a backup",
		Long: `Make a data directory of a backup.

The data directory, and those of the write buffer and of the storage if they are elsewhere, must be empty or missing. The
restored lake gets an id of its own, so that it cannot use the storages of the one that it is a copy of.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := load(f, os.Environ())
			if err != nil {
				return err
			}
			if at != "" && seq != 0 {
				return errors.New("restore takes --at-seq or --at, not both")
			}
			if at != "" {
				if o.At, err = time.Parse(time.RFC3339Nano, at); err != nil {
					return fmt.Errorf("--at takes a time such as 2026-01-31T12:00:00Z: %w", err)
				}
			}
			o.AtSeq = kalam.Seq(seq)
			o.Pair, o.DefaultStrategy = s.Config.Pair(), s.Config.Sharding.DefaultStrategy
			return fromBackups(cmd.Context(), from, func(d *backup.Destination) error {
				r, err := backup.Restore(cmd.Context(), d, o)
				if err != nil {
					return err
				}
				return writeRestored(cmd.OutOrStdout(), r)
			})
		},
	}
	configFlags(c, &f)
	c.Flags().StringVar(&from, "from", "", "directory of backups")
	c.Flags().StringVar(&o.ID, "backup", "", "the backup to restore (default: the newest, or the oldest that knows --at-seq or --at)")
	c.Flags().Uint64Var(&seq, "at-seq", 0, "restore the rows up to this _seq only")
	c.Flags().StringVar(&at, "at", "", "restore the rows up to this time only, for instance 2026-01-31T12:00:00Z")
	c.Flags().BoolVar(&o.ToLocal, "storages-to-local", false, "bring tables and files of other storages to the storage 'local'")
	return c
}

// writeRestored says what was restored.
func writeRestored(out io.Writer, r *backup.Restored) error {
	for _, line := range r.Damaged {
		fmt.Fprintln(out, "damaged before the backup:", line) // The last line tells whether out works.
	}
	for _, s := range r.Storages {
		if s.SealedWith != "" {
			fmt.Fprintf(out, "storage '%s': its credentials are sealed with the key %s, which is not in the backup: put credentials.key "+
				"back, or set storage.credentials_key\n", s.ID, s.SealedWith)
		}
	}
	_, err := fmt.Fprintf(out, "restored the backup %s as of seq %d as the lake %s: %d segments of %d bytes (%d from other storages), "+
		"%d entries of the write buffer\n", r.ID, r.Seq, r.LakeID, r.Segments, r.Bytes, r.Moved, r.Entries)
	return err
}
