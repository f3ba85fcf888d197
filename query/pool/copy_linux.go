package pool

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/kalamlake/kalam/internal/usage"
	"github.com/kalamlake/kalam/query"
	"github.com/kalamlake/kalam/query/duckerr"
	"github.com/kalamlake/kalam/query/wire"
)

// Copy implements query.Executor. One file is written at a time, by a worker of low
// priority that does nothing else; others wait as long as ctx allows.
func (p *Pool) Copy(ctx context.Context, spec *query.Copy) (int64, error) {
	select {
	case <-p.closing:
		return 0, query.ErrClosed()
	default:
	}
	var w *worker
	select {
	case w = <-p.copying:
	case <-p.closing:
		return 0, query.ErrClosed()
	case <-ctx.Done():
		return 0, query.Canceled(ctx)
	}
	rows, w, err := p.copyBy(ctx, w, spec)
	if w != nil {
		w.since = time.Now()
		p.copyIdle.Reset(idleFor)
	}
	p.copying <- w
	return rows, err
}

// endIdleCopier ends the worker that writes files if it has written none for a while.
func (p *Pool) endIdleCopier() {
	select {
	case w := <-p.copying:
		if w != nil && time.Since(w.since) >= idleFor {
			w.end()
			w = nil
		}
		p.copying <- w
	default: // It writes; the timer is set again afterwards.
	}
}

// copyBy has w write the file, or a new worker if w is nil. It returns the worker for the
// next file, nil for none.
func (p *Pool) copyBy(ctx context.Context, w *worker, spec *query.Copy) (int64, *worker, error) {
	if w != nil && (!w.alive() || !slices.Equal(w.more, p.more())) {
		w.end()
		w = nil
	}
	if w == nil {
		var err error
		if w, err = p.startFor(copies); err != nil {
			return 0, nil, err
		}
		_ = w.proc.LowerPriority() // Without it all works, too.
	}
	w.lastCall++
	c := &call{pool: p, w: w, ctx: ctx, began: time.Now(), number: w.lastCall}
	c.stop = context.AfterFunc(ctx, c.interrupt)
	closing := make(chan struct{})
	defer close(closing)
	go func() {
		select {
		case <-p.closing:
			c.kill(query.ErrClosed())
		case <-closing:
		}
	}()
	before, cpuErr := w.proc.CPU()
	rows, err, broken := c.copy(spec)
	if cpuErr == nil {
		w.tell(ctx, before)
	}
	c.stop()
	c.mu.Lock()
	c.over = true
	broken = broken || c.reason != nil || duckerr.Invalidates(err)
	if c.timer != nil {
		c.timer.Stop()
	}
	c.mu.Unlock()
	if broken {
		w.end()
		w = nil
	}
	return rows, w, err
}

// tell adds what the worker has used since its CPU time was before to the usage of ctx. Of a
// worker that is gone nothing can be told.
func (w *worker) tell(ctx context.Context, before time.Duration) {
	if cpu, err := w.proc.CPU(); err == nil {
		if memory, err := w.proc.Memory(); err == nil {
			usage.Add(ctx, cpu-before, memory)
		}
	}
}

// copy makes the call. broken says that the worker is of no use afterwards.
//
//nolint:revive // The flag is about the error.
func (c *call) copy(spec *query.Copy) (rows int64, err error, broken bool) {
	var b wire.Buffer
	if err := b.PutCopy(spec, &c.pool.schemas); err != nil {
		return 0, err, false
	}
	if err := c.send(wire.Copy, b.B); err != nil {
		return 0, c.lost(err), true
	}
	f := newFeeder(c)
	defer f.close()
	var feeding sync.WaitGroup
	if spec.Batches != nil {
		feeding.Go(func() { f.feed(spec) })
	}
	rows, err, broken = c.copied(f)
	close(f.done)
	feeding.Wait()
	if err != nil && f.err != nil {
		return 0, f.err, broken // What the worker was told of it is a text.
	}
	return rows, err, broken
}

// copied reads until the file is written.
func (c *call) copied(f *feeder) (rows int64, err error, broken bool) { //nolint:revive // As copy.
	for {
		frame, err := c.read()
		if err != nil {
			return 0, c.lost(err), true
		}
		r := wire.NewReader(frame.Payload)
		switch frame.Kind {
		case wire.Fed:
			if err := f.freed(r); err != nil {
				return 0, err, true
			}
		case wire.Answer:
			rows = int64(r.Uint())
			return rows, r.Err(), r.Err() != nil
		default:
			return 0, c.ended(failureOf(frame.Kind, r)), false
		}
	}
}
