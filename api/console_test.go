package api_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/kalamlake/kalam/config"
)

// TestConsole gets the console over the server, which keeps its headers and what else it serves.
func TestConsole(t *testing.T) {
	h := start(t, setup{})
	for path, want := range map[string]int{"/ui/": 200, "/ui/main.js": 200, "/ui/x": 404, "/ui/%2e%2e/v1/health": 404} {
		resp, err := h.client.Get(h.url + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if closed := resp.Body.Close(); err != nil || closed != nil {
			t.Fatal(err, closed)
		}
		if resp.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, resp.StatusCode, want)
		}
		if want == 200 && !strings.Contains(resp.Header.Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%s has no policy: %v", path, resp.Header)
		}
		if path == "/ui/" && !strings.Contains(string(body), `content="v1"`) {
			t.Errorf("the page is %.300s", body)
		}
	}
	h.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := h.client.Get(h.url + "/ui")
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusMovedPermanently || resp.Header.Get("Location") != "ui/" {
		t.Errorf("/ui: %d to %q", resp.StatusCode, resp.Header.Get("Location"))
	}
}

// TestConsoleOff wants no console without ui.enabled.
func TestConsoleOff(t *testing.T) {
	h := start(t, setup{config: func(c *config.Config) { c.UI.Enabled = false }})
	resp, err := h.client.Get(h.url + "/ui/")
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusNotFound {
		t.Errorf("%d", resp.StatusCode)
	}
}
