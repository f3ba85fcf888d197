package console

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
)

// Path is where the console stands on a server.
const Path = "/ui"

//go:embed page
var page embed.FS

// versionMark stands in the page for the prefix of the REST paths, server.api_version.
const versionMark = "{{api_version}}"

// policy is the Content-Security-Policy: files of this server, requests to it, and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
	"require-trusted-types-for 'script'; trusted-types 'none'"

// file is a file of the page, as it is sent.
type file struct {
	body   []byte
	packed []byte // With gzip.
	media  string
	etag   string // Of both: weak.
}

// Handler answers the requests under Path. It is immutable: any number of goroutines may use it.
type Handler struct{ files map[string]file }

// New returns the handler of a server whose REST paths have the prefix version, a plain segment of a path. The error
// is that of a file of the page which cannot be compressed.
func New(version string) (*Handler, error) {
	h := &Handler{files: map[string]file{}}
	root, err := fs.Sub(page, "page")
	if err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	err = fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		if name == "index.html" {
			body = bytes.ReplaceAll(body, []byte(versionMark), []byte(version))
		}
		h.files[name], err = pack(name, body)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	return h, nil
}

// pack makes a file of its bytes.
func pack(name string, body []byte) (file, error) {
	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return file{}, err
	}
	if _, err := w.Write(body); err != nil {
		return file{}, err
	}
	if err := w.Close(); err != nil {
		return file{}, err
	}
	sum := sha256.Sum256(body)
	return file{
		body: body, packed: packed.Bytes(), media: mediaOf(name), etag: `W/"` + hex.EncodeToString(sum[:12]) + `"`,
	}, nil
}

// mediaOf returns the media type of a file by its name; the tables of the machine do not decide.
func mediaOf(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	}
	return "application/octet-stream"
}

// ServeHTTP answers GET and HEAD of Path and what is under it.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	secure(header)
	name, under := strings.CutPrefix(r.URL.Path, Path+"/")
	if !under {
		// Relative, so that it also holds behind a proxy that puts the server under a path.
		header.Set("Location", strings.TrimPrefix(Path, "/")+"/")
		w.WriteHeader(http.StatusMovedPermanently)
		return
	}
	if name == "" {
		name = "index.html"
	}
	f, ok := h.files[name]
	if !ok {
		http.Error(w, "There is no such file", http.StatusNotFound)
		return
	}
	header.Set("Cache-Control", "no-cache") // It is asked for again with the ETag, so an update shows at once.
	header.Set("ETag", f.etag)
	header.Set("Vary", "Accept-Encoding")
	if matches(r.Header.Get("If-None-Match"), f.etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	body := f.body
	if takesGzip(r.Header.Get("Accept-Encoding")) {
		body = f.packed
		header.Set("Content-Encoding", "gzip")
	}
	header.Set("Content-Type", f.media)
	header.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method == http.MethodHead {
		return
	}
	_, _ = w.Write(body) // It fails only when the browser has gone: nobody is left to be told.
}

// secure sets the headers that hold for every answer.
func secure(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Frame-Options", "DENY")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
}

// matches reports whether a header If-None-Match names the tag.
func matches(header, tag string) bool {
	for part := range strings.SplitSeq(header, ",") {
		if part = strings.TrimSpace(part); part == tag || part == "*" {
			return true
		}
	}
	return false
}

// takesGzip reports whether a header Accept-Encoding takes gzip.
func takesGzip(header string) bool {
	for part := range strings.SplitSeq(header, ",") {
		name, weight, _ := strings.Cut(strings.TrimSpace(part), ";")
		if !strings.EqualFold(strings.TrimSpace(name), "gzip") {
			continue
		}
		q, is := strings.CutPrefix(strings.ReplaceAll(weight, " ", ""), "q=")
		n, err := strconv.ParseFloat(q, 64)
		return !is || err == nil && n > 0
	}
	return false
}
