//go:build unix

package main

import (
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestTerminalRestored ends the shell in every way that a process can see.
func TestTerminalRestored(t *testing.T) {
	s := startServer(t)
	for _, c := range []struct {
		name string
		code int
		end  func(x *terminal)
	}{
		{`\q`, 0, func(x *terminal) { x.typed(`\q` + keyEnter) }},
		{"exit", 0, func(x *terminal) { x.typed("exit;" + keyEnter) }},
		{"quit", 0, func(x *terminal) { x.typed("QUIT" + keyEnter) }},
		{"Ctrl+D", 0, func(x *terminal) { x.typed(ctrlD) }},
		{"SIGTERM", 1, func(x *terminal) { x.cmd.Process.Signal(syscall.SIGTERM) }},
		{"SIGHUP", 1, func(x *terminal) { x.cmd.Process.Signal(syscall.SIGHUP) }},
		{"SIGQUIT", 1, func(x *terminal) { x.cmd.Process.Signal(syscall.SIGQUIT) }},
		{"SIGTERM while a query runs", 1, func(x *terminal) {
			x.typed(endless + keyEnter)
			x.until("the indicator", isRunning)
			x.cmd.Process.Signal(syscall.SIGTERM)
		}},
		{"SIGINT", 0, func(x *terminal) {
			x.typed("SELECT")
			x.line(first + "SELECT")
			x.cmd.Process.Signal(syscall.SIGINT)
			x.shows("Command cancelled")
			x.line(first)
			x.typed(ctrlD)
		}},
		{"a live query", 0, func(x *terminal) {
			x.run("CREATE NAMESPACE IF NOT EXISTS app;")
			x.run("CREATE USER TABLE IF NOT EXISTS app.t (id BIGINT PRIMARY KEY);")
			x.typed("SUBSCRIBE TO app.t;" + keyEnter)
			x.shows("Subscription established")
			x.typed(ctrlC)
			x.shows("Unsubscribed")
			x.line(first)
			x.typed(ctrlD)
		}},
		{"a search", 1, func(x *terminal) {
			x.typed(ctrlR)
			x.shows("reverse-i-search")
			x.cmd.Process.Signal(syscall.SIGTERM)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := s.prompt(t.TempDir())
			x.t = t
			c.end(x)
			if code := x.ends(); code != c.code {
				t.Errorf("exit %d, want %d", code, c.code)
			}
		})
	}
	t.Run("hang-up", func(t *testing.T) {
		x := s.prompt(t.TempDir())
		x.t = t
		x.master.Close()
		x.cmd.Process.Signal(syscall.SIGWINCH) // It writes, which ends the read that keeps the terminal open.
		select {
		case <-x.exited:
		case <-time.After(patience):
			t.Fatal("the shell goes on without its terminal")
		}
		if x.code != 1 {
			t.Errorf("exit %d", x.code)
		}
	})
	t.Run("the server is killed", func(t *testing.T) {
		x := s.prompt(t.TempDir())
		x.t = t
		s.kill()
		x.run("SELECT 1;")
		x.shows("ERROR: Connection failed: cannot reach " + s.url)
		x.typed(ctrlD)
		if code := x.ends(); code != 0 {
			t.Errorf("exit %d", code)
		}
	})
}

func TestPasswordIsAskedFor(t *testing.T) {
	s := startServer(t)
	open := func(t *testing.T, args ...string) *terminal {
		x := startTerminal(t, 80, 24, t.TempDir(), append([]string{"--url", s.url}, args...)...)
		return x
	}
	t.Run("right", func(t *testing.T) {
		x := open(t, "-u", "root")
		x.line("Password for root: ")
		x.typed("wrong" + ctrlU + rootPassword + "x" + keyBackspace + keyEnter)
		x.line(first)
		if all, _ := x.text(); strings.Contains(all, rootPassword) || strings.Contains(all, "wrong") ||
			!strings.Contains(all, "Connected to "+s.url) || !strings.Contains(all, "as root.") {
			t.Errorf("the screen shows\n%s", all)
		}
		x.typed(ctrlD)
		if code := x.ends(); code != 0 {
			t.Errorf("exit %d", code)
		}
	})
	t.Run("and the user", func(t *testing.T) {
		x := open(t)
		x.line("User [system]: ")
		x.typed("root" + keyEnter)
		x.line("Password for root: ")
		x.typed(rootPassword + keyEnter)
		x.line(first)
		x.typed(ctrlD)
		if code := x.ends(); code != 0 {
			t.Errorf("exit %d", code)
		}
	})
	for _, c := range []struct {
		name, keys, want string
		args             []string
	}{
		{"wrong", "nonsense" + keyEnter, "ERROR: Authentication failed: Invalid credentials", []string{"-u", "root"}},
		{"Ctrl+C", ctrlC, "ERROR: interrupted", []string{"-u", "root"}},
		{
			"wrong on the command line", "", "ERROR: Authentication failed: Invalid credentials",
			[]string{"-u", "root", "--password", "nonsense"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := open(t, c.args...)
			if c.keys != "" {
				x.line("Password for root: ")
			}
			x.typed(c.keys)
			if code := x.ends(); code != 1 {
				t.Errorf("exit %d", code)
			}
			x.shows(c.want)
			if all, _ := x.text(); strings.Contains(all, "Connected") || strings.Contains(all, "cannot reach") {
				t.Errorf("the screen shows\n%s", all)
			}
		})
	}
	t.Run("for a command", func(t *testing.T) {
		x := open(t, "-u", "root", "-c", "SELECT 7 AS seven")
		x.line("Password for root: ")
		x.typed(rootPassword + keyEnter)
		if code := x.ends(); code != 0 {
			t.Errorf("exit %d", code)
		}
		x.shows("│ seven │")
	})
	t.Run("SIGTERM", func(t *testing.T) {
		x := open(t, "-u", "root")
		x.line("Password for root: ")
		x.cmd.Process.Signal(syscall.SIGTERM)
		if code := x.ends(); code != 1 {
			t.Errorf("exit %d", code)
		}
	})
	t.Run("unreachable", func(t *testing.T) {
		x := startTerminal(t, 80, 24, t.TempDir(), "--url", "http://127.0.0.1:1", "-u", "root")
		if code := x.ends(); code != 1 {
			t.Errorf("exit %d", code)
		}
		x.shows("Connection failed: cannot reach http://127.0.0.1:1")
		if all, _ := x.text(); strings.Contains(all, "Password") {
			t.Errorf("the screen shows\n%s", all)
		}
	})
}
