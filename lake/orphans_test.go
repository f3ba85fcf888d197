package lake_test

import (
	"errors"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/lake/laketest"
	"github.com/kalamlake/kalam/lake/layout"
)

// plant writes files behind the lake's back.
func plant(t *testing.T, b *bed, paths ...string) {
	t.Helper()
	for _, p := range paths {
		if err := os.MkdirAll(path.Dir(b.file(p)), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(b.file(p), []byte(p), 0o640); err != nil {
			t.Fatal(err)
		}
	}
}

// orphans returns kind and path of each orphan, in order.
func orphans(t *testing.T, l *lake.Lake, known func(string) bool) []string {
	t.Helper()
	names := []string{}
	for _, o := range query(t, l, known).Orphans {
		names = append(names, o.Kind.String()+" "+o.Path)
	}
	slices.Sort(names)
	return names
}

func none(string) bool { return false }

// query finds orphans of every age.
func query(t *testing.T, l *lake.Lake, known func(string) bool) lake.OrphanList {
	t.Helper()
	list, err := l.Orphans(t.Context(), lake.OrphanQuery{Storage: kalam.LocalStorage, Age: -1 << 62, Known: known})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// discard moves every orphan to the trash, and empties that.
func discard(t *testing.T, l *lake.Lake, known func(string) bool) {
	t.Helper()
	for _, o := range query(t, l, known).Orphans {
		if moved, err := l.Trash(t.Context(), o, known); err != nil || !moved {
			t.Errorf("Trash(%s) = %v, %v", o.Path, moved, err)
		}
	}
	emptyTrash(t, l)
}

func emptyTrash(t *testing.T, l *lake.Lake) {
	t.Helper()
	if _, err := l.PurgeTrash(t.Context(), kalam.LocalStorage, time.Now().AddDate(1000, 0, 0)); err != nil {
		t.Fatal(err)
	}
}

func TestOrphansAreOursOnly(t *testing.T) {
	b := newBed(t, lake.Options{})
	seg := write(t, b.lake, notes(), "alice", noteRows(3, 0), laketest.ParquetOptions{})
	const stem = "users/bob/app/notes/2026-01-01T00-00-00-77"
	ours := []string{
		stem + ".parquet", "shared/app/t/2026-01-01T00-00-00-78.keys", stem + ".parquet.0123abcd.tmp",
		stem + ".keys.0123abcd.tmp",
		"users/bob/app/notes/manifest.json.0123abcd.tmp", ".kalam-probe/probe.0123abcd.tmp",
		".kalam-probe/probe.0123abcd.tmp.89abcdef.tmp",
	}
	foreign := []string{
		"users/bob/app/notes/manifest.json", "users/bob/app/notes/photo.parquet", "users/bob/app/notes/photo.keys",
		"users/bob/app/notes/notes.tmp", "users/bob/app/notes/x.0123abcd.tmp", "README",
		"users/bob/app/notes/2026-01-01T00-00-00-77.parquet.bak", "users/bob/app/notes/2026-01-01T00-00-00-.parquet",
		"users/bob/app/notes/2026-01-01T00-00-00-007.parquet", "users/bob/app/notes/2026-01-01T00-00-00-+7.parquet",
		"users/bob/app/notes/2026-01-01T00-00-00-18446744073709551616.parquet",
		"users/bob/app/notes/2026-13-01T00-00-00-7.parquet",
		"users/bob/app/notes/2026-02-30T00-00-00-7.parquet", "users/bob/app/notes/2026-01-01T24-00-00-7.parquet",
		stem + ".parquet.0123ABCD.tmp", stem + ".parquet.0123abc.tmp", stem + ".parquet0123abcd.tmp",
		"users/bob/.kalam-probe/mine.0123abcd.tmp",
	}
	plant(t, b, ours...)
	plant(t, b, foreign...)
	if err := os.WriteFile(b.file(foreign[0]), []byte(`{"segments":[]}`), 0o640); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"segment " + ours[0], "key index " + ours[1], "staged " + ours[2], "staged " + ours[3], "staged " + ours[4],
		"staged " + ours[5], "staged " + ours[6],
	}
	slices.Sort(want)
	known := func(p string) bool { return p == seg.Path }
	if diff := cmp.Diff(want, orphans(t, b.lake, known)); diff != "" {
		t.Errorf("orphans (-want +got):\n%s", diff)
	}
	for _, o := range query(t, b.lake, known).Orphans {
		if o.Bytes != int64(len(o.Path)) || o.Storage != kalam.LocalStorage || o.Age != noon.Sub(o.Modified) {
			t.Errorf("orphan %+v", o)
		}
		if moved, err := b.lake.Trash(t.Context(), o, known); err != nil || !moved {
			t.Errorf("Trash(%s) = %v, %v", o.Path, moved, err)
		}
		if moved, err := b.lake.Trash(t.Context(), o, known); err != nil || moved {
			t.Errorf("second Trash(%s) = %v, %v", o.Path, moved, err)
		}
		if got := read(t, b.file(lake.TrashPath(noon, o.Path))); string(got) != o.Path {
			t.Errorf("%s is %q in the trash", o.Path, got)
		}
	}
	if got := orphans(t, b.lake, none); len(got) != 2 {
		t.Errorf("what is in the trash is an orphan: %v", got)
	}
	emptyTrash(t, b.lake)
	wantFiles(t, b.files(t), append(foreign, seg.Path, keysOf(seg))...)
	wantSegment(t, b.lake, notes(), seg, noteRows(3, 0))
}

func TestOrphansSparePending(t *testing.T) {
	b := newBed(t, lake.Options{})
	ctx := t.Context()
	rows := noteRows(3, 0)
	p, err := b.lake.NewSegment(ctx, notes(), "alice", rows[2].Seq)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := laketest.WriteParquet(p.LocalTemp(), notes(), rows, laketest.ParquetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got := orphans(t, b.lake, none); len(got) != 0 {
		t.Errorf("orphans while a segment is written: %v", got)
	}
	staged := strings.TrimPrefix(p.LocalTemp(), b.dir+string(os.PathSeparator))
	moved, err := b.lake.Trash(ctx, lake.Orphan{Storage: kalam.LocalStorage, Path: staged, Kind: layout.StagedFile},
		none)
	if err != nil || moved {
		t.Fatalf("Trash of a staged object = %v, %v", moved, err)
	}
	seg, err := p.Commit(ctx, keys, metaOf(rows))
	if err != nil {
		t.Fatalf("Trash moved a file that is being written: %v", err)
	}
	want := []string{"segment " + seg.Path, "key index " + keysOf(seg)}
	slices.Sort(want)
	if diff := cmp.Diff(want, orphans(t, b.lake, none)); diff != "" {
		t.Errorf("orphans after the commit (-want +got):\n%s", diff)
	}
	// A crash between the two steps of publishing leaves a second name.
	plant(t, b, seg.Path+".0123abcd.tmp")
	known := func(p string) bool { return p == seg.Path }
	if diff := cmp.Diff([]string{"staged " + seg.Path + ".0123abcd.tmp"}, orphans(t, b.lake, known)); diff != "" {
		t.Errorf("orphans beside a known segment (-want +got):\n%s", diff)
	}
}

func TestOrphansOfUnknownStorage(t *testing.T) {
	b := newBed(t, lake.Options{})
	_, err := b.lake.Orphans(t.Context(), lake.OrphanQuery{Storage: "cold", Known: none})
	wantCode(t, "Orphans", err, kalam.CodeNotFound, "'cold'")
	_, err = b.lake.Trash(t.Context(), lake.Orphan{Storage: "cold"}, none)
	wantCode(t, "Trash", err, kalam.CodeNotFound, "'cold'")
	_, err = b.lake.PurgeTrash(t.Context(), "cold", noon)
	wantCode(t, "PurgeTrash", err, kalam.CodeNotFound, "'cold'")
}

func TestRemoveFolder(t *testing.T) {
	b := newBed(t, lake.Options{})
	ctx := t.Context()
	other := notes()
	other.ID.Name, other.Number = "other", 9
	gone := write(t, b.lake, notes(), "alice", noteRows(3, 0), laketest.ParquetOptions{})
	folder := path.Dir(gone.Path)
	bob := write(t, b.lake, notes(), "bob", noteRows(3, 0), laketest.ParquetOptions{})
	sibling := write(t, b.lake, other, "alice", noteRows(3, 0), laketest.ParquetOptions{})
	if err := b.lake.WriteManifest(ctx, notes(), "alice",
		lake.Manifest{Version: 1, Segments: []kalam.Segment{gone}}); err != nil {
		t.Fatal(err)
	}
	stay := []string{folder + "/readme.txt", folder + "/shard-a/2026-01-01T00-00-00-77.parquet"}
	plant(t, b, stay...)
	plant(t, b, folder+"/2026-01-01T00-00-00-77.parquet.0123abcd.tmp", folder+"/2026-01-01T00-00-00-78.keys",
		folder+"/2026-01-01T00-00-00-79.parquet")
	n, err := b.lake.RemoveFolder(ctx, "", notes(), "alice", none)
	if err != nil || n != 6 {
		t.Errorf("RemoveFolder = %d, %v; want 6 files", n, err)
	}
	wantFiles(t, b.files(t), append(stay, bob.Path, keysOf(bob), sibling.Path, keysOf(sibling))...)
	n, err = b.lake.RemoveFolder(ctx, "", notes(), "carol", none)
	if err != nil || n != 1 { // the manifest.json that is not there
		t.Errorf("RemoveFolder without folder = %d, %v", n, err)
	}
	wantSegment(t, b.lake, notes(), bob, noteRows(3, 0))
}

// TestRemoveFolderSparesTheSuccessor has a table that was created again under
// the name of the dropped one, with segments in every state.
func TestRemoveFolderSparesTheSuccessor(t *testing.T) {
	b := newBed(t, lake.Options{})
	ctx := t.Context()
	next := notes()
	next.Number = 70
	rows := noteRows(3, 0)
	old := write(t, b.lake, notes(), "alice", rows, laketest.ParquetOptions{})
	known := write(t, b.lake, next, "alice", rows, laketest.ParquetOptions{})
	// not adopted yet, so that keep does not know it
	committed := write(t, b.lake, next, "alice", rows, laketest.ParquetOptions{})
	lone := write(t, b.lake, next, "alice", rows, laketest.ParquetOptions{})
	remove(t, b.file(lone.Path)) // only its key index file is left to tell
	pending, err := b.lake.NewSegment(ctx, next, "alice", rows[2].Seq)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := laketest.WriteParquet(pending.LocalTemp(), next, rows, laketest.ParquetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.lake.WriteManifest(ctx, next, "alice",
		lake.Manifest{Version: 1, Segments: []kalam.Segment{known}}); err != nil {
		t.Fatal(err)
	}
	asked := map[string]bool{}
	n, err := b.lake.RemoveFolder(ctx, "", notes(), "alice", func(p string) bool {
		asked[p] = true
		return p == known.Path
	})
	if err != nil || n != 2 {
		t.Errorf("RemoveFolder = %d, %v; want 2 files", n, err)
	}
	if asked[""] || !asked[old.Path] {
		t.Errorf("keep was asked for %v", asked)
	}
	seg, err := pending.Commit(ctx, keys, metaOf(rows))
	if err != nil {
		t.Fatal(err)
	}
	folder := path.Dir(old.Path)
	wantFiles(t, b.files(t), known.Path, keysOf(known), committed.Path, keysOf(committed), keysOf(lone), seg.Path,
		keysOf(seg), folder+"/manifest.json")
	wantSegment(t, b.lake, next, committed, rows)
}

func TestRemoveFolderReportsFailures(t *testing.T) {
	full := errors.New("the disk is on fire")
	var fail string
	b := newBed(t, lake.Options{})
	l := newLake(t, &laketest.Faulty{Storage: b.store, Fail: func(op, _ string) error {
		if op == fail {
			return full
		}
		return nil
	}}, lake.Options{}, func() time.Time { return noon })
	write(t, l, notes(), "alice", noteRows(3, 0), laketest.ParquetOptions{})
	for _, fail = range []string{"List", "Remove"} {
		if _, err := l.RemoveFolder(t.Context(), "", notes(), "alice", none); !errors.Is(err, full) {
			t.Errorf("RemoveFolder when %s fails = %v", fail, err)
		}
		if _, err := l.Orphans(t.Context(), lake.OrphanQuery{Known: none}); fail == "List" && !errors.Is(err, full) {
			t.Errorf("Orphans when List fails = %v", err)
		}
	}
	_, err := l.RemoveFolder(t.Context(), "cold", notes(), "alice", none)
	wantCode(t, "RemoveFolder in an unknown storage", err, kalam.CodeNotFound, "'cold'")
}
