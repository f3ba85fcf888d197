package iceberg

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/twmb/avro/ocf"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/export/iceberg/icebergtest"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/lake/file"
	"github.com/kalamlake/kalam/lake/layout"
	"github.com/kalamlake/kalam/lake/parquet"
)

var noon = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

// everyType returns a table with a column of each type, the key first.
func everyType() *kalam.Table {
	t := &kalam.Table{
		ID: kalam.TableID{Namespace: "app", Name: "t"}, Number: 7, Kind: kalam.KindUserTable, PrimaryKey: []int{0},
		SchemaVersion: 3, Comment: "all of it",
		Columns: []kalam.Column{{ID: 1, Name: "id", Type: kalam.TypeOf(kalam.KindBigInt), NotNull: true, Comment: "the key"}},
	}
	for i, k := range kalam.Kinds() {
		t.Columns = append(t.Columns, kalam.Column{
			ID: kalam.ColumnID(i + 3), Name: "c" + strconv.Itoa(i), Type: kalam.TypeOf(k),
		})
	}
	return t
}

// bed is a storage with a scope.
type bed struct {
	dir     string
	storage lake.Storage
	table   *kalam.Table
	files   []dataFile
	want    map[int64]string // By key: the row as a reader gives it.
}

func newBed(t *testing.T, table *kalam.Table) *bed {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "a b%20ü") // A name that is not to be decoded.
	s, err := file.New(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return &bed{dir: dir, storage: s, table: table, want: map[int64]string{}}
}

// folder is that of the scope.
const folder = "users/ann/app/t"

// add writes a segment with the rows; those at dead do not count.
func (b *bed) add(t *testing.T, rows [][]kalam.Value, dead ...uint32) {
	t.Helper()
	w := parquet.NewWriter(b.table)
	for i, r := range rows {
		row := kalam.Row{Seq: kalam.Seq(len(b.files)*1000 + i), Payload: datatype.EncodeRow(nil, b.table, r)}
		if err := w.Add(&row); err != nil {
			t.Fatal(err)
		}
	}
	z, err := parquet.NewCompressor()
	if err != nil {
		t.Fatal(err)
	}
	content := w.Finish(z, nil)
	name := folder + "/" + layout.SegmentName(noon, kalam.Seq(len(b.files)+1))
	if err := b.storage.Replace(t.Context(), name, content); err != nil {
		t.Fatal(err)
	}
	uri, err := uriOf(b.storage, name)
	if err != nil {
		t.Fatal(err)
	}
	f := dataFile{uri: uri, rows: int64(len(rows)), bytes: int64(len(content))}
	f.min, _ = boundOf(rows[0][0])
	f.max, _ = boundOf(rows[len(rows)-1][0])
	if len(dead) > 0 {
		f.dead = roaring.BitmapOf(dead...)
	}
	for i, r := range rows {
		if !slices.Contains(dead, uint32(i)) {
			b.want[r[0].Int()] = rowText(r)
		}
	}
	b.files = append(b.files, f)
}

// rowText is a row as package icebergtest reads it.
func rowText(row []kalam.Value) string {
	var cells []any
	for _, v := range row {
		cells = append(cells, cellOf(v))
	}
	return fmt.Sprint(cells...)
}

func cellOf(v kalam.Value) any {
	switch v.Kind() {
	case kalam.KindNull:
		return nil
	case kalam.KindBoolean:
		return v.Bool()
	case kalam.KindFloat, kalam.KindDouble:
		return strconv.FormatFloat(v.Float64(), 'x', -1, 64)
	case kalam.KindText, kalam.KindJSON:
		return v.Str()
	case kalam.KindBytes:
		return fmt.Sprintf("%x", v.Str())
	case kalam.KindUUID:
		u := v.UUID()
		return fmt.Sprintf("%x", u[:])
	case kalam.KindDecimal:
		return datatype.Format(v)
	default:
		return strconv.FormatInt(v.Int(), 10)
	}
}

func (b *bed) plan(t *testing.T) *plan {
	t.Helper()
	p := &plan{
		table: b.table, scope: kalam.Scope{Table: 7, User: "ann"}, storage: b.storage,
		folder: layout.CatalogFolder(folder, 7), uuid: "3f2504e0-4f89-11d3-9a0c-0305e82c3301", files: b.files,
		lastID: 20, lastSeq: 1234, optional: map[kalam.ColumnID]bool{},
	}
	var err error
	if p.uri, err = uriOf(b.storage, p.folder); err != nil {
		t.Fatal(err)
	}
	return p
}

// publish writes the next version.
func (b *bed) publish(t *testing.T) *version {
	t.Helper()
	p := b.plan(t)
	n, err := p.nextVersion(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	v, err := newVersion(p, n, noon)
	if err == nil {
		err = errors.Join(v.publish(t.Context(), func(int, int) {}), p.clean(t.Context(), n-1))
	}
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// read compares what a reader finds with what it is to find.
func (b *bed) read(t *testing.T, filter string, want map[int64]string) icebergtest.Table {
	t.Helper()
	found, ok := icebergtest.Read(t, filepath.Join(b.dir, filepath.FromSlash(layout.CatalogFolder(folder, 7))),
		icebergtest.Options{Filter: filter})
	if !ok {
		return found
	}
	got := map[int64]string{}
	for _, row := range found.Rows {
		id, err := strconv.ParseInt(fmt.Sprint(row[0]), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		for i := range row {
			if k := b.table.Columns[i].Type.Kind; row[i] != nil && k.Family() == kalam.FamilyFloat {
				f, err := strconv.ParseFloat(row[i].(string), 64)
				if err != nil {
					t.Fatal(err)
				}
				row[i] = strconv.FormatFloat(f, 'x', -1, 64)
			}
		}
		got[id] = fmt.Sprint(row...)
	}
	if len(got) != len(found.Rows) {
		t.Errorf("%d rows with %d keys", len(found.Rows), len(got))
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("a reader finds other rows (-want +got):\n%s", d)
	}
	return found
}

// rowsOfEveryType returns rows with NULLs, ordinary values and extremes, whose keys begin with first.
func rowsOfEveryType(table *kalam.Table, first int64) [][]kalam.Value {
	const hi38, lo38 = 0x4B3B4CA85A86C47A, 0x098A223FFFFFFFFF // 10^38 - 1
	two := func(k kalam.Kind, a, b int64) []kalam.Value {
		return []kalam.Value{kalam.Integer(k, a), kalam.Integer(k, b)}
	}
	values := map[kalam.Kind][]kalam.Value{
		kalam.KindBoolean:   {kalam.Bool(true), kalam.Bool(false)},
		kalam.KindSmallInt:  two(kalam.KindSmallInt, math.MinInt16, math.MaxInt16),
		kalam.KindInt:       two(kalam.KindInt, math.MinInt32, math.MaxInt32),
		kalam.KindBigInt:    {kalam.BigInt(math.MinInt64), kalam.BigInt(math.MaxInt64)},
		kalam.KindFloat:     {kalam.Float(0.1), kalam.Float(float32(math.Inf(-1)))},
		kalam.KindDouble:    {kalam.Double(math.Copysign(0, -1)), kalam.Double(math.NaN())},
		kalam.KindDecimal:   {kalam.Decimal(hi38, lo38, 10), kalam.Decimal(-1, math.MaxUint64, 10)},
		kalam.KindText:      {kalam.Text(""), kalam.Text("a\x00'ü\U0001F600")},
		kalam.KindJSON:      {kalam.JSON(`{"a": [1, "x"]}`), kalam.JSON("null")},
		kalam.KindBytes:     {kalam.Bytes(""), kalam.Bytes("\x00\xff")},
		kalam.KindUUID:      {kalam.UUID([16]byte{}), kalam.UUID([16]byte{0: 0xff, 15: 1})},
		kalam.KindTimestamp: two(kalam.KindTimestamp, -62135596800000000, 253402300799999999),
		kalam.KindDateTime:  two(kalam.KindDateTime, -1, 1769860800123456),
		kalam.KindDate:      two(kalam.KindDate, -719162, 2932896),
		kalam.KindTime:      two(kalam.KindTime, 0, 86399999999),
	}
	rows := make([][]kalam.Value, 3)
	for i := range rows {
		rows[i] = []kalam.Value{kalam.BigInt(first + int64(i))}
		for c := range table.Columns[1:] {
			v := kalam.Null()
			if list := values[table.Columns[c+1].Type.Kind]; i < len(list) {
				v = list[i]
			}
			rows[i] = append(rows[i], v)
		}
	}
	return rows
}

// TestReaderFindsEveryType: all types, with NULLs and extremes, in files with and without deleted rows; the
// second version of the catalog has other files and the id of the first.
func TestReaderFindsEveryType(t *testing.T) {
	b := newBed(t, everyType())
	b.add(t, rowsOfEveryType(b.table, 1), 0)
	b.add(t, rowsOfEveryType(b.table, 10))
	v := b.publish(t)
	found := b.read(t, "", b.want)
	b.add(t, rowsOfEveryType(b.table, 20), 0, 2)
	b.publish(t)
	next := b.read(t, "", b.want)
	names, err := filepath.Glob(filepath.Join(b.dir, folder, "iceberg-7/metadata/*"))
	if err != nil || len(names) != 5+6+1 { // The version of before stays, for who is reading it.
		t.Errorf("files %q, %v", names, err)
	}
	b.publish(t)
	for _, name := range names {
		_, err := os.Stat(name)
		if gone := errors.Is(err, os.ErrNotExist); gone != strings.HasPrefix(filepath.Base(name), "v1") {
			t.Errorf("%s after the third version: %v", name, err)
		}
	}
	if found.UUID == "" {
		return // There is no reader.
	}
	if next.UUID != found.UUID || found.UUID != v.plan.uuid || found.Snapshots != 1 || next.Snapshots != 1 {
		t.Errorf("the first version is %s with %d snapshots, the second %s with %d", found.UUID, found.Snapshots, next.UUID,
			next.Snapshots)
	}
	if len(found.Files) != 2 || len(found.Deletes) != 1 || len(next.Files) != 3 || len(next.Deletes) != 2 {
		t.Errorf("%v with %v, then %v with %v", found.Files, found.Deletes, next.Files, next.Deletes)
	}
	var types []string
	for _, c := range found.Columns {
		types = append(types, fmt.Sprint(c.ID, " ", c.Type, " ", c.Required, " ", c.Doc))
	}
	want := []string{"1 long true the key", "3 boolean false ", "4 int false ", "5 int false ", "6 long false ",
		"7 float false ", "8 double false ", "9 decimal(38, 10) false ", "10 string false ", "11 timestamp false ",
		"12 timestamptz false ", "13 date false ", "14 time false ", "15 string false ", "16 binary false ", "17 uuid false "}
	if d := cmp.Diff(want, types); d != "" {
		t.Errorf("columns (-want +got):\n%s", d)
	}
	if !slices.Equal(found.Keys, []int{1}) || found.Properties["comment"] != "all of it" ||
		found.Properties["kalam.last-seq"] != "1234" || found.Properties["kalam.table"] != "app.t" {
		t.Errorf("keys %v, properties %v", found.Keys, found.Properties)
	}
}

// TestPruning: a reader takes those files only whose range of keys a condition meets, and the delete files
// of those.
func TestPruning(t *testing.T) {
	b := newBed(t, everyType())
	for i := range 3 {
		b.add(t, rowsOfEveryType(b.table, int64(i)*100), 1)
	}
	b.publish(t)
	want := map[int64]string{102: b.want[102]}
	found := b.read(t, "id >= 101 and id < 200", want)
	if found.UUID != "" && (len(found.Files) != 1 || len(found.Deletes) != 1) {
		t.Errorf("a reader takes %v and %v", found.Files, found.Deletes)
	}
}

// TestEmptyCatalog: a scope without rows is a table without a snapshot.
func TestEmptyCatalog(t *testing.T) {
	b := newBed(t, everyType())
	b.publish(t)
	if found := b.read(t, "", b.want); found.UUID != "" && (found.Snapshots != 0 || len(found.Columns) != 16) {
		t.Errorf("%d snapshots, %d columns", found.Snapshots, len(found.Columns))
	}
}

// content returns the bytes of the file that a URI names.
func (b *bed) content(t *testing.T, uri string) []byte {
	t.Helper()
	raw, err := os.ReadFile(strings.TrimPrefix(uri, "file://"))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// records decodes the Avro file that a URI names.
func records[T any](t *testing.T, b *bed, uri string) (list []T) {
	t.Helper()
	r, err := ocf.NewReader(bytes.NewReader(b.content(t, uri)))
	if err != nil {
		t.Fatal(err)
	}
	for {
		var one T
		err := r.Decode(&one)
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, one)
	}
}

// TestManifestsCount: manifests and their list tell the sizes and numbers that the files have.
func TestManifestsCount(t *testing.T) {
	b := newBed(t, everyType())
	b.add(t, rowsOfEveryType(b.table, 1), 0, 2)
	b.add(t, rowsOfEveryType(b.table, 10), 1)
	v := b.publish(t)
	var m metadataFile
	if err := json.Unmarshal(b.content(t, v.uri(v.metadataName())), &m); err != nil {
		t.Fatal(err)
	}
	hint := b.content(t, v.uri(layout.CatalogHint))
	if string(hint) != "1" || len(m.Snapshots) != 1 || m.Snapshots[0].Summary["total-records"] != "6" ||
		m.Snapshots[0].Summary["total-position-deletes"] != "3" || m.LastColumn != 20 || m.LastSequence != 1 {
		t.Fatalf("hint %q, metadata %+v", hint, m)
	}
	list := records[listed](t, b, m.Snapshots[0].Manifests)
	if len(list) != 2 {
		t.Fatalf("%d manifests", len(list))
	}
	for i, rows := range []int64{6, 3} {
		l := list[i]
		if int(l.Content) != i || l.Added != 2 || l.AddedRows != rows || l.Bytes != int64(len(b.content(t, l.Path))) ||
			l.Snapshot != v.snapshot {
			t.Errorf("manifest %d is %+v", i, l)
		}
		for k, e := range records[entry](t, b, l.Path) {
			raw := b.content(t, e.File.Path)
			if e.File.Bytes != int64(len(raw)) || *e.Sequence != 1 || *e.Snapshot != v.snapshot {
				t.Errorf("entry %d of manifest %d is %+v, the file has %d bytes", k, i, e, len(raw))
			}
			if i == 1 && (*e.File.Referenced != b.files[k].uri || string(e.File.Lower[0].Bytes) != b.files[k].uri ||
				string(e.File.Upper[0].Bytes) != b.files[k].uri) {
				t.Errorf("delete file %d is for %s", k, *e.File.Referenced)
			}
		}
	}
}

// failing is a storage that fails at one of the steps that change something, as a crash there would: it does
// nothing more.
type failing struct {
	lake.Storage
	left int
}

var errCrash = errors.New("crash")

func (f *failing) step() error {
	if f.left--; f.left < 0 {
		return errCrash
	}
	return nil
}

func (f *failing) Create(ctx context.Context, p string) (lake.Staged, error) {
	if err := f.step(); err != nil {
		return nil, err
	}
	s, err := f.Storage.Create(ctx, p)
	return kept{s}, err
}

// Commit makes one object after the other.
func (f *failing) Commit(ctx context.Context, staged ...lake.Staged) error {
	for _, s := range staged {
		if err := f.step(); err != nil {
			return err
		}
		if err := f.Storage.Commit(ctx, s.(kept).Staged); err != nil {
			return err
		}
	}
	return nil
}

func (f *failing) Replace(ctx context.Context, p string, content []byte) error {
	if err := f.step(); err != nil {
		return err
	}
	return f.Storage.Replace(ctx, p, content)
}

func (f *failing) Remove(ctx context.Context, p string) error {
	if err := f.step(); err != nil {
		return err
	}
	return f.Storage.Remove(ctx, p)
}

// kept is a staged object that a crash leaves.
type kept struct{ lake.Staged }

func (kept) Abort() error { return nil }

// TestCrashInAnExport: wherever an export ends, what version-hint.text names is the catalog of before or the new one,
// and every file that it names is there; and the next export leaves nothing of it.
func TestCrashInAnExport(t *testing.T) {
	steps := 0
	for ; ; steps++ {
		b := newBed(t, everyType())
		b.add(t, rowsOfEveryType(b.table, 1), 0)
		b.publish(t)
		b.publish(t)
		b.add(t, rowsOfEveryType(b.table, 10), 0, 2)
		real, crash := b.storage, &failing{Storage: b.storage, left: steps}
		b.storage = crash
		p := b.plan(t)
		p.folder = layout.CatalogFolder(folder, 7)
		n, err := p.nextVersion(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		v, err := newVersion(p, n, noon)
		if err == nil {
			err = v.publish(t.Context(), func(int, int) {})
		}
		if err == nil {
			err = p.clean(t.Context(), n-1)
		}
		if err != nil && !errors.Is(err, errCrash) {
			t.Fatal(err)
		}
		ended := err == nil
		b.storage = real
		b.checkHinted(t, steps)
		last := b.publish(t)
		b.publish(t)
		names, err := filepath.Glob(filepath.Join(b.dir, folder, "iceberg-7/metadata/*"))
		if err != nil || len(names) != 13 {
			t.Errorf("step %d: left are %q, %v", steps, names, err)
		}
		for _, name := range names {
			if version, ok := layout.CatalogVersion(filepath.Base(name)); ok && version < last.number {
				t.Errorf("step %d: %s is left", steps, name)
			}
		}
		if ended {
			break
		}
	}
	if steps < 15 {
		t.Errorf("%d steps", steps)
	}
	t.Logf("%d steps", steps)
}

// checkHinted checks that all is there of the version that readers take.
func (b *bed) checkHinted(t *testing.T, step int) {
	t.Helper()
	p := b.plan(t)
	v := &version{plan: p}
	n, err := strconv.ParseInt(string(b.content(t, v.uri(layout.CatalogHint))), 10, 64)
	if err != nil || n < 2 || n > 3 {
		t.Fatalf("step %d: the newest version is %d, %v", step, n, err)
	}
	v.number = n
	var m metadataFile
	if err := json.Unmarshal(b.content(t, v.uri(v.metadataName())), &m); err != nil {
		t.Fatal(err)
	}
	files := 0
	for _, l := range records[listed](t, b, m.Snapshots[0].Manifests) {
		for _, e := range records[entry](t, b, l.Path) {
			files++
			if int64(len(b.content(t, e.File.Path))) != e.File.Bytes {
				t.Errorf("step %d: %s has another size", step, e.File.Path)
			}
		}
	}
	if want := int(n-1) * 2; files != want {
		t.Errorf("step %d: version %d names %d files, want %d", step, n, files, want)
	}
}

// TestCancelledExport: an export whose job is killed ends, and leaves no file.
func TestCancelledExport(t *testing.T) {
	b := newBed(t, everyType())
	b.add(t, rowsOfEveryType(b.table, 1), 0)
	v, err := newVersion(b.plan(t), 1, noon)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err = v.publish(ctx, func(int, int) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the export ended with %v", err)
	}
	if names, err := filepath.Glob(filepath.Join(b.dir, folder, "iceberg-7/metadata/*")); err != nil || len(names) > 0 {
		t.Errorf("left are %q, %v", names, err)
	}
}

// TestPromotes compares what readers may take for what with the format's list.
func TestPromotes(t *testing.T) {
	dec := func(p, s uint8) kalam.DataType {
		return kalam.DataType{Kind: kalam.KindDecimal, Precision: p, Scale: s}
	}
	of := kalam.TypeOf
	for _, c := range []struct {
		from, to kalam.DataType
		want     bool
	}{
		{of(kalam.KindSmallInt), of(kalam.KindInt), true}, {of(kalam.KindInt), of(kalam.KindBigInt), true},
		{of(kalam.KindSmallInt), of(kalam.KindBigInt), true}, {of(kalam.KindBigInt), of(kalam.KindInt), false},
		{of(kalam.KindFloat), of(kalam.KindDouble), true}, {of(kalam.KindInt), dec(10, 0), false},
		{dec(10, 2), dec(12, 2), true}, {dec(10, 2), dec(12, 3), false}, {dec(12, 2), dec(10, 2), false},
		{of(kalam.KindTimestamp), of(kalam.KindDateTime), false}, {of(kalam.KindText), of(kalam.KindText), true},
	} {
		if got := promotes(c.from, c.to); got != c.want {
			t.Errorf("%s to %s: %v", c.from, c.to, got)
		}
	}
	for _, k := range kalam.Kinds() {
		if name, ok := typeOf(of(k)); !ok || name == "" {
			t.Errorf("no type for %s", k)
		}
	}
	if _, ok := typeOf(of(kalam.KindNull)); ok {
		t.Error("NULL has a type")
	}
}
