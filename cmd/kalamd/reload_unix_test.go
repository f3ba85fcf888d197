//go:build unix

package main

import (
	"bytes"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/kalamlake/kalam/internal/eventually"
)

// TestReload changes the configuration of a running server, moves its log away, and makes a mistake: SIGHUP takes over
// what can be, names what cannot, and changes nothing for a file with a mistake.
func TestReload(t *testing.T) {
	dir := t.TempDir()
	file, logFile := filepath.Join(dir, "c.toml"), filepath.Join(dir, "kalamd.log")
	configure := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte("[log]\nfile = \""+logFile+"\"\n"+text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	logged := func(parts ...string) bool {
		raw, err := os.ReadFile(logFile)
		if err != nil {
			return false
		}
		for line := range strings.Lines(string(raw)) {
			all := true
			for _, part := range parts {
				all = all && strings.Contains(line, part)
			}
			if all {
				return true
			}
		}
		return false
	}
	configure("level = \"info\"\n")
	p := &process{t: t, dir: dir, env: []string{"KALAM_CONFIG=" + file}}
	p.start()
	t.Cleanup(p.kill)
	root := p.login("root", testRootPassword)
	hang := func() {
		t.Helper()
		if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Rename(logFile, logFile+".1"); err != nil {
		t.Fatal(err)
	}
	configure("level = \"debug\"\nslow_query_ms = 7\n[limits]\nmax_row_bytes = 100\n[buffer]\nhot_bytes = 1000000\n")
	hang()
	eventually.True(t, "the configuration is read again", func() bool {
		return logged("configuration read again", "limits.max_row_bytes", "log.level", "log.slow_query_ms")
	})
	eventually.True(t, "what waits for a restart is named", func() bool { return logged("level=WARN", "wait for a restart", "buffer.hot_bytes") })
	p.sql(root, "CREATE NAMESPACE app; CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, v TEXT)")
	if status, body := p.ask(root, "INSERT INTO app.t VALUES (1, '"+strings.Repeat("x", 200)+"')"); status != 400 ||
		!strings.Contains(body, "exceeds limit of 100 bytes") {
		t.Errorf("a row over the new limit: %d %s", status, body)
	}
	for key, want := range map[string]string{"limits.max_row_bytes": "100", "log.level": "debug", "buffer.hot_bytes": "268435456"} {
		if _, body := p.ask(root, "SELECT value FROM system.settings WHERE name = '"+key+"'"); !strings.Contains(body, `[["`+want+`"]]`) {
			t.Errorf("%s is not %s: %s", key, want, body)
		}
	}
	eventually.True(t, "debug lines are logged", func() bool {
		p.sql(root, "STORAGE FLUSH TABLE app.t")
		return logged("level=DEBUG")
	})
	configure("level = \"loud\"\n[limits]\nmax_row_bytes = 50\n")
	hang()
	eventually.True(t, "the mistake is told", func() bool { return logged("level=ERROR", "nothing of it was taken over", "log.level", "line 3") })
	if _, body := p.ask(root, "SELECT value FROM system.settings WHERE name = 'limits.max_row_bytes'"); !strings.Contains(body, `[["100"]]`) {
		t.Errorf("a configuration with a mistake was taken over: %s", body)
	}
	p.stop()
}

// TestClosedTerminal closes the terminal of a server, which then stops in order.
func TestClosedTerminal(t *testing.T) {
	p := &process{t: t, dir: t.TempDir()}
	cmd := p.command("serve", "--data", filepath.Join(p.dir, "data"), "--listen", "127.0.0.1:0")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	cmd.Stderr = &log
	// Under nohup the tests ignore SIGHUP, and what they start would, too: a signal that is caught here is not ignored
	// there.
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGHUP)
	defer signal.Stop(caught)
	terminal, err := pty.StartWithAttrs(cmd, nil, &syscall.SysProcAttr{Setsid: true, Setctty: true})
	if err != nil {
		t.Fatal(err)
	}
	// A server that does not stop fails the test, and does not hold it up.
	late := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
	t.Cleanup(func() {
		late.Stop()
		cmd.Process.Kill()
	})
	line := make([]byte, 64)
	if n, err := out.Read(line); err != nil || !strings.HasPrefix(string(line[:n]), "kalamd ready on ") {
		t.Fatalf("%q, %v", line[:n], err)
	}
	if err := terminal.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, out); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err != nil || !strings.Contains(log.String(), "kalamd stopped") {
		t.Errorf("%v\n%s", err, &log)
	}
}
