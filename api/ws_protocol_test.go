package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/kalamlake/kalam/config"
	"github.com/kalamlake/kalam/link/wire"
)

// leaving has a row leave the filter of subscription "s" and returns the event that
// a client gets for it, "" for none.
func leaving(h *harness, alice string, p *peer, events string) string {
	h.t.Helper()
	p.send(map[string]any{"type": "subscribe", "subscription": wire.Subscribe{ID: "s",
		SQL: "SELECT id, n FROM app.notes WHERE n > 0", Events: events}})
	p.read()
	h.mustSQL(alice, "INSERT INTO app.notes VALUES (1, 'a', 1)")
	p.read()
	h.mustSQL(alice, "UPDATE app.notes SET n = -1 WHERE id = 1")
	h.mustSQL(alice, "INSERT INTO app.notes VALUES (2, 'b', 2)") // So that there is an event to wait for.
	got := ""
	if f := p.read(); f.ChangeType != "insert" {
		got = f.ChangeType + string(f.OldValues[0]["id"]) + string(f.OldValues[0]["_deleted"])
		p.read()
	}
	return got
}

// TestEventsOfAClient asks for live events in every way: a client that says nothing
// gets exact ones, a delete for a row that leaves the filter (case A9).
func TestEventsOfAClient(t *testing.T) {
	const gone = `delete"1"true`
	kalamdb := func(c *config.Config) { c.Protocol.Events = config.EventsKalamDB }
	compat := func(c *config.Config) { c.Compat.KalamDB = true }
	both := func(c *config.Config) { c.Compat.KalamDB, c.Protocol.Events = true, config.EventsExact }
	for _, tt := range []struct {
		name                 string
		config               func(*config.Config)
		connection, sub, url string
		want                 string
	}{
		{"nothing", nil, "", "", "", gone},
		{"exact", nil, wire.EventsExact, "", "", gone},
		{"kalamdb", nil, wire.EventsKalamDB, "", "", ""},
		{"kalamdb of the subscription", nil, "", wire.EventsKalamDB, "", ""},
		{"exact of the subscription", nil, wire.EventsKalamDB, wire.EventsExact, "", gone},
		{"configured", kalamdb, "", "", "", ""},
		{"configured, exact asked for", kalamdb, wire.EventsExact, "", "", gone},
		{"compat", compat, "", "", "", ""},
		{"compat with exact events", both, "", "", "", gone},
		{"header", nil, "", "", "?x=1", gone},
		{"header, kalamdb", nil, "", "", "?events=kalamdb", ""},
		{"header, configured", kalamdb, "", "", "?events=exact", gone},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h, alice := live(t, setup{config: tt.config})
			var p *peer
			if tt.url == "" {
				p = h.enter(alice, tt.connection)
			} else {
				p = h.connect(tt.url, "Authorization", "Bearer "+alice)
				p.read()
			}
			if got := leaving(h, alice, p, tt.sub); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestUnknownEvents refuses what nobody knows, and tells what there is.
func TestUnknownEvents(t *testing.T) {
	h, alice := live(t, setup{})
	p := h.enter(alice, "")
	p.send(map[string]any{"type": "subscribe", "subscription": wire.Subscribe{ID: "s", SQL: "SELECT * FROM app.notes",
		Events: "some"}})
	p.wantError("s", wire.CodeUnsupported, "unknown events 'some'; there are exact and kalamdb")
	p = h.connect("")
	p.send(authenticate(alice, wire.CompressionNone, "some"))
	p.wantClose(wire.CloseInternal, "unknown events")
	for _, query := range []string{"?events=some", "?compression=zip", "?serialization=msgpack"} {
		if _, res, err := h.tryConnect(query, "Authorization", "Bearer "+alice); err == nil ||
			res.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %v, %v", query, res, err)
		}
	}
}

// TestAcknowledgement checks the members of an acknowledgement: short, as text, and
// with the batch_control of the first batch (cases B3 and B4).
func TestAcknowledgement(t *testing.T) {
	h, alice := live(t, setup{})
	var columns strings.Builder
	for i := range 40 {
		fmt.Fprintf(&columns, ", a_column_of_a_wide_table_%d TEXT", i)
	}
	h.mustSQL(h.root(), "CREATE USER TABLE app.wide (id BIGINT PRIMARY KEY"+columns.String()+")")
	p := h.connect("")
	p.send(authenticate(alice, wire.CompressionGzip, ""))
	success := p.read()
	p.subscribe("empty", "SELECT * FROM app.wide", all())
	kind, raw, err := p.c.Read(t.Context())
	if err != nil || kind != websocket.MessageText || len(raw) < 512 {
		t.Fatalf("the acknowledgement is of kind %v, %d bytes, %v", kind, len(raw), err)
	}
	p.read()
	p.subscribe("a", "SELECT id FROM app.notes", all())
	var members map[string]json.RawMessage
	decode(t, p.text(), &members)
	if c := string(members["batch_control"]); c != `{"batch_num":0,"has_more":false,"status":"ready","last_seq_id":null}` {
		t.Errorf("an empty table: %s", c)
	}
	first := p.read().BatchControl
	if len(members) != 6 || string(members["snapshot_seq"]) == "" || first.HasMore || first.Status != wire.BatchReady ||
		first.BatchNum != 0 || first.LastSeqID != nil {
		t.Errorf("an empty table: %v, then %+v", members, first)
	}
	h.mustSQL(h.root(), "KILL LIVE QUERY 'alice-"+success.ConnectionID+"-a'")
	p.wantError("a", wire.CodeSubscriptionKilled, "")
	h.mustSQL(alice, "INSERT INTO app.notes VALUES (1, 'a', 1), (2, 'b', 2), (3, 'c', 3)")
	for size, more := range map[int]bool{2: true, 3: false} {
		p.subscribe(fmt.Sprint(size), "SELECT id FROM app.notes", &wire.SubscribeOptions{BatchSize: number(size)})
		ack, batch := p.read(), p.read()
		a, b := ack.BatchControl, batch.BatchControl
		if a.HasMore != more || a.Status != b.Status || a.LastSeq != b.LastSeq || b.HasMore != more || a.LastSeqID == nil ||
			ack.SnapshotSeq < b.LastSeq {
			t.Errorf("batches of %d: %+v, %+v", size, ack, batch)
		}
	}
}

// TestCompressionIsAskedFor checks that a socket that the upgrade authenticates
// compresses only what was asked for (case A9).
func TestCompressionIsAskedFor(t *testing.T) {
	h, alice := live(t, setup{})
	h.mustSQL(alice, "INSERT INTO app.notes VALUES (1, $1, 1)", strings.Repeat("some words ", 100))
	for query, want := range map[string]int{
		"": 0, "?compression=none": 0, "?compression=gzip": 1, "?compression=gzip&compress=false": 0, "?compress=true": 0,
	} {
		p := h.connect(query, "Authorization", "Bearer "+alice)
		p.read()
		p.subscribe("a", "SELECT * FROM app.notes", all())
		p.read()
		p.read()
		if p.packed != want {
			t.Errorf("%q: %d frames were compressed, want %d", query, p.packed, want)
		}
	}
}

// TestLiveParams binds parameters in the filter of a live query, in compiled ones
// and in those that DuckDB decides (case A9).
func TestLiveParams(t *testing.T) {
	h, alice := live(t, setup{config: func(c *config.Config) { c.WebSocket.MaxMessagesPerSec = 0 }})
	h.mustSQL(h.root(), `CREATE USER TABLE app.p (id BIGINT PRIMARY KEY, n INT, d DOUBLE, c DECIMAL(10,2), t TEXT, ts TIMESTAMP,
		day DATE, b BOOLEAN, u UUID, bin BYTES, small SMALLINT)`)
	row := func(id, n int) string {
		return fmt.Sprintf(`(%d, %d, %d.5, %d.25, 'it''s %d', '2024-01-0%dT00:00:00+01:00', '2024-01-0%d', %t,
			'00000000-0000-0000-0000-00000000000%d', '\x0%d', %d)`, id, n, n, n, n, n, n, n == 1, n, n, n)
	}
	for i, tt := range []struct {
		where string
		// params of the JSON form; refused says the code of an error.
		params  string
		refused wire.Code
	}{
		{where: "n = $1", params: `[1]`},
		{where: "n = $1", params: `["1"]`},
		{where: "small = $1 AND id > $2", params: `[1, -5]`},
		{where: "d = $1", params: `[1.5]`},
		{where: "c = $1", params: `["1.25"]`},
		{where: "t = $1", params: `["it's 1"]`},
		{where: "t LIKE $1", params: `["%1"]`},
		{where: "ts = $1", params: `["2023-12-31T23:00:00Z"]`},
		{where: "ts < $1 AND day <= $2", params: `["2024-01-01T23:00:00Z", "2024-01-01"]`},
		{where: "b = $1", params: `[true]`},
		{where: "b = $1", params: `["true"]`},
		{where: "u = $1", params: `["00000000-0000-0000-0000-000000000001"]`},
		{where: `bin = $1`, params: `["\\x01"]`},
		{where: "n IN ($1, $2)", params: `[1, null]`},
		{where: "n BETWEEN $1 AND $1", params: `[1]`},
		{where: "n = ANY($1)", params: `[[1, 7]]`},
		{where: "n IN ($1) AND t <> $2", params: `[[7, 1], "x"]`},
		{where: "$1 OR n = 1", params: `[false]`},
		{where: "$1 IS NULL AND n = 1", params: `[null]`},
		{where: "regexp_matches(t, $1)", params: `["1$"]`},
		{where: "n * $1 = $2", params: `[10, 10]`},
		{where: "n + $1 = 1.75", params: `[0.75]`},
		{where: "substr(t, $1, 1) = $2", params: `[6, "1"]`},
		{where: "n = $1", params: `[]`, refused: wire.CodeInvalidSQL},
		{where: "n = 1", params: `[1]`, refused: wire.CodeInvalidSQL},
		{where: "n = $2", params: `[1, 2]`, refused: wire.CodeInvalidSQL},
		{where: "ts = $1", params: `["no time"]`, refused: wire.CodeSubscriptionFailed},
	} {
		t.Run(fmt.Sprintf("%s %s", tt.where, tt.params), func(t *testing.T) {
			h.mustSQL(alice, "DELETE FROM app.p WHERE id >= 0")
			p := h.enter(alice, "")
			p.t = t
			p.send(fmt.Sprintf(`{"type":"subscribe","subscription":{"id":"s","sql":%q,"params":%s,"options":{}}}`,
				"SELECT id FROM app.p WHERE "+tt.where, tt.params))
			f := p.read()
			if tt.refused != "" {
				if f.Type != wire.TypeError || f.Code != tt.refused {
					t.Errorf("got %+v, want %s", f, tt.refused)
				}
				return
			}
			if f.Type != wire.TypeSubscriptionAck {
				t.Fatalf("%+v", f)
			}
			p.read()
			h.mustSQL(alice, fmt.Sprintf("INSERT INTO app.p VALUES %s, %s", row(10*i, 1), row(10*i+1, 2)))
			h.mustSQL(alice, fmt.Sprintf("DELETE FROM app.p WHERE id >= %d", 10*i))
			if got := p.read(); got.ChangeType != "insert" || ids(got.Rows)[0] != fmt.Sprint(10*i) {
				t.Errorf("got %+v", got)
			}
			if got := p.read(); got.ChangeType != "delete" || ids(got.OldValues)[0] != fmt.Sprint(10*i) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// TestLiveParamThatDoesNotFit compares a column with an array, which only a row shows to be wrong: the subscription
// ends with words then.
func TestLiveParamThatDoesNotFit(t *testing.T) {
	h, alice := live(t, setup{})
	p := h.enter(alice, "")
	p.send(`{"type":"subscribe","subscription":{"id":"s","sql":"SELECT id FROM app.notes WHERE n = $1",
		"params":[[1]],"options":{}}}`)
	if f := p.read(); f.Type != wire.TypeSubscriptionAck {
		t.Fatalf("%+v", f)
	}
	p.read()
	h.mustSQL(alice, "INSERT INTO app.notes VALUES (1, 'a', 1)")
	if f := p.read(); f.Type != wire.TypeError || f.SubscriptionID != "s" || !strings.Contains(f.Message, "cast") {
		t.Errorf("%+v", f)
	}
}
