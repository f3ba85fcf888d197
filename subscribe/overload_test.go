package subscribe_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/subscribe"
)

// TestEvaluatorBatches checks that what comes while an evaluator works is given
// to it in one call, and that subscriptions with a filter do not wait for it.
func TestEvaluatorBatches(t *testing.T) {
	w := newWorld(t, subscribe.HubOptions{})
	calls, gate := 0, make(chan struct{})
	spec := w.spec(1, "ann", "slow")
	spec.Evaluator = &goEvaluator{key: "k", filter: compile(t, nil), before: func(ctx context.Context) error {
		calls++
		select {
		case <-gate:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}}
	slow, quick := w.start(spec), w.start(w.spec(1, "ann", "quick"))
	for i := range int64(3000) {
		w.put("ann", i, i)
		collect(t, quick.Outbox(), 1)
	}
	close(gate)
	got := collect(t, slow.Outbox(), 3000)
	if got[2999] != "insert@3000 {2999 2999 v2999}" {
		t.Errorf("last event %s", got[2999])
	}
	slow.Close()
	if calls > 10 {
		t.Errorf("%d calls for 3000 changes that waited", calls)
	}
}

func TestEvaluatorFails(t *testing.T) {
	boom := errors.New("boom")
	t.Run("error", func(t *testing.T) {
		w := newWorld(t, subscribe.HubOptions{})
		spec := w.spec(1, "ann", "s")
		spec.Evaluator = &goEvaluator{key: "k", filter: compile(t, nil),
			before: func(context.Context) error { return boom }}
		sub, other := w.start(spec), w.start(w.spec(1, "ann", "t"))
		w.put("ann", 1, 1)
		if err := ended(t, sub); !errors.Is(err, boom) {
			t.Errorf("ended with %v", err)
		}
		collect(t, other.Outbox(), 1)
	})
	t.Run("wrong number of answers", func(t *testing.T) {
		w := newWorld(t, subscribe.HubOptions{})
		spec := w.spec(1, "ann", "s")
		spec.Evaluator = mute{}
		sub := w.start(spec)
		w.put("ann", 1, 1)
		if err := ended(t, sub); err == nil || kalam.CodeOf(err) != kalam.CodeInternal {
			t.Errorf("ended with %v", err)
		}
	})
	t.Run("context ends with the last subscription", func(t *testing.T) {
		w := newWorld(t, subscribe.HubOptions{})
		started, stopped := make(chan struct{}), make(chan error, 1)
		spec := w.spec(1, "ann", "s")
		spec.Evaluator = &goEvaluator{key: "k", filter: compile(t, nil), before: func(ctx context.Context) error {
			close(started)
			<-ctx.Done()
			stopped <- ctx.Err()
			return ctx.Err()
		}}
		sub := w.start(spec)
		w.put("ann", 1, 1)
		<-started
		sub.Close()
		select {
		case <-stopped:
		case <-within(t).Done():
			t.Error("evaluator was not stopped")
		}
	})
}

// mute is an Evaluator that does not answer.
type mute struct{}

func (mute) Key() string        { return "mute" }
func (mute) NamesDeleted() bool { return false }
func (mute) Match(context.Context, *kalam.Table, []kalam.Row) ([]bool, error) {
	return nil, nil
}

// TestEvaluatorFallsBehind checks that the changes that wait for an evaluator are
// bounded.
func TestEvaluatorFallsBehind(t *testing.T) {
	w := newWorld(t, subscribe.HubOptions{MaxBacklog: 20_000})
	spec := w.spec(1, "ann", "slow")
	spec.Evaluator = &goEvaluator{key: "k", filter: compile(t, nil), before: func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}}
	slow, quick := w.start(spec), w.start(w.spec(1, "ann", "quick"))
	n := 0
	for ; w.hub.Count() == 2 && n < 10_000; n++ {
		w.put("ann", int64(n), 1)
		collect(t, quick.Outbox(), 1)
	}
	if err := ended(t, slow); !errors.Is(err, subscribe.ErrSlow) {
		t.Errorf("ended with %v", err)
	}
	if n < 50 || n > 1000 {
		t.Errorf("ended after %d changes", n)
	}
}

// gateHandler is a log handler that stops its caller.
type gateHandler struct {
	slog.Handler
	entered, gate chan struct{}
}

func (g *gateHandler) Handle(context.Context, slog.Record) error {
	g.entered <- struct{}{}
	<-g.gate
	return nil
}

func (g *gateHandler) Enabled(context.Context, slog.Level) bool { return true }

// TestMatchingFallsBehind stops the goroutine that matches, and checks that
// Publish neither blocks nor piles up, that the subscriptions whose changes were
// refused end, and that others do not.
func TestMatchingFallsBehind(t *testing.T) {
	g := &gateHandler{entered: make(chan struct{}), gate: make(chan struct{})}
	w := newWorld(t, subscribe.HubOptions{MaxBacklog: 50_000, Logger: slog.New(g)})
	spec := w.spec(1, "stopper", "s")
	spec.QueueLimit = 1
	stopper := w.start(spec)
	w.put("stopper", 1, 1)
	await(t, func() bool { return queueDepth(w.hub, stopper) == 1 })
	w.put("stopper", 2, 2)
	<-g.entered // The goroutine reports the slow reader, and stands.

	flooded, calm := w.start(w.spec(1, "flooded", "s")), w.start(w.spec(1, "calm", "s"))
	w.put("calm", 1, 1)
	for i := range int64(1000) {
		w.put("flooded", i, i)
	}
	late := w.start(w.spec(1, "late", "s"))
	close(g.gate)
	go func() {
		for range g.entered { // Later reports.
		}
	}()
	if err := ended(t, flooded); !errors.Is(err, subscribe.ErrSlow) {
		t.Errorf("flooded ended with %v", err)
	}
	collect(t, calm.Outbox(), 1)
	w.put("late", 1, 1)
	w.put("calm", 2, 2)
	collect(t, late.Outbox(), 1)
	collect(t, calm.Outbox(), 1)
	if err := w.hub.Close(); err != nil {
		t.Error(err)
	}
	close(g.entered)
}
