package subscribe

import (
	"sync"

	"github.com/kalamlake/kalam"
)

// changeSize is what a waiting change takes beside its payloads.
const changeSize = 128

// inbox holds published changes until the dispatcher has matched them.
type inbox struct {
	mu      sync.Mutex // guards the fields below
	closed  bool
	running bool // The dispatcher runs.
	changes []kalam.Change
	spare   []kalam.Change // Empty, for reuse.
	bytes   int64          // Of changes and of those that the dispatcher has taken.
	// lost are the scopes whose changes did not fit; their subscriptions end.
	lost map[kalam.Scope]struct{}
}

// put adds copies of the changes of one scope, or marks the scope as lost when
// limit bytes wait already. It reports whether a dispatcher is to be started.
func (b *inbox) put(changes []kalam.Change, limit int64, work *sync.WaitGroup) (start bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return false
	}
	if b.bytes >= limit {
		if b.lost == nil {
			b.lost = map[kalam.Scope]struct{}{}
		}
		b.lost[changes[0].Scope] = struct{}{}
	} else {
		b.changes = append(b.changes, changes...)
		b.bytes += bytesOf(changes)
	}
	if b.running {
		return false
	}
	b.running = true
	work.Add(1) // Under mu, so that Close does not miss it.
	return true
}

// take returns everything that waits. done are the changes it returned before:
// their memory is reused. ok is false when there is nothing, and the dispatcher
// ends.
func (b *inbox) take(done []kalam.Change) (changes []kalam.Change, lost map[kalam.Scope]struct{}, ok bool) {
	bytes := bytesOf(done)
	clear(done)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bytes -= bytes
	if cap(done) <= keepCapacity {
		b.spare = done[:0]
	}
	if b.closed || len(b.changes) == 0 && len(b.lost) == 0 {
		b.running = false
		return nil, nil, false
	}
	changes, lost = b.changes, b.lost
	b.changes, b.spare, b.lost = b.spare, nil, nil
	return changes, lost, true
}

// close drops what waits and refuses more.
func (b *inbox) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed, b.changes, b.lost = true, nil, nil
}

// bytesOf returns what changes take.
func bytesOf(changes []kalam.Change) (n int64) {
	for i := range changes {
		n += changeSize + int64(len(changes[i].New.Payload)+len(changes[i].Old.Payload))
	}
	return n
}

// Publish takes committed changes, in commit order over all calls; it copies
// them, but not their payloads. It never blocks: when changes come faster than
// they are matched for so long that MaxBacklog is reached, the subscriptions of
// the scopes concerned end with ErrSlow.
func (h *Hub) Publish(changes []kalam.Change) {
	for len(changes) > 0 {
		n := runLength(changes)
		if h.Interested(changes[0].Scope) && h.inbox.put(changes[:n], h.o.MaxBacklog, &h.work) {
			go h.dispatch()
		}
		changes = changes[n:]
	}
}

// runLength returns how many changes at the start are of one scope.
func runLength(changes []kalam.Change) int {
	n := 1
	for n < len(changes) && changes[n].Scope == changes[0].Scope {
		n++
	}
	return n
}

// dispatch matches the changes that wait, in order, until there are none. At most
// one runs, so all subscriptions see one order.
func (h *Hub) dispatch() {
	defer h.work.Done()
	var d dispatcher
	var changes []kalam.Change
	for {
		var lost map[kalam.Scope]struct{}
		var ok bool
		if changes, lost, ok = h.inbox.take(changes); !ok {
			return
		}
		h.endLost(lost)
		for rest := changes; len(rest) > 0; {
			n := runLength(rest)
			h.match(&d, rest[:n])
			rest = rest[n:]
		}
	}
}

// endLost ends the subscriptions of scopes of which changes are missing.
func (h *Hub) endLost(lost map[kalam.Scope]struct{}) {
	for scope := range lost {
		h.mu.Lock()
		n := 0
		if f := h.feeds[scope]; f != nil {
			for i := len(f.matchers) - 1; i >= 0; i-- {
				n += h.endMatcherLocked(f.matchers[i], ErrSlow)
			}
		}
		h.mu.Unlock()
		h.warnEnded("live queries closed, changes come faster than they are matched", scope, n, nil)
	}
}

// warnEnded logs that n subscriptions of a scope were ended.
func (h *Hub) warnEnded(message string, s kalam.Scope, n int, err error) {
	switch {
	case n == 0:
	case err != nil:
		h.log.Warn(message, "table", s.Table, "user", s.User, "count", n, "error", err)
	default:
		h.log.Warn(message, "table", s.Table, "user", s.User, "count", n)
	}
}

// dispatcher is the reusable memory of dispatch.
type dispatcher struct {
	matchers []*matcher
	decoders []decoder // One per definition of the table that subscriptions use.
	row      row
}

// match gives the changes of one scope to its subscriptions.
func (h *Hub) match(d *dispatcher, changes []kalam.Change) {
	if !h.begin(d, changes) {
		return
	}
	for i := range changes {
		for j := range d.decoders {
			d.decoders[j].reset(&changes[i])
		}
		for _, m := range d.matchers {
			if m.fail == nil {
				m.fail = m.decide(&changes[i], d.decoder(m.table, &changes[i]), &d.row)
			}
		}
	}
	for _, m := range d.matchers {
		h.deliver(m, m.hits, m.fail)
		clear(m.hits)
		m.hits = m.hits[:0]
	}
	clear(d.matchers)
}

// begin collects the matchers that have a filter and gives the changes to the
// lanes of the others. A subscription that registers later need not get them:
// they are in its snapshot.
func (h *Hub) begin(d *dispatcher, changes []kalam.Change) bool {
	d.matchers, d.decoders = d.matchers[:0], d.decoders[:0]
	full := 0
	h.mu.Lock()
	if f := h.feeds[changes[0].Scope]; f != nil {
		for i := len(f.matchers) - 1; i >= 0; i-- { // From the back, since one may end.
			if m := f.matchers[i]; m.evaluator == nil {
				d.matchers = append(d.matchers, m)
			} else if !h.enqueueLocked(m, changes) {
				full += h.endMatcherLocked(m, ErrSlow)
			}
		}
	}
	h.mu.Unlock()
	h.warnEnded("live queries closed, their condition takes too long", changes[0].Scope, full, nil)
	return len(d.matchers) > 0
}

// deliver gives hits to the subscriptions of a matcher, and ends those whose
// queue is full, or all of them when there is an error.
func (h *Hub) deliver(m *matcher, hits []hit, err error) {
	if len(hits) == 0 && err == nil {
		return
	}
	h.mu.Lock()
	slow := h.deliverLocked(m, hits)
	failed := 0
	if err != nil {
		failed = h.endMatcherLocked(m, err)
	}
	h.mu.Unlock()
	h.warnEnded("live queries closed, their readers are too slow", m.feed.scope, slow, nil)
	h.warnEnded("live queries closed, a change cannot be matched", m.feed.scope, failed, err)
}

// decoder returns the decoder of a definition, standing on c.
func (d *dispatcher) decoder(t *kalam.Table, c *kalam.Change) *decoder {
	for i := range d.decoders {
		if d.decoders[i].table.SchemaVersion == t.SchemaVersion {
			return &d.decoders[i]
		}
	}
	if len(d.decoders) < cap(d.decoders) {
		d.decoders = d.decoders[:len(d.decoders)+1] // With the memory of an earlier one.
	} else {
		d.decoders = append(d.decoders, decoder{})
	}
	x := &d.decoders[len(d.decoders)-1]
	x.table = t
	x.reset(c)
	return x
}
