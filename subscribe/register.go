package subscribe

import (
	"context"

	"github.com/kalamlake/kalam"
)

// Register starts a subscription. It collects events from now on and delivers
// them after Activate. Errors: CodeInvalidOperation while the table is about to be
// dropped, CodeResourceExhausted with ErrLimit, CodeAlreadyExists for a taken live
// id, CodeShuttingDown after the Hub's Close, ErrClosed after the Outbox's. A table
// that was dropped before is the caller's to notice: its snapshot fails.
func (h *Hub) Register(spec Spec) (*Subscription, error) {
	if spec.ID == "" {
		spec.ID = kalam.LiveID(spec.User, spec.Connection, spec.Subscription)
	}
	if err := spec.check(); err != nil {
		return nil, err
	}
	if spec.QueueLimit <= 0 {
		spec.QueueLimit = h.o.MaxQueue
	}
	if spec.Outbox == nil {
		spec.Outbox = h.NewOutbox()
	}
	s := &Subscription{hub: h, out: spec.Outbox, spec: spec, created: h.o.Now()}
	m, groupKey := newMatcher(&spec), spec.groupKey() // Asks the evaluator, so not under the lock.
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.admitLocked(&spec); err != nil {
		return nil, err
	}
	h.byID[spec.ID] = s
	h.users[spec.User]++
	h.tables[spec.Table.Number]++
	s.out.subs[s] = struct{}{}
	h.joinLocked(s, m, groupKey)
	return s, nil
}

// admitLocked reports why a subscription may not start.
func (h *Hub) admitLocked(spec *Spec) error {
	switch {
	case h.closed:
		return kalam.Wrap(kalam.CodeShuttingDown, ErrClosed, "server is shutting down")
	case spec.Outbox.isClosed():
		return ErrClosed
	case h.blocked[spec.Table.Number] > 0:
		return kalam.Errorf(kalam.CodeInvalidOperation, "Cannot subscribe to table '%s': it is being dropped",
			spec.Table.ID)
	case h.byID[spec.ID] != nil:
		return kalam.Errorf(kalam.CodeAlreadyExists, "Live query '%s' already exists", spec.ID)
	case h.o.MaxPerUser > 0 && h.users[spec.User] >= h.o.MaxPerUser:
		return kalam.Wrap(kalam.CodeResourceExhausted, ErrLimit, "Maximum subscriptions reached")
	}
	return nil
}

// newMatcher returns a matcher without subscriptions.
func newMatcher(spec *Spec) *matcher {
	m := &matcher{
		key: spec.matcherKey(), table: spec.Table, filter: spec.Filter, evaluator: spec.Evaluator,
		exact: spec.ExactEvents || spec.Guarded, guarded: spec.Guarded,
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

// LastSeq returns the seq of the last event that was handed out, 0 for none.
func (s *Subscription) LastSeq() kalam.Seq {
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	return s.last
}

// Activate starts the delivery of the changes above seq, the seq of a snapshot
// taken after Register: those that came meanwhile first. Only the first call
// counts.
func (s *Subscription) Activate(seq kalam.Seq) { s.out.activate(s, seq) }
