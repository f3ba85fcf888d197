package lake_test

import (
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/google/go-cmp/cmp"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/lake/keyindex"
	"github.com/kalamlake/kalam/lake/laketest"
)

// writeRows makes a segment of user's rows by WriteRows.
func writeRows(t testing.TB, b *bed, table *kalam.Table, user kalam.UserID, rows []kalam.Row) kalam.Segment {
	t.Helper()
	meta := metaOf(rows)
	p, err := b.lake.NewSegment(t.Context(), table, user, meta.MaxSeq)
	if err != nil {
		t.Fatal(err)
	}
	err = p.WriteRows(meta.MinSeq, func(yield func(kalam.Row, error) bool) {
		for _, r := range rows {
			if !yield(r, nil) {
				return
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	var keys []keyindex.Entry
	for i, k := range encodedKeys(t, table, rows) {
		keys = append(keys, keyindex.Entry{Key: k, Row: uint32(i), Seq: rows[i].Seq})
	}
	seg, err := p.Commit(t.Context(), keys, meta)
	if err != nil {
		t.Fatal(err)
	}
	return seg
}

// TestWriteRows reads back rows of every type, some of them NULL, and compares the
// file with one of another writer: the types of its columns and its statistics.
func TestWriteRows(t *testing.T) {
	for _, n := range []int{1, 2, 9, 300, lake.SmallRows} {
		for _, nulls := range []float64{0, 0.3, 1} {
			t.Run("rows="+strconv.Itoa(n)+"/nulls="+strconv.FormatFloat(nulls, 'f', 1, 64), func(t *testing.T) {
				b := newBed(t, lake.Options{})
				table := everyType()
				rows := randomRows(rand.New(rand.NewPCG(uint64(n), uint64(nulls*10))), table, n, nulls)
				seg := writeRows(t, b, table, "alice", rows)
				positions := make([]int64, n)
				for i := range positions {
					positions[i] = int64(i)
				}
				got, err := b.lake.ReadRows(t.Context(), table, &seg, positions)
				if err != nil {
					t.Fatal(err)
				}
				for i := range rows {
					want, have := decoded(t, table, rows[i]), decoded(t, table, got[i])
					if diff := cmp.Diff(want, have); diff != "" || got[i].Seq != rows[i].Seq ||
						got[i].Deleted != rows[i].Deleted {
						t.Fatalf("row %d (-want +got):\n%s", i, diff)
					}
				}
				if err := scrub(t.Context(), b.lake, &seg); err != nil {
					t.Errorf("scrub: %v", err)
				}
				other := write(t, b.lake, table, "bob", rows, laketest.ParquetOptions{NoDictionary: true})
				compareFiles(t, b.file(seg.Path), b.file(other.Path))
			})
		}
	}
}

// decoded returns the values of a row as text, with which NaN equals itself.
func decoded(t *testing.T, table *kalam.Table, r kalam.Row) []string {
	t.Helper()
	values, err := datatype.DecodeRow(table, r.Payload, nil)
	if err != nil {
		t.Fatal(err)
	}
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = string(datatype.AppendValue(nil, v))
	}
	return texts
}

// compareFiles compares what two Parquet files say of their columns.
func compareFiles(t *testing.T, one, two string) {
	t.Helper()
	a, err := file.OpenParquetFile(one, false)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	b, err := file.OpenParquetFile(two, false)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if a.NumRowGroups() != 1 || a.NumRows() != b.NumRows() {
		t.Fatalf("%d row groups, %d rows", a.NumRowGroups(), a.NumRows())
	}
	for i := range a.MetaData().Schema.NumColumns() {
		ca, err := a.RowGroup(0).MetaData().ColumnChunk(i)
		if err != nil {
			t.Fatal(err)
		}
		cb, err := b.RowGroup(0).MetaData().ColumnChunk(i)
		if err != nil {
			t.Fatal(err)
		}
		sa, sb := a.MetaData().Schema.Column(i), b.MetaData().Schema.Column(i)
		if sa.Name() != sb.Name() || sa.SchemaNode().FieldID() != sb.SchemaNode().FieldID() {
			t.Errorf("column %d is %s, not %s", i, sa.SchemaNode(), sb.SchemaNode())
		}
		if ca.Compression() != compress.Codecs.Zstd || ca.HasDictionaryPage() || ca.NumValues() != a.NumRows() {
			t.Errorf("column %s: %s, %d values", sa.Name(), ca.Compression(), ca.NumValues())
		}
		ta, err := ca.Statistics()
		if err != nil {
			t.Fatal(err)
		}
		tb, err := cb.Statistics()
		if err != nil {
			t.Fatal(err)
		}
		if ta.NullCount() != tb.NullCount() {
			t.Errorf("column %s has %d NULLs, not %d", sa.Name(), ta.NullCount(), tb.NullCount())
		}
		// The other writer stores small decimals, and FLOATs with NaN, in other forms.
		if sa.PhysicalType() != sb.PhysicalType() || !ta.HasMinMax() || !tb.HasMinMax() {
			continue
		}
		if sa.Name() == "float" || sa.Name() == "double" {
			continue // It leaves NaN out of the bounds.
		}
		if string(ta.EncodeMin()) != string(tb.EncodeMin()) || string(ta.EncodeMax()) != string(tb.EncodeMax()) {
			t.Errorf("column %s lies in %x to %x, not %x to %x", sa.Name(), ta.EncodeMin(), ta.EncodeMax(),
				tb.EncodeMin(), tb.EncodeMax())
		}
	}
}

// TestWriteRowsIsForFewRows checks what is refused, and that nothing is left of it.
func TestWriteRowsIsForFewRows(t *testing.T) {
	b := newBed(t, lake.Options{})
	rows := noteRows(lake.SmallRows+1, 1)
	for name, write := range map[string][]kalam.Row{"none": nil, "too many": rows} {
		p, err := b.lake.NewSegment(t.Context(), notes(), "alice", rows[len(rows)-1].Seq)
		if err != nil {
			t.Fatal(err)
		}
		err = p.WriteRows(firstSeq, func(yield func(kalam.Row, error) bool) {
			for _, r := range write {
				if !yield(r, nil) {
					return
				}
			}
		})
		if err == nil {
			t.Errorf("%s: written", name)
		}
		if err := p.Abort(); err != nil {
			t.Error(err)
		}
	}
	wantFiles(t, b.files(t))
}
