package api

import (
	"context"
	"net"
	"sync"
	"sync/atomic"

	"github.com/gofiber/fiber/v2"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/api/identity"
)

// errRevoked is the cause of the end of what was under way when its credentials ended.
var errRevoked = kalam.Errorf(kalam.CodeUnauthenticated, "the credentials of this request have ended")

// request is one request of the SQL endpoint that is under way.
type request struct {
	login     *identity.Login
	cancel    context.CancelCauseFunc
	conn      net.Conn
	streaming atomic.Bool // Its answer is being sent.
	revoked   atomic.Bool
}

// end ends the request because its credentials have ended. A client that has got a part
// of its answer gets no more: its connection is closed, whether or not it reads.
func (r *request) end() {
	r.revoked.Store(true)
	r.cancel(errRevoked)
	if r.streaming.Load() {
		reset(r.conn)
	}
}

// reset closes a connection without sending what the peer has not read yet.
func reset(c net.Conn) {
	if k, ok := c.(*conn); ok {
		c = k.Conn
	}
	if tcp, ok := c.(*net.TCPConn); ok {
		// An error means that it is closed already: then there is nothing left to send.
		_ = tcp.SetLinger(0)
	}
	_ = c.Close() // It fails only when it is closed already. Its reader and its writer notice.
}

// running are the requests under way. The zero value is ready; it is safe for concurrent use.
type running struct {
	mu  sync.Mutex // guards all
	all map[*request]struct{}
}

func (a *running) add(r *request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.all == nil {
		a.all = map[*request]struct{}{}
	}
	a.all[r] = struct{}{}
}

func (a *running) remove(r *request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.all, r)
}

// endInvalid ends the requests whose login is not valid any more.
func (a *running) endInvalid(valid func(*identity.Login) bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for r := range a.all {
		if !valid(r.login) {
			r.end()
		}
	}
}

// underWay returns the context of a request's statements, which ends with its client and with its
// credentials, and the request. release must be called before the connection is read again.
func (q *call) underWay(c *fiber.Ctx) (ctx context.Context, r *request, release func()) {
	s := q.server
	ctx, cancel := context.WithCancelCause(s.base)
	nc := c.Context().Conn()
	w := startWatch(nc, func() { cancel(errGone) })
	r = &request{login: q.login, cancel: cancel, conn: nc}
	s.running.add(r)
	if !s.identity.Valid(q.login) { // They may have ended before it was added.
		r.end()
	}
	return ctx, r, func() {
		s.running.remove(r)
		w.stop()
		cancel(nil)
	}
}

// endInvalid ends everything under way whose credentials have ended.
func (s *Server) endInvalid() {
	s.running.endInvalid(s.identity.Valid)
	s.sockets.closeInvalid(s.stillValid)
}
