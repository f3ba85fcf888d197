package link

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/kalamlake/kalam/link/wire"
)

func newStream(c *core) *stream {
	st := &stream{core: c, kick: make(chan struct{}, 1), byID: map[subscriptionID]*Subscription{}}
	st.ctx, st.cancel = context.WithCancel(context.Background())
	return st
}

// close ends every subscription and waits for all goroutines.
func (st *stream) close() {
	st.mu.Lock()
	st.closed = true
	list := slices.Clone(st.list)
	st.mu.Unlock()
	for _, s := range list {
		s.end(errorf(KindConnection, "the client is closed"))
		s.cancel()
	}
	st.cancel()
	st.pumps.Wait()
	st.runner.Wait()
}

// add takes in a new subscription and starts its pump.
func (st *stream) add(s *Subscription) error {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.closed {
		return errorf(KindConnection, "the client is closed")
	}
	st.made++
	s.number = st.made
	st.list = append(st.list, s)
	st.pumps.Add(1)
	go s.pump()
	switch {
	case !st.running:
		st.running = true
		st.runner.Add(1)
		go st.run()
	case st.sock != nil:
		st.subscribeLocked(s)
	}
	return nil
}

// remove takes out a subscription that has ended.
func (st *stream) remove(s *Subscription) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if i := slices.Index(st.list, s); i >= 0 {
		st.list = slices.Delete(st.list, i, i+1)
	}
	st.detachLocked(s)
	if len(st.list) == 0 {
		select {
		case st.kick <- struct{}{}:
		default: // A token lies there already.
		}
		if st.sock != nil {
			st.sock.close(errNoSubscription)
		}
	}
}

// errNoSubscription closes a socket that nobody needs.
var errNoSubscription = errors.New("no subscription is left")

// detachLocked tells the server that a subscription has ended.
func (st *stream) detachLocked(s *Subscription) {
	for id, t := range st.byID {
		if t == s {
			st.unsubscribeLocked(id)
		}
	}
}

func (st *stream) unsubscribeLocked(id subscriptionID) {
	delete(st.byID, id)
	st.sock.send(wire.ClientFrame{Type: wire.TypeUnsubscribe, SubscriptionID: string(id)})
}

// subscribe subscribes s on the present connection, if there is one.
func (st *stream) subscribe(s *Subscription) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.sock != nil {
		st.subscribeLocked(s)
	}
}

func (st *stream) subscribeLocked(s *Subscription) {
	st.detachLocked(s) // A subscription has one id at a time.
	if id, frame, ok := s.begin(); ok {
		st.byID[id] = s
		st.sock.send(frame)
	}
}

// nextBatch asks for more initial rows, unless the id is no longer in use.
func (st *stream) nextBatch(id subscriptionID, last wire.SeqID) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.byID[id] != nil {
		st.sock.send(wire.ClientFrame{Type: wire.TypeNextBatch, SubscriptionID: string(id), LastSeqID: &last})
	}
}

// run connects and serves until no subscription is left.
func (st *stream) run() {
	defer st.runner.Done()
	for failures := 0; st.needed(); {
		stood, err := st.connect()
		switch {
		case errors.Is(err, errNoSubscription):
			failures = 0
			continue
		case stood:
			failures = 0
		default:
			failures++
		}
		if limit := st.limit(); isFinal(err) || limit >= 0 && failures >= limit {
			st.fail(err)
			failures = 0
			continue
		}
		st.wait(max(failures-1, 0))
		for _, s := range st.subscriptions() {
			s.connecting(failures + 1)
		}
	}
}

// needed reports whether there is a subscription to serve; if not, run ends.
func (st *stream) needed() bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	select {
	case <-st.kick: // Of a time when there was none; it is seen now.
	default:
	}
	if len(st.list) == 0 || st.ctx.Err() != nil {
		st.running = false
		return false
	}
	return true
}

func (st *stream) subscriptions() []*Subscription {
	st.mu.Lock()
	defer st.mu.Unlock()
	return slices.Clone(st.list)
}

// limit returns after how many failures in a row to give up, below 0 for never:
// while no subscription has ever stood, somebody waits for the answer.
func (st *stream) limit() int {
	for _, s := range st.subscriptions() {
		if started, _ := s.standing(); started && st.core.options.NoReconnect {
			return 0
		} else if started {
			return st.core.options.MaxReconnects
		}
	}
	return max(st.core.options.MaxRetries, 0) + 1
}

// wait is the pause before another attempt; it ends early when the stream is not
// needed any more.
func (st *stream) wait(attempt int) {
	t := time.NewTimer(backoff(st.core.firstWait, st.core.options.LongestWait, attempt))
	defer t.Stop()
	select {
	case <-t.C:
	case <-st.kick:
	case <-st.ctx.Done():
	}
}

// fail ends every subscription.
func (st *stream) fail(err error) {
	for _, s := range st.subscriptions() {
		s.end(err)
		st.mu.Lock()
		if i := slices.Index(st.list, s); i >= 0 {
			st.list = slices.Delete(st.list, i, i+1)
		}
		st.mu.Unlock()
	}
}

// isFinal reports whether connecting again would meet the same error.
func isFinal(err error) bool {
	switch KindOf(err) {
	case KindAuthentication, KindSerialization, KindInvalidOption, KindInvalidURL:
		return true
	}
	return CodeOf(err) == wire.CodeMessageTooLarge
}

// connect dials, subscribes everything and serves the connection until it
// breaks. stood says whether every subscription was acknowledged by then.
func (st *stream) connect() (stood bool, err error) {
	sock, err := st.core.dial(st.ctx)
	if err != nil {
		return false, err
	}
	st.mu.Lock()
	st.sock = sock
	for _, s := range st.list {
		st.subscribeLocked(s)
	}
	if len(st.list) == 0 {
		sock.close(errNoSubscription)
	}
	st.mu.Unlock()

	err = sock.serve(st.dispatch)

	st.mu.Lock()
	st.sock = nil
	clear(st.byID)
	list := slices.Clone(st.list)
	st.mu.Unlock()
	stood = true
	for _, s := range list {
		_, pending := s.standing()
		stood = stood && !pending
		s.lost(err)
	}
	return stood, err
}

// dispatch hands a frame to its subscription. An error gives up the connection.
func (st *stream) dispatch(f *frame) error {
	st.mu.Lock()
	s := st.byID[subscriptionID(f.SubscriptionID)]
	st.mu.Unlock()
	if s == nil {
		return st.stray(f)
	}
	v, err := s.take(f)
	if v == actionGo || v == actionReconnect {
		return err
	}
	id := subscriptionID(f.SubscriptionID)
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.byID[id] == nil {
		return nil // Somebody else removed it meanwhile.
	}
	switch v {
	case actionDetach:
		st.unsubscribeLocked(id)
	case actionAgain:
		delete(st.byID, id) // The server has none.
		st.subscribeLocked(s)
	case actionEnd:
		delete(st.byID, id)
	case actionGo, actionReconnect:
	}
	return nil
}

// stray takes a frame of no subscription. Errors of the connection end those
// that wait for an answer, since one of their frames was not understood.
func (st *stream) stray(f *frame) error {
	if f.Type != wire.TypeError {
		return nil
	}
	err := &Error{Kind: KindSubscription, Code: f.Code, Message: f.Message}
	switch f.SubscriptionID {
	case "rate_limit":
		return err
	case "protocol", "subscribe", "invalid_subscription", "":
		for _, s := range st.subscriptions() {
			if _, pending := s.standing(); pending {
				s.end(err)
			}
		}
	}
	return nil
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
