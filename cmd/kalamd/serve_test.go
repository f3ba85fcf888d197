package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/kalamlake/kalam/api"
	"github.com/kalamlake/kalam/config"
	"github.com/kalamlake/kalam/query/pool"
)

// daemon is a kalamd that runs as a process of its own.
type daemon struct {
	t      *testing.T
	cmd    *exec.Cmd
	stdout *bufio.Reader
	stderr *syncBuffer
	url    string
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// launch starts a process; ready waits until it serves.
func launch(t *testing.T, args ...string) *daemon {
	t.Helper()
	return launchWith(t, nil, args...)
}

// launchWith is launch with more environment.
func launchWith(t *testing.T, env []string, args ...string) *daemon {
	t.Helper()
	p := &daemon{t: t, cmd: exec.CommandContext(t.Context(), os.Args[0], args...), stderr: &syncBuffer{}}
	p.cmd.Env = append(os.Environ(), serveInstead+"=1", "KALAM_ROOT_PASSWORD=root-password", "KALAM_AUTH_BCRYPT_COST=4",
		"KALAM_QUERY_MEMORY_LIMIT=500MB")
	p.cmd.Env = append(p.cmd.Env, env...)
	p.cmd.Dir = t.TempDir()
	p.cmd.Stderr = p.stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.stdout = bufio.NewReader(out)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if p.cmd.ProcessState == nil {
			p.cmd.Process.Kill()
			p.cmd.Wait()
		}
		if t.Failed() {
			t.Logf("log of %v:\n%s", args, p.stderr)
		}
	})
	return p
}

var readyLine = regexp.MustCompile(`^kalamd ready on (http://127\.0\.0\.1:[0-9]+)\n$`)

func (p *daemon) ready() {
	p.t.Helper()
	line, err := p.stdout.ReadString('\n')
	m := readyLine.FindStringSubmatch(line)
	if err != nil || m == nil {
		p.t.Fatalf("ready line %q, %v; log:\n%s", line, err, p.stderr)
	}
	p.url = m[1]
}

// exit waits for the process and returns its status and the rest of stdout.
func (p *daemon) exit() (status int, rest string) {
	p.t.Helper()
	out, err := io.ReadAll(p.stdout)
	if err != nil {
		p.t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil && !errors.As(err, new(*exec.ExitError)) {
		p.t.Fatal(err)
	}
	return p.cmd.ProcessState.ExitCode(), string(out)
}

func (p *daemon) port() string { return p.url[strings.LastIndexByte(p.url, ':')+1:] }

// postJSON sends JSON and returns the body of the answer.
func postJSON(t *testing.T, url, token, body string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	return string(raw)
}

var accessToken = regexp.MustCompile(`"access_token":"([^"]+)"`)

func (p *daemon) login() string {
	p.t.Helper()
	m := accessToken.FindStringSubmatch(postJSON(p.t, p.url+"/v1/api/auth/login", "",
		`{"user":"root","password":"root-password"}`))
	if m == nil {
		p.t.Fatal("login failed")
	}
	return m[1]
}

// TestProcess runs kalamd as a process: ready line, signals, status, data after a
// stop and after a kill. The path of the data is a relative one, as in the README.
func TestProcess(t *testing.T) {
	data := "../data" // Each process starts in a directory of its own, beside the others'.
	args := []string{"serve", "--data", data, "--listen", "127.0.0.1:0"}
	first := launch(t, args...)
	first.ready()
	token := first.login()
	for _, sql := range []string{"CREATE NAMESPACE app", "CREATE USER TABLE app.t (id BIGINT PRIMARY KEY)",
		"INSERT INTO app.t VALUES (1), (2)"} {
		if got := postJSON(t, first.url+"/v1/api/sql", token,
			fmt.Sprintf(`{"sql":%q}`, sql)); !strings.Contains(got, `"status":"success"`) {
			t.Fatalf("%s: %s", sql, got)
		}
	}
	second := launch(t, args...)
	if status, out := second.exit(); status != 1 || out != "" ||
		!strings.Contains(second.stderr.String(), "another process") {
		t.Errorf("a second server on the data directory: status %d, %q, log:\n%s", status, out, second.stderr)
	}
	if err := first.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if status, rest := first.exit(); status != 0 || rest != "" {
		t.Errorf("SIGTERM: status %d, more output %q", status, rest)
	}
	for _, want := range []string{"kalamd starts", "version=dev", "branch=unknown", "duckdb=", "data directory opened",
		"buffer_bytes=", "tables=", "kalamd stopped", "auth.bcrypt_cost=4"} {
		if !strings.Contains(first.stderr.String(), want) {
			t.Errorf("the log does not say %q", want)
		}
	}
	if pool.Available && !strings.Contains(first.stderr.String(), `query_isolation="process`) {
		t.Errorf("queries do not run in processes of their own:\n%s", first.stderr)
	}
	if strings.Contains(first.stderr.String(), "root-password") {
		t.Error("the log holds a password")
	}
	third := launch(t, args...)
	third.ready()
	if got := postJSON(t, third.url+"/v1/api/sql", token,
		`{"sql":"SELECT count(*) AS n FROM app.t"}`); !strings.Contains(got, `[["2"]]`) {
		t.Errorf("after the restart: %s", got) // With the token of before, too.
	}
	if err := third.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	third.exit()
	fourth := launch(t, args...)
	fourth.ready()
	if got := postJSON(t, fourth.url+"/v1/api/sql", token,
		`{"sql":"SELECT count(*) AS n FROM app.t"}`); !strings.Contains(got, `[["2"]]`) {
		t.Errorf("after the kill: %s", got)
	}
	if err := fourth.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if status, _ := fourth.exit(); status != 0 {
		t.Errorf("SIGINT: status %d", status)
	}
}

// TestPortInUse checks that the port is bound before the data directory is touched.
func TestPortInUse(t *testing.T) {
	holder := launch(t, "serve", "--data", filepath.Join(t.TempDir(), "data"), "--listen", "127.0.0.1:0")
	holder.ready()
	data := filepath.Join(t.TempDir(), "untouched")
	p := launch(t, "serve", "--data", data, "--listen", "127.0.0.1:"+holder.port())
	status, out := p.exit()
	want := fmt.Sprintf("kalamd: Port %s is already in use by %s (pid %d)\n", holder.port(),
		filepath.Base(os.Args[0])[:min(15, len(filepath.Base(os.Args[0])))], holder.cmd.Process.Pid)
	if status != 1 || out != "" || p.stderr.String() != want {
		t.Errorf("status %d, stdout %q, stderr %q, want %q", status, out, p.stderr, want)
	}
	if _, err := os.Stat(data); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the data directory was touched: %v", err)
	}
}

func TestCommandLine(t *testing.T) {
	tests := []struct {
		name   string
		args   []string
		status int
		stdout string
		stderr string
	}{
		{"version", []string{"--version"}, 0, "kalamd dev, commit unknown (unknown), built unknown\n", ""},
		{"unknown flag", []string{"serve", "--prot", "1"}, 1, "", "unknown flag: --prot"},
		{"argument", []string{"serve", "x"}, 1, "", "unknown command"},
		{"bad configuration", []string{"serve", "--config", "nothing.toml"}, 1, "", "nothing.toml"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := launch(t, tt.args...)
			status, out := p.exit()
			if status != tt.status || out != tt.stdout || !strings.Contains(p.stderr.String(), tt.stderr) {
				t.Errorf("status %d, stdout %q, stderr %q", status, out, p.stderr)
			}
		})
	}
}

// TestRun runs the server in this process, with its log in a file.
func TestRun(t *testing.T) {
	defer goleak.VerifyNone(t,
		goleak.IgnoreCurrent(),
		// fasthttp keeps one clock for all servers, the cleaner of a worker pool
		// sleeps before it notices that the pool was stopped, and lumberjack's
		// goroutine for old files lives as long as the process.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
		goleak.IgnoreAnyFunction("gopkg.in/natefinch/lumberjack%2ev2.(*Logger).millRun"),
	)
	dir := t.TempDir()
	s := Settings{Config: config.Default(), RootPassword: "root-password"}
	s.Config.Server.Port = 0
	s.Config.Storage.DataPath = filepath.Join(dir, "data")
	s.Config.Auth.BcryptCost = 4
	s.Config.Query.MemoryLimit = "500MB"
	s.Config.Log.File = filepath.Join(dir, "log", "kalamd.log")
	s.Config.Log.Format = "json"
	r, w := io.Pipe()
	m := &Main{Settings: s, Build: api.Version{Version: "test"}, Stdout: w, Stderr: io.Discard}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	url := readyLine.FindStringSubmatch(line)
	if url == nil {
		t.Fatalf("ready line %q", line)
	}
	res, err := http.Get(url[1] + "/health")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	if res.StatusCode != http.StatusOK {
		t.Errorf("health: %d", res.StatusCode)
	}
	cancel()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("the server did not stop")
	}
	log, err := os.ReadFile(s.Config.Log.File)
	if err != nil || !bytes.HasPrefix(log, []byte(`{"time":`)) || !bytes.Contains(log, []byte(`"msg":"kalamd stopped"`)) {
		t.Errorf("%v, log:\n%s", err, log)
	}
}

func TestListenFails(t *testing.T) {
	if _, err := listen("203.0.113.1", 0); err == nil || strings.Contains(err.Error(), "in use") {
		t.Errorf("an address that is not ours: %v", err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	port := ln.Addr().(*net.TCPAddr).Port
	if _, err := listen("127.0.0.1", port); err == nil ||
		!strings.HasPrefix(err.Error(), fmt.Sprintf("Port %d is already in use by ", port)) {
		t.Errorf("%v", err)
	}
}
