package shell_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kalamlake/kalam/shell"
	"github.com/kalamlake/kalam/shell/settings"
)

// home returns a home with the given config.toml, none for "".
func home(t *testing.T, config string) string {
	t.Helper()
	dir := t.TempDir()
	if config != "" {
		writeFile(t, filepath.Join(dir, settings.Directory, settings.ConfigName), config)
	}
	return dir
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// environment returns a Getenv of pairs of names and values.
func environment(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

// lastHeader returns the header of the last request for SQL.
func (f *fake) lastHeader() http.Header {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.headers[len(f.headers)-1]
}

// TestFlagsEnvironmentFile: flags win over the environment, which wins over the file.
func TestFlagsEnvironmentFile(t *testing.T) {
	f := newFake(t)
	password := "secret"
	const token = "[connection]\nhost = \"$URL\"\ntoken = \"f.i.le\"\n"
	for _, c := range []struct {
		name, file  string
		env         []string
		config      shell.Config
		auth, actor string
	}{
		{"file", token, nil, shell.Config{}, "Bearer f.i.le", ""},
		{"environment", token, []string{"KALAM_TOKEN", "e.n.v"}, shell.Config{}, "Bearer e.n.v", ""},
		{"flag", token, []string{"KALAM_TOKEN", "e.n.v"}, shell.Config{Token: "f.l.ag"}, "Bearer f.l.ag", ""},
		{"a default user is not sent", token + "user = \"bob\"\n", nil, shell.Config{}, "Bearer f.i.le", ""},
		{"a user that was named is", token, nil, shell.Config{User: "bob"}, "Bearer f.i.le", "bob"},
		{"a user of the environment too", token, []string{"KALAM_USER", "eve"}, shell.Config{}, "Bearer f.i.le", "eve"},
		{"the user of the file logs in", "[connection]\nhost = \"$URL\"\nuser = \"alice\"\n", nil,
			shell.Config{Password: &password}, "Bearer to.ke.n", ""},
		{"with the password of the environment", "[connection]\nhost = \"$URL\"\nuser = \"alice\"\n",
			[]string{"KALAM_PASSWORD", "secret"}, shell.Config{}, "Bearer to.ke.n", ""},
		{"no credentials", "[connection]\nhost = \"$URL\"\n", nil, shell.Config{}, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := c.config
			dir := home(t, strings.ReplaceAll(c.file, "$URL", f.URL))
			config.Getenv = environment(append(c.env, "HOME", dir)...)
			code, _, errOut := run(t, config, "SELECT 1;")
			if code != 0 {
				t.Fatalf("exit %d: %s", code, errOut)
			}
			h := f.lastHeader()
			if h.Get("Authorization") != c.auth || h.Get("X-User-Id") != c.actor {
				t.Errorf("Authorization %q, X-User-Id %q", h.Get("Authorization"), h.Get("X-User-Id"))
			}
		})
	}
	t.Run("format", func(t *testing.T) {
		dir := home(t, "[connection]\nhost = \""+f.URL+"\"\n[output]\nformat = \"csv\"\n")
		_, out, _ := run(t, shell.Config{Getenv: environment("HOME", dir)}, "SELECT 1;")
		if out != "n\n1\n" {
			t.Errorf("the file's format: %s", out)
		}
		_, out, _ = run(t, shell.Config{Getenv: environment("HOME", dir), Format: "json"}, "SELECT 1;")
		if out != "[{\"n\":1}]\n" {
			t.Errorf("the flag's format: %s", out)
		}
	})
	t.Run("host", func(t *testing.T) {
		dir := home(t, "[connection]\nhost = \"http://127.0.0.1:1\"\n")
		code, _, errOut := run(t, shell.Config{Getenv: environment("HOME", dir, "KALAM_HOST", f.URL)}, "SELECT 1;")
		if code != 0 {
			t.Errorf("exit %d: %s", code, errOut)
		}
	})
}

func TestConfigurationErrors(t *testing.T) {
	dir := home(t, "[output]\nformat = \"yaml\"\n")
	code, _, errOut := run(t, shell.Config{Getenv: environment("HOME", dir)}, "SELECT 1;")
	want := "ERROR: Configuration error: " + filepath.Join(dir, ".kalam", "config.toml") +
		" line 2: output.format: \"yaml\" is not allowed (expected table, "
	if code != 1 || !strings.HasPrefix(errOut, want) {
		t.Errorf("exit %d: %s", code, errOut)
	}
	code, _, errOut = run(t, shell.Config{Getenv: environment(), ConfigFile: dir + "/none.toml"}, "SELECT 1;")
	if code != 1 || !strings.HasPrefix(errOut, "ERROR: Configuration error: open "+dir+"/none.toml: ") {
		t.Errorf("a missing --config: exit %d: %s", code, errOut)
	}
}

// TestStoredCredentials stores the tokens of a login and uses them without a password.
func TestStoredCredentials(t *testing.T) {
	f := newFake(t)
	dir := home(t, "")
	first := base(f)
	first.Getenv, first.SaveCredentials = environment("HOME", dir), true
	if code, _, errOut := run(t, first, "SELECT 1;"); code != 0 {
		t.Fatalf("exit %d: %s", code, errOut)
	}
	path := filepath.Join(dir, settings.Directory, settings.CredentialsName)
	text, err := os.ReadFile(path)
	if err != nil || strings.Contains(string(text), "secret") || !strings.Contains(string(text), "to.ke.n") {
		t.Fatalf("the file is %s, %v", text, err)
	}
	then := shell.Config{URL: f.URL, Getenv: environment("HOME", dir)}
	use := func(c shell.Config) string {
		t.Helper()
		if code, _, errOut := run(t, c, "SELECT 1;"); code != 0 {
			t.Fatalf("exit %d: %s", code, errOut)
		}
		return f.lastHeader().Get("Authorization")
	}
	if got := use(then); got != "Bearer to.ke.n" {
		t.Errorf("sent %q", got)
	}
	other := then
	other.User = "bob"
	if got := use(other); got != "" {
		t.Errorf("for another user: sent %q", got)
	}
	g := newFake(t)
	stranger := then
	stranger.URL = g.URL
	if code, _, _ := run(t, stranger, "SELECT 1;"); code != 0 || g.lastHeader().Get("Authorization") != "" {
		t.Errorf("to another server: exit %d", code)
	}
	named := then
	named.URL, named.Instance = "", "local"
	if got := use(named); got != "Bearer to.ke.n" {
		t.Errorf("by the instance's name: sent %q", got)
	}
	f.expire()
	if got := use(then); got != "Bearer ne.w.er" {
		t.Errorf("with an expired token: sent %q", got)
	}
	if text, err := os.ReadFile(path); err != nil || !strings.Contains(string(text), "ne.w.er") {
		t.Errorf("the new token is not stored: %s, %v", text, err)
	}
	command := `\show-credentials`
	then.Command = &command
	code, out, errOut := run(t, then, "")
	if code != 0 || out != "" || !strings.HasPrefix(errOut, "local: "+f.URL+" as alice, token [redacted], good until ") {
		t.Errorf("exit %d: %s", code, errOut)
	}
	command = `\delete-credentials`
	if code, _, errOut := run(t, then, ""); code != 0 || errOut != "Credentials of local deleted.\n" {
		t.Errorf("exit %d: %s", code, errOut)
	}
	command = "SELECT 1"
	if code, _, _ := run(t, then, ""); code != 0 || f.lastHeader().Get("Authorization") != "" {
		t.Errorf("after deletion: exit %d", code)
	}
}
