package api_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/kalamlake/kalam/engine"
	"github.com/kalamlake/kalam/link/wire"
)

// TestResume resumes a live query: rows that were written since come in batches,
// those that are gone as deletes between them, in the order of their seqs.
func TestResume(t *testing.T) {
	for _, events := range []string{"", wire.EventsExact, wire.EventsKalamDB} {
		h, alice := live(t, setup{config: func(c *engine.Config) { c.WebSocket.MaxMessagesPerSec = 0 }})
		h.mustSQL(alice, "INSERT INTO app.notes VALUES (1, 'a', 1), (2, 'b', 2), (3, 'c', 3), (4, 'd', 4)")
		first := h.enter(alice, events)
		const sql = "SELECT * FROM app.notes WHERE n > 0"
		first.subscribe("s", sql, all())
		first.read()
		last := first.read().BatchControl.LastSeq
		h.mustSQL(alice, "DELETE FROM app.notes WHERE id = 1")
		h.mustSQL(alice, "UPDATE app.notes SET n = -1 WHERE id = 2")
		h.mustSQL(alice, "INSERT INTO app.notes VALUES (5, 'e', 5), (6, 'f', -6)")
		h.mustSQL(alice, "DELETE FROM app.notes WHERE id = 3")

		seq, err := strconv.ParseInt(last, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		from := wire.SeqID(seq)
		p := h.enter(alice, events)
		p.subscribe("s", sql, &wire.SubscribeOptions{From: &from, BatchSize: number(2)})
		p.read()
		var got []string
		end := uint64(0)
		for more := true; more || len(got) == 0 || got[len(got)-1] != "insert 7"; {
			f := p.read()
			switch f.Type {
			case wire.TypeInitialBatch:
				for _, id := range ids(f.Rows) {
					got = append(got, "row "+id)
				}
				if more = f.BatchControl.HasMore; more {
					p.send(map[string]any{"type": "next_batch", "subscription_id": "s"})
					continue
				}
				end, _ = strconv.ParseUint(f.BatchControl.LastSeq, 10, 64)
				h.mustSQL(alice, "INSERT INTO app.notes VALUES (7, 'live', 7)")
			case wire.TypeChange:
				got = append(got, f.ChangeType+" "+strings.Join(ids(append(f.Rows, f.OldValues...)), ","))
			default:
				t.Fatalf("%+v", f)
			}
		}
		want := []string{"delete 1", "delete 2", "row 5", "delete 3", "insert 7"}
		if events == wire.EventsKalamDB {
			want = []string{"row 5", "delete 1", "delete 3", "insert 7"}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) || end == 0 {
			t.Errorf("events %q: %q, want %q; last seq %d", events, got, want, end)
		}
	}
}
