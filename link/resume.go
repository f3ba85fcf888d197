package link

import (
	"fmt"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/link/wire"
)

// action is what the stream does after a Subscription took a frame.
type action uint8

const (
	actionGo        action = iota
	actionDetach           // Unsubscribe; the subscription comes back by itself.
	actionAgain            // Subscribe again on this connection.
	actionReconnect        // Give up this connection; the error says why.
	actionEnd              // The subscription has ended.
)

// begin gives the Subscription a new id and returns the frame that subscribes
// it. ok is false while it waits for its reader.
func (s *Subscription) begin() (id subscriptionID, f wire.ClientFrame, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &s.received
	if r.lagging || s.ended {
		return "", f, false
	}
	// Rows without seqs, of an aggregate for instance, cannot be resumed.
	r.reset = r.reset || r.last == 0 && r.rows
	r.round++
	r.id = subscriptionID(fmt.Sprintf("sub-%d", s.number))
	if r.round > 1 {
		r.id += subscriptionID(fmt.Sprintf(".%d", r.round))
	}
	var options *wire.SubscribeOptions
	options, r.initial = s.wireOptionsLocked()
	r.acked, r.resumes, r.snapshot = false, r.last > 0, 0
	return r.id, wire.ClientFrame{
		Type:         wire.TypeSubscribe,
		Subscription: &wire.Subscribe{ID: string(r.id), SQL: s.sql, Params: s.params, Options: options},
	}, true
}

// take handles a frame of the subscription. The error belongs to
// actionReconnect.
func (s *Subscription) take(f *frame) (action, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if string(s.received.id) != f.SubscriptionID || s.ended {
		return actionGo, nil
	}
	switch f.Type {
	case wire.TypeSubscriptionAck:
		s.acknowledgedLocked(f)
	case wire.TypeInitialBatch:
		return s.batchLocked(f), nil
	case wire.TypeChange:
		return s.changeLocked(f), nil
	case wire.TypeError:
		return s.refusedLocked(f)
	}
	return actionGo, nil
}

// acknowledgedLocked takes an acknowledgement: of the subscription, or of a
// change of the table's columns.
func (s *Subscription) acknowledgedLocked(f *frame) {
	s.columns = columnsOf(f.Schema)
	r := &s.received
	if r.acked {
		return
	}
	r.acked = true
	r.snapshot = parseSeq(f.SnapshotSeq)
	s.liveID = f.liveID
	if !r.initial {
		r.last = max(r.last, r.snapshot)
	}
	switch {
	case !r.started:
		s.pushLocked(Event{Kind: EventState, State: StateConnected, resume: r.last})
	case r.reset:
		s.pushLocked(Event{Kind: EventState, State: StateReset, resume: r.last})
	default:
		s.pushLocked(Event{Kind: EventState, State: StateResumed, From: r.last, resume: r.last})
	}
	if !r.started {
		r.started = true
		close(s.acked)
	}
	r.reset, r.rows = false, r.rows && !r.reset
}

// note takes down the seq of something that was queued. Rows, deletions and changes come by rising
// seq, those of a resume too, so from the highest one everything else can be asked for.
func (r *resumeState) note(seq kalam.Seq) { r.last = max(r.last, seq) }

// loaded takes down that the last initial batch has come. Deletions of a resume may follow it, so
// only without them everything up to the snapshot has come.
func (r *resumeState) loaded() {
	if !r.resumes {
		r.last = max(r.last, r.snapshot)
	}
}

// batchLocked queues one batch of initial rows.
func (s *Subscription) batchLocked(f *frame) action {
	r := &s.received
	ev := Event{Kind: EventInitial, Last: !f.BatchControl.HasMore, on: r.id}
	ev.Rows = f.Rows
	for _, row := range f.Rows {
		ev.Seq = max(ev.Seq, seqOf(row))
	}
	if len(s.queue)-s.head >= s.options.BufferSize {
		return s.lagLocked()
	}
	r.note(ev.Seq)
	if ev.Last {
		r.loaded()
	} else {
		next := wire.SeqID(lastSeq(f.BatchControl))
		ev.next = &next
	}
	ev.resume = r.last
	r.rows = r.rows || len(ev.Rows) > 0
	s.pushLocked(ev)
	return actionGo
}

// changeLocked queues the changes of a frame.
func (s *Subscription) changeLocked(f *frame) action {
	for i := range max(len(f.Rows), len(f.OldValues)) {
		var ev Event
		if i < len(f.Rows) {
			ev.New = f.Rows[i]
		}
		if i < len(f.OldValues) {
			ev.Old = f.OldValues[i]
		}
		switch f.ChangeType {
		case kalam.ChangeInsert.String():
			ev.Kind = EventInsert
		case kalam.ChangeUpdate.String():
			ev.Kind = EventUpdate
		case kalam.ChangeDelete.String():
			ev.Kind = EventDelete
			if ev.Old == nil {
				ev.Old, ev.New = ev.New, nil
			}
		default:
			continue // A kind of a later version.
		}
		if ev.Seq = seqOf(ev.New); ev.Seq == 0 {
			ev.Seq = seqOf(ev.Old)
		}
		r := &s.received
		if len(s.queue)-s.head >= s.options.BufferSize {
			return s.lagLocked()
		}
		r.note(ev.Seq)
		r.rows = true
		ev.resume = r.last
		s.pushLocked(ev)
	}
	return actionGo
}

// lagLocked gives up the present id because the reader is too slow.
func (s *Subscription) lagLocked() action {
	s.received.lagging, s.received.acked = true, false
	return actionDetach
}

// refusedLocked takes an error frame.
func (s *Subscription) refusedLocked(f *frame) (action, error) {
	r := &s.received
	err := &Error{Kind: KindSubscription, Code: f.Code, Message: f.Message,
		Position: f.Position, Hint: f.Hint, Suggestions: f.Suggestions}
	switch {
	case f.Code == wire.CodeResumeWindowExceeded && r.last > 0:
		r.last, r.reset = 0, r.started
		return actionAgain, nil
	case f.Code == wire.CodeShuttingDown,
		f.Code == wire.CodeSubscriptionLimit && r.started && !r.acked: // The lost connection may still count.
		return actionReconnect, err
	}
	s.ended, s.err = true, err
	s.signal()
	return actionEnd, nil
}

// lost takes down that the connection broke. Only a subscription that stood
// tells its reader.
func (s *Subscription) lost(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.received.acked && !s.ended {
		s.pushLocked(Event{Kind: EventState, State: StateDisconnected, Err: err, resume: s.received.last})
	}
	s.received.id, s.received.acked = "", false
}

// connecting tells the reader of an attempt to connect again.
func (s *Subscription) connecting(attempt int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.received.started && !s.ended {
		s.pushLocked(Event{Kind: EventState, State: StateConnecting, Attempt: attempt, resume: s.received.last})
	}
}

// standing reports whether the subscription was ever acknowledged, and whether
// it waits for an acknowledgement now.
func (s *Subscription) standing() (started, pending bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.received.started, s.received.id != "" && !s.received.acked && !s.ended && !s.received.lagging
}

// columnsOf reads a schema.
func columnsOf(fields []rawField) []Column {
	columns := make([]Column, len(fields))
	for i := range fields {
		columns[i] = fields[i].column()
	}
	return columns
}
