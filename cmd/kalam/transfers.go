package main

import (
	"flag"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kalamlake/kalam/shell"
	"github.com/kalamlake/kalam/shell/transfer"
)

const loadExample = `  kalam load notes.csv app.notes
  kalam load events.ndjson.gz app.events --on-conflict skip
  zcat old.csv.gz | kalam load - app.old --format csv --yes
  kalam load --as chatgpt conversations.json app
  kalam load backup/                      what kalam dump has written`

// loadCommand is kalam load.
func (f *flags) loadCommand(run func(shell.Config)) *cobra.Command {
	o := &transfer.LoadOptions{}
	c := &cobra.Command{
		Use: "load FILE [TABLE]", Short: "Load a file into a table", Example: loadExample,
		Long: `load reads CSV, TSV, NDJSON or JSON, plain or gzipped, into a table, which it creates if there is none: it guesses
the types and shows them first. A load that was ended goes on when the same command is given again. With --as it reads
the export of a chat into the tables conversations and messages of a namespace; of a directory that kalam dump has
made it makes the tables again.`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(_ *cobra.Command, args []string) error {
			o.File = args[0]
			if len(args) > 1 {
				f.config.LoadInto = args[1]
			}
			f.config.Load = o
			return f.start(run)
		},
	}
	own := flag.NewFlagSet("load", flag.ContinueOnError)
	o.Flags(own)
	c.Flags().AddGoFlagSet(own)
	return c
}

// dumpCommand is kalam dump.
func (f *flags) dumpCommand(run func(shell.Config)) *cobra.Command {
	o := &transfer.DumpOptions{}
	c := &cobra.Command{
		Use: "dump DIRECTORY [NAMESPACE | NAMESPACE.TABLE]...", Short: "Write tables and their rows to a new directory",
		Long: `dump writes how the tables that the user sees are made, and the user's rows in them, to a new directory: schema.sql,
a file for each table, and dump.json. kalam load DIRECTORY makes the tables again with equal rows.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			o.Directory, o.Only = args[0], args[1:]
			f.config.Dump = o
			return f.start(run)
		},
	}
	c.Flags().StringVar(&o.Format, "format", "",
		"format of the data: "+strings.Join(transfer.Formats(), ", ")+" (default csv)")
	return c
}
