package link

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/link/wire"
)

// Times of the keep-alive. The server closes a connection on which it has
// received nothing for 10 s.
const (
	keepalive = 9 * time.Second // Less up to a tenth, so that clients spread.
	pongWait  = 5 * time.Second
	closeWait = time.Second // For the answer to our close frame.
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

// In returns a Client of the same connections and identity with another
// namespace for unqualified names. Closing either closes both.
func (c *Client) In(namespace kalam.NamespaceID) *Client {
	return &Client{core: c.core, namespace: namespace}
}

// URL returns the server's URL without a final slash.
func (c *Client) URL() string { return c.base.String() }

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

// login is one pair of tokens. It is immutable.
type login struct {
	tokens Tokens
	header []string // "Bearer " + tokens.Access, made once.
}

func newLogin(t Tokens) *login { return &login{tokens: t, header: []string{"Bearer " + t.Access}} }

// credentials keeps the tokens of a Client. One caller at a time logs in or
// refreshes; the others wait for its result.
type credentials struct {
	core    *core
	auth    Auth
	current atomic.Pointer[login]
	turn    chan struct{} // Holds a token while someone renews. A mutex would not heed contexts.
}

// stream keeps the WebSocket of a Client for its subscriptions: it dials when
// there is one, dials again when the connection breaks, and ends with the last.
// Lock order: stream.mu, then Subscription.mu, then socket.mu.
type stream struct {
	core   *core
	ctx    context.Context
	cancel context.CancelFunc
	kick   chan struct{}  // Holds one token when the last subscription has gone.
	runner sync.WaitGroup // run
	pumps  sync.WaitGroup // One per subscription.

	mu      sync.Mutex // guards the fields below
	list    []*Subscription
	byID    map[subscriptionID]*Subscription // On the present socket.
	sock    *socket                          // nil while there is no connection.
	running bool                             // run is there.
	closed  bool
	made    int64 // Subscriptions ever made.
}

// socket is one WebSocket. send and close never block.
type socket struct {
	core   *core
	conn   *websocket.Conn
	login  *login // With which it was authenticated; nil for other credentials.
	pacer  *pacer
	ctx    context.Context // Ends when the connection is given up; its cause says why.
	cancel context.CancelCauseFunc
	wake   chan struct{} // Holds one token when write has something to do.
	user   kalam.UserID  // Who the server says this is; of the reader alone, as id.
	id     string        // The server's name of the connection, "" when it does not say.

	mu      sync.Mutex         // guards the fields below
	out     []wire.ClientFrame // At most a subscribe, a next_batch and an unsubscribe per id.
	closing error              // Why to close it once out is empty.
}

// Subscription is a live query. Its events must be read until the channel is
// closed, or it be closed. It is safe for concurrent use.
type Subscription struct {
	stream  *stream
	sql     string
	options SubscribeOptions
	params  []json.RawMessage
	number  int64
	ctx     context.Context // Ends with the caller's, Close and Client.Close.
	cancel  context.CancelFunc
	events  chan Event    // Written and closed by pump; the queue is what buffers.
	acked   chan struct{} // Closed at the first acknowledgement.
	wake    chan struct{} // Holds one token when pump has something to look at.
	done    chan struct{} // Closed when pump has ended.

	mu        sync.Mutex // guards the fields below
	columns   []Column
	liveID    string
	queue     []Event // At most BufferSize events of rows, and states.
	head      int
	paused    bool
	ended     bool // No more events come; what is queued is still handed over.
	err       error
	delivered kalam.Seq // Resume point of what was handed over.
	received  resumeState
}

// resumeState is what a Subscription knows of the stream of its frames.
type resumeState struct {
	id       subscriptionID // On the present connection; "" while there is none.
	round    int            // Counts ids.
	started  bool           // Acknowledged once.
	acked    bool           // Acknowledged under the present id.
	lagging  bool           // The queue was full: to be resumed when it is empty.
	rows     bool           // Rows were queued since the beginning or the last reset.
	initial  bool           // The present id was subscribed with initial data.
	resumes  bool           // The present id was subscribed from a seq.
	reset    bool           // The next acknowledgement begins anew.
	last     kalam.Seq      // Everything up to here was queued; 0 when unknown.
	snapshot kalam.Seq      // Initial data of the present id is up to here; 0 when unknown.
}

// abort cuts the connection.
func (s *socket) abort(why error) {
	s.cancel(why)
	_ = s.conn.CloseNow() // It is given up anyway.
}
