package api_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/internal/eventually"
)

// export runs EXPORT USER DATA and returns the path of the download when it is ready.
func (h *harness) export(token string) (path string) {
	h.t.Helper()
	h.mustSQL(token, "EXPORT USER DATA")
	eventually.True(h.t, "the export is ready", func() bool {
		res := h.mustSQL(token, "SHOW EXPORT")
		rows := res.Results[0].Rows
		if len(rows) == 0 || string(rows[0][4]) == "null" {
			return false
		}
		var link string
		decode(h.t, string(rows[0][4]), &link)
		u, err := url.Parse(link)
		if err != nil {
			h.t.Fatal(err)
		}
		path = u.EscapedPath()
		return true
	})
	return path
}

// TestExportDownload: the link of SHOW EXPORT gives the zip to its user and to who may act for the
// user; to everybody else, and after it expired, there is no such export.
func TestExportDownload(t *testing.T) {
	h := start(t, setup{})
	root := h.root()
	h.mustSQL(root, "CREATE NAMESPACE app; CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, v TEXT)")
	for _, name := range []string{"alice", "Älice & co.%2F"} {
		alice, bob := h.user(name, kalam.RoleUser), h.user("bob-of-"+hex.EncodeToString([]byte(name)), kalam.RoleUser)
		h.mustSQL(alice, "INSERT INTO app.t VALUES (1, 'canary-export')")
		path := h.export(alice)
		for _, token := range []string{alice, root} {
			res := h.do("GET", path, token, nil)
			sum := sha256.Sum256([]byte(res.body))
			if res.status != http.StatusOK || res.err != nil || res.header.Get("Content-Type") != "application/zip" ||
				!strings.HasPrefix(res.header.Get("Content-Disposition"), `attachment; filename="kalam-export-UE-`) ||
				res.header.Get("X-Checksum-Sha256") != hex.EncodeToString(sum[:]) || res.header.Get("Cache-Control") != "no-store" {
				t.Fatalf("GET %s: %d, %v, %v", path, res.status, res.err, res.header)
			}
			z, err := zip.NewReader(bytes.NewReader([]byte(res.body)), int64(len(res.body)))
			if err != nil || len(z.File) != 2 || z.File[0].Name != "app/t.parquet" {
				t.Errorf("the zip: %v, %v", z, err)
			}
		}
		id := path[strings.LastIndex(path, "/")+1:]
		for _, c := range []struct{ what, path, token string }{
			{"another user", path, bob},
			{"the export under another's name", "/v1/exports/bob-of-" + hex.EncodeToString([]byte(name)) + "/" + id, bob},
			{"another id", strings.TrimSuffix(path, id) + "UE-000000000000", alice},
			{"an id that is a path", strings.TrimSuffix(path, id) + "..%2F" + id, alice},
			{"a user that is a path", "/v1/exports/..%2F..%2Fbuffer/" + id, root},
			{"a user that is no text", "/v1/exports/%ff%00/" + id, root},
		} {
			res := h.do("GET", c.path, c.token, nil)
			if res.status != http.StatusNotFound || res.body != `{"error":"Export not found","code":"EXPORT_NOT_FOUND"}` {
				t.Errorf("%s: %d %s", c.what, res.status, res.body)
			}
		}
		for what, token := range map[string]string{"no token": "", "a bad token": "x.y.z"} {
			if res := h.do("GET", path, token, nil); res.status != http.StatusUnauthorized {
				t.Errorf("%s: %d %s", what, res.status, res.body)
			}
		}
		h.clock.move(23 * time.Hour) // Tokens live for 24.
		if res := h.do("GET", path, alice, nil); res.status != http.StatusOK {
			t.Errorf("after 23 hours: %d %s", res.status, res.body)
		}
		h.clock.move(50 * time.Hour)
		root = h.root()
		if res := h.do("GET", path, root, nil); res.status != http.StatusNotFound {
			t.Errorf("after it expired: %d %s", res.status, res.body)
		}
	}
}

// TestExportEndsWithToken: a download is cut when its token is ended.
func TestExportEndsWithToken(t *testing.T) {
	h := start(t, setup{})
	root := h.root()
	h.mustSQL(root, "CREATE NAMESPACE app; CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, v TEXT)")
	alice := h.user("alice", kalam.RoleUser)
	for i := range 8 { // More than sockets hold, and not to be compressed.
		h.mustSQL(alice, "INSERT INTO app.t SELECT "+strings.Repeat("1", i+1)+"00000 + i, md5((random() + i)::TEXT) || "+
			"md5((random() * i)::TEXT) FROM range(60000) r(i)")
	}
	path := h.export(alice)
	req, err := http.NewRequestWithContext(t.Context(), "GET", h.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+alice)
	res, err := h.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK || res.ContentLength < 12<<20 {
		t.Fatalf("%d, %d bytes", res.StatusCode, res.ContentLength)
	}
	h.mustSQL(root, "DROP USER alice")
	var buf bytes.Buffer
	if n, err := buf.ReadFrom(res.Body); err == nil {
		t.Errorf("all %d bytes came after the user was dropped", n)
	}
}
