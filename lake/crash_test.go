package lake_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/lake/file"
	"github.com/kalamlake/kalam/lake/keyindex"
	"github.com/kalamlake/kalam/lake/laketest"
)

// crashes runs work over a directory that holds one adopted segment and copies
// the directory at every step of the lake and of the storage, as a crash there
// would leave it. It returns the adopted segment and the copies by step.
func crashes(t *testing.T, rows []kalam.Row, work func(*lake.Lake)) (adopted kalam.Segment, steps []string,
	copies []string) {
	t.Helper()
	dir := t.TempDir()
	take := false
	snapshot := func(step string) {
		if take {
			to := t.TempDir()
			copyTree(t, dir, to)
			steps, copies = append(steps, step), append(copies, to)
		}
	}
	store, err := file.Open(dir, file.Options{Hook: func(step, p string) { snapshot(step + " " + p) }})
	if err != nil {
		t.Fatal(err)
	}
	b := &bed{dir: dir, store: store, now: noon}
	l, err := lake.New(lake.Options{Now: nowOf(b)},
		lake.Location{ID: kalam.LocalStorage, Storage: watched{store, snapshot}})
	if err != nil {
		t.Fatal(err)
	}
	adopted = write(t, l, notes(), "alice", rows, laketest.ParquetOptions{})
	if err := l.WriteManifest(t.Context(), notes(), "alice",
		lake.Manifest{Version: 1, Segments: []kalam.Segment{adopted}}); err != nil {
		t.Fatal(err)
	}
	take = true
	work(l)
	if err := errors.Join(l.Close(), store.Close()); err != nil {
		t.Fatal(err)
	}
	return adopted, steps, copies
}

// TestCrashInACommit restarts from every step of a commit: what was adopted is
// whole, the rest is orphans, and the flush can be repeated at once.
func TestCrashInACommit(t *testing.T) {
	old, rows := noteRows(500, 0), noteRows(700, 1000)
	adopted, steps, copies := crashes(t, old, func(l *lake.Lake) {
		write(t, l, notes(), "alice", rows, laketest.ParquetOptions{})
	})
	var points []string
	for _, s := range steps {
		point, _, _ := strings.Cut(s, " ")
		points = append(points, point)
	}
	want := []string{"verified", "written", "synced", "synced", "published", "published", "settled", "committed"}
	if !slices.Equal(points, want) {
		t.Errorf("steps %v, want %v", points, want)
	}
	for i, dir := range copies {
		t.Run(steps[i], func(t *testing.T) {
			b := newBedIn(t, dir, lake.Options{})
			wantSegment(t, b.lake, notes(), adopted, old)
			known := func(p string) bool { return p == adopted.Path }
			manifest := "users/alice/app/notes/manifest.json"
			leftover := orphans(t, b.lake, known)
			if n := len(b.files(t)) - 3; n != len(leftover) || n < 1 {
				t.Errorf("%d files besides the adopted ones, %d of them orphans", n, len(leftover))
			}
			for _, o := range leftover {
				if p, ok := strings.CutPrefix(o, "segment "); ok { // then it is whole
					seg := kalam.Segment{
						Path: p, Table: 7, Rows: 700, Bytes: int64(len(read(t, b.file(p)))), MinSeq: firstSeq,
						MaxSeq:        firstSeq + 699,
						SchemaVersion: 1, MinKey: noteKey(1000), MaxKey: noteKey(1699),
					}
					wantSegment(t, b.lake, notes(), seg, rows)
				}
			}
			again := write(t, b.lake, notes(), "alice", rows, laketest.ParquetOptions{})
			wantSegment(t, b.lake, notes(), again, rows)
			known = func(p string) bool { return p == adopted.Path || p == again.Path }
			discard(t, b.lake, known)
			wantFiles(t, b.files(t), manifest, adopted.Path, keysOf(adopted), again.Path, keysOf(again))
			wantSegment(t, b.lake, notes(), adopted, old)
			wantSegment(t, b.lake, notes(), again, rows)
		})
	}
}

// TestCrashInAManifest restarts from every step of writing manifest.json: an
// outside reader sees the old or the new one.
func TestCrashInAManifest(t *testing.T) {
	next := lake.Manifest{Version: 2}
	_, steps, copies := crashes(t, noteRows(5, 0), func(l *lake.Lake) {
		if err := l.WriteManifest(t.Context(), notes(), "alice", next); err != nil {
			t.Fatal(err)
		}
	})
	if len(copies) < 3 {
		t.Errorf("steps %v", steps)
	}
	for i, dir := range copies {
		b := newBedIn(t, dir, lake.Options{})
		w := ReadManifest(t, b.file("users/alice/app/notes/manifest.json"))
		if w.Version == 1 != (len(w.Segments) == 1) {
			t.Errorf("at %s the manifest is %+v", steps[i], w)
		}
		if _, err := b.lake.SyncManifest(t.Context(), ofAlice(next)); err != nil {
			t.Fatal(err)
		}
		if w = ReadManifest(t, b.file("users/alice/app/notes/manifest.json")); w.Version != 2 {
			t.Errorf("after SyncManifest the manifest is %+v", w)
		}
	}
}

// TestCrashInARebuild restarts from every step of replacing a key index file.
func TestCrashInARebuild(t *testing.T) {
	rows := noteRows(500, 0)
	var seg kalam.Segment
	adopted, steps, copies := crashes(t, rows, func(l *lake.Lake) {
		seg = write(t, l, notes(), "bob", rows, laketest.ParquetOptions{})
		if err := l.Rebuild(t.Context(), notes(), &seg); err != nil {
			t.Fatal(err)
		}
	})
	for i, dir := range copies {
		if !strings.HasSuffix(steps[i], keysOf(seg)) ||
			!strings.HasPrefix(steps[i], "synced") && !strings.HasPrefix(steps[i], "published") {
			continue
		}
		b := newBedIn(t, dir, lake.Options{})
		wantSegment(t, b.lake, notes(), adopted, rows)
		if i > slices.Index(steps, "committed") {
			wantSegment(t, b.lake, notes(), seg, rows)
		}
	}
}

// TestEveryOperationFails makes each storage operation of a flush fail in turn:
// the caller gets that error, nothing is left, and the next try works.
func TestEveryOperationFails(t *testing.T) {
	broken := errors.New("the disk is on fire")
	rows := noteRows(300, 0)
	for n := 0; ; n++ {
		b := newBed(t, lake.Options{})
		calls := 0
		var failed string
		armed := true
		l := newLake(t, &laketest.Faulty{Storage: b.store, Fail: func(op, p string) error {
			if calls++; armed && calls == n+1 {
				failed = op + " " + p
				return broken
			}
			return nil
		}}, lake.Options{}, nowOf(b))
		_, err := tryWrite(t, l, notes(), "alice", rows, laketest.ParquetOptions{})
		if failed == "" {
			if err != nil || n < 5 {
				t.Errorf("the flush of %d operations = %v", calls, err)
			}
			return
		}
		if !errors.Is(err, broken) {
			t.Errorf("flush when %s fails = %v", failed, err)
		}
		wantFiles(t, b.files(t))
		armed = false
		wantSegment(t, l, notes(), write(t, l, notes(), "alice", rows, laketest.ParquetOptions{}), rows)
	}
}

// TestReadsFail has a storage that fails to read: the error passes through, is
// no damage, and is not remembered.
func TestReadsFail(t *testing.T) {
	broken := errors.New("the network is down")
	b := newBed(t, lake.Options{})
	rows := noteRows(300, 0)
	seg := write(t, b.lake, notes(), "alice", rows, laketest.ParquetOptions{})
	ctx := t.Context()
	for _, op := range []string{"Open", "ReadAt"} {
		for _, p := range []string{seg.Path, keysOf(seg)} {
			armed := false
			l := newLake(t, &laketest.Faulty{Storage: b.store, Fail: func(o, at string) error {
				if armed && o == op && at == p {
					return broken
				}
				return nil
			}}, lake.Options{}, nowOf(b))
			for what, call := range map[string]func() error{
				"Find":     func() error { _, err := l.Find(ctx, &seg, [][]byte{noteKey(7)}); return err },
				"EachKey":  func() error { return l.EachKey(ctx, &seg, func(keyindex.Entry) error { return nil }) },
				"ReadRows": func() error { _, err := l.ReadRows(ctx, notes(), &seg, []int64{7}); return err },
				"Verify":   func() error { return l.Verify(ctx, &seg) },
				"Scrub":    func() error { return scrub(ctx, l, &seg) },
			} {
				armed = true
				if err := call(); err != nil && (!errors.Is(err, broken) || kalam.CodeOf(err) == kalam.CodeCorrupt) {
					t.Errorf("%s when %s of %s fails = %v", what, op, p, err)
				} else if err == nil && (what == "Verify" || what == "Scrub") {
					t.Errorf("%s when %s of %s fails succeeds", what, op, p)
				}
				armed = false
				if err := call(); err != nil {
					t.Errorf("%s after %s of %s failed = %v", what, op, p, err)
				}
			}
		}
	}
}
