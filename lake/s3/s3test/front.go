package s3test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// Front is an HTTP server before the S3 server, which makes faults on demand.
type Front struct {
	*httptest.Server
	Bucket   string // A new one.
	Requests atomic.Int64

	fault atomic.Pointer[Fault]
}

// Fault answers a request instead of the server. pass has the server do it.
type Fault func(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc)

// New returns a front with a new bucket, until the end of the test.
func New(t testing.TB) *Front {
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
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { Abort() },
	}
	f := &Front{Bucket: NewBucket()}
	f.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.Requests.Add(1)
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
	MakeBucket(t, f.URL, f.Bucket)
	return f
}

// NewBucket returns a name that no other bucket has.
func NewBucket() string { return fmt.Sprintf("bucket-%d", buckets.Add(1)) }

// MakeBucket makes a bucket on the server at an address.
func MakeBucket(t testing.TB, url, bucket string) {
	t.Helper()
	if err := Client(t, url).MakeBucket(t.Context(), bucket, minio.MakeBucketOptions{}); err != nil {
		t.Fatal(err)
	}
}

// Socket returns the Unix socket of the server, without a front.
func Socket(t testing.TB) string {
	t.Helper()
	g, err := server()
	if err != nil {
		t.Fatal(err)
	}
	return g.socket
}

// Client returns a client of the server at an address that is not kalam's.
func Client(t testing.TB, url string) *minio.Client {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	c, err := minio.New(strings.TrimPrefix(url, "http://"), &minio.Options{
		Creds:        credentials.NewStaticV4(AccessKey, SecretKey, ""),
		Region:       "us-east-1",
		BucketLookup: minio.BucketLookupPath,
		Transport:    transport,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// BreakWith makes every request go through fault, nil for none.
func (f *Front) BreakWith(fault Fault) {
	if fault == nil {
		f.fault.Store(nil)
		return
	}
	f.fault.Store(&fault)
}

// Keys returns the keys of the objects of the bucket that end with a suffix.
func (f *Front) Keys(t testing.TB, suffix string) (keys []string) {
	t.Helper()
	for o := range Client(t, f.URL).ListObjects(t.Context(), f.Bucket, minio.ListObjectsOptions{Recursive: true}) {
		if o.Err != nil {
			t.Fatal(o.Err)
		}
		if strings.HasSuffix(o.Key, suffix) {
			keys = append(keys, o.Key)
		}
	}
	return keys
}

// Remove removes an object behind kalam's back.
func (f *Front) Remove(t testing.TB, key string) {
	t.Helper()
	if err := Client(t, f.URL).RemoveObject(t.Context(), f.Bucket, key, minio.RemoveObjectOptions{}); err != nil {
		t.Fatal(err)
	}
}
