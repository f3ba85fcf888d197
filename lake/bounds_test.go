package lake_test

import (
	"math/rand/v2"
	"os"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/lake/laketest"
	"github.com/kalamlake/kalam/lake/parquet"
)

// boundsOf returns the bounds of a segment.
func boundsOf(t *testing.T, l *lake.Lake, seg *kalam.Segment) *parquet.Bounds {
	t.Helper()
	f, err := l.LocalPath(t.Context(), seg)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Release()
	b, err := f.Bounds(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// rangesOf computes the ranges of some rows.
func rangesOf(t *testing.T, table *kalam.Table, rows []kalam.Row) []datatype.Range {
	t.Helper()
	out := make([]datatype.Range, len(table.Columns)+1)
	for _, r := range rows {
		values, err := datatype.DecodeRow(table, r.Payload, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range append(values, kalam.BigInt(int64(r.Seq))) {
			x := &out[i]
			x.Known = true
			if v.IsNull() {
				x.Nulls = true
				continue
			}
			compare := datatype.Compare(v.Kind())
			if x.Min.IsNull() || compare(v, x.Min) < 0 {
				x.Min = v
			}
			if x.Max.IsNull() || compare(v, x.Max) > 0 {
				x.Max = v
			}
		}
	}
	return out
}

// TestBounds compares the bounds of segments of every type with their rows.
func TestBounds(t *testing.T) {
	for _, nulls := range []float64{0, 0.3, 1} {
		b := newBed(t, lake.Options{})
		table := everyType()
		rows := randomRows(rand.New(rand.NewPCG(3, uint64(nulls*10))), table, 1000, nulls)
		seg := write(t, b.lake, table, "alice", rows, laketest.ParquetOptions{RowGroup: 300})
		got := boundsOf(t, b.lake, &seg)
		if got.Groups() != 4 {
			t.Fatalf("%d groups", got.Groups())
		}
		known := 0
		for g := range got.Groups() {
			part := rows[300*g : min(300*g+300, len(rows))]
			if got.Rows(g) != int64(len(part)) {
				t.Errorf("group %d has %d rows, not %d", g, got.Rows(g), len(part))
			}
			for i, want := range rangesOf(t, table, part) {
				kind := kalam.KindBigInt
				if i < len(table.Columns) {
					kind = table.Columns[i].Type.Kind
				}
				have := got.Range(g, i)
				switch {
				case kind == kalam.KindJSON: // In the file it is text.
				case have.Known:
					known++
					if have != want {
						t.Errorf("group %d, column %d (%s): %+v, want %+v", g, i, kind, have, want)
					}
				case datatype.HasRange(kind) && kind != kalam.KindText: // A long text is no bound.
					t.Errorf("group %d, column %d (%s) has no range", g, i, kind)
				}
			}
		}
		if known == 0 {
			t.Error("no range is known")
		}
		if r := got.Range(0, 99); r.Known {
			t.Errorf("a column that is not there has the range %+v", r)
		}
	}
}

// TestBoundsAreKept reads the footer once, and anew after the segment was removed.
func TestBoundsAreKept(t *testing.T) {
	b := newBed(t, lake.Options{})
	rows := noteRows(100, 1)
	seg := write(t, b.lake, notes(), "alice", rows, laketest.ParquetOptions{})
	first := boundsOf(t, b.lake, &seg)
	if again := boundsOf(t, b.lake, &seg); again != first {
		t.Error("the bounds were read twice")
	}
	lent, err := b.lake.LocalPath(t.Context(), &seg)
	if err != nil {
		t.Fatal(err)
	}
	defer lent.Release()
	if err := b.lake.Remove(t.Context(), &seg); err != nil {
		t.Fatal(err)
	}
	if _, err := lent.Bounds(t.Context()); kalam.CodeOf(err) != kalam.CodeCorrupt {
		t.Errorf("bounds of a segment that was removed: %v", err)
	}
}

// TestBoundsOfAnother refuses the footer of another segment under the name of this one.
func TestBoundsOfAnother(t *testing.T) {
	b := newBed(t, lake.Options{})
	seg := write(t, b.lake, notes(), "alice", noteRows(100, 1), laketest.ParquetOptions{})
	other := write(t, b.lake, notes(), "bob", noteRows(100, 500), laketest.ParquetOptions{})
	lent, err := b.lake.LocalPath(t.Context(), &seg)
	if err != nil {
		t.Fatal(err)
	}
	defer lent.Release()
	if err := os.Rename(b.file(other.Path), b.file(seg.Path)); err != nil {
		t.Fatal(err)
	}
	if _, err := lent.Bounds(t.Context()); kalam.CodeOf(err) != kalam.CodeCorrupt {
		t.Errorf("bounds of a file that was exchanged: %v", err)
	}
}
