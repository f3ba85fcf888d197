// Package activity counts what a server has to do: the requests under way, and how many come per second.
package activity

import (
	"sync"
	"sync/atomic"
	"time"
)

// Requests counts the requests under way, so that a stop can wait for them. Safe for concurrent use.
type Requests struct {
	mu      sync.Mutex // guards the fields below
	n       int
	refused bool
	idle    chan struct{} // Closed when refused and n is 0.
}

// NewRequests returns a count of none.
func NewRequests() *Requests { return &Requests{idle: make(chan struct{})} }

// Begin counts a request, unless the server stops. End must follow if it
// reports true.
func (r *Requests) Begin() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refused {
		return false
	}
	r.n++
	return true
}

// End is the end of a request that Begin has counted.
func (r *Requests) End() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.n--; r.n == 0 && r.refused {
		close(r.idle)
	}
}

// Refuse makes Begin refuse; the channel is closed when the last request ends.
// It is called once.
func (r *Requests) Refuse() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refused = true; r.n == 0 {
		close(r.idle)
	}
	return r.idle
}

// Refusing reports whether the server stops.
func (r *Requests) Refusing() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.refused
}

// Count returns the number of requests under way.
func (r *Requests) Count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.n
}

// span is over how many seconds a Rate averages.
const span = 10

// Rate measures events per second. Safe for concurrent use; a count may fall into
// a neighbouring second.
type Rate struct {
	now     func() time.Time
	seconds [span + 1]atomic.Int64 // Unix second that a slot counts.
	counts  [span + 1]atomic.Int64
}

// NewRate returns the rate of no events; now tells the time.
func NewRate(now func() time.Time) *Rate { return &Rate{now: now} }

// Add counts an event at the time t.
func (r *Rate) Add(t time.Time) {
	second := t.Unix()
	i := int(second % (span + 1))
	if old := r.seconds[i].Load(); old != second && r.seconds[i].CompareAndSwap(old, second) {
		r.counts[i].Store(0)
	}
	r.counts[i].Add(1)
}

// PerSecond returns the events per second of the last whole seconds.
func (r *Rate) PerSecond() float64 {
	second := r.now().Unix()
	var n int64
	for i := range r.seconds {
		if age := second - r.seconds[i].Load(); age >= 1 && age <= span {
			n += r.counts[i].Load()
		}
	}
	return float64(n) / span
}
