package api_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kalamlake/kalam/config"
	"github.com/kalamlake/kalam/link/wire"
)

// TestResume resumes a live query: rows that were written since come in batches,
// those that are gone as deletes between them, in the order of their seqs.
func TestResume(t *testing.T) {
	for _, events := range []string{"", wire.EventsExact, wire.EventsKalamDB} {
		h, alice := live(t, setup{config: func(c *config.Config) { c.WebSocket.MaxMessagesPerSec = 0 }})
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
			want = []string{"delete 1", "row 5", "delete 3", "insert 7"}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) || end == 0 {
			t.Errorf("events %q: %q, want %q; last seq %d", events, got, want, end)
		}
	}
}

// simple is a client that keeps the rows it was told of, and resumes from the highest
// _seq that it has seen.
type simple struct {
	t     *testing.T
	rows  map[string]string // By id.
	last  uint64
	names func(last *wire.SeqID) *wire.SeqID // What next_batch names.
}

// The ways in which clients name the last seq in next_batch.
var namings = map[string]func(last *wire.SeqID) *wire.SeqID{
	"exactly": func(last *wire.SeqID) *wire.SeqID { return last },
	"not":     func(*wire.SeqID) *wire.SeqID { return nil },
	"as a double": func(last *wire.SeqID) *wire.SeqID {
		if last == nil {
			return nil
		}
		n := wire.SeqID(uint64(float64(uint64(*last))))
		return &n
	},
}

// seen notes the seq of a row, or another one.
func (c *simple) seen(seq string) {
	n, err := strconv.ParseUint(strings.Trim(seq, `"`), 10, 64)
	if err != nil {
		c.t.Fatalf("seq %s: %v", seq, err)
	}
	c.last = max(c.last, n)
}

// take reads a frame; more says that a batch has another one after it.
func (c *simple) take(p *peer) (f wire.ServerFrame, more bool) {
	c.t.Helper()
	f = p.read()
	switch f.Type {
	case wire.TypeInitialBatch, wire.TypeChange:
		for _, row := range f.Rows {
			c.rows[string(row["id"])] = string(row["n"])
			c.seen(string(row["_seq"]))
		}
		for _, row := range f.OldValues {
			if f.ChangeType == "delete" {
				delete(c.rows, string(row["id"]))
				c.seen(string(row["_seq"]))
			}
		}
	case wire.TypeSubscriptionAck:
	default:
		c.t.Fatalf("%+v", f)
	}
	if more = f.Type == wire.TypeInitialBatch && f.BatchControl.HasMore; more {
		p.send(wire.ClientFrame{Type: wire.TypeNextBatch, SubscriptionID: "s", LastSeqID: c.names(f.BatchControl.LastSeqID)})
	}
	return f, more
}

// subscribe begins, or resumes.
func (c *simple) subscribe(p *peer, size int) {
	o := &wire.SubscribeOptions{BatchSize: number(size)}
	if c.last > 0 {
		from := wire.SeqID(c.last)
		o.From = &from
	}
	p.subscribe("s", "SELECT id, n FROM app.notes WHERE n > 0", o)
}

// TestCutsAnywhere cuts a client off after any frame of a load, of a resume and of
// events, while rows come, leave the condition and go, and are flushed: what it knows
// in the end is the query's result (case A9). KALAM_TEST_RESUME_CUTS says how many cuts.
func TestCutsAnywhere(t *testing.T) {
	cuts := 120
	if n, err := strconv.Atoi(os.Getenv("KALAM_TEST_RESUME_CUTS")); err == nil {
		cuts = n
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	h, alice := live(t, setup{config: func(c *config.Config) { c.WebSocket.MaxMessagesPerSec = 0 }})
	change := func() {
		id, n := rng.IntN(40), rng.IntN(9)-4
		switch rng.IntN(5) {
		case 0, 1:
			h.mustSQL(alice, fmt.Sprintf("INSERT INTO app.notes VALUES (%d, 'x', %d) ON CONFLICT DO NOTHING", id, n))
		case 2:
			h.mustSQL(alice, fmt.Sprintf("UPDATE app.notes SET n = %d WHERE id = %d", n, id))
		case 3:
			h.mustSQL(alice, fmt.Sprintf("DELETE FROM app.notes WHERE id = %d", id))
		case 4:
			h.mustSQL(alice, fmt.Sprintf("UPDATE app.notes SET n = -n WHERE id %% 4 = %d", id%4))
		}
	}
	names := slices.Sorted(maps.Keys(namings))
	c := &simple{t: t, rows: map[string]string{}}
	for cut := range cuts {
		for range rng.IntN(12) {
			change()
		}
		if rng.IntN(15) == 0 {
			h.mustSQL(h.root(), "STORAGE FLUSH ALL")
		}
		p := h.enter(alice, "")
		c.names = namings[names[rng.IntN(len(names))]]
		c.subscribe(p, 1+rng.IntN(6))
		p.read() // The acknowledgement: what follows comes of itself, or of what is asked for.
		for range rng.IntN(4) {
			change()
		}
		if cut%10 == 9 || cut == cuts-1 {
			c.compare(h, alice, p)
			continue
		}
		frames := rng.IntN(10)
		for loading := true; loading && frames > 0; frames-- {
			f, more := c.take(p)
			loading = f.Type != wire.TypeInitialBatch || more
		}
		p.c.CloseNow()
	}
}

// TestBatchesAskedForOnce reads all that comes before it asks for more.
func TestBatchesAskedForOnce(t *testing.T) {
	for name, names := range namings {
		t.Run(name, func(t *testing.T) {
			h, alice := live(t, setup{})
			h.mustSQL(alice, "INSERT INTO app.notes VALUES (1, 'a', 1), (2, 'b', 1), (3, 'c', 1)")
			c := &simple{t: t, rows: map[string]string{}, names: names}
			p := h.enter(alice, "")
			c.subscribe(p, 10)
			c.take(p)
			c.take(p)
			for _, sql := range []string{"DELETE FROM app.notes WHERE id = 1", "INSERT INTO app.notes VALUES (4, 'd', 1)",
				"DELETE FROM app.notes WHERE id = 2",
				"INSERT INTO app.notes VALUES (5, 'e', 1)", "DELETE FROM app.notes WHERE id = 3",
				"INSERT INTO app.notes VALUES (6, 'f', 1)"} {
				h.mustSQL(alice, sql)
			}
			q := h.enter(alice, "")
			c.subscribe(q, 3)
			q.read()
			// Two batches with a delete after each; then two with one between.
			last := (*wire.SeqID)(nil)
			for range 4 {
				if f := q.read(); f.Type == wire.TypeInitialBatch {
					last = f.BatchControl.LastSeqID
				}
			}
			q.send(wire.ClientFrame{Type: wire.TypeNextBatch, SubscriptionID: "s", LastSeqID: names(last)})
			var got []string
			for range 3 {
				f := q.read()
				got = append(got, fmt.Sprint(f.Type, ids(append(f.Rows, f.OldValues...))))
			}
			if want := "[initial_data_batch[5] change[3] initial_data_batch[6]]"; fmt.Sprint(got) != want {
				t.Errorf("got %v, want %s", got, want)
			}
			h.mustSQL(alice, "INSERT INTO app.notes VALUES (7, 'g', 1)")
			if f := q.read(); f.Type != wire.TypeChange {
				t.Errorf("then %+v", f)
			}
		})
	}
}

// compare reads everything up to a row of its own, and compares.
func (c *simple) compare(h *harness, alice string, p *peer) {
	c.t.Helper()
	h.mustSQL(alice, "INSERT INTO app.notes VALUES (1000, 'end', 1)")
	for c.rows[`"1000"`] == "" {
		c.take(p)
	}
	h.mustSQL(alice, "DELETE FROM app.notes WHERE id = 1000")
	for c.rows[`"1000"`] != "" {
		c.take(p)
	}
	want := map[string]string{}
	for _, row := range h.mustSQL(alice, "SELECT id, n FROM app.notes WHERE n > 0").Results[0].Rows {
		want[string(row[0])] = string(row[1])
	}
	if fmt.Sprint(c.rows) != fmt.Sprint(want) {
		c.t.Fatalf("has  %v\nwant %v", c.rows, want)
	}
	p.c.CloseNow()
}
