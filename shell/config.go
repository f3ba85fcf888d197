package shell

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/shell/format"
	"github.com/kalamlake/kalam/shell/scan"
	"github.com/kalamlake/kalam/shell/settings"
	"github.com/kalamlake/kalam/shell/transfer"
)

// Exit codes of Run.
const (
	ExitOK    = 0
	ExitError = 1 // A statement, the connection, the identity or a file failed.
	ExitUsage = 2 // The command line was wrong.
)

// defaultPort is the port of a server whose address names none.
const defaultPort = 8080

// Config says what to do. The zero value opens a prompt on the local server.
type Config struct {
	URL  string // Of the server; http:// or https:// may be missing. It wins over Host and Port.
	Host string // A URL, or a host with or without port; "" is KALAM_HOST, then localhost.
	Port int    // 0 is the default.

	User      string  // For whom to act; "" is KALAM_USER.
	Password  *string // Of User; nil is KALAM_PASSWORD. On a terminal an empty or missing one is asked for.
	Token     string  // JWT; "" is KALAM_TOKEN.
	APIKey    string  // "" is KALAM_APIKEY.
	Namespace string  // Of unqualified names.

	ConfigFile      string // Settings; "" is ~/.kalam/config.toml, which the first run writes.
	Instance        string // Name under which tokens are kept; "" is local.
	SaveCredentials bool   // Keep the tokens of the login.

	Command             *string       // Statements, or one backslash command, to run.
	File                string        // Script to run; "-" is standard input.
	Subscribe           string        // Live query to show.
	Types               []string      // Tables whose TypeScript types to write; not nil and empty: all.
	Count               int           // Changes of Subscribe after which to end; 0 is none.
	SubscriptionTimeout time.Duration // After which Subscribe ends; 0 is never.

	Load     *transfer.LoadOptions // A file to load, nil for none.
	LoadInto string                // Its table; the namespace of the export of a chat.
	Dump     *transfer.DumpOptions // Tables to dump, nil for none.

	Format  string        // One of Formats; "" is that of the settings.
	Color   *bool         // nil: if standard output is a terminal, NO_COLOR is not set and the settings do not forbid it.
	Timeout time.Duration // Of one request; 0 is that of the settings, below 0 none.
	Verbose bool          // Show codes and decisions on standard error.

	Variables []string // name=value, for :name in statements.
	Params    []string // Values of $1 to $n in Command or Subscribe.
	Null      *string  // How NULL is shown; nil is that of the settings for people, nothing for programs.
	Quiet     bool     // Show results and errors only.
	NoRC      bool     // Do not run ~/.kalamrc at the prompt.
	ReadOnly  bool     // Refuse statements that may write.

	NoSpinner        bool          // Do not show how long a request takes.
	LoadingThreshold time.Duration // After which that is shown.

	Getenv func(string) string // nil is os.Getenv.
	Now    func() time.Time    // nil is time.Now.

	file     settings.File // What ConfigFile says.
	warnings []string      // About it.
	kept     *atomic.Bool  // The tokens in use are kept in a file.
}

// usageError is a mistake in the command line.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func usagef(words string, args ...any) error { return &usageError{fmt.Sprintf(words, args...)} }

// withDefaults checks c and fills in what it does not say.
func (c Config) withDefaults() (Config, error) {
	if c.Getenv == nil {
		c.Getenv = os.Getenv
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	c.kept = new(atomic.Bool)
	modes := 0
	for _, given := range []bool{c.Command != nil, c.File != "", c.Subscribe != ""} {
		if given {
			modes++
		}
	}
	switch {
	case modes > 1:
		return c, usagef("only one of --command, --file and --subscribe may be given")
	case c.Port < 0 || c.Port > 65535:
		return c, usagef("--port must be from 1 to 65535, got %d", c.Port)
	case c.Count < 0:
		return c, usagef("--count must not be negative, got %d", c.Count)
	case c.SubscriptionTimeout < 0:
		return c, usagef("--subscription-timeout must not be negative")
	case c.Token != "" && c.APIKey != "":
		return c, usagef("only one of --token and --apikey may be given")
	}
	if len(c.Params) > 0 && c.Command == nil && c.Subscribe == "" {
		return c, usagef("--param needs --command or --subscribe")
	}
	for _, v := range c.Variables {
		if _, _, err := parseVariable(v); err != nil {
			return c, err
		}
	}
	if c.Namespace != "" {
		if err := kalam.CheckIdentifier("namespace", c.Namespace); err != nil {
			return c, usagef("--namespace: %v", err)
		}
	}
	c, err := c.withSettings()
	if err != nil {
		return c, err
	}
	if !format.IsFormat(c.Format) {
		return c, usagef("unknown format %q (expected %s)", c.Format, strings.Join(format.Names(), ", "))
	}
	if c.User == "" {
		c.User = c.Getenv("KALAM_USER")
	}
	return c, nil
}

// withSettings reads the settings. Flags win over them.
func (c Config) withSettings() (Config, error) {
	var err error
	switch dir := c.directory(); {
	case c.ConfigFile != "":
		c.file, c.warnings, err = settings.Load(c.ConfigFile, format.Names())
		var wrong *settings.Error
		if err != nil && !errors.As(err, &wrong) {
			err = fmt.Errorf("Configuration error: %w", err)
		}
	case dir == "":
		c.file, c.warnings = settings.Defaults(), []string{"HOME is not set: settings and history are not kept"}
	default:
		c.file, c.warnings, err = settings.LoadOrCreate(filepath.Join(dir, settings.ConfigName), format.Names())
	}
	if c.Format == "" {
		c.Format = c.file.Format
	}
	if c.Timeout == 0 {
		if c.Timeout = c.file.Timeout; c.Timeout == 0 {
			c.Timeout = -1
		}
	}
	return c, err
}

// directory is where the files of the user are, "" if the home is unknown.
func (c Config) directory() string {
	for _, name := range []string{"HOME", "USERPROFILE"} {
		if home := c.Getenv(name); home != "" {
			return filepath.Join(home, settings.Directory)
		}
	}
	return ""
}

// loginUser is who logs in: the user that is named, else that of the settings.
func (c Config) loginUser() string {
	if c.User == "" {
		return c.file.User
	}
	return c.User
}

// Formats returns the names of the output formats.
func Formats() []string { return format.Names() }

// parseVariable reads name=value.
func parseVariable(text string) (name, value string, err error) {
	name, value, ok := strings.Cut(text, "=")
	if !ok || !isVariableName(name) {
		return "", "", usagef("a variable is name=value, got %q", text)
	}
	return name, value, nil
}

func isVariableName(name string) bool {
	parts := scan.NameParts(name)
	return len(parts) == 1 && !strings.Contains(name, `"`)
}

// parseParam reads the value of a parameter: a JSON number, true, false, null or
// string, else the text itself.
func parseParam(text string) any {
	var v any
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if d.Decode(&v) != nil || d.InputOffset() != int64(len(text)) {
		return text
	}
	switch v.(type) {
	case map[string]any, []any:
		return text // The text of a JSON value.
	}
	return v
}
