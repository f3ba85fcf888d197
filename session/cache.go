package session

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/dialect"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/read"
	"github.com/kalamlake/kalam/sqltext"
)

// CacheOptions bound what is kept between the requests of a user.
type CacheOptions struct {
	Sessions      int           // Users with a role whose context is kept; 0 keeps none.
	Registrations int           // Statements of one context.
	TTL           time.Duration // After which a context that nobody uses is dropped.
}

// cache keeps a context for each user and role: the statements that they sent lately, read and resolved. What it holds
// of tables is valid for one state of the schemas and looked at again in any other. It is safe for concurrent use.
type cache struct {
	options CacheOptions
	now     func() time.Time

	hits, misses atomic.Int64

	mu    sync.Mutex // guards what follows
	users *simplelru.LRU[kalam.Principal, *userContext]
}

// userContext is what is kept for one user in one role.
type userContext struct {
	of   *cache
	used time.Time // When a request took it last; guarded by cache.mu.

	mu         sync.Mutex // guards what follows
	statements *simplelru.LRU[string, *registration]
}

// registration is a request of one statement, read. It is immutable but for point, and holds no value of a row.
type registration struct {
	fragments []sqltext.Fragment
	st        ast.Statement
	point     atomic.Pointer[resolvedPoint]
}

// resolvedPoint is a point read whose names are resolved for one user in one role.
type resolvedPoint struct {
	epoch  uint64 // Of the schemas.
	ns     kalam.NamespaceID
	table  *kalam.Table
	point  *dialect.Point
	out    []read.Column
	fields []read.Field
}

func newCache(o CacheOptions, now func() time.Time) (*cache, error) {
	c := &cache{options: o, now: now}
	if o.Sessions <= 0 {
		return c, nil
	}
	var err error
	c.users, err = simplelru.NewLRU[kalam.Principal, *userContext](o.Sessions, nil)
	return c, err
}

// of returns the context of a principal, nil when none is kept.
func (c *cache) of(p kalam.Principal) *userContext {
	if c.users == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	c.expireLocked(now)
	u, ok := c.users.Get(p)
	if !ok {
		statements, err := simplelru.NewLRU[string, *registration](max(c.options.Registrations, 1), nil)
		if err != nil {
			return nil // The size is at least 1.
		}
		u = &userContext{of: c, statements: statements}
		c.users.Add(p, u)
	}
	u.used = now
	return u
}

// expireLocked drops the contexts that nobody has used for too long. The least recently used come first.
func (c *cache) expireLocked(now time.Time) {
	for {
		p, u, ok := c.users.GetOldest()
		if !ok || now.Sub(u.used) < c.options.TTL {
			return
		}
		c.users.Remove(p)
	}
}

// clear empties the cache and returns how many contexts it held. Requests under way keep what they have.
func (c *cache) clear() int {
	if c.users == nil {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.users.Len()
	c.users.Purge()
	return n
}

// CacheStats are the counters and gauges of the session cache.
type CacheStats struct {
	Hits, Misses int64
	Sessions     int
	Statements   int
}

func (c *cache) stats() CacheStats {
	s := CacheStats{Hits: c.hits.Load(), Misses: c.misses.Load()}
	if c.users == nil {
		return s
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s.Sessions = c.users.Len()
	for _, u := range c.users.Values() {
		u.mu.Lock()
		s.Statements += u.statements.Len()
		u.mu.Unlock()
	}
	return s
}

// maxRegistered is the longest text that is kept.
const maxRegistered = 4 << 10

// statement returns what is kept of a text, nil for nothing.
func (u *userContext) statement(sql string) *registration {
	if u == nil || len(sql) > maxRegistered {
		return nil
	}
	u.mu.Lock()
	r, ok := u.statements.Get(sql)
	u.mu.Unlock()
	if ok {
		u.of.hits.Add(1)
	}
	return r
}

// register keeps a text that is likely to come again: a query, or what has placeholders for its values.
func (u *userContext) register(sql string, fragments []sqltext.Fragment, st ast.Statement) *registration {
	if u == nil || len(fragments) != 1 || len(sql) > maxRegistered {
		return nil
	}
	switch st.(type) {
	case *ast.Select:
	case *ast.Insert, *ast.Update, *ast.Delete:
		if dialect.ParamCount(st) == 0 {
			return nil
		}
	default:
		return nil
	}
	u.of.misses.Add(1)
	r := &registration{fragments: fragments, st: st}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.statements.Add(sql, r)
	return r
}
