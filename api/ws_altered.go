package api

import (
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/link/wire"
	"github.com/kalamlake/kalam/live"
	"github.com/kalamlake/kalam/subscribe"
)

// restart goes on with a subscription whose table was altered: the client gets another acknowledgement, with the
// columns as they are now, what it missed, and then events as before. Where the query means nothing any more, or its
// initial rows were not all sent, it ends with SCHEMA_CHANGED.
func (k *socket) restart(s *subscribe.Subscription, cause error) {
	sub := k.find(s.Spec().Subscription)
	if sub == nil {
		return
	}
	sub.busy.Lock()
	defer k.leave(sub)
	if sub.query.Subscription() != s || k.isDropped(sub) {
		return // The client has ended it.
	}
	sub.query.Close()
	if !sub.loaded {
		k.finish(sub)
		k.sendFailure(sub.id, cause)
		return
	}
	next, err := k.again(sub, s)
	if err != nil {
		k.finish(sub)
		if !isEnd(err) { // Else the connection is gone, or the server stops.
			k.sendAltered(sub.id, cause, err)
		}
		return
	}
	next.busy.Lock()
	defer k.leave(next)
	if !k.replace(sub, next) {
		next.query.Close()
		return
	}
	k.begin(next)
}

// sendAltered tells the client that a subscription has ended because its table was altered, and why it cannot go on.
func (k *socket) sendAltered(id string, cause, why error) {
	admin := access.Has(k.who.Load().principal, access.SeeFaults)
	k.sendError(id, wire.CodeSchemaChanged,
		k.server.textOf(cause, admin, k.userAttr())+": "+k.server.textOf(why, admin, k.userAttr()))
}

// again subscribes once more, from the last event that was delivered.
func (k *socket) again(sub *subscription, s *subscribe.Subscription) (*subscription, error) {
	request := sub.request
	options := live.Options{}
	if request.Options != nil {
		options = *request.Options
	}
	options.LastRows, options.From = 0, max(sub.query.Seq(), s.LastSeq())
	request.Options = &options
	q, err := k.server.engine.Live().Subscribe(k.ctx, k.who.Load().principal, request)
	if err != nil {
		return nil, err
	}
	return &subscription{id: sub.id, request: sub.request, query: q, rows: newRowEncoder(q)}, nil
}

// begin acknowledges a subscription that goes on, and sends what it missed, if it missed anything.
func (k *socket) begin(sub *subscription) {
	batch, ok := k.readBatch(k.ctx, sub) // The reader is at work beside, and sees when the client goes.
	if !ok {
		return
	}
	k.sendPlain(appendAck(nil, sub, &batch))
	if len(batch.Rows)+len(batch.Gone) == 0 && !batch.HasMore {
		sub.last, sub.loaded = batch.LastSeq, true
		sub.query.Activate()
		return
	}
	k.sendBatches(k.ctx, sub, &batch)
}

// replace puts another subscription in the place of one, unless the client has ended that.
func (k *socket) replace(sub, next *subscription) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.subs[sub.id] != sub || sub.closed {
		return false
	}
	k.subs[sub.id] = next
	return true
}

// isDropped reports whether a subscription is none of the socket's any more.
func (k *socket) isDropped(sub *subscription) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return sub.closed
}
