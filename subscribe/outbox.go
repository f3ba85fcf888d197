package subscribe

import (
	"context"
	"sort"

	"github.com/kalamlake/kalam"
)

// Next returns the next delivery and waits for one. The error is the cause of
// ctx's end, or ErrClosed after Close.
func (o *Outbox) Next(ctx context.Context) (Delivery, error) {
	for {
		if d, ok := o.TryNext(); ok {
			return d, nil
		}
		select {
		case <-o.ready:
		case <-o.done:
			return Delivery{}, ErrClosed
		case <-ctx.Done():
			return Delivery{}, context.Cause(ctx)
		}
	}
}

// Ready returns a channel that yields a value after something was put into an
// empty Outbox, for a reader that waits for other things too. It then calls
// TryNext until that reports false.
func (o *Outbox) Ready() <-chan struct{} { return o.ready }

// TryNext returns the next delivery if there is one.
func (o *Outbox) TryNext() (d Delivery, ok bool) {
	now := o.hub.o.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.head < len(o.queue) {
		d = o.queue[o.head]
		o.queue[o.head] = Delivery{}
		o.head++
		s := d.Subscription
		o.bytes -= sizeOf(d.Events)
		switch {
		case s.silent || s.ended && d.Err == nil:
			continue
		case d.Err == nil:
			o.waitLocked(s, -len(d.Events))
			s.changes += int64(len(d.Events))
			s.last = d.Events[len(d.Events)-1].NewSeq
			s.updated = now
			if f := o.hub.o.Delivered; f != nil {
				f(max(0, now.Sub(s.last.Time())))
			}
		}
		return d, true
	}
	o.queue, o.head = o.queue[:0], 0
	if cap(o.queue) > keepCapacity {
		o.queue = nil
	}
	return Delivery{}, false
}

// isClosed reports whether Close was called.
func (o *Outbox) isClosed() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.closed
}

// deliver gives events to a subscription. It reports false when the reader is so
// slow that it must end.
func (o *Outbox) deliver(s *Subscription, events []*Event) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if s.ended {
		return true
	}
	events = after(events, s.start)
	if len(events) == 0 {
		return true
	}
	if s.waiting >= s.spec.QueueLimit || o.bytes >= o.hub.o.MaxBytes {
		return false
	}
	o.waitLocked(s, len(events))
	o.bytes += sizeOf(events)
	if !s.active {
		s.held = append(s.held, events)
		return true
	}
	o.putLocked(Delivery{Subscription: s, Events: events})
	return true
}

// activate lets the events above seq through.
func (o *Outbox) activate(s *Subscription, seq kalam.Seq) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if s.active || s.ended {
		return
	}
	s.active, s.start = true, seq
	for _, events := range s.held {
		later := after(events, seq)
		dropped := events[:len(events)-len(later)]
		o.waitLocked(s, -len(dropped))
		o.bytes -= sizeOf(dropped)
		if len(later) > 0 {
			o.putLocked(Delivery{Subscription: s, Events: later})
		}
	}
	s.held = nil
}

// end drops what waits for s and delivers err, unless s has ended before. With a
// nil err nothing more of s is delivered.
func (o *Outbox) end(s *Subscription, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s.silent = s.silent || err == nil
	if s.ended {
		return
	}
	s.ended = true
	for _, events := range s.held {
		o.bytes -= sizeOf(events)
	}
	s.held = nil
	o.waitLocked(s, -s.waiting)
	if err != nil {
		o.putLocked(Delivery{Subscription: s, Err: err})
	}
}

// waitLocked notes that n more events of s wait, or fewer.
func (o *Outbox) waitLocked(s *Subscription, n int) {
	s.waiting += n
	o.hub.queued.Add(int64(n))
}

// putLocked appends to the queue.
func (o *Outbox) putLocked(d Delivery) {
	if o.closed {
		return
	}
	if o.head > 0 && len(o.queue) == cap(o.queue) && o.head >= len(o.queue)/2 {
		n := copy(o.queue, o.queue[o.head:])
		clear(o.queue[n:])
		o.queue, o.head = o.queue[:n], 0
	}
	o.queue = append(o.queue, d)
	select {
	case o.ready <- struct{}{}:
	default:
	}
}

// after returns the events above seq.
func after(events []*Event, seq kalam.Seq) []*Event {
	if events[0].NewSeq > seq {
		return events
	}
	return events[sort.Search(len(events), func(i int) bool { return events[i].NewSeq > seq }):]
}

// sizeOf returns the bytes of events.
func sizeOf(events []*Event) (n int64) {
	for _, e := range events {
		n += e.size
	}
	return n
}
