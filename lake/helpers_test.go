package lake_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/lake/file"
	"github.com/kalamlake/kalam/lake/laketest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// firstSeq is the first seq of the rows that tests write; its time is in 2025.
const firstSeq = kalam.Seq(1) << 57

// noon is where the clock of a bed stands at first.
var noon = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

// bed is a lake over a directory, and what tests do with one again and again.
type bed struct {
	dir   string
	store *file.Storage
	lake  *lake.Lake
	now   time.Time // of the lake's clock; tests move it
}

// watched is a storage that tells of the steps of a commit that are not its own: verified
// (the Parquet file was checked), written (the key index file is written, unsynced), and
// committed.
type watched struct {
	*file.Storage
	step func(string)
}

func (w watched) Create(ctx context.Context, p string) (lake.Staged, error) {
	if strings.HasSuffix(p, ".keys") {
		w.step("verified")
	}
	return w.Storage.Create(ctx, p)
}

func (w watched) Commit(ctx context.Context, staged ...lake.Staged) error {
	w.step("written")
	err := w.Storage.Commit(ctx, staged...)
	if err == nil {
		w.step("committed")
	}
	return err
}

// newBed returns an empty lake. o.Now is the bed's own clock unless it is set.
func newBed(t testing.TB, o lake.Options) *bed { return newBedIn(t, t.TempDir(), o) }

// newBedIn is newBed over a directory that may hold files already.
func newBedIn(t testing.TB, dir string, o lake.Options) *bed {
	t.Helper()
	store, err := file.New(dir)
	if err != nil {
		t.Fatal(err)
	}
	b := &bed{dir: dir, store: store, now: noon}
	b.lake = newLake(t, store, o, nowOf(b))
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// nowOf returns the clock of a bed.
func nowOf(b *bed) func() time.Time { return func() time.Time { return b.now } }

// newLake returns a lake over one storage, closed at the end of the test.
func newLake(t testing.TB, s lake.Storage, o lake.Options, now func() time.Time) *lake.Lake {
	t.Helper()
	if o.Now == nil {
		o.Now = now
	}
	l, err := lake.New(o, lake.Location{ID: kalam.LocalStorage, Storage: s})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// file returns the absolute name of the object at p.
func (b *bed) file(p string) string { return filepath.Join(b.dir, filepath.FromSlash(p)) }

// files returns the paths of all files of the bed in order.
func (b *bed) files(t testing.TB) []string {
	t.Helper()
	return filesBelow(t, b.dir)
}

func filesBelow(t testing.TB, dir string) []string {
	t.Helper()
	found := []string{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			rel, relErr := filepath.Rel(dir, p)
			found, err = append(found, filepath.ToSlash(rel)), relErr
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(found)
	return found
}

func wantFiles(t testing.TB, got []string, want ...string) {
	t.Helper()
	slices.Sort(want)
	if diff := cmp.Diff(append([]string{}, want...), got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// keysOf returns the path of the key index file of a segment.
func keysOf(seg kalam.Segment) string { return strings.TrimSuffix(seg.Path, ".parquet") + ".keys" }

// write makes a segment of user's rows.
func write(t testing.TB, l *lake.Lake, table *kalam.Table, user kalam.UserID, rows []kalam.Row,
	o laketest.ParquetOptions) kalam.Segment {
	t.Helper()
	seg, err := tryWrite(t, l, table, user, rows, o)
	if err != nil {
		t.Fatal(err)
	}
	return seg
}

func tryWrite(t testing.TB, l *lake.Lake, table *kalam.Table, user kalam.UserID, rows []kalam.Row,
	o laketest.ParquetOptions) (kalam.Segment, error) {
	t.Helper()
	meta := metaOf(rows)
	p, err := l.NewSegment(t.Context(), table, user, meta.MaxSeq)
	if err != nil {
		return kalam.Segment{}, err
	}
	keys, err := laketest.WriteParquet(p.LocalTemp(), table, rows, o)
	if err != nil {
		return kalam.Segment{}, errors.Join(err, p.Abort())
	}
	return p.Commit(t.Context(), keys, meta)
}

func metaOf(rows []kalam.Row) lake.SegmentMeta {
	m := lake.SegmentMeta{MinSeq: rows[0].Seq, MaxSeq: rows[len(rows)-1].Seq, Rows: int64(len(rows))}
	for _, r := range rows {
		if r.Deleted {
			m.Tombstones++
		}
	}
	return m
}

// notes returns a USER table of three columns whose key is the first.
func notes() *kalam.Table {
	return &kalam.Table{
		ID: kalam.TableID{Namespace: "app", Name: "notes"}, Number: 7, Kind: kalam.KindUserTable,
		Columns: []kalam.Column{
			{ID: 1, Name: "id", Type: kalam.TypeOf(kalam.KindBigInt), NotNull: true},
			{ID: 2, Name: "body", Type: kalam.TypeOf(kalam.KindText)},
			{ID: 3, Name: "score", Type: kalam.TypeOf(kalam.KindDouble)},
		},
		PrimaryKey: []int{0}, SchemaVersion: 1,
	}
}

// keyed returns a table whose key is a TEXT, beside a BIGINT.
func keyed() *kalam.Table {
	return &kalam.Table{
		ID: kalam.TableID{Namespace: "app", Name: "keyed"}, Number: 8, Kind: kalam.KindUserTable,
		Columns: []kalam.Column{
			{ID: 1, Name: "k", Type: kalam.TypeOf(kalam.KindText), NotNull: true},
			{ID: 2, Name: "n", Type: kalam.TypeOf(kalam.KindBigInt)},
		},
		PrimaryKey: []int{0}, SchemaVersion: 1,
	}
}

// rowsOf returns n rows of t with seqs from firstSeq on and the values of make.
func rowsOf(t *kalam.Table, n int, values func(i int) []kalam.Value) []kalam.Row {
	rows := make([]kalam.Row, n)
	for i := range rows {
		rows[i] = kalam.Row{Seq: firstSeq + kalam.Seq(i), Payload: datatype.EncodeRow(nil, t, values(i))}
	}
	return rows
}

// noteRows returns n rows of notes with the ids first, first+1, ... Every fifth
// body is NULL.
func noteRows(n int, first int64) []kalam.Row {
	return rowsOf(notes(), n, func(i int) []kalam.Value {
		body := kalam.Text(fmt.Sprintf("note number %d of this test", first+int64(i)))
		if i%5 == 4 {
			body = kalam.Null()
		}
		return []kalam.Value{kalam.BigInt(first + int64(i)), body, kalam.Double(float64(i) / 4)}
	})
}

// keyRows returns rows of keyed with the given keys.
func keyRows(keys ...string) []kalam.Row {
	return rowsOf(keyed(), len(keys), func(i int) []kalam.Value {
		return []kalam.Value{kalam.Text(keys[i]), kalam.BigInt(int64(i))}
	})
}

// noteKey returns the encoded key of a note.
func noteKey(id int64) []byte {
	return datatype.EncodeKey(nil, notes(), []kalam.Value{kalam.BigInt(id), {}, {}})
}

// textKey returns the encoded key of a row of keyed.
func textKey(k string) []byte {
	return datatype.EncodeKey(nil, keyed(), []kalam.Value{kalam.Text(k), {}})
}

// encodedKeys returns the key of each row.
func encodedKeys(t testing.TB, table *kalam.Table, rows []kalam.Row) [][]byte {
	t.Helper()
	keys := make([][]byte, len(rows))
	for i, r := range rows {
		values, err := datatype.DecodeRow(table, r.Payload, nil)
		if err != nil {
			t.Fatal(err)
		}
		keys[i] = datatype.EncodeKey(nil, table, values)
	}
	return keys
}

// allRows returns the positions 0 to n-1.
func allRows(n int) []int64 {
	rows := make([]int64, n)
	for i := range rows {
		rows[i] = int64(i)
	}
	return rows
}

// sameRow reports whether two rows are equal in everything.
func sameRow(a, b kalam.Row) bool {
	return a.Seq == b.Seq && a.Deleted == b.Deleted && bytes.Equal(a.Payload, b.Payload)
}

// wantRows checks what ReadRows returned for the positions at of rows.
func wantRows(t testing.TB, got, rows []kalam.Row, at []int64) {
	t.Helper()
	if len(got) != len(at) {
		t.Fatalf("%d rows, want %d", len(got), len(at))
	}
	for i, p := range at {
		if !sameRow(got[i], rows[p]) {
			t.Fatalf("row %d is %+v, want %+v", p, got[i], rows[p])
		}
	}
}

// scrub is Scrub at full speed.
func scrub(ctx context.Context, l *lake.Lake, seg *kalam.Segment) error {
	_, err := l.Scrub(ctx, seg, nil)
	return err
}

// wantSegment checks that a segment has exactly these rows under their keys.
func wantSegment(t testing.TB, l *lake.Lake, table *kalam.Table, seg kalam.Segment, rows []kalam.Row) {
	t.Helper()
	ctx := t.Context()
	if err := scrub(ctx, l, &seg); err != nil {
		t.Fatal(err)
	}
	at, err := l.Find(ctx, &seg, encodedKeys(t, table, rows))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(allRows(len(rows)), at); diff != "" {
		t.Fatalf("positions (-want +got):\n%s", diff)
	}
	got, err := l.ReadRows(ctx, table, &seg, at)
	if err != nil {
		t.Fatal(err)
	}
	wantRows(t, got, rows, at)
}

// wantCode checks the code of an error and that its text holds every word.
func wantCode(t testing.TB, what string, err error, code kalam.Code, words ...string) {
	t.Helper()
	if err == nil || kalam.CodeOf(err) != code {
		t.Fatalf("%s = %v, want code %d", what, err, code)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%s = %q, which does not say %q", what, err, w)
		}
	}
}

// copyTree copies the files below one directory into another.
func copyTree(t testing.TB, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}

// read returns the content of a file.
func read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// overwrite replaces the content of a file in place, as damage does.
func overwrite(t testing.TB, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(name, content, 0o640); err != nil {
		t.Fatal(err)
	}
}

// remove deletes a file behind the lake's back.
func remove(t testing.TB, name string) {
	t.Helper()
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
}

// seed repeats a run of the tests that choose at random.
var seed = flag.Uint64("seed", 0, "seed of the random tests; 0 takes a new one")

// seeded returns a generator and logs how to repeat it.
func seeded(t testing.TB) *rand.Rand {
	t.Helper()
	n := *seed
	if n == 0 {
		n = rand.Uint64()
	}
	t.Logf("repeat with -seed=%d", n)
	return rand.New(rand.NewPCG(n, 0))
}

// ofAlice is a manifest of alice's notes.
func ofAlice(m lake.Manifest) lake.ScopeManifest {
	return lake.ScopeManifest{Table: notes(), User: "alice", Manifest: m}
}
