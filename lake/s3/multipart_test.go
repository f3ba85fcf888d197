package s3_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/lake/s3"
	"github.com/kalamlake/kalam/lake/s3/s3test"
)

// randomBytes returns content of three parts.
func randomBytes() []byte {
	b := make([]byte, 11<<20+3)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b) // never fails
	return b
}

// uploads returns the paths of the multipart uploads that were not ended.
func uploads(t *testing.T, s *s3.Storage) []string {
	t.Helper()
	var paths []string
	if err := s.Uploads(t.Context(), func(u s3.Upload) error {
		if u.ID == "" || u.Started.IsZero() {
			t.Errorf("upload %+v", u)
		}
		paths = append(paths, u.Path)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return paths
}

func TestLargeObject(t *testing.T) {
	t.Parallel()
	s, f := openFront(t)
	content := randomBytes()
	put(t, s, "users/a/large", content)
	o, err := f.client(t).GetObject(t.Context(), f.bucket, "lake/a/users/a/large", minio.GetObjectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(o)
	if err := errors.Join(err, o.Close()); err != nil || !bytes.Equal(got, content) {
		t.Errorf("another client reads %d bytes, %v", len(got), err)
	}
	small, again := stagedObject(t, s, "small", []byte("x")),
		stagedObject(t, s, "users/a/large", slices.Concat(content, content))
	err = s.Commit(t.Context(), small, again)
	if !errors.Is(err, lake.ErrExist) {
		t.Errorf("Commit over it = %v", err)
	}
	if got := uploads(t, s); len(got) != 0 {
		t.Errorf("uploads %q", got)
	}
	if got := list(t, s, ""); !slices.Equal(got, []string{"users/a/large"}) {
		t.Errorf("the storage holds %q", got)
	}
	if err := s.Move(t.Context(), "users/a/large", "b"); err != nil {
		t.Fatal(err)
	}
	if got := local(t, s, "b"); !bytes.Equal(got, content) {
		t.Errorf("after the move it has %d bytes", len(got))
	}
	testRanges(t, s, f, content)
}

// testRanges reads ranges around the borders of blocks of the object b.
func testRanges(t *testing.T, s *s3.Storage, f *front, content []byte) {
	t.Helper()
	o := f.options(t) // With an empty cache.
	other := open(t, o)
	object, err := other.Open(t.Context(), "b")
	if err != nil {
		t.Fatal(err)
	}
	defer object.Close()
	const block = 128 << 10
	end := int64(len(content))
	for _, off := range []int64{0, 1, block - 1, block, 3*block + 7, end - 5, end - block - 1} {
		for _, n := range []int{1, 8, block - 1, block, block + 1, 3 * block} {
			b := make([]byte, n)
			got, err := object.ReadAt(b, off)
			want := content[off:min(off+int64(n), int64(len(content)))]
			if !bytes.Equal(b[:got], want) || (err != nil) != (len(want) < n) || err != nil && !errors.Is(err, io.EOF) {
				t.Errorf("ReadAt(%d bytes at %d) = %d, %v", n, off, got, err)
			}
		}
	}
	small := make([]byte, 100)
	if n := f.asks(func() {
		for off := range int64(1000) {
			if _, err := object.ReadAt(small, 5*block+off); err != nil {
				t.Error(err)
			}
		}
	}); n != 1 {
		t.Errorf("reads beside each other took %d requests", n)
	}
	if err := s.Replace(t.Context(), "b", content); err != nil {
		t.Fatal(err)
	}
	if _, err := object.ReadAt(small, 0); !errors.Is(err, lake.ErrNotExist) ||
		!strings.Contains(err.Error(), "read b: the object was replaced") {
		t.Errorf("ReadAt of a replaced object = %v", err)
	}
	if err := s.Remove(t.Context(), "b"); err != nil {
		t.Fatal(err)
	}
	if _, err := object.ReadAt(small, 7*block); !errors.Is(err, lake.ErrNotExist) {
		t.Errorf("ReadAt of a removed object = %v", err)
	}
}

// TestFaultsOfAnUpload breaks each kind of request of a multipart upload.
func TestFaultsOfAnUpload(t *testing.T) {
	t.Parallel()
	content := randomBytes()
	parts := func(r *http.Request) bool { return r.URL.Query().Has("partNumber") }
	begin := func(r *http.Request) bool { return r.Method == "POST" && r.URL.Query().Has("uploads") }
	end := func(r *http.Request) bool { return r.Method == "POST" && r.URL.Query().Has("uploadId") }
	for _, c := range []struct {
		name  string
		match func(*http.Request) bool
		fault fault
		n     int64
		want  error // nil: it succeeds.
	}{
		{"a part is reset", parts, reset, 3, nil},
		{"a part is lost", parts, lost, 3, nil},
		{"the begin is refused for a while", begin, answer(503, "SlowDown"), 2, nil},
		{"the end is lost", end, lost, 1, nil},
		{"the end is lost twice", end, lost, 2, nil},
		{"the end says 500", end, answer(500, "InternalError"), 2, nil},
		{"no part gets through", parts, answer(503, "SlowDown"), 1 << 60, lake.ErrUnavailable},
		{"the end never gets through", end, reset, 1 << 60, lake.ErrUnavailable},
		{"the end is always lost", end, lost, 1 << 60, lake.ErrUnavailable},
		{"another was faster", end, answer(412, "PreconditionFailed"), 1, lake.ErrExist},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFront(t)
			o := f.options(t)
			o.Retries = 2
			s := open(t, o)
			put(t, s, "x", nil)
			if errors.Is(c.want, lake.ErrExist) {
				if err := s.Replace(t.Context(), "large", []byte("faster")); err != nil {
					t.Fatal(err)
				}
			}
			broken, _ := times(c.n, c.match, c.fault)
			f.breakWith(broken)
			err := s.Commit(t.Context(), stagedObject(t, s, "large", content))
			f.breakWith(nil)
			switch {
			case c.want == nil && err == nil:
				if got := local(t, open(t, f.options(t)), "large"); !bytes.Equal(got, content) {
					t.Errorf("it has %d bytes", len(got))
				}
			case !errors.Is(err, c.want):
				t.Errorf("Commit = %v, want %v", err, c.want)
			default:
				want := map[bool]string{true: "large x", false: "x"}[errors.Is(c.want, lake.ErrExist)]
				if got := strings.Join(list(t, s, ""), " "); got != want {
					t.Errorf("the storage holds %s, want %s", got, want)
				}
			}
			if got := uploads(t, s); len(got) != 0 {
				t.Errorf("uploads %q", got)
			}
		})
	}
}

// TestKilledUpload kills a process in the middle of a multipart upload: no one sees the
// object, and what is left of it can be found and removed.
func TestKilledUpload(t *testing.T) {
	const variable = "KALAM_S3_TEST_UPLOAD"
	if given := os.Getenv(variable); given != "" {
		uploadForever(t, strings.Split(given, " "))
		return
	}
	t.Parallel()
	s, f := openFront(t)
	put(t, s, "d/x", nil)
	began, release := make(chan struct{}), make(chan struct{})
	stuck, _ := times(1, func(r *http.Request) bool { return r.URL.Query().Get("partNumber") == "3" },
		func(_ http.ResponseWriter, r *http.Request, _ http.HandlerFunc) {
			close(began)
			<-release
			s3test.Abort()
		})
	f.breakWith(stuck)
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilledUpload$")
	cmd.Env = append(os.Environ(), variable+"="+f.URL+" "+f.bucket+" "+dir)
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-began:
	case <-time.After(2 * time.Minute):
		t.Fatalf("no part arrived: %s", output.String())
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // It was killed.
	close(release)
	f.breakWith(nil)
	// What was before it is a prefix of the staged objects.
	if got := list(t, s, ""); !slices.Equal(got, []string{"d/first", "d/x"}) {
		t.Errorf("the storage holds %q", got)
	}
	if _, err := s.Open(t.Context(), "d/large"); !errors.Is(err, lake.ErrNotExist) {
		t.Errorf("Open = %v", err)
	}
	testAbortUploads(t, s)
	o := f.options(t)
	o.Dir = dir
	put(t, open(t, o), "d/large", []byte("again"))
	if left, err := os.ReadDir(dir + "/drafts"); err != nil || len(left) != 0 {
		t.Errorf("staged objects left: %v, %v", left, err)
	}
}

// testAbortUploads ends the one upload that there is, of d/large.
func testAbortUploads(t *testing.T, s *s3.Storage) {
	t.Helper()
	if got := uploads(t, s); !slices.Equal(got, []string{"d/large"}) {
		t.Errorf("uploads %q", got)
	}
	if n, err := s.AbortUploads(t.Context(), time.Now().Add(-time.Hour)); n != 0 || err != nil {
		t.Errorf("AbortUploads of old ones = %d, %v", n, err)
	}
	if n, err := s.AbortUploads(t.Context(), time.Now().Add(time.Hour)); n != 1 || err != nil {
		t.Errorf("AbortUploads = %d, %v", n, err)
	}
	if got := uploads(t, s); len(got) != 0 {
		t.Errorf("then uploads %q", got)
	}
}

// uploadForever is the process that is killed.
func uploadForever(t *testing.T, given []string) {
	s := open(t, s3.Options{Endpoint: given[0], AllowHTTP: true, PathStyle: true, Bucket: given[1], Prefix: "lake/a",
		AccessKey: accessKey, SecretKey: secretKey, Dir: given[2], PartBytes: 5 << 20})
	first, large := stagedObject(t, s, "d/first", []byte("1")), stagedObject(t, s, "d/large", randomBytes())
	t.Error("it ended: ", s.Commit(t.Context(), first, large, stagedObject(t, s, "d/last", nil)))
}

// TestMoveGoesOn: a move that stopped before the old object was removed ends when it is
// repeated, and only that one.
func TestMoveGoesOn(t *testing.T) {
	t.Parallel()
	for name, content := range map[string][]byte{"empty": nil, "small": []byte("content"), "large": randomBytes()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, f := openFront(t)
			put(t, s, "d/a", content)
			stuck, _ := times(1, method("DELETE"), answer(403, "AccessDenied"))
			f.breakWith(stuck)
			if err := s.Move(t.Context(), "d/a", ".trash/a"); err == nil {
				t.Fatal("the move was not broken")
			}
			if got := list(t, s, ""); !slices.Equal(got, []string{".trash/a", "d/a"}) {
				t.Errorf("the storage holds %q", got)
			}
			if err := s.Move(t.Context(), "d/a", ".trash/a"); err != nil {
				t.Errorf("Move again = %v", err)
			}
			if got := list(t, s, ""); !slices.Equal(got, []string{".trash/a"}) {
				t.Errorf("the storage holds %q", got)
			}
			if got := local(t, s, ".trash/a"); !bytes.Equal(got, content) {
				t.Errorf("it has %d bytes", len(got))
			}
			put(t, s, "d/a", slices.Concat(content, []byte("another")))
			if err := s.Move(t.Context(), "d/a", ".trash/a"); !errors.Is(err, lake.ErrExist) {
				t.Errorf("Move of another object = %v", err)
			}
			if err := s.Move(t.Context(), ".trash/a", "back"); err != nil {
				t.Errorf("Move back = %v", err)
			}
			if got := uploads(t, s); len(got) != 0 {
				t.Errorf("uploads %q", got)
			}
		})
	}
}

// TestListPages lists more than a page, while one of its requests fails.
func TestListPages(t *testing.T) {
	t.Parallel()
	s, f := openFront(t)
	var want []string
	var objects []lake.Content
	for i := range 1_100 {
		p := fmt.Sprintf("d/%04d", i)
		want, objects = append(want, p), append(objects, lake.Content{Path: p})
	}
	if err := s.ReplaceAll(t.Context(), objects); err != nil {
		t.Fatal(err)
	}
	client := f.client(t)
	for _, key := range []string{"lake/ab/x", "other", "lake/a/folder/"} { // Not of this storage, or no path.
		none := strings.NewReader("")
		if _, err := client.PutObject(t.Context(), f.bucket, key, none, 0, minio.PutObjectOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	var n atomic.Int64
	broken, _ := times(1<<60, method("GET"), func(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
		if n.Add(1)%2 == 0 {
			cut(w, r, pass)
		}
		pass(w, r)
	})
	f.breakWith(broken)
	if got := list(t, s, ""); !slices.Equal(got, want) {
		t.Errorf("%d objects, the first %q, the last %q", len(got), got[0], got[len(got)-1])
	}
	if n.Load() < 3 {
		t.Errorf("%d requests", n.Load())
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	s, f := openFront(t)
	for _, p := range []string{
		"users/a b/ä+%2F&?#'\"<>", "users/日本/😀", "users/~.../x", "users/" + strings.Repeat("y", 200),
	} {
		put(t, s, p, []byte(p))
		if got := local(t, open(t, f.options(t)), p); string(got) != p {
			t.Errorf("%s is %q", p, got)
		}
		if got := list(t, s, ""); !slices.Equal(got, []string{p}) {
			t.Errorf("the storage holds %q", got)
		}
		if err := s.Move(t.Context(), p, "z"+p); err != nil {
			t.Error(err)
		}
		if err := s.Remove(t.Context(), "z"+p); err != nil {
			t.Error(err)
		}
	}
	for _, p := range []string{strings.Repeat("x/", 600) + "x", "users/\xff"} {
		if _, err := s.Create(t.Context(), p); kalam.CodeOf(err) != kalam.CodeInvalidInput {
			t.Errorf("Create(%.20q) = %v", p, err)
		}
		if err := s.List(t.Context(), p, nil); kalam.CodeOf(err) != kalam.CodeInvalidInput {
			t.Errorf("List(%.20q) = %v", p, err)
		}
	}
}

// TestEncryptionIsAskedFor at each request that begins an object.
func TestEncryptionIsAskedFor(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		encryption s3.Encryption
		key        string
	}{{s3.EncryptS3, ""}, {s3.EncryptKMS, "key-1"}} {
		f := newFront(t)
		o := f.options(t)
		o.Encryption, o.KMSKey = c.encryption, c.key
		s := open(t, o)
		seen := make(chan error, 100)
		f.breakWith(func(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
			begins := r.Method == "PUT" && !r.URL.Query().Has("partNumber") || r.URL.Query().Has("uploads")
			got, key := r.Header.Get("X-Amz-Server-Side-Encryption"),
				r.Header.Get("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id")
			if begins && (got != string(c.encryption) || key != c.key) {
				seen <- fmt.Errorf("%s %s asks for %q with key %q", r.Method, r.URL, got, key)
			}
			if begins {
				seen <- nil
			}
			pass(w, r)
		})
		err := s.Commit(t.Context(), stagedObject(t, s, "a", nil), stagedObject(t, s, "large", randomBytes()))
		if err == nil {
			err = s.Move(t.Context(), "a", "b")
		}
		if err != nil {
			t.Error(err)
		}
		close(seen)
		n := 0
		for err := range seen {
			if n++; err != nil {
				t.Error(err)
			}
		}
		if n != 6 { // The probe, its condition, its upload, two objects and a copy.
			t.Errorf("%s: %d requests", c.encryption, n)
		}
	}
}
