package s3

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

const (
	maxRetryWait = 5 * time.Second
	connections  = 64
)

// errSlow is why a request that took too long was given up.
var errSlow = errors.New("the request took longer than its time limit")

// limited ends every request, with its answer's body, after a time.
type limited struct {
	http.RoundTripper
	limit time.Duration
}

// RoundTrip implements http.RoundTripper.
func (l limited) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeoutCause(r.Context(), l.limit, errSlow)
	answer, err := l.RoundTripper.RoundTrip(r.WithContext(ctx))
	if err != nil {
		if errors.Is(context.Cause(ctx), errSlow) {
			err = errSlow
		}
		cancel()
		return nil, err
	}
	answer.Body = &limitedBody{answer.Body, ctx, cancel}
	return answer, nil
}

type limitedBody struct {
	io.ReadCloser
	ctx    context.Context // Of the request.
	cancel context.CancelFunc
}

// Read implements io.Reader.
func (b *limitedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && errors.Is(context.Cause(b.ctx), errSlow) {
		err = errSlow
	}
	return n, err
}

// Close implements io.Closer.
func (b *limitedBody) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}

// newClient returns a client that repeats nothing by itself, and its transport.
func newClient(o Options) (minio.Core, *http.Transport, error) {
	host, secure, err := o.host()
	if err != nil {
		return minio.Core{}, nil, err
	}
	dialer := net.Dialer{Timeout: o.ConnectTimeout, KeepAlive: 30 * time.Second}
	transport := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         dialer.DialContext,
		TLSHandshakeTimeout: o.ConnectTimeout,
		MaxIdleConnsPerHost: connections,
		IdleConnTimeout:     90 * time.Second,
		DisableCompression:  true, // What is stored is what is read.
	}
	lookup := minio.BucketLookupDNS
	if o.PathStyle {
		lookup = minio.BucketLookupPath
	}
	core, err := minio.NewCore(host, &minio.Options{
		Creds:        credentials.NewStaticV4(string(o.AccessKey), string(o.SecretKey), string(o.SessionToken)),
		Secure:       secure,
		Transport:    limited{transport, o.RequestTimeout},
		Region:       o.Region,
		BucketLookup: lookup,
		MaxRetries:   1,
	})
	if err != nil {
		return minio.Core{}, nil, invalid("endpoint", "%s", lower(err))
	}
	return *core, transport, nil
}

// try calls request until it succeeds, fails for good, or ctx ends. What request returns is
// reported without what leads out of the storage. A request that got on before it failed
// says so by setting progress, and begins with a new number of tries.
func (s *Storage) try(
	ctx context.Context, verb, p string, request func(ctx context.Context, progress *bool) error,
) error {
	for tries := 0; ; tries++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		progress := false
		err := s.plain(request(ctx, &progress))
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if progress {
			tries = 0
		} else if errors.Is(err, errSlow) {
			tries = max(tries, s.opts.Retries-2) // A server that says nothing is asked twice more.
		}
		if tries >= s.opts.Retries || !transient(err) {
			return err
		}
		wait := s.wait(tries)
		s.opts.Logger.WarnContext(ctx, "storage request failed and is repeated",
			"operation", verb, "path", p, "try", tries+1, "wait", wait, "err", err.Error())
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

// once is try for a request that is simple.
func (s *Storage) once(ctx context.Context, verb, p string, request func(ctx context.Context) error) error {
	return s.try(ctx, verb, p, func(ctx context.Context, _ *bool) error { return request(ctx) })
}

// wait returns how long to wait after a number of failed tries: a growing time, of
// which the second half is left to chance, so that many clients do not come back at once.
func (s *Storage) wait(tries int) time.Duration {
	wait := min(s.opts.RetryWait<<min(tries, 20), maxRetryWait)
	return wait/2 + rand.N(wait/2+1) //nolint:gosec // It spreads retries, no more.
}
