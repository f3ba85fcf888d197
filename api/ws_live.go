package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/api/results"
	"github.com/kalamlake/kalam/audit"
	"github.com/kalamlake/kalam/link/wire"
	"github.com/kalamlake/kalam/live"
	"github.com/kalamlake/kalam/subscribe"
)

const (
	// maxSubscriptions is how many subscriptions one socket may have.
	maxSubscriptions = 100
	// maxSubscriptionID bounds the id that a client chooses, in bytes.
	maxSubscriptionID = 256
)

// subscribe handles the subscribe message.
func (k *socket) subscribe(m *wire.Subscribe) {
	switch {
	case m.ID == "":
		k.sendError(aboutSubscription, wire.CodeInvalidSubscriptionID, "Subscription ID cannot be empty")
		return
	case len(m.ID) > maxSubscriptionID:
		k.sendError(aboutSubscription, wire.CodeInvalidSubscriptionID,
			fmt.Sprintf("Subscription ID is longer than %d bytes", maxSubscriptionID))
		return
	}
	request, err := k.liveRequest(m)
	if err == nil {
		err = k.mayAdd(m.ID)
	}
	if err != nil {
		k.sendFailure(m.ID, err)
		return
	}
	ctx, stop := withWatch(k.ctx, k.conn)
	defer stop()
	q, err := k.server.engine.Live().Subscribe(ctx, k.who.Load().principal, request)
	if err != nil {
		if audit.IsDenied(err) {
			k.note(k.who.Load(), audit.Event{Action: "SUBSCRIBE", Outcome: audit.Denied, Details: audit.Text(m.SQL)})
		}
		k.refuse(m, err, request.Exact)
		return
	}
	sub := &subscription{id: m.ID, request: request, query: q, rows: newRowEncoder(q)}
	sub.busy.Lock()
	defer k.leave(sub)
	k.mu.Lock()
	k.subs[m.ID] = sub
	delete(k.over, m.ID)
	k.mu.Unlock()
	if !q.HasInitial() {
		k.sendPlain(appendAck(nil, sub, &live.Batch{}))
		sub.loaded = true
		q.Activate()
		return
	}
	batch, ok := k.readBatch(ctx, sub)
	if !ok {
		return
	}
	k.sendPlain(appendAck(nil, sub, &batch))
	k.sendBatches(ctx, sub, &batch)
}

// liveRequest turns a subscribe message into what the engine is asked for.
func (k *socket) liveRequest(m *wire.Subscribe) (r live.Request, err error) {
	r = live.Request{Connection: k.id, ID: m.ID, SQL: m.SQL, Outbox: k.outbox}
	if r.Params, err = liveParams(m.Params); err != nil {
		return r, err
	}
	events := m.Events
	if events == "" {
		events = k.who.Load().protocol.Events
	}
	if events == "" {
		events = k.server.config.LiveEvents()
	}
	if !knownEvents(events) {
		return r, kalam.Errorf(kalam.CodeUnsupported, "unknown events '%s'; there are %s and %s",
			shorten(events, maxSubscriptionID), wire.EventsExact, wire.EventsKalamDB)
	}
	r.Exact = events == wire.EventsExact
	r.Options, err = liveOptions(m.Options)
	return r, err
}

// knownEvents reports whether a client may ask for such events.
func knownEvents(events string) bool {
	return events == wire.EventsExact || events == wire.EventsKalamDB
}

// liveParams reads the parameters of a subscribe message as those of a request.
func liveParams(list []json.RawMessage) ([]kalam.Value, error) {
	text := []byte{'['}
	for i, raw := range list {
		if i > 0 {
			text = append(text, ',')
		}
		text = append(text, raw...)
	}
	d := decoder{b: append(text, ']')}
	var r sqlRequest
	if err := d.params(&r); err != nil {
		return nil, kalam.Errorf(kalam.CodeParameterMismatch, "%s", err.Error())
	}
	return r.params, nil
}

// mayAdd says why a socket cannot have a subscription more.
func (k *socket) mayAdd(id string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.subs[id] != nil:
		return kalam.Errorf(kalam.CodeAlreadyExists, "Subscription '%s' already exists on this connection", id)
	case len(k.subs) >= maxSubscriptions:
		return kalam.Wrap(kalam.CodeResourceExhausted, subscribe.ErrLimit, "Maximum subscriptions reached")
	}
	return nil
}

// liveOptions turns the options of a subscribe message into those of the engine.
func liveOptions(o *wire.SubscribeOptions) (*live.Options, error) {
	if o == nil || o.LastRows != nil && *o.LastRows == 0 && o.From == nil && o.FromSeqID == nil {
		return nil, nil
	}
	out := &live.Options{}
	if o.LastRows != nil {
		out.LastRows = *o.LastRows
	}
	for _, from := range []*wire.SeqID{o.FromSeqID, o.From} {
		if from != nil {
			out.From = kalam.Seq(*from)
		}
	}
	for _, n := range []struct {
		name  string
		given *int
		field *int
	}{{"batch_size", o.BatchSize, &out.BatchSize}, {"buffer_size", o.BufferSize, &out.BufferSize}} {
		if n.given == nil {
			continue
		}
		if *n.given < 1 {
			return nil, kalam.Errorf(kalam.CodeUnsupported, "%s must be at least 1, got %d", n.name, *n.given)
		}
		*n.field = *n.given
	}
	return out, nil
}

// nextBatch handles the next_batch message; after is the last seq that it names.
func (k *socket) nextBatch(id string, after *wire.SeqID) {
	sub := k.find(id)
	if sub == nil && k.crossed(id) {
		return
	}
	if sub == nil {
		k.sendError(id, wire.CodeNotFound, "Not found: subscription '"+shorten(id, maxSubscriptionID)+"'")
		return
	}
	sub.busy.Lock()
	defer k.leave(sub)
	if !sub.asked(after) {
		return
	}
	ctx, stop := withWatch(k.ctx, k.conn)
	defer stop()
	if batch, ok := k.readBatch(ctx, sub); ok {
		k.sendBatches(ctx, sub, &batch)
	}
}

// readBatch reads the next batch of initial rows. An error is sent, and ends the
// subscription: the client would wait for ever.
func (k *socket) readBatch(ctx context.Context, sub *subscription) (batch live.Batch, ok bool) {
	batch, err := sub.query.NextBatch(ctx)
	if err == nil {
		return batch, true
	}
	if isEnd(err) {
		return batch, false // The connection is gone, or the server stops.
	}
	code, _ := frameError(err)
	text := k.server.textOf(err, access.Has(k.who.Load().principal, access.SeeFaults), k.userAttr())
	named := code == wire.CodeResumeWindowExceeded || code == wire.CodeSchemaChanged
	if !named && kalam.CodeOf(err) != kalam.CodeInvalidOperation {
		code = wire.CodeBatchFetch
	}
	if kalam.CodeOf(err) != kalam.CodeInvalidOperation {
		k.finish(sub) // Before the client knows, who may subscribe again at once.
	}
	k.sendError(sub.id, code, text)
	return batch, false
}

// sendBatches sends a batch of initial rows and those that follow it unasked, and
// after the last one lets events through.
func (k *socket) sendBatches(ctx context.Context, sub *subscription, batch *live.Batch) {
	for {
		k.send(sub.rows.appendBatch(nil, sub.id, batch))
		sub.last, sub.loaded = batch.LastSeq, !batch.HasMore
		for _, e := range batch.Gone {
			k.send(append(appendChangeHead(nil, sub.id), encodeChange(e, sub.query.Subscription().Spec())...))
		}
		if !batch.Follows {
			break
		}
		sub.pushed++ // The client asks for it when it sees that there is more.
		next, ok := k.readBatch(ctx, sub)
		if !ok {
			return
		}
		batch = &next
	}
	if !batch.HasMore {
		sub.query.Activate()
	}
}

// unsubscribe handles the unsubscribe message, which has no answer. No event of
// the subscription is written after it returns.
func (k *socket) unsubscribe(id string) {
	sub := k.find(id)
	if sub == nil {
		return
	}
	sub.busy.Lock()
	defer k.leave(sub)
	k.write.Lock()
	defer k.write.Unlock()
	k.drop(sub)
	sub.query.Close()
}

func (k *socket) find(id string) *subscription {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.subs[id]
}

// finish is drop for a subscription that the server ends by itself.
func (k *socket) finish(sub *subscription) {
	k.drop(sub)
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.over) >= maxSubscriptions {
		clear(k.over) // A client that goes on like this is told NOT_FOUND at worst.
	}
	k.over[sub.id] = struct{}{}
}

// crossed reports whether the server has ended the subscription for which a message came: both were under way.
func (k *socket) crossed(id string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	_, ok := k.over[id]
	return ok
}

// drop removes a subscription from the socket; it is closed by who leaves it.
func (k *socket) drop(sub *subscription) (left int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.subs[sub.id] == sub {
		delete(k.subs, sub.id)
	}
	sub.closed = true
	return len(k.subs)
}

// leave lets go of a subscription and closes it if it was dropped.
func (k *socket) leave(sub *subscription) {
	k.mu.Lock()
	closed := sub.closed
	k.mu.Unlock()
	if closed {
		sub.query.Close()
	}
	sub.busy.Unlock()
}

// ended tells the client why a subscription has ended, and closes the socket
// where the reason concerns all of it.
func (k *socket) ended(s *subscribe.Subscription, err error) {
	switch {
	case errors.Is(err, subscribe.ErrSlow):
		k.end(slowConsumer)
		return
	case errors.Is(err, subscribe.ErrClosed):
		k.end(goingAway)
		return
	case kalam.CodeOf(err) == kalam.CodeUnauthenticated:
		k.end(authEnded)
		return
	case errors.Is(err, kalam.ErrTableChanged):
		k.restarts.Go(func() { k.restart(s, err) })
		return
	}
	k.endOne(s, err)
}

// endOne tells the client that one subscription has ended.
func (k *socket) endOne(s *subscribe.Subscription, err error) {
	id := s.Spec().Subscription
	left := 1
	if sub := k.find(id); sub != nil && sub.query.Subscription() == s {
		left = k.drop(sub)
		if sub.busy.TryLock() {
			k.leave(sub)
		}
	}
	if !errors.Is(err, subscribe.ErrKilled) {
		k.sendFailure(id, err)
		return
	}
	k.sendError(id, wire.CodeSubscriptionKilled, "Live query was killed")
	if left == 0 {
		k.end(lastKilled)
	}
}

// endAll closes all subscriptions. Reader and writer have ended.
func (k *socket) endAll() {
	k.mu.Lock()
	subs := k.subs
	k.subs = nil
	k.mu.Unlock()
	for _, sub := range subs {
		sub.query.Close()
	}
}

// appendAck appends a subscription_ack frame. Its batch_control is that of the
// first batch, the zero batch when no initial rows were asked for.
func appendAck(dst []byte, sub *subscription, first *live.Batch) []byte {
	dst = appendHead(dst, wire.TypeSubscriptionAck, sub.id)
	dst = append(dst, `,"total_rows":0,"batch_control":`...)
	dst = appendControl(dst, first.Number, first.HasMore, first.LastSeq)
	dst = append(dst, `,"schema":`...)
	dst = results.AppendFields(dst, sub.rows.fields)
	dst = append(dst, `,"snapshot_seq":"`...)
	dst = strconv.AppendUint(dst, uint64(sub.query.Seq()), 10)
	return append(dst, '"', '}')
}
