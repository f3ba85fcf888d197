package lake_test

import (
	"errors"
	"os"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/lake/laketest"
	"github.com/kalamlake/kalam/lake/layout"
)

// TestMarkExample holds docs/architecture/lake-format.md to the bytes.
func TestMarkExample(t *testing.T) {
	s := laketest.NewMemory(t.TempDir())
	if _, found, err := lake.ReadMark(t.Context(), s); found || err != nil {
		t.Errorf("ReadMark of an empty storage = %v, %v", found, err)
	}
	m := lake.Mark{LakeID: "0197f3c2-6a10-7c11-9f00-1234567890ab", CreatedAt: noon, Generation: 7}
	if err := lake.WriteMark(t.Context(), s, m); err != nil {
		t.Fatal(err)
	}
	raw := contentOf(t, s, layout.MarkPath)
	doc := read(t, "../docs/architecture/lake-format.md")
	if !strings.Contains(string(doc), "\n"+raw) {
		t.Errorf("the page does not have %s", raw)
	}
	got, found, err := lake.ReadMark(t.Context(), s)
	if !found || err != nil || got.LakeID != m.LakeID || !got.CreatedAt.Equal(m.CreatedAt) || got.Generation != 7 {
		t.Errorf("ReadMark = %+v, %v, %v", got, found, err)
	}
}

func contentOf(t *testing.T, s lake.Storage, p string) string {
	t.Helper()
	o, err := s.Open(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	raw := make([]byte, o.Size())
	if _, err := o.ReadAt(raw, 0); err != nil {
		t.Fatal(err)
	}
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// TestDamagedMark flips every bit and cuts at every byte: the mark is refused, or
// says what it said.
func TestDamagedMark(t *testing.T) {
	s := laketest.NewMemory(t.TempDir())
	m := lake.Mark{LakeID: "0197f3c2-6a10-7c11-9f00-1234567890ab", CreatedAt: noon, Generation: 7}
	if err := lake.WriteMark(t.Context(), s, m); err != nil {
		t.Fatal(err)
	}
	whole := contentOf(t, s, layout.MarkPath)
	check := func(what, content string) {
		t.Helper()
		if err := s.Replace(t.Context(), layout.MarkPath, []byte(content)); err != nil {
			t.Fatal(err)
		}
		got, found, err := lake.ReadMark(t.Context(), s)
		code := kalam.CodeOf(err)
		if !found || err == nil && !got.CreatedAt.Equal(m.CreatedAt) ||
			err == nil && (got.LakeID != m.LakeID || got.Generation != 7) ||
			err != nil && code != kalam.CodeCorrupt && code != kalam.CodeUnsupported {
			t.Errorf("%s: %+v, %v, %v", what, got, found, err)
		}
	}
	for i := range len(whole) {
		check("cut", whole[:i])
		for bit := range 8 {
			check("flipped", whole[:i]+string(whole[i]^1<<bit)+whole[i+1:])
		}
	}
	check("long", whole+strings.Repeat(" ", 5000))
	if err := s.Replace(t.Context(), layout.MarkPath, []byte(`{"format":3,"something":"else"}`)); err != nil {
		t.Fatal(err)
	}
	_, _, err := lake.ReadMark(t.Context(), s)
	wantCode(t, "a newer mark", err, kalam.CodeUnsupported, "newer kalam", layout.MarkPath)
}

func TestMarkThatCannotBeRead(t *testing.T) {
	broken := errors.New("input/output error")
	s := &laketest.Faulty{Storage: laketest.NewMemory(t.TempDir()), Fail: func(op, _ string) error {
		if op == "Open" {
			return broken
		}
		return nil
	}}
	if _, _, err := lake.ReadMark(t.Context(), s); !errors.Is(err, broken) {
		t.Errorf("ReadMark = %v", err)
	}
}

func TestFindSegment(t *testing.T) {
	b := newBed(t, lake.Options{})
	ctx := t.Context()
	want := func(what, some, named string) {
		t.Helper()
		got, err := lake.FindSegment(ctx, b.store)
		if err != nil || got != some {
			t.Errorf("%s: FindSegment = %q, %v", what, got, err)
		}
		if got, err = lake.FindNamedSegment(ctx, b.store); err != nil || got != named {
			t.Errorf("%s: FindNamedSegment = %q, %v", what, got, err)
		}
	}
	want("nothing", "", "")
	plant(t, b, ".trash/2026-01-01T00-00-00Z/users/a/app/t/2026-01-01T00-00-00-1.parquet",
		"users/a/app/t/photo.parquet", "users/a/app/t/2026-01-01T00-00-00-1.keys")
	want("no segment", "", "")
	seg := write(t, b.lake, notes(), "alice", noteRows(3, 0), laketest.ParquetOptions{})
	want("an unnamed one", seg.Path, "")
	if err := b.lake.WriteManifest(ctx, notes(), "alice",
		lake.Manifest{Version: 1, Segments: []kalam.Segment{seg}}); err != nil {
		t.Fatal(err)
	}
	want("a named one", seg.Path, seg.Path)
	if err := os.WriteFile(b.file(path.Dir(seg.Path)+"/manifest.json"), []byte("{"), 0o640); err != nil {
		t.Fatal(err)
	}
	want("one beside an unreadable manifest.json", seg.Path, seg.Path)
}

// TestManifestJSONProtects has segments that no manifest of record knows and a
// manifest.json in every state.
func TestManifestJSONProtects(t *testing.T) {
	b := newBed(t, lake.Options{})
	ctx := t.Context()
	rows := noteRows(3, 0)
	named := write(t, b.lake, notes(), "alice", rows, laketest.ParquetOptions{})
	b.now = b.now.Add(time.Second)
	lone := write(t, b.lake, notes(), "alice", noteRows(3, 100), laketest.ParquetOptions{})
	other := write(t, b.lake, notes(), "bob", rows, laketest.ParquetOptions{})
	folder := path.Dir(named.Path)
	manifest := folder + "/manifest.json"
	put := func(segs ...kalam.Segment) {
		t.Helper()
		if err := b.lake.WriteManifest(ctx, notes(), "alice", lake.Manifest{Version: 1, Segments: segs}); err != nil {
			t.Fatal(err)
		}
	}
	want := func(what string, segs ...kalam.Segment) {
		t.Helper()
		var paths []string
		for _, s := range segs {
			paths = append(paths, "segment "+s.Path, "key index "+keysOf(s))
		}
		got := orphans(t, b.lake, none)
		for _, p := range paths {
			if !strings.Contains(strings.Join(got, "\n")+"\n", p+"\n") {
				t.Errorf("%s: %s is no orphan", what, p)
			}
		}
		if len(got) != len(paths) {
			t.Errorf("%s: orphans %v, want %v", what, got, paths)
		}
	}
	want("no manifest.json", named, lone, other)
	put(named)
	want("it names one", lone, other)
	list := query(t, b.lake, none)
	if len(list.Protected) != 2 || len(list.Untrusted) != 0 {
		t.Errorf("protected %v, untrusted %v", list.Protected, list.Untrusted)
	}
	missing := named
	missing.Path = folder + "/2026-01-01T00-00-00-5.parquet"
	for what, content := range map[string]string{
		"not JSON": "{", "another JSON": `{"version":1}`,
		"leads out":             `{"segments":[{"path":"../../../../../x.parquet"}]}`,
		"names nothing":         `{"segments":[{"path":""}]}`,
		"names what is missing": `{"segments":[{"path":"2026-01-01T00-00-00-5.parquet"}]}`,
	} {
		if err := os.WriteFile(b.file(manifest), []byte(content), 0o640); err != nil {
			t.Fatal(err)
		}
		want(what, other)
		if list := query(t, b.lake, none); list.Untrusted[manifest] == nil || len(list.Protected) != 4 {
			t.Errorf("%s: protected %v, untrusted %v", what, list.Protected, list.Untrusted)
		}
	}
	// Orphans found it before manifest.json did.
	remove(t, b.file(manifest))
	found := query(t, b.lake, none).Orphans
	put(named)
	for _, o := range found {
		moved, err := b.lake.Trash(ctx, o, none)
		if err != nil || moved == (o.Path == named.Path || o.Path == keysOf(named)) {
			t.Errorf("Trash(%s) = %v, %v", o.Path, moved, err)
		}
	}
	wantSegment(t, b.lake, notes(), named, rows)
}

// TestNamedFromAnotherStorage has a manifest.json that names a segment elsewhere.
func TestNamedFromAnotherStorage(t *testing.T) {
	b := newBed(t, lake.Options{})
	cold := newBed(t, lake.Options{})
	if err := b.lake.Register(lake.Location{ID: "cold", Storage: cold.store}); err != nil {
		t.Fatal(err)
	}
	rows := noteRows(3, 0)
	p, err := b.lake.NewSegmentIn(t.Context(), "cold", notes(), "alice", rows[2].Seq)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := laketest.WriteParquet(p.LocalTemp(), notes(), rows, laketest.ParquetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	seg, err := p.Commit(t.Context(), keys, metaOf(rows))
	if err != nil {
		t.Fatal(err)
	}
	count := func() int {
		t.Helper()
		list, err := b.lake.Orphans(t.Context(), lake.OrphanQuery{Storage: "cold", Age: -1 << 62, Known: none})
		if err != nil {
			t.Fatal(err)
		}
		return len(list.Orphans)
	}
	if n := count(); n != 2 {
		t.Errorf("%d orphans before it is named", n)
	}
	if err := b.lake.WriteManifest(t.Context(), notes(), "alice",
		lake.Manifest{Version: 1, Segments: []kalam.Segment{seg}}); err != nil {
		t.Fatal(err)
	}
	if n := count(); n != 0 {
		t.Errorf("%d orphans that a manifest.json of another storage names", n)
	}
}

func TestOrphansOfSomeAge(t *testing.T) {
	b := newBed(t, lake.Options{})
	const p = "users/a/app/t/2026-01-01T00-00-00-1.parquet"
	plant(t, b, p)
	if err := os.Chtimes(b.file(p), noon, noon.Add(-24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	for age, want := range map[time.Duration]int{24 * time.Hour: 1, 24*time.Hour + 1: 0} {
		list, err := b.lake.Orphans(t.Context(), lake.OrphanQuery{Age: age, Known: none})
		if err != nil || len(list.Orphans) != want {
			t.Errorf("of age %s: %v, %v", age, list.Orphans, err)
		}
	}
}

func TestPurgeTrash(t *testing.T) {
	b := newBed(t, lake.Options{})
	old, recent := lake.TrashPath(noon.Add(-time.Hour), "users/a/x"), lake.TrashPath(noon, "users/a/y")
	strange := []string{".trash/kept", ".trash/kept/2020-01-01T00-00-00Z/z"}
	plant(t, b, old, recent, strange[1])
	// The time of the file says nothing.
	if err := os.Chtimes(b.file(recent), noon, noon.AddDate(-1, 0, 0)); err != nil {
		t.Fatal(err)
	}
	done, err := b.lake.PurgeTrash(t.Context(), "", noon.Add(-time.Hour))
	if err != nil || done.Files != 1 || done.Bytes != int64(len(old)) {
		t.Errorf("PurgeTrash = %+v, %v", done, err)
	}
	wantFiles(t, b.files(t), recent, strange[1])
	if _, err := os.Stat(b.file(path.Dir(old))); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder is left: %v", err)
	}
}
