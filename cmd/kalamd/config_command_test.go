package main

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/kalamlake/kalam/config"
)

// TestConfigPrint prints the defaults and takes them again, then a configuration with changes, of which a secret is not shown.
func TestConfigPrint(t *testing.T) {
	inDir(t, nil)
	print := func(c *config.Config) string {
		t.Helper()
		var b bytes.Buffer
		if err := printConfig(&b, c); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	again := func(text string) config.Config {
		t.Helper()
		file := filepath.Join(t.TempDir(), "c.toml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := load(flags{config: file}, nil)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if s.Config.Server.CORSOrigins != nil && len(s.Config.Server.CORSOrigins) == 0 {
			s.Config.Server.CORSOrigins = nil // An empty list says the same.
		}
		return s.Config
	}
	defaults := config.Default()
	text := print(&defaults)
	if got := again(text); !reflect.DeepEqual(got, defaults) {
		t.Errorf("the defaults, read again: %+v", got)
	}
	for key, f := range fieldsOf(&defaults) {
		_, name, _ := strings.Cut(key, ".")
		if !strings.Contains(text, "\n"+name+" = ") {
			t.Errorf("%s (%s) is missing", key, f.kind())
		}
	}
	changed := config.Default()
	changed.Server.CORSOrigins = []string{"https://a.example", `https://b.example`}
	changed.Storage.DataPath = `C:\data "x" 'y'` + "\tä\n"
	changed.Auth.JWTSecret = "canary-canary-canary-canary-canary"
	text = print(&changed)
	if strings.Contains(text, "canary") {
		t.Errorf("a secret is shown:\n%s", text)
	}
	changed.Auth.JWTSecret = ""
	if got := again(text); !reflect.DeepEqual(got, changed) {
		t.Errorf("read again: %+v", got)
	}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "#") && len(line) > commentWidth+3 {
			t.Errorf("a comment of %d bytes: %s", len(line), line)
		}
	}
}

// TestConfigCheck runs the command as a process: all mistakes are told at once, in the order of the file, and nothing is
// opened or made.
func TestConfigCheck(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "bad.toml")
	text := `[server]
prot = 1
cors_origins = ["app.example"]
port = 70000
[storage]
data_path = "` + filepath.Join(dir, "data") + `"
[query]
isolation = "jail"
timing = "yes"
[flush]
default_row_limit = 0
schedule = "never"
[sharding]
default_strategy = "zodiac"
[log]
level = "loud"
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := launchWith(t, []string{"KALAM_SERVER_NODDE=x"}, "config", "check", "--config", file)
	status, out := p.exit()
	if status != 1 || out != "" {
		t.Errorf("status %d, %q", status, out)
	}
	lines := strings.Split(strings.TrimSpace(p.stderr.String()), "\n")
	for _, want := range [][]string{
		{"KALAM_SERVER_NODDE", "did you mean KALAM_SERVER_NODE?"},
		{"unknown configuration key server.prot", "bad.toml, line 2", "did you mean server.port?"},
		{"server.cors_origins", "'app.example' is not an origin", "line 3"},
		{"server.port", "0 to 65535", "line 4"},
		{"query.isolation", "auto, process or none", "line 8"},
		{"query.timing", "expected true or false, got yes", "line 9"},
		{"flush.default_row_limit", "at least 1", "line 11"},
		{"flush.schedule", "line 12"},
		{"sharding.default_strategy", "alphabetic, numeric or hash", "line 14"},
		{"log.level", "debug, info, warn or error", "line 16"},
	} {
		if len(lines) == 0 {
			t.Fatalf("no line with %q in\n%s", want, p.stderr)
		}
		for _, part := range want {
			if !strings.Contains(lines[0], part) {
				t.Errorf("%q is not in %s", part, lines[0])
			}
		}
		lines = lines[1:]
	}
	if len(lines) > 0 {
		t.Errorf("more lines: %q", lines)
	}
	good := filepath.Join(dir, "good.toml")
	if err := os.WriteFile(good, []byte("[server]\nport = 1234\n[buffer]\nmax_wal_files = 4\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p = launch(t, "config", "check", "--config", good, "--data", filepath.Join(dir, "data"))
	if status, out := p.exit(); status != 0 || !strings.Contains(out, "good.toml: no mistakes") ||
		!strings.Contains(out, "  server.port=1234\n") || !strings.Contains(out, "note: buffer.max_wal_files has no effect") {
		t.Errorf("status %d, %q, %s", status, out, p.stderr)
	}
	p = launch(t, "config", "print", "--config", good)
	if status, out := p.exit(); status != 0 || !strings.Contains(out, "\nport = 1234\n") || !strings.Contains(out, "\n# address to listen on\nhost = ") {
		t.Errorf("status %d, %q, %s", status, out, p.stderr)
	}
	p = launchWith(t, []string{"KALAM_SERVER_PORT=x"}, "config", "print", "--defaults")
	if status, out := p.exit(); status != 0 || !strings.Contains(out, "\nport = 8080\n") {
		t.Errorf("status %d, %q, %s", status, out, p.stderr)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 2 {
		t.Errorf("something was made: %v, %v", entries, err)
	}
}
