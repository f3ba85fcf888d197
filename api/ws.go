package api

import (
	"context"
	"log/slog"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofiber/contrib/websocket"
	"github.com/gofiber/fiber/v2"
	"golang.org/x/time/rate"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/config"
	"github.com/kalamlake/kalam/link/wire"
	"github.com/kalamlake/kalam/subscribe"
)

const (
	// frameBuffer is the size up to which a frame is one write to the socket.
	frameBuffer = 4 << 10
	// frameStall is how long a client may take nothing of a frame.
	frameStall = 10 * time.Second
	// closeWait is how long a client has to answer a close frame.
	closeWait = time.Second
)

// socketTimes are the intervals of a socket.
type socketTimes struct {
	auth      time.Duration // Until the authenticate message.
	client    time.Duration // Of silence.
	heartbeat time.Duration // Between checks.
}

func socketTimesOf(c config.WebSocketConfig) socketTimes {
	return socketTimes{
		auth:      time.Duration(c.AuthTimeoutSecs) * time.Second,
		client:    time.Duration(c.ClientTimeoutSecs) * time.Second,
		heartbeat: time.Duration(c.HeartbeatIntervalSecs) * time.Second,
	}
}

// ending is why the server closes a socket.
type ending struct {
	code   int
	reason string
}

// The endings that have one text.
var (
	goingAway     = ending{wire.CloseGoingAway, "Server shutting down"}
	heartbeatLost = ending{wire.CloseNormal, "Heartbeat timeout"}
	authTimedOut  = ending{wire.ClosePolicy, "Authentication timeout"}
	authFailed    = ending{wire.ClosePolicy, "Authentication failed"}
	authEnded     = ending{wire.ClosePolicy, "Authentication expired"}
	slowConsumer  = ending{wire.CloseSlowConsumer, subscribe.ErrSlow.Error()}
	lastKilled    = ending{wire.CloseNormal, "Live query killed"}
)

// socket is one WebSocket connection. The goroutine that serves it reads and
// answers frames; a second one writes events, pings and checks.
type socket struct {
	server *Server
	ws     *websocket.Conn
	conn   *conn
	id     string
	client client
	gzip   bool // The upgrade allows compressed frames.
	log    *slog.Logger
	outbox *subscribe.Outbox
	rate   *rate.Limiter // nil without a limit.
	ctx    context.Context
	cancel context.CancelCauseFunc

	seen   atomic.Int64          // When the last frame came, in Unix nanoseconds.
	busy   atomic.Bool           // A frame is being handled.
	who    atomic.Pointer[login] // nil until authenticated.
	stop   chan ending           // Holds the first wish to close; later ones change nothing.
	ending atomic.Bool           // The close frame is being sent.

	write sync.Mutex // guards writing to ws, and the order of deliveries and unsubscribes
	frame []byte     // A frame being put together; guarded by write.

	mu   sync.Mutex // guards subs
	subs map[string]*subscription
}

// login is who a socket belongs to and how it speaks.
type login struct {
	principal kalam.Principal
	claims    *claims
	protocol  wire.ProtocolOptions
}

// upgrade is what the HTTP request tells the socket.
type upgrade struct {
	conn   *conn
	client client
	gzip   bool
	login  *login // From a Bearer header.
}

const localUpgrade = "upgrade"

// handleWebSocket answers GET ws.
func (s *Server) handleWebSocket(c *fiber.Ctx) error {
	if s.active.refusing() {
		return refuseStopping(c)
	}
	if !websocket.IsWebSocketUpgrade(c) {
		return plain(c, fiber.StatusUpgradeRequired, wire.PlainError{Error: "upgrade_required",
			Message: "This endpoint speaks WebSocket"})
	}
	if !s.originAllowed(c) {
		return plain(c, fiber.StatusForbidden, wire.PlainError{Error: "forbidden", Message: "Origin not allowed"})
	}
	u := &upgrade{client: clientOf(c), gzip: c.Query("compress") != "false" &&
		c.Query("compression") != wire.CompressionNone}
	u.conn, _ = c.Context().Conn().(*conn)
	if c.Get(fiber.HeaderAuthorization) != "" {
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

// originAllowed decides which pages may open a socket: those of the configured
// origins, by default those of the server itself. Programs send no Origin.
func (s *Server) originAllowed(c *fiber.Ctx) bool {
	origin := c.Get(fiber.HeaderOrigin)
	if origin == "" {
		return true
	}
	if origins := s.config.Server.CORSOrigins; len(origins) > 0 {
		return origins[0] == "*" || slices.Contains(origins, origin)
	}
	_, host, _ := strings.Cut(origin, "://")
	return strings.EqualFold(host, string(c.Request().Host()))
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

// headerLogin authenticates by the Bearer header of the upgrade.
func (s *Server) headerLogin(c *fiber.Ctx, from client, protocol wire.ProtocolOptions) (*login, error) {
	if !s.limits.mayAuthenticate(from.addr) {
		return nil, &requestError{code: wire.CodeRateLimit, status: fiber.StatusTooManyRequests, text: tooManyLogins}
	}
	text, err := bearer(c)
	if err == nil {
		var who *login
		if who, err = s.login(text, protocol); err == nil {
			return who, nil
		}
	}
	s.limits.failedAuth(from.addr)
	return nil, err
}

// login returns who an access token belongs to.
func (s *Server) login(token string, protocol wire.ProtocolOptions) (*login, error) {
	u, claims, err := s.tokens.holder(s.engine.Catalog(), token, tokenAccess)
	if err != nil {
		return nil, err
	}
	s.engine.Catalog().Seen(u.ID)
	return &login{principal: kalam.Principal{User: u.ID, Role: u.Role}, claims: claims, protocol: protocol}, nil
}

// stillValid reports whether the token has neither expired nor been ended.
func (s *Server) stillValid(l *login) bool {
	if l.claims.expired(s.now()) {
		return false
	}
	u, ok := s.engine.Catalog().User(l.principal.User)
	return ok && s.tokens.holds(l.claims, &u)
}

// frameBuffers lends sockets the memory in which a frame is written.
var frameBuffers sync.Pool

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
		outbox: s.engine.Live().NewOutbox(), stop: make(chan ending, 1), subs: map[string]*subscription{},
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
	k.endAll()
}

// compression returns what of the compression that a client asks for it gets.
func (k *socket) compression(asked string) string {
	if !k.gzip {
		return wire.CompressionNone
	}
	return asked
}

// touch notes that the client is alive.
func (k *socket) touch() { k.seen.Store(time.Now().UnixNano()) }

// end asks the writer to close the socket.
func (k *socket) end(e ending) {
	select {
	case k.stop <- e:
	default:
	}
}

// close sends a close frame. The reader, which sees the client's answer or
// closeWait pass, then ends the connection.
func (k *socket) close(e ending) {
	k.ending.Store(true)
	k.cancel(errGone)
	message := websocket.FormatCloseMessage(e.code, shorten(e.reason, maxReason))
	// A client that takes it no more is gone, which is what is wanted.
	_ = k.ws.WriteControl(websocket.CloseMessage, message, time.Now().Add(closeWait))
	_ = k.ws.SetReadDeadline(time.Now().Add(closeWait))
}

// maxReason is how long the reason of a close frame may be.
const maxReason = 123

// shorten cuts s to at most n bytes, at the border of a character.
func shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}

// sockets are the open sockets of a server.
type sockets struct {
	mu      sync.Mutex // guards the fields below
	open    map[*socket]struct{}
	refused bool
	served  sync.WaitGroup
}

func newSockets() *sockets { return &sockets{open: map[*socket]struct{}{}} }

// add reports false when the server stops.
func (a *sockets) add(k *socket) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.refused {
		return false
	}
	a.open[k] = struct{}{}
	a.served.Add(1)
	return true
}

func (a *sockets) remove(k *socket) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.open, k)
	a.served.Done()
}

// closeAll asks all sockets to close and lets no new ones in.
func (a *sockets) closeAll(e ending) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.refused = true
	for k := range a.open {
		k.end(e)
	}
}

// closeInvalid asks the sockets to close whose login is not valid any more.
func (a *sockets) closeInvalid(valid func(*login) bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for k := range a.open {
		if who := k.who.Load(); who != nil && !valid(who) {
			k.ending.Store(true)
			k.end(authEnded)
		}
	}
}

// wait waits for the sockets to end, and cuts those that take longer than a
// close frame takes.
func (a *sockets) wait() {
	timer := time.AfterFunc(2*closeWait, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		for k := range a.open {
			// Ends its reader and its writer; there is nothing to do about an error.
			_ = k.conn.Conn.Close()
		}
	})
	a.served.Wait()
	timer.Stop()
}

// userAttr names the user in logs.
func (k *socket) userAttr() slog.Attr {
	if who := k.who.Load(); who != nil {
		return slog.String("user", string(who.principal.User))
	}
	return slog.String("address", k.client.addr.String())
}
