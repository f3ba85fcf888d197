package shell_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/kalamlake/kalam/link"
	"github.com/kalamlake/kalam/shell"
	"github.com/kalamlake/kalam/shell/edit"
)

// run is shell.Run with what it wrote.
func run(t *testing.T, c shell.Config, in string) (code int, out, errOut string) {
	t.Helper()
	var o, e bytes.Buffer
	code = shell.Run(within(t), c, strings.NewReader(in), &o, &e)
	return code, o.String(), e.String()
}

func TestUsageErrors(t *testing.T) {
	f := newFake(t)
	text := "SELECT 1"
	for name, change := range map[string]func(*shell.Config){
		"two modes":     func(c *shell.Config) { c.Command, c.File = &text, "x" },
		"format":        func(c *shell.Config) { c.Format = "yaml" },
		"port":          func(c *shell.Config) { c.Port = 70000 },
		"count":         func(c *shell.Config) { c.Count = -1 },
		"expiry":        func(c *shell.Config) { c.SubscriptionTimeout = -1 },
		"token":         func(c *shell.Config) { c.Token = "nonsense" },
		"token and key": func(c *shell.Config) { c.Token, c.APIKey = "a.b.c", "k" },
		"namespace":     func(c *shell.Config) { c.Namespace = "a b" },
		"url":           func(c *shell.Config) { c.URL = "ftp://x" },
		"host":          func(c *shell.Config) { c.URL, c.Host = "", "a/b" },
		"user":          func(c *shell.Config) { c.User, c.Password = "a\nb", nil },
		"environment": func(c *shell.Config) {
			c.Password, c.Getenv = nil, func(k string) string { return map[string]string{"KALAM_TOKEN": "x"}[k] }
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := base(f)
			change(&c)
			code, out, errOut := run(t, c, "SELECT 1;")
			if code != shell.ExitUsage || out != "" || !strings.HasPrefix(errOut, "kalam: ") ||
				!strings.Contains(errOut, "--help") {
				t.Errorf("exit %d, stdout %q, stderr %q", code, out, errOut)
			}
		})
	}
	if n := len(f.sent()); n != 0 {
		t.Errorf("%d requests were made", n)
	}
}

func TestExitCodes(t *testing.T) {
	f := newFake(t)
	wrong := "wrong"
	file := filepath.Join(t.TempDir(), "s.sql")
	if err := os.WriteFile(file, []byte("SELECT 1;"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		change func(*shell.Config)
		in     string
		code   int
		errOut string
	}{
		{"file", func(c *shell.Config) { c.File = file }, "", 0, "Completed 1 statements in 0.145s\n"},
		{"standard input as file", func(c *shell.Config) { c.File = "-" }, "SELECT 1;", 0,
			"Completed 1 statements in 0.145s\n"},
		{"missing file", func(c *shell.Config) { c.File = file + "x" }, "", 1, "ERROR: File error: open "},
		{"wrong password", func(c *shell.Config) { c.Password = &wrong }, "SELECT 1;", 1,
			"ERROR: Authentication failed: Invalid credentials"},
		{"unreachable", func(c *shell.Config) { c.URL = "http://127.0.0.1:1" }, "SELECT 1;", 1,
			"ERROR: Connection failed: cannot reach http://127.0.0.1:1: "},
		{"statement", func(c *shell.Config) {}, "FROB;", 1, "ERROR: Statement 1 failed: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := base(f)
			c.change(&config)
			code, out, errOut := run(t, config, c.in)
			if code != c.code || !strings.HasPrefix(errOut, c.errOut) || c.code != 0 && out != "" {
				t.Errorf("exit %d, stdout %q, stderr %q", code, out, errOut)
			}
		})
	}
}

// brokenPipe fails every write.
type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func TestOutputFails(t *testing.T) {
	f := newFake(t)
	for _, format := range shell.Formats() {
		c := base(f)
		c.Format = format
		var errOut bytes.Buffer
		if code := shell.Run(within(t), c, strings.NewReader("SELECT 1; SELECT 1;"), brokenPipe{}, &errOut); code != 1 ||
			!strings.Contains(errOut.String(), "broken pipe") {
			t.Errorf("%s: exit %d, stderr %q", format, code, errOut.String())
		}
	}
}

func TestCredentials(t *testing.T) {
	f := newFake(t)
	env := func(kv ...string) func(string) string {
		return func(k string) string {
			for i := 0; i < len(kv); i += 2 {
				if kv[i] == k {
					return kv[i+1]
				}
			}
			return ""
		}
	}
	password, empty := "secret", ""
	for _, c := range []struct {
		name   string
		config shell.Config
		header map[string]string
	}{
		{"none", shell.Config{}, map[string]string{"Authorization": "", "X-User-Id": "", "X-Api-Key": ""}},
		{"user without credentials", shell.Config{User: "bob"}, map[string]string{"Authorization": "", "X-User-Id": "bob"}},
		{"password", shell.Config{User: "alice", Password: &password},
			map[string]string{"Authorization": "Bearer to.ke.n", "X-User-Id": ""}},
		{"password of the environment", shell.Config{Getenv: env("KALAM_USER", "alice", "KALAM_PASSWORD", "secret")},
			map[string]string{"Authorization": "Bearer to.ke.n"}},
		{"token", shell.Config{Token: "a.b.c"}, map[string]string{"Authorization": "Bearer a.b.c", "X-User-Id": ""}},
		{"token of the environment", shell.Config{Getenv: env("KALAM_TOKEN", "a.b.c")},
			map[string]string{"Authorization": "Bearer a.b.c"}},
		{"token for a user", shell.Config{Token: "a.b.c", User: "bob"},
			map[string]string{"Authorization": "Bearer a.b.c", "X-User-Id": "bob"}},
		{"flag beats environment", shell.Config{User: "alice", Password: &password, Getenv: env("KALAM_TOKEN", "x.y.z")},
			map[string]string{"Authorization": "Bearer to.ke.n"}},
		{"key", shell.Config{APIKey: "k"}, map[string]string{"X-Api-Key": "k", "Authorization": ""}},
		{"key of the environment", shell.Config{Getenv: env("KALAM_APIKEY", "k", "KALAM_HOST", "unused")},
			map[string]string{"X-Api-Key": "k"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := c.config
			config.URL = f.URL
			if config.Getenv == nil {
				config.Getenv = env()
			}
			if code, _, errOut := run(t, config, "SELECT 1;"); code != 0 {
				t.Fatalf("exit %d: %s", code, errOut)
			}
			f.mu.Lock()
			defer f.mu.Unlock()
			for k, want := range c.header {
				if got := f.headers[len(f.headers)-1].Get(k); got != want {
					t.Errorf("%s is %q, want %q", k, got, want)
				}
			}
		})
	}
	t.Run("asked for", func(t *testing.T) {
		prompt := ""
		a, err := shell.Auth(shell.Config{User: "alice", Password: &empty, Getenv: env()},
			func(p string, _ bool) (string, error) { prompt = p; return "typed", nil })
		if err != nil || a.User() != "alice" || prompt != "Password for alice: " {
			t.Errorf("%v, %v, prompt %q", a, err, prompt)
		}
		if a == link.Password("alice", "") || a != link.Password("alice", "typed") {
			t.Error("the typed password is not used")
		}
	})
}

func TestServerURL(t *testing.T) {
	for _, c := range []struct {
		name   string
		config shell.Config
		env    string
		want   string
	}{
		{"default", shell.Config{}, "", "http://localhost:8080"},
		{"environment", shell.Config{}, "https://db.example:99", "https://db.example:99"},
		{"environment host", shell.Config{}, "db", "http://db:8080"},
		{"host", shell.Config{Host: "db"}, "other", "http://db:8080"},
		{"host and port", shell.Config{Host: "db", Port: 99}, "", "http://db:99"},
		{"host with port", shell.Config{Host: "db:98"}, "", "http://db:98"},
		{"flag beats port", shell.Config{Host: "db:98", Port: 99}, "", "http://db:99"},
		{"only port", shell.Config{Port: 99}, "", "http://localhost:99"},
		{"IPv6", shell.Config{Host: "::1"}, "", "http://[::1]:8080"},
		{"IPv6 in brackets", shell.Config{Host: "[::1]", Port: 5}, "", "http://[::1]:5"},
		{"IPv6 with port", shell.Config{Host: "[::1]:7"}, "", "http://[::1]:7"},
		{"host is a URL", shell.Config{Host: "https://db/base"}, "", "https://db/base"},
		{"host is a URL, and port", shell.Config{Host: "https://db/base", Port: 9}, "", "https://db:9/base"},
		{"url", shell.Config{URL: "https://db", Host: "no", Port: 1}, "", "https://db"},
		{"url without scheme", shell.Config{URL: "db.example/base"}, "", "https://db.example/base"},
		{"local url without scheme", shell.Config{URL: "127.0.0.1:8081"}, "", "http://127.0.0.1:8081"},
		{"localhost without scheme", shell.Config{URL: "localhost"}, "", "http://localhost"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.config.Getenv = func(k string) string { return map[string]string{"KALAM_HOST": c.env}[k] }
			got, err := shell.ServerURL(c.config)
			if err != nil || got != c.want {
				t.Errorf("got %s, %v, want %s", got, err, c.want)
			}
		})
	}
}

func TestPlan(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []shell.Step
	}{
		{"empty", " -- x\n", nil},
		{"statements", "A;\n\nB 'x;y'; C", []shell.Step{{"A", false, 1, 1}, {"B 'x;y'", false, 3, 1}, {"C", false, 3, 1}}},
		{"transaction", "A; BEGIN;\nB;\nCOMMIT; C", []shell.Step{{"A", false, 1, 1}, {"BEGIN;\nB;\nCOMMIT", false, 1, 3},
			{"C", false, 3, 1}}},
		{"rollback", "START TRANSACTION; A; ROLLBACK; B", []shell.Step{{"START TRANSACTION; A; ROLLBACK", false, 1, 3},
			{"B", false, 1, 1}}},
		{"transaction without end", "BEGIN; A", []shell.Step{{"BEGIN; A", false, 1, 2}}},
		{"commands", "A;\n\\x\n  \\format json  \nB;\n\\q",
			[]shell.Step{{"A", false, 1, 1}, {`\x`, true, 2, 0}, {`\format json`, true, 3, 0},
				{"B", false, 4, 1}, {`\q`, true, 5, 0}}},
		{"backslash in a string", "A '\n\\x\n'; B", []shell.Step{{"A '\n\\x\n'", false, 1, 1}, {"B", false, 3, 1}}},
		{"backslash in a statement", "A\n\\x\n;B", []shell.Step{{"A\n\\x", false, 1, 1}, {"B", false, 3, 1}}},
		{"backslash after a comment", "-- c\n\\x", []shell.Step{{`\x`, true, 2, 0}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := shell.Plan(c.text)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestUseLasts(t *testing.T) {
	f := newFake(t)
	if code, _, errOut := run(t, base(f), "SELECT 1; USE chat; SELECT 2; BEGIN; SELECT 3; COMMIT;"); code != 0 {
		t.Fatal(errOut)
	}
	want := []string{"SELECT 1", "USE chat", "chat: SELECT 2", "chat: BEGIN; SELECT 3; COMMIT"}
	if d := cmp.Diff(want, f.sent()); d != "" {
		t.Error(d)
	}
}

// TestOutputIsValid reads back what the machine formats print of difficult data.
func TestOutputIsValid(t *testing.T) {
	f := newFake(t)
	c := base(f)
	c.Format = "json"
	_, out, _ := run(t, c, "SELECT * FROM types; SELECT none; SELECT 1;")
	dec := json.NewDecoder(strings.NewReader(out))
	rows := 0
	for n := 0; ; n++ {
		var result []map[string]any
		if err := dec.Decode(&result); errors.Is(err, io.EOF) {
			if n != 3 || rows != 4 {
				t.Errorf("%d results, %d rows", n, rows)
			}
			break
		} else if err != nil {
			t.Fatal(err)
		}
		rows += len(result)
	}
	c.Format = "csv"
	_, out, _ = run(t, c, "SELECT * FROM types;")
	records, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	if err != nil || len(records) != 4 || records[3][2] != "a,\"b\"\n\x1b[31mred\u202e" ||
		records[1][3] != "2026-01-02T03:04:05.123456Z" {
		t.Errorf("%v: %q", err, records)
	}
}

// TestAlignment checks that every line of a table is equally wide on a terminal.
func TestAlignment(t *testing.T) {
	f := newFake(t)
	for _, columns := range []int{0, 60, 40, 25} {
		var out, errOut bytes.Buffer
		c := base(f)
		if code := shell.Interact(within(t), c, &typist{lines: []string{"SELECT * FROM types;", "SELECT wide;"}}, nil,
			columns, &out, &errOut); code != 0 {
			t.Fatal(errOut.String())
		}
		want := 0
		for _, l := range strings.Split(out.String(), "\n") {
			w := text.StringWidthWithoutEscSequences(l)
			switch {
			case strings.HasPrefix(l, "┌"):
				want = w
				if columns > 0 && w > max(columns, 6*(4+3)+1) { // Cells of the six columns keep 4.
					t.Errorf("a table is %d wide on a terminal of %d", w, columns)
				}
			case strings.HasPrefix(l, "│"), strings.HasPrefix(l, "├"), strings.HasPrefix(l, "└"):
				if w != want {
					t.Errorf("line of %d in a table of %d: %s", w, want, l)
				}
			}
			if strings.ContainsAny(l, "\x1b\r\u202e") {
				t.Errorf("control character in %q", l)
			}
		}
	}
}

func TestEscape(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "héllo 你好 👍": "héllo 你好 👍", "a\tb\nc\r": `a\tb\nc\r`, "\x1b[0m\x00\x7f": `\x1b[0m\x00\x7f`,
		"\u0085\u202e\u2066": `\u0085\u202e\u2066`,
	} {
		if got := shell.Escape(in); got != want {
			t.Errorf("Escape(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestExcerpt(t *testing.T) {
	for _, c := range []struct {
		name, sql string
		offset    int
		want      string
	}{
		{"first line", "SELECT x", 7, "LINE 1: SELECT x\n               ^\n"},
		{"second line", "SELECT\n  你好 x\nFROM t", 16, "LINE 2:   你好 x\n               ^\n"},
		{"end", "SELECT", 6, "LINE 1: SELECT\n              ^\n"},
		{"beyond", "SELECT", 7, ""},
		{"control", "\tx", 1, "LINE 1: \\tx\n          ^\n"},
	} {
		if got := shell.Excerpt(c.sql, c.offset, 1, 0); got != c.want {
			t.Errorf("%s: got\n%swant\n%s", c.name, got, c.want)
		}
	}
	long := shell.Excerpt(strings.Repeat("é", 500)+"!"+strings.Repeat("x", 500), 1000, 7, 0)
	lines := strings.Split(long, "\n")
	if len(lines[0]) > 200 || text.StringWidthWithoutEscSequences(lines[0]) > 110 ||
		[]rune(lines[0])[len(lines[1])-1] != '!' {
		t.Errorf("long line:\n%s", long)
	}
}

// typist is an edit.Editor that types lines.
type typist struct {
	lines   []string
	prompts []string
	history []string
}

func (e *typist) ReadLine(_ context.Context, prompt string) (string, error) {
	e.prompts = append(e.prompts, prompt)
	if len(e.lines) == 0 {
		return "", io.EOF
	}
	l := e.lines[0]
	e.lines = e.lines[1:]
	if l == "^C" {
		return "", edit.ErrInterrupted
	}
	return l, nil
}

func (e *typist) Ask(ctx context.Context, question string) (string, error) {
	return e.ReadLine(ctx, question)
}

func (e *typist) Remember(s string) error { e.history = append(e.history, s); return nil }
func (e *typist) Close() error            { return nil }

func TestPrompt(t *testing.T) {
	f := newFake(t)
	e := &typist{lines: []string{
		"", "SELECT", "  1", "", ";", "SELECT 'a", ";b'; INSERT INTO t; SELECT", "2;", "^C", "SELECT", "^C",
		"-- only a comment", "SELECT 'x;", "'; ", `\format csv`, "SELECT 1;", "FROB;", `\q`, "SELECT 9;",
	}}
	var out, errOut bytes.Buffer
	code := shell.Interact(within(t), base(f), e, nil, 0, &out, &errOut)
	golden(t, f, "prompt", code, out.String(), errOut.String())
	wantHistory := []string{
		"SELECT\n  1;", "SELECT 'a\n;b';", "INSERT INTO t;", "SELECT\n2;", "SELECT 'x;\n';",
		`\format csv`, "SELECT 1;", "FROB;", `\q`,
	}
	if d := cmp.Diff(wantHistory, e.history); d != "" {
		t.Error(d)
	}
	const first, next = "alice@default kalam> ", "                  -> "
	if want := []string{first, first, next, next, next, first}; !cmp.Equal(want, e.prompts[:6]) {
		t.Errorf("prompts %q", e.prompts)
	}
}

func TestPromptUnreachable(t *testing.T) {
	f := newFake(t)
	c := base(f)
	c.URL = "http://127.0.0.1:1"
	var out, errOut bytes.Buffer
	code := shell.Interact(within(t), c, &typist{lines: []string{"SELECT 1;"}}, nil, 0, &out, &errOut)
	if code != 1 || !strings.HasPrefix(errOut.String(), "Connection failed: cannot reach http://127.0.0.1:1\n") {
		t.Errorf("exit %d, stderr %s", code, errOut.String())
	}
	wrong := "wrong"
	c = base(f)
	c.Password = &wrong
	errOut.Reset()
	code = shell.Interact(within(t), c, &typist{}, nil, 0, &out, &errOut)
	if code != 1 || errOut.String() != "ERROR: Authentication failed: Invalid credentials\n" {
		t.Errorf("exit %d, stderr %s", code, errOut.String())
	}
}

// TestInterrupt cancels a statement, and the shell goes on.
func TestInterrupt(t *testing.T) {
	f := newFake(t)
	interrupts := make(chan struct{})
	go func() {
		<-f.hang
		interrupts <- struct{}{}
	}()
	var out, errOut bytes.Buffer
	e := &typist{lines: []string{"HANG;", "SELECT 1;"}}
	if code := shell.Interact(within(t), base(f), e, interrupts, 0, &out, &errOut); code != 0 {
		t.Errorf("exit %d", code)
	}
	<-f.gone
	if !strings.Contains(errOut.String(), "ERROR: Canceled: query canceled\n") ||
		!strings.Contains(out.String(), "(1 row)") {
		t.Errorf("stdout %s, stderr %s", out.String(), errOut.String())
	}
}

func TestCancelScript(t *testing.T) {
	f := newFake(t)
	ctx, cancel := context.WithCancel(within(t))
	go func() {
		<-f.hang
		cancel()
	}()
	var out, errOut bytes.Buffer
	if code := shell.Run(ctx, base(f), strings.NewReader("HANG; SELECT 1;"), &out, &errOut); code != 1 ||
		len(f.sent()) != 1 {
		t.Errorf("exit %d, sent %v", code, f.sent())
	}
	<-f.gone
}

func TestLineEditor(t *testing.T) {
	r, w := io.Pipe()
	interrupts := make(chan struct{})
	var out bytes.Buffer
	e := shell.NewLineEditor(r, &out, interrupts)
	ctx, cancel := context.WithCancel(within(t))
	for _, step := range []struct {
		press func()
		text  string
		err   error
	}{
		{func() { fmt.Fprint(w, "one\r\ntwo\n") }, "one", nil},
		{func() {}, "two", nil},
		{func() { interrupts <- struct{}{} }, "", edit.ErrInterrupted},
		{func() { fmt.Fprint(w, "last"); w.Close() }, "last", nil},
		{func() {}, "", io.EOF},
	} {
		typed := make(chan struct{})
		go func() {
			defer close(typed)
			step.press()
		}()
		got, err := e.ReadLine(ctx, "> ")
		if got != step.text || !errors.Is(err, step.err) {
			t.Errorf("got %q, %v, want %q, %v", got, err, step.text, step.err)
		}
		<-typed
	}
	cancel()
	if _, err := e.ReadLine(ctx, "> "); err == nil {
		t.Error("no error after cancel and end")
	}
	if out.String() != "> > > \n> > \n> " {
		t.Errorf("prompts %q", out.String())
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
}

func TestLive(t *testing.T) {
	t.Run("timeout with too few", func(t *testing.T) {
		f := newFake(t)
		f.live = liveFrames[1:2]
		c := base(f)
		c.Subscribe, c.Count, c.SubscriptionTimeout = "SELECT * FROM app.t", 2, 50*time.Millisecond
		code, out, errOut := run(t, c, "")
		if code != 1 || !strings.Contains(out, "INSERT") ||
			!strings.HasSuffix(errOut, "Timeout after 50ms with 1 of 2 changes\n") {
			t.Errorf("exit %d, stdout %s, stderr %s", code, out, errOut)
		}
	})
	t.Run("timeout without count", func(t *testing.T) {
		f := newFake(t)
		c := base(f)
		c.Subscribe, c.SubscriptionTimeout = "SELECT * FROM app.t", time.Millisecond
		if code, _, errOut := run(t, c, ""); code != 0 {
			t.Errorf("exit %d, stderr %s", code, errOut)
		}
	})
	t.Run("options", func(t *testing.T) {
		f := newFake(t)
		f.live = liveFrames[1:2]
		c := base(f)
		c.Count = 1
		for _, q := range []struct{ text, sql, options string }{
			{"SELECT * FROM app.t WHERE id = 1", "SELECT * FROM app.t WHERE id = 1", "null"},
			{"SUBSCRIBE TO app.t WHERE id = 1 LAST 5", "SELECT * FROM app.t WHERE id = 1", `{"last_rows":5}`},
			{"SUBSCRIBE TO SELECT id FROM app.t OPTIONS (batch_size = 7, buffer_size = 3)", "SELECT id FROM app.t",
				`{"batch_size":7,"buffer_size":3}`},
			{"SUBSCRIBE TO app.t OPTIONS (from = 1152921504606846976);", "SELECT * FROM app.t", `{"from":1152921504606846976}`},
			{"SUBSCRIBE TO app.t OPTIONS (frob = 1)", "SUBSCRIBE TO app.t OPTIONS (frob = 1)", "null"},
		} {
			c.Subscribe = q.text
			if code, _, errOut := run(t, c, ""); code != 0 {
				t.Errorf("%s: exit %d, stderr %s", q.text, code, errOut)
			}
			f.mu.Lock()
			got := f.liveSQL[len(f.liveSQL)-1]
			f.mu.Unlock()
			options, err := json.Marshal(got.Options)
			if err != nil || got.SQL != q.sql || string(options) != q.options {
				t.Errorf("%s: sent %s with %s", q.text, got.SQL, options)
			}
		}
	})
	t.Run("interrupted", func(t *testing.T) {
		f := newFake(t)
		f.live = liveFrames[1:2]
		for count, want := range map[int]int{0: 0, 5: 1} {
			ctx, cancel := context.WithCancel(within(t))
			c := base(f)
			c.Subscribe, c.Count = "SELECT * FROM app.t", count
			out := writerFunc(func([]byte) { cancel() })
			var errOut bytes.Buffer
			if code := shell.Run(ctx, c, strings.NewReader(""), out, &errOut); code != want ||
				!strings.HasSuffix(errOut.String(), "Unsubscribed\n") {
				t.Errorf("count %d: exit %d, stderr %s", count, code, errOut.String())
			}
		}
	})
	t.Run("at the prompt", func(t *testing.T) {
		f := newFake(t)
		f.live = liveFrames[1:2]
		interrupts := make(chan struct{})
		once := false
		out := writerFunc(func(b []byte) {
			if strings.Contains(string(b), "INSERT") && !once {
				once = true
				go func() { interrupts <- struct{}{} }()
			}
		})
		var errOut bytes.Buffer
		e := &typist{lines: []string{"SUBSCRIBE TO app.t;", "SELECT 1;"}}
		if code := shell.Interact(within(t), base(f), e, interrupts, 0, out, &errOut); code != 0 ||
			!strings.Contains(errOut.String(), "Unsubscribed") || len(f.sent()) != 2 {
			t.Errorf("exit %d, stderr %s", code, errOut.String())
		}
	})
}

// writerFunc is told what is written.
type writerFunc func([]byte)

func (w writerFunc) Write(b []byte) (int, error) { w(b); return len(b), nil }
