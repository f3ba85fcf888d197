package settings

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Directory is where a user's files are, below their home.
const Directory = ".kalam"

// Names of the files in Directory.
const (
	ConfigName      = "config.toml"
	CredentialsName = "credentials.toml"
)

// File is what config.toml says.
type File struct {
	Host   string // A URL, or a host with or without port.
	User   string // Who logs in when nobody else is named.
	Token  string
	APIKey string

	Timeout           time.Duration // Of one request; 0 is without end.
	AutoReconnect     bool
	ReconnectDelay    time.Duration // Before the first attempt.
	MaxReconnectDelay time.Duration
	MaxReconnects     int // In a row; 0 is without limit.

	Format  string
	Color   bool // On terminals.
	MaxRows int  // Of one page on a terminal; 0 is without pages.
	Null    string

	HistorySize        int
	TimestampFormat    string
	ConfirmDestructive bool

	LastRows int // Rows with which a live query begins.
}

// Defaults returns what holds without a file.
func Defaults() File {
	return File{
		Host: "http://localhost:8080", User: "system",
		Timeout: 30 * time.Second, AutoReconnect: true, ReconnectDelay: 100 * time.Millisecond,
		MaxReconnectDelay: 30 * time.Second, MaxReconnects: 10,
		Format: "table", Color: true, MaxRows: 1000, Null: "NULL",
		HistorySize: 1000, TimestampFormat: "iso8601",
	}
}

// template is what the first run writes. A test holds it equal to Defaults.
const template = `# Settings of the kalam shell. Flags win over the environment, which wins over this file.

[connection]
host = "http://localhost:8080"  # a URL, or host[:port]  (KALAM_HOST)
user = "system"                 # who logs in when nobody is named  (KALAM_USER)
# token = ""                    # KALAM_TOKEN
# apikey = ""                   # KALAM_APIKEY
timeout = 30                    # seconds of one request; 0 is without end
auto_reconnect = true           # of live queries
reconnect_delay_ms = 100
max_reconnect_delay_ms = 30000
max_reconnect_attempts = 10     # in a row; 0 is without limit

[output]
format = "table"
color = true                    # on terminals
max_rows = 1000                 # of a page on a terminal; 0 is without pages
null = "NULL"                   # how NULL is shown in tables

[ui]
history_size = 1000
timestamp_format = "iso8601"    # iso8601, iso8601-date, iso8601-datetime, rfc3339, rfc2822, unix-ms, unix-sec, relative
confirm_destructive = false     # ask before DROP and DELETE

[subscription]
last_rows = 0                   # rows with which a live query begins
`

// Load reads a file. The warnings are for the user. The error is an *Error for what
// the file says, else that of the system: fs.ErrNotExist if there is no file.
func Load(path string, formats []string) (f File, warnings []string, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Defaults(), nil, err
	}
	f, warnings, err = parse(path, text, formats)
	if err == nil && (f.Token != "" || f.APIKey != "") && othersRead(path) {
		warnings = append(warnings, path+" holds a secret and others can read it; run: chmod 600 "+path)
	}
	return f, warnings, err
}

// LoadOrCreate is Load of a file that is written with the defaults if there is none.
// That it cannot be written is a warning.
func LoadOrCreate(path string, formats []string) (f File, warnings []string, err error) {
	f, warnings, err = Load(path, formats)
	if err == nil {
		return f, warnings, nil
	}
	var wrong *Error
	if errors.As(err, &wrong) {
		return f, nil, err
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = create(path)
	}
	if err != nil {
		warnings = append(warnings, fmt.Sprintf("the settings cannot be kept: %v", err))
	}
	return Defaults(), warnings, nil
}

// create writes the first file. Another shell may have been faster.
func create(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = f.WriteString(template)
	return errors.Join(err, f.Close())
}

// othersRead reports whether a file can be read by others than its owner.
func othersRead(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().Perm()&0o077 != 0 && modesMatter
}
