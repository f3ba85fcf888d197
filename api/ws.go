package api

import (
	"context"
	"log/slog"
	"runtime/debug"

	"github.com/gofiber/contrib/websocket"
	"github.com/gofiber/fiber/v2"

	"github.com/kalamlake/kalam/api/origins"
	"github.com/kalamlake/kalam/link/wire"
)

// upgrade is what the HTTP request tells the socket.
type upgrade struct {
	conn   *conn
	client client
	gzip   bool
	login  *login // From the headers.
}

const localUpgrade = "upgrade"

// handleWebSocket answers GET ws.
func (s *Server) handleWebSocket(c *fiber.Ctx) error {
	if s.active.Refusing() {
		return s.refuseStopping(c)
	}
	if !websocket.IsWebSocketUpgrade(c) {
		return plain(c, fiber.StatusUpgradeRequired, wire.PlainError{Error: "upgrade_required",
			Message: "This endpoint speaks WebSocket"})
	}
	if !s.originAllowed(c) {
		return s.refuseOrigin(c)
	}
	u := &upgrade{client: clientOf(c), gzip: c.Query("compress") != "false" &&
		c.Query("compression") != wire.CompressionNone}
	u.conn, _ = c.Context().Conn().(*conn)
	if hasCredentials(c) {
		protocol, reason := queryProtocol(c)
		if reason != "" {
			return plain(c, fiber.StatusBadRequest, wire.PlainError{Error: "bad_request", Message: reason})
		}
		who, err := s.headerLogin(c, u.client, protocol)
		if err != nil {
			return s.refuseSQL(c, s.now(), err)
		}
		u.login = who
	}
	c.Locals(localUpgrade, u)
	return s.upgrade(c)
}

// originAllowed decides which pages may call: those of the configured origins, by default those of the server itself.
func (s *Server) originAllowed(c *fiber.Ctx) bool {
	return origins.List(s.config.Server.CORSOrigins).Allow(c.Get(fiber.HeaderOrigin), string(c.Request().Host()))
}

// refuseOrigin answers a page that may not call.
func (s *Server) refuseOrigin(c *fiber.Ctx) error {
	return plain(c, fiber.StatusForbidden, wire.PlainError{Error: "forbidden",
		Message: origins.Refusal(c.Get(fiber.HeaderOrigin))})
}

// queryProtocol reads the protocol of a socket that the upgrade authenticates: no
// frame agrees on one. reason says what is wrong with it.
func queryProtocol(c *fiber.Ctx) (p wire.ProtocolOptions, reason string) {
	p = wire.ProtocolOptions{
		Serialization: c.Query("serialization", wire.SerializationJSON),
		Compression:   c.Query("compression", wire.CompressionNone), Events: c.Query("events"),
	}
	reason = badOptions(&p)
	if reason == "" && p.Serialization != wire.SerializationJSON {
		reason = unsupportedSerialization
	}
	return p, reason
}

// headerLogin authenticates by the headers of the upgrade.
func (s *Server) headerLogin(c *fiber.Ctx, from client, protocol wire.ProtocolOptions) (*login, error) {
	if !s.limits.mayAuthenticate(from.addr) {
		return nil, &requestError{code: wire.CodeRateLimit, status: fiber.StatusTooManyRequests, text: tooManyLogins}
	}
	l, err := s.credentials(c)
	if err != nil {
		s.limits.failedAuth(from.addr)
		return nil, err
	}
	as, err := s.actingFor(c, l)
	if err != nil {
		return nil, err
	}
	return &login{proof: l, principal: as, protocol: protocol}, nil
}

// upgrader returns the handler that makes a socket of a connection.
func (s *Server) upgrader() fiber.Handler {
	return websocket.New(s.serveSocket, websocket.Config{
		ReadBufferSize: frameBuffer, WriteBufferSize: frameBuffer, WriteBufferPool: &frameBuffers,
		RecoverHandler: func(*websocket.Conn) {
			if r := recover(); r != nil {
				s.log.Error("panic in a socket", slog.Any("panic", r), slog.String("stack", string(debug.Stack())))
			}
		},
	})
}

// serveSocket serves a connection until it ends.
func (s *Server) serveSocket(ws *websocket.Conn) {
	u, ok := ws.Locals(localUpgrade).(*upgrade)
	if !ok || u.conn == nil {
		return
	}
	u.conn.hijacked = true
	k := &socket{
		server: s, ws: ws, conn: u.conn, id: newID(16), client: u.client, gzip: u.gzip, log: s.log,
		outbox: s.engine.Live().NewOutbox(), stop: make(chan ending, 1),
		subs: map[string]*subscription{}, over: map[string]struct{}{},
		rate: perSecond(s.config.WebSocket.MaxMessagesPerSec),
	}
	k.ctx, k.cancel = context.WithCancelCause(s.base)
	defer k.cancel(nil)
	if !s.sockets.add(k) {
		k.outbox.Close()
		k.close(goingAway)
		return
	}
	defer s.sockets.remove(k)
	s.engine.Counters().Connections.Add(1)
	defer s.engine.Counters().Connections.Add(-1)
	k.run(u.login)
}

// run serves the socket: the writer in a goroutine of its own, the reader here.
func (k *socket) run(who *login) {
	k.touch()
	written := make(chan struct{})
	go func() {
		defer close(written)
		k.writeLoop()
	}()
	if who != nil {
		who.protocol.Compression = k.compression(who.protocol.Compression)
		k.enter(who)
	}
	k.readLoop()
	k.cancel(errGone)
	k.outbox.Close()
	<-written
	k.restarts.Wait()
	k.endAll()
}
