package subscribe_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/subscribe"
)

// TestDropAgainstRegister checks that a table is either blocked or subscribed to.
func TestDropAgainstRegister(t *testing.T) {
	w := newWorld(t, subscribe.HubOptions{MaxPerUser: -1})
	w.table(1)
	var work sync.WaitGroup
	var dropped atomic.Bool
	for i := range 4 {
		work.Go(func() {
			for k := range 300 {
				sub, err := w.hub.Register(w.spec(1, "ann", fmt.Sprintf("%d-%d", i, k)))
				if err != nil {
					if kalam.CodeOf(err) != kalam.CodeInvalidOperation {
						t.Error(err)
					}
					continue
				}
				if dropped.Load() {
					t.Error("subscribed to a table while it was dropped")
				}
				sub.Close()
			}
		})
	}
	work.Go(func() {
		for range 300 {
			if w.hub.BlockTable(1) > 0 {
				continue
			}
			dropped.Store(true)
			if n := w.hub.CountTable(1); n != 0 {
				t.Errorf("%d subscriptions to a blocked table", n)
			}
			dropped.Store(false)
			w.hub.UnblockTable(1)
		}
	})
	work.Wait()
}

// TestComingAndGoing registers, closes and kills while changes are published, and
// checks that nothing is left.
func TestComingAndGoing(t *testing.T) {
	w := newWorld(t, subscribe.HubOptions{MaxQueue: 5, MaxPerUser: -1})
	users := []kalam.UserID{"ann", "bob", "cid"}
	w.table(1)
	stop := make(chan struct{})
	var work, writers sync.WaitGroup
	writers.Go(func() {
		for i := int64(0); ; i++ {
			select {
			case <-stop:
				return
			default:
				w.put(users[i%3], i%7, i)
			}
		}
	})
	for i := range 6 {
		work.Go(func() {
			out := w.hub.NewOutbox()
			defer out.Close()
			for k := range 150 {
				spec := w.spec(1, users[(i+k)%3], fmt.Sprintf("%d-%d", i, k))
				spec.Outbox, spec.ExactEvents = out, k%2 == 0
				spec.Filter = compile(t, below(int64(k%4)*1000))
				if k%5 == 0 {
					spec.Evaluator, spec.Filter = &goEvaluator{key: fmt.Sprint(k % 4), filter: spec.Filter}, nil
				}
				sub := w.start(spec)
				switch k % 4 {
				case 0:
					sub.Close()
				case 1:
					w.hub.Kill(sub.ID())
				case 2:
					w.hub.CloseUser(spec.User, subscribe.ErrKilled)
				}
				out.TryNext()
				w.hub.Subscriptions()
			}
		})
	}
	work.Wait()
	close(stop)
	writers.Wait()
	if n := w.hub.Count(); n != 0 {
		t.Errorf("%d subscriptions left: %+v", n, w.hub.Subscriptions())
	}
	for _, u := range users {
		if w.hub.Interested(kalam.Scope{Table: 1, User: u}) {
			t.Errorf("still interested in %s", u)
		}
	}
	if n := w.hub.CountTable(1); n != 0 {
		t.Errorf("CountTable = %d", n)
	}
}

// TestCloseDuringPublish closes the hub while writers publish.
func TestCloseDuringPublish(t *testing.T) {
	for range 50 {
		w := newWorld(t, subscribe.HubOptions{})
		spec := w.spec(1, "ann", "s")
		spec.Evaluator = &goEvaluator{key: "all", filter: compile(t, nil)}
		w.start(spec)
		w.start(w.spec(1, "ann", "t"))
		var work sync.WaitGroup
		for range 3 {
			work.Go(func() {
				for i := range int64(20) {
					w.put("ann", i, i)
				}
			})
		}
		if err := w.hub.Close(); err != nil {
			t.Error(err)
		}
		work.Wait()
	}
}
