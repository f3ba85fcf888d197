package api

import (
	"encoding/json"
	"fmt"
	"math"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"
	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/config"
	"github.com/kalamlake/kalam/link/wire"
)

const (
	tooManyLogins = "Too many authentication attempts. Please retry shortly."
	tooManySetups = "Too many setup attempts. Please retry shortly."
)

// What refused requests are counted as, beside the codes of the interface.
const (
	reasonLogins      = "too_many_logins"
	reasonConnections = "too_many_connections"
)

const (
	// maxTracked is how many addresses and users the rate limits remember; the
	// ones seen longest ago are forgotten, and start anew.
	maxTracked = 16384
	// violationsPerBan is how many refused requests end in a ban.
	violationsPerBan = 10
	// maxBanFactor is how many times the configured ban an address gets at most.
	maxBanFactor = 6
	// tooManyRetry is the Retry-After of a refused connection, in seconds.
	tooManyRetry = 5
)

// limits are the limits per address and per user (API-015). A limit of 0 is
// none. It is safe for concurrent use.
type limits struct {
	config   atomic.Pointer[config.RateLimitConfig]
	now      func() time.Time
	rejected func(status int, reason string) // Is told of refused connections.

	peers *lru.Cache[netip.Addr, *peerLimits]
	users *lru.Cache[kalam.UserID, *rate.Limiter]

	mu   sync.Mutex // guards open
	open map[netip.Addr]int
}

// peerLimits is what is remembered of an address.
type peerLimits struct {
	requests *rate.Limiter // nil without a limit.
	auth     *rate.Limiter // nil without a limit.

	mu         sync.Mutex // guards the fields below
	violations int
	last       time.Time // Of the last violation.
	banned     time.Time // Until when.
}

func newLimits(
	cfg config.RateLimitConfig, now func() time.Time, rejected func(status int, reason string),
) (*limits, error) {
	peers, err := lru.New[netip.Addr, *peerLimits](maxTracked)
	if err != nil {
		return nil, fmt.Errorf("make rate limits: %w", err)
	}
	users, err := lru.New[kalam.UserID, *rate.Limiter](maxTracked)
	if err != nil {
		return nil, fmt.Errorf("make rate limits: %w", err)
	}
	l := &limits{now: now, rejected: rejected, peers: peers, users: users, open: map[netip.Addr]int{}}
	l.config.Store(&cfg)
	return l, nil
}

// reload puts other limits in force. What was counted so far is forgotten, bans too.
func (l *limits) reload(cfg config.RateLimitConfig) {
	if *l.config.Swap(&cfg) != cfg {
		l.peers.Purge()
		l.users.Purge()
	}
}

// perSecond returns a limiter of n per second, nil when there is no limit.
func perSecond(n int) *rate.Limiter {
	if n <= 0 {
		return nil
	}
	return rate.NewLimiter(rate.Limit(n), n)
}

// connect counts a new connection of an address, unless it has too many; open is
// how many it has.
func (l *limits) connect(a netip.Addr) (open int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	open = l.open[a]
	if most := l.config.Load().MaxConnectionsPerIP; most > 0 && open >= most {
		return open, false
	}
	l.open[a]++
	return open + 1, true
}

func (l *limits) disconnect(a netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[a]--; l.open[a] <= 0 {
		delete(l.open, a)
	}
}

// connections returns the number of open connections.
func (l *limits) connections() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, open := range l.open {
		n += open
	}
	return n
}

// tooManyConnections is the body of the answer to a refused connection.
type tooManyConnections struct {
	Error   string `json:"error"`
	Message string `json:"message"`
	Current int    `json:"current"`
	Max     int    `json:"max"`
}

// refuse answers a connection that was never accepted and closes it.
func (l *limits) refuse(c net.Conn, open int) {
	defer c.Close()
	l.rejected(fiber.StatusServiceUnavailable, reasonConnections)
	body, err := json.Marshal(tooManyConnections{
		Error: "TOO_MANY_CONNECTIONS", Message: "Too many connections from your IP address",
		Current: open, Max: l.config.Load().MaxConnectionsPerIP,
	})
	if err != nil || c.SetWriteDeadline(time.Now().Add(time.Second)) != nil {
		return
	}
	// A peer that does not read it was refused all the same.
	_, _ = fmt.Fprintf(c, "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"+
		"Retry-After: %d\r\nConnection: close\r\n\r\n%s", len(body), tooManyRetry, body)
}

func (l *limits) peer(a netip.Addr) *peerLimits {
	if p, ok := l.peers.Get(a); ok {
		return p
	}
	p := &peerLimits{requests: perSecond(l.config.Load().MaxRequestsPerIP), auth: perSecond(l.config.Load().MaxAuthPerIP)}
	if old, found, _ := l.peers.PeekOrAdd(a, p); found {
		return old
	}
	return p
}

// request takes one request of an address. A zero code lets it pass.
func (l *limits) request(a netip.Addr) (code string, wait time.Duration) {
	if l.config.Load().MaxRequestsPerIP <= 0 {
		return "", 0
	}
	p, now := l.peer(a), l.now()
	if left := p.ban(now); left > 0 {
		return codeBanned, left
	}
	if p.requests == nil || p.requests.AllowN(now, 1) { // nil: from just before a reload.
		return "", 0
	}
	if left := p.violate(now, time.Duration(l.config.Load().BanSeconds)*time.Second); left > 0 {
		return codeBanned, left
	}
	return string(wire.CodeRateLimit), time.Second
}

// codeBanned is the code of the answer to a banned address.
const codeBanned = "IP_BANNED"

// ban returns how long the address is still banned.
func (p *peerLimits) ban(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.banned.Sub(now)
}

// violate counts a refused request and returns the ban it led to. Violations are
// forgotten after the longest ban without one.
func (p *peerLimits) violate(now time.Time, ban time.Duration) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Sub(p.last) > maxBanFactor*ban {
		p.violations = 0
	}
	p.last = now
	p.violations++
	if ban <= 0 || p.violations%violationsPerBan != 0 {
		return 0
	}
	length := ban * time.Duration(min(p.violations/violationsPerBan, maxBanFactor))
	p.banned = now.Add(length)
	return length
}

// query takes one SQL request of a user.
func (l *limits) query(u kalam.UserID) bool {
	most := l.config.Load().MaxQueriesPerSec
	if most <= 0 {
		return true
	}
	r, ok := l.users.Get(u)
	if !ok {
		r = perSecond(most)
		if old, found, _ := l.users.PeekOrAdd(u, r); found {
			r = old
		}
	}
	return r.AllowN(l.now(), 1)
}

// mayAuthenticate reports whether an address may try credentials. Only failures
// are counted (failedAuth): what the limit is against is guessing, and a client
// that logs many users in is none that guesses.
func (l *limits) mayAuthenticate(a netip.Addr) bool {
	if l.config.Load().MaxAuthPerIP <= 0 {
		return true
	}
	auth := l.peer(a).auth
	return auth == nil || auth.TokensAt(l.now()) >= 1 // nil: from just before a reload.
}

// failedAuth counts an attempt that failed. Attempts that ran side by side can
// take more than there was; the address then waits the longer.
func (l *limits) failedAuth(a netip.Addr) {
	if auth := l.peer(a).auth; auth != nil {
		auth.ReserveN(l.now(), 1)
	}
}

// addrOf returns the address by which a peer is counted. Whoever has one IPv6
// address usually has a /64 of them.
func addrOf(a net.Addr) netip.Addr {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return countedAs(tcp.AddrPort().Addr())
}

func countedAs(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil && !a.IsLoopback() {
			return p.Addr()
		}
	}
	return a
}

// client is where a request comes from.
type client struct {
	addr netip.Addr // By which it is counted.
	// local says that the request was made on this machine, and not by a proxy
	// on behalf of somebody else.
	local bool
}

// clientOf finds out who sent a request. Only a proxy on this machine is
// believed, and of what it says the last entry, the one that it added itself.
func clientOf(c *fiber.Ctx) client {
	peer := addrOf(c.Context().RemoteAddr())
	lines := c.Request().Header.PeekAll(fiber.HeaderXForwardedFor)
	var forwarded []byte
	if len(lines) > 0 {
		forwarded = lines[len(lines)-1] // A list may come in several lines, in their order.
	}
	real := c.Request().Header.Peek("X-Real-Ip")
	if len(forwarded) == 0 && len(real) == 0 && len(c.Request().Header.Peek("Forwarded")) == 0 {
		return client{addr: peer, local: peer.IsLoopback()}
	}
	if !peer.IsLoopback() {
		return client{addr: peer}
	}
	entry := string(forwarded)
	if i := strings.LastIndexByte(entry, ','); i >= 0 {
		entry = entry[i+1:]
	}
	if entry == "" {
		entry = string(real)
	}
	if a, err := netip.ParseAddr(strings.TrimSpace(entry)); err == nil && !a.IsLoopback() {
		return client{addr: countedAs(a)}
	}
	return client{addr: peer}
}

// retrySeconds returns a wait as the value of Retry-After.
func retrySeconds(d time.Duration) int { return max(1, int(math.Ceil(d.Seconds()))) }
