package api_test

import (
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// unpacked returns a body as it was before it was compressed.
func unpacked(t *testing.T, res response) string {
	t.Helper()
	var r io.Reader
	var err error
	switch encoding := res.header.Get("Content-Encoding"); encoding {
	case "":
		return res.body
	case "gzip":
		r, err = gzip.NewReader(strings.NewReader(res.body))
	case "zstd":
		r, err = zstd.NewReader(strings.NewReader(res.body))
	default:
		t.Fatalf("content encoding %q", encoding)
	}
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// TestContentEncoding asks for results in each encoding: small ones, those that are sent at
// once and those in pieces, as JSON and as Arrow.
func TestContentEncoding(t *testing.T) {
	h := start(t, setup{})
	root := h.root()
	for _, c := range []struct{ accept, want string }{
		{"", ""},
		{"identity", ""},
		{"gzip", "gzip"},
		{"zstd", "zstd"},
		{"gzip, zstd", "zstd"},
		{"GZIP;q=1.0, zstd;q=0.5, br", "gzip"},
		{"gzip;q=0, deflate", ""},
		{"zstd;q=x, gzip ; q=0.1", "gzip"},
		{"*", ""},
	} {
		for _, mime := range []string{"application/json", "application/vnd.apache.arrow.stream"} {
			for _, sql := range []string{
				"SELECT 1 AS n",
				"SELECT range AS n FROM range(1000)",
				"SELECT range AS n, repeat('x', 100) AS body FROM range(30000)",
			} {
				ask := func(accept string) response {
					res := h.do("POST", "/v1/api/sql", root, map[string]string{"sql": sql},
						"Accept", mime, "Accept-Encoding", accept)
					if res.status != http.StatusOK || res.header.Get("Vary") != "Accept-Encoding" {
						t.Fatalf("%q: %d, %v", accept, res.status, res.header)
					}
					return res
				}
				plain, res := ask("identity"), ask(c.accept)
				want := c.want
				if len(plain.body) < 1400 {
					want = ""
				}
				if got := res.header.Get("Content-Encoding"); got != want {
					t.Errorf("%q, %s: encoding %q, want %q", c.accept, sql, got, want)
				}
				got, told := unpacked(t, res), plain.body
				if mime == "application/json" {
					got, told = took.ReplaceAllString(got, ""), took.ReplaceAllString(told, "")
				}
				if got != told {
					t.Errorf("%q, %s, %s: another answer", c.accept, mime, sql)
				}
				if want != "" && len(res.body) > len(plain.body)/2 {
					t.Errorf("%q, %s: %d bytes of %d", c.accept, sql, len(res.body), len(plain.body))
				}
			}
		}
	}
}

// took is what a document says about its time and the cache.
var took = regexp.MustCompile(`"took(_ms)?":[0-9.]+|"cache_hit":(true|false)`)

// TestContentEncodingOfFailures: a failure is told in whatever encoding the rows before it
// had.
func TestContentEncodingOfFailures(t *testing.T) {
	h := start(t, setup{})
	root := h.root()
	for _, accept := range []string{"gzip", "zstd"} {
		res := h.do("POST", "/v1/api/sql", root,
			map[string]string{"sql": "SELECT CASE WHEN range = 99999 THEN error('late') ELSE repeat('x', 200) END AS body FROM range(100000)"},
			"Accept-Encoding", accept)
		body := unpacked(t, res)
		if !strings.Contains(body, `"status":"error"`) || !strings.Contains(body, "late") {
			t.Errorf("%s: status %d, ends with %s", accept, res.status, body[max(0, len(body)-300):])
		}
		if res := h.do("POST", "/v1/api/sql", root, map[string]string{"sql": "SELEC"},
			"Accept-Encoding", accept); res.status != 400 {
			t.Errorf("%s: %d", accept, res.status)
		}
	}
}
