package s3_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/lake/s3"
)

const (
	accessKey = "access"
	secretKey = "secret"
)

// gateway is the S3 server that all tests share: a process, on a Unix socket.
type gateway struct {
	dir    string
	socket string
	input  io.Closer     // The process ends with it.
	ended  chan struct{} // Closed at its end.
	output bytes.Buffer  // Read after its end.
}

var (
	server  = sync.OnceValues(startGateway)
	started atomic.Pointer[gateway]
	buckets atomic.Int64
)

func TestMain(m *testing.M) {
	minio.DefaultRetryUnit = time.Millisecond // The client waits after a failure, though it does not repeat.
	code := m.Run()
	if g := started.Load(); g != nil {
		g.input.Close()
		<-g.ended
		os.RemoveAll(g.dir)
	}
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// startGateway builds and starts the server. Go keeps the program in its cache.
func startGateway() (*gateway, error) {
	dir, err := os.MkdirTemp("", "kalam-s3-")
	if err != nil {
		return nil, err
	}
	g := &gateway{dir: dir, socket: filepath.Join(dir, "s"), ended: make(chan struct{})}
	cmd := exec.Command("go", "run", "-C", filepath.Join("internal", "gateway"), ".", dir, g.socket)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	cmd.Stdout, cmd.Stderr = &g.output, &g.output
	if g.input, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = cmd.Wait() // Its output says why.
		close(g.ended)
	}()
	for {
		if c, err := net.Dial("unix", g.socket); err == nil {
			c.Close()
			started.Store(g)
			return g, nil
		}
		select {
		case <-g.ended:
			return nil, fmt.Errorf("the S3 server ended: %s", g.output.String())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// front is an HTTP server before the S3 server, which makes faults on demand.
type front struct {
	*httptest.Server
	bucket   string
	requests atomic.Int64
	fault    atomic.Pointer[func(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc)]
}

// newFront returns a front with a new bucket.
func newFront(t *testing.T) *front {
	t.Helper()
	g, err := server()
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", g.socket)
		},
		DisableCompression: true,
		DisableKeepAlives:  true, // It answers some requests without reading them whole.
	}
	pass := &httputil.ReverseProxy{
		Transport: transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = "http", "gateway", r.In.Host
			r.Out.URL.RawQuery = r.In.URL.RawQuery
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) { panic(http.ErrAbortHandler) },
	}
	f := &front{bucket: fmt.Sprintf("bucket-%d", buckets.Add(1))}
	f.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.requests.Add(1)
		if fault := f.fault.Load(); fault != nil {
			(*fault)(w, r, pass.ServeHTTP)
			return
		}
		pass.ServeHTTP(w, r)
	}))
	f.Config.ErrorLog = log.New(io.Discard, "", 0)
	f.Start()
	t.Cleanup(func() {
		f.CloseClientConnections()
		f.Close()
		transport.CloseIdleConnections()
	})
	f.makeBucket(t)
	return f
}

func (f *front) makeBucket(t *testing.T) {
	t.Helper()
	if err := f.client(t).MakeBucket(t.Context(), f.bucket, minio.MakeBucketOptions{}); err != nil {
		t.Fatal(err)
	}
}

// newPipe returns a front that only passes bytes on: the server's connections are ours.
func newPipe(t *testing.T) *front {
	t.Helper()
	g, err := server()
	if err != nil {
		t.Fatal(err)
	}
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
				out, err := net.Dial("unix", g.socket)
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
	f := &front{
		Server: &httptest.Server{URL: "http://" + listener.Addr().String()},
		bucket: fmt.Sprintf("bucket-%d", buckets.Add(1)),
	}
	f.makeBucket(t)
	return f
}

// client returns a client of the server that is not ours.
func (f *front) client(t *testing.T) *minio.Client {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	c, err := minio.New(strings.TrimPrefix(f.URL, "http://"), &minio.Options{
		Creds:        credentials.NewStaticV4(accessKey, secretKey, ""),
		Region:       s3.DefaultRegion,
		BucketLookup: minio.BucketLookupPath,
		Transport:    transport,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// breakWith makes every request go through fault, nil for none.
func (f *front) breakWith(fault func(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc)) {
	if fault == nil {
		f.fault.Store(nil)
		return
	}
	f.fault.Store(&fault)
}

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
