//go:build !js

package link

import (
	"context"
	"net/http"

	"github.com/coder/websocket"
)

// dialOptions are those of a handshake with the given headers.
func dialOptions(client *http.Client, h http.Header) (*websocket.DialOptions, error) {
	return &websocket.DialOptions{HTTPClient: client, HTTPHeader: h}, nil
}

// ping sends a ping and waits for its answer.
func (s *socket) ping() {
	ctx, cancel := context.WithTimeout(s.ctx, s.core.pongWait)
	defer cancel()
	if err := s.conn.Ping(ctx); err != nil && s.ctx.Err() == nil {
		s.abort(errorf(KindWebSocket, "no answer to a ping within %s", s.core.pongWait))
	}
}
