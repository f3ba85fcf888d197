package s3_test

import (
	"io"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/minio/minio-go/v7"

	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/lake/s3"
	"github.com/kalamlake/kalam/lake/s3/s3test"
)

const (
	accessKey = s3test.AccessKey
	secretKey = s3test.SecretKey
)

func TestMain(m *testing.M) {
	minio.DefaultRetryUnit = time.Millisecond // The client waits after a failure, though it does not repeat.
	goleak.VerifyTestMain(s3test.Tests{M: m})
}

// front is a server before the S3 server.
type front struct {
	*s3test.Front
	bucket string
}

// newFront returns a front with a new bucket.
func newFront(t *testing.T) *front {
	t.Helper()
	f := s3test.New(t)
	return &front{Front: f, bucket: f.Bucket}
}

// newPipe returns a front that only passes bytes on: the server's connections are ours.
func newPipe(t *testing.T) *front {
	t.Helper()
	socket := s3test.Socket(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			in, err := listener.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer in.Close()
				out, err := net.Dial("unix", socket)
				if err != nil {
					return
				}
				defer out.Close()
				all.Go(func() {
					_, _ = io.Copy(out, in) // Either side may end it.
					out.Close()
				})
				_, _ = io.Copy(in, out) // As above.
			})
		}
	})
	t.Cleanup(func() {
		listener.Close()
		all.Wait()
	})
	f := &s3test.Front{
		Server: &httptest.Server{URL: "http://" + listener.Addr().String()}, Bucket: s3test.NewBucket(),
	}
	s3test.MakeBucket(t, f.URL, f.Bucket)
	return &front{Front: f, bucket: f.Bucket}
}

// client returns a client of the server that is not ours.
func (f *front) client(t *testing.T) *minio.Client {
	t.Helper()
	return s3test.Client(t, f.URL)
}

// breakWith makes every request go through fault, nil for none.
func (f *front) breakWith(fault fault) { f.BreakWith(s3test.Fault(fault)) }

// options returns options for a new storage in the bucket.
func (f *front) options(t *testing.T) s3.Options {
	return s3.Options{
		Endpoint: f.URL, AllowHTTP: true, PathStyle: true, Bucket: f.bucket, Prefix: "lake/a",
		AccessKey: accessKey, SecretKey: secretKey, Dir: filepath.Join(t.TempDir(), "s3"),
		RetryWait: time.Millisecond, PartBytes: 5 << 20,
	}
}

// open returns a storage with options.
func open(t *testing.T, o s3.Options) *s3.Storage {
	t.Helper()
	s, err := s3.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// openFront returns a storage in a new bucket behind a front.
func openFront(t *testing.T) (*s3.Storage, *front) {
	t.Helper()
	f := newFront(t)
	return open(t, f.options(t)), f
}

// stagedObject returns a written staged object.
func stagedObject(t *testing.T, s lake.Storage, p string, content []byte) lake.Staged {
	t.Helper()
	d, err := s.Create(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(d.LocalPath(), content, 0o600); err != nil {
		t.Fatal(err)
	}
	return d
}

// put commits content at p.
func put(t *testing.T, s lake.Storage, p string, content []byte) {
	t.Helper()
	if err := s.Commit(t.Context(), stagedObject(t, s, p, content)); err != nil {
		t.Fatal(err)
	}
}

// local returns the content of the file that LocalPath lends.
func local(t *testing.T, s lake.Storage, p string) []byte {
	t.Helper()
	name, release, err := s.LocalPath(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// list returns the paths below prefix in the order of List.
func list(t *testing.T, s lake.Storage, prefix string) []string {
	t.Helper()
	var paths []string
	if err := s.List(t.Context(), prefix, func(e lake.Entry) error {
		paths = append(paths, e.Path)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return paths
}
