package buffer_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/google/go-cmp/cmp"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/buffer/memory"
	"github.com/kalamlake/kalam/datatype"
)

func TestVersionsAreInLogOrder(t *testing.T) {
	table := notes(1)
	f := newFixture(t, memory.New(), buffer.Options{})
	s := f.apply(insert(table, "ann", 3, "c"), insert(table, "ann", 1, "a"), insert(table, "ann", 2, "b"))
	f.apply(update(table, "ann", 3, "cc", s[0]))
	last := f.apply(remove(table, "ann", 1, "a", s[1]))
	snap := f.snapshot(table, "ann")
	defer snap.Release()
	f.apply(insert(table, "ann", 4, "later"))
	var got []string
	var seq kalam.Seq
	for v, err := range snap.View(0).Versions() {
		if err != nil {
			t.Fatalf("Versions: %v", err)
		}
		id, body := decode(t, table, v.Row.Payload)
		got = append(got, fmt.Sprint(id, body, v.Row.Deleted))
		if v.Row.Seq <= seq {
			t.Errorf("seq %d after %d", v.Row.Seq, seq)
		}
		seq = v.Row.Seq
	}
	if diff := cmp.Diff([]string{"2bfalse", "3ccfalse", "1atrue"}, got); diff != "" {
		t.Errorf("Versions (-want +got):\n%s", diff)
	}
	if w := snap.View(0).Watermark(); w != last[0] || snap.Seq() != last[0] {
		t.Errorf("Watermark = %d, Seq = %d, want %d", w, snap.Seq(), last[0])
	}
	if n := snap.View(0).BufferedRows(); n != 5 {
		t.Errorf("BufferedRows = %d, want 5", n)
	}
	for range snap.View(0).Versions() {
		break
	}
}

// deletedBodies returns "body/deleted" of the batches with tombstones.
func deletedBodies(t *testing.T, v *buffer.View) map[int64]string {
	t.Helper()
	batches, err := v.Batches(true)
	if err != nil {
		t.Fatalf("Batches: %v", err)
	}
	out := map[int64]string{}
	eachLive(batches, func(rec arrow.RecordBatch, i int) {
		deleted := rec.Column(int(rec.NumCols()) - 1).(*array.Boolean).Value(i)
		out[rec.Column(0).(*array.Int64).Value(i)] = fmt.Sprintf("%s/%v", rec.Column(1).(*array.String).Value(i),
			deleted)
	})
	return out
}

func TestTombstonesShowWhenAsked(t *testing.T) {
	table := notes(1)
	f := newFixture(t, memory.New(), buffer.Options{})
	s := f.apply(insert(table, "ann", 1, "a"), insert(table, "ann", 2, "b"))
	f.apply(remove(table, "ann", 1, "a", s[0]))
	snap := f.snapshot(table, "ann")
	defer snap.Release()
	if diff := cmp.Diff(map[int64]string{1: "a/true", 2: "b/false"}, deletedBodies(t, snap.View(0))); diff != "" {
		t.Errorf("Batches(true) (-want +got):\n%s", diff)
	}
	over := overlay(t, snap.View(0), []buffer.Mutation{
		insert(table, "ann", 1, "new"), remove(table, "ann", 2, "b", s[1]),
	})
	if diff := cmp.Diff(map[int64]string{1: "new/false", 2: "b/true"}, deletedBodies(t, over)); diff != "" {
		t.Errorf("Batches(true) of an overlay (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[int64]string{1: "new"}, bodiesOf(f.lake.read(t, over))); diff != "" {
		t.Errorf("overlay (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[int64]string{2: "b"}, bodiesOf(f.lake.read(t, snap.View(0)))); diff != "" {
		t.Errorf("the view under the overlay (-want +got):\n%s", diff)
	}
	var got []string
	for v, err := range over.Versions() {
		if err != nil {
			t.Fatalf("Versions: %v", err)
		}
		_, body := decode(t, table, v.Row.Payload)
		got = append(got, body)
	}
	if diff := cmp.Diff([]string{"new", "b"}, got); diff != "" || over.BufferedRows() != 5 {
		t.Errorf("Versions of an overlay (-want +got):\n%s\n%d rows", diff, over.BufferedRows())
	}
}

// overlay returns a view with own writes on top, added one by one and read in
// between.
func overlay(t *testing.T, view *buffer.View, muts []buffer.Mutation) *buffer.View {
	t.Helper()
	own, err := view.Writes()
	if err != nil {
		t.Fatalf("Writes: %v", err)
	}
	for i := range muts {
		if err := own.Add(t.Context(), muts[i:i+1]); err != nil {
			t.Fatalf("Add: %v", err)
		}
		if _, err := own.View().Batches(false); err != nil {
			t.Fatalf("Batches: %v", err)
		}
	}
	return own.View()
}

// TestBatchesGrow adds and replaces rows in many sizes, and holds snapshots in
// between: batches stay full-sized at most, and every view exact.
func TestBatchesGrow(t *testing.T) {
	table := notes(1)
	f := newFixture(t, memory.New(), buffer.Options{})
	next, want := int64(0), map[int64]string{}
	type held struct {
		snap *fixedViews
		want map[int64]string
	}
	var all []held
	for round, n := range []int{1, 1, 1, 2, 5, 300, 1, 3000, 1, 1, 5000, 2, 1} {
		var muts []buffer.Mutation
		for range n {
			muts = append(muts, insert(table, "ann", next, fmt.Sprint(round)))
			want[next] = fmt.Sprint(round)
			next++
		}
		f.apply(muts...)
		if round%3 == 2 { // Replace most of what there is.
			muts = muts[:0]
			for id, r := range f.rows(table, "ann") {
				if id%5 > 0 {
					muts = append(muts, update(table, "ann", id, "u"+fmt.Sprint(round), r.Seq))
					want[id] = "u" + fmt.Sprint(round)
				}
			}
			f.apply(muts...)
		}
		copied := map[int64]string{}
		for id, b := range want {
			copied[id] = b
		}
		all = append(all, held{f.snapshot(table, "ann"), copied})
		for _, h := range []held{all[len(all)-1], all[round/2]} {
			if diff := cmp.Diff(h.want, bodiesOf(f.lake.read(t, h.snap.View(0)))); diff != "" {
				t.Fatalf("round %d (-want +got):\n%s", round, diff)
			}
		}
	}
	batches, err := all[len(all)-1].snap.View(0).Batches(false)
	if err != nil {
		t.Fatalf("Batches: %v", err)
	}
	for _, b := range batches {
		if b.Record.NumRows() > 2048 {
			t.Errorf("a batch has %d rows", b.Record.NumRows())
		}
	}
	if len(batches) > 25 {
		t.Errorf("%d rows in %d batches", len(want), len(batches))
	}
	for _, h := range all {
		if diff := cmp.Diff(h.want, bodiesOf(f.lake.read(t, h.snap.View(0)))); diff != "" {
			t.Errorf("at the end (-want +got):\n%s", diff)
		}
		h.snap.Release()
	}
}

// TestBatchesFollowTheTable reads one scope by two definitions of its table, in
// both orders.
func TestBatchesFollowTheTable(t *testing.T) {
	old := notes(1)
	altered := *old
	altered.Columns = append(append([]kalam.Column(nil), old.Columns...),
		kalam.Column{ID: 3, Name: "extra", Type: kalam.TypeOf(kalam.KindInt)})
	altered.SchemaVersion = 2
	f := newFixture(t, memory.New(), buffer.Options{})
	f.apply(insert(old, "ann", 1, "x"))
	sc := old.ScopeOf("ann")
	snap, err := viewsOf(f.store, t.Context(),
		[]buffer.TableScope{{Table: old, Scope: sc}, {Table: &altered, Scope: sc}})
	if err != nil {
		t.Fatalf("Snapshot: %v", err)
	}
	defer snap.Release()
	for _, i := range []int{0, 1, 0, 1} {
		batches, err := snap.View(i).Batches(false)
		if err != nil || len(batches) != 1 {
			t.Fatalf("Batches = %v, %v", batches, err)
		}
		want := datatype.TableSchema(snap.View(i).Table())
		if !batches[0].Record.Schema().Equal(want) || batches[0].Record.NumRows() != 1 {
			t.Errorf("view %d: %v, want %v", i, batches[0].Record.Schema(), want)
		}
	}
}

func TestReleasedSnapshots(t *testing.T) {
	table := notes(1)
	f := newFixture(t, memory.New(), buffer.Options{})
	f.apply(insert(table, "ann", 1, "x"))
	snap := f.snapshot(table, "ann")
	view := snap.View(0)
	if _, err := view.Batches(false); err != nil {
		t.Fatalf("Batches: %v", err)
	}
	snap.Release()
	snap.Release()
	if _, err := view.Batches(false); err == nil {
		t.Error("Batches after Release succeeds")
	}
	if _, _, err := view.Get(context.Background(), keyOf(table, 1)); err == nil {
		t.Error("Get after Release succeeds")
	}
	if _, err := view.Writes(); err == nil {
		t.Error("Writes after Release succeeds")
	}
	for _, err := range view.Versions() {
		if err == nil {
			t.Error("Versions after Release succeeds")
		}
	}
}

func TestOverlays(t *testing.T) {
	table := notes(1)
	inFourStates(t, func(t *testing.T, f *fixture, settle func()) {
		s := f.apply(insert(table, "ann", 1, "a"), insert(table, "ann", 2, "b"), insert(table, "ann", 3, "c"))
		settle()
		snap := f.snapshot(table, "ann")
		defer snap.Release()
		view := overlay(t, snap.View(0), []buffer.Mutation{
			update(table, "ann", 1, "aa", s[0]), own(update(table, "ann", 1, "aaa", 0)),
			remove(table, "ann", 2, "b", s[1]), insert(table, "ann", 4, "d"),
		})
		if diff := cmp.Diff(map[int64]string{1: "aaa", 3: "c", 4: "d"}, bodiesOf(f.lake.read(t, view))); diff != "" {
			t.Errorf("overlay (-want +got):\n%s", diff)
		}
		for id, want := range map[int64]string{1: "aaa", 2: "", 3: "c", 4: "d", 5: ""} {
			row, ok, err := view.Get(t.Context(), keyOf(table, id))
			if err != nil || ok != (want != "") {
				t.Errorf("Get(%d) = %v, %v", id, ok, err)
			}
			if ok {
				if _, body := decode(t, table, row.Payload); body != want {
					t.Errorf("Get(%d) = %q, want %q", id, body, want)
				}
			}
		}
		f.want(table, "ann", map[int64]string{1: "a", 2: "b", 3: "c"})
	})
}

// TestKeyOf finds keys by seq: of the log, of a transaction's own writes, and none
// of what the snapshot does not show.
func TestKeyOf(t *testing.T) {
	table := notes(1)
	f := newFixture(t, memory.New(), buffer.Options{})
	s := f.apply(insert(table, "ann", 3, "c"), insert(table, "ann", 1, "a"))
	u := f.apply(update(table, "ann", 3, "cc", s[0]))
	snap := f.snapshot(table, "ann")
	defer snap.Release()
	later := f.apply(insert(table, "ann", 4, "d"))
	view := snap.View(0)
	over := overlay(t, view, []buffer.Mutation{insert(table, "ann", 7, "own")})
	for _, v := range []*buffer.View{view, over} {
		for seq, want := range map[kalam.Seq]int64{s[0]: 3, s[1]: 1, u[0]: 3} {
			if key, ok := v.KeyOf(seq); !ok || !bytes.Equal(key, keyOf(table, want)) {
				t.Errorf("KeyOf(%d) = %x, %v, want that of row %d", seq, key, ok, want)
			}
		}
		for _, seq := range []kalam.Seq{0, s[0] - 1, later[0], 1<<63 - 1} {
			if key, ok := v.KeyOf(seq); ok && !bytes.Equal(key, keyOf(table, 7)) {
				t.Errorf("KeyOf(%d) = %x", seq, key)
			}
		}
	}
	row, ok, err := over.Get(t.Context(), keyOf(table, 7))
	if err != nil || !ok || row.Seq <= snap.Seq() {
		t.Fatalf("the own row is %+v, %v, %v", row, ok, err)
	}
	own, ok := over.KeyOf(row.Seq)
	if !ok || !bytes.Equal(own, keyOf(table, 7)) {
		t.Errorf("the key of the own row is %x, %v", own, ok)
	}
	if key, ok := view.KeyOf(row.Seq); ok {
		t.Errorf("the view itself has %x", key)
	}
}
