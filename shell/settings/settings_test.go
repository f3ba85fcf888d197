package settings_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kalamlake/kalam/shell/settings"
)

var formats = []string{"table", "json"}

// write writes a file and returns its path.
func write(t *testing.T, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), settings.ConfigName)
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFirstRun(t *testing.T) {
	path := filepath.Join(t.TempDir(), settings.Directory, settings.ConfigName)
	for range 2 { // The second run reads what the first wrote.
		f, warnings, err := settings.LoadOrCreate(path, formats)
		if err != nil || len(warnings) > 0 {
			t.Fatalf("%v, %v", warnings, err)
		}
		if d := cmp.Diff(settings.Defaults(), f); d != "" {
			t.Error(d)
		}
	}
	for name, mode := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700 | os.ModeDir} {
		if info, err := os.Stat(name); err != nil || info.Mode() != mode {
			t.Errorf("%s has mode %v, want %v", name, info.Mode(), mode)
		}
	}
}

func TestUnwritableHome(t *testing.T) {
	blocked := write(t, "", 0o600) // A file where the directory should be.
	f, warnings, err := settings.LoadOrCreate(filepath.Join(blocked, "x", settings.ConfigName), formats)
	if err != nil || len(warnings) != 1 || !strings.HasPrefix(warnings[0], "the settings cannot be kept: ") {
		t.Errorf("%v, %v", warnings, err)
	}
	if d := cmp.Diff(settings.Defaults(), f); d != "" {
		t.Error(d)
	}
}

// TestEveryKey changes each key from its default.
func TestEveryKey(t *testing.T) {
	const text = `
[connection]
host = "https://db.example:99/base"
user = "alice"
token = "a.b.c"
apikey = "k"
timeout = 0
auto_reconnect = false
reconnect_delay_ms = 5
max_reconnect_delay_ms = 1000
max_reconnect_attempts = 0
[output]
format = "json"
color = false
max_rows = 20
null = "∅"
[ui]
history_size = 10
timestamp_format = "relative"
confirm_destructive = true
[subscription]
last_rows = 7
`
	want := settings.File{
		Host: "https://db.example:99/base", User: "alice", Token: "a.b.c", APIKey: "k",
		ReconnectDelay: 5 * time.Millisecond, MaxReconnectDelay: time.Second,
		Format: "json", MaxRows: 20, Null: "∅",
		HistorySize: 10, TimestampFormat: "relative", ConfirmDestructive: true, LastRows: 7,
	}
	f, warnings, err := settings.Load(write(t, text, 0o600), formats)
	if err != nil || len(warnings) > 0 {
		t.Fatalf("%v, %v", warnings, err)
	}
	if d := cmp.Diff(want, f); d != "" {
		t.Error(d)
	}
}

func TestKalamDBsNames(t *testing.T) {
	f, warnings, err := settings.Load(write(t, `
[server]
timeout = 7
http_version = "auto"
[auth]
jwt_token = "a.b.c"
[ui]
format = "json"
color = false
`, 0o600), formats)
	if err != nil || f.Timeout != 7*time.Second || f.Token != "a.b.c" || f.Format != "json" || f.Color {
		t.Errorf("%+v, %v", f, err)
	}
	if len(warnings) != 1 || !strings.HasSuffix(warnings[0], "line 4: unknown key server.http_version") {
		t.Errorf("warnings %q", warnings)
	}
}

func TestMistakes(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"value", "[output]\n\nformat = \"yaml\"", `line 3: output.format: "yaml" is not allowed (expected table, json)`},
		{"type", "[output]\ncolor = \"yes\"", `line 2: output.color: "yes" is not allowed (expected true or false)`},
		{"bound", "output.max_rows = -1",
			`line 1: output.max_rows: -1 is not allowed (expected a whole number from 0 to 1000000)`},
		{"fraction", "[ui]\nhistory_size = 1.5",
			`line 2: ui.history_size: 1.5 is not allowed (expected a whole number from 0 to 100000)`},
		{"host", "[connection]\nhost = \"ftp://x\"",
			`line 2: connection.host: "ftp://x" is not allowed (expected a URL with http:// or https://, or host[:port])`},
		{"secret", "[connection]\ntoken = 12345", `line 2: connection.token: the value is not allowed (expected text)`},
		{"time", "[ui]\ntimestamp_format = \"swatch\"", `line 2: ui.timestamp_format: "swatch" is not allowed (expected ` +
			`iso8601, iso8601-date, iso8601-datetime, rfc3339, rfc2822, unix-ms, unix-sec, relative, raw)`},
		{"syntax", "[output]\nformat = \n", "line 2: "},
		{"table", "[output\n", "line 1: "},
		{"twice", "[ui]\nhistory_size = 1\nhistory_size = 2\n", "line "},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := write(t, c.text, 0o600)
			_, _, err := settings.LoadOrCreate(path, formats)
			var e *settings.Error
			if !errors.As(err, &e) || !strings.HasPrefix(err.Error(), "Configuration error: "+path+" "+c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

func TestSecretsOthersCanRead(t *testing.T) {
	path := write(t, "[connection]\napikey = \"k\"", 0o644)
	_, warnings, err := settings.Load(path, formats)
	if err != nil || len(warnings) != 1 || !strings.HasSuffix(warnings[0], "chmod 600 "+path) {
		t.Errorf("%q, %v", warnings, err)
	}
}

func TestCredentials(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", settings.CredentialsName)
	c := settings.OpenCredentials(path)
	if _, ok, err := c.Get("local"); ok || err != nil {
		t.Errorf("without a file: %v, %v", ok, err)
	}
	want := settings.Instance{Token: "a.b.c", User: "alice", ServerURL: "http://x", RefreshToken: "d.e.f",
		ExpiresAt: "2026-01-02T03:04:05Z"}
	store := func(settings.Instance) (settings.Instance, error) { return want, nil }
	if err := errors.Join(c.Update("local", store), c.Update("other", store)); err != nil {
		t.Fatal(err)
	}
	if got, ok, err := c.Get("local"); got != want || !ok || err != nil {
		t.Errorf("got %v, %v, %v", got, ok, err)
	}
	if shown := fmt.Sprintf("%v %+v %#v", want, want, want); strings.Contains(shown, "a.b.c") ||
		strings.Contains(shown, "d.e.f") {
		t.Errorf("printed as %s", shown)
	}
	refused := errors.New("refused")
	if err := c.Update("local", func(settings.Instance) (settings.Instance, error) {
		return settings.Instance{}, refused
	}); !errors.Is(err, refused) {
		t.Errorf("error %v", err)
	}
	if err := c.Delete("local"); err != nil {
		t.Fatal(err)
	}
	if names, err := c.Names(); err != nil || !cmp.Equal(names, []string{"other"}) {
		t.Errorf("names %v, %v", names, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	text, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(text), "[instances.other]\njwt_token = 'a.b.c'\n") {
		t.Errorf("the file is\n%s", text)
	}
}

// TestCredentialsOfSeveralShells: no change is lost.
func TestCredentialsOfSeveralShells(t *testing.T) {
	path := filepath.Join(t.TempDir(), settings.CredentialsName)
	var shells sync.WaitGroup
	for i := range 20 {
		shells.Go(func() {
			err := settings.OpenCredentials(path).Update(fmt.Sprint("server", i),
				func(i settings.Instance) (settings.Instance, error) {
					return i, nil
				})
			if err != nil {
				t.Error(err)
			}
		})
	}
	shells.Wait()
	if names, err := settings.OpenCredentials(path).Names(); err != nil || len(names) != 20 {
		t.Errorf("%d names, %v", len(names), err)
	}
}

func TestDamagedCredentials(t *testing.T) {
	path := filepath.Join(t.TempDir(), settings.CredentialsName)
	if err := os.WriteFile(path, []byte("[instances.local]\njwt_token = secret.a.b\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, _, err := settings.OpenCredentials(path).Get("local")
	if err == nil || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "log in again") {
		t.Errorf("error %v", err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}
