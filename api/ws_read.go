package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
	"unicode/utf8"

	"github.com/gofiber/contrib/websocket"

	"github.com/kalamlake/kalam/audit"
	"github.com/kalamlake/kalam/link/wire"
)

const (
	// maxFrame is the size of a client's message.
	maxFrame = 1 << 20
	// maxSkipped is how much of a longer one is read to answer with an error; a
	// client that sends even more is cut off.
	maxSkipped = 16 << 20
)

// readLoop answers the client's frames until the connection ends.
func (k *socket) readLoop() {
	k.ws.SetReadLimit(maxSkipped)
	k.ws.SetPongHandler(func(string) error { k.touch(); return nil })
	k.ws.SetPingHandler(func(data string) error {
		k.touch()
		err := k.ws.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(closeWait))
		if errors.Is(err, websocket.ErrCloseSent) {
			return nil
		}
		return err
	})
	for {
		kind, r, err := k.ws.NextReader()
		if err != nil {
			return
		}
		k.touch()
		message, tooLong, err := readMessage(r)
		if err != nil {
			return
		}
		k.touch()
		if k.ending.Load() {
			continue
		}
		k.busy.Store(true)
		k.message(kind, message, tooLong)
		k.touch()
		k.busy.Store(false)
	}
}

// readMessage reads a message of at most maxFrame bytes; of a longer one it
// keeps nothing.
func readMessage(r io.Reader) (message []byte, tooLong bool, err error) {
	message, err = io.ReadAll(io.LimitReader(r, maxFrame+1))
	if err != nil || len(message) <= maxFrame {
		return message, false, err
	}
	_, err = io.Copy(io.Discard, r)
	return nil, true, err
}

// message handles one message.
func (k *socket) message(kind int, message []byte, tooLong bool) {
	switch who := k.who.Load(); {
	case who != nil && !k.server.stillValid(who):
		k.end(authEnded)
	case k.rate != nil && !k.rate.Allow():
		k.sendError(aboutRate, wire.CodeRateLimit, "Too many messages")
	case tooLong:
		k.sendError(aboutProtocol, wire.CodeMessageTooLarge,
			fmt.Sprintf("Message exceeds maximum size of %d bytes", maxFrame))
	case kind != websocket.TextMessage:
		k.sendError(aboutProtocol, wire.CodeUnsupportedData, "Binary not supported")
	default:
		k.handle(message)
	}
}

// handle acts on a text message. One that is no message of the protocol ends the
// connection.
func (k *socket) handle(message []byte) {
	var f wire.ClientFrame
	if !utf8.Valid(message) {
		k.end(ending{wire.CloseInternal, "Invalid message: not valid UTF-8"})
		return
	}
	if err := json.Unmarshal(message, &f); err != nil {
		k.end(ending{wire.CloseInternal, "Invalid message: " + err.Error()})
		return
	}
	authenticated := k.who.Load() != nil
	switch f.Type {
	case wire.TypeAuthenticate:
		k.authenticate(&f)
	case wire.TypeSubscribe:
		if f.Subscription == nil {
			k.end(ending{wire.CloseInternal, "Invalid message: missing field 'subscription'"})
			return
		}
		if !authenticated {
			k.sendError(aboutSubscribe, wire.CodeAuthRequired, "Authentication required before subscribing")
			return
		}
		k.subscribe(f.Subscription)
	case wire.TypeNextBatch:
		if authenticated {
			k.nextBatch(f.SubscriptionID, f.LastSeqID)
		}
	case wire.TypeUnsubscribe:
		if authenticated {
			k.unsubscribe(f.SubscriptionID)
		}
	case wire.TypePing:
	default:
		k.end(ending{wire.CloseInternal, fmt.Sprintf("Invalid message: unknown type '%s'", shorten(f.Type, 40))})
	}
}

// authenticate handles the authenticate message. On an authenticated socket it
// may bring a newer token of the same user.
func (k *socket) authenticate(f *wire.ClientFrame) {
	if reason := badProtocol(f); reason != "" {
		k.end(ending{wire.CloseInternal, "Invalid message: " + reason})
		return
	}
	s := k.server
	if who := k.who.Load(); who != nil {
		newer, err := s.login(f.Method, f.Token, who.protocol)
		if err != nil || newer.proof.Principal != who.proof.Principal {
			s.limits.failedAuth(k.client.addr)
			k.refuseLogin("Invalid credentials")
			return
		}
		newer.principal = who.principal
		k.enter(newer)
		return
	}
	if f.Protocol.Serialization != wire.SerializationJSON {
		k.refuseLogin(unsupportedSerialization)
		return
	}
	if !s.limits.mayAuthenticate(k.client.addr) {
		k.refuseLogin(tooManyLogins)
		return
	}
	protocol := *f.Protocol
	protocol.Compression = k.compression(protocol.Compression)
	who, err := s.login(f.Method, f.Token, protocol)
	if err != nil {
		s.limits.failedAuth(k.client.addr)
		k.refuseLogin("Invalid credentials")
		return
	}
	k.enter(who)
}

// badProtocol returns what an authenticate message lacks.
func badProtocol(f *wire.ClientFrame) string {
	switch {
	case f.Method != methodToken && f.Method != methodKey:
		return "unknown method"
	case f.Protocol == nil:
		return "missing field 'protocol'"
	}
	return badOptions(f.Protocol)
}

const unsupportedSerialization = "Unsupported serialization: this server speaks json"

// badOptions returns which of the options nobody knows.
func badOptions(p *wire.ProtocolOptions) string {
	switch {
	case p.Serialization != wire.SerializationJSON && p.Serialization != "msgpack":
		return "unknown serialization"
	case p.Compression != wire.CompressionNone && p.Compression != wire.CompressionGzip:
		return "unknown compression"
	case p.Events != "" && !knownEvents(p.Events):
		return "unknown events"
	}
	return ""
}

// enter makes who the owner of the socket and tells the client.
func (k *socket) enter(who *login) {
	k.who.Store(who)
	k.note(who, audit.Event{Action: audit.ActionAuthenticate, Outcome: audit.OK})
	k.sendJSON(wire.AuthSuccess{
		Type: wire.TypeAuthSuccess, User: string(who.principal.User),
		Role: who.principal.Role.String(), Protocol: who.protocol,
		ConnectionID: k.id,
	})
}

// refuseLogin tells the client that it may not enter, and closes.
func (k *socket) refuseLogin(message string) {
	k.note(k.who.Load(), audit.Event{Action: audit.ActionAuthenticate, Outcome: audit.Denied, Details: message})
	k.sendJSON(wire.AuthError{Type: wire.TypeAuthError, Message: message})
	k.end(authFailed)
}
