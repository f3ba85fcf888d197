package worker

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/semaphore"

	"github.com/kalamlake/kalam/query"
	"github.com/kalamlake/kalam/query/duckerr"
)

var errNoMemory = errors.New("out of memory")

// maxSessions bounds the queries that are open at a time; more wait.
const maxSessions = 64

// pool keeps the sessions of the instance that runs user SQL. A session is
// one query's until it is put back. When DuckDB declares the instance unusable,
// the next session is one of a new instance.
type pool struct {
	open    func() (*generation, error)
	current func() []string // The directories that an instance may read.
	helper  *instance       // For conversions: it outlives the instances.
	chunks  *chunkCache
	schemas *schemaCache
	permits *semaphore.Weighted

	prepared atomic.Int64 // Statements that were found prepared.

	mu    sync.Mutex // guards what follows
	gen   *generation
	dirs  []string   // Those of gen.
	idle  []*session // The most recently used last.
	count int
}

func openPool(open func() (*generation, error), dirs func() []string, helper *instance) (*pool, error) {
	p := &pool{
		open: open, current: dirs, dirs: dirs(), helper: helper, chunks: newChunkCache(), schemas: newSchemaCache(),
		permits: semaphore.NewWeighted(maxSessions),
	}
	var err error
	if p.gen, err = open(); err != nil {
		return nil, err
	}
	return p, nil
}

// get returns a session, waiting while too many are in use.
func (p *pool) get(ctx context.Context) (*session, error) {
	if err := p.permits.Acquire(ctx, 1); err != nil {
		return nil, query.Canceled(ctx)
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
		return nil, query.ErrClosed()
	}
	dirs := p.current()
	if !p.gen.dead && !slices.Equal(dirs, p.dirs) { // An instance cannot be told of another directory.
		p.killLocked(p.gen)
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
		p.dirs = dirs
	}
	s, err := openSession(p.gen, p.helper, p.chunks, p.schemas)
	if err != nil {
		return nil, err
	}
	p.gen.sessions++
	p.count++
	return s, nil
}

// reopenLocked replaces a dead instance. Its last session closes it.
func (p *pool) reopenLocked() error {
	g, err := p.open()
	if err != nil {
		return err
	}
	if p.gen.sessions == 0 {
		p.gen.close()
	}
	p.gen = g
	return nil
}

// put takes a session back after a query that ended with err.
func (p *pool) put(s *session, err error) {
	p.mu.Lock()
	if duckerr.Invalidates(err) {
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
	s.close()
	p.count--
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
	p.chunks.clear()
	p.schemas.clear()
	p.permits.Release(maxSessions)
}

// stats returns the number of sessions, and of statements that stay prepared in those
// that nobody uses.
func (p *pool) stats() (sessions, prepared int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.idle {
		prepared += s.statements.Len()
	}
	return p.count, prepared
}
