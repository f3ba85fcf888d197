package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/kalamlake/kalam/lake/s3/s3test"
	"github.com/kalamlake/kalam/link/wire"
	"github.com/kalamlake/kalam/query/worker"
)

// serveInstead makes the test binary be kalamd, so that tests can kill a server
// of exactly this code without building it once more.
const serveInstead = "KALAMD_TEST_SERVE"

func TestMain(m *testing.M) {
	if code, ok := worker.Main(); ok {
		os.Exit(code)
	}
	if os.Getenv(serveInstead) != "" {
		main()
		return
	}
	os.Exit(s3test.Tests{M: m}.Run())
}

const testRootPassword = "test-root-password"

// process is a kalamd process over a data directory.
type process struct {
	t   testing.TB
	dir string
	env []string
	url string
	log bytes.Buffer
	cmd *exec.Cmd
}

// command prepares kalamd with arguments.
func (p *process) command(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), serveInstead+"=1", "KALAM_ROOT_PASSWORD="+testRootPassword, "KALAM_AUTH_BCRYPT_COST=4",
		"KALAM_RATE_LIMIT_MAX_AUTH_REQUESTS_PER_IP_PER_SEC=0")
	cmd.Env = append(cmd.Env, p.env...)
	cmd.Dir = p.dir
	return cmd
}

// start starts the server on a free port and waits until it serves.
func (p *process) start() {
	p.t.Helper()
	if err := p.tryStart(); err != nil {
		p.t.Fatalf("kalamd does not start: %v\n%s", err, p.log.String())
	}
}

// tryStart is start, and tells why the server ended instead.
func (p *process) tryStart() error {
	p.t.Helper()
	p.cmd = p.command("serve", "--data", filepath.Join(p.dir, "data"), "--listen", "127.0.0.1:0")
	p.log.Reset()
	p.cmd.Stderr = &p.log
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	url, ok := strings.CutPrefix(strings.TrimSpace(line), "kalamd ready on ")
	if err != nil || !ok {
		err = fmt.Errorf("%q, %w, %w", line, err, p.cmd.Wait())
		p.cmd = nil
		return err
	}
	p.url = url
	return nil
}

// kill ends the server by SIGKILL.
func (p *process) kill() {
	p.t.Helper()
	if p.cmd == nil {
		return
	}
	if err := p.cmd.Process.Kill(); err != nil {
		p.t.Fatal(err)
	}
	_ = p.cmd.Wait() // It says "killed".
	p.cmd = nil
}

// login returns an access token.
func (p *process) login(user, password string) string {
	p.t.Helper()
	body, err := json.Marshal(wire.LoginRequest{User: user, Password: password})
	if err != nil {
		p.t.Fatal(err)
	}
	resp, err := http.Post(p.url+"/v1"+wire.PathLogin, "application/json", bytes.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	var out wire.LoginResponse
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil || out.AccessToken == "" {
		p.t.Fatalf("login of %s: status %d, %v", user, resp.StatusCode, err)
	}
	return out.AccessToken
}

// stop ends the server by SIGTERM and waits for it.
func (p *process) stop() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		p.t.Fatalf("stop: %v\n%s", err, &p.log)
	}
	p.cmd = nil
}

// sql runs a statement that has to succeed.
func (p *process) sql(token, sql string) {
	p.t.Helper()
	if status, answer := p.ask(token, sql); status != http.StatusOK {
		p.t.Fatalf("%s: status %d, %s", sql, status, answer)
	}
}

// ask runs a statement and returns the answer.
func (p *process) ask(token, sql string) (status int, answer string) {
	p.t.Helper()
	body, err := json.Marshal(map[string]string{"sql": sql})
	if err != nil {
		p.t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodPost, p.url+"/v1"+wire.PathSQL, bytes.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatalf("%s: %v", sql, err)
	}
	return resp.StatusCode, string(raw)
}
