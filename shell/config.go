package shell

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/link"
	"github.com/kalamlake/kalam/shell/edit"
	"github.com/kalamlake/kalam/shell/format"
	"github.com/kalamlake/kalam/shell/settings"
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
	Count               int           // Changes of Subscribe after which to end; 0 is none.
	SubscriptionTimeout time.Duration // After which Subscribe ends; 0 is never.

	Format  string        // One of Formats; "" is that of the settings.
	Color   *bool         // nil: if standard output is a terminal, NO_COLOR is not set and the settings do not forbid it.
	Timeout time.Duration // Of one request; 0 is that of the settings, below 0 none.
	Verbose bool          // Show codes and decisions on standard error.

	Variables []string // name=value, for :name in statements.
	Params    []string // Values of $1 to $n in Command or Subscribe.
	Null      *string  // How NULL is shown; nil is that of the settings for people, nothing for programs.
	Quiet     bool     // Show results and errors only.
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

// serverURL returns the address of the server.
func (c Config) serverURL() (string, error) {
	address := c.URL
	if address == "" {
		address = c.Host
	}
	if address == "" {
		address = c.Getenv("KALAM_HOST")
	}
	if address == "" {
		address = c.storedURL()
	}
	if address == "" {
		address = c.file.Host
	}
	switch {
	case strings.Contains(address, "://"):
		if c.Port != 0 && c.URL == "" {
			return withPort(address, c.Port)
		}
		return address, nil
	case c.URL != "":
		scheme := "https://"
		if u, err := url.Parse("//" + address); err == nil && isLoopback(u.Hostname()) {
			scheme = "http://"
		}
		return scheme + address, nil
	}
	return hostURL(address, c.Port)
}

// hostURL returns the address of a host with or without port. A port of the
// command line wins.
func hostURL(address string, port int) (string, error) {
	host, own, err := net.SplitHostPort(address)
	if err != nil {
		host, own = strings.Trim(address, "[]"), ""
	}
	if host == "" {
		host = "localhost"
	}
	if strings.ContainsAny(host, "/?#@ ") {
		return "", usagef("--host %q is neither a URL nor host[:port]", address)
	}
	switch {
	case port != 0:
		own = strconv.Itoa(port)
	case own == "":
		own = strconv.Itoa(defaultPort)
	}
	return "http://" + net.JoinHostPort(host, own), nil
}

// withPort replaces the port of a URL.
func withPort(address string, port int) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", usagef("--host %q is not a URL", address)
	}
	u.Host = net.JoinHostPort(u.Hostname(), strconv.Itoa(port))
	return u.String(), nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// auth returns the credentials: those of the command line, of the environment, of the
// settings, then the tokens that are kept. ask reads a password from the terminal; it is nil without one.
func (c Config) auth(ask edit.Asker) (link.Auth, error) {
	switch {
	case c.Token != "":
		return jwt("--token", c.Token)
	case c.APIKey != "":
		return link.APIKey(c.APIKey), nil
	case c.Password != nil:
		if c.loginUser() == "" {
			return link.Auth{}, usagef("--password needs --user")
		}
		if *c.Password == "" && ask != nil {
			password, err := ask("Password for "+format.Escape(c.loginUser())+": ", false)
			return link.Password(c.loginUser(), password), err
		}
		return link.Password(c.loginUser(), *c.Password), nil
	}
	if p := c.Getenv("KALAM_PASSWORD"); p != "" && c.loginUser() != "" {
		return link.Password(c.loginUser(), p), nil
	}
	if t := c.Getenv("KALAM_TOKEN"); t != "" {
		return jwt("KALAM_TOKEN", t)
	}
	if k := c.Getenv("KALAM_APIKEY"); k != "" {
		return link.APIKey(k), nil
	}
	switch {
	case c.file.Token != "":
		return jwt("connection.token", c.file.Token)
	case c.file.APIKey != "":
		return link.APIKey(c.file.APIKey), nil
	}
	address, err := c.serverURL()
	if err != nil {
		return link.Auth{}, err
	}
	return c.stored(address)
}

func jwt(from, t string) (link.Auth, error) {
	a, err := link.JWT(strings.TrimSpace(t))
	if err != nil {
		return a, usagef("%s: %v", from, err)
	}
	return a, nil
}

// client returns the client that Config describes, and its credentials.
func (c Config) client(ask edit.Asker) (*link.Client, link.Auth, error) {
	auth, err := c.auth(ask)
	if err != nil {
		return nil, auth, err
	}
	client, err := c.clientAs(auth)
	return client, auth, err
}

// clientAs returns the client that Config describes with the given credentials.
func (c Config) clientAs(auth link.Auth) (*link.Client, error) {
	address, err := c.serverURL()
	if err != nil {
		return nil, err
	}
	o := link.Options{URL: address, Auth: auth, User: c.User,
		Namespace: kalam.NamespaceID(c.Namespace), Timeout: c.Timeout, Renew: c.renew,
		NoReconnect: !c.file.AutoReconnect, MaxReconnects: c.file.MaxReconnects,
		FirstWait: c.file.ReconnectDelay, LongestWait: c.file.MaxReconnectDelay}
	if o.MaxReconnects == 0 {
		o.MaxReconnects = -1 // Without limit.
	}
	if auth.User() != "" || auth.IsSession() {
		o.User = "" // The login says who it is.
	}
	client, err := link.New(o)
	switch link.KindOf(err) {
	case link.KindInvalidURL, link.KindInvalidOption:
		return nil, usagef("%v", err)
	}
	return client, err
}
