package link

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

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

// SubscribeOptions choose the initial rows of a live query. The zero value asks
// for none.
type SubscribeOptions struct {
	LastRows   int       // The newest n matching rows; 0 is none, AllRows all. At most MaxLastRows.
	BatchSize  int       // Rows of one EventInitial; 0 is the server's default.
	From       kalam.Seq // Resume: what changed after this seq. It wins over LastRows.
	Params     []any     // Values of $1..$n in the query, of the types that Query takes.
	BufferSize int       // Events that may wait for the reader; 0 is DefaultBufferSize.
}

func (o SubscribeOptions) check() error {
	switch {
	case o.LastRows < AllRows || o.LastRows > MaxLastRows:
		return errorf(KindInvalidOption, "LastRows must be from 0 to %d, or AllRows, got %d", MaxLastRows, o.LastRows)
	case o.BatchSize < 0:
		return errorf(KindInvalidOption, "BatchSize must not be negative, got %d", o.BatchSize)
	case o.BufferSize < 0:
		return errorf(KindInvalidOption, "BufferSize must be at least 1, got %d", o.BufferSize)
	}
	return nil
}

// Subscription is a live query. Its events must be read until the channel is
// closed, or it be closed. It is safe for concurrent use.
type Subscription struct {
	stream  *stream
	sql     string
	options SubscribeOptions
	params  []json.RawMessage
	number  int64
	ctx     context.Context // Ends with the caller's, Close and Client.Close.
	cancel  context.CancelFunc
	events  chan Event    // Written and closed by pump; the queue is what buffers.
	acked   chan struct{} // Closed at the first acknowledgement.
	wake    chan struct{} // Holds one token when pump has something to look at.
	done    chan struct{} // Closed when pump has ended.

	mu        sync.Mutex // guards the fields below
	columns   []Column
	liveID    string
	queue     []Event // At most BufferSize events of rows, and states.
	head      int
	paused    bool
	ended     bool // No more events come; what is queued is still handed over.
	err       error
	delivered kalam.Seq // Resume point of what was handed over.
	received  resumeState
}

// resumeState is what a Subscription knows of the stream of its frames.
type resumeState struct {
	id       subscriptionID // On the present connection; "" while there is none.
	round    int            // Counts ids.
	started  bool           // Acknowledged once.
	acked    bool           // Acknowledged under the present id.
	lagging  bool           // The queue was full: to be resumed when it is empty.
	rows     bool           // Rows were queued since the beginning or the last reset.
	initial  bool           // The present id was subscribed with initial data.
	ready    bool           // All initial data has come.
	reset    bool           // The next acknowledgement begins anew.
	last     kalam.Seq      // Everything up to here was queued; 0 when unknown.
	snapshot kalam.Seq      // Initial data of the present id is up to here; 0 when unknown.
	// catchUp holds the seqs of a resume that is not complete: rows come by rising
	// seq but deletions apart from them, so until all have come no single seq
	// describes what was received. nil otherwise.
	catchUp map[kalam.Seq]struct{}
}

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

// Subscribe opens a live query and waits until the server has acknowledged it.
// It lives until ctx ends, Close, or an error that Err then tells: of kind
// KindSubscription when the server ended it, KindConnection when it could not
// be reached again. The first event is StateConnected.
func (c *Client) Subscribe(ctx context.Context, sql string, o SubscribeOptions) (*Subscription, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	if o.BufferSize == 0 {
		o.BufferSize = DefaultBufferSize
	}
	params, err := encodeParams(o.Params)
	if err != nil {
		return nil, err
	}
	s := &Subscription{
		stream: c.live, sql: sql, options: o, params: params, events: make(chan Event), acked: make(chan struct{}),
		wake: make(chan struct{}, 1), done: make(chan struct{}),
	}
	s.received.last, s.delivered = o.From, o.From
	s.ctx, s.cancel = context.WithCancel(ctx)
	if err := c.live.add(s); err != nil {
		s.cancel()
		return nil, err
	}
	parent, start := ctx, time.Now()
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	select {
	case <-s.acked:
		return s, nil
	case <-s.done: // It failed, or ctx ended.
	case <-ctx.Done():
	}
	err = c.endedBy(parent, ctx, "subscription", start)
	if err == nil {
		err = s.Err()
	}
	_ = s.Close() // Never fails.
	return nil, err
}

// pump hands over the queued events and starts what depends on that: the next
// batch of initial rows, and the return after the queue was full.
func (s *Subscription) pump() {
	defer s.stream.pumps.Done()
	defer close(s.done)
	defer close(s.events)
	defer s.cancel()
	defer s.stream.remove(s)
	for {
		ev, todo := s.next()
		switch todo {
		case pumpStop:
			return
		case pumpRejoin:
			s.stream.subscribe(s)
			continue
		case pumpWait:
			select {
			case <-s.wake:
			case <-s.ctx.Done():
			}
			continue
		case pumpSend:
		}
		select {
		case s.events <- ev:
		case <-s.ctx.Done():
			continue
		}
		s.mu.Lock()
		if s.delivered < ev.resume || ev.State == StateReset {
			s.delivered = ev.resume
		}
		s.mu.Unlock()
		if ev.next != nil {
			s.stream.nextBatch(ev.on, *ev.next)
		}
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
