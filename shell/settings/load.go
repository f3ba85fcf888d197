package settings

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

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
timestamp_format = "iso8601"    # iso8601, iso8601-date, iso8601-datetime, rfc3339, rfc2822, unix-ms, unix-sec, relative, raw
confirm_destructive = false     # ask before DROP and DELETE

[subscription]
last_rows = 0                   # rows with which a live query begins
`
