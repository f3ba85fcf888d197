package subscribe

import "github.com/kalamlake/kalam"

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
