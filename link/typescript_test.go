package link_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/kalamlake/kalam/internal/servertest"
)

const oldestNode = 20

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
	t.Log(inClient(t, servertest.Start(t), node, args...))
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
	url := servertest.Start(t, "KALAM_SERVER_CORS_ORIGINS="+page.URL)
	t.Log(inClient(t, url, node, "--experimental-websocket", "--test", "--test-reporter=spec", "build/browser/chromium.test.js"))
}

// TestConsole tests the console of a server of this code in Chromium, as TestReactPage does the page. With
// KALAM_SCREENSHOTS, a directory, it leaves pictures there.
func TestConsole(t *testing.T) {
	if os.Getenv("KALAM_CHROMIUM") == "" {
		t.Log("NOT CHECKED: the console in Chromium; scripts/browser does")
		return
	}
	node, problem := nodeForClient()
	if problem != "" {
		t.Fatal(problem)
	}
	inClient(t, "", "npm", "run", "--silent", "build:test")
	t.Log(inClient(t, servertest.Start(t), node, "--experimental-websocket", "--test", "--test-reporter=spec",
		"build/browser/console.test.js"))
}

// inClient runs a command in link/js, for tests of the server at the URL, and returns what it prints.
func inClient(t *testing.T, url, name string, args ...string) string {
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = "js"
	cmd.Env = append(os.Environ(),
		"KALAM_TEST_URL="+url, "KALAM_TEST_ROOT_PASSWORD="+servertest.RootPassword, "KALAM_TEST_JWT_SECRET="+servertest.JWTSecret)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return string(out)
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
