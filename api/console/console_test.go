package console_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/kalamlake/kalam/api/console"
)

// mostPacked is how many bytes the whole page may take on its way, with gzip.
const mostPacked = 60 << 10

func handler(t *testing.T) *console.Handler {
	t.Helper()
	h, err := console.New("v1")
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func get(h http.Handler, method, path string, headers ...string) *http.Response {
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func bodyOf(t *testing.T, r *http.Response) []byte {
	t.Helper()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// names returns the files of the page.
func names(t *testing.T) []string {
	t.Helper()
	list, err := fs.Glob(os.DirFS("page"), "*")
	if err != nil || len(list) < 10 {
		t.Fatalf("%d files, %v", len(list), err)
	}
	return list
}

func TestHeaders(t *testing.T) {
	h := handler(t)
	for _, path := range []string{"/ui", "/ui/", "/ui/main.js", "/ui/absent"} {
		r := get(h, http.MethodGet, path)
		csp := r.Header.Get("Content-Security-Policy")
		for _, part := range []string{
			"default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "frame-ancestors 'none'",
			"base-uri 'none'", "form-action 'none'", "require-trusted-types-for 'script'", "trusted-types 'none'",
		} {
			if !strings.Contains(csp+";", part+";") {
				t.Errorf("%s: the policy has no %q: %s", path, part, csp)
			}
		}
		if regexp.MustCompile(`unsafe|\*|data:|blob:|https?:`).MatchString(csp) {
			t.Errorf("%s: the policy has holes: %s", path, csp)
		}
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer",
			"Cross-Origin-Opener-Policy": "same-origin",
		} {
			if got := r.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
	}
}

func TestFiles(t *testing.T) {
	h := handler(t)
	total := 0
	for _, name := range names(t) {
		path := "/ui/" + name
		plain, packed := get(h, http.MethodGet, path), get(h, http.MethodGet, path, "Accept-Encoding", "br, gzip")
		if plain.StatusCode != http.StatusOK || packed.Header.Get("Content-Encoding") != "gzip" {
			t.Fatalf("%s: %d, encoding %q", name, plain.StatusCode, packed.Header.Get("Content-Encoding"))
		}
		small := bodyOf(t, packed)
		total += len(small)
		z, err := gzip.NewReader(bytes.NewReader(small))
		if err != nil {
			t.Fatal(err)
		}
		if text, err := io.ReadAll(z); err != nil || !bytes.Equal(text, bodyOf(t, plain)) {
			t.Errorf("%s: gzip holds something else, %v", name, err)
		}
		if strings.HasPrefix(plain.Header.Get("Content-Type"), "application/octet-stream") {
			t.Errorf("%s has no media type", name)
		}
		again := get(h, http.MethodGet, path, "If-None-Match", `"x", `+plain.Header.Get("ETag"))
		if again.StatusCode != http.StatusNotModified || len(bodyOf(t, again)) > 0 {
			t.Errorf("%s: %d for its own ETag", name, again.StatusCode)
		}
		head := get(h, http.MethodHead, path)
		if len(bodyOf(t, head)) > 0 || head.Header.Get("Content-Length") != plain.Header.Get("Content-Length") {
			t.Errorf("%s: HEAD differs from GET", name)
		}
	}
	t.Logf("%d files, %d bytes with gzip", len(names(t)), total)
	if total > mostPacked {
		t.Errorf("the page takes %d bytes, the most is %d", total, mostPacked)
	}
}

func TestAnswers(t *testing.T) {
	h := handler(t)
	r := get(h, http.MethodGet, "/ui")
	if r.StatusCode != http.StatusMovedPermanently || r.Header.Get("Location") != "ui/" {
		t.Errorf("/ui: %d to %q", r.StatusCode, r.Header.Get("Location"))
	}
	for _, path := range []string{"/ui/absent.js", "/ui/../handler.go", "/ui/page/index.html", "/ui/%2e%2e/handler.go"} {
		if r := get(h, http.MethodGet, path); r.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d", path, r.StatusCode)
		}
	}
	if r := get(h, http.MethodGet, "/ui/main.js", "Accept-Encoding", "gzip;q=0"); r.Header.Get("Content-Encoding") != "" {
		t.Error("gzip was sent to who refuses it")
	}
	other, err := console.New("v7")
	if err != nil {
		t.Fatal(err)
	}
	if page := bodyOf(t, get(other, http.MethodGet, "/ui/")); !bytes.Contains(page, []byte(`content="v7"`)) {
		t.Error("the page does not know server.api_version")
	}
}

// TestOffline holds the page to this server, and to text: no address of another one, nothing that makes markup or
// code of text, no inline script or style, which the policy would refuse.
func TestOffline(t *testing.T) {
	foreign := regexp.MustCompile(`(https?:)?//[a-z0-9-]+\.[a-z]`)
	markup := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|\beval\b|new Function|` +
		`setAttribute\("style"|\bstyle="|javascript:|srcdoc|sessionStorage\.|\son[a-z]+="`)
	imports := regexp.MustCompile(`(?:from|import)\s*\(?"([^"]+)"`)
	known := map[string]bool{}
	for _, name := range names(t) {
		known["./"+name] = true
	}
	found := 0
	for _, name := range names(t) {
		text, err := os.ReadFile("page/" + name)
		if err != nil {
			t.Fatal(err)
		}
		plain := strings.ReplaceAll(string(text), "http://www.w3.org/2000/svg", "")
		if at := foreign.FindString(plain); at != "" {
			t.Errorf("%s names %s", name, at)
		}
		if at := markup.FindString(plain); at != "" {
			t.Errorf("%s has %s", name, at)
		}
		for _, m := range imports.FindAllStringSubmatch(plain, -1) {
			found++
			if !known[m[1]] {
				t.Errorf("%s imports %s, which there is not", name, m[1])
			}
		}
		if name == "index.html" && regexp.MustCompile(`<script[^>]*>[^<]|<style`).MatchString(plain) {
			t.Error("index.html has a script or style inline")
		}
	}
	if found < 20 {
		t.Errorf("only %d imports were found", found)
	}
}
