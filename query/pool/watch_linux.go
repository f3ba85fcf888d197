package pool

import (
	"context"
	"time"

	"github.com/kalamlake/kalam"
)

// watch looks after the workers while any computes: what they hold, and for how long.
func (p *Pool) watch() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-p.closing:
			return
		case <-p.working:
		case <-timer.C:
		}
		switch busy, surplus := p.look(time.Now()); {
		case busy:
			timer.Reset(watchEvery)
		case surplus:
			timer.Reset(idleFor / 4)
		}
	}
}

// look looks at every worker once.
func (p *Pool) look(now time.Time) (busy, surplus bool) {
	p.mu.Lock()
	calls := make([]*call, 0, len(p.busy))
	for _, c := range p.busy {
		calls = append(calls, c)
	}
	worn := p.wornLocked(now)
	surplus = len(p.idle) > 1
	p.mu.Unlock()
	for _, w := range worn {
		p.count.killed.Add(1)
		p.endSoon(w)
	}
	sum := p.spools.memory.Load() // Results of the workers, which the server holds.
	var held holdings
	for _, c := range calls {
		n, err := c.w.proc.Memory()
		if err != nil {
			continue // It has ended; its call will see.
		}
		c.w.memory.Store(n)
		c.seen.Holds(n)
		sum += n
		held.add(c, n)
		switch {
		case n > p.share:
			c.kill(tooMuch())
		case now.Sub(c.began) > p.options.Slice:
			p.demote(c)
		}
	}
	if heaviest := held.heaviest(); sum > p.memory-p.memory/serverPart && heaviest != nil {
		heaviest.kill(kalam.Errorf(kalam.CodeResourceExhausted,
			"queries together need more memory than query.memory_limit allows, and those of this user the most; try again later"))
	}
	return len(calls) > 0, surplus
}

// holdings are what the calls of each user hold. The zero value is empty.
type holdings struct {
	bytes   map[kalam.UserID]int64
	largest map[kalam.UserID]*call
	most    map[kalam.UserID]int64 // Of the largest call.
}

// add counts a call that holds n bytes.
func (h *holdings) add(c *call, n int64) {
	if h.bytes == nil {
		h.bytes, h.largest, h.most = map[kalam.UserID]int64{}, map[kalam.UserID]*call{}, map[kalam.UserID]int64{}
	}
	h.bytes[c.user] += n
	if n >= h.most[c.user] {
		h.largest[c.user], h.most[c.user] = c, n
	}
}

// heaviest returns the largest call of the user whose calls hold most, nil if there are none: who
// sends many statements does not push out those of others.
func (h *holdings) heaviest() *call {
	var of kalam.UserID
	var most int64 = -1
	for user, n := range h.bytes {
		if n > most {
			of, most = user, n
		}
	}
	return h.largest[of]
}

// wornLocked takes the idle workers out that are to be ended: those that nobody has used
// for a while, but one. They count as ending.
func (p *Pool) wornLocked(now time.Time) (worn []*worker) {
	for len(p.idle) > 1 && now.Sub(p.idle[0].since) > idleFor {
		worn = append(worn, p.idle[0])
		p.idle = p.idle[1:]
	}
	p.ending += len(worn)
	return worn
}

// demote gives a call that has outlived its slice less priority, and its place to others.
// It goes on in a place for such calls, or stands still until there is one.
func (p *Pool) demote(c *call) {
	c.mu.Lock()
	if c.slow || c.over || c.reason != nil {
		c.mu.Unlock()
		return
	}
	c.slow = true
	leave := c.leave
	c.leave = nil
	// It fails when the process is gone, which the call tells.
	_ = c.w.proc.LowerPriority()
	given, ok := p.slow.TryEnter(c.user)
	if ok {
		c.leave = given
	}
	c.mu.Unlock()
	if !ok {
		p.stand(c)
	}
	leave()
	p.mu.Lock()
	p.keepSpare()
	p.mu.Unlock()
}

// stand lets a call stand still until there is a place.
func (p *Pool) stand(c *call) {
	p.mu.Lock()
	tooMany := p.standing >= maxStanding
	if !tooMany {
		p.standing++
	}
	p.mu.Unlock()
	if tooMany {
		c.kill(kalam.Errorf(kalam.CodeResourceExhausted, "too many large queries wait for their turn; try again later"))
		return
	}
	_ = c.w.proc.Pause() // It fails when the process is gone.
	ctx, cancel := context.WithCancel(c.ctx)
	c.mu.Lock()
	over := c.over
	c.standing, c.resume = true, cancel
	c.mu.Unlock()
	if over {
		cancel()
	}
	go func() {
		defer cancel()
		leave, err := p.slow.Enter(ctx, c.user)
		p.mu.Lock()
		p.standing--
		p.mu.Unlock()
		c.goOn(leave, err)
	}()
}

// goOn ends the standing still of a call that was given a place, unless err.
func (c *call) goOn(leave func(), err error) {
	c.mu.Lock()
	c.standing = false
	_ = c.w.proc.Continue() // It fails when the process is gone.
	over := c.over
	if err == nil && !over {
		c.leave = leave
	}
	c.mu.Unlock()
	switch {
	case over && err == nil:
		leave()
	case err != nil && !over && c.ctx.Err() == nil:
		c.kill(err) // Too many wait; the end of ctx is told by interrupt.
	}
}
