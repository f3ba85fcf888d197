package lake_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/lake/laketest"
)

// everyType returns a table with a column of each kind, several DECIMALs, and a
// key of two columns that are not the first.
func everyType() *kalam.Table {
	t := &kalam.Table{ID: kalam.TableID{Namespace: "app", Name: "every"}, Number: 11, Kind: kalam.KindUserTable,
		SchemaVersion: 3}
	add := func(name string, dt kalam.DataType) {
		t.Columns = append(t.Columns, kalam.Column{ID: kalam.ColumnID(2*len(t.Columns) + 1), Name: name, Type: dt})
	}
	for _, k := range kalam.Kinds() {
		add(strings.ToLower(k.String()), kalam.TypeOf(k))
	}
	for _, d := range [][2]uint8{{4, 2}, {9, 0}, {18, 18}, {38, 38}, {38, 0}} {
		add(fmt.Sprintf("decimal_%d_%d", d[0], d[1]),
			kalam.DataType{Kind: kalam.KindDecimal, Precision: d[0], Scale: d[1]})
	}
	add("k1", kalam.TypeOf(kalam.KindText))
	add("k2", kalam.TypeOf(kalam.KindInt))
	t.PrimaryKey = []int{len(t.Columns) - 1, len(t.Columns) - 2}
	for _, k := range t.PrimaryKey {
		t.Columns[k].NotNull = true
	}
	return t
}

// texts are what text-like values are made of.
var texts = []string{"", "a", "a\x00b", "\x00", "line\n\"\\</é\U0001F600", "  ", strings.Repeat("é", 200), "x", "y",
	"z"}

// randomValue returns a value of type dt, often an extreme one.
func randomValue(r *rand.Rand, dt kalam.DataType) kalam.Value {
	pick := func(low, high int64) kalam.Value {
		n := int64(r.Uint64())
		if span := uint64(high-low) + 1; span != 0 { // 0 is all of BIGINT
			n = low + int64(uint64(n)%span)
		}
		switch r.IntN(8) {
		case 0:
			n = low
		case 1:
			n = high
		}
		return kalam.Integer(dt.Kind, n)
	}
	switch dt.Kind {
	case kalam.KindBoolean:
		return kalam.Bool(r.IntN(2) == 0)
	case kalam.KindSmallInt:
		return pick(math.MinInt16, math.MaxInt16)
	case kalam.KindInt:
		return pick(math.MinInt32, math.MaxInt32)
	case kalam.KindBigInt:
		return pick(math.MinInt64, math.MaxInt64)
	case kalam.KindFloat:
		return kalam.Float([]float32{0, float32(math.Copysign(0, -1)), math.MaxFloat32, float32(math.Inf(1)),
			float32(math.NaN()), r.Float32()}[r.IntN(6)])
	case kalam.KindDouble:
		return kalam.Double([]float64{0, math.Copysign(0, -1), math.SmallestNonzeroFloat64, math.Inf(-1), math.NaN(),
			r.NormFloat64()}[r.IntN(6)])
	case kalam.KindDecimal:
		return randomDecimal(r, dt)
	case kalam.KindText:
		return kalam.Text(texts[r.IntN(len(texts))])
	case kalam.KindJSON:
		return kalam.JSON([]string{`{}`, `[1, 2]`, `{"a":null}`, `"é"`}[r.IntN(4)])
	case kalam.KindBytes:
		return kalam.Bytes([]string{"", "\x00", "\xff\xfe", "\x00\x01\xff", texts[6]}[r.IntN(5)])
	case kalam.KindTimestamp, kalam.KindDateTime:
		return pick(-62135596800000000, 253402300799999999)
	case kalam.KindDate:
		return pick(-719162, 2932896)
	case kalam.KindTime:
		return pick(0, 86399999999)
	case kalam.KindUUID:
		var u [16]byte
		for i := range u {
			u[i] = byte(r.Uint32())
		}
		return kalam.UUID(u)
	}
	panic("no values of " + dt.String())
}

// randomDecimal returns a DECIMAL of up to as many digits as dt has.
func randomDecimal(r *rand.Rand, dt kalam.DataType) kalam.Value {
	digits := make([]byte, 1+r.IntN(int(dt.Precision)))
	for i := range digits {
		digits[i] = byte('0' + r.IntN(10))
	}
	if r.IntN(8) == 0 {
		digits = []byte(strings.Repeat("9", int(dt.Precision)))
	}
	for len(digits) <= int(dt.Scale) {
		digits = append([]byte("0"), digits...)
	}
	text := string(digits[:len(digits)-int(dt.Scale)])
	if dt.Scale > 0 {
		text += "." + string(digits[len(digits)-int(dt.Scale):])
	}
	if r.IntN(2) == 0 {
		text = "-" + text
	}
	v, err := datatype.FromText(dt, text)
	if err != nil {
		panic(err)
	}
	return v
}

// randomRows returns n rows of t with the given share of NULLs and some
// tombstones. Each key column counts up somewhere, so that keys are unique.
func randomRows(r *rand.Rand, t *kalam.Table, n int, nulls float64) []kalam.Row {
	rows := rowsOf(t, n, func(i int) []kalam.Value {
		values := make([]kalam.Value, len(t.Columns))
		for c := range t.Columns {
			switch {
			case t.Columns[c].Name == "k1":
				values[c] = kalam.Text(fmt.Sprintf("key\x00%d", i))
			case t.Columns[c].Name == "k2":
				values[c] = kalam.Integer(kalam.KindInt, int64(i%7))
			case r.Float64() >= nulls:
				values[c] = randomValue(r, t.Columns[c].Type)
			}
		}
		return values
	})
	for i := range rows {
		rows[i].Deleted = r.IntN(10) == 0
	}
	return rows
}

// layouts are ways to write the same rows.
var layouts = map[string]laketest.ParquetOptions{
	"default":       {},
	"small groups":  {RowGroup: 64},
	"small pages":   {RowGroup: 1000, PageBytes: 256},
	"no dictionary": {NoDictionary: true, PageBytes: 512},
	"v2 pages":      {V2Pages: true, PageBytes: 512, RowGroup: 500},
	"no field ids":  {NoFieldIDs: true},
}

// TestReadRowsOfEveryType writes random rows in every layout and reads them
// back: all, each, at random, twice and backwards.
func TestReadRowsOfEveryType(t *testing.T) {
	table := everyType()
	for name, o := range layouts {
		for _, nulls := range []float64{0, 0.3, 0.98, 1} {
			t.Run(fmt.Sprintf("%s, %.0f%% NULL", name, 100*nulls), func(t *testing.T) {
				r := seeded(t)
				b := newBed(t, lake.Options{RowCacheBytes: []int64{0, -1}[r.IntN(2)]})
				n := 1 + r.IntN(700)
				rows := randomRows(r, table, n, nulls)
				seg := write(t, b.lake, table, "alice", rows, o)
				wantSegment(t, b.lake, table, seg, rows)
				for range 10 {
					at := make([]int64, 1+r.IntN(40))
					for i := range at {
						at[i] = int64(r.IntN(n))
					}
					got, err := b.lake.ReadRows(t.Context(), table, &seg, at)
					if err != nil {
						t.Fatal(err)
					}
					wantRows(t, got, rows, at)
				}
			})
		}
	}
}

// TestReadRowsAnySubset lets rapid choose rows, order and layout.
func TestReadRowsAnySubset(t *testing.T) {
	table := everyType()
	r := rand.New(rand.NewPCG(3, 4))
	const n = 700
	rows := randomRows(r, table, n, 0.2)
	type file struct {
		l   *lake.Lake
		seg kalam.Segment
	}
	var files []file
	for _, o := range layouts {
		b := newBed(t, lake.Options{RowCacheBytes: -1})
		files = append(files, file{b.lake, write(t, b.lake, table, "alice", rows, o)})
	}
	rapid.Check(t, func(rt *rapid.T) {
		f := rapid.SampledFrom(files).Draw(rt, "file")
		at := rapid.SliceOfN(rapid.Int64Range(0, n-1), 1, 200).Draw(rt, "rows")
		got, err := f.l.ReadRows(t.Context(), table, &f.seg, at)
		if err != nil {
			rt.Fatal(err)
		}
		for i, p := range at {
			if !sameRow(got[i], rows[p]) {
				rt.Fatalf("row %d is %+v, want %+v", p, got[i], rows[p])
			}
		}
	})
}

// TestRowsDoNotShareMemory changes what one read returned.
func TestRowsDoNotShareMemory(t *testing.T) {
	b := newBed(t, lake.Options{})
	rows := noteRows(100, 0)
	seg := write(t, b.lake, notes(), "alice", rows, laketest.ParquetOptions{})
	for range 4 {
		got, err := b.lake.ReadRows(t.Context(), notes(), &seg, []int64{7, 8})
		if err != nil {
			t.Fatal(err)
		}
		wantRows(t, got, rows, []int64{7, 8})
		for i := range got {
			clear(got[i].Payload)
		}
	}
}

// altered returns notes after ALTER TABLE: score was widened from FLOAT, body
// dropped and added again, two columns added.
func altered() (before, after *kalam.Table) {
	before, after = notes(), notes()
	before.Columns[2].Type = kalam.TypeOf(kalam.KindFloat)
	after.SchemaVersion = 4
	after.Columns = append([]kalam.Column{after.Columns[0], after.Columns[2]},
		kalam.Column{ID: 4, Name: "body", Type: kalam.TypeOf(kalam.KindText)},
		kalam.Column{ID: 5, Name: "flag", Type: kalam.TypeOf(kalam.KindInt),
			Missing: kalam.Integer(kalam.KindInt, 42)},
		kalam.Column{ID: 6, Name: "born", Type: kalam.TypeOf(kalam.KindTimestamp),
			Default: &kalam.Default{Func: kalam.DefaultNow}})
	return before, after
}

// TestReadRowsUnderANewerSchema reads a file that is older than its table.
func TestReadRowsUnderANewerSchema(t *testing.T) {
	before, after := altered()
	b := newBed(t, lake.Options{})
	values := func(i int) []kalam.Value {
		return []kalam.Value{kalam.BigInt(int64(i)), kalam.Text("old body"), kalam.Float(float32(i) / 4)}
	}
	rows := rowsOf(before, 50, values)
	want := rowsOf(after, 50, func(i int) []kalam.Value {
		return []kalam.Value{kalam.BigInt(int64(i)), kalam.Double(float64(i) / 4), {},
			kalam.Integer(kalam.KindInt, 42), {}}
	})
	seg := write(t, b.lake, before, "alice", rows, laketest.ParquetOptions{})
	for range 3 { // from the file and from the cache
		got, err := b.lake.ReadRows(t.Context(), after, &seg, allRows(50))
		if err != nil {
			t.Fatal(err)
		}
		wantRows(t, got, want, allRows(50))
		if got, err = b.lake.ReadRows(t.Context(), before, &seg, allRows(50)); err != nil {
			t.Fatal(err)
		}
		wantRows(t, got, rows, allRows(50))
	}
	remove(t, b.file(keysOf(seg)))
	if err := b.lake.Rebuild(t.Context(), after, &seg); err != nil {
		t.Errorf("Rebuild under the newer schema = %v", err)
	}
}

func TestReadRowsRefusesANewerFile(t *testing.T) {
	before, after := altered()
	b := newBed(t, lake.Options{})
	rows := rowsOf(after, 5, func(i int) []kalam.Value {
		return []kalam.Value{kalam.BigInt(int64(i)), kalam.Double(1), {}, {}, {}}
	})
	seg := write(t, b.lake, after, "alice", rows, laketest.ParquetOptions{})
	_, err := b.lake.ReadRows(t.Context(), before, &seg, []int64{0})
	wantCode(t, "ReadRows of a newer file", err, kalam.CodeUnsupported, seg.Path, "version 4", "up to version 1")
	wantCode(t, "Rebuild of a newer file", b.lake.Rebuild(t.Context(), before, &seg), kalam.CodeUnsupported, seg.Path)
}

// TestReadRowsOfTheWrongType has a column that no ALTER could have made.
func TestReadRowsOfTheWrongType(t *testing.T) {
	b := newBed(t, lake.Options{})
	seg := write(t, b.lake, notes(), "alice", noteRows(5, 0), laketest.ParquetOptions{})
	for _, k := range []kalam.Kind{kalam.KindBoolean, kalam.KindInt, kalam.KindDate, kalam.KindTimestamp,
		kalam.KindUUID, kalam.KindBytes} {
		wrong := notes()
		wrong.Columns[2].Type = kalam.TypeOf(k)
		_, err := b.lake.ReadRows(t.Context(), wrong, &seg, []int64{0})
		wantCode(t, "DOUBLE read as "+k.String(), err, kalam.CodeCorrupt, seg.Path, "score")
	}
}

// TestWidenedColumns reads each type as every type that it may become.
func TestWidenedColumns(t *testing.T) {
	dec := kalam.DataType{Kind: kalam.KindDecimal, Precision: 10, Scale: 2}
	wide := kalam.DataType{Kind: kalam.KindDecimal, Precision: 20, Scale: 4}
	ty := kalam.TypeOf
	for _, c := range []struct {
		from, to  kalam.DataType
		value, as kalam.Value
	}{
		{ty(kalam.KindSmallInt), ty(kalam.KindInt), kalam.Integer(kalam.KindSmallInt, -5),
			kalam.Integer(kalam.KindInt, -5)},
		{ty(kalam.KindSmallInt), ty(kalam.KindBigInt), kalam.Integer(kalam.KindSmallInt, -5), kalam.BigInt(-5)},
		{ty(kalam.KindInt), ty(kalam.KindBigInt), kalam.Integer(kalam.KindInt, math.MinInt32),
			kalam.BigInt(math.MinInt32)},
		{ty(kalam.KindInt), ty(kalam.KindDouble), kalam.Integer(kalam.KindInt, 3), kalam.Double(3)},
		{ty(kalam.KindBigInt), dec, kalam.BigInt(7), kalam.Decimal(0, 700, 2)},
		{ty(kalam.KindFloat), ty(kalam.KindDouble), kalam.Float(0.5), kalam.Double(0.5)},
		{dec, wide, kalam.Decimal(-1, ^uint64(149), 2), kalam.Decimal(-1, ^uint64(14999), 4)},
		{ty(kalam.KindDate), ty(kalam.KindTimestamp), kalam.Integer(kalam.KindDate, 1),
			kalam.Integer(kalam.KindTimestamp, 86400000000)},
		{ty(kalam.KindTimestamp), ty(kalam.KindDateTime), kalam.Integer(kalam.KindTimestamp, -1),
			kalam.Integer(kalam.KindDateTime, -1)},
		{ty(kalam.KindInt), ty(kalam.KindText), kalam.Integer(kalam.KindInt, 12), kalam.Text("12")},
		{ty(kalam.KindBoolean), ty(kalam.KindText), kalam.Bool(true), kalam.Text("true")},
		{ty(kalam.KindUUID), ty(kalam.KindText), kalam.UUID([16]byte{15: 1}),
			kalam.Text("00000000-0000-0000-0000-000000000001")},
	} {
		t.Run(c.from.String()+" to "+c.to.String(), func(t *testing.T) {
			before, after := notes(), notes()
			before.Columns[2].Type, after.Columns[2].Type = c.from, c.to
			after.SchemaVersion = 2
			b := newBed(t, lake.Options{})
			rows := rowsOf(before, 2, func(i int) []kalam.Value {
				return []kalam.Value{kalam.BigInt(int64(i)), {}, []kalam.Value{c.value, {}}[i]}
			})
			seg := write(t, b.lake, before, "alice", rows, laketest.ParquetOptions{})
			got, err := b.lake.ReadRows(t.Context(), after, &seg, []int64{0, 1})
			if err != nil {
				t.Fatal(err)
			}
			wantRows(t, got, rowsOf(after, 2, func(i int) []kalam.Value {
				return []kalam.Value{kalam.BigInt(int64(i)), {}, []kalam.Value{c.as, {}}[i]}
			}), []int64{0, 1})
		})
	}
}

// TestLargePages has a page that is larger than Parquet readers like: of what
// hardly compresses, as pictures in BYTES do.
func TestLargePages(t *testing.T) {
	r := rand.NewChaCha8([32]byte{5, 6})
	table := notes()
	table.Columns[1].Type = kalam.TypeOf(kalam.KindBytes)
	picture := make([]byte, 11<<17) // 1.4 MB
	rows := rowsOf(table, 64, func(i int) []kalam.Value {
		if _, err := r.Read(picture); err != nil {
			t.Fatal(err)
		}
		return []kalam.Value{kalam.BigInt(int64(i)), kalam.Bytes(string(picture)), {}}
	})
	b := newBed(t, lake.Options{})
	seg := write(t, b.lake, table, "alice", rows, laketest.ParquetOptions{NoDictionary: true, PageBytes: 1 << 30})
	at := []int64{0, 63, 35}
	got, err := b.lake.ReadRows(t.Context(), table, &seg, at)
	if err != nil {
		t.Fatal(err)
	}
	wantRows(t, got, rows, at)
}

// TestRepeatedTextDoesNotFillMemory reads a row of a group whose rows share one
// long text: little in the file and much when decoded.
func TestRepeatedTextDoesNotFillMemory(t *testing.T) {
	body := strings.Repeat("all rows say this ", 3600) // 64 kB, in all 130 MB
	rows := rowsOf(notes(), 2048, func(i int) []kalam.Value {
		return []kalam.Value{kalam.BigInt(int64(i)), kalam.Text(body), {}}
	})
	b := newBed(t, lake.Options{})
	seg := write(t, b.lake, notes(), "alice", rows, laketest.ParquetOptions{})
	if seg.Bytes > 1<<20 {
		t.Fatalf("the file has %d bytes: it repeats the text", seg.Bytes)
	}
	for i := range 6 {
		at := []int64{int64(300 * i)}
		used := allocated(func() {
			got, err := b.lake.ReadRows(t.Context(), notes(), &seg, at)
			if err != nil {
				t.Fatal(err)
			}
			wantRows(t, got, rows, at)
		})
		if used > 24<<20 {
			t.Errorf("read %d of one row allocates %d MiB", i, used>>20)
		}
	}
	remove(t, b.file(keysOf(seg)))
	peak := allocatedAtOnce(t, func() {
		if err := b.lake.Rebuild(t.Context(), notes(), &seg); err != nil {
			t.Fatal(err)
		}
	})
	if peak > 64<<20 {
		t.Errorf("Rebuild holds %d MiB", peak>>20)
	}
}

// allocated returns how many bytes f allocates in all.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// allocatedAtOnce returns by how much the memory taken from the system grows
// while f runs.
func allocatedAtOnce(t *testing.T, f func()) uint64 {
	t.Helper()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.HeapSys - min(before.HeapSys, after.HeapSys)
}
