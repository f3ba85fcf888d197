package pool

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query"
	"github.com/kalamlake/kalam/query/activity"
)

// acquire waits for a place and takes a worker for a call. The caller ends the call by finish.
func (p *Pool) acquire(ctx context.Context, user kalam.UserID, want demand) (*call, error) {
	if ctx.Err() != nil {
		return nil, query.Canceled(ctx)
	}
	seen := activity.Of(ctx)
	seen.Waits()
	leave, err := p.fast.Enter(ctx, user)
	if err != nil {
		return nil, orCanceled(ctx, err)
	}
	for {
		w, err := p.worker(want)
		if err != nil {
			leave()
			return nil, err
		}
		c := &call{
			pool: p, w: w, ctx: ctx, user: user, seen: seen, leave: leave, began: time.Now(), number: w.lastCall + 1,
		}
		w.lastCall++
		if w.alive() && slices.Equal(w.more, p.more()) && p.begin(c) {
			seen.Runs(w.proc.PID())
			c.stop = context.AfterFunc(ctx, c.interrupt)
			return c, nil
		}
		p.discard(w)
		select {
		case <-p.closing:
			leave()
			return nil, query.ErrClosed()
		default: // It has died while nobody used it, or may not read what the statement may.
		}
	}
}

// orCanceled returns err, worded if it is that of ctx.
func orCanceled(ctx context.Context, err error) error {
	var ke *kalam.Error
	if ctx.Err() != nil && !errors.As(err, &ke) {
		return query.Canceled(ctx)
	}
	return err
}

// begin makes c a call that runs; false when the pool is closed.
func (p *Pool) begin(c *call) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	c.w.begin()
	p.busy[c.w] = c
	if len(p.busy) == 1 {
		select {
		case p.working <- struct{}{}:
		default:
		}
	}
	p.keepSpare()
	return true
}

// worker returns an idle worker, or a new one.
func (p *Pool) worker(want demand) (*worker, error) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, query.ErrClosed()
	}
	w := p.takeIdleLocked(want)
	p.mu.Unlock()
	switch {
	case w != nil:
		return w, nil
	case want.parallel:
		return p.startFor(parallel)
	}
	return p.startFor(serial)
}

// takeIdleLocked takes the idle worker out that suits best, nil if none does: a serial one does not suit
// many rows. One of the kind that is wanted goes before one that has the statement prepared, and
// that before the one used last.
func (p *Pool) takeIdleLocked(want demand) *worker {
	best, at := 0, -1
	for i, w := range slices.Backward(p.idle) {
		fits := (w.kind == parallel) == want.parallel
		if !fits && want.parallel {
			continue
		}
		rank := 1
		if fits {
			rank += 2
		}
		if want.statement != 0 && w.knows(want.statement) {
			rank++
		}
		if rank > best {
			best, at = rank, i
		}
	}
	if at < 0 {
		return nil
	}
	w := p.idle[at]
	p.idle = slices.Delete(p.idle, at, at+1)
	return w
}

// keepSpare has a serial worker started when none is idle. p.mu is held.
func (p *Pool) keepSpare() {
	if p.closed || p.spare || slices.ContainsFunc(p.idle, isSerial) || len(p.busy) > 2*p.options.Places {
		return
	}
	p.spare = true
	go func() {
		w, err := p.start(serial)
		p.mu.Lock()
		keep := err == nil && !p.closed
		if keep {
			w.since = time.Now()
			p.idle = append([]*worker{w}, p.idle...)
		}
		p.mu.Unlock()
		switch {
		case err != nil:
			p.options.Logger.Warn("query worker not started", "error", err)
		case !keep:
			w.end()
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.spare = false
		p.settled.Broadcast()
	}()
}

func isSerial(w *worker) bool { return w.kind == serial }

// release takes a worker back, or ends it.
func (p *Pool) release(c *call, reusable bool) {
	p.mu.Lock()
	delete(p.busy, c.w)
	if reusable && !p.closed && (len(p.idle) < p.options.Places || isSerial(c.w) &&
		!slices.ContainsFunc(p.idle, isSerial)) {
		c.w.since = time.Now()
		p.idle = append(p.idle, c.w)
		p.settled.Broadcast()
		p.mu.Unlock()
		return
	}
	p.keepSpare()
	p.ending++
	p.mu.Unlock()
	p.endSoon(c.w)
}

// discard ends a worker that nobody uses.
func (p *Pool) discard(w *worker) {
	p.mu.Lock()
	p.ending++
	p.mu.Unlock()
	p.endSoon(w)
}

// endSoon ends a worker, and waits for it unless the kernel takes a while to free its
// memory. It was counted by ending.
func (p *Pool) endSoon(w *worker) {
	done := make(chan struct{})
	go func() {
		w.end()
		p.mu.Lock()
		p.ending--
		p.settled.Broadcast()
		p.mu.Unlock()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(5 * time.Millisecond):
	}
}

// Forget implements query.Executor.
func (p *Pool) Forget(id uint64) {
	p.batches.forget(id)
	p.mu.Lock()
	defer p.mu.Unlock()
	for w := range p.workers {
		w.forget(id)
	}
}

// Stats implements query.Executor.
func (p *Pool) Stats() query.ExecutorStats {
	fast, slow := p.fast.Stats(), p.slow.Stats()
	s := query.ExecutorStats{
		Isolation: "process", Sandbox: p.sandbox, Threads: p.options.Threads, Waiting: int64(fast.Waiting + slow.Waiting),
		PreparedHits: p.count.prepared.Load(), ChunkHits: p.count.hits.Load(), ChunkMiss: p.count.misses.Load(),
		Started: p.count.started.Load(), Killed: p.count.killed.Load(), Died: p.count.died.Load(),
		Spooled: p.spools.total.Load(), Shared: p.batches.bytes(),
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	s.Busy = len(p.busy)
	s.Running = int64(s.Busy - p.standing)
	for _, c := range p.busy {
		if c.isSlow() {
			s.Slow++
		}
	}
	for w := range p.workers {
		addWorker(&s, w)
	}
	s.Sessions = s.Workers
	return s
}
