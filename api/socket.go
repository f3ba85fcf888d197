package api

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofiber/contrib/websocket"
	"golang.org/x/time/rate"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/config"
	"github.com/kalamlake/kalam/link/wire"
	"github.com/kalamlake/kalam/live"
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
	// writing says that a frame is being written, which a client that does not read holds up.
	writing atomic.Bool

	write sync.Mutex // guards writing to ws, and the order of deliveries and unsubscribes
	frame []byte     // A frame being put together; guarded by write.

	mu   sync.Mutex // guards what follows
	subs map[string]*subscription
	over map[string]struct{} // Ids of those that the server ended: a next_batch may be under way.

	restarts sync.WaitGroup // Of subscriptions whose table was altered.
}

// subscription is a live query of a socket.
type subscription struct {
	id      string
	request live.Request
	query   *live.Query
	rows    rowEncoder

	// busy is held while the query is used, which takes long when it reads rows.
	// Whoever wants to close it meanwhile leaves that to the holder.
	busy   sync.Mutex
	pushed int       // Batches sent that nobody has asked for; guarded by busy.
	last   kalam.Seq // LastSeq of the last batch sent; guarded by busy.
	loaded bool      // It was the last one, or there are none; guarded by busy.
	closed bool      // guarded by socket.mu
}

// asked reports whether a next_batch, which may name the last seq of the batch that it
// follows, asks for what was not sent. A client may ask for each batch that has more
// after it, also when the next one is on its way.
func (sub *subscription) asked(after *wire.SeqID) bool {
	if sub.pushed == 0 {
		return true
	}
	// A client that keeps 53 bits of a number names a seq nearby. Where it may mean the
	// last batch it gets the next: one too early does no harm, one too few would.
	const nearby = 512
	mayMean := after == nil || max(sub.last, kalam.Seq(*after))-min(sub.last, kalam.Seq(*after)) <= nearby
	if mayMean && !sub.loaded {
		return true
	}
	sub.pushed--
	return false
}

// frameBuffers lends sockets the memory in which a frame is written.
var frameBuffers sync.Pool

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

// revoke closes the socket because its credentials have ended: nothing more is served. A
// client that does not read is cut off.
func (k *socket) revoke() {
	if k.ending.Swap(true) {
		return
	}
	k.cancel(errRevoked)
	k.outbox.Close() // Its live queries end with it.
	time.AfterFunc(cutAfter, func() {
		if k.writing.Load() {
			reset(k.conn)
		}
	})
}

// cutAfter is how long a frame that was being written has when credentials end.
const cutAfter = 50 * time.Millisecond

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

// userAttr names the user in logs.
func (k *socket) userAttr() slog.Attr {
	if who := k.who.Load(); who != nil {
		return slog.String("user", string(who.principal.User))
	}
	return slog.String("address", k.client.addr.String())
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
			k.revoke()
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

// Ids in error frames that are about no subscription.
const (
	aboutProtocol     = "protocol"
	aboutRate         = "rate_limit"
	aboutSubscribe    = "subscribe"
	aboutSubscription = "invalid_subscription"
)
