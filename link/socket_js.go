//go:build js

package link

import (
	"net/http"

	"github.com/coder/websocket"

	"github.com/kalamlake/kalam/link/wire"
)

// dialOptions are those of a handshake, which in a browser carries no headers
// of ours.
func dialOptions(_ *http.Client, h http.Header) (*websocket.DialOptions, error) {
	if len(h) > 0 {
		return nil, errorf(KindInvalidOption,
			"a browser's WebSocket carries no API key or user: subscribe with a JWT or a password")
	}
	return &websocket.DialOptions{}, nil
}

// ping tells the server that this side is alive. A browser shows no pongs, but
// reports a dead connection by itself.
func (s *socket) ping() { s.send(wire.ClientFrame{Type: wire.TypePing}) }
