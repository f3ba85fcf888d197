package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/gofiber/contrib/websocket"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/api/results"
	"github.com/kalamlake/kalam/link/wire"
	"github.com/kalamlake/kalam/subscribe"
)

// minGzip is the size from which a frame is compressed.
const minGzip = 512

// writeLoop writes events, pings and checks the client until the socket ends.
func (k *socket) writeLoop() {
	auth := time.NewTimer(k.server.times.auth)
	defer auth.Stop()
	beat := time.NewTicker(k.server.times.heartbeat)
	defer beat.Stop()
	for {
		select {
		case <-k.ctx.Done():
			if !errors.Is(context.Cause(k.ctx), errGone) {
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

// cut ends a connection that cannot be written to.
func (k *socket) cut() {
	k.ending.Store(true)
	k.cancel(errGone)
	// Ends the reader, which cleans up.
	_ = k.conn.Conn.Close()
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

// keepFrame is the size up to which a socket keeps the memory of a frame.
const keepFrame = 16 << 10

func (k *socket) shrinkLocked() {
	if cap(k.frame) > keepFrame {
		k.frame = nil
	}
}

// writeLocked writes one message.
func (k *socket) writeLocked(kind int, message []byte) {
	if k.ending.Load() {
		return
	}
	err := k.ws.SetWriteDeadline(time.Now().Add(frameStall))
	if err == nil {
		err = k.ws.WriteMessage(kind, message)
	}
	if err != nil {
		k.cut()
	}
}

// send writes a frame, compressed where that was agreed on and pays.
func (k *socket) send(frame []byte) {
	who := k.who.Load()
	k.write.Lock()
	defer k.write.Unlock()
	if who != nil && who.protocol.Compression == wire.CompressionGzip && len(frame) >= minGzip {
		if packed := pack(frame); len(packed) < len(frame) {
			k.writeLocked(websocket.BinaryMessage, packed)
			return
		}
	}
	k.writeLocked(websocket.TextMessage, frame)
}

// sendJSON writes a frame that is never compressed.
func (k *socket) sendJSON(v any) {
	frame, err := json.Marshal(v)
	if err != nil {
		k.log.Error("encode a frame", slog.Any("error", err))
		return
	}
	k.sendPlain(frame)
}

// sendPlain writes a frame that is never compressed: an answer that a client of
// few lines reads as text.
func (k *socket) sendPlain(frame []byte) {
	k.write.Lock()
	defer k.write.Unlock()
	k.writeLocked(websocket.TextMessage, frame)
}

// sendError writes an error frame.
func (k *socket) sendError(about string, code wire.Code, message string) {
	k.sendJSON(wire.ErrorFrame{Type: wire.TypeError, SubscriptionID: about, Code: code, Message: message})
}

// sendFailure writes the error frame of a failed call.
func (k *socket) sendFailure(about string, err error) {
	who := k.who.Load()
	text := k.server.textOf(err, access.Has(who.principal, access.SeeFaults), k.userAttr())
	code, prefix := frameError(err)
	k.sendError(about, code, prefix+text)
}

// frameError returns the code of an error frame, and what its message begins with.
func frameError(err error) (code wire.Code, prefix string) {
	code = outcomeOf(kalam.CodeOf(err)).frame
	switch {
	case errors.Is(err, subscribe.ErrLimit):
		return wire.CodeSubscriptionLimit, ""
	case code == wire.CodeNotFound:
		return code, "Not found: "
	case code == wire.CodeInvalidSQL:
		return code, "Invalid SQL: "
	case code == wire.CodeUnauthorized:
		return code, "Permission denied: "
	}
	return code, ""
}

// pack returns a compressed copy of frame.
func pack(frame []byte) []byte { return results.Compressed("gzip", frame) }
