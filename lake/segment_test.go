package lake_test

import (
	"context"
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
	"github.com/kalamlake/kalam/lake/keyindex"
	"github.com/kalamlake/kalam/lake/laketest"
	"github.com/kalamlake/kalam/lake/parquet"
)

func TestCommitMakesASegment(t *testing.T) {
	b := newBed(t, lake.Options{})
	rows := noteRows(5000, 100)
	rows[17].Deleted = true
	rows[4999].Deleted = true
	seg := write(t, b.lake, notes(), "alice", rows, laketest.ParquetOptions{})
	want := kalam.Segment{
		Storage: kalam.LocalStorage, Path: seg.Path, MinSeq: rows[0].Seq, MaxSeq: rows[4999].Seq, Rows: 5000,
		Tombstones: 2,
		Bytes:      int64(len(read(t, b.file(seg.Path)))), MinKey: noteKey(100), MaxKey: noteKey(5099),
		SchemaVersion: 1, Table: 7, CreatedAt: noon, User: "alice", Sums: seg.Sums,
	}
	if keys := int64(len(read(t, b.file(keysOf(seg))))); seg.Sums.KeysBytes != keys || !seg.Sums.Known() {
		t.Errorf("sums %+v of a key index file of %d bytes", seg.Sums, keys)
	}
	if diff := cmp.Diff(want, seg); diff != "" {
		t.Errorf("segment (-want +got):\n%s", diff)
	}
	if want := "users/alice/app/notes/2026-01-31T12-00-00-144115188075860871.parquet"; seg.Path != want {
		t.Errorf("path %s, want %s", seg.Path, want)
	}
	wantFiles(t, b.files(t), seg.Path, keysOf(seg))
	wantSegment(t, b.lake, notes(), seg, rows)
	if err := b.lake.Remove(t.Context(), &seg); err != nil {
		t.Fatal(err)
	}
	wantFiles(t, b.files(t))
	if _, err := os.Stat(b.file("users")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folders of the only segment are left: %v", err)
	}
	if err := b.lake.Remove(t.Context(), &seg); err != nil {
		t.Errorf("second Remove = %v", err)
	}
}

func TestAbortLeavesNothing(t *testing.T) {
	b := newBed(t, lake.Options{})
	ctx := t.Context()
	p, err := b.lake.NewSegment(ctx, notes(), "alice", firstSeq)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := laketest.WriteParquet(p.LocalTemp(), notes(), noteRows(10, 0), laketest.ParquetOptions{}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := p.Abort(); err != nil {
			t.Fatal(err)
		}
	}
	wantFiles(t, b.files(t))
	if _, err := p.Commit(ctx, nil, lake.SegmentMeta{}); err == nil {
		t.Error("an aborted segment was committed")
	}
	unwritten, err := b.lake.NewSegment(ctx, notes(), "alice", firstSeq)
	if err != nil {
		t.Fatal(err)
	}
	if unwritten.Path() != p.Path() {
		t.Errorf("the name of an aborted segment stays taken: %s after %s", unwritten.Path(), p.Path())
	}
	if err := unwritten.Abort(); err != nil {
		t.Fatal(err)
	}
	wantFiles(t, b.files(t))
}

// call is what a caller gives to Commit.
type call struct {
	keys []keyindex.Entry
	meta lake.SegmentMeta
	name string // of the written file
}

// mistake is a way to call Commit wrongly.
type mistake struct {
	name  string
	table *kalam.Table // asks for the segment; nil is notes
	o     laketest.ParquetOptions
	spoil func(*call)
	want  string
}

func mistakes() []mistake {
	newer, other := notes(), notes()
	newer.SchemaVersion = 2
	other.Number = 99
	wider := notes()
	wider.Columns = append(wider.Columns, kalam.Column{ID: 4, Name: "late", Type: kalam.TypeOf(kalam.KindInt)})
	return []mistake{
		{name: "no keys", spoil: func(c *call) { c.keys = nil }, want: "0 keys"},
		{name: "a row without key", spoil: func(c *call) { c.keys = c.keys[1:] }, want: "99 keys"},
		{name: "one row twice", spoil: func(c *call) { c.keys[3].Row = 4 }, want: "row 4"},
		{name: "row beyond the file", spoil: func(c *call) { c.keys[3].Row = 100 }, want: "row 100 of 100"},
		{name: "one version twice", spoil: func(c *call) {
			c.keys[3].Key, c.keys[3].Seq = c.keys[4].Key,
				c.keys[4].Seq
		}, want: "same key"},
		{name: "seq below the range", spoil: func(c *call) { c.keys[3].Seq = firstSeq - 1 }, want: "seq"},
		{name: "seq above the range", spoil: func(c *call) { c.keys[3].Seq = firstSeq + 100 }, want: "seq"},
		{name: "huge key", spoil: func(c *call) { c.keys[3].Key = make([]byte, 33<<20) }, want: "bytes long"},
		{name: "more rows than the file", spoil: func(c *call) {
			c.meta.Rows++
			c.keys = append(c.keys, keyindex.Entry{Key: noteKey(1000), Row: 100, Seq: firstSeq + 50})
		}, want: "100 rows instead of 101"},
		{name: "fewer rows than the file", spoil: func(c *call) { c.meta.Rows--; c.keys = c.keys[:99] },
			want: "100 rows instead of 99"},
		{name: "no rows", spoil: func(c *call) { c.meta.Rows = 0 }, want: "Rows:0"},
		{name: "more tombstones than rows", spoil: func(c *call) { c.meta.Tombstones = 101 }, want: "Tombstones:101"},
		{name: "negative tombstones", spoil: func(c *call) { c.meta.Tombstones = -1 }, want: "Tombstones:-1"},
		{name: "seqs reversed", spoil: func(c *call) { c.meta.MinSeq = c.meta.MaxSeq + 1 }, want: "MinSeq"},
		{name: "seq above the name's", spoil: func(c *call) { c.meta.MaxSeq++ }, want: "MaxSeq"},
		{name: "file missing", spoil: func(c *call) { _ = os.Remove(c.name) }, want: "no such file"},
		{name: "file empty", spoil: func(c *call) { _ = os.Truncate(c.name, 0) }, want: "only 0 bytes"},
		{name: "file cut", spoil: func(c *call) { _ = os.Truncate(c.name, 500) },
			want: "does not end as a Parquet file"},
		{name: "no metadata", o: laketest.ParquetOptions{Metadata: map[string]string{}}, want: "version 0 of table 0"},
		{name: "metadata is no number",
			o: laketest.ParquetOptions{Metadata: map[string]string{parquet.MetaSchemaVersion: "one"}}, want: `"one"`},
		{name: "other version", table: newer, want: "not for version 2"},
		{name: "other table", table: other, want: "of table 99"},
		{name: "column missing", table: wider, want: "lacks column late"},
	}
}

// TestCommitRefuses has one case for everything that a caller can get wrong;
// none leaves a file.
func TestCommitRefuses(t *testing.T) {
	for _, c := range mistakes() {
		t.Run(c.name, func(t *testing.T) {
			b := newBed(t, lake.Options{})
			table := c.table
			if table == nil {
				table = notes()
			}
			rows := noteRows(100, 0)
			p, err := b.lake.NewSegment(t.Context(), table, "alice", rows[99].Seq)
			if err != nil {
				t.Fatal(err)
			}
			keys, err := laketest.WriteParquet(p.LocalTemp(), notes(), rows, c.o)
			if err != nil {
				t.Fatal(err)
			}
			made := call{keys: keys, meta: metaOf(rows), name: p.LocalTemp()}
			if c.spoil != nil {
				c.spoil(&made)
			}
			_, err = p.Commit(t.Context(), made.keys, made.meta)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Commit = %v, want an error with %q", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), b.dir) {
				t.Errorf("Commit = %q, which names the directory", err)
			}
			wantFiles(t, b.files(t))
		})
	}
}

// TestKeyIndexFileNamesTheNewestVersion commits a segment with several versions of
// keys, as a compaction that keeps history would.
func TestKeyIndexFileNamesTheNewestVersion(t *testing.T) {
	b := newBed(t, lake.Options{})
	rows := keyRows("b", "a", "b", "c", "a", "b")
	seg := write(t, b.lake, keyed(), "alice", rows, laketest.ParquetOptions{})
	found, err := b.lake.Locate(t.Context(), &seg, [][]byte{textKey("c"), textKey("a"), textKey("b"), textKey("bb")})
	if err != nil {
		t.Fatal(err)
	}
	want := []keyindex.Position{{Row: 3, Seq: firstSeq + 3}, {Row: 4, Seq: firstSeq + 4}, {Row: 5, Seq: firstSeq + 5},
		{Row: -1}}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Errorf("positions (-want +got):\n%s", diff)
	}
}

// TestNamesAreNotTaken writes segments with one clock reading and one highest
// seq, as a flush and a compaction in one second do.
func TestNamesAreNotTaken(t *testing.T) {
	b := newBed(t, lake.Options{})
	rows := noteRows(3, 0)
	var names []string
	for range 3 {
		seg := write(t, b.lake, notes(), "alice", rows, laketest.ParquetOptions{})
		names = append(names, path.Base(seg.Path)[:19])
		if !seg.CreatedAt.Equal(noon) {
			t.Errorf("created at %s", seg.CreatedAt)
		}
	}
	if want := []string{"2026-01-31T12-00-00", "2026-01-31T12-00-01", "2026-01-31T12-00-02"}; !slices.Equal(names,
		want) {
		t.Errorf("names %v, want %v", names, want)
	}
	// One that is being written has its name, too.
	first, err := b.lake.NewSegment(t.Context(), notes(), "bob", rows[2].Seq)
	if err != nil {
		t.Fatal(err)
	}
	second, err := b.lake.NewSegment(t.Context(), notes(), "bob", rows[2].Seq)
	if err != nil {
		t.Fatal(err)
	}
	if first.Path() == second.Path() {
		t.Errorf("two open segments are called %s", first.Path())
	}
	for _, p := range []*lake.Pending{first, second} {
		if err := p.Abort(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestNameOfAnOrphanedKeyIndexFile has the key index file of a commit that crashed before
// its Parquet file appeared; a retry within the second must not trip over it.
func TestNameOfAnOrphanedKeyIndexFile(t *testing.T) {
	b := newBed(t, lake.Options{})
	rows := noteRows(3, 0)
	seg := write(t, b.lake, notes(), "alice", rows, laketest.ParquetOptions{})
	remove(t, b.file(seg.Path))
	again := write(t, b.lake, notes(), "alice", rows, laketest.ParquetOptions{})
	wantSegment(t, b.lake, notes(), again, rows)
	wantFiles(t, b.files(t), keysOf(seg), again.Path, keysOf(again))
}

// TestReusedNameHasItsOwnRows removes a segment whose rows are cached and
// writes another one under its name.
func TestReusedNameHasItsOwnRows(t *testing.T) {
	b := newBed(t, lake.Options{})
	ctx := t.Context()
	old, next := noteRows(100, 0), noteRows(100, 5000)
	seg := write(t, b.lake, notes(), "alice", old, laketest.ParquetOptions{})
	for range 3 { // read often enough to be kept decoded
		if _, err := b.lake.ReadRows(ctx, notes(), &seg, []int64{3}); err != nil {
			t.Fatal(err)
		}
	}
	discard(t, b.lake, none)
	again := write(t, b.lake, notes(), "alice", next, laketest.ParquetOptions{})
	if again.Path != seg.Path {
		t.Fatalf("the second segment is called %s, not %s", again.Path, seg.Path)
	}
	wantSegment(t, b.lake, notes(), again, next)
}

// TestNameOfARemovedSegment removes a segment that a compaction replaced and
// writes its rows again within the second: the name is not given twice.
func TestNameOfARemovedSegment(t *testing.T) {
	b := newBed(t, lake.Options{})
	rows := noteRows(3, 0)
	seg := write(t, b.lake, notes(), "alice", rows, laketest.ParquetOptions{})
	if err := b.lake.Remove(t.Context(), &seg); err != nil {
		t.Fatal(err)
	}
	if again := write(t, b.lake, notes(), "alice", rows, laketest.ParquetOptions{}); again.Path == seg.Path {
		t.Errorf("the name %s was given twice", seg.Path)
	}
}

func TestNewSegmentRefuses(t *testing.T) {
	b := newBed(t, lake.Options{})
	ctx := t.Context()
	stream, elsewhere, sharded := notes(), notes(), notes()
	stream.Kind = kalam.KindStreamTable
	elsewhere.Options.StorageID = "cold"
	sharded.Options.ShardStrategy = "zodiac"
	_, err := b.lake.NewSegment(ctx, stream, "alice", 1)
	wantCode(t, "segment of a STREAM table", err, kalam.CodeInvalidOperation, "app.notes")
	_, err = b.lake.NewSegment(ctx, elsewhere, "alice", 1)
	wantCode(t, "segment in an unknown storage", err, kalam.CodeNotFound, "Storage 'cold' does not exist")
	_, err = b.lake.NewSegmentIn(ctx, "hot", notes(), "alice", 1)
	wantCode(t, "segment in an unknown storage", err, kalam.CodeNotFound, "Storage 'hot' does not exist")
	_, err = b.lake.NewSegment(ctx, sharded, "alice", 1)
	wantCode(t, "segment with an unknown strategy", err, kalam.CodeInvalidInput, "Unknown shard strategy 'zodiac'")
	_, err = b.lake.NewSegment(ctx, notes(), "", 1)
	wantCode(t, "segment without user", err, kalam.CodeInternal, "needs a user")
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err = b.lake.NewSegment(cancelled, notes(), "alice", 1); !errors.Is(err, context.Canceled) {
		t.Errorf("NewSegment with a cancelled context = %v", err)
	}
	wantFiles(t, b.files(t))
}

func TestCancelledCommitLeavesNothing(t *testing.T) {
	for _, at := range []string{"verified", "written"} {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		b := newBed(t, lake.Options{})
		b.lake = newLake(t, watched{b.store, func(step string) {
			if step == at {
				cancel()
			}
		}}, lake.Options{}, nowOf(b))
		rows := noteRows(10, 0)
		p, err := b.lake.NewSegment(t.Context(), notes(), "alice", rows[9].Seq)
		if err != nil {
			t.Fatal(err)
		}
		keys, err := laketest.WriteParquet(p.LocalTemp(), notes(), rows, laketest.ParquetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Commit(ctx, keys, metaOf(rows)); !errors.Is(err, context.Canceled) {
			t.Errorf("Commit cancelled at %s = %v", at, err)
		}
		wantFiles(t, b.files(t))
	}
}

// TestSegmentsInOtherStorages covers users with a storage of their own.
func TestSegmentsInOtherStorages(t *testing.T) {
	b := newBed(t, lake.Options{Now: func() time.Time { return noon }})
	other := laketest.NewMemory(t.TempDir())
	if err := b.lake.Register(lake.Location{ID: "cold", Storage: other,
		UserTemplate: "{userId}/{namespace}/{tableName}"}); err != nil {
		t.Fatal(err)
	}
	if got := b.lake.Storages(); !slices.Equal(got, []kalam.StorageID{"cold", "local"}) {
		t.Errorf("Storages() = %v", got)
	}
	rows := noteRows(100, 0)
	p, err := b.lake.NewSegmentIn(t.Context(), "cold", notes(), "alice", rows[99].Seq)
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
	if seg.Storage != "cold" || path.Dir(seg.Path) != "alice/app/notes" {
		t.Errorf("segment %+v", seg)
	}
	wantSegment(t, b.lake, notes(), seg, rows)
	lent, err := b.lake.LocalPath(t.Context(), &seg)
	if err != nil {
		t.Fatal(err)
	}
	if got := int64(len(read(t, lent.Name))); got != seg.Bytes {
		t.Errorf("the local copy has %d bytes, want %d", got, seg.Bytes)
	}
	if err := lent.Unchanged(t.Context()); err != nil {
		t.Error(err)
	}
	lent.Release()
	wantFiles(t, b.files(t))
	b.lake.Unregister("cold")
	_, err = b.lake.ReadRows(t.Context(), notes(), &seg, []int64{0})
	wantCode(t, "ReadRows without the storage", err, kalam.CodeNotFound, "Storage 'cold' does not exist")
	_, err = b.lake.Find(t.Context(), &seg, [][]byte{noteKey(0)})
	wantCode(t, "Find without the storage", err, kalam.CodeNotFound, "Storage 'cold' does not exist")
}

// TestStorageComesBackWithOtherFiles drops a storage and registers another one
// under its id, where the same paths hold other rows.
func TestStorageComesBackWithOtherFiles(t *testing.T) {
	b := newBed(t, lake.Options{})
	old, next := noteRows(100, 0), noteRows(100, 5000)
	var segs [2]kalam.Segment
	for i, rows := range [][]kalam.Row{old, next} {
		b.lake.Unregister("cold")
		if err := b.lake.Register(lake.Location{ID: "cold", Storage: laketest.NewMemory(t.TempDir())}); err != nil {
			t.Fatal(err)
		}
		table := notes()
		table.Options.StorageID = "cold"
		segs[i] = write(t, b.lake, table, "alice", rows, laketest.ParquetOptions{})
		wantSegment(t, b.lake, table, segs[i], rows)
		wantSegment(t, b.lake, table, segs[i], rows)
	}
	if segs[0].Path != segs[1].Path {
		t.Errorf("the test needs one path, not %s and %s", segs[0].Path, segs[1].Path)
	}
}

func TestMissingFiles(t *testing.T) {
	b := newBed(t, lake.Options{})
	ctx := t.Context()
	rows := noteRows(100, 0)
	seg := write(t, b.lake, notes(), "alice", rows, laketest.ParquetOptions{})
	remove(t, b.file(keysOf(seg)))
	for what, call := range map[string]func() error{
		"Find":     func() error { _, err := b.lake.Find(ctx, &seg, [][]byte{noteKey(1)}); return err },
		"EachKey":  func() error { return b.lake.EachKey(ctx, &seg, func(keyindex.Entry) error { return nil }) },
		"ReadRows": func() error { _, err := b.lake.ReadRows(ctx, notes(), &seg, []int64{1}); return err },
		"Verify":   func() error { return b.lake.Verify(ctx, &seg) },
		"Scrub":    func() error { return scrub(ctx, b.lake, &seg) },
	} {
		err := call()
		wantCode(t, what+" without key index file", err, kalam.CodeCorrupt, keysOf(seg), "missing")
		if !errors.Is(err, lake.ErrNoKeyIndex) {
			t.Errorf("%s = %v, which is not ErrNoKeyIndex", what, err)
		}
	}
	if err := b.lake.Rebuild(ctx, notes(), &seg); err != nil {
		t.Fatal(err)
	}
	wantSegment(t, b.lake, notes(), seg, rows)

	lost := write(t, b.lake, notes(), "bob", rows, laketest.ParquetOptions{})
	remove(t, b.file(lost.Path))
	for what, call := range map[string]func() error{
		"ReadRows":  func() error { _, err := b.lake.ReadRows(ctx, notes(), &lost, []int64{1}); return err },
		"LocalPath": func() error { _, err := b.lake.LocalPath(ctx, &lost); return err },
		"Verify":    func() error { return b.lake.Verify(ctx, &lost) },
		"Rebuild":   func() error { return b.lake.Rebuild(ctx, notes(), &lost) },
	} {
		wantCode(t, what+" without file", call(), kalam.CodeCorrupt, lost.Path, "missing")
	}
}

// TestKeysOutOfRangeNeedNoKeyIndexFile is what makes an INSERT of a rising key cheap.
func TestKeysOutOfRangeNeedNoKeyIndexFile(t *testing.T) {
	b := newBed(t, lake.Options{})
	seg := write(t, b.lake, notes(), "alice", noteRows(100, 0), laketest.ParquetOptions{})
	remove(t, b.file(keysOf(seg)))
	at, err := b.lake.Find(t.Context(), &seg, [][]byte{noteKey(-1), noteKey(100)})
	if err != nil || !slices.Equal(at, []int64{-1, -1}) {
		t.Errorf("Find out of range = %v, %v", at, err)
	}
}
