package s3_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/lake/s3"
	"github.com/kalamlake/kalam/lake/s3/s3test"
)

type fault = s3test.Fault

var (
	answer  = s3test.Answer
	reset   = s3test.Reset
	lost    = s3test.Lost
	cut     = s3test.Cut
	flipped = s3test.Flipped
	hang    = s3test.Hang
	times   = s3test.Times
	method  = s3test.Method
)

// operation is one call of a storage that holds "old" and "x".
type operation struct {
	name   string
	method func(*http.Request) bool // The request that fails.
	run    func(t *testing.T, ctx context.Context, s *s3.Storage) error
}

func move(_ *testing.T, ctx context.Context, s *s3.Storage) error { return s.Move(ctx, "old", "new") }

var operations = []operation{
	{"Commit", method("PUT"), func(t *testing.T, ctx context.Context, s *s3.Storage) error {
		return s.Commit(ctx, stagedObject(t, s, "new", []byte("content")))
	}},
	{"Replace", method("PUT"), func(t *testing.T, ctx context.Context, s *s3.Storage) error {
		return s.Replace(ctx, "old", []byte("content"))
	}},
	{"Remove", method("DELETE"), func(_ *testing.T, ctx context.Context, s *s3.Storage) error {
		return s.Remove(ctx, "old")
	}},
	{"Move", method("POST"), move},
	{"Move, copy", method("PUT"), move},
	{"Move, removal", method("DELETE"), move},
	{"Open", method("HEAD"), func(t *testing.T, ctx context.Context, s *s3.Storage) error {
		o, err := s.Open(ctx, "old")
		if err != nil {
			return err
		}
		return o.Close()
	}},
	{"ReadAt", method("GET"), func(t *testing.T, ctx context.Context, s *s3.Storage) error {
		o, err := s.Open(ctx, "old")
		if err != nil {
			return err
		}
		b, err := io.ReadAll(io.NewSectionReader(o, 0, o.Size()))
		if err == nil && string(b) != "old content" {
			err = fmt.Errorf("read %q", b)
		}
		return errors.Join(err, o.Close())
	}},
	{"LocalPath", method("GET"), func(t *testing.T, ctx context.Context, s *s3.Storage) error {
		name, release, err := s.LocalPath(ctx, "old")
		if err != nil {
			return err
		}
		defer release()
		b, err := os.ReadFile(name)
		if err == nil && string(b) != "old content" {
			err = fmt.Errorf("read %q", b)
		}
		return err
	}},
	{"List", method("GET"), func(t *testing.T, ctx context.Context, s *s3.Storage) error {
		return s.List(ctx, "", func(lake.Entry) error { return nil })
	}},
}

// prepared returns a storage that holds "old", made by a Replace so that nothing is cached.
func prepared(t *testing.T, change func(*s3.Options)) (*s3.Storage, *front) {
	t.Helper()
	f := newFront(t)
	o := f.options(t)
	if change != nil {
		change(&o)
	}
	s := open(t, o)
	put(t, s, "x", nil) // Conditions are tried out.
	if err := s.Replace(t.Context(), "old", []byte("old content")); err != nil {
		t.Fatal(err)
	}
	return s, f
}

func TestTransientFailuresAreRepeated(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]fault{
		"SlowDown": answer(503, "SlowDown"), "500": answer(500, "InternalError"), "429": answer(429, "TooManyRequests"),
		"conflict": answer(409, "ConditionalRequestConflict"), "reset": reset, "lost": lost, "cut": cut,
		"no time": hang,
	} {
		for _, op := range operations {
			if name == "conflict" && op.name == "Open" {
				continue // The answer to a HEAD has no code.
			}
			t.Run(name+"/"+op.name, func(t *testing.T) {
				t.Parallel()
				s, front := prepared(t, func(o *s3.Options) {
					if name == "no time" {
						o.RequestTimeout = 500 * time.Millisecond
					}
				})
				broken, matched := times(2, op.method, f)
				front.breakWith(broken)
				if err := op.run(t, t.Context(), s); err != nil {
					t.Fatalf("%s = %v", op.name, err)
				}
				if matched.Load() < 3 && name != "cut" && name != "lost" { // Half of an empty body is all of it.
					t.Errorf("%d requests", matched.Load())
				}
				front.breakWith(nil)
				want := "old x"
				switch op.name {
				case "Commit":
					want = "new old x"
				case "Remove":
					want = "x"
				case "Move", "Move, copy", "Move, removal":
					want = "new x"
				}
				if got := strings.Join(list(t, s, ""), " "); got != want {
					t.Errorf("the storage holds %s, want %s", got, want)
				}
			})
		}
	}
}

func TestRefusalsAreNotRepeated(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		fault fault
		code  kalam.Code
		text  string
	}{
		{"AccessDenied", answer(403, "AccessDenied"), kalam.CodeInternal, "refuses the credentials"},
		{"InvalidRequest", answer(400, "InvalidRequest"), kalam.CodeInternal, "InvalidRequest"},
		{"NotImplemented", answer(501, "NotImplemented"), kalam.CodeInternal, "NotImplemented"},
		{"no space", answer(507, "XMinioStorageFull"), kalam.CodeResourceExhausted, "no space left"},
		{"quota", answer(403, "QuotaExceeded"), kalam.CodeResourceExhausted, "no space left"},
		{"no bucket", answer(404, "NoSuchBucket"), kalam.CodeInternal, "does not exist"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, front := prepared(t, nil)
			broken, matched := times(1<<60, method("PUT"), c.fault)
			front.breakWith(broken)
			err := s.Replace(t.Context(), "d/manifest.json", []byte("content"))
			if kalam.CodeOf(err) != c.code || !strings.Contains(err.Error(), "replace d/manifest.json: ") ||
				!strings.Contains(err.Error(), c.text) {
				t.Errorf("Replace = %v (code %d)", err, kalam.CodeOf(err))
			}
			for _, word := range []string{secretKey, accessKey + " ", "127.0.0.1"} {
				if strings.Contains(strings.ReplaceAll(err.Error(), "lake/a", ""), word) {
					t.Errorf("%q shows %q", err, word)
				}
			}
			if matched.Load() != 1 {
				t.Errorf("%d requests", matched.Load())
			}
		})
	}
}

// TestRetriesAreLimited also looks at what the log says of them.
func TestRetriesAreLimited(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]fault{"503": answer(503, "SlowDown"), "reset": reset} {
		for _, op := range operations {
			t.Run(name+"/"+op.name, func(t *testing.T) {
				t.Parallel()
				var log bytes.Buffer
				s, front := prepared(t, func(o *s3.Options) {
					o.Retries, o.Logger = 2, slog.New(slog.NewTextHandler(&log, nil))
				})
				front.breakWith(func(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) { f(w, r, pass) })
				before := front.Requests.Load()
				err := op.run(t, t.Context(), s)
				if !errors.Is(err, lake.ErrUnavailable) || kalam.CodeOf(err) != kalam.CodeInternal {
					t.Errorf("%s = %v", op.name, err)
				}
				if n := front.Requests.Load() - before; n < 3 || n > 6 {
					t.Errorf("%d requests", n)
				}
				text := err.Error() + log.String()
				if strings.Contains(text, "lake/a/old") || strings.Contains(text, front.bucket+"/lake/a/n") ||
					strings.Contains(text, secretKey+" (") || !strings.Contains(log.String(), "is repeated") {
					t.Errorf("the error or the log is %s", text)
				}
			})
		}
	}
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	s := open(t, s3.Options{
		Endpoint: "http://" + listener.Addr().String(), AllowHTTP: true, Bucket: "bucket", PathStyle: true,
		Dir: t.TempDir(), Retries: 1, RetryWait: time.Millisecond,
	})
	d := stagedObject(t, s, "a", []byte("x"))
	for name, err := range map[string]error{
		"Commit":  s.Commit(t.Context(), d),
		"Replace": s.Replace(t.Context(), "a", nil),
		"Remove":  s.Remove(t.Context(), "a"),
		"Move":    s.Move(t.Context(), "a", "b"),
		"List":    s.List(t.Context(), "", nil),
		"Open":    func() error { _, err := s.Open(t.Context(), "a"); return err }(),
	} {
		if !errors.Is(err, lake.ErrUnavailable) || errors.Is(err, lake.ErrNotExist) {
			t.Errorf("%s = %v", name, err)
		}
	}
	if h := s.Check(t.Context()); h.Status() != "unreachable" || !errors.Is(h.Err, lake.ErrUnavailable) {
		t.Errorf("Check() = %+v", h)
	}
}

// TestMissingBucket: that an object is not there is not the same as that nothing is.
func TestMissingBucket(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	o := f.options(t)
	o.Bucket = "no-such-bucket"
	s := open(t, o)
	_, err := s.Open(t.Context(), "a")
	if err == nil || errors.Is(err, lake.ErrNotExist) ||
		!strings.Contains(err.Error(), "no-such-bucket does not exist") {
		t.Errorf("Open = %v", err)
	}
	if h := s.Check(t.Context()); h.Status() != "unreachable" || h.Err == nil {
		t.Errorf("Check() = %+v", h)
	}
}

func TestFailedCommitLeavesNothing(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]fault{
		"503": answer(503, "SlowDown"), "403": answer(403, "AccessDenied"), "lost": lost, "no time": hang,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			front := newFront(t)
			o := front.options(t)
			o.Retries = 1
			if name == "no time" {
				o.RequestTimeout = time.Second
			}
			s := open(t, o)
			put(t, s, "x", nil)
			front.breakWith(func(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
				// What is lost is lost every time, and then even the question what became of it.
				if strings.HasSuffix(r.URL.Path, "/c") && (r.Method == "PUT" || name == "lost" && r.Method == "HEAD") {
					f(w, r, pass)
					return
				}
				pass(w, r)
			})
			staged := []lake.Staged{stagedObject(t, s, "d/a", []byte("1")), stagedObject(t, s, "d/b", nil),
				stagedObject(t, s, "d/c", []byte("3"))}
			err := s.Commit(t.Context(), staged...)
			if err == nil || !strings.Contains(err.Error(), "commit d/c: ") {
				t.Fatalf("Commit = %v", err)
			}
			front.breakWith(nil)
			want := "x"
			if name == "lost" {
				want = "d/c x" // The storage did not answer whose object that is.
			}
			if got := strings.Join(list(t, s, ""), " "); got != want {
				t.Errorf("the storage holds %s, want %s", got, want)
			}
			for _, d := range staged {
				if _, err := os.Stat(d.LocalPath()); !errors.Is(err, os.ErrNotExist) {
					t.Errorf("the file of a staged object: %v", err)
				}
			}
		})
	}
}

// TestEndOfContext: a slow storage does not hold up who does not wait any more, and what
// was begun is taken back.
func TestEndOfContext(t *testing.T) {
	t.Parallel()
	s, front := prepared(t, nil)
	content := bytes.Repeat([]byte("0123456789"), 100_000)
	if err := s.Replace(t.Context(), "large", content); err != nil {
		t.Fatal(err)
	}
	slow := func(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
		if r.Method != "GET" || !strings.HasSuffix(r.URL.Path, "/large") {
			pass(w, r)
			return
		}
		whole := httptest.NewRecorder()
		pass(whole, r)
		for k, v := range whole.Header() {
			w.Header()[k] = v
		}
		w.WriteHeader(whole.Code)
		for body := whole.Body; body.Len() > 0 && r.Context().Err() == nil; { // 10 kB/s
			if _, err := w.Write(body.Next(500)); err != nil {
				return
			}
			_ = http.NewResponseController(w).Flush() // A client that went ends the loop.
			select {
			case <-r.Context().Done():
			case <-time.After(50 * time.Millisecond):
			}
		}
	}
	front.breakWith(slow)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	began := time.Now()
	if _, _, err := s.LocalPath(ctx, "large"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("LocalPath = %v", err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
	front.breakWith(nil)
	if got := local(t, s, "large"); !bytes.Equal(got, content) {
		t.Errorf("then there are %d bytes", len(got))
	}
	front.breakWith(func(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
		if r.Method == "PUT" && strings.HasSuffix(r.URL.Path, "/b") {
			hang(w, r, pass)
		}
		pass(w, r)
	})
	ctx, cancel = context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	err := s.Commit(ctx, stagedObject(t, s, "a", []byte("1")), stagedObject(t, s, "b", []byte("2")))
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Commit = %v", err)
	}
	front.breakWith(nil)
	if got := strings.Join(list(t, s, ""), " "); got != "large old x" {
		t.Errorf("the storage holds %s", got)
	}
}

// TestLatency: a storage that takes two seconds for an answer is only slow.
func TestLatency(t *testing.T) {
	t.Parallel()
	s, front := prepared(t, nil)
	late, _ := times(1, method("PUT"), func(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
		select {
		case <-time.After(2 * time.Second):
		case <-r.Context().Done():
		}
		pass(w, r)
	})
	front.breakWith(late)
	before := front.Requests.Load()
	put(t, s, "late", []byte("x"))
	if n := front.Requests.Load() - before; n != 1 {
		t.Errorf("%d requests", n)
	}
}

// TestDownloadGoesOn: what was read before a connection broke is not asked for again.
func TestDownloadGoesOn(t *testing.T) {
	t.Parallel()
	s, front := prepared(t, func(o *s3.Options) { o.Retries = 1 })
	content := bytes.Repeat([]byte("0123456789abcdef"), 100_000)
	if err := s.Replace(t.Context(), "large", content); err != nil {
		t.Fatal(err)
	}
	// More breaks than retries: each got on. Each leaves half of what was left.
	broken, matched := times(5, method("GET"), cut)
	front.breakWith(broken)
	if got := local(t, s, "large"); !bytes.Equal(got, content) {
		t.Errorf("%d bytes", len(got))
	}
	if n := matched.Load(); n != 6 {
		t.Errorf("%d requests", n)
	}
	broken, _ = times(5, method("GET"), cut)
	front.breakWith(broken)
	if err := s.Replace(t.Context(), "large", content); err != nil { // Nothing is cached.
		t.Fatal(err)
	}
	o, err := s.Open(t.Context(), "large")
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	got := make([]byte, len(content))
	if n, err := o.ReadAt(got, 0); n != len(got) || err != nil || !bytes.Equal(got, content) {
		t.Errorf("ReadAt = %d, %v", n, err)
	}
}

func TestWrongBytes(t *testing.T) {
	t.Parallel()
	s, front := prepared(t, nil)
	broken, matched := times(1, method("GET"), flipped)
	front.breakWith(broken)
	if got := local(t, s, "old"); string(got) != "old content" || matched.Load() != 2 {
		t.Errorf("%q after %d requests", got, matched.Load())
	}
	if err := s.Replace(t.Context(), "old", []byte("newer content")); err != nil {
		t.Fatal(err)
	}
	broken, _ = times(1<<60, method("GET"), flipped)
	front.breakWith(broken)
	_, _, err := s.LocalPath(t.Context(), "old")
	if kalam.CodeOf(err) != kalam.CodeCorrupt || !strings.Contains(err.Error(), "old is damaged") {
		t.Errorf("LocalPath = %v", err)
	}
	front.breakWith(nil)
	if got := local(t, s, "old"); string(got) != "newer content" {
		t.Errorf("then it is %q", got)
	}
}

// TestServerWithoutConditions: a server that would overwrite objects is found out before
// it can.
func TestServerWithoutConditions(t *testing.T) {
	t.Parallel()
	conditional := func(r *http.Request) bool { return r.Header.Get("If-None-Match") != "" }
	accept := func(w http.ResponseWriter, r *http.Request, _ http.HandlerFunc) {
		_, _ = io.Copy(io.Discard, r.Body) // As a server does.
		w.Header().Set("ETag", `"x"`)
		if r.Method == "POST" {
			const result = "CompleteMultipartUploadResult"
			fmt.Fprintf(w, "<%s><Bucket>b</Bucket><Key>k</Key><ETag>x</ETag></%s>", result, result)
		}
	}
	for name, f := range map[string]struct {
		match func(*http.Request) bool
		fault fault
	}{
		"of requests": {func(r *http.Request) bool { return conditional(r) && r.Method == "PUT" }, accept},
		"of uploads":  {func(r *http.Request) bool { return conditional(r) && r.Method == "POST" }, accept},
		"it says so":  {conditional, answer(501, "NotImplemented")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, front := openFront(t)
			broken, _ := times(1<<60, f.match, f.fault)
			front.breakWith(broken)
			if err := s.Commit(t.Context(), stagedObject(t, s, "a", []byte("x"))); !errors.Is(err, s3.ErrNoConditions) {
				t.Errorf("Commit = %v", err)
			}
			if h := s.Check(t.Context()); !errors.Is(h.Err, s3.ErrNoConditions) || h.Writable ||
				h.Status() != "degraded" {
				t.Errorf("Check() = %+v", h)
			}
			front.breakWith(nil)
			if got := list(t, s, ""); len(got) != 0 {
				t.Errorf("the storage holds %q", got)
			}
			if h := s.Check(t.Context()); h.Status() != "healthy" {
				t.Errorf("after it was mended, Check() = %+v", h)
			}
		})
	}
}

// TestDirectoryGone: a failure of this machine's disk is none of the storage.
func TestDirectoryGone(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	o := f.options(t)
	s := open(t, o)
	if err := s.Replace(t.Context(), "a", []byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(o.Dir); err != nil {
		t.Fatal(err)
	}
	_, _, err := s.LocalPath(t.Context(), "a")
	if err == nil || errors.Is(err, lake.ErrUnavailable) || errors.Is(err, lake.ErrNotExist) ||
		strings.Contains(err.Error(), filepath.Dir(o.Dir)) {
		t.Errorf("LocalPath = %v", err)
	}
}
