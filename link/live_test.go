package link_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/internal/eventually"
	"github.com/kalamlake/kalam/link"
	"github.com/kalamlake/kalam/link/wire"
)

const liveSQL = "SELECT * FROM app.notes"

// listen subscribes and fails the test if that fails.
func listen(t testing.TB, c *link.Client, o link.SubscribeOptions) *link.Subscription {
	t.Helper()
	sub, err := c.Subscribe(within(t), liveSQL, o)
	if err != nil {
		t.Fatal(err)
	}
	return sub
}

// receive returns the next event that is no state, or of state want.
func receive(t testing.TB, sub *link.Subscription, states ...link.State) link.Event {
	t.Helper()
	timeout := time.After(30 * time.Second)
	for {
		select {
		case ev, ok := <-sub.Events():
			if !ok {
				t.Fatalf("subscription ended: %v", sub.Err())
			}
			if ev.Kind != link.EventState {
				return ev
			}
			for _, s := range states {
				if ev.State == s {
					return ev
				}
			}
		case <-timeout:
			t.Fatal("no event within 30 s")
		}
	}
}

// mirror applies events to a copy of the table and checks their order.
type mirror struct {
	t     testing.TB
	rows  map[int]int
	seqs  map[int]kalam.Seq // Newest of each key.
	seen  map[kalam.Seq]bool
	reset int
}

func newMirror(t testing.TB) *mirror {
	return &mirror{t: t, rows: map[int]int{}, seqs: map[int]kalam.Seq{}, seen: map[kalam.Seq]bool{}}
}

func (m *mirror) apply(ev link.Event) {
	m.t.Helper()
	switch ev.Kind {
	case link.EventInitial:
		for _, r := range ev.Rows {
			m.row(r, false)
		}
	case link.EventInsert, link.EventUpdate:
		m.row(ev.New, false)
	case link.EventDelete:
		m.row(ev.Old, true)
	case link.EventState:
		if ev.State == link.StateReset {
			m.reset++
			m.rows, m.seqs, m.seen = map[int]int{}, map[int]kalam.Seq{}, map[kalam.Seq]bool{}
		}
	}
}

func (m *mirror) row(r link.Row, deleted bool) {
	m.t.Helper()
	var id, seq string
	var v int
	if errors.Join(json.Unmarshal(r["id"], &id), json.Unmarshal(r["_seq"], &seq), json.Unmarshal(r["v"], &v)) != nil {
		m.t.Fatalf("row %v", r)
	}
	key, _ := strconv.Atoi(id)
	n, _ := strconv.ParseUint(seq, 10, 64)
	s := kalam.Seq(n)
	if m.seen[s] {
		m.t.Fatalf("seq %d came twice", s)
	}
	m.seen[s] = true
	if s <= m.seqs[key] {
		m.t.Fatalf("key %d: seq %d came after %d", key, s, m.seqs[key])
	}
	m.seqs[key] = s
	if deleted {
		delete(m.rows, key)
	} else {
		m.rows[key] = v
	}
}

func TestSubscribe(t *testing.T) {
	for _, zip := range []bool{false, true} {
		t.Run(fmt.Sprintf("gzip=%t", zip), func(t *testing.T) {
			f := newFake(t)
			f.gzip.Store(zip)
			for i := range 5 {
				f.table.put(i, i*10, false)
			}
			c := f.client(link.Options{Auth: link.Password("alice", "secret"), Compression: zip})
			sub := listen(t, c, link.SubscribeOptions{LastRows: 3, BatchSize: 2})
			if ev := receive(t, sub, link.StateConnected); ev.State != link.StateConnected {
				t.Fatalf("first event is %v, want connected", ev)
			}
			if got := sub.Columns(); len(got) != 2 || got[0].Name != "id" || !got[0].PrimaryKey || got[0].Nullable ||
				got[1].Type.Kind != kalam.KindInt {
				t.Errorf("columns %+v", got)
			}
			if sub.ID() != "sub-1" || sub.LiveID() != "alice-c-sub-1" || !sub.Active() {
				t.Errorf("id %q, live id %q, active %t", sub.ID(), sub.LiveID(), sub.Active())
			}
			first, second := receive(t, sub), receive(t, sub)
			if first.Kind != link.EventInitial || len(first.Rows) != 2 || first.Last || len(second.Rows) != 1 || !second.Last {
				t.Fatalf("batches %+v, %+v", first, second)
			}
			if string(first.Rows[0]["v"]) != "20" || string(second.Rows[0]["v"]) != "40" {
				t.Errorf("rows %s, %s", first.Rows[0]["v"], second.Rows[0]["v"])
			}
			f.table.put(9, 1, false)
			f.table.put(9, 2, false)
			f.table.put(9, 0, true)
			ins, upd, del := receive(t, sub), receive(t, sub), receive(t, sub)
			if ins.Kind != link.EventInsert || string(ins.New["v"]) != "1" || ins.Old != nil {
				t.Errorf("insert %+v", ins)
			}
			if upd.Kind != link.EventUpdate || string(upd.Old["v"]) != "1" || string(upd.New["v"]) != "2" {
				t.Errorf("update %+v", upd)
			}
			if del.Kind != link.EventDelete || string(del.Old["v"]) != "2" ||
				string(del.Old["_deleted"]) != "true" || del.New != nil {
				t.Errorf("delete %+v", del)
			}
			eventually.True(t, "the last seq is handed over", func() bool { return sub.LastSeq() == del.Seq })
			if err := sub.Close(); err != nil {
				t.Fatal(err)
			}
			if _, open := <-sub.Events(); open || sub.Err() != nil || sub.Active() {
				t.Errorf("after Close: open %t, error %v, active %t", open, sub.Err(), sub.Active())
			}
			eventually.True(t, "the server has no subscription", func() bool { return f.table.listeners() == 0 })
		})
	}
}

func TestSubscribeSeveral(t *testing.T) {
	f := newFake(t)
	c := f.alice()
	var subs []*link.Subscription
	for range 20 {
		subs = append(subs, listen(t, c, link.SubscribeOptions{}))
	}
	f.table.put(1, 1, false)
	for _, s := range subs {
		if ev := receive(t, s); ev.Kind != link.EventInsert {
			t.Errorf("%s got %v", s.ID(), ev.Kind)
		}
	}
	subs[3].Close()
	f.table.put(1, 2, false)
	for i, s := range subs {
		if i != 3 && receive(t, s).Kind != link.EventUpdate {
			t.Errorf("%s got no update", s.ID())
		}
	}
	n := 0
	f.sockets.each(func(s *fakeSocket) { n++ })
	if n != 1 {
		t.Errorf("%d sockets, want 1", n)
	}
}

// TestExactAcrossDisconnects cuts the connection again and again while rows
// change, and compares what the events add up to with the table.
func TestExactAcrossDisconnects(t *testing.T) {
	for _, c := range []struct {
		name       string
		noSnapshot bool
		options    link.SubscribeOptions
	}{
		{name: "all rows", options: link.SubscribeOptions{LastRows: link.AllRows, BatchSize: 3}},
		{name: "single rows", options: link.SubscribeOptions{LastRows: link.AllRows, BatchSize: 1}},
		{name: "one batch", options: link.SubscribeOptions{LastRows: link.AllRows}},
		{name: "short queue", options: link.SubscribeOptions{LastRows: link.AllRows, BatchSize: 2,
			BufferSize: 3}},
		{name: "no initial rows", options: link.SubscribeOptions{BatchSize: 2}},
		{name: "snapshot not named", noSnapshot: true, options: link.SubscribeOptions{LastRows: link.AllRows, BatchSize: 3}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFake(t)
			f.noSnapshot.Store(c.noSnapshot)
			client := f.client(link.Options{Auth: link.Password("alice", "secret"), LiveRate: 100000, MaxReconnects: -1})
			sub := listen(t, client, c.options)
			cutAndCompare(t, f, sub, 60)
		})
	}
}

// cutAndCompare changes rows while every connection is cut after a few frames,
// until there were enough cuts.
func cutAndCompare(t *testing.T, f *fake, sub *link.Subscription, cuts int32) {
	rng := rand.New(rand.NewPCG(1, 2))
	f.cutWithin.Store(14)
	f.sockets.dropAll()
	written := make(chan struct{})
	stop := within(t)
	go func() {
		defer close(written)
		for f.cuts.Load() < cuts && stop.Err() == nil {
			for range rng.IntN(20) {
				f.table.put(rng.IntN(80), rng.IntN(1000), rng.IntN(2) == 0)
			}
			seen := f.frames.Load()
			for range 1000 { // Until the client does something, or shows that it has nothing to do.
				if f.frames.Load() != seen {
					break
				}
				runtime.Gosched()
			}
		}
		f.cutWithin.Store(0)
		f.sockets.dropAll()
	}()
	m := newMirror(t)
	resumed := int32(0)
	done := false
	for !done || !maps.Equal(m.rows, f.table.visible()) {
		select {
		case ev, ok := <-sub.Events():
			if !ok {
				t.Fatalf("subscription ended: %v", sub.Err())
			}
			if ev.State == link.StateResumed {
				resumed++
			}
			m.apply(ev)
		case <-written:
			done = true
			written = nil
		case <-stop.Done():
			t.Fatalf("after %d resumes got %v\nwant %v", resumed, m.rows, f.table.visible())
		}
	}
	if resumed < cuts/4 || m.reset > 0 {
		t.Errorf("%d resumes and %d resets after %d cuts", resumed, m.reset, f.cuts.Load())
	}
	t.Logf("%d cuts, %d resumes, %d versions", f.cuts.Load(), resumed, len(m.seen))
}

// TestCutWithinResume cuts a resume off after its first row, and deletes that row before the next one.
func TestCutWithinResume(t *testing.T) {
	f := newFake(t)
	f.table.put(1, 1, false)
	from := f.table.seq
	for key := 2; key <= 10; key++ {
		f.table.put(key, key, false)
	}
	client := f.client(link.Options{Auth: link.Password("alice", "secret"), LiveRate: 100000})
	sub := listen(t, client, link.SubscribeOptions{From: from, BatchSize: 1})
	m := newMirror(t)
	m.rows[1] = 1
	stop := within(t)
	for cut := false; !maps.Equal(m.rows, f.table.visible()); {
		select {
		case ev := <-sub.Events():
			m.apply(ev)
			if m.rows[2] == 2 && !cut {
				f.sockets.dropAll()
				f.table.put(2, 0, true)
				cut = true
			}
		case <-stop.Done():
			t.Fatalf("got %v\nwant %v", m.rows, f.table.visible())
		}
	}
}

// TestChurn opens and closes subscriptions from many goroutines while rows change
// and connections are cut.
func TestChurn(t *testing.T) {
	f := newFake(t)
	c := f.client(link.Options{Auth: link.Password("alice", "secret"), LiveRate: 1000000,
		MaxReconnects: -1, MaxRetries: 1000})
	stop := make(chan struct{})
	var writer, readers sync.WaitGroup
	writer.Go(func() {
		tick := time.NewTicker(500 * time.Microsecond) // What the fake can deliver.
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			f.table.put(i%50, i, i%3 == 0)
			if i%200 == 199 {
				f.sockets.dropAll()
			}
		}
	})
	ctx := within(t)
	for n := range 8 {
		readers.Go(func() {
			for i := range 10 {
				sub, err := c.Subscribe(ctx, liveSQL, link.SubscribeOptions{LastRows: link.AllRows * (i % 2), BatchSize: 7,
					BufferSize: 20})
				if err != nil {
					t.Error(err)
					return
				}
				m := newMirror(t)
				for range n * 5 {
					ev, ok := <-sub.Events()
					if !ok {
						t.Errorf("subscription ended: %v", sub.Err())
						return
					}
					m.apply(ev)
				}
				sub.Close()
			}
		})
	}
	readers.Wait()
	close(stop)
	writer.Wait()
	eventually.True(t, "the server has no subscription", func() bool { return f.table.listeners() == 0 })
}

func TestSlowReader(t *testing.T) {
	f := newFake(t)
	c := f.client(link.Options{Auth: link.Password("alice", "secret"), LiveRate: 100000})
	slow := listen(t, c, link.SubscribeOptions{BufferSize: 10})
	quick := listen(t, c, link.SubscribeOptions{})
	slow.Pause()
	receive(t, slow, link.StateConnected) // Pause lets at most one event through.
	for i := range 500 {
		f.table.put(i, i, false)
	}
	for i := range 500 {
		if ev := receive(t, quick); string(ev.New["v"]) != strconv.Itoa(i) {
			t.Fatalf("event %d is %v", i, ev)
		}
	}
	eventually.True(t, "the server is rid of the slow one", func() bool { return f.table.listeners() == 1 })
	slow.Resume()
	m := newMirror(t)
	for len(m.rows) < 500 {
		m.apply(receive(t, slow))
	}
	f.table.put(1, -1, false)
	if ev := receive(t, slow); ev.Kind != link.EventUpdate {
		t.Errorf("after the return got %v", ev)
	}
}

func TestResumeWindowExceeded(t *testing.T) {
	f := newFake(t)
	f.table.put(1, 1, false)
	c := f.alice()
	sub := listen(t, c, link.SubscribeOptions{LastRows: link.AllRows})
	m := newMirror(t)
	m.apply(receive(t, sub))
	f.table.forget()
	f.sockets.dropAll()
	for m.reset == 0 || len(m.rows) == 0 {
		ev := receive(t, sub, link.StateReset)
		m.apply(ev)
	}
	if !maps.Equal(m.rows, f.table.visible()) {
		t.Errorf("got %v, want %v", m.rows, f.table.visible())
	}
}

func TestSubscribeErrors(t *testing.T) {
	f := newFake(t)
	c := f.alice()
	ctx := within(t)
	for _, tc := range []struct {
		name, sql string
		options   link.SubscribeOptions
		kind      link.Kind
		code      wire.Code
		text      string
	}{
		{"too many rows", liveSQL, link.SubscribeOptions{LastRows: 10001}, link.KindInvalidOption, "",
			"Invalid option: LastRows must be from 0 to 10000, or AllRows, got 10001"},
		{"buffer", liveSQL, link.SubscribeOptions{BufferSize: -1}, link.KindInvalidOption, "",
			"Invalid option: BufferSize must be at least 1, got -1"},
		{"batch", liveSQL, link.SubscribeOptions{BatchSize: -1}, link.KindInvalidOption, "",
			"Invalid option: BatchSize must not be negative, got -1"},
		{"refused", "REFUSE UNSUPPORTED", link.SubscribeOptions{}, link.KindSubscription, wire.CodeUnsupported,
			"Subscription error: refused with UNSUPPORTED"},
		{"limit", "REFUSE SUBSCRIPTION_LIMIT_EXCEEDED", link.SubscribeOptions{}, link.KindSubscription,
			wire.CodeSubscriptionLimit, "Subscription error: refused with SUBSCRIPTION_LIMIT_EXCEEDED"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			sub, err := c.Subscribe(ctx, tc.sql, tc.options)
			if sub != nil || link.KindOf(err) != tc.kind || link.CodeOf(err) != tc.code || err.Error() != tc.text {
				t.Errorf("got %v, %v", sub, err)
			}
		})
	}
	if sub := listen(t, c, link.SubscribeOptions{}); !sub.Active() {
		t.Error("a refusal must not harm others")
	}
}

func TestSubscriptionEnds(t *testing.T) {
	t.Run("killed", func(t *testing.T) {
		f := newFake(t)
		c := f.alice()
		sub, other := listen(t, c, link.SubscribeOptions{}), listen(t, c, link.SubscribeOptions{})
		f.table.put(1, 1, false)
		f.sockets.each(func(s *fakeSocket) {
			s.send(wire.ErrorFrame{Type: wire.TypeError, SubscriptionID: sub.ID(),
				Code: wire.CodeSubscriptionKilled, Message: "killed"})
		})
		if receive(t, sub).Kind != link.EventInsert {
			t.Error("what came before the end must be handed over")
		}
		if _, open := <-sub.Events(); open || link.CodeOf(sub.Err()) != wire.CodeSubscriptionKilled {
			t.Errorf("open %t, error %v", open, sub.Err())
		}
		if receive(t, other).Kind != link.EventInsert || !other.Active() {
			t.Error("the other subscription must live on")
		}
	})
	t.Run("context", func(t *testing.T) {
		f := newFake(t)
		ctx, cancel := context.WithCancel(within(t))
		sub, err := f.alice().Subscribe(ctx, liveSQL, link.SubscribeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		for range sub.Events() {
		}
		if !errors.Is(sub.Err(), context.Canceled) || link.KindOf(sub.Err()) != link.KindCanceled {
			t.Errorf("error %v", sub.Err())
		}
		eventually.True(t, "the server has no subscription", func() bool { return f.table.listeners() == 0 })
	})
	t.Run("client", func(t *testing.T) {
		f := newFake(t)
		c := f.alice()
		sub := listen(t, c, link.SubscribeOptions{})
		c.Close()
		for range sub.Events() {
		}
		if link.KindOf(sub.Err()) != link.KindConnection {
			t.Errorf("error %v", sub.Err())
		}
		if _, err := c.Subscribe(within(t), liveSQL, link.SubscribeOptions{}); link.KindOf(err) != link.KindConnection {
			t.Errorf("Subscribe after Close: %v", err)
		}
	})
	t.Run("server is gone", func(t *testing.T) {
		f := newFake(t)
		c := f.client(link.Options{Auth: link.Password("alice", "secret"), MaxReconnects: 3})
		sub := listen(t, c, link.SubscribeOptions{})
		f.refuseWS.Store(1000)
		f.sockets.dropAll()
		attempts := 0
		for ev := range sub.Events() {
			if ev.State == link.StateConnecting {
				attempts = ev.Attempt
			}
		}
		if attempts != 3 || link.KindOf(sub.Err()) != link.KindHTTP ||
			!strings.Contains(sub.Err().Error(), "HTTP error 503: Too many connections") {
			t.Errorf("%d attempts, error %v", attempts, sub.Err())
		}
		f.refuseWS.Store(0)
		if !listen(t, c, link.SubscribeOptions{}).Active() {
			t.Error("a later subscription must work")
		}
	})
}

func TestSubscribeAuthentication(t *testing.T) {
	t.Run("expired", func(t *testing.T) {
		f := newFake(t)
		c := f.alice()
		sub := listen(t, c, link.SubscribeOptions{})
		f.expire(false)
		f.sockets.dropAll()
		receive(t, sub, link.StateResumed)
		if _, logins, renewals, _ := f.counts(); logins != 1 || renewals != 1 {
			t.Errorf("%d logins, %d renewals", logins, renewals)
		}
	})
	t.Run("ended by the server", func(t *testing.T) {
		f := newFake(t)
		c := f.alice()
		sub := listen(t, c, link.SubscribeOptions{})
		f.expire(true)
		f.sockets.each(func(s *fakeSocket) { go s.conn.Close(wire.ClosePolicy, "Token expired") })
		receive(t, sub, link.StateResumed)
		if _, logins, _, _ := f.counts(); logins != 2 {
			t.Errorf("%d logins", logins)
		}
	})
	t.Run("wrong token", func(t *testing.T) {
		f := newFake(t)
		jwt, err := link.JWT("a.b.c")
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.client(link.Options{Auth: jwt}).Subscribe(within(t), liveSQL, link.SubscribeOptions{})
		if link.KindOf(err) != link.KindAuthentication || err.Error() != "Authentication failed: Invalid credentials" {
			t.Errorf("error %v", err)
		}
	})
	t.Run("headers", func(t *testing.T) {
		f := newFake(t)
		listen(t, f.client(link.Options{Auth: link.APIKey("k3y"), User: "bob"}), link.SubscribeOptions{})
		f.sockets.each(func(s *fakeSocket) {
			if s.header.Get("X-API-Key") != "k3y" || s.header.Get("X-USER-ID") != "bob" ||
				s.query != "compress=false&events=exact" || s.auth != nil {
				t.Errorf("headers %v, query %q", s.header, s.query)
			}
		})
	})
	t.Run("protocol", func(t *testing.T) {
		f := newFake(t)
		listen(t, f.alice(), link.SubscribeOptions{})
		f.sockets.each(func(s *fakeSocket) {
			if s.auth == nil || *s.auth != (wire.ProtocolOptions{Serialization: "json", Compression: "none", Events: "exact"}) ||
				s.header.Get("Authorization") != "" {
				t.Errorf("protocol %v, headers %v", s.auth, s.header)
			}
		})
	})
}

// TestSubscribeParams binds parameters, again at every subscription on the wire.
func TestSubscribeParams(t *testing.T) {
	f := newFake(t)
	sub := listen(t, f.alice(), link.SubscribeOptions{Params: []any{int64(1) << 60, "it's", 1.0, nil, true}})
	f.sockets.dropAll()
	receive(t, sub, link.StateResumed)
	f.table.mu.Lock()
	defer f.table.mu.Unlock()
	if len(f.table.asked) != 2 {
		t.Fatalf("%d subscriptions", len(f.table.asked))
	}
	for _, q := range f.table.asked {
		if got := fmt.Sprintf("%s", q.Params); got != `[1152921504606846976 "it's" 1.0 null true]` {
			t.Errorf("parameters %s", got)
		}
	}
	if _, err := f.alice().Subscribe(t.Context(), "SELECT $1",
		link.SubscribeOptions{Params: []any{make(chan int)}}); link.CodeOf(err) != wire.CodeInvalidParameter {
		t.Errorf("error %v", err)
	}
}

func TestMalformedFrames(t *testing.T) {
	for _, text := range []string{"", "null", "[]", "{", `{"type":5}`,
		`{"type":"change","subscription_id":"sub-1","rows":5}`, `{"type":"change","rows":[{"_seq":}]}`} {
		t.Run(text, func(t *testing.T) {
			f := newFake(t)
			sub := listen(t, f.alice(), link.SubscribeOptions{})
			f.sockets.each(func(s *fakeSocket) { s.sendText([]byte(text)) })
			for range sub.Events() {
			}
			if link.KindOf(sub.Err()) != link.KindSerialization {
				t.Errorf("error %v", sub.Err())
			}
		})
	}
	t.Run("odd but valid", func(t *testing.T) {
		f := newFake(t)
		sub := listen(t, f.alice(), link.SubscribeOptions{})
		for _, text := range []string{
			`{"type":"later"}`, `{"type":"change","subscription_id":"other","change_type":"insert","rows":[{}]}`,
			`{"type":"change","subscription_id":"sub-1","change_type":"merge","rows":[{}]}`,
			`{"type":"change","subscription_id":"sub-1","change_type":"insert"}`,
			`{"type":"change","subscription_id":"sub-1","change_type":"insert","rows":[{"_seq":-5}]}`,
		} {
			f.sockets.each(func(s *fakeSocket) { s.sendText([]byte(text)) })
		}
		if ev := receive(t, sub); ev.Kind != link.EventInsert || ev.Seq != 0 {
			t.Errorf("got %+v", ev)
		}
	})
}

// TestDeadConnection lets a server vanish without a word.
func TestDeadConnection(t *testing.T) {
	f := newFake(t)
	proxy := newProxy(t, f.Listener.Addr().String())
	c := f.client(link.Options{URL: "http://" + proxy.addr(), Auth: link.Password("alice", "secret")})
	link.Impatient(c, time.Millisecond, 20*time.Millisecond, 200*time.Millisecond)
	sub := listen(t, c, link.SubscribeOptions{})
	proxy.freeze()
	ev := receive(t, sub, link.StateDisconnected)
	if ev.State != link.StateDisconnected || !strings.Contains(ev.Err.Error(), "no answer to a ping within 200ms") {
		t.Errorf("got %+v", ev)
	}
	proxy.thaw()
	receive(t, sub, link.StateResumed)
	if ev := receive(t, sub); ev.Kind != link.EventInitial || len(ev.Rows) != 0 || !ev.Last {
		t.Errorf("got %+v, want that nothing was missed", ev)
	}
	f.table.put(1, 1, false)
	if ev := receive(t, sub); ev.Kind != link.EventInsert {
		t.Errorf("got %+v", ev)
	}
}
