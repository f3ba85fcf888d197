package subscribe

import "github.com/kalamlake/kalam"

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

// deliverLocked gives hits to the subscriptions of a matcher. Those whose queue is
// full end; it returns their number.
func (h *Hub) deliverLocked(m *matcher, hits []hit) (slow int) {
	if len(hits) == 0 {
		return 0
	}
	for _, g := range m.groups {
		events := makeEvents(m.table, hits)
		// From the back, since one that ends is replaced by the last.
		for i := len(g.subs) - 1; i >= 0; i-- {
			if s := g.subs[i]; !s.out.deliver(s, events) {
				h.endLocked(s, ErrSlow)
				slow++
			}
		}
	}
	return slow
}

// makeEvents makes one Event for each hit.
func makeEvents(t *kalam.Table, hits []hit) []*Event {
	all := make([]Event, len(hits))
	events := make([]*Event, len(hits))
	for i := range hits {
		e, h := &all[i], &hits[i]
		e.Kind, e.Table, e.New, e.Old = h.kind, t, h.newVals, h.oldVals
		e.NewSeq, e.OldSeq, e.Deleted, e.size = h.newSeq, h.oldSeq, h.deleted, h.size
		events[i] = e
	}
	return events
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
