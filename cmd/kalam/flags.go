package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kalamlake/kalam/shell"
)

// flags are those of the command line.
type flags struct {
	command *cobra.Command
	config  shell.Config

	password, sql, color        string
	json, csv, noColor          bool
	version                     bool    // Not cobra's: see cmd/kalamd, command.
	timeout, subscriptionExpiry float64 // Seconds.
	threshold                   float64 // Milliseconds.
	null                        string
}

const example = `  kalam -u alice --password secret -c "SELECT 1"
  kalam --json -f script.sql
  kalam --subscribe "SELECT * FROM chat.messages" --count 10`

// newFlags returns the command line, which calls run with what it says.
func newFlags(run func(shell.Config)) *flags {
	f := &flags{}
	f.command = &cobra.Command{
		Use: "kalam", Short: "The shell of kalam", Example: example,
		Long:          "kalam runs SQL from its command line, a file, a pipe or a prompt.",
		Args:          cobra.NoArgs,
		SilenceErrors: true, SilenceUsage: true, DisableAutoGenTag: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.version {
				_, err := io.WriteString(cmd.OutOrStdout(), versionText())
				return err
			}
			if err := f.complete(); err != nil {
				return err
			}
			run(f.config)
			return nil
		},
	}
	f.define()
	f.command.SetHelpCommand(&cobra.Command{Use: "no-help", Hidden: true}) // --help is enough.
	return f
}

// types returns the command that writes types. It has the flags that say which server, and as whom.
func (f *flags) types(run func(shell.Config)) *cobra.Command {
	c := &cobra.Command{
		Use: "types [TABLE...]", Short: "Write the TypeScript types of tables, or of all",
		Example:               `  kalam types -u alice -n app > src/tables.ts`,
		SilenceErrors:         true,
		SilenceUsage:          true,
		DisableAutoGenTag:     true,
		DisableFlagsInUseLine: true,
		RunE: func(_ *cobra.Command, tables []string) error {
			f.config.Types = append([]string{}, tables...)
			return f.start(run)
		},
	}
	return c
}

// start runs the shell with what the flags say.
func (f *flags) start(run func(shell.Config)) error {
	if err := f.complete(); err != nil {
		return err
	}
	run(f.config)
	return nil
}

// define declares the flags.
func (f *flags) define() {
	f.connection()
	c, p := &f.config, f.command.Flags()
	p.SortFlags = false
	p.StringVarP(&f.sql, "command", "c", "", "run these statements, or one backslash command, and exit")
	p.StringVarP(&c.File, "file", "f", "", "run this script and exit; - is standard input")
	p.StringVar(&c.Subscribe, "subscribe", "", "show a live query")
	p.IntVar(&c.Count, "count", 0, "end a live query after so many changes")
	p.Float64Var(&f.subscriptionExpiry, "subscription-timeout", 0, "end a live query after so many seconds")
	p.StringVar(&c.Format, "format", "",
		"output format: "+strings.Join(shell.Formats(), ", ")+" (default: of the settings, table)")
	p.BoolVar(&f.json, "json", false, "short for --format json")
	p.BoolVar(&f.csv, "csv", false, "short for --format csv")
	p.StringArrayVar(&c.Variables, "set", nil, "name=value for :name in statements; also -v name=value")
	p.StringArrayVar(&c.Params, "param", nil, "value of $1, the next of $2, ... in -c or --subscribe")
	p.StringVar(&f.null, "null", "", "how NULL is shown")
	p.Float64Var(&f.threshold, "loading-threshold-ms", 200, "milliseconds after which it is shown how long a request takes")
	p.BoolVar(&c.NoRC, "no-rc", false, "do not run ~/.kalamrc at the prompt")
	p.BoolVar(&f.version, "version", false, "show the version")
	f.command.MarkFlagsMutuallyExclusive("format", "json", "csv")
	f.command.MarkFlagsMutuallyExclusive("command", "file", "subscribe")
}

// connection declares the flags that the subcommands have too.
func (f *flags) connection() {
	c, p := &f.config, f.command.PersistentFlags()
	p.SortFlags = false
	p.StringVar(&c.URL, "url", "", "server URL; http:// or https:// may be left out")
	p.StringVarP(&c.Host, "host", "h", "", "server URL, or host[:port] (KALAM_HOST, default localhost)")
	p.IntVarP(&c.Port, "port", "p", 0, "server port (default 8080)")
	p.StringVarP(&c.User, "user", "u", "", "user (KALAM_USER)")
	p.StringVar(&f.password, "password", "", "password of the user; asked for when empty (KALAM_PASSWORD)")
	p.StringVar(&c.Token, "token", "", "JWT (KALAM_TOKEN)")
	p.StringVar(&c.APIKey, "apikey", "", "API key (KALAM_APIKEY)")
	p.StringVarP(&c.Namespace, "namespace", "n", "", "namespace of unqualified names")
	p.StringVar(&c.ConfigFile, "config", "", "settings (default ~/.kalam/config.toml)")
	p.StringVar(&c.Instance, "instance", "", "name of a server whose tokens are stored (default local)")
	p.BoolVar(&c.SaveCredentials, "save-credentials", false, "store the tokens of this login, never the password")
	p.StringVar(&f.color, "color", "", "true or false; default: on a terminal, unless NO_COLOR is set")
	p.BoolVar(&f.noColor, "no-color", false, "short for --color=false")
	p.Float64Var(&f.timeout, "timeout", 30, "seconds that a request may take; 0 is without end")
	p.BoolVarP(&c.Quiet, "quiet", "q", false, "show results and errors only")
	p.BoolVar(&c.ReadOnly, "read-only", false, "refuse statements that may write")
	p.BoolVar(&c.NoSpinner, "no-spinner", false, "show no progress")
	p.BoolVarP(&c.Verbose, "verbose", "v", false, "show error codes")
	p.Bool("help", false, "show this help")
	p.Lookup("color").NoOptDefVal = "true"
}

// given reports whether a flag stands on the command line.
func (f *flags) given(name string) bool {
	flag := f.command.Flag(name)
	return flag != nil && flag.Changed
}

// complete turns the flags that are no plain values into the Config.
func (f *flags) complete() error {
	c, given := &f.config, f.given
	if given("command") {
		c.Command = &f.sql
	}
	if given("null") {
		c.Null = &f.null
	}
	if given("password") {
		c.Password = &f.password
	}
	for flag, value := range map[string]string{"file": c.File, "subscribe": c.Subscribe} {
		if given(flag) && value == "" {
			return fmt.Errorf("--%s is empty", flag)
		}
	}
	switch {
	case f.json:
		c.Format = "json"
	case f.csv:
		c.Format = "csv"
	}
	if f.noColor {
		if given("color") {
			return errors.New("only one of --color and --no-color may be given")
		}
		f.color = "false"
	}
	if f.color != "" {
		on, err := strconv.ParseBool(f.color)
		if err != nil {
			return fmt.Errorf("--color must be true or false, got %q", f.color)
		}
		c.Color = &on
	}
	var err error
	if c.Timeout, err = seconds("timeout", f.timeout); err != nil {
		return err
	}
	switch {
	case !given("timeout"):
		c.Timeout = 0 // That of the settings.
	case c.Timeout == 0:
		c.Timeout = -1
	}
	if c.SubscriptionTimeout, err = seconds("subscription-timeout", f.subscriptionExpiry); err != nil {
		return err
	}
	c.LoadingThreshold, err = seconds("loading-threshold-ms", f.threshold/1000)
	return err
}

// variables turns "-v name=value" into "--set name=value": -v alone is --verbose.
func variables(args []string) (out []string) {
	for i := 0; i < len(args); i++ {
		if args[i] == "--" {
			return append(out, args[i:]...)
		}
		if args[i] == "-v" && i+1 < len(args) && isAssignment(args[i+1]) {
			out = append(out, "--set", args[i+1])
			i++
			continue
		}
		out = append(out, args[i])
	}
	return out
}

// isAssignment reports whether s is name=value.
func isAssignment(s string) bool {
	name, _, ok := strings.Cut(s, "=")
	return ok && name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
}

// seconds converts the value of a flag.
func seconds(flag string, n float64) (time.Duration, error) {
	const most = 365 * 24 * 60 * 60
	if !(n >= 0 && n <= most) {
		return 0, fmt.Errorf("--%s must be from 0 to %d seconds, got %v", flag, most, n)
	}
	return time.Duration(n * float64(time.Second)), nil
}
