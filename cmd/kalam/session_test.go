//go:build unix

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
)

// slowServer is a server that wants credentials, answers "SLOW" when it is told to, and any other
// statement with as many rows as it says: 8 for SELECT 8.
type slowServer struct {
	*httptest.Server
	needsSetup atomic.Bool
	setup      atomic.Value  // The body of the request for it.
	answer     chan struct{} // Closed to answer SLOW.
}

// slow returns the address of a slowServer.
func slow(t *testing.T) string { return newSlow(t).URL }

func newSlow(t *testing.T) *slowServer {
	s := &slowServer{answer: make(chan struct{})}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // What is missing is no statement that is known.
		var q struct{ SQL, User, Password string }
		if err := json.Unmarshal(body, &q); err != nil && len(body) > 0 { // A health check has no body.
			t.Errorf("%s: the body is no JSON: %v", r.URL.Path, err)
		}
		switch {
		case strings.HasSuffix(r.URL.Path, "/status"):
			fmt.Fprintf(w, `{"needs_setup":%t,"message":""}`, s.needsSetup.Load())
			return
		case strings.HasSuffix(r.URL.Path, "/setup"):
			s.setup.Store(string(body))
			s.needsSetup.Store(false)
			fmt.Fprint(w, `{"user":{"id":"ann"},"message":""}`)
			return
		case strings.HasSuffix(r.URL.Path, "/healthcheck"):
			fmt.Fprint(w, `{"status":"healthy","version":"1.2.3"}`)
			return
		case strings.HasSuffix(r.URL.Path, "/login"):
			if q.User != "ann" || q.Password != "s3cret" {
				w.WriteHeader(401)
				fmt.Fprint(w, `{"error":"unauthorized","message":"Invalid credentials"}`)
				return
			}
			fmt.Fprint(w, `{"user":{"id":"ann"},"access_token":"a.b.c","refresh_token":"d.e.f"}`)
			return
		case r.Header.Get("Authorization") == "":
			w.WriteHeader(401)
			fmt.Fprint(w, `{"status":"error","results":[],"took":0,"error":{"code":"MISSING_AUTHORIZATION","message":"log in"}}`)
			return
		case strings.HasPrefix(q.SQL, "SLOW"):
			select {
			case <-s.answer:
			case <-r.Context().Done(): // The shell has gone: the test has failed.
				return
			}
		}
		rows := 1
		text := strings.TrimPrefix(strings.TrimRight(q.SQL, "; "), "SELECT ")
		if n, err := strconv.Atoi(text); err == nil { // Any other statement has one row.
			rows = n
		}
		var cells []string
		for i := range rows {
			cells = append(cells, fmt.Sprintf("[%d]", i+1))
		}
		fmt.Fprintf(w, `{"status":"success","results":[{"schema":[{"name":"n","data_type":"Int","index":0}],"rows":[%s],`+
			`"row_count":%d,"as_user":"ann"}],"took":1}`, strings.Join(cells, ","), rows)
	}))
	t.Cleanup(s.Close)
	return s
}

const annPrompt = "ann@default kalam> "

// TestFirstRun names nobody: the shell asks, shows the name and hides the password, and
// leaves the settings behind.
func TestFirstRun(t *testing.T) {
	home := t.TempDir()
	x := startTerminal(t, 80, 24, home, "--url", slow(t), "--save-credentials")
	x.line("User [system]: ")
	x.typed("amn" + keyBackspace + keyBackspace + "nn" + keyEnter)
	x.line("Password for ann: ")
	x.typed("s3cret" + keyEnter)
	x.line(annPrompt)
	all, _ := x.text()
	if !strings.Contains(all, "User [system]: ann\n") || strings.Contains(all, "s3cret") {
		t.Errorf("the screen shows\n%s", all)
	}
	x.typed(`\q` + keyEnter)
	x.ends()
	for _, name := range []string{"config.toml", "credentials.toml"} {
		info, err := os.Stat(filepath.Join(home, ".kalam", name))
		if err != nil || info.Mode() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}

func TestPagesIndicatorAndConfirmation(t *testing.T) {
	home := t.TempDir()
	config := "[output]\nmax_rows = 3\n[ui]\nconfirm_destructive = true\n"
	if err := os.MkdirAll(filepath.Join(home, ".kalam"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, ".kalam", "config.toml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	server := newSlow(t)
	x := startTerminal(t, 80, 40, home, "--url", server.URL, "-u", "ann", "--password", "s3cret")
	x.line(annPrompt)
	const more = "Press Enter for more, q to stop: "
	x.typed("SELECT 8;" + keyEnter)
	x.line(more)
	x.typed(keyEnter)
	x.shows("│ 4 │")
	x.line(more)
	x.typed("q" + keyEnter)
	x.shows("8 rows (6 shown)")
	x.line(annPrompt)
	x.typed("SLOW;" + keyEnter)
	x.line("Running... 0.2 s")
	close(server.answer)
	x.line(annPrompt)
	if all, _ := x.text(); strings.Contains(all, "Running") {
		t.Errorf("the indicator stays:\n%s", all)
	}
	x.typed("DROP TABLE t;" + keyEnter)
	x.line("Run DROP TABLE t? [y/N] ")
	x.typed(ctrlC)
	x.shows("Not run.")
	x.line(annPrompt)
	x.typed(keyUp + keyEnter)
	x.line("Run DROP TABLE t? [y/N] ")
	x.typed("y" + keyEnter)
	x.shows("(1 row)")
	x.line(annPrompt)
	x.typed(keyUp)
	x.line(annPrompt + "DROP TABLE t;") // The answers are no part of the history.
	x.typed(ctrlC + ctrlD)
	if code := x.ends(); code != 0 {
		t.Errorf("exit %d", code)
	}
}

// TestEditorAndCommandsHaveTheTerminal: $EDITOR and \! find it as it was, and the shell
// goes on after them.
func TestEditorAndCommandsHaveTheTerminal(t *testing.T) {
	home := t.TempDir()
	script := filepath.Join(home, "edit.sh")
	text := "#!/bin/sh\nstty -a | grep -o ' [-]*icanon'\nread answer\necho \"read $answer\"\necho 'SELECT 2;' > \"$1\"\n"
	if err := os.WriteFile(script, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("EDITOR", script)
	x := startTerminal(t, 200, 40, home, "--url", slow(t), "-u", "ann", "--password", "s3cret")
	x.line(annPrompt)
	x.typed(`\e` + keyEnter)
	x.shows(" icanon")
	x.typed("hello" + "\n")
	x.shows("read hello")
	x.shows("(2 rows)")
	x.line(annPrompt)
	x.typed(`\! echo $((6*7))` + keyEnter)
	x.shows("\n42\n")
	x.line(annPrompt)
	x.typed(`\i ` + home + "/ed" + keyTab)
	x.line(annPrompt + `\i ` + home + "/edit.sh")
	x.typed(ctrlC)
	x.line(annPrompt)
	x.typed(keyUp)
	x.line(annPrompt + `\! echo $((6*7))`)
	x.typed(keyUp)
	x.line(annPrompt + "SELECT 2;")
	x.typed(ctrlC + ctrlD)
	if code := x.ends(); code != 0 {
		t.Errorf("exit %d", code)
	}
}

// TestSetupDialog sets a new server up; two passwords that differ are asked for again.
func TestSetupDialog(t *testing.T) {
	server := newSlow(t)
	server.needsSetup.Store(true)
	x := startTerminal(t, 80, 24, t.TempDir(), "--url", server.URL)
	x.line("This server has no passwords yet. Set them now? [Y/n] ")
	x.typed(keyEnter)
	x.line("Name of the first administrator: ")
	x.typed("ann" + keyEnter)
	x.line("New password for ann: ")
	x.typed("s3cret" + keyEnter)
	x.line("The same again: ")
	x.typed("secret" + keyEnter)
	x.shows("They differ; try again.")
	x.line("New password for ann: ")
	x.typed("s3cret" + keyEnter)
	x.line("The same again: ")
	x.typed("s3cret" + keyEnter)
	x.line("New password for root: ")
	x.typed("r00t" + keyEnter)
	x.line("The same again: ")
	x.typed("r00t" + keyEnter)
	x.shows("The server is set up.")
	x.line(annPrompt)
	x.typed(ctrlD)
	x.ends()
	if got, _ := server.setup.Load().(string); got != `{"user":"ann","password":"s3cret","root_password":"r00t"}` {
		t.Errorf("sent %s", got)
	}
}

func TestSecretsAreNotInTheProcessList(t *testing.T) {
	if runtime.GOOS != "linux" {
		return // The list is read from /proc.
	}
	x := startTerminal(t, 80, 24, t.TempDir(), "--url", slow(t), "-u", "ann", "--password=s3cret")
	x.line(annPrompt)
	list, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", x.cmd.Process.Pid))
	if err != nil || strings.Contains(string(list), "s3cret") || !strings.Contains(string(list), "--password=xxxxxx\x00") {
		t.Errorf("%q, %v", list, err)
	}
	x.typed(ctrlD)
	x.ends()
}
