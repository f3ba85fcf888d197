package pool

import (
	"errors"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query"
	"github.com/kalamlake/kalam/query/duckerr"
	"github.com/kalamlake/kalam/query/process"
	"github.com/kalamlake/kalam/query/wire"
)

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

// read returns the next frame of the call. Ids that the worker wants are given.
func (c *call) read() (process.Frame, error) {
	conn := c.w.proc.Conn()
	for {
		f, err := conn.Read()
		if err != nil {
			return f, err
		}
		f.CloseFiles() // Workers send none.
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
