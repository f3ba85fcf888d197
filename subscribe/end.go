package subscribe

import (
	"slices"

	"github.com/kalamlake/kalam"
)

// endLocked ends a subscription and tells its reader why.
func (h *Hub) endLocked(s *Subscription, err error) {
	h.removeLocked(s)
	s.out.end(s, err)
}

// removeLocked takes a subscription out of everything that lists it; doing so
// again does nothing.
func (h *Hub) removeLocked(s *Subscription) {
	if h.byID[s.spec.ID] != s {
		return
	}
	delete(h.byID, s.spec.ID)
	delete(s.out.subs, s)
	decrement(h.users, s.spec.User)
	decrement(h.tables, s.spec.Table.Number)
	h.leaveLocked(s)
}

// leaveLocked takes s out of its group, and with the last subscription the group,
// the matcher and the feed.
func (h *Hub) leaveLocked(s *Subscription) {
	g := s.group
	last := len(g.subs) - 1
	g.subs[s.pos] = g.subs[last]
	g.subs[s.pos].pos = s.pos
	g.subs[last] = nil
	g.subs = g.subs[:last]
	m := g.matcher
	if len(g.subs) == 0 {
		delete(m.groups, g.key)
	}
	if len(m.groups) > 0 {
		return
	}
	if m.cancel != nil {
		m.cancel()
	}
	f := m.feed
	delete(f.byKey, m.key)
	last = len(f.matchers) - 1
	f.matchers[m.pos] = f.matchers[last]
	f.matchers[m.pos].pos = m.pos
	f.matchers = slices.Delete(f.matchers, last, last+1)
	if len(f.matchers) > 0 {
		return
	}
	h.scopes.Lock()
	delete(h.feeds, f.scope)
	h.scopes.Unlock()
}

// endMatcherLocked ends all subscriptions of a matcher and returns their number.
func (h *Hub) endMatcherLocked(m *matcher, err error) (n int) {
	for _, g := range m.groups {
		for i := len(g.subs) - 1; i >= 0; i-- {
			h.endLocked(g.subs[i], err)
			n++
		}
	}
	return n
}

// Close ends the subscription. Nothing more of it is delivered after Close
// returns. Closing an ended one does nothing.
func (s *Subscription) Close() {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	s.hub.removeLocked(s)
	s.out.end(s, nil)
}

// Close ends all subscriptions of the Outbox and drops what waits.
func (o *Outbox) Close() {
	o.hub.mu.Lock()
	defer o.hub.mu.Unlock()
	for s := range o.subs {
		o.hub.removeLocked(s)
		o.end(s, nil)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.closed {
		close(o.done)
	}
	o.closed, o.queue, o.head, o.bytes = true, nil, 0, 0
}

// Kill ends a subscription with ErrKilled. It reports false when there is none of
// this live id.
func (h *Hub) Kill(liveID string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.byID[liveID]
	if s == nil {
		return false
	}
	h.endLocked(s, ErrKilled)
	return true
}

// CloseUser ends the subscriptions of a user with err and returns their number.
func (h *Hub) CloseUser(user kalam.UserID, err error) int {
	return h.endWhere(err, func(s *Subscription) bool { return s.spec.User == user })
}

// CloseTable ends the subscriptions to a table with err and returns their number:
// what an altered table does to those that are to start anew.
func (h *Hub) CloseTable(n kalam.TableNumber, err error) int {
	return h.endWhere(err, func(s *Subscription) bool { return s.spec.Table.Number == n })
}

// CloseRefused ends the subscriptions for which refused returns an error, with that error, and returns their number.
// refused is fast and calls nothing of the Hub.
func (h *Hub) CloseRefused(refused func(*Spec) error) (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.byID {
		if err := refused(&s.spec); err != nil {
			h.endLocked(s, err)
			n++
		}
	}
	return n
}

// endWhere ends the subscriptions for which f is true.
func (h *Hub) endWhere(err error, f func(*Subscription) bool) (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.byID {
		if f(s) {
			h.endLocked(s, err)
			n++
		}
	}
	return n
}

// Close ends all subscriptions with ErrClosed and waits for the Hub's goroutines.
// Later changes are ignored, later Registers refused.
func (h *Hub) Close() error {
	h.inbox.close()
	h.mu.Lock()
	h.closed = true
	for _, s := range h.byID {
		h.endLocked(s, ErrClosed)
	}
	h.mu.Unlock()
	h.cancel()
	h.work.Wait()
	return nil
}
