package subscribe_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/subscribe"
)

// ended reads until the subscription ends and returns why.
func ended(t testing.TB, s *subscribe.Subscription) error {
	t.Helper()
	for {
		if d := next(t, s.Outbox()); d.Err != nil && d.Subscription == s {
			return d.Err
		}
	}
}

func TestSlowReader(t *testing.T) {
	t.Run("queue full", func(t *testing.T) {
		w := newWorld(t, subscribe.HubOptions{MaxQueue: 3})
		slow, quick := w.start(w.spec(1, "ann", "slow")), w.start(w.spec(1, "ann", "quick"))
		for i := range int64(10) {
			w.put("ann", i, i)
			collect(t, quick.Outbox(), 1)
		}
		if err := ended(t, slow); !errors.Is(err, subscribe.ErrSlow) {
			t.Errorf("ended with %v", err)
		}
		if list := w.hub.Subscriptions(); len(list) != 1 || list[0].Subscription != "quick" {
			t.Errorf("subscriptions: %+v", list)
		}
		w.put("ann", 77, 7)
		collect(t, quick.Outbox(), 1)
	})
	t.Run("limit of the subscription", func(t *testing.T) {
		w := newWorld(t, subscribe.HubOptions{})
		spec := w.spec(1, "ann", "s")
		spec.QueueLimit = 1
		sub := w.start(spec)
		w.put("ann", 1, 1)
		await(t, func() bool { return queueDepth(w.hub, sub) == 1 })
		w.put("ann", 2, 2)
		await(t, func() bool { return w.hub.Count() == 0 })
		if err := ended(t, sub); !errors.Is(err, subscribe.ErrSlow) {
			t.Errorf("ended with %v", err)
		}
	})
	t.Run("before Activate", func(t *testing.T) {
		w := newWorld(t, subscribe.HubOptions{MaxQueue: 2})
		sub, err := w.hub.Register(w.spec(1, "ann", "s"))
		if err != nil {
			t.Fatal(err)
		}
		for i := range int64(4) {
			w.put("ann", i, i)
		}
		await(t, func() bool { return w.hub.Count() == 0 || queueDepth(w.hub, sub) == 4 })
		w.put("ann", 9, 9)
		if err := ended(t, sub); !errors.Is(err, subscribe.ErrSlow) {
			t.Errorf("ended with %v", err)
		}
		sub.Activate(0) // Too late, and harmless.
	})
	t.Run("one large transaction is no reason", func(t *testing.T) {
		w := newWorld(t, subscribe.HubOptions{MaxQueue: 3})
		sub := w.start(w.spec(1, "ann", "s"))
		for range 3 {
			var tx []write
			for i := range int64(500) {
				tx = append(tx, write{scope: sub.Spec().Scope, row: note{id: i}})
			}
			w.commit(tx...)
			if d := next(t, sub.Outbox()); len(d.Events) != 500 {
				t.Fatalf("%d events, %v", len(d.Events), d.Err)
			}
		}
	})
	t.Run("bytes of the outbox", func(t *testing.T) {
		w := newWorld(t, subscribe.HubOptions{MaxBytes: 10_000})
		out := w.hub.NewOutbox()
		defer out.Close()
		one, two := w.spec(1, "ann", "one"), w.spec(1, "bob", "two")
		one.Outbox, two.Outbox = out, out
		a, b := w.start(one), w.start(two)
		big := strings.Repeat("x", 20_000)
		w.commit(write{scope: a.Spec().Scope, row: note{id: 1, body: big}})
		await(t, func() bool { return queueDepth(w.hub, a) == 1 })
		w.commit(write{scope: b.Spec().Scope, row: note{id: 1, body: big}})
		await(t, func() bool { return w.hub.Count() == 1 })
		if d := next(t, out); d.Subscription != a || d.Err != nil {
			t.Fatalf("first delivery %+v", d)
		}
		if d := next(t, out); d.Subscription != b || !errors.Is(d.Err, subscribe.ErrSlow) {
			t.Fatalf("second delivery %+v", d)
		}
		w.put("ann", 2, 2)
		if d := next(t, out); d.Subscription != a || len(d.Events) != 1 {
			t.Fatalf("third delivery %+v", d)
		}
	})
}

func TestReasonsToEnd(t *testing.T) {
	boom := errors.New("boom")
	tests := []struct {
		name string
		act  func(w *world, s *subscribe.Subscription) int
		want error
	}{
		{"Kill", func(w *world, s *subscribe.Subscription) int {
			if !w.hub.Kill(s.ID()) {
				return 0
			}
			return 1
		}, subscribe.ErrKilled},
		{"CloseUser", func(w *world, s *subscribe.Subscription) int { return w.hub.CloseUser("ann", boom) }, boom},
		{"CloseTable", func(w *world, s *subscribe.Subscription) int { return w.hub.CloseTable(1, boom) }, boom},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, subscribe.HubOptions{})
			sub, other := w.start(w.spec(1, "ann", "s")), w.start(w.spec(2, "bob", "s"))
			w.put("ann", 1, 1)
			await(t, func() bool { return queueDepth(w.hub, sub) == 1 })
			if n := tt.act(w, sub); n != 1 {
				t.Errorf("%d ended", n)
			}
			if list := w.hub.Subscriptions(); len(list) != 1 || list[0].ID != other.ID() {
				t.Errorf("subscriptions: %+v", list)
			}
			if w.hub.Interested(sub.Spec().Scope) {
				t.Error("still interested")
			}
			w.put("ann", 2, 2)
			// What waited is dropped: the end comes first.
			if d := next(t, sub.Outbox()); !errors.Is(d.Err, tt.want) || len(d.Events) != 0 {
				t.Errorf("delivery %+v", d)
			}
			if n := tt.act(w, sub); n != 0 {
				t.Errorf("%d ended again", n)
			}
			sub.Close()
		})
	}
	t.Run("hub's Close", func(t *testing.T) {
		w := newWorld(t, subscribe.HubOptions{})
		sub := w.start(w.spec(1, "ann", "s"))
		if err := w.hub.Close(); err != nil {
			t.Fatal(err)
		}
		if err := ended(t, sub); !errors.Is(err, subscribe.ErrClosed) {
			t.Errorf("ended with %v", err)
		}
		w.hub.Publish([]kalam.Change{{Scope: sub.Spec().Scope}})
		_, err := w.hub.Register(w.spec(1, "ann", "t"))
		if kalam.CodeOf(err) != kalam.CodeShuttingDown {
			t.Errorf("register: %v", err)
		}
		if err := w.hub.Close(); err != nil {
			t.Errorf("second Close: %v", err)
		}
	})
}

// TestCloseIsQuiet checks that nothing comes after Close, also not an end that
// was already waiting.
func TestCloseIsQuiet(t *testing.T) {
	w := newWorld(t, subscribe.HubOptions{})
	out := w.hub.NewOutbox()
	var subs []*subscribe.Subscription
	for _, id := range []string{"closed", "killed", "stays"} {
		spec := w.spec(1, "ann", id)
		spec.Outbox = out
		subs = append(subs, w.start(spec))
	}
	w.put("ann", 1, 1)
	await(t, func() bool { return queueDepth(w.hub, subs[2]) == 1 })
	subs[0].Close()
	subs[0].Close()
	w.hub.Kill(subs[1].ID())
	subs[1].Close()
	if d := next(t, out); d.Subscription != subs[2] {
		t.Errorf("delivery of %s", d.Subscription.ID())
	}
	if d, ok := out.TryNext(); ok {
		t.Errorf("delivery %+v", d)
	}
	w.put("ann", 1, 2)
	out.Close()
	out.Close()
	if _, err := out.Next(within(t)); !errors.Is(err, subscribe.ErrClosed) {
		t.Errorf("Next after Close: %v", err)
	}
	if n := w.hub.Count(); n != 0 {
		t.Errorf("%d subscriptions after Outbox.Close", n)
	}
	spec := w.spec(1, "ann", "late")
	spec.Outbox = out
	if _, err := w.hub.Register(spec); !errors.Is(err, subscribe.ErrClosed) {
		t.Errorf("register with a closed outbox: %v", err)
	}
}

func TestNextWaits(t *testing.T) {
	w := newWorld(t, subscribe.HubOptions{})
	sub := w.start(w.spec(1, "ann", "s"))
	reason := errors.New("enough")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(reason)
	if _, err := sub.Outbox().Next(ctx); !errors.Is(err, reason) {
		t.Errorf("Next: %v", err)
	}
	closed := make(chan error)
	go func() {
		_, err := sub.Outbox().Next(context.Background())
		closed <- err
	}()
	sub.Outbox().Close()
	if err := <-closed; !errors.Is(err, subscribe.ErrClosed) {
		t.Errorf("Next: %v", err)
	}
}

func TestReady(t *testing.T) {
	w := newWorld(t, subscribe.HubOptions{})
	sub := w.start(w.spec(1, "ann", "s"))
	for i := range int64(3) {
		w.put("ann", i, i)
	}
	for got := 0; got < 3; {
		select {
		case <-sub.Outbox().Ready():
			for d, ok := sub.Outbox().TryNext(); ok; d, ok = sub.Outbox().TryNext() {
				got += len(d.Events)
			}
		case <-within(t).Done():
			t.Fatal("Ready does not yield")
		}
	}
}
