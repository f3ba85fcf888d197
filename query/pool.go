package query

// #include "scan.h"
import "C"

import (
	"context"
	"errors"
	"runtime/cgo"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/sync/semaphore"
)

var errNoMemory = errors.New("out of memory")

// Bounds of the pool.
const (
	maxSessions   = 64 // Queries that are open at a time; more wait.
	maxStatements = 64 // Prepared statements per session.
)

// pool keeps the connections of the instance that runs user SQL. A session is
// one query's until it is put back. When DuckDB declares the instance unusable,
// the next session is one of a new instance.
type pool struct {
	settings   []string
	helper     *instance // For conversions: it outlives the instances.
	ids        cgo.Handle
	permits    *semaphore.Weighted
	variants   lastVariant
	prepared   atomic.Int64 // Statements that were found prepared.
	postgreSQL bool         // See Options.

	mu   sync.Mutex // guards what follows
	gen  *generation
	idle []*session // The most recently used last.
	open int
}

// generation is one instance with its functions.
type generation struct {
	in       *instance
	registry *C.kalam_registry
	dead     bool // DuckDB has given up on it.
	sessions int
}

// session is a connection with its prepared statements.
type session struct {
	*conn
	gen        *generation
	converter  *conn
	statements *simplelru.LRU[uint64, *statement]
}

func openPool(o Options, helper *instance) (*pool, error) {
	p := &pool{
		settings: lockdown(o.LakeDirs, o.TempDir, o.MemoryLimit, o.Threads), helper: helper,
		ids: cgo.NewHandle(nextID(o.NextID)), permits: semaphore.NewWeighted(maxSessions),
	}
	if p.postgreSQL = o.PostgreSQL; p.postgreSQL {
		p.settings = postgreSQL(p.settings)
	}
	var err error
	p.gen, err = openFunctions(p.settings, p.ids, p.postgreSQL)
	if err != nil {
		p.ids.Delete()
		return nil, err
	}
	return p, nil
}

// openFunctions opens an instance and registers the functions in it.
func openFunctions(settings []string, ids cgo.Handle, postgreSQL bool) (*generation, error) {
	in, err := openInstance(settings)
	if err != nil {
		return nil, err
	}
	g := &generation{in: in, registry: C.kalam_registry_new(C.uintptr_t(ids))}
	c, err := in.connect()
	if err == nil {
		own := C.duck(c.c.Ptr)
		if g.registry == nil || !bool(C.kalam_register(own, g.registry)) || postgreSQL && !bool(C.kalam_register_division(own)) {
			err = errors.New("register functions")
		}
		c.close()
	}
	if err != nil {
		g.close()
		return nil, err
	}
	return g, nil
}

// close closes the instance; it has no connection left.
func (g *generation) close() {
	g.in.close()
	C.kalam_registry_free(g.registry)
}

// get returns a session, waiting while too many are in use.
func (p *pool) get(ctx context.Context) (*session, error) {
	if err := p.permits.Acquire(ctx, 1); err != nil {
		return nil, canceled(ctx)
	}
	s, err := p.take()
	if err != nil {
		p.permits.Release(1)
		return nil, err
	}
	return s, nil
}

func (p *pool) take() (*session, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gen == nil {
		return nil, errClosed()
	}
	if n := len(p.idle); n > 0 {
		s := p.idle[n-1]
		p.idle = p.idle[:n-1]
		return s, nil
	}
	if p.gen.dead {
		if err := p.reopenLocked(); err != nil {
			return nil, err
		}
	}
	s, err := p.connectLocked()
	if err != nil {
		return nil, err
	}
	p.gen.sessions++
	p.open++
	return s, nil
}

// reopenLocked replaces a dead instance. Its last session closes it.
func (p *pool) reopenLocked() error {
	g, err := openFunctions(p.settings, p.ids, p.postgreSQL)
	if err != nil {
		return err
	}
	if p.gen.sessions == 0 {
		p.gen.close()
	}
	p.gen = g
	return nil
}

func (p *pool) connectLocked() (*session, error) {
	c, err := p.gen.in.connect()
	if err != nil {
		return nil, err
	}
	converter, err := p.helper.connect()
	if err != nil {
		c.close()
		return nil, err
	}
	statements, err := simplelru.NewLRU(maxStatements, func(_ uint64, st *statement) { st.close() })
	if err != nil {
		panic(err) // The size is a constant.
	}
	return &session{conn: c, gen: p.gen, converter: converter, statements: statements}, nil
}

// put takes a session back after a query that ended with err.
func (p *pool) put(s *session, err error) {
	p.mu.Lock()
	if invalidates(err) {
		p.killLocked(s.gen)
	}
	if s.gen == p.gen && !s.gen.dead {
		p.idle = append(p.idle, s)
	} else {
		p.discardLocked(s)
	}
	p.mu.Unlock()
	p.permits.Release(1)
}

// killLocked gives up an instance. Queries that run in it end by themselves.
func (p *pool) killLocked(g *generation) {
	g.dead = true
	if g != p.gen {
		return
	}
	for _, s := range p.idle {
		p.discardLocked(s)
	}
	p.idle = nil
}

// discardLocked closes a session, and its instance with the last one of it.
func (p *pool) discardLocked(s *session) {
	s.statements.Purge()
	s.conn.close()
	s.converter.close()
	p.open--
	s.gen.sessions--
	if s.gen.sessions == 0 && s.gen != p.gen {
		s.gen.close()
	}
}

// close waits until every session is back and closes everything.
func (p *pool) close() {
	// Without a deadline the only error would be that of the context.
	_ = p.permits.Acquire(context.Background(), maxSessions)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.idle {
		p.discardLocked(s)
	}
	p.idle = nil
	p.gen.close()
	p.gen = nil
	p.ids.Delete()
	p.permits.Release(maxSessions)
}

func (p *pool) size() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.open
}

// statement returns the prepared statement for a text. The sources must be
// registered, because preparing reads their schemas.
func (p *pool) statement(s *session, v *variant) (*statement, error) {
	if st, ok := s.statements.Get(v.id); ok {
		p.prepared.Add(1)
		return st, nil
	}
	st, err := s.prepare(v.sql)
	if err != nil {
		return nil, err
	}
	s.statements.Add(v.id, st)
	return st, nil
}

// expose makes sources what the next statement of s reads; hide ends that.
func (s *session) expose(sources *C.kalam_sources) {
	C.kalam_registry_put(s.gen.registry, C.idx_t(s.id), sources)
}

func (s *session) hide() { C.kalam_registry_clear(s.gen.registry, C.idx_t(s.id)) }
