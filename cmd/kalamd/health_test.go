package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// TestHealthCommand asks a server that starts, one that serves, one that does
// not exist, and something that is no kalam server.
func TestHealthCommand(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free := ln.Addr().String()
	ln.Close()
	waiting := launch(t, "health", "--listen", free, "--wait", "60s")
	server := launch(t, "serve", "--data", filepath.Join(t.TempDir(), "data"), "--listen", free)
	server.ready()
	if status, out := waiting.exit(); status != 0 || !strings.HasPrefix(out, "healthy, version dev, up ") {
		t.Errorf("a health command that waited: status %d, %q, %s", status, out, waiting.stderr)
	}
	asked := launch(t, "health", "--listen", "0.0.0.0:"+server.port())
	if status, out := asked.exit(); status != 0 || !strings.HasPrefix(out, "healthy, version dev, up ") {
		t.Errorf("the address of all interfaces: status %d, %q, %s", status, out, asked.stderr)
	}
	if err := server.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	server.exit()
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	tests := []struct{ name, address, want string }{
		{"nobody", free, "no server answers"},
		{"another server", strings.TrimPrefix(other.URL, "http://"), "is not a kalam server (HTTP status 404)"},
		{"no port", "127.0.0.1:0", "name the server by --listen"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := launch(t, "health", "--listen", tt.address)
			if status, out := p.exit(); status != 1 || out != "" || !strings.Contains(p.stderr.String(), tt.want) {
				t.Errorf("status %d, stdout %q, stderr %q, want %q", status, out, p.stderr, tt.want)
			}
		})
	}
}

var setupCommand = regexp.MustCompile(`curl (\S+) -H '(\S+): (\S+)' \\\n *-d '([^']+)'`)

// TestSetupIsExplained starts a server without a password and does literally
// what it prints. A later start has nothing to explain.
func TestSetupIsExplained(t *testing.T) {
	p := &process{t: t, dir: t.TempDir(), env: []string{"KALAM_ROOT_PASSWORD="}}
	data := filepath.Join(p.dir, "data")
	out := p.firstOutput(data, `in its environment\.\n\n$`)
	m := setupCommand.FindStringSubmatch(out)
	if m == nil {
		t.Fatalf("no command in:\n%s", out)
	}
	resp, err := http.Post(m[1], m[3], strings.NewReader(m[4]))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("setup: %d, %s, %v", resp.StatusCode, body, err)
	}
	var passwords struct {
		Root  string `json:"root_password"`
		Admin string `json:"password"`
	}
	if err := json.Unmarshal([]byte(m[4]), &passwords); err != nil {
		t.Fatal(err)
	}
	p.url = "http" + strings.TrimPrefix(m[1][:strings.Index(m[1], "/v1")], "http")
	p.login("root", passwords.Root)
	p.login("admin", passwords.Admin)
	p.kill()
	if out := p.firstOutput(data, `kalamd ready on \S+\n$`); strings.Contains(out, "password") {
		t.Errorf("after the setup: %s", out)
	}
	p.kill()
}

// firstOutput starts the server and returns its output up to where it matches a
// pattern.
func (p *process) firstOutput(data, pattern string) string {
	p.t.Helper()
	p.cmd = p.command("serve", "--data", data, "--listen", "127.0.0.1:0")
	p.log.Reset()
	p.cmd.Stderr = &p.log
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(p.kill)
	until := regexp.MustCompile(pattern)
	var got bytes.Buffer
	for part := make([]byte, 4096); !until.Match(got.Bytes()); {
		n, err := out.Read(part)
		got.Write(part[:n])
		if err != nil {
			p.t.Fatalf("%v after %q; log:\n%s", err, got.String(), p.log.String())
		}
	}
	return got.String()
}

func TestReachable(t *testing.T) {
	tests := []struct{ host, want string }{
		{"", "127.0.0.1:8080"},
		{"0.0.0.0", "127.0.0.1:8080"},
		{"::", "127.0.0.1:8080"},
		{"::1", "[::1]:8080"},
		{"10.0.0.1", "10.0.0.1:8080"},
		{"db.example.org", "db.example.org:8080"},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%q", tt.host), func(t *testing.T) {
			if got := reachable(tt.host, 8080); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}
