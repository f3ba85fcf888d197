package link

import (
	"slices"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/link/wire"
)

// AllRows is the LastRows that asks for all matching rows.
const AllRows = -1

// Bounds of SubscribeOptions.
const (
	MaxLastRows       = 10000
	DefaultBufferSize = 1000
)

// ID returns the id of the subscription on the present connection.
func (s *Subscription) ID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.received.id)
}

// LiveID returns the id for KILL LIVE QUERY, "" when the server does not say.
func (s *Subscription) LiveID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.liveID
}

// SQL returns the query.
func (s *Subscription) SQL() string { return s.sql }

// Columns describes the columns of the rows; it changes with ALTER TABLE.
func (s *Subscription) Columns() []Column {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.columns
}

// Events returns the channel of events, in commit order. It is closed after the
// last one; Err then tells why.
func (s *Subscription) Events() <-chan Event { return s.events }

// Active reports whether more events may come.
func (s *Subscription) Active() bool {
	select {
	case <-s.done:
		return false
	default:
		return s.ctx.Err() == nil
	}
}

// Err returns why the subscription ended: nil while it is active and after
// Close.
func (s *Subscription) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// LastSeq returns the seq up to which every change was handed over, for
// SubscribeOptions.From of a later subscription; 0 when it is not known yet.
func (s *Subscription) LastSeq() kalam.Seq {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.delivered
}

// Pause stops handing over events, after at most one more. They wait in the
// buffer, and beyond it on the server, so nothing is lost.
func (s *Subscription) Pause() { s.setPaused(true) }

// Resume undoes Pause.
func (s *Subscription) Resume() { s.setPaused(false) }

func (s *Subscription) setPaused(p bool) {
	s.mu.Lock()
	s.paused = p
	s.mu.Unlock()
	s.signal()
}

// Close ends the subscription and waits until its channel is closed; what is
// queued is dropped. It never fails and may be called more than once.
func (s *Subscription) Close() error {
	s.end(nil)
	s.cancel()
	<-s.done
	return nil
}

// end says that no more events come, and why.
func (s *Subscription) end(err error) {
	s.mu.Lock()
	if !s.ended {
		s.ended, s.err = true, err
	}
	s.mu.Unlock()
	s.signal()
}

func (s *Subscription) signal() {
	select {
	case s.wake <- struct{}{}:
	default: // A token lies there already.
	}
}

type pumpAction uint8

const (
	pumpSend pumpAction = iota
	pumpWait
	pumpRejoin
	pumpStop
)

// next says what pump does next.
func (s *Subscription) next() (Event, pumpAction) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ctx.Err(); err != nil {
		if !s.ended {
			s.ended = true
			s.err = &Error{Kind: KindCanceled, Message: "subscription canceled", Err: err}
		}
		return Event{}, pumpStop
	}
	switch {
	case s.head < len(s.queue) && s.paused && !s.ended:
		return Event{}, pumpWait
	case s.head < len(s.queue):
		ev := s.queue[s.head]
		s.queue[s.head] = Event{}
		if s.head++; s.head == len(s.queue) {
			s.queue, s.head = s.queue[:0], 0
		}
		return ev, pumpSend
	case s.ended:
		return Event{}, pumpStop
	case s.received.lagging:
		s.received.lagging = false
		return Event{}, pumpRejoin
	}
	return Event{}, pumpWait
}

// pushLocked queues an event; the caller has made sure that there is room for rows.
// States always fit: beyond the limit they replace the last one.
func (s *Subscription) pushLocked(ev Event) {
	n := len(s.queue) - s.head
	if ev.Kind == EventState && n > 0 && s.queue[len(s.queue)-1].Kind == EventState &&
		(n >= s.options.BufferSize || ev.State == StateConnecting && s.queue[len(s.queue)-1].State == StateConnecting) {
		s.queue[len(s.queue)-1] = ev
		return
	}
	if len(s.queue) == cap(s.queue) && s.head > len(s.queue)/2 {
		s.queue = slices.Delete(s.queue, 0, s.head)
		s.head = 0
	}
	s.queue = append(s.queue, ev)
	s.signal()
}

// wireOptions are the options to subscribe with now, and whether they ask for
// initial data.
func (s *Subscription) wireOptionsLocked() (o *wire.SubscribeOptions, initial bool) {
	o = &wire.SubscribeOptions{}
	if n := s.options.BatchSize; n > 0 {
		o.BatchSize = &n
	}
	if n := s.options.BufferSize; n != DefaultBufferSize {
		o.BufferSize = &n
	}
	switch n := s.options.LastRows; {
	case s.received.last > 0:
		from := wire.SeqID(s.received.last)
		o.From = &from
	case s.options.From > 0 || n == AllRows: // From is too old by now.
	case n > 0:
		o.LastRows = &n
	case o.BufferSize != nil:
		o.LastRows, o.BatchSize = &n, nil
		return o, false
	default:
		return nil, false
	}
	return o, true
}
