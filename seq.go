package kalam

import (
	"sync"
	"time"
)

// Seq orders every committed row version of a server: 41 bits of milliseconds
// since 2024-01-01T00:00:00Z, 10 bits of worker, 12 bits of counter. It is
// `_seq` on the wire and, by the same clock, the value of SNOWFLAKE_ID().
type Seq uint64

const (
	seqWorkerBits  = 10
	seqCounterBits = 12
	seqTimeShift   = seqWorkerBits + seqCounterBits
	// seqEpochMillis is 2024-01-01T00:00:00Z in Unix milliseconds.
	seqEpochMillis = 1704067200000
	// MaxWorker is the largest worker number of a SeqClock.
	MaxWorker = 1<<seqWorkerBits - 1
)

// Time returns the millisecond in which s was assigned by the logical clock.
func (s Seq) Time() time.Time {
	return time.UnixMilli(int64(s>>seqTimeShift) + seqEpochMillis).UTC()
}

// SeqAt returns the smallest Seq of the millisecond of t.
func SeqAt(t time.Time) Seq {
	ms := t.UnixMilli() - seqEpochMillis
	if ms < 0 {
		ms = 0
	}
	return Seq(uint64(ms) << seqTimeShift)
}

// SeqClock hands out strictly increasing Seqs. It follows the wall clock but
// never steps back: when the wall clock does, or when 4,096 values were taken in
// one millisecond, it runs ahead. It is safe for concurrent use.
type SeqClock struct {
	now    func() time.Time
	worker uint64

	mu   sync.Mutex // guards last
	last Seq
}

// NewSeqClock returns a clock for the worker (0 to MaxWorker) whose first value
// is above last. A nil now is time.Now.
func NewSeqClock(worker int, last Seq, now func() time.Time) *SeqClock {
	if now == nil {
		now = time.Now
	}
	return &SeqClock{now: now, worker: uint64(worker) & MaxWorker, last: last}
}

// Next returns the next Seq.
func (c *SeqClock) Next() Seq { return c.Take(1) }

// Take reserves n consecutive values in Next's order and returns the first; the
// others follow by After. n must be at least 1.
func (c *SeqClock) Take(n int) Seq {
	c.mu.Lock()
	defer c.mu.Unlock()
	first := c.nextLocked()
	last := first
	for i := 1; i < n; i++ {
		last = c.After(last)
	}
	c.last = last
	return first
}

// Peek returns what Next would, and reserves nothing.
func (c *SeqClock) Peek() Seq {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.nextLocked()
}

func (c *SeqClock) nextLocked() Seq {
	return max(c.After(c.last), SeqAt(c.now())|Seq(c.worker<<seqCounterBits))
}

// After returns the value that follows s: the next counter, or the first
// counter of the next millisecond.
func (c *SeqClock) After(s Seq) Seq {
	const counterMask = 1<<seqCounterBits - 1
	if s&counterMask != counterMask && uint64(s>>seqCounterBits)&MaxWorker == c.worker {
		return s + 1
	}
	return (s>>seqTimeShift+1)<<seqTimeShift | Seq(c.worker<<seqCounterBits)
}

// Last returns the last value handed out.
func (c *SeqClock) Last() Seq {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}

// Advance makes sure that every later value is above s.
func (c *SeqClock) Advance(s Seq) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = max(c.last, s)
}
