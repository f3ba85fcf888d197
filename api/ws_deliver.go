package api

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gofiber/contrib/websocket"

	"github.com/kalamlake/kalam/link/wire"
	"github.com/kalamlake/kalam/subscribe"
)

// writeLoop writes events, pings and checks the client until the socket ends.
func (k *socket) writeLoop() {
	auth := time.NewTimer(k.server.times.auth)
	defer auth.Stop()
	beat := time.NewTicker(k.server.times.heartbeat)
	defer beat.Stop()
	for {
		select {
		case <-k.ctx.Done():
			switch cause := context.Cause(k.ctx); {
			case errors.Is(cause, errRevoked):
				k.close(authEnded)
			case !errors.Is(cause, errGone):
				k.close(goingAway) // The server has stopped.
			}
			return
		case e := <-k.stop:
			k.close(e)
			return
		case <-auth.C:
			if k.who.Load() == nil {
				k.sendJSON(wire.AuthError{Type: wire.TypeAuthError, Message: fmt.Sprintf(
					"Authentication timeout - no auth message received within %v seconds", k.server.times.auth.Seconds())})
				k.end(authTimedOut)
			}
		case <-beat.C:
			k.heartbeat()
		case <-k.outbox.Ready():
			k.deliverAll()
		}
	}
}

// heartbeat checks that the client is alive and still who it was, and pings it.
func (k *socket) heartbeat() {
	silent := time.Since(time.Unix(0, k.seen.Load()))
	if silent > k.server.times.client && !k.busy.Load() {
		k.end(heartbeatLost)
		return
	}
	if who := k.who.Load(); who != nil && !k.server.stillValid(who) {
		k.end(authEnded)
		return
	}
	if !k.write.TryLock() {
		return // A frame is being written, which tells as much.
	}
	defer k.write.Unlock()
	if !k.ending.Load() && k.ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(frameStall)) != nil {
		k.cut()
	}
}

// deliverAll writes what the outbox has.
func (k *socket) deliverAll() {
	for {
		k.write.Lock()
		d, ok := k.outbox.TryNext()
		if ok && d.Err == nil {
			k.deliverLocked(d)
		}
		k.write.Unlock()
		if !ok || k.ending.Load() {
			return
		}
		if d.Err != nil {
			k.ended(d.Subscription, d.Err)
		}
	}
}

// deliverLocked writes the events of a delivery.
func (k *socket) deliverLocked(d subscribe.Delivery) {
	who := k.who.Load()
	if who == nil {
		return
	}
	if !k.server.stillValid(who) {
		k.ending.Store(true) // Nothing more is written but the close frame.
		k.end(authEnded)
		return
	}
	compress := who.protocol.Compression == wire.CompressionGzip
	sub := d.Subscription.Spec()
	k.frame = appendChangeHead(k.frame[:0], sub.Subscription)
	head := len(k.frame)
	for _, e := range d.Events {
		body := e.Encoded(formChange, func() []byte { return encodeChange(e, sub) })
		if compress && head+len(body) >= minGzip {
			packed := e.Encoded(formGzip+sub.Subscription, func() []byte { return pack(append(k.frame[:head], body...)) })
			if len(packed) < head+len(body) {
				k.writeLocked(websocket.BinaryMessage, packed)
				continue
			}
		}
		k.frame = append(k.frame[:head], body...)
		k.writeLocked(websocket.TextMessage, k.frame)
	}
	k.shrinkLocked()
}
