package buffer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"
	"pgregory.net/rapid"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/buffer/buffertest"
	"github.com/kalamlake/kalam/buffer/memory"
)

// compact writes what a compaction of the segments [from, to) of a view does.
// Their files go when nobody reads them.
func (l *lakeFake) compact(v *buffer.View, from, to int, forget bool) buffer.CompactCommit {
	l.mu.Lock()
	defer l.mu.Unlock()
	made := &segmentFake{keys: map[string]int64{}}
	cc := buffer.CompactCommit{Table: v.Table(), Scope: v.Scope()}
	seg := kalam.Segment{Table: v.Table().Number, SchemaVersion: 1}
	var paths []string
	for _, old := range v.Stored()[from:to] {
		s := l.segments[old.Segment.Path]
		paths = append(paths, old.Segment.Path)
		removed := roaring.New()
		if old.Dead != nil {
			removed.Or(old.Dead)
		}
		if forget && old.Tombstones != nil {
			removed.Or(old.Tombstones)
		}
		keys := make([]string, len(s.rows))
		for k, r := range s.keys {
			keys[r] = k
		}
		for i, r := range s.rows {
			if removed.Contains(uint32(i)) {
				continue
			}
			made.keys[keys[i]] = int64(len(made.rows))
			made.rows = append(made.rows, r)
			if r.Deleted {
				seg.Tombstones++
			}
			if k := []byte(keys[i]); len(made.rows) == 1 || bytes.Compare(k, seg.MinKey) < 0 {
				seg.MinKey = k
			}
			if k := []byte(keys[i]); bytes.Compare(k, seg.MaxKey) > 0 {
				seg.MaxKey = k
			}
		}
		cc.Old = append(cc.Old, buffer.CompactedSegment{ID: old.Segment.ID, Removed: removed})
	}
	if seg.Rows = int64(len(made.rows)); seg.Rows > 0 {
		l.files++
		seg.Path = fmt.Sprintf("%d", l.files)
		seg.MinSeq, seg.MaxSeq = made.rows[0].Seq, made.rows[len(made.rows)-1].Seq
		l.segments[seg.Path] = made
		cc.Segment = &seg
	}
	cc.Unread = func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, p := range paths {
			if l.segments[p] == nil {
				panic("the files of a segment went twice")
			}
			delete(l.segments, p)
		}
	}
	return cc
}

// compaction prepares the compaction of all segments of a scope.
func (f *fixture) compaction(t *kalam.Table, user kalam.UserID, forget bool) buffer.CompactCommit {
	f.t.Helper()
	snap := f.snapshot(t, user)
	defer snap.Release()
	return f.lake.compact(snap.View(0), 0, len(snap.View(0).Stored()), forget)
}

func (f *fixture) commitCompaction(cc buffer.CompactCommit) kalam.Segment {
	f.t.Helper()
	seg, err := f.store.CommitCompaction(context.Background(), cc)
	if err != nil {
		f.t.Fatalf("CommitCompaction: %v", err)
	}
	return seg
}

// count returns how many segments the lake holds.
func (l *lakeFake) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.segments)
}

// TestWritesDuringACompaction replaces rows between the snapshot of a compaction
// and its commit, in every way a row can be replaced, and flushes too: the race
// in which deleted rows come back.
func TestWritesDuringACompaction(t *testing.T) {
	for _, flushed := range []bool{false, true} {
		t.Run(fmt.Sprintf("flushed=%v", flushed), func(t *testing.T) {
			table := notes(1)
			f := newFixture(t, memory.New(), buffer.Options{})
			s := f.apply(insert(table, "ann", 1, "a"), insert(table, "ann", 2, "a"), insert(table, "ann", 3, "a"),
				insert(table, "ann", 4, "a"), insert(table, "ann", 5, "a"))
			f.flush(table, "ann")
			s2 := f.apply(update(table, "ann", 1, "b", s[0]), remove(table, "ann", 2, "a", s[1]),
				insert(table, "ann", 6, "b"))
			f.flush(table, "ann")
			f.apply(update(table, "ann", 6, "c", s2[2])) // In the log only when the compaction begins.
			cc := f.compaction(table, "ann", false)
			if n := cc.Segment.Rows; n != 6 {
				t.Errorf("the new segment has %d rows, want 6: 3, 4, 5 and 1, 2, 6", n)
			}
			f.apply(remove(table, "ann", 3, "a", s[2]), update(table, "ann", 4, "d", s[3]),
				insert(table, "ann", 2, "again"), insert(table, "ann", 7, "new"))
			if flushed {
				f.flush(table, "ann")
				f.trim(table, "ann")
			}
			held := f.snapshot(table, "ann")
			want := map[int64]string{1: "b", 2: "again", 4: "d", 5: "a", 6: "c", 7: "new"}
			f.want(table, "ann", want)
			seg := f.commitCompaction(cc)
			f.want(table, "ann", want)
			segments := 1
			if flushed {
				segments = 2
			}
			if n := f.lake.count(); n != segments+len(cc.Old) {
				t.Errorf("%d files while a snapshot reads the old ones, want %d", n, segments+len(cc.Old))
			}
			if diff := cmp.Diff(want, bodiesOf(f.lake.read(t, held.View(0)))); diff != "" {
				t.Errorf("the open snapshot (-want +got):\n%s", diff)
			}
			held.Release()
			m, err := f.store.ScopeRecord(t.Context(), table.ScopeOf("ann"))
			if err != nil || len(m.Segments) != segments || m.Segments[0].ID != seg.ID || f.lake.count() != segments {
				t.Errorf("manifest %+v, %v; %d files", m, err, f.lake.count())
			}
			for range 2 {
				f.reopen()
				f.want(table, "ann", want)
				f.wantNone(table, "ann", 3)
				f.wantGet(table, "ann", 4, "d")
				f.refused(kalam.CodeAlreadyExists, insert(table, "ann", 5, "x"))
				f.flush(table, "ann")
				f.trim(table, "ann")
				f.want(table, "ann", want)
			}
			cc = f.compaction(table, "ann", true)
			f.commitCompaction(cc)
			f.want(table, "ann", want)
			f.apply(insert(table, "ann", 3, "back"))
			want[3] = "back"
			f.want(table, "ann", want)
		})
	}
}

// TestCompactionOfNothing removes every row: the segments go and none comes.
func TestCompactionOfNothing(t *testing.T) {
	table := notes(1)
	f := newFixture(t, memory.New(), buffer.Options{})
	s := f.apply(insert(table, "ann", 1, "a"))
	f.flush(table, "ann")
	f.apply(remove(table, "ann", 1, "a", s[0]))
	f.flush(table, "ann")
	f.commitCompaction(f.compaction(table, "ann", true))
	for range 2 {
		m, err := f.store.ScopeRecord(t.Context(), table.ScopeOf("ann"))
		if err != nil || len(m.Segments) != 0 || m.Watermark == 0 || f.lake.count() != 0 {
			t.Errorf("manifest %+v, %v; %d files", m, err, f.lake.count())
		}
		f.wantNone(table, "ann", 1)
		f.reopen()
	}
	f.apply(insert(table, "ann", 1, "back"))
	if seg := f.flush(table, "ann"); seg.ID != 3 {
		t.Errorf("the next segment has the id %d: ids are given once", seg.ID)
	}
	f.want(table, "ann", map[int64]string{1: "back"})
}

// TestCompactionRefusals shows what cannot be committed, and that nothing of it
// is left.
func TestCompactionRefusals(t *testing.T) {
	table := notes(1)
	f := newFixture(t, memory.New(), buffer.Options{})
	for i := range int64(4) {
		f.apply(insert(table, "ann", i, "a"))
		f.flush(table, "ann")
	}
	want := map[int64]string{0: "a", 1: "a", 2: "a", 3: "a"}
	refuse := func(what string, code kalam.Code, cc buffer.CompactCommit) {
		t.Helper()
		_, err := f.store.CommitCompaction(t.Context(), cc)
		if kalam.CodeOf(err) != code || !errors.Is(err, buffer.ErrRefused) {
			t.Errorf("%s: %v, want code %d and ErrRefused", what, err, code)
		}
		f.want(table, "ann", want)
	}
	whole := f.compaction(table, "ann", false)
	gap := whole
	gap.Old = slices.Delete(slices.Clone(whole.Old), 1, 2)
	refuse("a gap", kalam.CodeConflict, gap)
	swapped := whole
	swapped.Old = slices.Clone(whole.Old)
	slices.Reverse(swapped.Old)
	refuse("another order", kalam.CodeConflict, swapped)
	lossy := whole
	lossy.Old = slices.Clone(whole.Old)
	lossy.Old[1].Removed = roaring.BitmapOf(0)
	refuse("a live row left out", kalam.CodeInternal, lossy)
	short := whole
	seg := *whole.Segment
	seg.Rows--
	short.Segment = &seg
	refuse("another number of rows", kalam.CodeInternal, short)
	refuse("no segments", kalam.CodeInternal, buffer.CompactCommit{Table: table, Scope: table.ScopeOf("ann")})
	f.commitCompaction(whole)
	refuse("a second time", kalam.CodeConflict, whole)
	if err := f.store.DropTable(t.Context(), table.Number); err != nil {
		t.Fatal(err)
	}
	if _, err := f.store.CommitCompaction(t.Context(), whole); kalam.CodeOf(err) != kalam.CodeTableNotFound ||
		!errors.Is(err, buffer.ErrRefused) {
		t.Errorf("of a dropped table: %v", err)
	}
}

// TestFailedCompaction lets the batch of the commit fail, written and not
// written: the old segments stay, and the new file may not go.
func TestFailedCompaction(t *testing.T) {
	for _, written := range []bool{false, true} {
		table := notes(1)
		faulty := &buffertest.Faulty{Backend: memory.New()}
		f := newFixture(t, faulty, buffer.Options{})
		s := f.apply(insert(table, "ann", 1, "a"), insert(table, "ann", 2, "a"))
		f.flush(table, "ann")
		f.apply(insert(table, "ann", 3, "a"), remove(table, "ann", 1, "a", s[0]))
		f.flush(table, "ann")
		cc := f.compaction(table, "ann", false)
		faulty.Fail(func(int, []buffer.Op) (bool, error) { return written, errors.New("an injected fault") })
		_, err := f.store.CommitCompaction(t.Context(), cc)
		if err == nil || errors.Is(err, buffer.ErrRefused) {
			t.Errorf("written %v: %v", written, err)
		}
		faulty.Fail(nil)
		want := map[int64]string{2: "a", 3: "a"}
		f.want(table, "ann", want)
		f.apply(insert(table, "ann", 4, "a"))
		want[4] = "a"
		f.reopen()
		f.want(table, "ann", want)
		m, err := f.store.ScopeRecord(t.Context(), table.ScopeOf("ann"))
		if err != nil || len(m.Segments) != 2 {
			t.Errorf("written %v: manifest %+v, %v", written, m, err)
		}
	}
}

// TestLookupsKeepFiles holds a point read and a write in the middle of their
// lookups while a compaction replaces the segments they look into.
func TestLookupsKeepFiles(t *testing.T) {
	table := notes(1)
	f := newFixture(t, memory.New(), buffer.Options{})
	s := f.apply(insert(table, "ann", 1, "a"), insert(table, "ann", 9, "a"))
	f.flush(table, "ann")
	f.apply(insert(table, "ann", 2, "a"), insert(table, "ann", 8, "a"))
	f.flush(table, "ann")
	begun, goOn := make(chan struct{}, 8), make(chan struct{})
	f.lake.onFind = func() {
		begun <- struct{}{}
		<-goOn
	}
	var g errgroup.Group
	var read row
	g.Go(func() error {
		read, _ = f.get(table, "ann", 1)
		return nil
	})
	g.Go(func() error {
		_, err := f.store.Apply(context.Background(), []buffer.Mutation{remove(table, "ann", 9, "a", s[1])})
		return err
	})
	<-begun
	<-begun
	f.commitCompaction(f.compaction(table, "ann", false))
	if n := f.lake.count(); n != 3 {
		t.Errorf("%d files while lookups read the old ones, want 3", n)
	}
	close(goOn)
	if err := g.Wait(); err != nil {
		t.Errorf("the write: %v", err)
	}
	f.lake.onFind = nil
	if read.Body != "a" {
		t.Errorf("the read gave %+v", read)
	}
	if n := f.lake.count(); n != 1 {
		t.Errorf("%d files at the end, want 1", n)
	}
	want := map[int64]string{1: "a", 2: "a", 8: "a"}
	f.want(table, "ann", want)
	f.reopen()
	f.want(table, "ann", want)
}

// TestCompactionRace updates and deletes rows while their scope is flushed and
// compacted without pause, and compares with a map.
func TestCompactionRace(t *testing.T) {
	table := notes(1)
	f := newFixture(t, memory.New(), buffer.Options{})
	const ids, rounds = 64, 400
	var mu sync.Mutex // guards want
	want := map[int64]string{}
	var done atomic.Bool
	var g, writers errgroup.Group
	for w := range int64(4) {
		writers.Go(func() error { // Each writer has ids of its own.
			for i := range int64(rounds) {
				id := w + 4*(i*7%(ids/4))
				body := fmt.Sprint(w, "-", i)
				var m buffer.Mutation
				old, there, err := f.store.Get(context.Background(), table, table.ScopeOf("ann"), keyOf(table, id))
				switch {
				case err != nil:
					return err
				case !there:
					m = insert(table, "ann", id, body)
				case i%3 == 0:
					m = remove(table, "ann", id, body, old.Seq)
				default:
					m = update(table, "ann", id, body, old.Seq)
				}
				if _, err := f.store.Apply(context.Background(), []buffer.Mutation{m}); err != nil {
					return err
				}
				mu.Lock()
				if want[id] = body; m.Kind == kalam.ChangeDelete {
					delete(want, id)
				}
				mu.Unlock()
			}
			return nil
		})
	}
	compactions := 0
	g.Go(func() error {
		for !done.Load() {
			if _, err := f.lake.flush(context.Background(), f.store, table, "ann"); err != nil {
				return err
			}
		}
		return nil
	})
	g.Go(func() error {
		for ; !done.Load(); compactions++ {
			snap, err := viewsOf(f.store, context.Background(),
				[]buffer.TableScope{{Table: table, Scope: table.ScopeOf("ann")}})
			if err != nil {
				return err
			}
			v := snap.View(0)
			if n := len(v.Stored()); n > 0 {
				_, err = f.store.CommitCompaction(context.Background(), f.lake.compact(v, 0, n, compactions%2 == 0))
			}
			snap.Release()
			if err != nil {
				return err
			}
		}
		return nil
	})
	err := writers.Wait()
	done.Store(true)
	if err := errors.Join(err, g.Wait()); err != nil {
		t.Fatal(err)
	}
	f.want(table, "ann", want)
	f.reopen()
	f.want(table, "ann", want)
	if compactions == 0 {
		t.Error("nothing was compacted")
	}
}

// compact compacts neighbouring segments of a scope, with writes, a flush or a
// second compaction between its snapshot and its commit.
func (m *model) compact(t *rapid.T) {
	user := kalam.UserID(fmt.Sprint("user", rapid.IntRange(0, modelUsers-1).Draw(t, "user")))
	ts := buffer.TableScope{Table: m.notes, Scope: m.notes.ScopeOf(user)}
	snap, err := viewsOf(m.store, context.Background(), []buffer.TableScope{ts})
	if err != nil {
		t.Fatalf("Snapshot: %v", err)
	}
	defer snap.Release()
	n := len(snap.View(0).Stored())
	if n == 0 {
		return
	}
	from := rapid.IntRange(0, n-1).Draw(t, "from")
	to := rapid.IntRange(from+1, n).Draw(t, "to")
	cc := m.lake.compact(snap.View(0), from, to, rapid.Bool().Draw(t, "forget"))
	if rapid.Bool().Draw(t, "write") {
		m.commit(t, m.drawWrites(t, []buffer.TableScope{ts}))
	}
	if rapid.Bool().Draw(t, "flush") {
		if _, err := m.lake.flush(context.Background(), m.store, m.notes, user); err != nil {
			t.Fatalf("flush: %v", err)
		}
	}
	if _, err := m.store.CommitCompaction(context.Background(), cc); err != nil {
		t.Fatalf("CommitCompaction: %v", err)
	}
	if _, err := m.store.CommitCompaction(context.Background(), cc); kalam.CodeOf(err) != kalam.CodeConflict {
		t.Fatalf("CommitCompaction a second time = %v, want CodeConflict", err)
	}
}

// TestForgottenIsKept: the highest seq of the tombstones that compactions left out is in
// the record by the commit that leaves them out, and stays there over later commits and
// a start. A commit that is refused leaves it as it was. Case D8.
func TestForgottenIsKept(t *testing.T) {
	table := notes(1)
	f := newFixture(t, memory.New(), buffer.Options{})
	var want kalam.Seq
	check := func(when string) {
		t.Helper()
		m, err := f.store.ScopeRecord(t.Context(), table.ScopeOf("ann"))
		snap := f.snapshot(table, "ann")
		defer snap.Release()
		if got := snap.View(0).Forgotten(); err != nil || m.Forgotten != want || got != want {
			t.Errorf("%s: forgotten up to %d, %d in a view, want %d; %v", when, m.Forgotten, got, want, err)
		}
	}
	s := f.apply(insert(table, "ann", 1, "a"), insert(table, "ann", 2, "a"), insert(table, "ann", 3, "a"))
	f.flush(table, "ann")
	gone := f.apply(remove(table, "ann", 1, "a", s[0]))[0]
	f.flush(table, "ann")
	check("after flushes")
	cc := f.compaction(table, "ann", true)
	cc.Forgotten = gone
	stale := f.compaction(table, "ann", true)
	stale.Forgotten = gone + 1
	f.commitCompaction(cc)
	want = gone
	check("after a compaction")
	if _, err := f.store.CommitCompaction(t.Context(), stale); !errors.Is(err, buffer.ErrRefused) {
		t.Errorf("a second commit: %v", err)
	}
	check("after a refused one")
	f.apply(insert(table, "ann", 4, "b"))
	f.flush(table, "ann")
	check("after a flush")
	f.commitCompaction(f.compaction(table, "ann", false))
	check("after a compaction that forgets nothing")
	f.reopen()
	check("after a start")
}
