package buffer_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/buffer/memory"
)

// gate holds whoever passes it until it is opened.
type gate struct {
	entered chan struct{}
	opened  chan struct{}
}

func newGate() *gate { return &gate{entered: make(chan struct{}, 10_000), opened: make(chan struct{})} }

func (g *gate) open() { close(g.opened) }

func (g *gate) waitEntered(t *testing.T) {
	t.Helper()
	<-g.entered
}

// gated is a Backend whose batches with rows wait at a gate.
type gated struct {
	buffer.Backend
	gate *gate
}

func (g *gated) Apply(ctx context.Context, ops []buffer.Op) error {
	for i := range ops {
		if ops[i].Keyspace == "sys_rows" {
			g.gate.entered <- struct{}{}
			<-g.gate.opened
			break
		}
	}
	return g.Backend.Apply(ctx, ops)
}

// start applies mutations in the background.
func (f *fixture) start(muts ...buffer.Mutation) chan error {
	return f.startWith(context.Background(), muts...)
}

func (f *fixture) startWith(ctx context.Context, muts ...buffer.Mutation) chan error {
	done := make(chan error, 1)
	go func() {
		_, err := f.store.Apply(ctx, muts)
		done <- err
	}()
	return done
}

// waitQueued waits until n requests wait for the committer.
func (f *fixture) waitQueued(t *testing.T, n int) {
	t.Helper()
	for f.store.Stats().Queued != n {
		runtime.Gosched()
	}
}

// TestGroupCommit lets requests gather behind a slow batch: one batch takes them
// all.
func TestGroupCommit(t *testing.T) {
	table := notes(1)
	g := newGate()
	f := newFixture(t, &gated{Backend: memory.New(), gate: g}, buffer.Options{})
	first := f.start(insert(table, "ann", 0, "x"))
	g.waitEntered(t)
	const n = 50
	var waiting []chan error
	for i := range int64(n) {
		user := kalam.UserID(fmt.Sprint("user", i%7))
		waiting = append(waiting, f.start(insert(table, user, i, "x")))
	}
	waiting = append(waiting, f.start(insert(table, "ann", 0, "taken")))
	f.waitQueued(t, n+1)
	g.open()
	if err := <-first; err != nil {
		t.Fatalf("first: %v", err)
	}
	for i, c := range waiting {
		err := <-c
		if taken := i == n; taken != (kalam.CodeOf(err) == kalam.CodeAlreadyExists) || !taken && err != nil {
			t.Errorf("request %d: %v", i, err)
		}
	}
	st := f.store.Stats()
	if st.Commits != n+1 || st.Groups != 2 {
		t.Errorf("%d requests in %d batches, want %d in 2", st.Commits, st.Groups, n+1)
	}
}

// TestCanceledWaiting cancels requests that wait: they are not committed. One
// that the committer has begun is committed, and says so.
func TestCanceledWaiting(t *testing.T) {
	table := notes(1)
	g := newGate()
	f := newFixture(t, &gated{Backend: memory.New(), gate: g}, buffer.Options{})
	begun, cancelBegun := context.WithCancel(t.Context())
	first := f.startWith(begun, insert(table, "ann", 1, "begun"))
	g.waitEntered(t)
	waiting, cancel := context.WithCancelCause(t.Context())
	second := f.startWith(waiting, insert(table, "ann", 2, "waiting"))
	f.waitQueued(t, 1)
	cancelBegun()
	why := errors.New("the client went away")
	cancel(why)
	if err := <-second; !errors.Is(err, why) {
		t.Errorf("a waiting request = %v, want %v", err, why)
	}
	g.open()
	if err := <-first; err != nil {
		t.Errorf("a request that was begun = %v, want its outcome", err)
	}
	f.apply(insert(table, "ann", 3, "after"))
	f.want(table, "ann", map[int64]string{1: "begun", 3: "after"})
}

// TestCloseCommitsTheQueue closes a store with requests in the queue.
func TestCloseCommitsTheQueue(t *testing.T) {
	table := notes(1)
	g := newGate()
	disk := memory.New()
	f := newFixture(t, &gated{Backend: disk, gate: g}, buffer.Options{})
	var waiting []chan error
	waiting = append(waiting, f.start(insert(table, "ann", 0, "x")))
	g.waitEntered(t)
	for i := range int64(20) {
		waiting = append(waiting, f.start(insert(table, "ann", i+1, "x")))
	}
	f.waitQueued(t, 20)
	closed := make(chan error)
	go func() { closed <- f.store.Close() }()
	g.open()
	if err := <-closed; err != nil {
		t.Errorf("Close: %v", err)
	}
	committed := 0
	for _, c := range waiting {
		switch err := <-c; {
		case err == nil:
			committed++
		default:
			t.Errorf("a queued request: %v", err)
		}
	}
	f.backend = disk
	f.store = openStore(t, disk, f.lake, buffer.Options{})
	if got := len(f.bodies(table, "ann")); got != committed {
		t.Errorf("%d rows after a restart, %d were acknowledged", got, committed)
	}
}

// TestConcurrentUse writes, flushes, trims and reads many scopes at once. Every
// snapshot must show, of each user, the rows 0..n without a gap, and never fewer
// than one before.
func TestConcurrentUse(t *testing.T) {
	table := notes(1)
	f := newFixture(t, memory.New(), buffer.Options{HotBytes: 50_000})
	users := []kalam.UserID{"a", "b", "c"}
	const count = 150
	var writers, others sync.WaitGroup
	done := make(chan struct{})
	for _, u := range users {
		writers.Go(func() {
			for i := range int64(count) {
				f.apply(insert(table, u, i, fmt.Sprint(i)))
			}
		})
		others.Go(func() {
			for {
				if _, err := f.lake.flush(context.Background(), f.store, table, u); err != nil {
					t.Errorf("flush: %v", err)
				}
				f.trim(table, u)
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for range 2 {
		others.Go(func() {
			seen := map[kalam.UserID]int{}
			for {
				snap := f.snapshot(table, users...)
				for i, u := range users {
					got := f.lake.read(t, snap.View(i))
					if len(got) < seen[u] {
						t.Errorf("%s: %d rows after %d", u, len(got), seen[u])
					}
					seen[u] = len(got)
					for id := range int64(len(got)) {
						if got[id].Body != fmt.Sprint(id) {
							t.Errorf("%s: row %d of %d is %q", u, id, len(got), got[id].Body)
						}
					}
				}
				snap.Release()
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	writers.Wait()
	close(done)
	others.Wait()
	want := map[int64]string{}
	for i := range int64(count) {
		want[i] = fmt.Sprint(i)
	}
	for _, u := range users {
		if diff := cmp.Diff(want, f.bodies(table, u)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", u, diff)
		}
	}
}

// TestTransfersAreAtomic moves a token between two scopes; every snapshot sees it
// exactly once.
func TestTransfersAreAtomic(t *testing.T) {
	table := notes(1)
	f := newFixture(t, memory.New(), buffer.Options{})
	users := []kalam.UserID{"a", "b"}
	f.apply(insert(table, "a", 1, "token"))
	done := make(chan struct{})
	var others sync.WaitGroup
	others.Go(func() {
		for {
			snap := f.snapshot(table, users...)
			if n := len(f.lake.read(t, snap.View(0))) + len(f.lake.read(t, snap.View(1))); n != 1 {
				t.Errorf("%d tokens at %d", n, snap.Seq())
			}
			snap.Release()
			select {
			case <-done:
				return
			default:
			}
		}
	})
	others.Go(func() {
		for i := range 30 {
			if _, err := f.lake.flush(context.Background(), f.store, table, users[i%2]); err != nil {
				t.Errorf("flush: %v", err)
			}
		}
	})
	for i := range 150 {
		from, to := users[i%2], users[(i+1)%2]
		r, _ := f.get(table, from, 1)
		f.apply(remove(table, from, 1, "token", r.Seq), insert(table, to, 1, "token"))
	}
	close(done)
	others.Wait()
}

// TestFullQueue fills the queue: more writers wait for a place, and a canceled
// one leaves.
func TestFullQueue(t *testing.T) {
	table := notes(1)
	g := newGate()
	f := newFixture(t, &gated{Backend: memory.New(), gate: g}, buffer.Options{})
	waiting := []chan error{f.start(insert(table, "ann", 0, "x"))}
	g.waitEntered(t)
	const places = 4096
	for i := range int64(places) {
		waiting = append(waiting, f.start(insert(table, "ann", i+1, "x")))
	}
	f.waitQueued(t, places)
	ctx, cancel := context.WithCancel(t.Context())
	late := f.startWith(ctx, insert(table, "ann", -1, "x"))
	cancel()
	if err := <-late; !errors.Is(err, context.Canceled) {
		t.Errorf("a writer without a place = %v, want context.Canceled", err)
	}
	g.open()
	for i, c := range waiting {
		if err := <-c; err != nil {
			t.Errorf("writer %d: %v", i, err)
		}
	}
	if n := len(f.bodies(table, "ann")); n != places+1 {
		t.Errorf("%d rows, want %d", n, places+1)
	}
}

// TestTurns passes the turn to commit between callers and the store's own
// goroutine in every way: lone callers, crowds, and pauses in between. A request
// that nobody takes would hang the test.
func TestTurns(t *testing.T) {
	f := newFixture(t, memory.New(), buffer.Options{})
	const writers, each = 8, 400
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			user := kalam.UserID(fmt.Sprint("u", w))
			for i := range each {
				if _, err := f.store.Apply(context.Background(),
					[]buffer.Mutation{insert(notes(1), user, int64(i), "x")}); err != nil {
					t.Errorf("%s: %v", user, err)
					return
				}
				for range i % (w + 1) * 50 { // Some come one after the other, some together.
					runtime.Gosched()
				}
			}
		})
	}
	wg.Wait()
	if got := f.store.Stats(); got.Commits != writers*each || got.Queued != 0 {
		t.Errorf("%d commits and %d in the queue, want %d and 0", got.Commits, got.Queued, writers*each)
	}
}
