package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"

	"github.com/kalamlake/kalam/link/wire"
)

// measureSubscribe times a subscription until the last of 1,000 rows is there, with a client
// that leaves Nagle's algorithm on.
func (m *measurement) measureSubscribe(ctx context.Context) error {
	var all samples
	for i := range m.rounds(15) {
		took, err := m.subscribeOnce(ctx)
		if err != nil {
			return err
		}
		if i > 0 {
			all = append(all, took)
		}
	}
	m.report.line("subscribe to 1,000 rows, Nagle on, p50", ms(all.at(0.5)), "", 0, "<= 8 ms",
		all.at(0.5) <= 8*time.Millisecond)
	return nil
}

// subscribeOnce connects, subscribes to bench.small and reads its rows; took begins with the
// subscription.
func (m *measurement) subscribeOnce(ctx context.Context) (took time.Duration, err error) {
	dialer := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return c, c.(*net.TCPConn).SetNoDelay(false) //nolint:forcetypeassert // The network is tcp.
	}}
	//nolint:bodyclose // After a dial that succeeds the connection is ws.
	ws, _, err := websocket.Dial(ctx,
		strings.Replace(m.server.url, "http", "ws", 1)+"/v1"+wire.PathWebSocket+"?compress=false",
		&websocket.DialOptions{HTTPClient: &http.Client{Transport: dialer}})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, ws.CloseNow()) }()
	ws.SetReadLimit(16 << 20)
	hello := fmt.Sprintf(`{"type":"authenticate","method":"jwt","token":%q,`+
		`"protocol":{"serialization":"json","compression":"none"}}`, m.token)
	if err := ws.Write(ctx, websocket.MessageText, []byte(hello)); err != nil {
		return 0, err
	}
	if _, err := readUntil(ctx, ws, "auth_success"); err != nil {
		return 0, err
	}
	begin := time.Now()
	const subscribe = `{"type":"subscribe","subscription":{"id":"s","sql":"SELECT * FROM bench.small",` +
		`"options":{"batch_size":1000}}}`
	if err := ws.Write(ctx, websocket.MessageText, []byte(subscribe)); err != nil {
		return 0, err
	}
	rows, err := readUntil(ctx, ws, wire.TypeInitialBatch)
	took = time.Since(begin)
	if err == nil && rows != 1000 {
		err = fmt.Errorf("%d rows in the first batch, want 1000", rows)
	}
	return took, err
}

// readUntil reads messages up to one of a type and returns how many rows it has.
func readUntil(ctx context.Context, ws *websocket.Conn, kind string) (rows int, err error) {
	for {
		_, b, err := ws.Read(ctx)
		if err != nil {
			return 0, err
		}
		var msg struct {
			Type string            `json:"type"`
			Rows []json.RawMessage `json:"rows"`
		}
		if err := json.Unmarshal(b, &msg); err != nil {
			return 0, err
		}
		switch {
		case msg.Type == kind:
			return len(msg.Rows), nil
		case strings.HasSuffix(msg.Type, "error"):
			return 0, fmt.Errorf("the server says %.300s", b)
		}
	}
}
