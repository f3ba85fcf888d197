package link

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/kalamlake/kalam"
)

// Client talks to one server as one user. It is safe for concurrent use. Its
// owner calls Close.
type Client struct {
	*core
	namespace kalam.NamespaceID
}

// core is what the clients made by In share.
type core struct {
	options     Options
	base        *url.URL
	prefix      string // URL up to the version, without a final slash.
	http        *http.Client
	ownsHTTP    bool
	credentials *credentials
	live        *stream
	firstWait   time.Duration // Before the first repetition.
	keepalive   time.Duration // Between two pings on the WebSocket.
	pongWait    time.Duration // For the answer to a ping.
	closed      atomic.Bool
}

// New returns a Client. It makes no connection: the first request does. The
// error is KindInvalidURL or KindInvalidOption.
func New(o Options) (*Client, error) {
	o, base, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	c := &core{
		options: o, base: base, prefix: base.String() + "/" + o.APIVersion, ownsHTTP: o.HTTPClient == nil,
		firstWait: o.FirstWait, keepalive: keepalive, pongWait: pongWait,
	}
	if o.HTTPClient != nil {
		own := *o.HTTPClient
		c.http = &own
	} else {
		c.http = &http.Client{Transport: newTransport()}
	}
	c.http.Timeout = 0 // Contexts bound the requests.
	c.http.CheckRedirect = sameHostOnly
	c.credentials = newCredentials(c, o.Auth)
	c.live = newStream(c)
	return &Client{core: c, namespace: o.Namespace}, nil
}

// In returns a Client of the same connections and identity with another
// namespace for unqualified names. Closing either closes both.
func (c *Client) In(namespace kalam.NamespaceID) *Client {
	return &Client{core: c.core, namespace: namespace}
}

// URL returns the server's URL without a final slash.
func (c *Client) URL() string { return c.base.String() }

// Close ends all subscriptions, waits for their goroutines and closes idle
// connections. Requests under way go on until they are answered or their
// context ends; later ones fail. It never fails and may be called more than
// once.
func (c *Client) Close() error {
	c.closed.Store(true)
	c.live.close()
	if c.ownsHTTP {
		c.http.CloseIdleConnections()
	}
	return nil
}

// maxRedirects bounds the redirects of one request.
const maxRedirects = 5

// sameHostOnly follows redirects inside one host only, so that no statement or
// token goes to another.
func sameHostOnly(req *http.Request, via []*http.Request) error {
	first := via[0].URL
	if req.URL.Host != first.Host || req.URL.Scheme != first.Scheme || len(via) > maxRedirects {
		return http.ErrUseLastResponse
	}
	return nil
}

// call is one HTTP request.
type call struct {
	method, path string // Path from the version on.
	body         []byte // JSON; nil for none.
	login        *login // nil: no credentials.
}

// answer is what came back.
type answer struct {
	status int
	body   []byte
}

// do makes one request and reads the answer whole. The error is KindConnection
// unless the context has ended, which the caller tells from ctx.
func (c *core) do(ctx context.Context, r call) (answer, error) {
	if c.closed.Load() {
		return answer{}, errorf(KindConnection, "the client is closed")
	}
	var body io.Reader
	if r.body != nil {
		body = bytes.NewReader(r.body)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, c.prefix+r.path, body)
	if err != nil {
		return answer{}, wrap(KindInvalidURL, err, "make request")
	}
	if r.body != nil {
		req.Header["Content-Type"] = jsonType
	}
	c.identify(req.Header, r.login)
	platformHeader(req.Header)
	resp, err := c.http.Do(req)
	if err != nil {
		return answer{}, connectionError(c.base, err)
	}
	defer resp.Body.Close()
	if to := resp.Header.Get("Location"); to != "" && resp.StatusCode/100 == 3 {
		return answer{}, &Error{Kind: KindHTTP, Status: resp.StatusCode,
			Message: "the redirect to " + oneLine([]byte(to)) + " was not followed"}
	}
	text, err := readBody(resp)
	if err != nil {
		return answer{}, &Error{Kind: KindConnection, Message: "the answer broke off: " + err.Error(),
			Status: resp.StatusCode, Err: err}
	}
	return answer{status: resp.StatusCode, body: text}, nil
}

var jsonType = []string{"application/json"}

// identify sets the headers that say who asks.
func (c *core) identify(h http.Header, l *login) {
	if c.options.User != "" {
		h.Set("X-User-Id", c.options.User)
	}
	switch {
	case c.options.Auth.kind == authAPIKey:
		h.Set("X-Api-Key", c.options.Auth.secret)
	case l != nil:
		h["Authorization"] = l.header
	}
}

// maxPrealloc bounds the memory reserved on a server's word for how much
// follows.
const maxPrealloc = 64 << 20

// readBody reads a body whole.
func readBody(resp *http.Response) ([]byte, error) {
	if n := resp.ContentLength; n >= 0 && n <= maxPrealloc {
		b := make([]byte, n)
		_, err := io.ReadFull(resp.Body, b)
		return b, err
	}
	return io.ReadAll(resp.Body)
}

// connectionError says that a request had no answer. It knows whether the
// request can have reached the server.
func connectionError(base *url.URL, err error) *Error {
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err // Its text repeats the whole URL.
	}
	e := &Error{Kind: KindConnection, Message: fmt.Sprintf("cannot reach %s: %v", base, err), Err: err}
	var op *net.OpError
	var dns *net.DNSError
	e.unsent = errors.As(err, &op) && op.Op == "dial" || errors.As(err, &dns)
	return e
}

// deadline bounds ctx by the client's timeout.
func (c *core) deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	if c.options.Timeout < 0 {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, c.options.Timeout)
}

// retry calls f until it succeeds, fails for good, or was repeated often enough.
// f tells by its bool whether its error allows a repetition. If ctx, made by
// deadline from parent, ends, that is the error.
func (c *core) retry(parent, ctx context.Context, what string, f func() (again bool, err error)) error {
	start := time.Now()
	for attempt := 0; ; attempt++ {
		again, err := f()
		if err == nil {
			return nil
		}
		if e := c.endedBy(parent, ctx, what, start); e != nil {
			return e
		}
		if !again || attempt >= c.options.MaxRetries {
			return err
		}
		if !pause(ctx, backoff(c.firstWait, c.options.LongestWait, attempt)) {
			return c.endedBy(parent, ctx, what, start)
		}
	}
}

// endedBy returns the error for the end of ctx, nil while it goes on. It names
// the client's timeout if that was the cause, else the time that went by.
func (c *core) endedBy(parent, ctx context.Context, what string, start time.Time) error {
	allowed := c.options.Timeout
	if parent.Err() != nil {
		allowed = time.Since(start).Round(time.Millisecond)
	}
	if e := ended(ctx, what, allowed); e != nil {
		return e
	}
	return nil
}

// backoff returns the wait after the given number of failed attempts, from 0: it
// doubles from first to longest, less up to a fifth so that clients spread.
func backoff(first, longest time.Duration, attempt int) time.Duration {
	d := longest
	if attempt < 20 {
		d = min(first<<attempt, longest)
	}
	return d - time.Duration(rand.Int64N(int64(d)/5+1)) //nolint:gosec // It spreads retries, no more.
}

// pause waits and reports false when ctx ends first.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// oneLine makes the text of a foreign server fit for a message.
func oneLine(b []byte) string {
	const most = 200
	s := strings.ToValidUTF8(string(b[:min(len(b), most)]), "?")
	return strings.Join(strings.Fields(s), " ")
}
