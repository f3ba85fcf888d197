package pool

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query"
	"github.com/kalamlake/kalam/query/activity"
	"github.com/kalamlake/kalam/query/duckerr"
	"github.com/kalamlake/kalam/query/process"
	"github.com/kalamlake/kalam/query/wire"
)

// call is one call of a worker.
type call struct {
	pool   *Pool
	w      *worker
	ctx    context.Context
	user   kalam.UserID
	seen   *activity.Query // That the call is part of, nil for none.
	began  time.Time
	number uint32
	stop   func() bool // Ends the watch of ctx.

	mu       sync.Mutex // guards what follows
	leave    func()     // Gives the place back; nil while the call stands still.
	slow     bool       // It has outlived its slice.
	standing bool       // It stands still until there is a slow place.
	resume   func()     // Ends the wait for it; nil when there was none.
	reason   error      // Why the worker was killed.
	timer    *time.Timer
	over     bool
}

// interrupt asks the worker to end the call, and ends the worker if it does not. The
// call's error is then that of its context.
func (c *call) interrupt() { c.end(nil) }

// end is interrupt for a call that ends for the reason of cause, nil for its context.
func (c *call) end(cause error) {
	c.mu.Lock()
	if c.over || c.timer != nil {
		c.mu.Unlock()
		return
	}
	if cause == nil {
		cause = query.Canceled(c.ctx)
	}
	c.timer = time.AfterFunc(killAfter, func() { c.kill(cause) })
	c.mu.Unlock()
	// An error shows when the answer is read.
	_ = c.w.proc.Conn().Write(process.Frame{Kind: wire.Cancel, Call: c.number})
}

// kill ends the worker; reason becomes the error of the call.
func (c *call) kill(reason error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over || c.reason != nil {
		return
	}
	c.reason = reason
	c.w.kill()
}

// isSlow reports whether the call has outlived its slice.
func (c *call) isSlow() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.slow
}

// finish ends the call: its place and its worker are free. err is how it ended, nil for
// well; broken says that the connection is of no use.
func (c *call) finish(err error, broken bool) {
	c.stop()
	c.mu.Lock()
	c.over = true
	if c.timer != nil {
		c.timer.Stop()
	}
	leave := c.leave
	c.leave = nil
	if c.resume != nil {
		c.resume()
	}
	reusable := !broken && c.reason == nil && !c.slow && !duckerr.Invalidates(err) && c.w.memory.Load() < idleMemory
	if c.reason != nil || !broken && !reusable {
		c.pool.count.killed.Add(1)
	}
	c.mu.Unlock()
	if reusable {
		c.w.done()
	}
	c.pool.release(c, reusable)
	if leave != nil {
		leave()
	}
}

// lost returns why nothing can be read from the worker any more.
func (c *call) lost(err error) error {
	c.mu.Lock()
	reason := c.reason
	c.mu.Unlock()
	if reason != nil {
		return reason
	}
	c.w.proc.Kill()
	c.pool.count.died.Add(1)
	c.pool.options.Logger.Warn("query worker died", "error", errors.Join(err, c.w.proc.Err()), "said", c.w.said.String())
	if c.w.memory.Load() > c.pool.share*3/4 {
		return tooMuch()
	}
	return kalam.Wrap(kalam.CodeUnavailable, err,
		"the process that computed the statement ended; nothing was changed, run the statement again")
}

// tooMuch is the error of a statement that holds more memory than it may.
func tooMuch() error {
	return kalam.Errorf(kalam.CodeResourceExhausted, "query needs more memory than query.memory_limit allows")
}

// send sends the frame that begins the call.
func (c *call) send(kind byte, payload []byte) error {
	return c.w.proc.Conn().Write(process.Frame{Kind: kind, Call: c.number, Payload: payload})
}

// sendStatement sends the frame of a statement, which begins with b.
func (c *call) sendStatement(kind byte, b *wire.Buffer, st *query.Statement) error {
	if err := c.put(b, st); err != nil {
		return err
	}
	if err := c.lend(st.Params); err != nil {
		return err
	}
	return c.send(kind, b.B)
}

// unsent ends a call that could not be sent for err.
func (c *call) unsent(err error) error {
	var ke *kalam.Error
	broken := !errors.As(err, &ke) // Else it is about what was to be sent.
	if broken {
		err = c.lost(err)
	}
	c.finish(err, broken)
	return err
}

// read returns the next frame of the call. Ids that the worker wants are given.
func (c *call) read() (process.Frame, error) {
	conn := c.w.proc.Conn()
	for {
		f, err := conn.Read()
		if err != nil {
			return f, err
		}
		for _, file := range f.Files {
			_ = file.Close() // Workers send none.
		}
		if f.Kind != wire.WantIDs {
			return f, nil
		}
		if err := c.giveIDs(f.Payload); err != nil {
			return f, err
		}
	}
}

// maxIDs is how many ids a worker gets at once: DuckDB computes rows by so many.
const maxIDs = 2048

// giveIDs answers a worker that wants ids.
func (c *call) giveIDs(payload []byte) error {
	n := wire.NewReader(payload).Uint()
	if n > maxIDs || c.pool.options.NextIDs == nil {
		return kalam.Errorf(kalam.CodeInternal, "a query worker wants %d ids", n)
	}
	ids := make([]int64, n)
	err := c.pool.options.NextIDs(ids)
	var b wire.Buffer
	b.Bool(err != nil)
	if err != nil {
		b.PutError(wire.Outermost(err))
	} else {
		b.Uint(n)
		for _, id := range ids {
			b.Uint(uint64(id))
		}
	}
	return c.send(wire.IDs, b.B)
}

// ask makes a call that is answered by one frame, whose payload use reads.
func (p *Pool) ask(ctx context.Context, user kalam.UserID, kind byte, payload []byte, use func(*wire.Reader)) error {
	c, err := p.acquire(ctx, user, 0)
	if err != nil {
		return err
	}
	err = c.send(kind, payload)
	return c.answered(err, use)
}

// answered ends a call that was sent, unless sent is an error, by its answer.
func (c *call) answered(sent error, use func(*wire.Reader)) error {
	var f process.Frame
	err := sent
	if err == nil {
		f, err = c.read()
	}
	if err != nil {
		err = c.lost(err)
		c.finish(err, true)
		return err
	}
	r := wire.NewReader(f.Payload)
	if f.Kind != wire.Answer {
		err = failureOf(f.Kind, r)
		c.finish(err, false)
		return c.ended(err)
	}
	use(r)
	err = r.Err()
	c.finish(err, err != nil)
	return err
}

// failureOf reads a frame that should have been an answer.
func failureOf(kind byte, r *wire.Reader) error {
	if kind != wire.Failure {
		return kalam.Errorf(kalam.CodeInternal, "a query worker answered %q", kind)
	}
	return r.Error()
}

// ended returns err, or the error of the call's context if that is why it ended.
func (c *call) ended(err error) error {
	if err != nil && c.ctx.Err() != nil && (isInterrupt(err) || kalam.CodeOf(err) == kalam.CodeCanceled) {
		return query.Canceled(c.ctx)
	}
	return err
}

// isInterrupt reports whether err is DuckDB's answer to an interrupt.
func isInterrupt(err error) bool {
	var de *duckerr.Error
	return errors.As(err, &de) && (de.Type == "INTERRUPT" || de.Type == "Interrupt")
}

// Parse implements query.Executor.
func (p *Pool) Parse(ctx context.Context, user kalam.UserID, sql string) (string, error) {
	texts, err := p.translate(ctx, user, wire.Parse, sql, 1)
	return texts[0], err
}

// Write implements query.Executor.
func (p *Pool) Write(ctx context.Context, user kalam.UserID, tree string) (string, error) {
	texts, err := p.translate(ctx, user, wire.Write, tree, 1)
	return texts[0], err
}

// Rewrite implements query.Executor.
func (p *Pool) Rewrite(ctx context.Context, user kalam.UserID, tree string) (sql, again string, err error) {
	texts, err := p.translate(ctx, user, wire.Rewrite, tree, 2)
	return texts[0], texts[1], err
}

// translate returns two texts, of which the worker gives n.
func (p *Pool) translate(
	ctx context.Context, user kalam.UserID, what wire.Translation, text string, n int,
) (out [2]string, err error) {
	b := wire.Buffer{B: make([]byte, 0, len(text)+16)}
	b.B = append(b.B, byte(what))
	b.Text(text)
	var texts []string
	if err := p.ask(ctx, user, wire.Translate, b.B, func(r *wire.Reader) { texts = r.Texts() }); err != nil {
		return out, err
	}
	if len(texts) != n {
		return out, kalam.Errorf(kalam.CodeInternal, "a query worker gave %d texts", len(texts))
	}
	copy(out[:], texts)
	return out, nil
}

// Describe implements query.Executor.
func (p *Pool) Describe(ctx context.Context, user kalam.UserID, sql string) (d query.Description, err error) {
	var b wire.Buffer
	b.Text(sql)
	err = p.ask(ctx, user, wire.Describe, b.B, func(r *wire.Reader) { d = r.Description() })
	return d, err
}

// Explain implements query.Executor.
func (p *Pool) Explain(ctx context.Context, st *query.Statement, analyze bool) (text string, err error) {
	c, err := p.acquire(ctx, st.User, 0)
	if err != nil {
		return "", err
	}
	var b wire.Buffer
	b.Bool(analyze)
	if err = c.sendStatement(wire.Explain, &b, st); err != nil {
		return "", c.unsent(err)
	}
	err = c.answered(nil, func(r *wire.Reader) { text = r.Text() })
	return text, err
}
