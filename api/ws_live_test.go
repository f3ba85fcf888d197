package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/config"
	"github.com/kalamlake/kalam/internal/eventually"
	"github.com/kalamlake/kalam/link/wire"
)

func TestBatches(t *testing.T) {
	h, alice := live(t, setup{})
	var sql strings.Builder
	sql.WriteString("INSERT INTO app.notes VALUES ")
	for i := 1; i <= 25; i++ {
		fmt.Fprintf(&sql, "(%d, 'row %d', %d),", i, i, i)
	}
	h.mustSQL(alice, strings.TrimSuffix(sql.String(), ","))
	p := h.enter(alice, "")
	p.subscribe("a", "SELECT id FROM app.notes WHERE n > 5", &wire.SubscribeOptions{BatchSize: number(8)})
	ack := p.read()
	if ack.BatchControl.Status != wire.BatchLoading || len(ack.Schema) != 1 || ack.Schema[0].Name != "id" {
		t.Errorf("%+v", ack)
	}
	h.mustSQL(alice, "INSERT INTO app.notes VALUES (100, 'during the load', 100)")
	var got []string
	for n, status := range []string{wire.BatchLoading, wire.BatchLoadingBatch, wire.BatchReady} {
		if n > 0 {
			p.send(map[string]any{"type": "next_batch", "subscription_id": "a"})
		}
		f := p.read()
		c := f.BatchControl
		if f.Type != wire.TypeInitialBatch || c.BatchNum != n || c.Status != status || c.HasMore != (n < 2) ||
			c.LastSeqID == nil || fmt.Sprint(uint64(*c.LastSeqID)) != c.LastSeq {
			t.Fatalf("batch %d: %+v", n, f)
		}
		if last := f.Rows[len(f.Rows)-1]; strings.Trim(string(last["_seq"]), `"`) != c.LastSeq {
			t.Errorf("last seq %s, row %v", c.LastSeq, last)
		}
		got = append(got, ids(f.Rows)...)
	}
	if len(got) != 20 || got[0] != "6" || got[19] != "25" {
		t.Errorf("ids %v", got)
	}
	if f := p.read(); f.Type != wire.TypeChange || ids(f.Rows)[0] != "100" {
		t.Errorf("change during the load: %+v", f)
	}
	p.send(map[string]any{"type": "next_batch", "subscription_id": "a"})
	p.wantError("a", wire.CodeUnsupported, "no more initial data")
	p.subscribe("b", "SELECT id FROM app.notes", &wire.SubscribeOptions{LastRows: number(3)})
	p.read()
	if f := p.read(); fmt.Sprint(ids(f.Rows)) != "[24 25 100]" || f.BatchControl.HasMore {
		t.Errorf("last rows: %+v", f)
	}
}

func TestUnsubscribe(t *testing.T) {
	h, alice := live(t, setup{})
	p := h.enter(alice, "")
	p.subscribe("a", "SELECT id FROM app.notes", nil)
	p.subscribe("b", "SELECT id FROM app.notes", nil)
	p.read()
	p.read()
	p.send(map[string]any{"type": "unsubscribe", "subscription_id": "a"})
	p.send(map[string]any{"type": "unsubscribe", "subscription_id": "unknown"})
	eventually.True(t, "one is left", func() bool { return h.engine.Live().Count() == 1 })
	h.mustSQL(alice, "INSERT INTO app.notes VALUES (1, 'x', 1)")
	if f := p.read(); f.SubscriptionID != "b" {
		t.Errorf("%+v", f)
	}
	p.subscribe("a", "SELECT id FROM app.notes", nil) // The id is free again.
	if f := p.read(); f.Type != wire.TypeSubscriptionAck || f.SubscriptionID != "a" {
		t.Errorf("%+v", f)
	}
	p.c.CloseNow()
	eventually.True(t, "all are gone", func() bool { return h.engine.Live().Count() == 0 })
}

func TestKill(t *testing.T) {
	h, alice := live(t, setup{})
	p := h.enter(alice, "")
	p.subscribe("a", "SELECT id FROM app.notes", nil)
	p.subscribe("b", "SELECT id FROM app.notes", nil)
	p.read()
	p.read()
	h.mustSQL(alice, "KILL LIVE QUERY '"+h.liveID(alice, "a")+"'")
	p.wantError("a", wire.CodeSubscriptionKilled, "")
	h.mustSQL(alice, "INSERT INTO app.notes VALUES (1, 'x', 1)")
	if f := p.read(); f.SubscriptionID != "b" {
		t.Errorf("%+v", f)
	}
	h.mustSQL(h.root(), "KILL LIVE QUERY '"+h.liveID(alice, "b")+"'")
	p.wantError("b", wire.CodeSubscriptionKilled, "")
	p.wantClose(websocket.StatusNormalClosure, "killed")
	if h.connections() != 0 {
		t.Error("the socket is open")
	}
}

func TestSubscriptionLimits(t *testing.T) {
	h, alice := live(t, setup{config: func(c *config.Config) {
		c.Live.MaxSubscriptionsPerUser = 120
		c.WebSocket.MaxMessagesPerSec = 0
	}})
	p, q := h.enter(alice, ""), h.enter(alice, "")
	for i := range 101 {
		p.subscribe(fmt.Sprint(i), "SELECT id FROM app.notes", nil)
		if i < 100 {
			if f := p.read(); f.Type != wire.TypeSubscriptionAck {
				t.Fatalf("%d: %+v", i, f)
			}
		}
	}
	p.wantError("100", wire.CodeSubscriptionLimit, "Maximum subscriptions reached")
	for i := range 21 {
		q.subscribe(fmt.Sprint(i), "SELECT id FROM app.notes", nil)
		if i < 20 {
			if f := q.read(); f.Type != wire.TypeSubscriptionAck {
				t.Fatalf("%d: %+v", i, f)
			}
		}
	}
	q.wantError("20", wire.CodeSubscriptionLimit, "Maximum subscriptions reached")
	h.mustSQL(alice, "INSERT INTO app.notes VALUES (1, 'x', 1)")
	for range 100 {
		p.read()
	}
}

// TestCompression checks which frames come compressed.
func TestCompression(t *testing.T) {
	h, alice := live(t, setup{})
	body := strings.Repeat("some words ", 100)
	h.mustSQL(alice, "INSERT INTO app.notes VALUES (1, $1, 1)", body)
	for _, compression := range []string{wire.CompressionGzip, wire.CompressionNone} {
		t.Run(compression, func(t *testing.T) {
			p := h.connect("")
			p.send(authenticate(alice, compression, ""))
			p.read()
			p.subscribe("a", "SELECT id, body FROM app.notes WHERE id < 1000", all())
			p.read()
			batch := p.read()
			h.mustSQL(alice, "UPDATE app.notes SET body = body || 'x', n = 2 WHERE id = 1")
			change := p.read()
			h.mustSQL(alice, "INSERT INTO app.notes VALUES (2, 'short', 1)")
			p.read()
			h.mustSQL(alice, "DELETE FROM app.notes WHERE id = 2")
			p.read()
			if !strings.Contains(string(batch.Rows[0]["body"]), body) ||
				!strings.Contains(string(change.Rows[0]["body"]), body) {
				t.Error("the texts differ")
			}
			if want := map[string]int{wire.CompressionGzip: 2, wire.CompressionNone: 0}[compression]; p.packed != want {
				t.Errorf("%d frames were compressed, want %d", p.packed, want)
			}
		})
	}
}

// TestSlowConsumer fills the queue of a client that does not read. When it reads
// again it gets what was sent, then the close, and a writer never waited.
func TestSlowConsumer(t *testing.T) {
	h, alice := live(t, setup{config: func(c *config.Config) { c.WebSocket.ClientTimeoutSecs = 60 }})
	p := h.enter(alice, wire.EventsExact)
	p.subscribe("a", "SELECT id, body FROM app.notes", &wire.SubscribeOptions{BufferSize: number(5)})
	p.read()
	p.read()
	body := strings.Repeat("x", 500<<10)
	for i := 0; h.engine.Live().Count() > 0; i++ {
		if i == 200 {
			t.Fatal("100 MB were queued for a client that does not read")
		}
		h.mustSQL(alice, "INSERT INTO app.notes VALUES ($1, $2, 1)", i, body)
	}
	frames := p.wantClose(wire.CloseSlowConsumer, "slow consumer, resume from last seq")
	for i, s := range frames {
		var f wire.ServerFrame
		decode(t, s, &f)
		if f.Type != wire.TypeChange || ids(f.Rows)[0] != fmt.Sprint(i) {
			t.Fatalf("frame %d: %s %v", i, f.Type, ids(f.Rows))
		}
	}
	if h.connections() != 0 {
		t.Error("the socket is open")
	}
}

// TestEvents checks that subscribers miss nothing and get nothing twice, however
// the start of their subscriptions falls between the writes.
func TestEvents(t *testing.T) {
	h, alice := live(t, setup{config: func(c *config.Config) { c.WebSocket.MaxMessagesPerSec = 0 }})
	const total, subscribers = 300, 8
	var work sync.WaitGroup
	work.Go(func() {
		for i := range total {
			h.sql(alice, "INSERT INTO app.notes VALUES ($1, 'x', 1)", i)
		}
	})
	for range subscribers {
		p := h.enter(alice, "")
		work.Go(func() {
			p.subscribe("a", "SELECT id FROM app.notes", &wire.SubscribeOptions{BatchSize: number(20)})
			var got []string
			for len(got) < total {
				s, err := p.tryText()
				if err != nil {
					t.Errorf("after %d rows: %v", len(got), err)
					return
				}
				var f wire.ServerFrame
				if err := json.Unmarshal([]byte(s), &f); err != nil {
					t.Error(err)
					return
				}
				got = append(got, ids(f.Rows)...)
				if f.Type == wire.TypeInitialBatch && f.BatchControl.HasMore {
					if err := p.c.Write(t.Context(), websocket.MessageText,
						[]byte(`{"type":"next_batch","subscription_id":"a"}`)); err != nil {
						t.Error(err)
						return
					}
				}
			}
			for i, id := range got {
				if id != fmt.Sprint(i) {
					t.Errorf("row %d is %s", i, id)
					return
				}
			}
		})
	}
	work.Wait()
}

// TestDefaultOverSocket follows tables of the namespace default, whose name is a
// reserved word, and a STREAM table without a primary key. Case B2.
func TestDefaultOverSocket(t *testing.T) {
	h, alice := live(t, setup{})
	bob := h.user("bob", kalam.RoleUser)
	h.mustSQL(h.root(), "ALTER NAMESPACE default SET OPTIONS (user_tables = true)")
	h.mustSQL(alice,
		"CREATE USER TABLE default.t (id BIGINT PRIMARY KEY, n INT); CREATE STREAM TABLE default.e (id BIGINT, what TEXT) WITH (TTL_SECONDS = 600)")
	h.mustSQL(alice, "INSERT INTO default.t VALUES ($1, $2), (2, 0)", 1, 5)
	h.mustSQL(alice, "INSERT INTO default.e VALUES (1, 'same'), (1, 'same')")
	p := h.enter(alice, "")
	for id, sql := range map[string]string{
		"a": "SELECT * FROM default.t WHERE default.t.n > 1", "b": "SUBSCRIBE TO DEFAULT . t WHERE default.t.n > 1",
		"c": `SELECT id, n FROM "default".t WHERE n > 1`,
	} {
		p.subscribe(id, sql, all())
		if f := p.read(); f.Type != wire.TypeSubscriptionAck || f.SubscriptionID != id {
			t.Fatalf("%s: %+v", sql, f)
		}
		if f := p.read(); fmt.Sprint(ids(f.Rows)) != "[1]" {
			t.Errorf("%s begins with %+v", sql, f)
		}
	}
	h.mustSQL(bob, "INSERT INTO default.t VALUES (8, 8)")
	h.mustSQL(alice, "INSERT INTO default.t VALUES (3, 3), (4, 1)")
	h.mustSQL(alice, "UPDATE default.t SET n = default.t.n + 10 WHERE id = 3")
	h.mustSQL(alice, "DELETE FROM default.t WHERE default.t.id = 3")
	got := map[string][]string{}
	for range 9 {
		f := p.read()
		got[f.SubscriptionID] = append(got[f.SubscriptionID], string(f.ChangeType)+fmt.Sprint(ids(f.Rows)))
	}
	for _, id := range []string{"a", "b", "c"} {
		if l := got[id]; len(l) != 3 || l[0] != "insert[3]" || l[1] != "update[3]" || !strings.HasPrefix(l[2], "delete") {
			t.Errorf("%s got %v", id, l)
		}
	}
	e := h.enter(alice, "")
	e.subscribe("e", "SELECT * FROM default.e", all())
	e.read()
	if f := e.read(); fmt.Sprint(ids(f.Rows)) != "[1 1]" {
		t.Errorf("the stream begins with %+v", f)
	}
	h.mustSQL(bob, "INSERT INTO default.e VALUES (9, 'of bob')")
	h.mustSQL(alice, "INSERT INTO default.e VALUES (1, 'same'), (2, 'more')")
	var events []string
	for len(events) < 2 {
		events = append(events, ids(e.read().Rows)...)
	}
	if fmt.Sprint(events) != "[1 2]" {
		t.Errorf("events of the stream: %v", events)
	}
	p.subscribe("bad", "SELECT * FROM default.gone", all())
	p.wantError("bad", wire.CodeNotFound, "default.gone")
}

// TestUsersAreSeparate checks that a user's events reach the user only.
func TestUsersAreSeparate(t *testing.T) {
	h, alice := live(t, setup{})
	bob := h.user("bob", kalam.RoleService)
	a, b := h.enter(alice, ""), h.enter(bob, "")
	for _, p := range []*peer{a, b} {
		p.subscribe("s", "SELECT * FROM app.notes", all())
		p.read()
		if f := p.read(); len(f.Rows) != 0 {
			t.Errorf("%+v", f)
		}
	}
	h.mustSQL(alice, "INSERT INTO app.notes VALUES (1, 'canary of alice', 1)")
	h.mustSQL(bob, "INSERT INTO app.notes VALUES (2, 'of bob', 1)")
	h.mustSQL(bob, "EXECUTE AS USER 'alice' (INSERT INTO app.notes VALUES (3, 'for alice', 1))")
	if f := b.read(); ids(f.Rows)[0] != "2" {
		t.Errorf("bob got %+v", f)
	}
	for _, id := range []string{"1", "3"} {
		if f := a.read(); ids(f.Rows)[0] != id {
			t.Errorf("alice got %+v", f)
		}
	}
	h.mustSQL(bob, "INSERT INTO app.notes VALUES (4, 'of bob', 1)")
	if f := b.read(); ids(f.Rows)[0] != "4" {
		t.Errorf("bob got %+v", f)
	}
}

func TestSocketsCloseAtShutdown(t *testing.T) {
	h, alice := live(t, setup{})
	peers := []*peer{h.connect(""), h.enter(alice, ""), h.enter(alice, "")}
	peers[2].subscribe("a", "SELECT * FROM app.notes", nil)
	peers[2].read()
	stopped := make(chan error, 1)
	go func() { stopped <- h.stop() }()
	for _, p := range peers {
		p.wantClose(websocket.StatusGoingAway, "Server shutting down")
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

// TestShutdownWithDeadSockets checks that clients that never answer do not hold
// up a stop.
func TestShutdownWithDeadSockets(t *testing.T) {
	h, alice := live(t, setup{})
	for range 3 {
		c := h.dial()
		c.write("GET /v1/ws HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + alice +
			"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
		if res, err := http.ReadResponse(c.r, nil); err != nil || res.StatusCode != http.StatusSwitchingProtocols {
			t.Fatalf("%v %v", res, err)
		}
	}
	began := time.Now()
	if err := h.stop(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the stop took %v", took)
	}
}

// TestReconnects opens and drops many sockets; goleak looks for what is left.
func TestReconnects(t *testing.T) {
	h, alice := live(t, setup{config: func(c *config.Config) { c.RateLimit.MaxAuthPerIP = 0 }})
	for i := range 200 {
		p := h.enter(alice, "")
		p.subscribe("a", "SELECT * FROM app.notes", all())
		p.read()
		if i%2 == 0 {
			p.c.CloseNow()
		} else if err := p.c.Close(websocket.StatusNormalClosure, "bye"); err != nil {
			t.Fatal(err)
		}
	}
	eventually.True(t, "all live queries are gone", func() bool { return h.engine.Live().Count() == 0 })
	if h.connections() != 0 {
		t.Error("sockets are left")
	}
}

// TestLiveQueriesSayWhatToDo mistypes live queries: the error has the place, what was meant and what to do, as over
// HTTP, and says nothing of tables that its reader must not know of.
func TestLiveQueriesSayWhatToDo(t *testing.T) {
	h := start(t, setup{})
	root := h.root()
	for _, sql := range []string{
		"CREATE NAMESPACE app", "CREATE NAMESPACE secret", "CREATE USER TABLE app.notes (id BIGINT PRIMARY KEY, body TEXT)",
		"CREATE SHARED TABLE secret.plans (id BIGINT PRIMARY KEY) WITH (ACCESS_LEVEL = 'PRIVATE')",
	} {
		h.mustSQL(root, sql)
	}
	alice := h.user("alice", kalam.RoleUser)
	p := h.enter(alice, wire.EventsExact)
	for _, c := range []struct {
		sql         string
		position    int
		suggestions []string
		hint        string
	}{
		{"SELECT * FROM app.nots", 15, []string{"app.notes"}, ""},
		{"SELECT bdoy FROM app.notes", 8, []string{"body"}, ""},
		{`SELECT * FROM app.notes WHERE body = "x"`, 38, nil, "double quotes stand around names; a text stands in single quotes: 'text'"},
		{"SELECT * FROM secret.plan", 15, nil, "you have no namespace secret"},
		{"SELECT * FROM nosuch.plan", 15, nil, "you have no namespace nosuch"},
	} {
		p.subscribe("s", c.sql, nil)
		f := p.read()
		if f.Type != wire.TypeError || f.Position != c.position || !slices.Equal(f.Suggestions, c.suggestions) || f.Hint != c.hint {
			t.Errorf("%s: got %+v", c.sql, f)
		}
		// The same over HTTP.
		var res wire.Response
		if err := json.Unmarshal([]byte(h.sql(alice, c.sql).body), &res); err != nil {
			t.Fatal(err)
		}
		if e := res.Error; e == nil || e.Position != c.position || !slices.Equal(e.Suggestions, c.suggestions) || e.Hint != c.hint {
			t.Errorf("%s: over HTTP %+v", c.sql, e)
		}
	}
}
