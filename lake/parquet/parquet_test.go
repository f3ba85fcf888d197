package parquet_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/lake/integrity"
	"github.com/kalamlake/kalam/lake/parquet"
)

// content is an open file in memory.
type content struct{ *bytes.Reader }

func (content) Close() error { return nil }

// readings returns a SHARED table with a key, a default and options.
func readings() *kalam.Table {
	created := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	return &kalam.Table{
		ID:     kalam.TableID{Namespace: "app", Name: "readings"},
		Number: 7,
		Kind:   kalam.KindSharedTable,
		Columns: []kalam.Column{
			{ID: 1, Name: "id", Type: kalam.TypeOf(kalam.KindBigInt), NotNull: true},
			{ID: 4, Name: "note", Type: kalam.TypeOf(kalam.KindText), Default: &kalam.Default{
				Value: kalam.Text("none"), SQL: "'none'",
			}},
		},
		PrimaryKey:    []int{0},
		SchemaVersion: 3,
		Creator:       "ann",
		CreatedAt:     created,
		UpdatedAt:     created.Add(time.Hour),
		Options:       kalam.TableOptions{StorageID: kalam.LocalStorage, FlushRows: 100, DeletedRetentionHours: 5},
	}
}

// written returns a file of three rows, the last deleted, and its record.
func written(t *testing.T, table *kalam.Table) ([]byte, kalam.Segment) {
	t.Helper()
	w := parquet.NewWriter(table)
	for i, note := range []kalam.Value{kalam.Text("a"), {}, kalam.Text("c")} {
		row := kalam.Row{
			Seq:     kalam.Seq(100 + i),
			Deleted: i == 2,
			Payload: datatype.EncodeRow(nil, table, []kalam.Value{kalam.BigInt(int64(i)), note}),
		}
		if err := w.Add(&row); err != nil {
			t.Fatal(err)
		}
	}
	z, err := parquet.NewCompressor()
	if err != nil {
		t.Fatal(err)
	}
	raw := w.Finish(z, parquet.FileMetadata(table, "", 100, 102))
	return raw, kalam.Segment{
		Path:          "x.parquet",
		Table:         table.Number,
		SchemaVersion: table.SchemaVersion,
		MinSeq:        100,
		MaxSeq:        102,
		Rows:          3,
		Bytes:         int64(len(raw)),
	}
}

// opened opens a file that is read by its checksums.
func opened(t *testing.T, raw []byte, seg *kalam.Segment) *parquet.File {
	t.Helper()
	sums, err := integrity.SumBlocks(t.Context(), bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	f := parquet.New(seg.Path, content{bytes.NewReader(raw)}, sums)
	if err := f.Open(seg); err != nil {
		t.Fatal(err)
	}
	return f
}

// TestFile writes a file and reads of it keys, seqs, rows and what they are.
func TestFile(t *testing.T) {
	table := readings()
	raw, seg := written(t, table)
	f := opened(t, raw, &seg)
	keys, tombstones, err := f.Keys(t.Context(), table)
	if err != nil || len(keys) != 3 || tombstones != 1 || keys[2].Row != 2 || keys[2].Seq != 102 {
		t.Errorf("keys %+v, %d tombstones, %v", keys, tombstones, err)
	}
	if err := f.CheckSeqs(t.Context(), table, []kalam.Seq{100, 101, 102}); err != nil {
		t.Error(err)
	}
	if err := f.CheckSeqs(t.Context(), table, []kalam.Seq{100, 102, 101}); kalam.CodeOf(err) != kalam.CodeCorrupt {
		t.Errorf("rows in another order: %v", err)
	}
	s, err := f.Summarize(t.Context(), table, &seg)
	if err != nil || !cmp.Equal(s.Tombstones.ToArray(), []uint32{2}) {
		t.Errorf("summary %+v, %v", s, err)
	}
	plan, err := f.PlanFor(table)
	if err != nil {
		t.Fatal(err)
	}
	rows := make([]kalam.Row, 1)
	if err := f.ReadGroup(plan, 0, []int64{1}, []int{0}, rows); err != nil {
		t.Fatal(err)
	}
	values, err := datatype.DecodeRow(table, rows[0].Payload, nil)
	if err != nil || rows[0].Seq != 101 || values[0].Int() != 1 || !values[1].IsNull() {
		t.Errorf("row 1 is %+v: %v, %v", rows[0], values, err)
	}
}

// TestDefinition finds in a file the table that it was written for.
func TestDefinition(t *testing.T) {
	want := readings()
	raw, seg := written(t, want)
	text, ok := opened(t, raw, &seg).Text(parquet.MetaDefinition)
	if !ok {
		t.Fatal("the file does not define its table")
	}
	got, err := parquet.DecodeDefinition(text)
	if err != nil {
		t.Fatal(err)
	}
	got.ID, got.Number, got.SchemaVersion = want.ID, want.Number, want.SchemaVersion
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b kalam.Value) bool { return a == b })); diff != "" {
		t.Errorf("definition (-want +got):\n%s", diff)
	}
	for damaged, code := range map[string]kalam.Code{
		"":                    kalam.CodeCorrupt,
		"3" + text[1:]:        kalam.CodeUnsupported,
		text[:len(text)-1]:    kalam.CodeCorrupt,
		"1 00000000 {}":       kalam.CodeCorrupt,
		"one " + text[2:]:     kalam.CodeCorrupt,
		"1 " + text[2:] + " ": kalam.CodeCorrupt,
	} {
		if _, err := parquet.DecodeDefinition(damaged); kalam.CodeOf(err) != code {
			t.Errorf("%.40q: %v", damaged, err)
		}
	}
}

// TestDefinitionOfAnAddedColumn: what older rows hold in a column is in the definition, which programs from before there
// was such a thing refuse.
func TestDefinitionOfAnAddedColumn(t *testing.T) {
	want := readings()
	for text, format := range map[string]string{"": "1 ", "it's": "2 "} {
		added := kalam.Column{ID: 9, Name: "added", Type: kalam.TypeOf(kalam.KindText)}
		if text != "" {
			added.Missing = kalam.Text(text)
		}
		with := *want
		with.Columns = append(slices.Clone(want.Columns), added)
		encoded, err := parquet.EncodeDefinition(&with)
		if err != nil || !strings.HasPrefix(encoded, format) {
			t.Fatalf("%q is written as %.20q, %v", text, encoded, err)
		}
		got, err := parquet.DecodeDefinition(encoded)
		if err != nil || got.Columns[len(got.Columns)-1].Missing != added.Missing {
			t.Errorf("%q is read as %+v, %v", text, got, err)
		}
	}
}

// TestDamage changes every byte: a file that was changed gives an error or what it gave before.
func TestDamage(t *testing.T) {
	table := readings()
	raw, seg := written(t, table)
	sums, err := integrity.SumBlocks(t.Context(), bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		bad := bytes.Clone(raw)
		bad[i] ^= 0x55
		f := parquet.New(seg.Path, content{bytes.NewReader(bad)}, sums)
		if err := f.Open(&seg); kalam.CodeOf(err) != kalam.CodeCorrupt {
			t.Fatalf("byte %d: %v", i, err)
		}
	}
}
