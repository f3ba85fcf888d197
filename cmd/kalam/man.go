package main

import (
	"fmt"
	"strings"

	"github.com/muesli/mango"
	mcobra "github.com/muesli/mango-cobra"
	"github.com/muesli/roff"
	"github.com/spf13/cobra"

	"github.com/kalamlake/kalam/shell"
	"github.com/kalamlake/kalam/shell/transfer"
)

// manCommand writes the manual page, as in "kalam man | man -l -".
func (f *flags) manCommand() *cobra.Command {
	return &cobra.Command{
		Use: "man [COMMAND]", Short: "Write the manual page of kalam, or of one of its commands",
		Example: "  kalam man > /usr/local/share/man/man1/kalam.1", Args: cobra.MaximumNArgs(1),
		ValidArgs: []string{"load", "dump", "types", "completion"},
		RunE: func(cmd *cobra.Command, args []string) error {
			page, _, err := f.command.Find(args)
			if err == nil && len(args) > 0 && page == f.command {
				err = fmt.Errorf("there is no command %q", args[0])
			}
			if err != nil {
				return err
			}
			manual := mango.NewManPage(1, "", page.Short).WithLongDescription(page.Long)
			if err := mcobra.AddCommand(manual, page); err != nil {
				return err
			}
			manual.Root.Name = strings.ReplaceAll(page.CommandPath(), " ", "-")
			_, err = fmt.Fprint(cmd.OutOrStdout(), manual.Build(roff.NewDocument()))
			return err
		},
	}
}

// completeValues tells the shells' completion what flags take.
func (f *flags) completeValues() error {
	fixed := func(values ...string) func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return values, cobra.ShellCompDirectiveNoFileComp
		}
	}
	for _, c := range f.command.Commands() {
		for flag, values := range map[string][]string{
			"format": transfer.Formats(), "as": transfer.Chats(), "kind": {"user", "shared"},
			"on-conflict": {transfer.ConflictReject, transfer.ConflictSkip, transfer.ConflictUpdate},
			"uncertain":   {"send", "skip"},
		} {
			if c.Flags().Lookup(flag) == nil {
				continue
			}
			if err := c.RegisterFlagCompletionFunc(flag, fixed(values...)); err != nil {
				return err
			}
		}
	}
	if err := f.command.RegisterFlagCompletionFunc("color", fixed("true", "false")); err != nil {
		return err
	}
	return f.command.RegisterFlagCompletionFunc("format", fixed(shell.Formats()...))
}
