package api

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kalamlake/kalam/api/quickack"
)

// Times of a connection.
const (
	// watchDelay is how long a request runs before its connection is watched.
	// Most requests are over by then and pay for a timer only.
	watchDelay = 50 * time.Millisecond
	// writeStall is how long a peer may take nothing of a response.
	writeStall = 30 * time.Second
	// lingerTime and lingerBytes bound what is read of a peer that is still
	// sending when its request was refused: closing at once would reset the
	// connection and could take the answer with it.
	lingerTime  = time.Second
	lingerBytes = 64 << 20
	// maxAhead is how much of the requests that follow is read while one is
	// being answered.
	maxAhead = 16 << 10
)

// errGone is the cause of a statement's end when its client went away.
var errGone = errors.New("the client closed the connection")

// past is a deadline that ends a read under way.
var past = time.Unix(1, 0)

// listener hands out conns, at most a number of them per address, and knows
// those that are open.
type listener struct {
	net.Listener
	limits *limits
	closed chan struct{}
	once   sync.Once

	mu   sync.Mutex // guards open
	open map[*conn]struct{}
}

func newListener(ln net.Listener, l *limits) *listener {
	return &listener{Listener: ln, limits: l, closed: make(chan struct{}), open: map[*conn]struct{}{}}
}

// Accept waits for the next connection within its address's limit. Running out
// of file descriptors and the like is waited out, as net/http does.
func (l *listener) Accept() (net.Conn, error) {
	wait := 5 * time.Millisecond
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			var temporary interface{ Temporary() bool }
			if !errors.As(err, &temporary) || !temporary.Temporary() {
				return nil, err
			}
			select {
			case <-time.After(wait):
			case <-l.closed:
			}
			wait = min(2*wait, time.Second)
			continue
		}
		wait = 5 * time.Millisecond
		peer := addrOf(c.RemoteAddr())
		if open, ok := l.limits.connect(peer); !ok {
			l.limits.refuse(c, open)
			continue
		}
		k := &conn{Conn: c, ack: quickack.Of(c)}
		k.release = func() {
			l.limits.disconnect(peer)
			l.mu.Lock()
			defer l.mu.Unlock()
			delete(l.open, k)
		}
		l.mu.Lock()
		l.open[k] = struct{}{}
		l.mu.Unlock()
		return k, nil
	}
}

// cutAll ends every open connection under whoever uses it.
func (l *listener) cutAll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.open {
		// An error means that it is closed already.
		_ = c.Conn.Close()
	}
}

// Close stops Accept. It may be called twice.
func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// conn is a connection that can be watched while nobody reads it. Read is called by one
// goroutine at a time, and so is Write.
type conn struct {
	net.Conn
	release func() // Called once when the connection is closed.
	ack     func() // Acknowledges at once, see quickack.Of.
	// written says that something was sent after the last read: what was read is acknowledged
	// by it.
	written atomic.Bool

	ahead    []byte // Read by a watch, not yet by Read.
	aheadErr error  // What followed ahead.
	linger   bool   // The peer may be sending a body that nobody reads.
	hijacked bool   // A WebSocket, which sets its own deadlines.

	once     sync.Once
	closeErr error
}

// Read reads what a watch has read first.
func (c *conn) Read(p []byte) (int, error) {
	if len(c.ahead) > 0 {
		n := copy(p, c.ahead)
		c.ahead = c.ahead[n:]
		return n, nil
	}
	if c.aheadErr != nil {
		return 0, c.aheadErr
	}
	if !c.written.Load() {
		c.ack() // It waits for the rest of what it has read.
	}
	n, err := c.Conn.Read(p)
	c.written.Store(false)
	return n, err
}

// Write gives up on a peer that takes nothing for writeStall.
func (c *conn) Write(p []byte) (int, error) {
	if !c.hijacked {
		if err := c.Conn.SetWriteDeadline(time.Now().Add(writeStall)); err != nil {
			return 0, err
		}
	}
	c.written.Store(true)
	return c.Conn.Write(p)
}

// Close closes the connection, after what the peer is still sending was read,
// within bounds, when it lingers.
func (c *conn) Close() error {
	c.once.Do(func() {
		if half, ok := c.Conn.(interface{ CloseWrite() error }); ok && c.linger && half.CloseWrite() == nil {
			if c.Conn.SetReadDeadline(time.Now().Add(lingerTime)) == nil {
				// How it ends does not matter: the connection is closed next.
				_, _ = io.CopyN(io.Discard, c.Conn, lingerBytes)
			}
		}
		c.closeErr = c.Conn.Close()
		c.release()
	})
	return c.closeErr
}

// watch looks after a connection while its request is being answered.
type watch struct {
	conn  *conn
	gone  func()
	timer *time.Timer
	ended chan struct{} // Closed when the goroutine of a fired timer has ended.

	mu      sync.Mutex // guards stopped, and the order of deadlines
	stopped bool
}

// startWatch calls gone when the peer of nc goes away. Until stop, which must be
// called before nc is read again, the caller must not read. What the peer sends
// meanwhile, the next requests, is kept for Read. Connections that are not of
// our listener are not watched.
func startWatch(nc net.Conn, gone func()) *watch {
	c, ok := nc.(*conn)
	if !ok {
		return nil
	}
	w := &watch{conn: c, gone: gone, ended: make(chan struct{})}
	w.timer = time.AfterFunc(watchDelay, w.run)
	return w
}

// run reads until the peer has sent more than is kept, has gone away, or the
// watch is stopped.
func (w *watch) run() {
	defer close(w.ended)
	if !w.begin() {
		return
	}
	c := w.conn
	buf := make([]byte, 4<<10)
	for len(c.ahead) < maxAhead && c.aheadErr == nil {
		n, err := c.Conn.Read(buf)
		c.ahead = append(c.ahead, buf[:n]...)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return // Stopped.
		}
		c.aheadErr = err
	}
	if c.aheadErr != nil {
		w.gone()
	}
}

// begin lifts the deadline by which the request had to arrive, unless the watch
// was stopped.
func (w *watch) begin() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.stopped && w.conn.Conn.SetReadDeadline(time.Time{}) == nil
}

// stop ends the watch and waits for it. It may be called again, and on nil.
func (w *watch) stop() {
	if w == nil || !w.interrupt() {
		return
	}
	<-w.ended
	// An error means that the connection is closed, as the next read will tell.
	_ = w.conn.Conn.SetReadDeadline(time.Time{})
}

// interrupt ends a read under way and reports whether the goroutine was started.
func (w *watch) interrupt() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopped {
		return false
	}
	w.stopped = true
	if w.timer.Stop() {
		return false
	}
	// An error means that the connection is closed, which ends the read too.
	_ = w.conn.Conn.SetReadDeadline(past)
	return true
}

// withWatch returns a context that ends with cause errGone when the peer of nc
// goes away. stop must be called before nc is read again.
func withWatch(ctx context.Context, nc net.Conn) (_ context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	w := startWatch(nc, func() { cancel(errGone) })
	return ctx, func() {
		w.stop()
		cancel(nil)
	}
}
