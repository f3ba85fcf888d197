package catalog

import (
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/kalamlake/kalam"
)

// The lock against guessing. MaxFailedLogins wrong passwords in a row lock a name
// for the address that they came from: for LockTime, and for twice as long each time
// that it happens again, up to MaxLockTime.
//
// Whoever guesses one name from many addresses is slowed down too: after
// maxStrangerFailures wrong passwords from addresses that never logged in as that
// name, all such addresses together may try once per strangerDelay, which doubles with
// each further failure up to LockTime. An address that did log in is not held up by
// the guesses of others.
const (
	MaxFailedLogins = 5
	LockTime        = 15 * time.Minute
	MaxLockTime     = 4 * time.Hour

	maxStrangerFailures = 20
	strangerDelay       = time.Second
	// guessMemory is how long after the last failure it is forgotten.
	guessMemory = 24 * time.Hour
)

// Bounds of what is remembered. The pair, name or user that was touched longest ago
// makes room.
const (
	maxGuessPairs     = 16384
	maxGuessNames     = 16384
	maxKnownUsers     = 65536
	maxKnownAddresses = 16 // Of one user.
)

// Origin is where a login comes from.
type Origin struct {
	Addr netip.Addr // By which it is counted.
	// Local says that it was made on the server's own machine. root is never
	// locked for such logins, so that nobody can lock the administrator out.
	Local bool
}

// LockedError is returned by Login while a name is locked for the address of the
// attempt. Its code is CodeUnauthenticated.
type LockedError struct {
	Until time.Time
	Left  time.Duration // From the time of the attempt, above 0.
}

// Error returns "Account locked. Try again in {n} minute(s)".
func (e *LockedError) Error() string {
	return fmt.Sprintf("Account locked. Try again in %d minute(s)", e.Minutes())
}

// Minutes returns Left in minutes, rounded up.
func (e *LockedError) Minutes() int { return int((e.Left + time.Minute - 1) / time.Minute) }

// Unwrap returns the error as a *kalam.Error.
func (e *LockedError) Unwrap() error { return kalam.Errorf(kalam.CodeUnauthenticated, "%s", e.Error()) }

func lockError(until, now time.Time) error {
	if !until.After(now) {
		return nil
	}
	return &LockedError{Until: until, Left: until.Sub(now)}
}

// Guesses is what is known of failed logins of one name, over all addresses.
type Guesses struct {
	Failed      int       // Since the last login from the same address.
	LockedUntil time.Time // The end of the lock that lasts longest; zero without one.
}

// guesses counts failed logins in memory. It knows names, not users, so that a name
// that is no user is treated like one that is, before and after a restart. It is safe
// for concurrent use.
type guesses struct {
	mu    sync.Mutex // guards the fields below
	pairs *simplelru.LRU[guessPair, *pairGuesses]
	names *simplelru.LRU[kalam.UserID, *nameGuesses]
	// known are the addresses that logged in as a user, newest last. Only a right
	// password adds one, so whoever guesses cannot push one out.
	known *simplelru.LRU[kalam.UserID, []netip.Addr]
}

// guessPair is a name with an address that a login for it came from.
type guessPair struct {
	name kalam.UserID
	addr netip.Addr
}

// pairGuesses are the failed logins of one name from one address.
type pairGuesses struct {
	failed int // Since the last login or lock.
	locks  int // Since the last login.
	last   time.Time
	until  time.Time
}

// nameGuesses are the failed logins of one name from addresses that never logged in.
type nameGuesses struct {
	failed int
	last   time.Time
	until  time.Time
}

func newGuesses() *guesses {
	return &guesses{
		pairs: newLRU[guessPair, *pairGuesses](maxGuessPairs),
		names: newLRU[kalam.UserID, *nameGuesses](maxGuessNames),
		known: newLRU[kalam.UserID, []netip.Addr](maxKnownUsers),
	}
}

func newLRU[K comparable, V any](size int) *simplelru.LRU[K, V] {
	l, err := simplelru.NewLRU[K, V](size, nil)
	if err != nil {
		panic(err) // It refuses sizes below 1 only.
	}
	return l
}

// admit returns a *LockedError when the name may not be tried from there now.
func (g *guesses) admit(name kalam.UserID, from Origin, now time.Time) error {
	if isExempt(name, from) {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.admitLocked(name, from, now)
}

func isExempt(name kalam.UserID, from Origin) bool { return name == RootUser && from.Local }

func (g *guesses) admitLocked(name kalam.UserID, from Origin, now time.Time) error {
	if p, ok := g.pairs.Peek(guessPair{name, from.Addr}); ok {
		if err := lockError(p.until, now); err != nil {
			return err
		}
	}
	if n, ok := g.names.Peek(name); ok && !g.isKnownLocked(name, from.Addr) {
		return lockError(n.until, now)
	}
	return nil
}

func (g *guesses) isKnownLocked(name kalam.UserID, addr netip.Addr) bool {
	addrs, _ := g.known.Peek(name)
	return slices.Contains(addrs, addr)
}

// failed counts a wrong password. It returns a *LockedError, and counts nothing, when
// the name was locked while the password was compared.
func (g *guesses) failed(name kalam.UserID, from Origin, now time.Time) error {
	if isExempt(name, from) {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.admitLocked(name, from, now); err != nil {
		return err
	}
	pair := guessPair{name, from.Addr}
	p, ok := g.pairs.Get(pair)
	if !ok || isForgotten(p.last, p.until, now) {
		p = &pairGuesses{}
		g.pairs.Add(pair, p)
	}
	p.fail(now)
	if g.isKnownLocked(name, from.Addr) {
		return nil
	}
	n, ok := g.names.Get(name)
	if !ok || isForgotten(n.last, n.until, now) {
		n = &nameGuesses{}
		g.names.Add(name, n)
	}
	n.fail(now)
	return nil
}

// isForgotten reports whether a failure at last, and the lock after it, is so long ago
// that counting starts anew.
func isForgotten(last, until, now time.Time) bool {
	if until.After(last) {
		last = until
	}
	return now.Sub(last) >= guessMemory
}

func (p *pairGuesses) fail(now time.Time) {
	p.failed++
	p.last = now
	if p.failed < MaxFailedLogins {
		return
	}
	p.until = now.Add(doubled(LockTime, p.locks, MaxLockTime))
	p.failed = 0
	p.locks++
}

func (n *nameGuesses) fail(now time.Time) {
	n.failed++
	n.last = now
	if over := n.failed - maxStrangerFailures; over >= 0 {
		n.until = now.Add(doubled(strangerDelay, over, LockTime))
	}
}

// doubled returns d doubled the given number of times, at most limit.
func doubled(d time.Duration, times int, limit time.Duration) time.Duration {
	for range times {
		if d >= limit {
			break
		}
		d *= 2
	}
	return min(d, limit)
}

// succeeded notes a login. It returns a *LockedError, and notes nothing, when the name
// was locked while the password was compared.
func (g *guesses) succeeded(name kalam.UserID, from Origin, now time.Time) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !isExempt(name, from) {
		if err := g.admitLocked(name, from, now); err != nil {
			return err
		}
	}
	g.pairs.Remove(guessPair{name, from.Addr})
	old, _ := g.known.Get(name)
	addrs := slices.DeleteFunc(slices.Clone(old), func(a netip.Addr) bool { return a == from.Addr })
	if len(addrs) >= maxKnownAddresses {
		addrs = addrs[1:]
	}
	g.known.Add(name, append(addrs, from.Addr))
	return nil
}

// forget ends every lock of a name, because its password is another one now.
func (g *guesses) forget(name kalam.UserID) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.names.Remove(name)
	for _, pair := range g.pairs.Keys() {
		if pair.name == name {
			g.pairs.Remove(pair)
		}
	}
}

// byName returns the failures and locks of every name that has any.
func (g *guesses) byName(now time.Time) map[kalam.UserID]Guesses {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := make(map[kalam.UserID]Guesses, g.names.Len())
	add := func(name kalam.UserID, failed int, last, until time.Time) {
		if isForgotten(last, until, now) {
			return
		}
		sum := all[name]
		sum.Failed += failed
		if until.After(now) && until.After(sum.LockedUntil) {
			sum.LockedUntil = until.UTC()
		}
		all[name] = sum
	}
	for _, pair := range g.pairs.Keys() {
		p, _ := g.pairs.Peek(pair)
		add(pair.name, p.locks*MaxFailedLogins+p.failed, p.last, p.until)
	}
	for _, name := range g.names.Keys() {
		n, _ := g.names.Peek(name)
		add(name, 0, n.last, n.until)
	}
	return all
}
