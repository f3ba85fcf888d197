package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/kalamlake/kalam/api"
	"github.com/kalamlake/kalam/internal/servicenotify"
	"github.com/kalamlake/kalam/query/worker"
)

func main() {
	if code, ok := worker.Main(); ok {
		os.Exit(code)
	}
	keepPrivate()
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		first := time.Now()
		cancel()
		// A shell and what runs under it both pass on what a key sends: two quick signals are one.
		for time.Since(first) < oneSignal {
			<-signals
		}
		fmt.Fprintln(os.Stderr, "kalamd: second signal, ending at once")
		os.Exit(1)
	}()
	if err := command().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "kalamd:", err)
		os.Exit(1)
	}
}

// oneSignal is how long after the first signal a second one means nothing.
const oneSignal = 500 * time.Millisecond

// command returns the command line of kalamd.
func command() *cobra.Command {
	root := &cobra.Command{
		Use: "kalamd", Short: "The kalam server", SilenceUsage: true, SilenceErrors: true,
	}
	// Not cobra's Version: its template would link text/template, which keeps
	// every exported method of every type in the binary (12 MB).
	showVersion := root.Flags().Bool("version", false, "show the version")
	root.RunE = func(cmd *cobra.Command, _ []string) error {
		if !*showVersion {
			return cmd.Help()
		}
		_, err := io.WriteString(cmd.OutOrStdout(), versionText())
		return err
	}
	var f flags
	serve := &cobra.Command{
		Use: "serve", Short: "Run the server until SIGINT or SIGTERM", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := load(f, os.Environ())
			if err != nil {
				return err
			}
			manager, err := servicenotify.FromEnvironment(os.Getenv)
			if err != nil {
				return err
			}
			ctx, stop := context.WithCancel(cmd.Context())
			defer stop()
			m := &Main{
				Hangups: hangups(ctx, stop), Load: func() (Settings, error) { return load(f, os.Environ()) },
				Manager: manager, Settings: s, Stdout: cmd.OutOrStdout(), Stderr: cmd.ErrOrStderr(),
				Build: api.Version{Version: version, Commit: commit, Branch: branch, BuildDate: date},
			}
			return m.Run(ctx)
		},
	}
	serve.Flags().StringVar(&f.config, "config", "",
		"configuration file (default $KALAM_CONFIG, then ./config.toml if there is one)")
	serve.Flags().StringVar(&f.data, "data", "", "data directory (storage.data_path)")
	serve.Flags().StringVar(&f.listen, "listen", "", "address to listen on, HOST:PORT (server.host, server.port)")
	root.AddCommand(serve, repairCommand(), verifyCommand(), backupCommand(), restoreCommand(), healthCommand(),
		configCommand())
	return root
}
