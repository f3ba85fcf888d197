package buffer_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/buffer/buffertest"
	"github.com/kalamlake/kalam/buffer/memory"
)

// logKeys counts the blocks in the log.
func logKeys(t *testing.T, b buffer.Backend) int {
	t.Helper()
	n := 0
	if err := b.Scan(t.Context(), "sys_rows", nil, nil, func(_, _ []byte) error { n++; return nil }); err != nil {
		t.Fatalf("Scan: %v", err)
	}
	return n
}

func TestFlushAssignsSegments(t *testing.T) {
	table := notes(1)
	disk := memory.New()
	f := newFixture(t, disk, buffer.Options{})
	ctx := t.Context()
	if m, err := f.store.ScopeRecord(ctx, table.ScopeOf("ann")); err != nil || m.Version != 0 {
		t.Errorf("Manifest before a flush = %+v, %v", m, err)
	}
	var ids []kalam.SegmentID
	for i := range int64(3) {
		f.apply(insert(table, "ann", i, "x"))
		ids = append(ids, f.flush(table, "ann").ID)
	}
	if diff := cmp.Diff([]kalam.SegmentID{1, 2, 3}, ids); diff != "" {
		t.Errorf("segment ids (-want +got):\n%s", diff)
	}
	for range 2 {
		m, err := f.store.ScopeRecord(ctx, table.ScopeOf("ann"))
		if err != nil || m.Version != 3 || len(m.Segments) != 3 || m.Watermark != m.Segments[2].MaxSeq ||
			m.CreatedAt.IsZero() || m.UpdatedAt.Before(m.CreatedAt) {
			t.Errorf("Manifest = %+v, %v", m, err)
		}
		f.reopen()
	}
	if n := logKeys(t, disk); n != 3 {
		t.Errorf("%d blocks before Trim, want 3", n)
	}
	if n := f.trim(table, "ann"); n != 3 {
		t.Errorf("Trim = %d, want 3", n)
	}
	if n := f.trim(table, "ann"); n != 0 {
		t.Errorf("Trim again = %d, want 0", n)
	}
	if n := logKeys(t, disk); n != 0 {
		t.Errorf("%d blocks after Trim", n)
	}
	f.want(table, "ann", map[int64]string{0: "x", 1: "x", 2: "x"})
}

// TestWritesDuringAFlush replaces rows between the snapshot of a flush and its
// commit, in every way a row can be replaced.
func TestWritesDuringAFlush(t *testing.T) {
	table := notes(1)
	f := newFixture(t, memory.New(), buffer.Options{})
	s := f.apply(insert(table, "ann", 1, "old"), insert(table, "ann", 2, "old"), insert(table, "ann", 3, "old"),
		insert(table, "ann", 4, "old"))
	f.flush(table, "ann")
	s2 := f.apply(update(table, "ann", 1, "mid", s[0]), remove(table, "ann", 2, "old", s[1]))
	snap := f.snapshot(table, "ann")
	before := f.lake.read(t, snap.View(0))
	fc, _, err := f.lake.write(snap.View(0))
	if err != nil {
		t.Fatalf("write: %v", err)
	}
	s3 := f.apply(update(table, "ann", 1, "new", s2[0]), insert(table, "ann", 2, "again"),
		remove(table, "ann", 3, "old", s[2]), insert(table, "ann", 5, "new"))
	f.apply(update(table, "ann", 1, "newest", s3[0]))
	want := map[int64]string{1: "newest", 2: "again", 4: "old", 5: "new"}
	f.want(table, "ann", want)
	if _, err := f.store.CommitFlush(t.Context(), fc); err != nil {
		t.Fatalf("CommitFlush: %v", err)
	}
	f.want(table, "ann", want)
	if diff := cmp.Diff(before, f.lake.read(t, snap.View(0))); diff != "" {
		t.Errorf("the flush's snapshot changed (-want +got):\n%s", diff)
	}
	snap.Release()
	f.trim(table, "ann")
	f.want(table, "ann", want)
	f.reopen()
	f.want(table, "ann", want)
	f.flush(table, "ann")
	f.trim(table, "ann")
	f.reopen()
	f.want(table, "ann", want)
}

// TestManyWritesDuringAFlush leaves more to the commit than it takes at once.
func TestManyWritesDuringAFlush(t *testing.T) {
	table := notes(1)
	f := newFixture(t, memory.New(), buffer.Options{})
	const n = 5000
	var muts []buffer.Mutation
	for i := range int64(n) {
		muts = append(muts, insert(table, "ann", i, "old"))
	}
	seqs := f.apply(muts...)
	snap := f.snapshot(table, "ann")
	fc, _, err := f.lake.write(snap.View(0))
	snap.Release()
	if err != nil {
		t.Fatalf("write: %v", err)
	}
	want := map[int64]string{}
	for i := range muts {
		muts[i] = update(table, "ann", int64(i), "new", seqs[i])
		want[int64(i)] = "new"
	}
	f.apply(muts...)
	if _, err := f.store.CommitFlush(t.Context(), fc); err != nil {
		t.Fatalf("CommitFlush: %v", err)
	}
	for range 2 {
		if diff := cmp.Diff(want, f.bodies(table, "ann")); diff != "" {
			t.Errorf("rows (-want +got):\n%s", diff)
		}
		f.reopen()
	}
}

// TestStaleFlushesAreRefused commits segments that are not the log's beginning.
func TestStaleFlushesAreRefused(t *testing.T) {
	table := notes(1)
	f := newFixture(t, memory.New(), buffer.Options{})
	f.apply(insert(table, "ann", 1, "x"), insert(table, "ann", 2, "x"))
	snap := f.snapshot(table, "ann")
	defer snap.Release()
	good, _, err := f.lake.write(snap.View(0))
	if err != nil {
		t.Fatalf("write: %v", err)
	}
	f.apply(insert(table, "ann", 3, "x"))
	for name, spoil := range map[string]func(fc *buffer.FlushCommit){
		"watermark above the log": func(fc *buffer.FlushCommit) { fc.Watermark += 100 },
		"watermark in a commit":   func(fc *buffer.FlushCommit) { fc.Watermark-- },
		"no watermark":            func(fc *buffer.FlushCommit) { fc.Watermark = 0 },
		"a row is missing":        func(fc *buffer.FlushCommit) { fc.Keys = fc.Keys[:1] },
		"a row twice": func(fc *buffer.FlushCommit) {
			fc.Keys = append(slices.Clone(fc.Keys),
				fc.Keys[0])
		},
		"a row of somebody else": func(fc *buffer.FlushCommit) {
			fc.Keys = []buffer.SegmentKey{fc.Keys[0],
				{Key: keyOf(table, 9)}}
		},
		"a row above the watermark": func(fc *buffer.FlushCommit) {
			fc.Keys = []buffer.SegmentKey{fc.Keys[0],
				{Key: keyOf(table, 3)}}
		},
		"flushed before": func(fc *buffer.FlushCommit) { fc.Segment.MinSeq = 0 },
		"another scope": func(fc *buffer.FlushCommit) {
			fc.Scope = table.ScopeOf("bob")
		},
	} {
		fc := good
		spoil(&fc)
		if _, err := f.store.CommitFlush(t.Context(), fc); kalam.CodeOf(err) != kalam.CodeConflict {
			t.Errorf("%s: CommitFlush = %v, want CodeConflict", name, err)
		}
	}
	f.want(table, "ann", map[int64]string{1: "x", 2: "x", 3: "x"})
	if _, err := f.store.CommitFlush(t.Context(), good); err != nil {
		t.Errorf("CommitFlush: %v", err)
	}
	f.want(table, "ann", map[int64]string{1: "x", 2: "x", 3: "x"})
}

// TestFlushesTogether commits the flushes of many scopes at once: in one batch, or in
// as few as the limits of the backend allow; one that is stale does not stop the
// others.
func TestFlushesTogether(t *testing.T) {
	for _, c := range []struct {
		name    string
		ops     int
		batches int
	}{{"one batch", 0, 1}, {"small batches", 12, 3}} {
		t.Run(c.name, func(t *testing.T) {
			table := notes(1)
			disk := &buffertest.Faulty{Backend: memory.New()}
			if c.ops > 0 {
				disk.Limits = disk.MaxBatch()
				disk.Limits.Ops = c.ops
			}
			f := newFixture(t, disk, buffer.Options{})
			var users []kalam.UserID
			var flushes []buffer.FlushCommit
			for i := range 20 {
				u := kalam.UserID(fmt.Sprintf("u%02d", 19-i))
				users = append(users, u)
				s := f.apply(insert(table, u, 1, "old"))
				f.apply(insert(table, u, 2, "old"))
				snap := f.snapshot(table, u)
				fc, _, err := f.lake.write(snap.View(0))
				snap.Release()
				if err != nil {
					t.Fatal(err)
				}
				flushes = append(flushes, fc)
				if i%2 == 0 {
					f.apply(update(table, u, 1, "new", s[0]))
				}
			}
			flushes[3].Keys = flushes[3].Keys[:1] // It lacks a row.
			flushes = append(flushes, flushes[5]) // One scope twice.
			disk.Fail(nil)
			out := f.store.CommitFlushes(t.Context(), flushes)
			if n := disk.Steps(); n != c.batches {
				t.Errorf("%d batches, want %d", n, c.batches)
			}
			for i := range out {
				if stale := i == 3 || i == 20; stale != (kalam.CodeOf(out[i].Err) == kalam.CodeConflict) || !stale &&
					(out[i].Err != nil || out[i].Segment.ID != 1) {
					t.Errorf("flush %d: %+v", i, out[i])
				}
			}
			for range 2 {
				for i, u := range users {
					want := map[int64]string{1: "old", 2: "old"}
					if i%2 == 0 {
						want[1] = "new"
					}
					f.want(table, u, want)
				}
				f.reopen()
			}
			if m, err := f.store.ScopeRecord(t.Context(), table.ScopeOf(users[3])); err != nil || m.Version != 0 {
				t.Errorf("the stale flush has the manifest %+v, %v", m, err)
			}
		})
	}
}

// TestFlushesTogetherEnd has the context of a batch end before it begins.
func TestFlushesTogetherEnd(t *testing.T) {
	table := notes(1)
	f := newFixture(t, memory.New(), buffer.Options{})
	f.apply(insert(table, "ann", 1, "x"))
	snap := f.snapshot(table, "ann")
	fc, _, err := f.lake.write(snap.View(0))
	snap.Release()
	if err != nil {
		t.Fatal(err)
	}
	f.store.Close()
	if out := f.store.CommitFlushes(t.Context(),
		[]buffer.FlushCommit{fc}); kalam.CodeOf(out[0].Err) != kalam.CodeShuttingDown {
		t.Errorf("after Close: %+v", out)
	}
	if out := f.store.CommitFlushes(t.Context(), nil); len(out) != 0 {
		t.Errorf("of nothing: %+v", out)
	}
}

// TestLookupsArePruned counts how often the lake is asked: not for keys that the
// log holds, nor for those outside every segment.
func TestLookupsArePruned(t *testing.T) {
	table := notes(1)
	f := newFixture(t, memory.New(), buffer.Options{})
	var muts []buffer.Mutation
	for i := range int64(10) {
		muts = append(muts, insert(table, "ann", 100+2*i, "x"))
	}
	seqs := f.apply(muts...)
	f.flush(table, "ann")
	count := func(what string, finds, reads int, do func()) {
		t.Helper()
		f.lake.finds, f.lake.reads = 0, 0
		do()
		if f.lake.finds != finds || f.lake.reads != reads {
			t.Errorf("%s: %d lookups and %d reads, want %d and %d", what, f.lake.finds, f.lake.reads, finds, reads)
		}
	}
	count("ascending keys", 0, 0, func() { f.apply(insert(table, "ann", 1000, "x"), insert(table, "ann", 1001, "x")) })
	count("keys inside", 1, 0, func() { f.apply(insert(table, "ann", 101, "x"), insert(table, "ann", 103, "x")) })
	count("keys in the log", 0, 0, func() {
		f.refused(kalam.CodeAlreadyExists, insert(table, "ann", 101, "x"))
	})
	count("update of flushed rows", 1, 1, func() {
		f.apply(update(table, "ann", 100, "y", seqs[0]), update(table, "ann", 102, "y", seqs[1]))
	})
	count("get of a flushed row", 1, 1, func() { f.wantGet(table, "ann", 104, "x") })
	count("get of a row in the log", 0, 0, func() { f.wantGet(table, "ann", 100, "y") })
}

// TestRecheckAfterFlush flushes a scope while a writer's lookups are in the queue.
func TestRecheckAfterFlush(t *testing.T) {
	table := notes(1)
	g := newGate()
	f := newFixture(t, memory.New(), buffer.Options{})
	seqs := f.apply(insert(table, "ann", 1, "x"))
	if err := f.store.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	f.store = openStore(t, &gated{Backend: f.backend, gate: g}, f.lake, buffer.Options{})
	first := f.start(insert(table, "bob", 1, "blocks the committer"))
	g.waitEntered(t)
	flushed := make(chan error)
	go func() {
		_, err := f.lake.flush(context.Background(), f.store, table, "ann")
		flushed <- err
	}()
	f.waitQueued(t, 1)
	waiting := []chan error{
		f.start(update(table, "ann", 1, "y", seqs[0])),
		f.start(insert(table, "ann", 1, "z")),
		f.start(insert(table, "ann", 2, "n")),
	}
	f.waitQueued(t, 4)
	g.open()
	if err := <-first; err != nil {
		t.Errorf("first: %v", err)
	}
	if err := <-flushed; err != nil {
		t.Errorf("flush: %v", err)
	}
	for i, want := range []kalam.Code{0, kalam.CodeAlreadyExists, 0} {
		if err := <-waiting[i]; kalam.CodeOf(err) != want || (want == 0) != (err == nil) {
			t.Errorf("request %d = %v, want code %d", i, err, want)
		}
	}
	f.want(table, "ann", map[int64]string{1: "y", 2: "n"})
}

func TestEvictionKeepsWholeCommits(t *testing.T) {
	table := notes(1)
	disk := memory.New()
	f := newFixture(t, disk, buffer.Options{})
	evict := func(before kalam.Seq, want int64) {
		t.Helper()
		n, err := f.store.EvictBefore(t.Context(), table, table.ScopeOf("ann"), before)
		if err != nil || n != want {
			t.Errorf("EvictBefore(%d) = %d, %v, want %d", before, n, err, want)
		}
	}
	evict(1<<60, 0)
	a := f.apply(insert(table, "ann", 1, "x"), insert(table, "ann", 2, "x"))
	b := f.apply(insert(table, "ann", 3, "x"), insert(table, "ann", 4, "x"))
	c := f.apply(insert(table, "ann", 5, "x"), insert(table, "ann", 6, "x"))
	evict(a[0], 0)
	evict(a[1], 0)
	evict(b[1], 2)
	f.want(table, "ann", map[int64]string{3: "x", 4: "x", 5: "x", 6: "x"})
	if n := logKeys(t, disk); n != 2 {
		t.Errorf("%d blocks, want 2", n)
	}
	f.apply(insert(table, "ann", 1, "y"))
	evict(b[0], 0)
	evict(c[1], 2)
	f.reopen()
	evict(c[1]+1, 2)
	f.want(table, "ann", map[int64]string{1: "y"})
	evict(1<<60, 1)
	f.reopen()
	f.want(table, "ann", map[int64]string{})
	f.apply(insert(table, "ann", 1, "z"))
	f.want(table, "ann", map[int64]string{1: "z"})
}

// TestEvictionOfAReplacement evicts a version that replaced a flushed row: the row
// must not come back.
func TestEvictionOfAReplacement(t *testing.T) {
	table := notes(1)
	f := newFixture(t, memory.New(), buffer.Options{})
	s := f.apply(insert(table, "ann", 1, "old"), insert(table, "ann", 2, "old"), insert(table, "ann", 3, "stays"))
	f.flush(table, "ann")
	f.apply(update(table, "ann", 1, "new", s[0]))
	f.apply(remove(table, "ann", 2, "old", s[1]))
	for range 2 {
		if _, err := f.store.EvictBefore(t.Context(), table, table.ScopeOf("ann"), 1<<60); err != nil {
			t.Fatalf("EvictBefore: %v", err)
		}
		f.want(table, "ann", map[int64]string{3: "stays"})
		f.wantNone(table, "ann", 1)
		f.wantNone(table, "ann", 2)
		f.reopen()
	}
	f.apply(insert(table, "ann", 1, "again"))
	f.want(table, "ann", map[int64]string{1: "again", 3: "stays"})
}

func TestScopesAreListed(t *testing.T) {
	table, other := notes(1), notes(2)
	f := newFixture(t, memory.New(), buffer.Options{})
	var want []kalam.UserID
	for i := range 1500 {
		u := kalam.UserID(fmt.Sprintf("u%04d", i))
		want = append(want, u)
		f.apply(insert(table, u, 1, "x"))
		if i%3 > 0 {
			f.flush(table, u)
		}
		if i%3 == 2 {
			f.apply(insert(table, u, 2, "x"))
		}
	}
	f.apply(insert(other, "zoe", 1, "x"))
	list := func(n kalam.TableNumber) []kalam.UserID {
		t.Helper()
		var out []kalam.UserID
		for sc, err := range f.store.Scopes(t.Context(), n) {
			if err != nil || sc.Table != n {
				t.Fatalf("Scopes gave %v, %v", sc, err)
			}
			out = append(out, sc.User)
		}
		return out
	}
	if diff := cmp.Diff(want, list(1)); diff != "" {
		t.Errorf("Scopes (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]kalam.UserID{"zoe"}, list(2)); diff != "" {
		t.Errorf("Scopes of the other table (-want +got):\n%s", diff)
	}
	for range f.store.Scopes(t.Context(), 1) {
		break
	}
	for range f.store.Scopes(t.Context(), 99) {
		t.Error("a table that does not exist has scopes")
	}
}

func TestDropTable(t *testing.T) {
	table, other := notes(1), notes(2)
	disk := memory.New()
	f := newFixture(t, disk, buffer.Options{})
	f.apply(insert(table, "ann", 1, "a"), insert(table, "bob", 1, "b"), insert(other, "ann", 1, "stays"))
	f.flush(table, "ann")
	f.apply(insert(table, "ann", 2, "c"))
	snap := f.snapshot(table, "ann", "bob")
	before := []rows{f.lake.read(t, snap.View(0)), f.lake.read(t, snap.View(1))}
	for range 2 {
		if err := f.store.DropTable(t.Context(), 1); err != nil {
			t.Fatalf("DropTable: %v", err)
		}
	}
	for i, want := range before {
		if diff := cmp.Diff(want, f.lake.read(t, snap.View(i))); diff != "" {
			t.Errorf("the snapshot changed (-want +got):\n%s", diff)
		}
	}
	if n := f.store.Readers(1); n != 2 {
		t.Errorf("Readers = %d, want 2", n)
	}
	snap.Release()
	if n := f.store.Readers(1); n != 0 {
		t.Errorf("Readers = %d, want 0", n)
	}
	f.refused(kalam.CodeTableNotFound, insert(table, "ann", 3, "x"))
	_, _, err := f.store.Views(t.Context(), []buffer.TableScope{{Table: table, Scope: table.ScopeOf("new")}})
	if kalam.CodeOf(err) != kalam.CodeTableNotFound {
		t.Errorf("Snapshot of a dropped table = %v, want CodeTableNotFound", err)
	}
	if n := logKeys(t, disk); n != 1 {
		t.Errorf("%d blocks, want that of the other table", n)
	}
	f.reopen()
	f.want(other, "ann", map[int64]string{1: "stays"})
	f.want(table, "ann", map[int64]string{}) // After a restart the catalog is who knows of the drop.
}

// TestDropBeforeSubmit drops a table while a writer to it looks up its keys in the
// lake: the write must not follow.
func TestDropBeforeSubmit(t *testing.T) {
	table := notes(1)
	disk := memory.New()
	f := newFixture(t, disk, buffer.Options{})
	f.apply(insert(table, "ann", 1, "a"), insert(table, "ann", 5, "a"))
	f.flush(table, "ann")
	entered, opened := make(chan struct{}), make(chan struct{})
	f.lake.onFind = func() { close(entered); <-opened }
	writer := f.start(insert(table, "ann", 3, "late"))
	<-entered
	if err := f.store.DropTable(t.Context(), 1); err != nil {
		t.Fatalf("DropTable: %v", err)
	}
	close(opened)
	if err := <-writer; kalam.CodeOf(err) != kalam.CodeTableNotFound {
		t.Errorf("the writer ended with %v, want CodeTableNotFound", err)
	}
	if n := logKeys(t, disk); n != 0 {
		t.Errorf("%d blocks of a dropped table", n)
	}
}

// TestDropWhileWriting drops a table under writers: nothing of it stays.
func TestDropWhileWriting(t *testing.T) {
	table := notes(1)
	disk := memory.New()
	f := newFixture(t, disk, buffer.Options{})
	ended := make(chan error, 4)
	begun := make(chan struct{}, 4000)
	for w := range 4 {
		go func() {
			for i := int64(0); ; i++ {
				_, err := f.store.Apply(context.Background(),
					[]buffer.Mutation{insert(table, kalam.UserID(fmt.Sprint(w)), i, "x")})
				if err != nil {
					ended <- err
					return
				}
				select {
				case begun <- struct{}{}:
				default:
				}
			}
		}()
	}
	for range 100 {
		<-begun
	}
	if err := f.store.DropTable(t.Context(), 1); err != nil {
		t.Fatalf("DropTable: %v", err)
	}
	for range 4 {
		if err := <-ended; kalam.CodeOf(err) != kalam.CodeTableNotFound {
			t.Errorf("a writer ended with %v, want CodeTableNotFound", err)
		}
	}
	if n := logKeys(t, disk); n != 0 {
		t.Errorf("%d blocks of a dropped table", n)
	}
	if rows, _, _ := f.store.TableStats(1); rows != 0 {
		t.Errorf("a dropped table counts %d rows", rows)
	}
}
