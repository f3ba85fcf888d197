package link_test

import (
	"bufio"
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

const (
	rootPassword = "root-password-of-tests"
	jwtSecret    = "a-secret-of-tests-that-is-long-enough"
	oldestNode   = 20
)

// TestTypeScript builds the TypeScript client and runs its tests in node, against a server of this code. It
// needs node and what `npm ci` in link/js installs. Without them it says so and checks nothing, unless
// KALAM_NODE is "required", as in .ci/run.
func TestTypeScript(t *testing.T) {
	node, problem := nodeForClient()
	if problem != "" {
		if os.Getenv("KALAM_NODE") == "required" {
			t.Fatal(problem)
		}
		t.Log("NOT CHECKED: the TypeScript client: " + problem)
		return
	}
	t.Log(inClient(t, "", "npm", "run", "--silent", "build:test"))
	tests, err := filepath.Glob("js/build/*.test.js")
	if err != nil || len(tests) == 0 {
		t.Fatalf("no tests, %v", err)
	}
	// Node 20 has a WebSocket by this flag, later ones without it, too.
	args := []string{"--experimental-websocket", "--test", "--test-reporter=spec"}
	for _, path := range tests {
		args = append(args, filepath.Join("build", filepath.Base(path)))
	}
	t.Log(inClient(t, startServer(t), node, args...))
}

// TestReactPage builds the page of examples/react and runs its tests in Chromium, with the page on one origin and
// a server of this code on another. scripts/browser, which installs what it needs, sets KALAM_CHROMIUM to the
// program; without it nothing is checked.
func TestReactPage(t *testing.T) {
	chromium := os.Getenv("KALAM_CHROMIUM")
	if chromium == "" {
		t.Log("NOT CHECKED: the React page in Chromium; scripts/browser does")
		return
	}
	node, problem := nodeForClient()
	if problem != "" {
		t.Fatal(problem)
	}
	inClient(t, "", "npm", "run", "--silent", "build:test")
	inClient(t, "", "npm", "--prefix", "examples/react", "run", "--silent", "build")
	page := httptest.NewServer(http.FileServer(http.Dir("js/examples/react/dist")))
	defer page.Close()
	t.Setenv("KALAM_TEST_PAGE", page.URL)
	url := startServer(t, "KALAM_SERVER_CORS_ORIGINS="+page.URL)
	t.Log(inClient(t, url, node, "--experimental-websocket", "--test", "--test-reporter=spec", "build/browser/chromium.test.js"))
}

// inClient runs a command in link/js, for tests of the server at the URL, and returns what it prints.
func inClient(t *testing.T, url, name string, args ...string) string {
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = "js"
	cmd.Env = append(os.Environ(),
		"KALAM_TEST_URL="+url, "KALAM_TEST_ROOT_PASSWORD="+rootPassword, "KALAM_TEST_JWT_SECRET="+jwtSecret)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return string(out)
}

// startServer builds kalamd and runs it until the test ends, with more environment. It returns its URL.
func startServer(t *testing.T, environment ...string) string {
	dir := t.TempDir()
	program := filepath.Join(dir, "kalamd")
	build := exec.Command("go", "build", "-tags", "duckdb_arrow", "-buildvcs=false", "-o", program, "../cmd/kalamd")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build kalamd: %v\n%s", err, out)
	}
	server := exec.Command(program, "serve", "--data", filepath.Join(dir, "data"), "--listen", "127.0.0.1:0")
	server.Env = append(os.Environ(), "KALAM_ROOT_PASSWORD="+rootPassword, "KALAM_AUTH_JWT_SECRET="+jwtSecret,
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

// nodeForClient returns the node to test with, or else why there is none.
func nodeForClient() (node, problem string) {
	node, err := exec.LookPath("node")
	if err != nil {
		return "", "node is absent"
	}
	version, err := exec.Command(node, "--version").Output()
	if err != nil {
		return "", "node --version: " + err.Error()
	}
	major := regexp.MustCompile(`^v(\d+)`).FindSubmatch(version)
	if major == nil {
		return "", "a node of version " + string(version)
	}
	if n, err := strconv.Atoi(string(major[1])); err != nil || n < oldestNode {
		return "", "node " + strings.TrimSpace(string(version)) + " is too old"
	}
	if _, err := os.Stat("js/node_modules/typescript"); err != nil {
		return "", "run `npm ci` in link/js first"
	}
	return node, ""
}
