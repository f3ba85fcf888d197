package api

import (
	"encoding/json"
	"errors"
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

// cut ends a connection that cannot be written to.
func (k *socket) cut() {
	k.ending.Store(true)
	k.cancel(errGone)
	// Ends the reader, which cleans up.
	_ = k.conn.Conn.Close()
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
	k.writing.Store(true)
	defer k.writing.Store(false)
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
func (k *socket) sendFailure(about string, err error) { k.sendJSON(k.failure(about, err)) }

// refuse answers a subscribe message that failed. A client of kalam is told where the fault is and what to do, as over
// HTTP; one of KalamDB gets the frame that it knows.
func (k *socket) refuse(m *wire.Subscribe, err error, exact bool) {
	f := k.failure(m.ID, err)
	var ke *kalam.Error
	if exact && errors.As(k.server.engine.Suggest(k.who.Load().principal, err, m.SQL), &ke) &&
		!outcomeOf(ke.Code).hidden {
		f.Position, f.Hint, f.Suggestions = ke.Position, ke.Hint, ke.Suggestions
	}
	k.sendJSON(f)
}

// failure returns the error frame of a failed call.
func (k *socket) failure(about string, err error) wire.ErrorFrame {
	text := k.server.textOf(err, access.Has(k.who.Load().principal, access.SeeFaults), k.userAttr())
	code, prefix := frameError(err)
	return wire.ErrorFrame{Type: wire.TypeError, SubscriptionID: about, Code: code, Message: prefix + text}
}

// frameError returns the code of an error frame, and what its message begins with.
func frameError(err error) (code wire.Code, prefix string) {
	code = outcomeOf(kalam.CodeOf(err)).frame
	switch {
	case errors.Is(err, subscribe.ErrLimit):
		return wire.CodeSubscriptionLimit, ""
	case errors.Is(err, kalam.ErrTableChanged):
		return wire.CodeSchemaChanged, ""
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
