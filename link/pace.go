package link

import (
	"sync"
	"time"
)

// pacer spaces actions so that in no second there are more than its rate: a
// burst of a fifth, then evenly.
type pacer struct {
	interval time.Duration // Between two actions in the long run.
	slack    time.Duration // How far actions may run ahead of that.

	mu  sync.Mutex // guards due
	due time.Time  // When the next action comes by the interval alone.
}

func newPacer(rate int) *pacer {
	interval := time.Second * 5 / 4 / time.Duration(rate)
	return &pacer{interval: interval, slack: interval * time.Duration(rate/5)}
}

// reserve takes the next place and returns how long to wait for it.
func (p *pacer) reserve(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.due.Before(now) {
		p.due = now
	}
	wait := p.due.Sub(now) - p.slack
	p.due = p.due.Add(p.interval)
	return max(wait, 0)
}
