package api_test

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/api"
	"github.com/kalamlake/kalam/config"
	"github.com/kalamlake/kalam/internal/eventually"
	"github.com/kalamlake/kalam/link/wire"
)

// peer is a client's end of a socket.
type peer struct {
	t testing.TB
	c *websocket.Conn
	// packed counts the frames that came compressed.
	packed int
}

// connect opens a socket; query is added to the path.
func (h *harness) connect(query string, headers ...string) *peer {
	h.t.Helper()
	p, res, err := h.tryConnect(query, headers...)
	if err != nil {
		h.t.Fatalf("connect: %v (%v)", err, res)
	}
	return p
}

func (h *harness) tryConnect(query string, headers ...string) (*peer, *http.Response, error) {
	h.t.Helper()
	o := &websocket.DialOptions{HTTPHeader: http.Header{}, HTTPClient: h.client,
		CompressionMode: websocket.CompressionDisabled}
	for i := 0; i+1 < len(headers); i += 2 {
		o.HTTPHeader.Set(headers[i], headers[i+1])
	}
	c, res, err := websocket.Dial(h.t.Context(), h.url+"/v1/ws"+query, o)
	if err != nil {
		return nil, res, err
	}
	c.SetReadLimit(64 << 20)
	h.t.Cleanup(func() { c.CloseNow() })
	return &peer{t: h.t, c: c}, res, nil
}

// enter opens an authenticated socket.
func (h *harness) enter(token string, events string) *peer {
	h.t.Helper()
	p := h.connect("")
	p.send(authenticate(token, wire.CompressionNone, events))
	if f := p.read(); f.Type != wire.TypeAuthSuccess {
		h.t.Fatalf("authenticate: %+v", f)
	}
	return p
}

func authenticate(token, compression, events string) wire.ClientFrame {
	return wire.ClientFrame{Type: wire.TypeAuthenticate, Method: "jwt", Token: token,
		Protocol: &wire.ProtocolOptions{Serialization: wire.SerializationJSON, Compression: compression, Events: events}}
}

func (p *peer) send(v any) {
	p.t.Helper()
	text, ok := v.(string)
	if !ok {
		raw, err := json.Marshal(v)
		if err != nil {
			p.t.Fatal(err)
		}
		text = string(raw)
	}
	if err := p.c.Write(p.t.Context(), websocket.MessageText, []byte(text)); err != nil {
		p.t.Fatal(err)
	}
}

func (p *peer) subscribe(id, sql string, options *wire.SubscribeOptions) {
	p.t.Helper()
	p.send(map[string]any{"type": "subscribe", "subscription": wire.Subscribe{ID: id, SQL: sql, Options: options}})
}

// tryText reads the text of the next frame.
func (p *peer) tryText() (string, error) {
	ctx, cancel := context.WithTimeout(p.t.Context(), 15*time.Second)
	defer cancel()
	kind, raw, err := p.c.Read(ctx)
	if err != nil {
		return "", err
	}
	if kind == websocket.MessageBinary {
		p.packed++
		z, err := gzip.NewReader(bytes.NewReader(raw))
		if err != nil {
			return "", err
		}
		if raw, err = io.ReadAll(z); err != nil {
			return "", err
		}
	}
	return string(raw), nil
}

func (p *peer) text() string {
	p.t.Helper()
	s, err := p.tryText()
	if err != nil {
		p.t.Fatal(err)
	}
	return s
}

func (p *peer) read() wire.ServerFrame {
	p.t.Helper()
	var f wire.ServerFrame
	decode(p.t, p.text(), &f)
	return f
}

// wantError reads an error frame.
func (p *peer) wantError(about string, code wire.Code, message string) {
	p.t.Helper()
	f := p.read()
	if f.Type != wire.TypeError || f.SubscriptionID != about || f.Code != code || !strings.Contains(f.Message, message) {
		p.t.Errorf("got %+v, want error %s about %s with %q", f, code, about, message)
	}
}

// wantClose reads until the server closes the socket.
func (p *peer) wantClose(code websocket.StatusCode, reason string) (frames []string) {
	p.t.Helper()
	for {
		s, err := p.tryText()
		if err == nil {
			frames = append(frames, s)
			continue
		}
		var ce websocket.CloseError
		if !errors.As(err, &ce) || ce.Code != code || !strings.Contains(ce.Reason, reason) {
			p.t.Errorf("ended with %v, want close %d %q", err, code, reason)
		}
		return frames
	}
}

// ids returns the ids of rows.
func ids(rows []wire.Row) (out []string) {
	for _, r := range rows {
		out = append(out, strings.Trim(string(r["id"]), `"`))
	}
	return out
}

func all() *wire.SubscribeOptions { return &wire.SubscribeOptions{} }

func number(n int) *int { return &n }

// live starts a server with the table app.notes and the user alice.
func live(t *testing.T, s setup) (h *harness, alice string) {
	t.Helper()
	h = start(t, s)
	h.mustSQL(h.root(),
		"CREATE NAMESPACE app; CREATE USER TABLE app.notes (id BIGINT PRIMARY KEY, body TEXT, n INT); CREATE SHARED TABLE app.shared (id BIGINT PRIMARY KEY) WITH (ACCESS_LEVEL = 'PUBLIC')")
	return h, h.user("alice", kalam.RoleUser)
}

// TestSocketGolden holds the frames of a session, byte by byte.
func TestSocketGolden(t *testing.T) {
	for _, events := range []string{"", wire.EventsExact, wire.EventsKalamDB} {
		t.Run("events="+events, func(t *testing.T) {
			h, alice := live(t, setup{})
			h.mustSQL(alice, "INSERT INTO app.notes VALUES (1, 'one', 1), (2, 'two', NULL), (3, NULL, 3)")
			p := h.connect("")
			var got []exchange
			exchangeFrames := func(name string, sent any, frames int) {
				t.Helper()
				e := exchange{Name: name}
				if sql, ok := sent.(sqlOf); ok {
					h.mustSQL(alice, string(sql))
					e.Sent = string(sql)
				} else {
					raw, err := json.Marshal(sent)
					if err != nil {
						t.Fatal(err)
					}
					e.Sent = string(raw)
					p.send(string(raw))
				}
				for range frames {
					e.Got += p.text() + "\n"
				}
				got = append(got, e)
			}
			sub := func(id, sql string, o *wire.SubscribeOptions) map[string]any {
				return map[string]any{"type": "subscribe", "subscription": wire.Subscribe{ID: id, SQL: sql, Options: o}}
			}
			exchangeFrames("subscribe before authenticate", sub("a", "SELECT * FROM app.notes", nil), 1)
			exchangeFrames("authenticate", authenticate(alice, wire.CompressionGzip, events), 1)
			exchangeFrames("subscribe to all", sub("all", "SELECT * FROM app.notes", all()), 2)
			exchangeFrames("subscribe in batches", sub("some", "SELECT id, body FROM app.notes WHERE n IS NULL OR n > 0",
				&wire.SubscribeOptions{BatchSize: number(2)}), 2)
			exchangeFrames("next batch", map[string]any{"type": "next_batch", "subscription_id": "some", "last_seq_id": nil}, 1)
			exchangeFrames("subscribe without rows", sub("none", "SELECT n FROM app.notes WHERE n > 100", nil), 1)
			exchangeFrames("the last row", sub("last", "SELECT id FROM app.notes WHERE n < 100",
				&wire.SubscribeOptions{LastRows: number(1)}), 2)
			exchangeFrames("unsubscribe", map[string]any{"type": "unsubscribe", "subscription_id": "last"}, 0)
			// Nothing answers it.
			eventually.True(t, "the last subscription is gone", func() bool { return h.engine.Live().Count() == 3 })
			exchangeFrames("insert", sqlOf("INSERT INTO app.notes VALUES (4, 'four \"4\"', NULL)"), 2)
			exchangeFrames("update", sqlOf("UPDATE app.notes SET body = NULL, n = 4 WHERE id = 4"), 2)
			exchangeFrames("update into another filter", sqlOf("UPDATE app.notes SET n = 400 WHERE id = 4"), 3)
			if events == wire.EventsKalamDB {
				exchangeFrames("update out of filters", sqlOf("UPDATE app.notes SET n = -1 WHERE id = 4"), 1)
				exchangeFrames("delete", sqlOf("DELETE FROM app.notes WHERE id = 1"), 2)
			} else {
				exchangeFrames("update out of filters", sqlOf("UPDATE app.notes SET n = -1 WHERE id = 4"), 3)
				exchangeFrames("delete", sqlOf("DELETE FROM app.notes WHERE id = 1"), 2)
			}
			exchangeFrames("unknown table", sub("x", "SELECT * FROM app.nothing", nil), 1)
			exchangeFrames("shared table", sub("x", "SELECT * FROM app.shared", nil), 1)
			exchangeFrames("system table", sub("x", "SELECT * FROM system.users", nil), 1)
			exchangeFrames("join", sub("x", "SELECT a.id FROM app.notes a JOIN app.notes b ON a.id = b.id", nil), 1)
			exchangeFrames("order", sub("x", "SELECT id FROM app.notes ORDER BY id", nil), 1)
			exchangeFrames("syntax", sub("x", "SELEC", nil), 1)
			exchangeFrames("empty id", sub("", "SELECT * FROM app.notes", nil), 1)
			exchangeFrames("taken id", sub("all", "SELECT * FROM app.notes", nil), 1)
			exchangeFrames("unknown id", map[string]any{"type": "next_batch", "subscription_id": "x"}, 1)
			exchangeFrames("bad options", sub("x", "SELECT * FROM app.notes", &wire.SubscribeOptions{LastRows: number(10001)}),
				1)
			exchangeFrames("batch size 0", sub("x", "SELECT * FROM app.notes", &wire.SubscribeOptions{BatchSize: number(0)}), 1)
			exchangeFrames("kill", sqlOf("KILL LIVE QUERY '"+h.liveID(alice, "some")+"'"), 1)
			golden(t, "socket_"+cmp.Or(events, "default"), sortFrames(got))
		})
	}
}

// sqlOf is a statement sent over HTTP.
type sqlOf string

// sortFrames brings frames of different subscriptions to one change, whose order
// is not promised, into the order of their text.
func sortFrames(list []exchange) []exchange {
	for i, e := range list {
		if strings.Contains(e.Got, `"type":"change"`) {
			frames := strings.Split(strings.TrimSuffix(e.Got, "\n"), "\n")
			slices.Sort(frames)
			list[i].Got = strings.Join(frames, "\n") + "\n"
		}
	}
	return list
}

// liveID returns the live id of a subscription.
func (h *harness) liveID(_ string, subscription string) string {
	h.t.Helper()
	res := h.mustSQL(h.root(), "SELECT live_id FROM system.live WHERE live_id LIKE '%-"+subscription+"'")
	if len(res.Results[0].Rows) != 1 {
		h.t.Fatalf("live queries: %v", res.Results[0].Rows)
	}
	return strings.Trim(string(res.Results[0].Rows[0][0]), `"`)
}

func TestAuthenticationTimeout(t *testing.T) {
	h := start(t, setup{server: func(s *api.Server) {
		s.SetSocketTimes(100*time.Millisecond,
			time.Minute, 30*time.Millisecond)
	}})
	p := h.connect("")
	frames := p.wantClose(websocket.StatusPolicyViolation, "Authentication timeout")
	if len(frames) != 1 ||
		frames[0] != `{"type":"auth_error","message":"Authentication timeout - no auth message received within 0.1 seconds"}` {
		t.Errorf("frames %q", frames)
	}
	if h.connections() != 0 {
		t.Error("the connection is still counted")
	}
}

func (h *harness) connections() int64 {
	var n int64
	eventually.True(h.t, "sockets have ended", func() bool { n = h.engine.Counters().Connections.Load(); return n == 0 })
	return n
}

func TestAuthentication(t *testing.T) {
	h, alice := live(t, setup{})
	t.Run("header", func(t *testing.T) {
		p := h.connect("", "Authorization", "Bearer "+alice)
		if got, want := normal(p.text()),
			`{"type":"auth_success","user":"alice","role":"user","protocol":{"serialization":"json","compression":"none"},"connection_id":"CONNECTION"}`; got != want {
			t.Errorf("%s, want %s", got, want)
		}
		p.subscribe("a", "SELECT * FROM app.notes", all())
		if f := p.read(); f.Type != wire.TypeSubscriptionAck {
			t.Errorf("%+v", f)
		}
	})
	t.Run("bad header", func(t *testing.T) {
		_, res, err := h.tryConnect("", "Authorization", "Bearer x")
		if err == nil || res.StatusCode != http.StatusUnauthorized {
			t.Errorf("%v %v", res, err)
		}
	})
	t.Run("bad token", func(t *testing.T) {
		p := h.connect("")
		p.send(authenticate("nonsense", wire.CompressionNone, ""))
		frames := p.wantClose(websocket.StatusPolicyViolation, "Authentication failed")
		if len(frames) != 1 || frames[0] != `{"type":"auth_error","message":"Invalid credentials"}` {
			t.Errorf("frames %q", frames)
		}
	})
	t.Run("msgpack", func(t *testing.T) {
		p := h.connect("")
		f := authenticate(alice, wire.CompressionNone, "")
		f.Protocol.Serialization = "msgpack"
		p.send(f)
		frames := p.wantClose(websocket.StatusPolicyViolation, "Authentication failed")
		if len(frames) != 1 || !strings.Contains(frames[0], "Unsupported serialization") {
			t.Errorf("frames %q", frames)
		}
	})
	t.Run("again", func(t *testing.T) {
		for _, token := range []string{h.root(), "garbage", ""} {
			p := h.enter(alice, wire.EventsExact)
			p.send(authenticate(token, wire.CompressionGzip, ""))
			if frames := p.wantClose(websocket.StatusPolicyViolation, "Authentication failed"); len(frames) != 1 ||
				!strings.Contains(frames[0], "auth_error") {
				t.Errorf("token %.20q: frames %q", token, frames)
			}
		}
		p := h.enter(alice, wire.EventsExact)
		p.send(authenticate(alice, wire.CompressionGzip, ""))
		if got, want := normal(p.text()),
			`{"type":"auth_success","user":"alice","role":"user","protocol":{"serialization":"json","compression":"none","events":"exact"},"connection_id":"CONNECTION"}`; got != want {
			t.Errorf("%s, want %s", got, want)
		}
	})
	t.Run("without compression", func(t *testing.T) {
		p := h.connect("?compress=false")
		p.send(authenticate(alice, wire.CompressionGzip, ""))
		if got := p.text(); !strings.Contains(got, `"compression":"none"`) {
			t.Errorf("%s", got)
		}
	})
	t.Run("too many attempts", func(t *testing.T) {
		for range 30 {
			p, res, err := h.tryConnect("", "Authorization", "Bearer x", "X-Forwarded-For", "203.0.113.3")
			if err == nil {
				t.Fatalf("%v", p)
			}
			if res.StatusCode == http.StatusTooManyRequests {
				break
			}
		}
		p := h.connect("", "X-Forwarded-For", "203.0.113.3")
		p.send(authenticate(alice, wire.CompressionNone, ""))
		frames := p.wantClose(websocket.StatusPolicyViolation, "Authentication failed")
		if len(frames) != 1 || !strings.Contains(frames[0], "Too many authentication attempts. Please retry shortly.") {
			t.Errorf("frames %q", frames)
		}
	})
}

// TestAuthenticationEnds checks that sockets end with what let them in.
func TestAuthenticationEnds(t *testing.T) {
	quick := setup{server: func(s *api.Server) { s.SetSocketTimes(time.Minute, time.Minute, 20*time.Millisecond) }}
	for name, end := range map[string]func(h *harness, root string){
		"expiry":   func(h *harness, _ string) { h.clock.move(25 * time.Hour) },
		"password": func(h *harness, root string) { h.mustSQL(root, "ALTER USER 'alice' SET PASSWORD 'another-password'") },
		"role":     func(h *harness, root string) { h.mustSQL(root, "ALTER USER 'alice' SET ROLE service") },
		"drop":     func(h *harness, root string) { h.mustSQL(root, "DROP USER 'alice'") },
	} {
		t.Run(name, func(t *testing.T) {
			h, alice := live(t, quick)
			root := h.root()
			idle, subscribed := h.enter(alice, ""), h.enter(alice, "")
			subscribed.subscribe("a", "SELECT * FROM app.notes", nil)
			subscribed.read()
			end(h, root)
			idle.wantClose(websocket.StatusPolicyViolation, "Authentication expired")
			subscribed.wantClose(websocket.StatusPolicyViolation, "Authentication expired")
			eventually.True(t, "the live query is gone", func() bool { return h.engine.Live().Count() == 0 })
		})
	}
	t.Run("renewed", func(t *testing.T) {
		h, alice := live(t, quick)
		p := h.enter(alice, "")
		h.clock.move(23 * time.Hour)
		p.send(authenticate(h.login("alice", "alice-password").AccessToken, wire.CompressionNone, ""))
		p.read()
		h.clock.move(2 * time.Hour)
		p.subscribe("a", "SELECT * FROM app.notes", nil)
		if f := p.read(); f.Type != wire.TypeSubscriptionAck {
			t.Errorf("%+v", f)
		}
	})
}

func TestHeartbeat(t *testing.T) {
	h := start(t, setup{server: func(s *api.Server) { s.SetSocketTimes(time.Minute, time.Second, 200*time.Millisecond) }})
	root := h.root()
	t.Run("silent", func(t *testing.T) {
		// A client that reads nothing answers no ping. It is written by hand.
		c := h.dial()
		c.write("GET /v1/ws HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + root +
			"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
		raw, err := io.ReadAll(c.r)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(raw, []byte("\x03\xe8Heartbeat timeout")) || !bytes.Contains(raw, []byte{0x89, 0x00}) {
			t.Errorf("got %q", raw)
		}
	})
	t.Run("answers pings", func(t *testing.T) {
		p := h.enter(root, "")
		// The client's library answers pings while it reads. The frame that is sent
		// after many of them is still answered.
		time.AfterFunc(2500*time.Millisecond, func() {
			if err := p.c.Write(t.Context(), websocket.MessageBinary, []byte("x")); err != nil {
				t.Error(err)
			}
		})
		p.wantError("protocol", wire.CodeUnsupportedData, "Binary not supported")
	})
}

func TestFrames(t *testing.T) {
	h, alice := live(t, setup{})
	t.Run("binary", func(t *testing.T) {
		p := h.enter(alice, "")
		if err := p.c.Write(t.Context(), websocket.MessageBinary, []byte(`{"type":"ping"}`)); err != nil {
			t.Fatal(err)
		}
		p.wantError("protocol", wire.CodeUnsupportedData, "Binary not supported")
	})
	t.Run("too long", func(t *testing.T) {
		p := h.enter(alice, "")
		p.send(`{"type":"ping","x":"` + strings.Repeat("x", 1<<20) + `"}`)
		p.wantError("protocol", wire.CodeMessageTooLarge, "Message exceeds maximum size of 1048576 bytes")
		p.send(`{"type":"ping"}`)
		p.subscribe("a", "SELECT * FROM app.notes", nil)
		if f := p.read(); f.Type != wire.TypeSubscriptionAck {
			t.Errorf("%+v", f)
		}
	})
	t.Run("much too long", func(t *testing.T) {
		p := h.enter(alice, "")
		err := p.c.Write(t.Context(), websocket.MessageText, bytes.Repeat([]byte("x"), 32<<20))
		if err == nil {
			_, err = p.tryText()
		}
		if err == nil {
			t.Error("32 MiB were taken")
		}
	})
	for name, tt := range map[string]struct{ frame, reason string }{
		"no json":         {`hello`, "Invalid message: "},
		"invalid utf-8":   {"{\"type\":\"\xff\"}", ""},
		"unknown type":    {`{"type":"dance"}`, "Invalid message: unknown type 'dance'"},
		"no type":         {`{}`, "Invalid message: unknown type ''"},
		"no subscription": {`{"type":"subscribe"}`, "Invalid message: missing field 'subscription'"},
		"wrong type":      {`{"type":"subscribe","subscription":[]}`, "Invalid message: "},
		"bad seq": {`{"type":"subscribe","subscription":{"id":"a","sql":"x","options":{"from":-1}}}`,
			"Invalid message: "},
		"no protocol": {`{"type":"authenticate","method":"jwt","token":"x"}`,
			"Invalid message: missing field 'protocol'"},
		"bad compression": {`{"type":"authenticate","method":"jwt","token":"x","protocol":{"serialization":"json","compression":"br"}}`, "Invalid message: unknown compression"},
		"bad method":      {`{"type":"authenticate","method":"basic","token":"x","protocol":{"serialization":"json","compression":"gzip"}}`, "Invalid message: unknown method"},
		"deep":            {strings.Repeat(`{"a":`, 20000) + "1" + strings.Repeat("}", 20000), "Invalid message: "},
	} {
		t.Run(name, func(t *testing.T) {
			p := h.connect("")
			p.send(tt.frame)
			var ce websocket.CloseError
			_, err := p.tryText()
			if name == "invalid utf-8" {
				if err == nil {
					t.Error("taken")
				}
				return
			}
			if !errors.As(err, &ce) || ce.Code != websocket.StatusInternalError || !strings.HasPrefix(ce.Reason, tt.reason) {
				t.Errorf("%v", err)
			}
		})
	}
	t.Run("ignored before authentication", func(t *testing.T) {
		p := h.connect("")
		p.send(`{"type":"next_batch","subscription_id":"a"}`)
		p.send(`{"type":"unsubscribe","subscription_id":"a"}`)
		p.send(`{"type":"ping"}`)
		p.send(authenticate(alice, wire.CompressionNone, ""))
		if f := p.read(); f.Type != wire.TypeAuthSuccess {
			t.Errorf("%+v", f)
		}
	})
	t.Run("long subscription id", func(t *testing.T) {
		p := h.enter(alice, "")
		p.subscribe(strings.Repeat("x", 257), "SELECT * FROM app.notes", nil)
		p.wantError("invalid_subscription", wire.CodeInvalidSubscriptionID, "longer than 256 bytes")
	})
	t.Run("subscription id with quotes", func(t *testing.T) {
		p := h.enter(alice, "")
		id := `a"b\c</script>é` + "\n"
		p.subscribe(id, "SELECT * FROM app.notes", all())
		for range 2 {
			if f := p.read(); f.SubscriptionID != id {
				t.Errorf("%+v", f)
			}
		}
		h.mustSQL(alice, "INSERT INTO app.notes VALUES (77, 'x', 1)")
		if f := p.read(); f.Type != wire.TypeChange || f.SubscriptionID != id {
			t.Errorf("%+v", f)
		}
	})
}

func TestMessageRate(t *testing.T) {
	h, alice := live(t, setup{config: func(c *config.Config) { c.WebSocket.MaxMessagesPerSec = 5 }})
	p := h.enter(alice, "")
	for range 20 {
		p.send(`{"type":"ping"}`)
	}
	p.wantError("rate_limit", wire.CodeRateLimit, "Too many messages")
}

func TestUpgradeRefused(t *testing.T) {
	h := start(t, setup{config: func(c *config.Config) { c.Server.CORSOrigins = []string{"https://app.example"} }})
	if res := h.do("GET", "/v1/ws", "", nil); res.status != http.StatusUpgradeRequired {
		t.Errorf("no upgrade: %d %s", res.status, res.body)
	}
	for origin, ok := range map[string]bool{"https://app.example": true, "https://evil.example": false, "null": false} {
		_, res, err := h.tryConnect("", "Origin", origin)
		if (err == nil) != ok || !ok && res.StatusCode != http.StatusForbidden {
			t.Errorf("origin %s: %v %v", origin, res, err)
		}
	}
	same := start(t, setup{})
	for origin, ok := range map[string]bool{same.url: true, "https://evil.example": false} {
		if _, _, err := same.tryConnect("", "Origin", origin); (err == nil) != ok {
			t.Errorf("same origin only, %s: %v", origin, err)
		}
	}
}
