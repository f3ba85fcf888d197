package pool

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query"
	"github.com/kalamlake/kalam/query/duckerr"
	"github.com/kalamlake/kalam/query/process"
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
	rows, err, broken := c.copy(spec)
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
	f := &feeder{call: c, credits: make(chan struct{}, wire.FeedAhead), done: make(chan struct{})}
	for range wire.FeedAhead {
		f.credits <- struct{}{}
	}
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
			select {
			case f.credits <- struct{}{}:
			default: // More than it got.
			}
		case wire.Answer:
			rows = int64(r.Uint())
			return rows, r.Err(), r.Err() != nil
		default:
			return 0, c.ended(failureOf(frame.Kind, r)), false
		}
	}
}

// feeder sends the batches of a copy.
type feeder struct {
	call    *call
	credits chan struct{} // One for each batch that the worker can take.
	done    chan struct{} // Closed when the copy has ended.
	encoder wire.BatchEncoder
	err     error // Why there are no more batches; to be read after feed.
}

// feed sends every batch, and how they ended.
func (f *feeder) feed(spec *query.Copy) {
	for rec, err := range spec.Batches {
		if err == nil {
			err = f.send(spec.Input.Schema.Arrow, rec)
			rec.Release()
		}
		if errors.Is(err, errCopied) {
			return
		}
		if err != nil {
			f.err = err
			break
		}
	}
	var b wire.Buffer
	b.Bool(f.err != nil)
	if f.err != nil {
		b.PutError(wire.Outermost(f.err))
	}
	// An error shows when the answer is read.
	_ = f.call.send(wire.FeedEnd, b.B)
}

// errCopied ends a feed whose copy has ended.
var errCopied = errors.New("the copy has ended")

// send sends a batch when the worker can take it.
func (f *feeder) send(s *arrow.Schema, rec arrow.RecordBatch) error {
	if int(rec.NumCols()) != s.NumFields() {
		return kalam.Errorf(kalam.CodeInternal, "a batch has %d columns, its source %d", rec.NumCols(), s.NumFields())
	}
	for i, col := range rec.Columns() {
		if !arrow.TypeEqual(col.DataType(), s.Field(i).Type) {
			return kalam.Errorf(kalam.CodeInternal,
				"column %s of a batch is %s, of its source %s", s.Field(i).Name, col.DataType(), s.Field(i).Type)
		}
	}
	if n := rec.NumRows(); n > 1 && bytesOf(rec) > process.MaxFrame/4 {
		for _, part := range []arrow.RecordBatch{rec.NewSlice(0, n/2), rec.NewSlice(n/2, n)} {
			err := f.send(s, part)
			part.Release()
			if err != nil {
				return err
			}
		}
		return nil
	}
	p, err := f.encoder.Encode(rec)
	if err != nil {
		return err
	}
	select {
	case <-f.credits:
	case <-f.done:
		return errCopied
	}
	if err := f.call.send(wire.Feed, p); err != nil {
		return errCopied // The answer says why.
	}
	return nil
}
