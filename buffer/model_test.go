package buffer_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/buffer/buffertest"
	"github.com/kalamlake/kalam/buffer/memory"
)

// TestModel runs random operations against a Store and against maps, with
// snapshots held across them. A failure prints how to repeat it.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newModel(t)
		defer m.close()
		t.Repeat(map[string]func(*rapid.T){
			"insert":      m.insert,
			"update":      m.update,
			"remove":      m.remove,
			"transaction": m.transaction,
			"large":       m.large,
			"flush":       m.flush,
			"lateFlush":   m.lateFlush,
			"compact":     m.compact,
			"trim":        m.trim,
			"evict":       m.evict,
			"drop":        m.drop,
			"reopen":      m.reopen,
			"crash":       m.crash,
			"hold":        m.hold,
			"release":     m.release,
			"overlay":     m.overlay,
			"":            m.check,
		})
	})
}

const (
	modelUsers = 3
	modelIDs   = 12
	wideUsers  = 10
	widePieces = 3 // Batches that a write to all wide users takes.
)

// model is a Store beside what it must hold.
type model struct {
	t       *rapid.T
	memory  *memory.Backend
	backend *buffertest.Faulty
	lake    *lakeFake
	store   *buffer.Store
	clock   *steppingClock

	notes  *kalam.Table // Flushed.
	stream *kalam.Table // Evicted.
	want   map[kalam.Scope]rows
	// requests are the seqs of each committed request of a scope of the stream, of
	// which all rows are evicted together.
	requests map[kalam.Scope][][]kalam.Seq
	held     []heldPoint
	tables   kalam.TableNumber
	last     kalam.Seq
}

// heldPoint is a read point with what it must show for ever, whenever its views are taken.
type heldPoint struct {
	point  *buffer.ReadPoint
	scopes []buffer.TableScope
	views  []*buffer.View // nil for those that were not taken yet.
	want   []rows
}

func newModel(t *rapid.T) *model {
	m := &model{
		t: t, memory: memory.New(), lake: newLake(), clock: &steppingClock{}, notes: notes(1), stream: notes(2),
		want: map[kalam.Scope]rows{}, requests: map[kalam.Scope][][]kalam.Seq{}, tables: 2,
	}
	m.clock.now = kalam.Seq(1 << 50).Time()
	m.open()
	return m
}

// smallBatches make large writes frequent.
var smallBatches = buffer.Limits{Ops: 8, Bytes: 4 << 20, Value: 1 << 20}

func (m *model) open() {
	m.backend = &buffertest.Faulty{Backend: m.memory, Limits: smallBatches}
	m.store = openStore(m.t, m.backend, m.lake, buffer.Options{Now: m.clock.Now, HotBytes: 8_000, Publish: m.published})
}

// published checks the order of changes.
func (m *model) published(changes []kalam.Change) {
	for _, c := range changes {
		if c.New.Seq <= m.last {
			m.t.Errorf("change %d follows %d", c.New.Seq, m.last)
		}
		m.last = c.New.Seq
	}
}

func (m *model) close() {
	for _, h := range m.held {
		h.point.Release()
	}
	if err := m.store.Close(); err != nil {
		m.t.Errorf("Close: %v", err)
	}
}

// draw picks a table and a user.
func (m *model) draw(t *rapid.T) (*kalam.Table, kalam.UserID) {
	table := rapid.SampledFrom([]*kalam.Table{m.notes, m.notes, m.stream}).Draw(t, "table")
	return table, kalam.UserID(fmt.Sprint("user", rapid.IntRange(0, modelUsers-1).Draw(t, "user")))
}

func (m *model) rows(sc kalam.Scope) rows {
	if m.want[sc] == nil {
		m.want[sc] = rows{}
	}
	return m.want[sc]
}

func drawID(t *rapid.T) int64 { return rapid.Int64Range(0, modelIDs-1).Draw(t, "id") }

// commit applies mutations that must succeed, and does the same to the model.
func (m *model) commit(t *rapid.T, muts []buffer.Mutation) {
	seqs, err := m.store.Apply(context.Background(), muts)
	if err != nil {
		t.Fatalf("Apply: %v", err)
	}
	bySc := map[kalam.Scope][]kalam.Seq{}
	for i := range muts {
		if seqs[i] == 0 {
			continue
		}
		sc := muts[i].Scope
		id, body := decode(t, muts[i].Table, muts[i].Payload)
		bySc[sc] = append(bySc[sc], seqs[i])
		if muts[i].Kind == kalam.ChangeDelete {
			delete(m.rows(sc), id)
		} else {
			m.rows(sc)[id] = row{body, seqs[i]}
		}
	}
	for sc, list := range bySc {
		m.requests[sc] = append(m.requests[sc], list)
	}
}

func (m *model) refuse(t *rapid.T, code kalam.Code, muts ...buffer.Mutation) {
	if _, err := m.store.Apply(context.Background(), muts); kalam.CodeOf(err) != code {
		t.Fatalf("Apply = %v, want code %d", err, code)
	}
}

func (m *model) insert(t *rapid.T) {
	table, user := m.draw(t)
	id, body := drawID(t), rapid.StringN(0, 8, -1).Draw(t, "body")
	mut := insert(table, user, id, body)
	_, taken := m.rows(mut.Scope)[id]
	mut.SkipExisting = rapid.Bool().Draw(t, "skip")
	if taken && !mut.SkipExisting {
		m.refuse(t, kalam.CodeAlreadyExists, mut)
		return
	}
	m.commit(t, []buffer.Mutation{mut})
}

func (m *model) update(t *rapid.T) {
	table, user := m.draw(t)
	id := drawID(t)
	old, ok := m.rows(table.ScopeOf(user))[id]
	if !ok || rapid.IntRange(0, 9).Draw(t, "stale") == 0 {
		m.refuse(t, kalam.CodeConflict, update(table, user, id, "stale", old.Seq+1))
		return
	}
	m.commit(t, []buffer.Mutation{update(table, user, id, rapid.StringN(0, 8, -1).Draw(t, "body"), old.Seq)})
}

func (m *model) remove(t *rapid.T) {
	table, user := m.draw(t)
	id := drawID(t)
	old, ok := m.rows(table.ScopeOf(user))[id]
	if !ok {
		m.refuse(t, kalam.CodeConflict, remove(table, user, id, "", old.Seq+1))
		return
	}
	m.commit(t, []buffer.Mutation{remove(table, user, id, old.Body, old.Seq)})
}

// drawWrites draws mutations of some scopes that follow each other: those of a
// transaction.
func (m *model) drawWrites(t *rapid.T, scopes []buffer.TableScope) []buffer.Mutation {
	type key struct {
		sc kalam.Scope
		id int64
	}
	ours := map[key]row{} // Body "-" is deleted.
	var muts []buffer.Mutation
	for range rapid.IntRange(1, 12).Draw(t, "writes") {
		ts := rapid.SampledFrom(scopes).Draw(t, "scope")
		k := key{ts.Scope, drawID(t)}
		cur, written := ours[k]
		live := written && cur.Body != "-"
		if !written {
			cur, live = m.rows(k.sc)[k.id], false
			if _, ok := m.rows(k.sc)[k.id]; ok {
				live = true
			}
		}
		body := rapid.StringN(1, 8, -1).Draw(t, "body") + "."
		var mut buffer.Mutation
		switch {
		case !live:
			mut = insert(ts.Table, k.sc.User, k.id, body)
		case rapid.Bool().Draw(t, "delete"):
			mut = remove(ts.Table, k.sc.User, k.id, cur.Body, cur.Seq)
			body = "-"
		default:
			mut = update(ts.Table, k.sc.User, k.id, body, cur.Seq)
		}
		if written {
			mut = own(mut)
		}
		ours[k] = row{Body: body}
		muts = append(muts, mut)
	}
	return muts
}

func (m *model) scopes() []buffer.TableScope {
	var out []buffer.TableScope
	for _, table := range []*kalam.Table{m.notes, m.stream} {
		for u := range modelUsers {
			out = append(out, buffer.TableScope{Table: table,
				Scope: table.ScopeOf(kalam.UserID(fmt.Sprint("user", u)))})
		}
	}
	for u := range wideUsers {
		out = append(out, buffer.TableScope{Table: m.notes,
			Scope: m.notes.ScopeOf(kalam.UserID(fmt.Sprint("wide", u)))})
	}
	return out
}

func (m *model) transaction(t *rapid.T) { m.commit(t, m.drawWrites(t, m.scopes())) }

// large writes to more scopes than one batch takes, meets a failure at a piece,
// and sometimes dies there.
func (m *model) large(t *rapid.T) {
	var muts []buffer.Mutation
	body := rapid.StringN(0, 8, -1).Draw(t, "body")
	for u := range wideUsers {
		user := kalam.UserID(fmt.Sprint("wide", u))
		if old, ok := m.rows(m.notes.ScopeOf(user))[0]; ok {
			muts = append(muts, update(m.notes, user, 0, body, old.Seq))
		} else {
			muts = append(muts, insert(m.notes, user, 0, body))
		}
	}
	at, after, crash := rapid.IntRange(0, widePieces).Draw(t, "fails at"), rapid.Bool().Draw(t, "after"),
		rapid.Bool().Draw(t, "crash")
	if at == widePieces {
		m.commit(t, muts)
		return
	}
	m.backend.Fail(buffertest.FailAt(at, after, buffertest.DiskFull()))
	m.refuse(t, kalam.CodeResourceExhausted, muts...)
	if !crash {
		m.backend.Fail(nil)
		m.commit(t, muts)
		return
	}
	m.crash(t)
	if after && at == widePieces-1 { // All of it is on the disk, only the answer was lost.
		for u := range wideUsers {
			sc := m.notes.ScopeOf(kalam.UserID(fmt.Sprint("wide", u)))
			r, ok, err := m.store.Get(context.Background(), m.notes, sc, keyOf(m.notes, 0))
			if !ok || err != nil {
				t.Fatalf("Get of a row that is on the disk = %v, %v", ok, err)
			}
			m.rows(sc)[0] = row{body, r.Seq}
		}
	}
}

func (m *model) flush(t *rapid.T) {
	user := kalam.UserID(fmt.Sprint("user", rapid.IntRange(0, modelUsers-1).Draw(t, "user")))
	if _, err := m.lake.flush(context.Background(), m.store, m.notes, user); err != nil {
		t.Fatalf("flush: %v", err)
	}
}

// lateFlush writes between the snapshot of a flush and its commit, and tries to
// commit the segment twice.
func (m *model) lateFlush(t *rapid.T) {
	ts := buffer.TableScope{Table: m.notes, Scope: m.notes.ScopeOf("user1")}
	snap, err := viewsOf(m.store, context.Background(), []buffer.TableScope{ts})
	if err != nil {
		t.Fatalf("Snapshot: %v", err)
	}
	defer snap.Release()
	fc, ok, err := m.lake.write(snap.View(0))
	if err != nil {
		t.Fatalf("write: %v", err)
	}
	m.commit(t, m.drawWrites(t, []buffer.TableScope{ts}))
	if !ok {
		return
	}
	if rapid.Bool().Draw(t, "overtaken") {
		if _, err := m.lake.flush(context.Background(), m.store, m.notes, "user1"); err != nil {
			t.Fatalf("flush: %v", err)
		}
	} else if _, err := m.store.CommitFlush(context.Background(), fc); err != nil {
		t.Fatalf("CommitFlush: %v", err)
	}
	if _, err := m.store.CommitFlush(context.Background(), fc); kalam.CodeOf(err) != kalam.CodeConflict {
		t.Fatalf("CommitFlush of a stale segment = %v, want CodeConflict", err)
	}
}

func (m *model) trim(t *rapid.T) {
	for _, ts := range m.scopes() {
		if _, err := m.store.Trim(context.Background(), ts.Scope); err != nil {
			t.Fatalf("Trim: %v", err)
		}
	}
}

func (m *model) evict(t *rapid.T) {
	sc := m.stream.ScopeOf(kalam.UserID(fmt.Sprint("user", rapid.IntRange(0, modelUsers-1).Draw(t, "user"))))
	var seqs []kalam.Seq
	for _, r := range m.requests[sc] {
		seqs = append(seqs, r...)
	}
	if len(seqs) == 0 {
		return
	}
	before := rapid.SampledFrom(seqs).Draw(t, "before") + 1
	gone, versions := map[kalam.Seq]bool{}, 0
	for len(m.requests[sc]) > 0 && m.requests[sc][0][len(m.requests[sc][0])-1] < before {
		for _, s := range m.requests[sc][0] {
			gone[s] = true
			versions++
		}
		m.requests[sc] = m.requests[sc][1:]
	}
	maps.DeleteFunc(m.rows(sc), func(_ int64, r row) bool { return gone[r.Seq] })
	n, err := m.store.EvictBefore(context.Background(), m.stream, sc, before)
	if err != nil || int(n) != versions {
		t.Fatalf("EvictBefore(%d) = %d, %v, want %d", before, n, err, versions)
	}
}

// drop removes a table; the next one takes its place.
func (m *model) drop(t *rapid.T) {
	if rapid.IntRange(0, 3).Draw(t, "really") > 0 {
		return
	}
	old := m.notes
	if err := m.store.DropTable(context.Background(), old.Number); err != nil {
		t.Fatalf("DropTable: %v", err)
	}
	m.refuse(t, kalam.CodeTableNotFound, insert(old, "user1", 1, "x"))
	maps.DeleteFunc(m.want, func(sc kalam.Scope, _ rows) bool { return sc.Table == old.Number })
	m.tables++
	m.notes = notes(m.tables)
	if rows, _, _ := m.store.TableStats(old.Number); rows != 0 {
		t.Errorf("a dropped table has %d rows", rows)
	}
	for sc, err := range m.store.Scopes(context.Background(), old.Number) {
		t.Errorf("a dropped table has scope %v, %v", sc, err)
	}
}

func (m *model) reopen(t *rapid.T) {
	m.releaseAll()
	before := m.backlog()
	if err := m.store.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	m.clock.step(-3600e9) // The wall clock steps back; seqs must not.
	m.open()
	if diff := cmp.Diff(before, m.backlog()); diff != "" {
		t.Errorf("counters of buffered versions after a restart (-before +after):\n%s", diff)
	}
}

// backlog returns the counters of the buffered versions.
func (m *model) backlog() map[kalam.TableNumber][]buffer.ScopeStats {
	out := map[kalam.TableNumber][]buffer.ScopeStats{}
	for n := range m.tables + 1 {
		if dirty := m.store.Dirty(n); len(dirty) > 0 {
			out[n] = dirty
		}
	}
	return out
}

// checkCounts compares the counters with the model, and those of a table with
// those of its scopes.
func (m *model) checkCounts(t *rapid.T) {
	buffered := map[kalam.TableNumber]int64{}
	for _, ts := range m.scopes() {
		c, err := m.store.Counts(context.Background(), ts.Table, ts.Scope, 0)
		if err != nil || c.Live != int64(len(m.rows(ts.Scope))) {
			t.Errorf("%v: Counts = %+v, %v, want %d live rows", ts.Scope, c, err, len(m.rows(ts.Scope)))
		}
		buffered[ts.Scope.Table] += c.Buffered
	}
	var sum, size int64
	for n, dirty := range m.backlog() {
		var want buffer.ScopeStats
		for _, st := range dirty {
			if want.Oldest == 0 || st.Oldest < want.Oldest {
				want.Oldest = st.Oldest
			}
			want.Rows += st.Rows
			want.Bytes += st.Bytes
		}
		rows, bytes, oldest := m.store.TableStats(n)
		if got := (buffer.ScopeStats{Rows: rows, Bytes: bytes, Oldest: oldest}); got != want || rows != buffered[n] {
			t.Errorf("table %d: TableStats = %+v, its scopes have %+v, their views %d rows", n, got, want, buffered[n])
		}
		sum, size = sum+rows, size+bytes
	}
	if st := m.store.Stats(); st.Buffered != sum || st.Bytes != size || m.store.BufferedBytes() != size {
		t.Errorf("Stats = %+v, the tables have %d rows, %d bytes", st, sum, size)
	}
}

// crash goes on with the disk as it is, while the old process does not close.
func (m *model) crash(t *rapid.T) {
	m.releaseAll()
	disk := m.memory.Clone()
	m.backend.Fail(nil)
	if err := m.store.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	m.memory = disk
	m.open()
}

func (m *model) releaseAll() {
	for _, h := range m.held {
		h.point.Release()
	}
	m.held = nil
}

func (m *model) hold(t *rapid.T) {
	if len(m.held) == 4 {
		return
	}
	h := heldPoint{point: m.store.Begin(), scopes: m.scopes()}
	h.views = make([]*buffer.View, len(h.scopes))
	for _, ts := range h.scopes {
		h.want = append(h.want, maps.Clone(m.rows(ts.Scope)))
	}
	m.held = append(m.held, h)
}

func (m *model) release(t *rapid.T) {
	if len(m.held) == 0 {
		return
	}
	i := rapid.IntRange(0, len(m.held)-1).Draw(t, "snapshot")
	m.held[i].point.Release()
	m.held = slices.Delete(m.held, i, i+1)
}

// overlay compares a view with a transaction's writes to what a commit of them
// would give.
func (m *model) overlay(t *rapid.T) {
	ts := rapid.SampledFrom(m.scopes()).Draw(t, "scope")
	snap, err := viewsOf(m.store, context.Background(), []buffer.TableScope{ts})
	if err != nil {
		t.Fatalf("Snapshot: %v", err)
	}
	defer snap.Release()
	muts := m.drawWrites(t, []buffer.TableScope{ts})
	want := bodiesOf(m.rows(ts.Scope))
	for i := range muts {
		id, body := decode(t, ts.Table, muts[i].Payload)
		if muts[i].Kind == kalam.ChangeDelete {
			delete(want, id)
		} else {
			want[id] = body
		}
	}
	cut := rapid.IntRange(0, len(muts)).Draw(t, "cut")
	own, err := snap.View(0).Writes()
	if err != nil {
		t.Fatalf("Writes: %v", err)
	}
	for _, some := range [][]buffer.Mutation{muts[:cut], muts[cut:]} {
		if err := own.Add(context.Background(), some); err != nil {
			t.Fatalf("Add: %v", err)
		}
		bodiesOf(m.lake.read(t, own.View()))
	}
	view := own.View()
	if diff := cmp.Diff(want, bodiesOf(m.lake.read(t, view))); diff != "" {
		t.Errorf("overlay (-want +got):\n%s", diff)
	}
	for id := range int64(modelIDs) {
		r, ok, err := view.Get(context.Background(), keyOf(ts.Table, id))
		if err != nil {
			t.Fatalf("Get: %v", err)
		}
		body := ""
		if ok {
			_, body = decode(t, ts.Table, r.Payload)
		}
		if wanted, live := want[id]; live != ok || body != wanted {
			t.Errorf("Get(%d) of an overlay = %q, %v, want %q, %v", id, body, ok, wanted, live)
		}
	}
}

// check compares the Store and every snapshot with the model.
func (m *model) check(t *rapid.T) {
	snap, err := viewsOf(m.store, context.Background(), m.scopes())
	if err != nil {
		t.Fatalf("Snapshot: %v", err)
	}
	defer snap.Release()
	for i, ts := range m.scopes() {
		if diff := cmp.Diff(m.rows(ts.Scope), m.lake.read(t, snap.View(i))); diff != "" {
			t.Errorf("%v (-want +got):\n%s", ts.Scope, diff)
		}
		id := int64(i) % modelIDs
		r, ok, err := m.store.Get(context.Background(), ts.Table, ts.Scope, keyOf(ts.Table, id))
		if want, live := m.rows(ts.Scope)[id]; err != nil || live != ok || r.Seq != want.Seq {
			t.Errorf("%v: Get(%d) = %v, %v, %v, want %v, %v", ts.Scope, id, r.Seq, ok, err, want, live)
		}
	}
	m.checkCounts(t)
	for k := range m.held {
		m.checkPoint(t, &m.held[k])
	}
}

// checkPoint takes some of the views that a point lacks and compares those that it has. A view
// of a table that was dropped before it was taken is refused.
func (m *model) checkPoint(t *rapid.T, h *heldPoint) {
	for i, ts := range h.scopes {
		if h.views[i] == nil && rapid.IntRange(0, 3).Draw(t, "take") == 0 {
			v, err := h.point.View(context.Background(), ts)
			if dropped := ts.Table.Number != m.notes.Number && ts.Table.Number != m.stream.Number; dropped {
				if kalam.CodeOf(err) != kalam.CodeTableNotFound {
					t.Errorf("view of a dropped table: %v", err)
				}
				continue
			}
			if err != nil {
				t.Fatalf("View: %v", err)
			}
			h.views[i] = v
		}
		if h.views[i] == nil {
			continue
		}
		if diff := cmp.Diff(h.want[i], m.lake.read(t, h.views[i])); diff != "" {
			t.Errorf("%v at %d (-want +got):\n%s", ts.Scope, h.point.Seq(), diff)
		}
	}
}
