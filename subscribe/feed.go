package subscribe

import (
	"context"
	"slices"

	"github.com/kalamlake/kalam"
)

// feed is a scope with subscriptions. Feeds, matchers and groups are guarded by
// Hub.mu and exist only while they have subscriptions.
type feed struct {
	scope    kalam.Scope
	byKey    map[string]*matcher
	matchers []*matcher
}

// matcher decides which changes of a scope subscriptions with one filter get. The
// fields up to cancel do not change.
type matcher struct {
	feed      *feed
	key       string
	table     *kalam.Table
	filter    *Filter   // nil: all rows, or evaluator decides.
	evaluator Evaluator // In place of filter.
	exact     bool
	deleted   bool            // The condition names _deleted.
	ctx       context.Context // Of the evaluator; ends with the last subscription.
	cancel    context.CancelFunc

	pos    int // In feed.matchers.
	groups map[string]*group
	lane   lane // For evaluator.

	hits []hit // The dispatcher's own.
	fail error // The dispatcher's own.
}

// group is the subscriptions of a matcher that show the same columns: they get the
// same events.
type group struct {
	matcher *matcher
	key     string
	subs    []*Subscription
}

// joinLocked adds s to the group of its filter and columns. m, which is new, is
// used unless the feed has a matcher of its key.
func (h *Hub) joinLocked(s *Subscription, m *matcher, groupKey string) {
	f := h.feeds[s.spec.Scope]
	if f == nil {
		f = &feed{scope: s.spec.Scope, byKey: map[string]*matcher{}}
		h.scopes.Lock()
		h.feeds[f.scope] = f
		h.scopes.Unlock()
	}
	if known := f.byKey[m.key]; known != nil {
		m = known
	} else {
		m.feed, m.pos = f, len(f.matchers)
		if m.evaluator != nil {
			m.ctx, m.cancel = context.WithCancel(h.ctx)
		}
		f.byKey[m.key] = m
		f.matchers = append(f.matchers, m)
	}
	g := m.groups[groupKey]
	if g == nil {
		g = &group{matcher: m, key: groupKey}
		m.groups[groupKey] = g
	}
	s.group, s.pos = g, len(g.subs)
	g.subs = append(g.subs, s)
}

// newMatcher returns a matcher without subscriptions.
func newMatcher(spec *Spec) *matcher {
	m := &matcher{
		key: spec.matcherKey(), table: spec.Table, filter: spec.Filter, evaluator: spec.Evaluator,
		exact:  spec.ExactEvents,
		groups: map[string]*group{},
	}
	switch {
	case m.evaluator != nil:
		m.deleted = m.evaluator.NamesDeleted()
	case m.filter != nil:
		m.deleted = m.filter.NamesDeleted()
	}
	return m
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
