package servertest

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// What servers of Start are configured with.
const (
	RootPassword = "root-password-of-tests"
	JWTSecret    = "a-secret-of-tests-that-is-long-enough" //nolint:gosec // Of tests alone.
)

// Start builds kalamd and runs it until the test ends, with more environment. It returns its URL.
func Start(t testing.TB, environment ...string) string {
	t.Helper()
	dir := t.TempDir()
	program := filepath.Join(dir, "kalamd")
	//nolint:gosec // It is our own program, in a folder of the test.
	build := exec.Command("go", "build", "-tags", "duckdb_arrow", "-buildvcs=false", "-o", program,
		"github.com/kalamlake/kalam/cmd/kalamd")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build kalamd: %v\n%s", err, out)
	}
	//nolint:gosec // As above.
	server := exec.Command(program, "serve", "--data", filepath.Join(dir, "data"), "--listen", "127.0.0.1:0")
	server.Env = append(os.Environ(), "KALAM_ROOT_PASSWORD="+RootPassword, "KALAM_AUTH_JWT_SECRET="+JWTSecret,
		"KALAM_AUTH_BCRYPT_COST=4", "KALAM_RATE_LIMIT_MAX_AUTH_REQUESTS_PER_IP_PER_SEC=0",
		"KALAM_RATE_LIMIT_MAX_QUERIES_PER_SEC=0", "KALAM_RATE_LIMIT_MAX_REQUESTS_PER_IP_PER_SEC=0")
	server.Env = append(server.Env, environment...)
	var log bytes.Buffer
	server.Stderr = &log
	out, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Process.Kill(); err != nil {
			t.Error(err)
		}
		if err := server.Wait(); err == nil {
			t.Error("the server had ended before it was killed")
		}
		if t.Failed() {
			t.Log(log.String())
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	url, ok := strings.CutPrefix(strings.TrimSpace(line), "kalamd ready on ")
	if err != nil || !ok {
		t.Fatalf("kalamd does not start: %q, %v", line, err)
	}
	return url
}
