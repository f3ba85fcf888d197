package cache

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

// Options bound what is kept between the requests of a user.
type Options struct {
	Sessions      int           // Users with a role whose context is kept; 0 keeps none.
	Registrations int           // Statements of one context.
	TTL           time.Duration // After which a context that nobody uses is dropped.
}

// Cache keeps a context for each user and role: the statements that they sent lately, read and resolved. What it holds
// Of tables is valid for one state of the schemas and looked at again in any other. It is safe for concurrent use.
type Cache struct {
	options Options
	now     func() time.Time

	hits, misses atomic.Int64

	mu    sync.Mutex // guards what follows
	users *simplelru.LRU[kalam.Principal, *User]
}

// User is what is kept for one user in one role.
type User struct {
	of   *Cache
	used time.Time // When a request took it last; guarded by cache.mu.

	mu         sync.Mutex // guards what follows
	statements *simplelru.LRU[string, *Registration]
}

// Registration is a request of one statement, read. It is immutable but for Point, and holds no value of a row.
type Registration struct {
	Fragments []sqltext.Fragment
	Statement ast.Statement
	Point     atomic.Pointer[Point] // nil until it is known whether the statement is one.
}

// Point is a point read whose names are resolved for one user in one role.
type Point struct {
	Epoch     uint64 // Of the schemas.
	Namespace kalam.NamespaceID
	Table     *kalam.Table // nil: it is none, or none for the user.
	Point     *dialect.Point
	Columns   []read.Column
	Fields    []read.Field
}

// New returns an empty cache.
func New(o Options, now func() time.Time) (*Cache, error) {
	c := &Cache{options: o, now: now}
	if o.Sessions <= 0 {
		return c, nil
	}
	var err error
	c.users, err = simplelru.NewLRU[kalam.Principal, *User](o.Sessions, nil)
	return c, err
}

// Of returns the context of a principal, nil, which is of use as one that keeps nothing, when none is kept.
func (c *Cache) Of(p kalam.Principal) *User {
	if c.users == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	c.expireLocked(now)
	u, ok := c.users.Get(p)
	if !ok {
		statements, err := simplelru.NewLRU[string, *Registration](max(c.options.Registrations, 1), nil)
		if err != nil {
			return nil // The size is at least 1.
		}
		u = &User{of: c, statements: statements}
		c.users.Add(p, u)
	}
	u.used = now
	return u
}

// expireLocked drops the contexts that nobody has used for too long. The least recently used come first.
func (c *Cache) expireLocked(now time.Time) {
	for {
		p, u, ok := c.users.GetOldest()
		if !ok || now.Sub(u.used) < c.options.TTL {
			return
		}
		c.users.Remove(p)
	}
}

// Clear empties the cache and returns how many contexts it held. Requests under way keep what they have.
func (c *Cache) Clear() int {
	if c.users == nil {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.users.Len()
	c.users.Purge()
	return n
}

// Forget drops the contexts of a user, in whatever role.
func (c *Cache) Forget(user kalam.UserID) {
	if c.users == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.users.Keys() {
		if p.User == user {
			c.users.Remove(p)
		}
	}
}

// Stats are the counters and gauges of the session cache.
type Stats struct {
	Hits, Misses int64
	Sessions     int
	Statements   int
}

// Stats returns the counters and gauges.
func (c *Cache) Stats() Stats {
	s := Stats{Hits: c.hits.Load(), Misses: c.misses.Load()}
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

// Statement returns what is kept of a text, nil for nothing.
func (u *User) Statement(sql string) *Registration {
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

// Register keeps a text that is likely to come again: a query, or what has placeholders for its values.
func (u *User) Register(sql string, fragments []sqltext.Fragment, st ast.Statement) *Registration {
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
	r := &Registration{Fragments: fragments, Statement: st}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.statements.Add(sql, r)
	return r
}
