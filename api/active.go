package api

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/kalamlake/kalam/link/wire"
)

// active counts the requests under way, so that a stop can wait for them.
type active struct {
	mu      sync.Mutex // guards the fields below
	n       int
	refused bool
	idle    chan struct{} // Closed when refused and n is 0.
}

func newActive() *active { return &active{idle: make(chan struct{})} }

// begin counts a request, unless the server stops. end must follow if it
// reports true.
func (a *active) begin() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.refused {
		return false
	}
	a.n++
	return true
}

func (a *active) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.n--; a.n == 0 && a.refused {
		close(a.idle)
	}
}

// refuse makes begin refuse; the channel is closed when the last request ends.
// It is called once.
func (a *active) refuse() <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.refused = true; a.n == 0 {
		close(a.idle)
	}
	return a.idle
}

// refusing reports whether the server stops.
func (a *active) refusing() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.refused
}

func (a *active) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.n
}

// meterSeconds is the span over which a meter averages.
const meterSeconds = 10

// meter measures events per second. It is safe for concurrent use; a count may
// fall into a neighbouring second.
type meter struct {
	now     func() time.Time
	seconds [meterSeconds + 1]atomic.Int64 // Unix second that a slot counts.
	counts  [meterSeconds + 1]atomic.Int64
}

func newMeter(now func() time.Time) *meter { return &meter{now: now} }

// add counts an event at the time t.
func (m *meter) add(t time.Time) {
	second := t.Unix()
	i := int(second % (meterSeconds + 1))
	if old := m.seconds[i].Load(); old != second && m.seconds[i].CompareAndSwap(old, second) {
		m.counts[i].Store(0)
	}
	m.counts[i].Add(1)
}

// rate returns the events per second of the last whole seconds.
func (m *meter) rate() float64 {
	second := m.now().Unix()
	var n int64
	for i := range m.seconds {
		if age := second - m.seconds[i].Load(); age >= 1 && age <= meterSeconds {
			n += m.counts[i].Load()
		}
	}
	return float64(n) / meterSeconds
}

// refuseStopping answers a request that came while the server stops.
func (s *Server) refuseStopping(c *fiber.Ctx) error {
	s.rejected(fiber.StatusServiceUnavailable, string(wire.CodeShuttingDown))
	c.Context().SetConnectionClose()
	return plain(c, fiber.StatusServiceUnavailable, wire.PlainError{
		Error: string(wire.CodeShuttingDown), Message: "Server is shutting down",
	})
}
