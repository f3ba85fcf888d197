package subscribe_test

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/subscribe"
)

// TestEventKinds checks which event each change is, by mode and filter.
func TestEventKinds(t *testing.T) {
	history := func(w *world) {
		w.put("ann", 1, 10) // 1: in
		w.put("ann", 1, 20) // 2: stays
		w.put("ann", 1, 99) // 3: leaves
		w.put("ann", 1, 98) // 4: stays outside
		w.put("ann", 1, 11) // 5: enters
		w.remove("ann", 1)  // 6: goes
		w.put("ann", 2, 99) // 7: outside
		w.remove("ann", 2)  // 8: goes, outside
	}
	deleted := is(subscribe.Equal, col("_DELETED"), lit(kalam.Bool(true)))
	tests := []struct {
		name   string
		where  subscribe.Expr
		exact  bool
		events []string
	}{
		{"all", nil, false, []string{
			"insert@1 {1 10 v10}", "update@2 {1 20 v20} was@1 {1 10 v10}", "update@3 {1 99 v99} was@2 {1 20 v20}",
			"update@4 {1 98 v98} was@3 {1 99 v99}", "update@5 {1 11 v11} was@4 {1 98 v98}",
			"delete@6 tombstone {1 11 v11} was@5 {1 11 v11}",
			"insert@7 {2 99 v99}", "delete@8 tombstone {2 99 v99} was@7 {2 99 v99}",
		}},
		{"filter on the new row", below(50), false, []string{
			"insert@1 {1 10 v10}", "update@2 {1 20 v20} was@1 {1 10 v10}", "update@5 {1 11 v11} was@4 {1 98 v98}",
			"delete@6 tombstone {1 11 v11} was@5 {1 11 v11}",
		}},
		{"exact", below(50), true, []string{
			"insert@1 {1 10 v10}", "update@2 {1 20 v20} was@1 {1 10 v10}", "delete@3 {1 99 v99} was@2 {1 20 v20}",
			"insert@5 {1 11 v11} was@4 {1 98 v98}", "delete@6 tombstone {1 11 v11} was@5 {1 11 v11}",
		}},
		{"live rows only", is(subscribe.Equal, col("_deleted"), lit(kalam.Bool(false))), false, []string{
			"insert@1 {1 10 v10}", "update@2 {1 20 v20} was@1 {1 10 v10}", "update@3 {1 99 v99} was@2 {1 20 v20}",
			"update@4 {1 98 v98} was@3 {1 99 v99}", "update@5 {1 11 v11} was@4 {1 98 v98}", "insert@7 {2 99 v99}",
		}},
		{"tombstones", deleted, false, []string{
			"delete@6 tombstone {1 11 v11} was@5 {1 11 v11}", "delete@8 tombstone {2 99 v99} was@7 {2 99 v99}",
		}},
		{"tombstones, exact: they enter the result", deleted, true, []string{
			"insert@6 tombstone {1 11 v11} was@5 {1 11 v11}", "insert@8 tombstone {2 99 v99} was@7 {2 99 v99}",
		}},
		{"exact by _seq", is(subscribe.LessOrEqual, col("_seq"), num(1)), true, []string{
			"insert@1 {1 10 v10}", "delete@2 {1 20 v20} was@1 {1 10 v10}",
		}},
	}
	for _, tt := range tests {
		for _, evaluated := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/evaluator=%v", tt.name, evaluated), func(t *testing.T) {
				w := newWorld(t, subscribe.HubOptions{})
				spec := w.spec(1, "ann", "s")
				spec.ExactEvents, spec.Filter = tt.exact, compile(t, tt.where)
				if evaluated {
					spec.Evaluator, spec.Filter = &goEvaluator{key: "k", filter: spec.Filter}, nil
				}
				sub := w.start(spec)
				history(w)
				if d := cmp.Diff(tt.events, collect(t, sub.Outbox(), len(tt.events))); d != "" {
					t.Errorf("events (-want +got):\n%s", d)
				}
			})
		}
	}
}

func TestActivate(t *testing.T) {
	w := newWorld(t, subscribe.HubOptions{})
	sub, err := w.hub.Register(w.spec(1, "ann", "s"))
	if err != nil {
		t.Fatal(err)
	}
	w.put("ann", 1, 1)
	w.put("ann", 1, 2)
	_, seq := w.snapshot(sub.Spec().Scope)
	w.put("ann", 1, 3)
	w.put("ann", 1, 4)
	await(t, func() bool { return queueDepth(w.hub, sub) == 4 })
	if i, _ := w.hub.Lookup(sub.ID()); i.Status != subscribe.StatusLoading {
		t.Errorf("status before Activate: %s", i.Status)
	}
	if d, ok := sub.Outbox().TryNext(); ok {
		t.Errorf("delivered before Activate: %+v", d)
	}
	sub.Activate(seq)
	sub.Activate(0) // Only the first counts.
	want := []string{"update@3 {1 3 v3} was@2 {1 2 v2}", "update@4 {1 4 v4} was@3 {1 3 v3}"}
	if d := cmp.Diff(want, collect(t, sub.Outbox(), 2)); d != "" {
		t.Error(d)
	}
	if n := queueDepth(w.hub, sub); n != 0 {
		t.Errorf("queue depth %d after all was read", n)
	}
}

func queueDepth(h *subscribe.Hub, s *subscribe.Subscription) int {
	i, _ := h.Lookup(s.ID())
	return i.QueueDepth
}

// await waits until ok holds.
func await(t testing.TB, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatal("condition not met in time")
		}
		runtime.Gosched()
	}
}

func TestRegisterRefuses(t *testing.T) {
	w := newWorld(t, subscribe.HubOptions{MaxPerUser: 2})
	w.start(w.spec(1, "ann", "a"))
	taken := w.spec(1, "ann", "a")
	blocked := w.spec(2, "ann", "b")
	if n := w.hub.BlockTable(2); n != 0 {
		t.Fatalf("%d subscriptions block table 2", n)
	}
	foreign := w.spec(1, "ann", "c")
	foreign.Scope.Table = 9
	both := w.spec(1, "ann", "d")
	both.Filter = compile(t, nil)
	both.Evaluator = &goEvaluator{filter: both.Filter}
	column := w.spec(1, "ann", "e")
	column.Columns = []int{3}
	none := w.spec(1, "ann", "f")
	none.Table = nil
	tests := []struct {
		name string
		spec subscribe.Spec
		code kalam.Code
		text string
	}{
		{"live id taken", taken, kalam.CodeAlreadyExists, "Live query 'ann-c1-a' already exists"},
		{"table blocked", blocked, kalam.CodeInvalidOperation,
			"Cannot subscribe to table 'app.notes': it is being dropped"},
		{"scope of another table", foreign, kalam.CodeInternal, ""},
		{"filter and evaluator", both, kalam.CodeInternal, ""},
		{"no such column", column, kalam.CodeInternal, ""},
		{"no table", none, kalam.CodeInternal, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := w.hub.Register(tt.spec)
			if kalam.CodeOf(err) != tt.code || err == nil || tt.text != "" && err.Error() != tt.text {
				t.Errorf("register: %v", err)
			}
		})
	}
	if n := w.hub.Count(); n != 1 {
		t.Errorf("%d subscriptions after refusals", n)
	}

	second := w.start(w.spec(1, "ann", "g"))
	_, err := w.hub.Register(w.spec(1, "ann", "h"))
	var e *kalam.Error
	if !errors.Is(err, subscribe.ErrLimit) || !errors.As(err, &e) || e.Code != kalam.CodeResourceExhausted ||
		e.Msg != "Maximum subscriptions reached" {
		t.Errorf("over the limit: %v", err)
	}
	w.start(w.spec(1, "bob", "h")) // Another user has their own count.
	second.Close()
	w.start(w.spec(1, "ann", "h")) // And what ended does not count.
}

func TestBlockTable(t *testing.T) {
	w := newWorld(t, subscribe.HubOptions{})
	a, b := w.start(w.spec(1, "ann", "a")), w.start(w.spec(1, "bob", "b"))
	if n := w.hub.CountTable(1); n != 2 {
		t.Errorf("CountTable = %d", n)
	}
	for user, want := range map[kalam.UserID]int{"ann": 1, "bob": 1, "cid": 0} {
		if n := w.hub.CountScope(kalam.Scope{Table: 1, User: user}); n != want {
			t.Errorf("CountScope of %s = %d, want %d", user, n, want)
		}
	}
	if n := w.hub.BlockTable(1); n != 2 {
		t.Errorf("BlockTable = %d", n)
	}
	w.start(w.spec(1, "ann", "c")).Close() // Not blocked, since it was in use.
	a.Close()
	w.hub.Kill(b.ID())
	if n := w.hub.BlockTable(1); n != 0 {
		t.Errorf("BlockTable = %d after all ended", n)
	}
	if n := w.hub.BlockTable(1); n != 0 {
		t.Errorf("second BlockTable = %d", n)
	}
	w.hub.UnblockTable(1)
	if _, err := w.hub.Register(w.spec(1, "ann", "d")); kalam.CodeOf(err) != kalam.CodeInvalidOperation {
		t.Errorf("the first UnblockTable ended the second block: %v", err)
	}
	w.hub.UnblockTable(1)
	w.start(w.spec(1, "ann", "d"))
}

func TestInfo(t *testing.T) {
	var clock atomic.Int64
	now := func() time.Time { return time.Unix(clock.Load(), 0) }
	clock.Store(100)
	w := newWorld(t, subscribe.HubOptions{Now: now})
	sub := w.start(w.spec(1, "ann", "s"))
	clock.Store(200)
	w.start(w.spec(1, "ann", "later"))
	want := subscribe.Info{
		ID: "ann-c1-s", Connection: "c1", Subscription: "s", Table: kalam.TableID{Namespace: "app", Name: "notes"},
		Number: 1,
		User:   "ann", SQL: "SELECT * FROM app.notes", Options: `{"last_rows":1}`, Status: subscribe.StatusActive,
		CreatedAt: time.Unix(100, 0),
	}
	if d := cmp.Diff(want, w.hub.Subscriptions()[0]); d != "" {
		t.Errorf("new (-want +got):\n%s", d)
	}
	w.put("ann", 1, 1)
	w.put("ann", 1, 2)
	clock.Store(300)
	collect(t, sub.Outbox(), 2)
	w.put("ann", 1, 3)
	await(t, func() bool { return queueDepth(w.hub, sub) == 1 })
	want.Changes, want.LastUpdate, want.LastSeq, want.QueueDepth = 2, time.Unix(300, 0), 2, 1
	if d := cmp.Diff(want, w.hub.Subscriptions()[0]); d != "" {
		t.Errorf("after two changes (-want +got):\n%s", d)
	}
	if _, ok := w.hub.Lookup("nobody"); ok {
		t.Error("Lookup found nobody")
	}
}

// TestEventsAreShared checks that equal subscriptions get one event, and that it
// is encoded once.
func TestEventsAreShared(t *testing.T) {
	w := newWorld(t, subscribe.HubOptions{})
	var subs []*subscribe.Subscription
	add := func(id string, columns []int, exact bool, limit int64) {
		spec := w.spec(1, "ann", id)
		spec.Columns, spec.ExactEvents, spec.Filter = columns, exact, compile(t, below(limit))
		subs = append(subs, w.start(spec))
	}
	add("a", nil, false, 50)
	add("b", nil, false, 50)
	add("other columns", []int{0, 2}, false, 50)
	add("other mode", nil, true, 50)
	add("other filter", nil, false, 60)
	w.put("ann", 1, 1)
	events := make([]*subscribe.Event, len(subs))
	for i, s := range subs {
		events[i] = next(t, s.Outbox()).Events[0]
	}
	for i, e := range events[1:] {
		if same := e == events[0]; same != (i == 0) {
			t.Errorf("event of %s shared: %v", subs[i+1].Spec().Subscription, same)
		}
	}

	var calls atomic.Int32
	var work sync.WaitGroup
	for range 8 {
		work.Go(func() {
			b := events[0].Encoded("json", func() []byte { calls.Add(1); return []byte("encoded") })
			if string(b) != "encoded" {
				t.Errorf("encoded %q", b)
			}
		})
	}
	work.Wait()
	if n := calls.Load(); n != 1 {
		t.Errorf("encoded %d times", n)
	}
	for i := range 20 { // Further forms are not mixed up, kept or not.
		form := fmt.Sprint(i)
		if b := events[0].Encoded(form, func() []byte { return []byte(form) }); string(b) != form {
			t.Errorf("form %s is %s", form, b)
		}
	}
}

// TestEventsOwnTheirMemory checks that an event does not hold the payload.
func TestEventsOwnTheirMemory(t *testing.T) {
	w := newWorld(t, subscribe.HubOptions{})
	sub := w.start(w.spec(1, "ann", "s"))
	payload := datatype.EncodeRow(nil, w.table(1), note{1, 2, "body"}.values())
	w.hub.Publish([]kalam.Change{{Scope: sub.Spec().Scope, Kind: kalam.ChangeInsert,
		New: kalam.Row{Seq: 1, Payload: payload}}})
	e := next(t, sub.Outbox()).Events[0]
	for i := range payload {
		payload[i] = 'x'
	}
	if got := noteOf(e.New); got != (note{1, 2, "body"}) {
		t.Errorf("event changed with the payload: %v", got)
	}
}

// TestOrderAcrossScopes checks that one outbox yields commits of several scopes
// in their order.
func TestOrderAcrossScopes(t *testing.T) {
	w := newWorld(t, subscribe.HubOptions{})
	out := w.hub.NewOutbox()
	defer out.Close()
	users := []kalam.UserID{"ann", "bob", "cid"}
	for _, u := range users {
		spec := w.spec(1, u, "s")
		spec.Outbox = out
		w.start(spec)
	}
	for i := range int64(300) {
		w.put(users[i%3], i, i)
	}
	for last := kalam.Seq(0); last < 300; {
		for _, e := range next(t, out).Events {
			if e.NewSeq != last+1 {
				t.Fatalf("event %d follows %d", e.NewSeq, last)
			}
			last = e.NewSeq
		}
	}
}

// TestScopesAreDisjoint checks that nobody gets another user's rows.
func TestScopesAreDisjoint(t *testing.T) {
	w := newWorld(t, subscribe.HubOptions{})
	ann, bob := w.start(w.spec(1, "ann", "s")), w.start(w.spec(1, "bob", "s"))
	for i := range int64(50) {
		w.put("ann", i, 1)
		w.put("bob", i, 2)
	}
	for _, s := range []*subscribe.Subscription{ann, bob} {
		want := "1 v1"
		if s == bob {
			want = "2 v2"
		}
		for _, e := range collect(t, s.Outbox(), 50) {
			if !strings.Contains(e, want) {
				t.Errorf("%s got %s", s.ID(), e)
			}
		}
	}
}

// TestSchemaVersions has subscriptions of two versions of a table.
func TestSchemaVersions(t *testing.T) {
	w := newWorld(t, subscribe.HubOptions{})
	old := w.start(w.spec(1, "ann", "old"))
	spec := w.spec(1, "ann", "new")
	altered := notes(1)
	altered.SchemaVersion = 2
	altered.Columns = append(altered.Columns, kalam.Column{
		ID: 4, Name: "extra", Type: kalam.TypeOf(kalam.KindText), Missing: kalam.Text("filled"),
	})
	spec.Table = altered
	fresh := w.start(spec)
	w.put("ann", 1, 1)
	e := next(t, old.Outbox()).Events[0]
	if len(e.New) != 3 || e.Table.SchemaVersion != 1 {
		t.Errorf("old version: %v", e.New)
	}
	e = next(t, fresh.Outbox()).Events[0]
	if len(e.New) != 4 || e.New[3].Str() != "filled" || e.Table.SchemaVersion != 2 {
		t.Errorf("new version: %v", e.New)
	}
	if n := w.hub.CloseTable(1, errors.New("altered")); n != 2 {
		t.Errorf("%d closed", n)
	}
}

// TestDamagedRow checks that a row that cannot be read ends the subscriptions of
// its scope with the error, those of other scopes go on.
func TestDamagedRow(t *testing.T) {
	for _, filtered := range []bool{false, true} {
		w := newWorld(t, subscribe.HubOptions{})
		spec := w.spec(1, "ann", "s")
		if filtered {
			spec.Filter = compile(t, below(5))
		}
		ann, bob := w.start(spec), w.start(w.spec(1, "bob", "s"))
		good := datatype.EncodeRow(nil, w.table(1), note{1, 1, "b"}.values())
		w.hub.Publish([]kalam.Change{
			{Scope: ann.Spec().Scope, Kind: kalam.ChangeInsert, New: kalam.Row{Seq: 1, Payload: good}},
			{Scope: ann.Spec().Scope, Kind: kalam.ChangeInsert, New: kalam.Row{Seq: 2, Payload: []byte("damaged")}},
			{Scope: bob.Spec().Scope, Kind: kalam.ChangeInsert, New: kalam.Row{Seq: 3, Payload: good}},
		})
		if err := ended(t, ann); kalam.CodeOf(err) != kalam.CodeCorrupt {
			t.Errorf("ended with %v", err)
		}
		collect(t, bob.Outbox(), 1)
		if n := w.hub.Count(); n != 1 {
			t.Errorf("%d subscriptions", n)
		}
	}
}

func TestSubscriptionsAreSorted(t *testing.T) {
	w := newWorld(t, subscribe.HubOptions{Now: func() time.Time { return time.Unix(1, 0) }})
	for _, id := range []string{"c", "a", "b"} {
		w.start(w.spec(1, "ann", id))
	}
	var ids []string
	for _, i := range w.hub.Subscriptions() {
		ids = append(ids, i.ID)
	}
	if !slices.IsSorted(ids) || len(ids) != 3 {
		t.Errorf("ids %v", ids)
	}
}
