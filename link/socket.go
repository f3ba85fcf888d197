package link

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/link/wire"
)

// maxFrame bounds a message of the server, also after decompression.
const maxFrame = 256 << 20

// dial opens and authenticates a WebSocket, renewing a refused token once.
func (c *core) dial(parent context.Context) (*socket, error) {
	start := time.Now()
	ctx, cancel := c.deadline(parent)
	defer cancel()
	l, err := c.credentials.get(ctx)
	var sock *socket
	if err == nil {
		sock, err = c.open(ctx, l)
	}
	if l != nil && KindOf(err) == KindAuthentication && c.options.Auth.renews() {
		if l, err = c.credentials.renew(ctx, l); err == nil {
			sock, err = c.open(ctx, l)
		}
	}
	if err == nil {
		return sock, nil
	}
	if e := c.endedBy(parent, ctx, "connecting", start); e != nil {
		return nil, e
	}
	return nil, err
}

// open dials once.
func (c *core) open(ctx context.Context, l *login) (*socket, error) {
	h := http.Header{}
	c.identify(h, nil) // Tokens go in band, where the protocol is agreed on too.
	options, err := dialOptions(c.http, h)
	if err != nil {
		return nil, err
	}
	conn, resp, err := websocket.Dial(ctx, c.socketURL(), options)
	if err != nil {
		return nil, upgradeError(resp, connectionError(c.base, err))
	}
	conn.SetReadLimit(maxFrame)
	s := &socket{core: c, conn: conn, login: l, pacer: newPacer(c.options.LiveRate), wake: make(chan struct{}, 1)}
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	if l != nil {
		if err := s.authenticate(ctx); err != nil {
			_ = conn.CloseNow() // It is given up anyway.
			return nil, err
		}
	}
	return s, nil
}

// socketURL returns the address of the WebSocket. The protocol is in it for
// credentials in headers, with which no frame agrees on one.
func (c *core) socketURL() string {
	q := url.Values{"events": {wire.EventsExact}}
	if c.options.Compression {
		q.Set("compression", wire.CompressionGzip)
	} else {
		q.Set("compress", "false")
	}
	return "ws" + c.prefix[len("http"):] + wire.PathWebSocket + "?" + q.Encode()
}

// upgradeError is the error of a refused WebSocket.
func upgradeError(resp *http.Response, err *Error) error {
	if resp == nil || resp.StatusCode == http.StatusSwitchingProtocols {
		return err
	}
	var body []byte
	if resp.Body != nil {
		body, _ = io.ReadAll(io.LimitReader(resp.Body, 1024)) // What is there of it.
		resp.Body.Close()
	}
	e := plainError(answer{status: resp.StatusCode, body: body})
	if resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden {
		e.Kind = KindAuthentication
	}
	return e
}

// authenticate sends the token and waits for the answer.
func (s *socket) authenticate(ctx context.Context) error {
	compression := wire.CompressionNone
	if s.core.options.Compression {
		compression = wire.CompressionGzip
	}
	err := s.write(ctx, wire.ClientFrame{
		Type: wire.TypeAuthenticate, Method: "jwt", Token: s.login.tokens.Access,
		Protocol: &wire.ProtocolOptions{Serialization: wire.SerializationJSON,
			Compression: compression, Events: wire.EventsExact},
	})
	if err != nil {
		return err
	}
	f, err := s.read(ctx)
	if err != nil {
		return err
	}
	switch f.Type {
	case wire.TypeAuthSuccess:
		return nil
	case wire.TypeAuthError:
		return &Error{Kind: KindAuthentication, Code: wire.CodeInvalidCredentials, Message: f.Message}
	case wire.TypeError:
		return &Error{Kind: KindWebSocket, Code: f.Code, Message: f.Message}
	}
	return errorf(KindWebSocket, "got a %q frame in answer to authenticate", f.Type)
}

// write sends one frame.
func (s *socket) write(ctx context.Context, f wire.ClientFrame) error {
	b, err := json.Marshal(f)
	if err != nil {
		return wrap(KindSerialization, err, "encode frame")
	}
	if err := s.conn.Write(ctx, websocket.MessageText, b); err != nil {
		return wrap(KindWebSocket, err, "send")
	}
	return nil
}

// read waits for one frame. Binary messages are gzipped JSON.
func (s *socket) read(ctx context.Context) (*frame, error) {
	kind, b, err := s.conn.Read(ctx)
	if err != nil {
		return nil, s.readError(err)
	}
	if kind == websocket.MessageBinary {
		if b, err = gunzip(b); err != nil {
			return nil, wrap(KindSerialization, err, "decompress frame")
		}
	}
	f, err := decodeFrame(b)
	if err == nil {
		s.identify(f)
	}
	return f, err
}

// identify keeps the name of the connection, and puts it into acknowledgements.
func (s *socket) identify(f *frame) {
	switch f.Type {
	case wire.TypeAuthSuccess:
		s.user, s.id = kalam.UserID(f.User), f.ConnectionID
	case wire.TypeSubscriptionAck:
		if s.id != "" {
			f.liveID = kalam.LiveID(s.user, s.id, f.SubscriptionID)
		}
	}
}

// readError says why reading ended.
func (s *socket) readError(err error) error {
	var closed websocket.CloseError
	switch {
	case s.ctx.Err() != nil:
		return context.Cause(s.ctx)
	case errors.As(err, &closed):
		text := fmt.Sprintf("the server closed the connection with code %d", closed.Code)
		if closed.Reason != "" {
			text += ": " + closed.Reason
		}
		return &Error{Kind: KindWebSocket, Message: text, Err: err}
	case errors.Is(err, websocket.ErrMessageTooBig):
		return &Error{Kind: KindWebSocket, Code: wire.CodeMessageTooLarge,
			Message: fmt.Sprintf("a message of the server is larger than %d bytes", maxFrame), Err: err}
	}
	e := wrap(KindWebSocket, err, "receive")
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		e.Message = "the connection broke off"
	}
	return e
}

// gunzip decompresses a message.
func gunzip(b []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	out, err := io.ReadAll(io.LimitReader(z, maxFrame+1))
	if err == nil && len(out) > maxFrame {
		err = fmt.Errorf("the message is larger than %d bytes", maxFrame)
	}
	return out, err
}

// send queues a frame.
func (s *socket) send(f wire.ClientFrame) {
	s.mu.Lock()
	s.out = append(s.out, f)
	s.mu.Unlock()
	s.signal()
}

// close gives up the connection after the frames that are queued.
func (s *socket) close(why error) {
	s.mu.Lock()
	if s.closing == nil {
		s.closing = why
	}
	s.mu.Unlock()
	s.signal()
}

func (s *socket) signal() {
	select {
	case s.wake <- struct{}{}:
	default: // A token lies there already.
	}
}

// serve hands every frame of the server to take until the connection ends, and
// returns why. Its goroutines have ended by then.
//
//nolint:contextcheck // As that of expired.
func (s *socket) serve(take func(*frame) error) error {
	var helpers sync.WaitGroup
	helpers.Go(s.writeAll)
	helpers.Go(s.keepAlive)
	var err error
	for err == nil {
		var f *frame
		// Not s.ctx: its end would cut the connection before the close frame.
		if f, err = s.read(context.Background()); err == nil {
			err = take(f)
		}
	}
	s.cancel(err)
	_ = s.conn.CloseNow() // It has ended, or is given up.
	helpers.Wait()
	if websocket.CloseStatus(err) == wire.ClosePolicy {
		err = s.expired(err)
	}
	return err
}

// expired takes that the server ended the connection because of the token.
//
//nolint:contextcheck // The socket has a context of its own, which many subscriptions use.
func (s *socket) expired(err error) error {
	if s.login == nil {
		return &Error{Kind: KindAuthentication, Message: err.Error(), Err: err}
	}
	ctx, cancel := s.core.deadline(s.core.live.ctx)
	defer cancel()
	if _, renewal := s.core.credentials.renew(ctx, s.login); KindOf(renewal) == KindAuthentication {
		return renewal
	}
	return err
}

// writeAll sends the queued frames at the allowed pace, and closes the
// connection when asked to.
func (s *socket) writeAll() {
	for {
		f, why, ok := s.nextFrame()
		switch {
		case ok:
			if !pause(s.ctx, s.pacer.reserve(time.Now())) {
				return
			}
			if err := s.write(s.ctx, f); err != nil {
				s.abort(err)
				return
			}
		case why != nil:
			s.cancel(why)
			timer := time.AfterFunc(closeWait, func() { _ = s.conn.CloseNow() })
			_ = s.conn.Close(websocket.StatusNormalClosure, "") // The server may be gone already.
			timer.Stop()
			return
		default:
			select {
			case <-s.wake:
			case <-s.ctx.Done():
				return
			}
		}
	}
}

// nextFrame takes the first queued frame, or else returns why to close.
func (s *socket) nextFrame() (f wire.ClientFrame, why error, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.out) == 0 {
		return f, s.closing, false
	}
	f = s.out[0]
	s.out = s.out[1:]
	return f, nil, true
}

// keepAlive pings the server and cuts the connection when there is no answer.
func (s *socket) keepAlive() {
	for {
		interval := s.core.keepalive
		//nolint:gosec // It spreads the pings of many clients, no more.
		if !pause(s.ctx, interval-time.Duration(rand.Int64N(int64(interval)/10+1))) {
			return
		}
		s.ping()
	}
}
