package subscribe_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/subscribe"
)

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// notes is the table of the hub's tests.
func notes(n kalam.TableNumber) *kalam.Table {
	return &kalam.Table{
		ID: kalam.TableID{Namespace: "app", Name: "notes"}, Number: n, Kind: kalam.KindUserTable, SchemaVersion: 1,
		Columns: []kalam.Column{
			{ID: 1, Name: "id", Type: kalam.TypeOf(kalam.KindBigInt), NotNull: true},
			{ID: 2, Name: "n", Type: kalam.TypeOf(kalam.KindInt)},
			{ID: 3, Name: "body", Type: kalam.TypeOf(kalam.KindText)},
		},
		PrimaryKey: []int{0},
	}
}

// note is a row of notes.
type note struct {
	id, n int64
	body  string
}

func (r note) values() []kalam.Value {
	return []kalam.Value{kalam.BigInt(r.id), kalam.Integer(kalam.KindInt, r.n), kalam.Text(r.body)}
}

func noteOf(v []kalam.Value) note { return note{v[0].Int(), v[1].Int(), v[2].Str()} }

// stored is a row with the seq of its version.
type stored struct {
	note
	seq kalam.Seq
}

// world is a row log as the buffer keeps it: commits are made in one order, are
// visible to snapshots first, and are published then.
type world struct {
	t   testing.TB
	hub *subscribe.Hub

	mu     sync.Mutex // The committer's: held over commit and publish.
	tables map[kalam.TableNumber]*kalam.Table
	log    []kalam.Change

	visible sync.RWMutex // guards the fields below
	seq     kalam.Seq
	rows    map[kalam.Scope]map[int64]stored
}

func newWorld(t testing.TB, o subscribe.HubOptions) *world {
	t.Helper()
	w := &world{t: t, hub: subscribe.NewHub(o), tables: map[kalam.TableNumber]*kalam.Table{},
		rows: map[kalam.Scope]map[int64]stored{}}
	t.Cleanup(func() {
		if err := w.hub.Close(); err != nil {
			t.Errorf("close hub: %v", err)
		}
	})
	return w
}

func (w *world) table(n kalam.TableNumber) *kalam.Table {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.tables[n] == nil {
		w.tables[n] = notes(n)
	}
	return w.tables[n]
}

// write is one row of a commit: put or remove a key.
type write struct {
	scope  kalam.Scope
	row    note
	remove bool
}

// commit makes one transaction; removing a missing key does nothing.
func (w *world) commit(writes ...write) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.visible.Lock()
	var changes []kalam.Change
	for _, x := range writes {
		if c, ok := w.applyLocked(x); ok {
			changes = append(changes, c)
		}
	}
	w.visible.Unlock()
	w.log = append(w.log, changes...)
	var wanted []kalam.Change
	for _, c := range changes {
		if w.hub.Interested(c.Scope) {
			wanted = append(wanted, c)
		}
	}
	w.hub.Publish(wanted)
	clear(wanted) // The hub may not keep the slice.
}

func (w *world) applyLocked(x write) (kalam.Change, bool) {
	rows := w.rows[x.scope]
	if rows == nil {
		rows = map[int64]stored{}
		w.rows[x.scope] = rows
	}
	old, exists := rows[x.row.id]
	if x.remove && !exists {
		return kalam.Change{}, false
	}
	t := w.tables[x.scope.Table]
	w.seq++
	c := kalam.Change{Scope: x.scope, Kind: kalam.ChangeInsert}
	if exists {
		c.Kind = kalam.ChangeUpdate
		c.Old = kalam.Row{Seq: old.seq, Payload: datatype.EncodeRow(nil, t, old.values())}
	}
	if x.remove {
		c.Kind = kalam.ChangeDelete
		c.New = kalam.Row{Seq: w.seq, Deleted: true, Payload: c.Old.Payload}
		delete(rows, x.row.id)
		return c, true
	}
	c.New = kalam.Row{Seq: w.seq, Payload: datatype.EncodeRow(nil, t, x.row.values())}
	rows[x.row.id] = stored{x.row, w.seq}
	return c, true
}

// snapshot returns the rows of a scope and the seq at which they are so.
func (w *world) snapshot(s kalam.Scope) (map[int64]stored, kalam.Seq) {
	w.visible.RLock()
	defer w.visible.RUnlock()
	rows := make(map[int64]stored, len(w.rows[s]))
	for k, v := range w.rows[s] {
		rows[k] = v
	}
	return rows, w.seq
}

// changes returns the log.
func (w *world) changes() []kalam.Change {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]kalam.Change(nil), w.log...)
}

// spec returns the Spec of a subscription of user to a table.
func (w *world) spec(n kalam.TableNumber, user kalam.UserID, id string) subscribe.Spec {
	t := w.table(n)
	return subscribe.Spec{
		Table: t, Scope: t.ScopeOf(user), User: user, Role: kalam.RoleUser,
		Connection: "c1", Subscription: id, SQL: "SELECT * FROM app.notes", Options: `{"last_rows":1}`,
	}
}

// start registers and activates.
func (w *world) start(s subscribe.Spec) *subscribe.Subscription {
	w.t.Helper()
	sub, err := w.hub.Register(s)
	if err != nil {
		w.t.Fatalf("register: %v", err)
	}
	_, seq := w.snapshot(s.Scope)
	sub.Activate(seq)
	return sub
}

func (w *world) put(user kalam.UserID, id, n int64) {
	w.commit(write{scope: kalam.Scope{Table: 1, User: user}, row: note{id: id, n: n, body: fmt.Sprint("v", n)}})
}

func (w *world) remove(user kalam.UserID, id int64) {
	w.commit(write{scope: kalam.Scope{Table: 1, User: user}, row: note{id: id}, remove: true})
}

// compile compiles a filter over notes.
func compile(t testing.TB, e subscribe.Expr) *subscribe.Filter {
	t.Helper()
	f, err := subscribe.Compile(notes(1), e, "u", kalam.RoleUser)
	if err != nil {
		t.Fatalf("compile: %v", err)
	}
	return f
}

func col(name string) subscribe.Expr   { return subscribe.Column{Name: name} }
func lit(v kalam.Value) subscribe.Expr { return subscribe.Const{Value: v} }
func num(n int64) subscribe.Expr       { return lit(kalam.Integer(kalam.KindInt, n)) }
func text(s string) subscribe.Expr     { return lit(kalam.Text(s)) }
func is(op subscribe.CompareOp, a, b subscribe.Expr) subscribe.Expr {
	return subscribe.Compare{Op: op, Left: a, Right: b}
}

// below is n < limit.
func below(limit int64) subscribe.Expr { return is(subscribe.Less, col("n"), num(limit)) }

// next reads one delivery.
func next(t testing.TB, o *subscribe.Outbox) subscribe.Delivery {
	t.Helper()
	d, err := o.Next(within(t))
	if err != nil {
		t.Fatalf("next delivery: %v", err)
	}
	return d
}

// describe writes an event in one line.
func describe(e *subscribe.Event) string {
	s := fmt.Sprintf("%s@%d", e.Kind, e.NewSeq)
	if e.Deleted {
		s += " tombstone"
	}
	s += fmt.Sprintf(" %v", noteOf(e.New))
	if e.Old != nil {
		s += fmt.Sprintf(" was@%d %v", e.OldSeq, noteOf(e.Old))
	}
	return s
}

// collect reads events of one subscription's outbox until n came.
func collect(t testing.TB, o *subscribe.Outbox, n int) (events []string) {
	t.Helper()
	for len(events) < n {
		d := next(t, o)
		if d.Err != nil {
			t.Fatalf("subscription ended after %q: %v", events, d.Err)
		}
		for _, e := range d.Events {
			events = append(events, describe(e))
		}
	}
	return events
}

// goEvaluator is an Evaluator of a compiled filter.
type goEvaluator struct {
	key    string
	filter *subscribe.Filter
	before func(ctx context.Context) error // Called at each Match; may be nil.
}

func (g *goEvaluator) Key() string        { return g.key }
func (g *goEvaluator) NamesDeleted() bool { return g.filter.NamesDeleted() }

func (g *goEvaluator) Match(ctx context.Context, t *kalam.Table, rows []kalam.Row) ([]bool, error) {
	if g.before != nil {
		if err := g.before(ctx); err != nil {
			return nil, err
		}
	}
	match := make([]bool, len(rows))
	for i, r := range rows {
		vals, err := datatype.DecodeRow(t, r.Payload, nil)
		if err != nil {
			return nil, err
		}
		match[i] = g.filter.Match(vals, r.Seq, r.Deleted)
	}
	return match, nil
}
