package subscribe_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/subscribe"
)

// watcher is a live query with what it has received.
type watcher struct {
	spec   subscribe.Spec
	limit  int64 // The filter is n < limit; 0 is none.
	sub    *subscribe.Subscription
	seq    kalam.Seq // Of the snapshot.
	rows   map[int64]stored
	events []*subscribe.Event // Guarded by readers.mu.
}

// readers read outboxes into watchers.
type readers struct {
	mu    sync.Mutex
	cond  sync.Cond
	bySub map[*subscribe.Subscription]*watcher
	early map[*subscribe.Subscription][]*subscribe.Event // Of subscriptions not yet in bySub.
	errs  []error
	work  sync.WaitGroup
}

func newReaders() *readers {
	r := &readers{bySub: map[*subscribe.Subscription]*watcher{},
		early: map[*subscribe.Subscription][]*subscribe.Event{}}
	r.cond.L = &r.mu
	return r
}

func (r *readers) read(o *subscribe.Outbox) {
	r.work.Go(func() {
		for {
			d, err := o.Next(context.Background())
			if errors.Is(err, subscribe.ErrClosed) {
				return
			}
			r.mu.Lock()
			if d.Err != nil {
				r.errs = append(r.errs, d.Err)
			}
			if w := r.bySub[d.Subscription]; w != nil {
				w.events = append(w.events, d.Events...)
			} else {
				r.early[d.Subscription] = append(r.early[d.Subscription], d.Events...)
			}
			r.cond.Broadcast()
			r.mu.Unlock()
		}
	})
}

func (r *readers) add(w *watcher) {
	r.mu.Lock()
	defer r.mu.Unlock()
	w.events = append(r.early[w.sub], w.events...)
	delete(r.early, w.sub)
	r.bySub[w.sub] = w
}

// await waits until w has n events and returns them.
func (r *readers) await(w *watcher, n int) []*subscribe.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(w.events) < n && len(r.errs) == 0 {
		r.cond.Wait()
	}
	return w.events
}

// expected computes the events of a watcher from the log, independently of the hub.
func expected(t *testing.T, table *kalam.Table, log []kalam.Change, w *watcher) (list []string) {
	t.Helper()
	row := func(r kalam.Row) (note, bool) {
		vals, err := datatype.DecodeRow(table, r.Payload, nil)
		if err != nil {
			t.Fatal(err)
		}
		n := noteOf(vals)
		return n, w.limit == 0 || n.n < w.limit
	}
	for _, c := range log {
		if c.Scope != w.spec.Scope || c.New.Seq <= w.seq {
			continue
		}
		now, isNew := row(c.New)
		kind, was, isOld := c.Kind, "", false
		if c.Kind != kalam.ChangeInsert {
			var old note
			old, isOld = row(c.Old)
			was = fmt.Sprintf(" was@%d %v", c.Old.Seq, old)
		}
		if w.spec.ExactEvents {
			isNew = isNew && !c.New.Deleted
			switch {
			case isNew && isOld:
				kind = kalam.ChangeUpdate
			case isNew:
				kind = kalam.ChangeInsert
			case isOld:
				kind = kalam.ChangeDelete
			default:
				continue
			}
		} else if !isNew {
			continue
		}
		s := fmt.Sprintf("%s@%d", kind, c.New.Seq)
		if c.New.Deleted {
			s += " tombstone"
		}
		list = append(list, fmt.Sprintf("%s %v%s", s, now, was))
	}
	return list
}

// apply plays exact events on the rows of the snapshot.
func apply(rows map[int64]stored, events []*subscribe.Event) {
	for _, e := range events {
		n := noteOf(e.New)
		if e.Kind == kalam.ChangeDelete {
			delete(rows, n.id)
		} else {
			rows[n.id] = stored{n, e.NewSeq}
		}
	}
}

// randomWrites returns one transaction over all scopes.
func randomWrites(r *rand.Rand, scopes []kalam.Scope) (list []write) {
	for range 1 + r.IntN(6) {
		list = append(list, write{
			scope: scopes[r.IntN(len(scopes))], row: note{id: r.Int64N(20), n: r.Int64N(100), body: "b"},
			remove: r.IntN(4) == 0,
		})
	}
	return list
}

// watch makes a random subscription, reads its snapshot and activates it.
func watch(w *world, r *rand.Rand, scopes []kalam.Scope, out *subscribe.Outbox, id string) (*watcher, error) {
	scope := scopes[r.IntN(len(scopes))]
	v := &watcher{spec: w.spec(scope.Table, scope.User, id)}
	v.spec.Outbox, v.spec.ExactEvents = out, r.IntN(2) == 0
	v.limit = []int64{0, 30, 60}[r.IntN(3)]
	f, err := subscribe.Compile(v.spec.Table, nil, "", 0)
	if v.limit > 0 {
		f, err = subscribe.Compile(v.spec.Table, below(v.limit), "", 0)
	}
	if err != nil {
		return nil, err
	}
	v.spec.Filter = f
	if r.IntN(3) == 0 {
		v.spec.Filter = nil
		v.spec.Evaluator = &goEvaluator{key: fmt.Sprint("below ", v.limit), filter: f,
			before: func(context.Context) error {
				runtime.Gosched()
				return nil
			}}
	}
	if v.sub, err = w.hub.Register(v.spec); err != nil {
		return nil, err
	}
	if r.IntN(2) == 0 {
		runtime.Gosched()
	}
	v.rows, v.seq = w.snapshot(scope)
	if v.limit > 0 {
		maps.DeleteFunc(v.rows, func(_ int64, s stored) bool { return s.n >= v.limit })
	}
	if r.IntN(2) == 0 {
		runtime.Gosched()
	}
	v.sub.Activate(v.seq)
	return v, nil
}

// TestLiveIsExact registers subscriptions of all sorts while writers run, and
// checks that snapshot and events are the log: none lost, none doubled, in order.
func TestLiveIsExact(t *testing.T) {
	rounds, events := 30, 0
	if testing.Short() {
		rounds = 5
	}
	for round := range rounds {
		seed := uint64(round)
		w := newWorld(t, subscribe.HubOptions{MaxQueue: 1 << 20, MaxPerUser: -1})
		events += exactRound(t, w, seed)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	t.Logf("%d events checked in %d rounds", events, rounds)
}

func exactRound(t *testing.T, w *world, seed uint64) (events int) {
	var scopes []kalam.Scope
	for n := kalam.TableNumber(1); n <= 2; n++ {
		for _, u := range []kalam.UserID{"ann", "bob"} {
			scopes = append(scopes, w.table(n).ScopeOf(u))
		}
	}
	const writers, subscribers, each = 3, 4, 6
	rd := newReaders()
	var work sync.WaitGroup
	for i := range writers {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		work.Go(func() {
			for range 150 {
				w.commit(randomWrites(r, scopes)...)
			}
		})
	}
	watchers := make([][]*watcher, subscribers)
	outboxes := make([]*subscribe.Outbox, subscribers)
	for i := range subscribers {
		r := rand.New(rand.NewPCG(seed, uint64(100+i)))
		outboxes[i] = w.hub.NewOutbox()
		rd.read(outboxes[i])
		work.Go(func() {
			for k := range each {
				v, err := watch(w, r, scopes, outboxes[i], fmt.Sprintf("s%d-%d", i, k))
				if err != nil {
					t.Error(err)
					return
				}
				rd.add(v)
				watchers[i] = append(watchers[i], v)
			}
		})
	}
	work.Wait()
	for _, list := range watchers {
		for _, v := range list {
			events += checkWatcher(t, w, rd, v)
		}
	}
	if err := w.hub.Close(); err != nil {
		t.Error(err)
	}
	for _, o := range outboxes {
		o.Close()
	}
	rd.work.Wait()
	return events
}

// checkWatcher compares what a watcher got with the log.
func checkWatcher(t *testing.T, w *world, rd *readers, v *watcher) int {
	t.Helper()
	want := expected(t, v.spec.Table, w.changes(), v)
	got := rd.await(v, len(want))
	var lines []string
	for _, e := range got {
		lines = append(lines, describe(e))
	}
	if d := cmp.Diff(want, lines); d != "" {
		t.Errorf("events of %s, exact %v, evaluator %v (-want +got):\n%s", v.spec.Subscription,
			v.spec.ExactEvents, v.spec.Evaluator != nil, d)
	}
	info, ok := w.hub.Lookup(v.sub.ID())
	if !ok || info.Changes != int64(len(want)) || info.QueueDepth != 0 {
		t.Errorf("info %+v, %d changes expected", info, len(want))
	}
	if v.spec.ExactEvents {
		final, _ := w.snapshot(v.spec.Scope)
		if v.limit > 0 {
			maps.DeleteFunc(final, func(_ int64, s stored) bool { return s.n >= v.limit })
		}
		apply(v.rows, got)
		if !maps.Equal(v.rows, final) {
			t.Errorf("rows of %s: %v, want %v", v.spec.Subscription, v.rows, final)
		}
	}
	return len(want)
}
