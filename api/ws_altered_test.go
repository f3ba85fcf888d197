package api_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/kalamlake/kalam/config"
	"github.com/kalamlake/kalam/link/wire"
)

// columnsOfAck returns the names of an acknowledgement's schema.
func columnsOfAck(f wire.ServerFrame) string {
	var names []string
	for _, c := range f.Schema {
		names = append(names, c.Name)
	}
	return strings.Join(names, " ")
}

// TestAlteredTable: live queries of a table that is altered are acknowledged anew, with the columns as they are now, and
// go on; those that mean nothing any more end.
func TestAlteredTable(t *testing.T) {
	h, alice := live(t, setup{})
	h.mustSQL(alice, "INSERT INTO app.notes VALUES (1, 'one', 1)")
	p := h.enter(alice, "")
	p.subscribe("all", "SELECT * FROM app.notes", nil)
	if f := p.read(); columnsOfAck(f) != "id body n _seq _deleted" {
		t.Fatalf("%+v", f)
	}
	alter := func(what string) { h.mustSQL(h.root(), "ALTER TABLE app.notes "+what) }
	next := func(want wire.ServerFrame, columns string) wire.ServerFrame {
		t.Helper()
		f := p.read()
		if f.Type != want.Type || f.SubscriptionID != want.SubscriptionID || columns != "" && columnsOfAck(f) != columns {
			t.Fatalf("got %+v, want %s of %s with the columns %s", f, want.Type, want.SubscriptionID, columns)
		}
		return f
	}
	ack := wire.ServerFrame{Type: wire.TypeSubscriptionAck, SubscriptionID: "all"}
	change := wire.ServerFrame{Type: wire.TypeChange, SubscriptionID: "all"}

	alter("ADD COLUMN tag TEXT DEFAULT 'old'")
	next(ack, "id body n tag _seq _deleted")
	h.mustSQL(alice, "UPDATE app.notes SET body = 'changed' WHERE id = 1")
	if f := next(change, ""); string(f.Rows[0]["tag"]) != `"old"` || string(f.Rows[0]["body"]) != `"changed"` {
		t.Errorf("%+v", f)
	}
	alter("RENAME COLUMN body TO text")
	next(ack, "id text n tag _seq _deleted")
	alter("ALTER COLUMN tag SET DEFAULT 'new'") // No acknowledgement: its rows are as before.
	h.mustSQL(alice, "INSERT INTO app.notes (id, text) VALUES (2, 'two')")
	if f := next(change, ""); string(f.Rows[0]["tag"]) != `"new"` || string(f.Rows[0]["text"]) != `"two"` {
		t.Errorf("%+v", f)
	}
	p.subscribe("some", "SELECT id FROM app.notes WHERE n > 5", nil)
	p.read()
	alter("DROP COLUMN n")
	frames := []wire.ServerFrame{p.read(), p.read()}
	slices.SortFunc(frames, func(a, b wire.ServerFrame) int { return strings.Compare(a.SubscriptionID, b.SubscriptionID) })
	if columnsOfAck(frames[0]) != "id text tag _seq _deleted" || frames[1].Code != wire.CodeSchemaChanged ||
		!strings.Contains(frames[1].Message, "Table app.notes was altered (version 5)") ||
		!strings.Contains(frames[1].Message, "n") {
		t.Errorf("%+v", frames)
	}
	p.subscribe("some", "SELECT id FROM app.notes", nil) // The id is free again.
	p.read()
	h.mustSQL(alice, "DELETE FROM app.notes WHERE id = 2")
	got := []string{p.read().SubscriptionID, p.read().SubscriptionID}
	if slices.Sort(got); fmt.Sprint(got) != "[all some]" {
		t.Errorf("the deletion is told to %v", got)
	}
}

// TestAlteredWhileLoading: a live query whose initial rows were not all sent ends.
func TestAlteredWhileLoading(t *testing.T) {
	h, alice := live(t, setup{})
	h.mustSQL(alice, "INSERT INTO app.notes VALUES (1, 'one', 1), (2, 'two', 2), (3, 'three', 3)")
	p := h.enter(alice, "")
	p.subscribe("a", "SELECT * FROM app.notes", &wire.SubscribeOptions{BatchSize: number(2)})
	p.read()
	p.read()
	h.mustSQL(h.root(), "ALTER TABLE app.notes ADD COLUMN x INT")
	p.wantError("a", wire.CodeSchemaChanged, "Table app.notes was altered (version 2)")
}

// TestAlteredAccess: a live query of a table that its user may not read any more ends.
func TestAlteredAccess(t *testing.T) {
	h, alice := live(t, setup{config: func(c *config.Config) { c.Live.SharedTables = config.SharedAllow }})
	p := h.enter(alice, "")
	p.subscribe("a", "SELECT * FROM app.shared", nil)
	p.read()
	h.mustSQL(h.root(), "ALTER TABLE app.shared SET ACCESS LEVEL PRIVATE")
	p.wantError("a", wire.CodeSchemaChanged, "does not exist")
}

// TestAlteredUnderLoad: a client hears of every row once, however often the table is altered while it is written.
func TestAlteredUnderLoad(t *testing.T) {
	for _, events := range []string{wire.EventsExact, wire.EventsKalamDB} {
		t.Run(events, func(t *testing.T) {
			h, alice := live(t, setup{})
			p := h.enter(alice, events)
			p.subscribe("a", "SELECT id, body FROM app.notes WHERE body <> 'nothing'", &wire.SubscribeOptions{BatchSize: number(50)})
			const rows, alters = 200, 10
			var work sync.WaitGroup
			seen, acks := map[string]int{}, 1
			if f := p.read(); f.Type != wire.TypeSubscriptionAck {
				t.Fatalf("%+v", f)
			}
			turn := make(chan struct{}, alters) // Once for each part of the rows, so that alterations fall among them.
			work.Go(func() {
				for i := range rows {
					if i%(rows/alters) == rows/alters/2 {
						turn <- struct{}{}
					}
					h.mustSQL(alice, fmt.Sprintf("INSERT INTO app.notes (id, body) VALUES (%d, 'row')", i))
				}
			})
			work.Go(func() {
				for i := range alters {
					<-turn
					h.mustSQL(h.root(), fmt.Sprintf("ALTER TABLE app.notes ADD COLUMN c%d INT DEFAULT 1", i))
				}
			})
			for len(seen) < rows {
				switch f := p.read(); f.Type {
				case wire.TypeSubscriptionAck:
					acks++
				case wire.TypeInitialBatch:
					for _, id := range ids(f.Rows) {
						seen[id]++
					}
					if f.BatchControl.HasMore {
						p.send(map[string]any{"type": "next_batch", "subscription_id": "a"})
					}
				case wire.TypeChange:
					for _, id := range ids(f.Rows) {
						seen[id]++
					}
				default:
					if f.Code != wire.CodeSchemaChanged {
						t.Fatalf("%+v", f)
					}
					// Altered before all that it had missed was sent: it begins again.
					clear(seen)
					p.subscribe("a", "SELECT id, body FROM app.notes WHERE body <> 'nothing'", &wire.SubscribeOptions{BatchSize: number(50)})
				}
			}
			work.Wait()
			for id, n := range seen {
				if n != 1 {
					t.Errorf("row %s came %d times", id, n)
				}
			}
			if acks < 2 {
				t.Errorf("%d acknowledgements", acks)
			}
		})
	}
}
