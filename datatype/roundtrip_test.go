package datatype_test

import (
	"bytes"
	"encoding/json"
	"math"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
)

// equateValues compares values by their bits.
var equateValues = cmpopts.EquateComparable(kalam.Value{})

func TestText(t *testing.T) {
	for _, s := range samples(t) {
		if got := datatype.Format(s.v); got != s.text {
			t.Errorf("Format(%s) = %q, want %q", s.t, got, s.text)
		}
		got, err := datatype.FromText(s.t, s.text)
		if err != nil || got != s.v {
			t.Errorf("FromText(%s, %q) = %q, %v", s.t, s.text, datatype.Format(got), err)
		}
		got, err = datatype.Cast(kalam.TypeOf(kalam.KindText), s.v)
		if err != nil || got != kalam.Text(s.text) {
			t.Errorf("Cast(TEXT, %s) = %q, %v", s.text, got.Str(), err)
		}
		got, err = datatype.Cast(s.t, s.v)
		if err != nil || got != s.v {
			t.Errorf("Cast(%s, itself) = %q, %v", s.t, datatype.Format(got), err)
		}
		if got, err := datatype.Cast(s.t, kalam.Null()); err != nil || !got.IsNull() {
			t.Errorf("Cast(%s, NULL) = %v, %v", s.t, got, err)
		}
	}
}

func TestRowRoundTrip(t *testing.T) {
	ss := samples(t)
	table, vals := wideTable(ss)
	nulls := make([]kalam.Value, len(vals))
	for _, row := range [][]kalam.Value{vals, nulls} {
		payload := datatype.EncodeRow([]byte("prefix"), table, row)
		if !bytes.HasPrefix(payload, []byte("prefix\xf1")) {
			t.Fatalf("EncodeRow does not append, or writes no version: % x", payload[:8])
		}
		payload = payload[len("prefix"):]
		got, err := datatype.DecodeRow(table, payload, nil)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(row, got, equateValues); d != "" {
			t.Fatal(d)
		}
		if again := datatype.EncodeRow(nil, table, got); !bytes.Equal(again, payload) {
			t.Error("encoding a decoded row gives other bytes")
		}
	}
}

func TestRowLayout(t *testing.T) {
	table := &kalam.Table{Columns: []kalam.Column{
		{ID: 1, Name: "a", Type: kalam.TypeOf(kalam.KindInt)},
		{ID: 300, Name: "b", Type: kalam.TypeOf(kalam.KindText)},
		{ID: 301, Name: "c", Type: kalam.TypeOf(kalam.KindBoolean)},
	}}
	got := datatype.EncodeRow(nil, table,
		[]kalam.Value{kalam.Integer(kalam.KindInt, -2), kalam.Text("hé"), kalam.Null()})
	want := []byte{0xF1, 3, 1, 0x02, 0xFE, 0xFF, 0xFF, 0xFF, 0xAC, 0x02, 0x05, 3, 0, 0, 0, 'h', 0xC3, 0xA9, 0xAD, 0x02,
		0xFF}
	if !bytes.Equal(got, want) {
		t.Errorf("got  % x\nwant % x", got, want)
	}
}

func TestDecodeColumns(t *testing.T) {
	table, vals := wideTable(samples(t))
	payload := datatype.EncodeRow(nil, table, vals)
	want := make([]bool, len(vals))
	want[3] = true
	dst := make([]kalam.Value, len(vals))
	for i := range dst {
		dst[i] = kalam.Text("left over")
	}
	got, err := datatype.DecodeColumns(table, payload, want, dst)
	if err != nil {
		t.Fatal(err)
	}
	if &got[0] != &dst[0] {
		t.Error("dst was not reused")
	}
	for i, v := range got {
		if i == 3 && v != vals[3] || i != 3 && !v.IsNull() {
			t.Errorf("column %d = %s", i, datatype.Format(v))
		}
	}
}

// TestSchemaChange reads rows written under an older version of the table.
func TestSchemaChange(t *testing.T) {
	ty := kalam.TypeOf
	old := &kalam.Table{PrimaryKey: []int{0}, Columns: []kalam.Column{
		{ID: 1, Name: "id", Type: ty(kalam.KindInt)},
		{ID: 2, Name: "gone", Type: ty(kalam.KindText)},
		{ID: 3, Name: "price", Type: kalam.DataType{Kind: kalam.KindDecimal, Precision: 5, Scale: 1}},
	}}
	now := &kalam.Table{PrimaryKey: []int{0}, Columns: []kalam.Column{
		{ID: 1, Name: "ident", Type: ty(kalam.KindBigInt)},
		{ID: 3, Name: "price", Type: kalam.DataType{Kind: kalam.KindDecimal, Precision: 7, Scale: 3}},
		{ID: 4, Name: "filled", Type: ty(kalam.KindText), Missing: kalam.Text("d"),
			Default: &kalam.Default{Value: kalam.Text("another by now")}},
		{ID: 5, Name: "with_func", Type: ty(kalam.KindText), Default: &kalam.Default{Func: kalam.DefaultULID}},
		{ID: 6, Name: "without", Type: ty(kalam.KindUUID)},
	}}
	payload := datatype.EncodeRow(nil, old,
		[]kalam.Value{kalam.Integer(kalam.KindInt, -7), kalam.Text("x"), kalam.Decimal(0, 15, 1)})
	want := []kalam.Value{kalam.BigInt(-7), kalam.Decimal(0, 1500, 3), kalam.Text("d"), kalam.Null(), kalam.Null()}
	got, err := datatype.DecodeRow(now, payload, nil)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got, equateValues); d != "" {
		t.Error(d)
	}
	rec := build(t, now, kalam.Row{Seq: 1, Payload: payload})
	defer rec.Release()
	for i, w := range want {
		if got := datatype.ValueAt(rec.Column(i), 0); got != w {
			t.Errorf("batch column %d = %s, want %s", i, datatype.Format(got), datatype.Format(w))
		}
	}
	now.Columns[0].Type = ty(kalam.KindUUID)
	if _, err := datatype.DecodeRow(now, payload, nil); kalam.CodeOf(err) != kalam.CodeCorrupt {
		t.Errorf("an INT in a UUID column gives %v", err)
	}
}

// build returns the batch of the given rows.
func build(tb testing.TB, table *kalam.Table, rows ...kalam.Row) arrow.RecordBatch {
	tb.Helper()
	b := datatype.NewBatchBuilder(nil, table)
	defer b.Release()
	for _, r := range rows {
		if err := b.Append(r); err != nil {
			tb.Fatal(err)
		}
	}
	return b.NewBatch()
}

func TestBatchRoundTrip(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	ss := samples(t)
	table, vals := wideTable(ss)
	b := datatype.NewBatchBuilder(mem, table)
	defer b.Release()
	for round := range 2 { // a builder is reusable
		full := datatype.EncodeRow(nil, table, vals)
		empty := datatype.EncodeRow(nil, table, make([]kalam.Value, len(vals)))
		for i, p := range [][]byte{full, empty, full} {
			if err := b.Append(kalam.Row{Seq: kalam.Seq(100 + i), Deleted: i == 2, Payload: p}); err != nil {
				t.Fatal(err)
			}
		}
		if b.Len() != 3 || b.Bytes() != 2*len(full)+len(empty) {
			t.Fatalf("Len = %d, Bytes = %d", b.Len(), b.Bytes())
		}
		rec := b.NewBatch()
		if !rec.Schema().Equal(datatype.TableSchema(table)) || rec.NumRows() != 3 || b.Len() != 0 || b.Bytes() != 0 {
			t.Fatalf("round %d: schema %v, rows %d", round, rec.Schema(), rec.NumRows())
		}
		checkColumns(t, ss, rec)
		seqs := rec.Column(len(ss)).(*array.Int64)
		deleted := rec.Column(len(ss) + 1).(*array.Boolean)
		if seqs.Value(2) != 102 || deleted.Value(1) || !deleted.Value(2) {
			t.Error("wrong _seq or _deleted")
		}
		rec.Release()
	}
}

// checkColumns checks three rows: the samples, NULLs, the samples.
func checkColumns(t *testing.T, ss []sample, rec arrow.RecordBatch) {
	t.Helper()
	for i, s := range ss {
		f, col := rec.Schema().Field(i), rec.Column(i)
		if got := datatype.TypeOfArrow(f); got != s.t {
			t.Errorf("TypeOfArrow(ArrowField(%s)) = %s", s.t, got)
		}
		w := datatype.NewCellWriter(f)
		for row := range 3 {
			want, cell := s.v, s.cell
			if row == 1 {
				want, cell = kalam.Null(), "null"
			}
			got := datatype.ValueAt(col, row)
			if s.t.Kind == kalam.KindJSON && !got.IsNull() {
				got = kalam.JSON(got.Str()) // only the field knows that it is JSON
			}
			if got != want {
				t.Errorf("%s: ValueAt = %q, want %q", s.t, datatype.Format(got), datatype.Format(want))
			}
			if got := string(datatype.AppendCell([]byte("x"), col, row)); got != "x"+cell {
				t.Errorf("%s: AppendCell = %s, want x%s", s.t, got, cell)
			}
			if got := string(w.Append(nil, col, row)); got != cell {
				t.Errorf("%s: CellWriter = %s, want %s", s.t, got, cell)
			}
			if got := string(datatype.AppendValue(nil, want)); got != cell {
				t.Errorf("%s: AppendValue = %s, want %s", s.t, got, cell)
			}
			if !json.Valid([]byte(cell)) {
				t.Errorf("%s: cell %s is not JSON", s.t, cell)
			}
		}
	}
}

func TestRowsBuilder(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	ss := samples(t)
	var fields []arrow.Field
	var vals []kalam.Value
	for _, s := range ss {
		fields = append(fields, datatype.FieldOf("c", s.t))
		vals = append(vals, s.v)
	}
	b, err := datatype.NewRowsBuilder(mem, arrow.NewSchema(fields, nil))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Release()
	for _, row := range [][]kalam.Value{vals, make([]kalam.Value, len(vals)), vals} {
		if err := b.AppendValues(row); err != nil {
			t.Fatal(err)
		}
	}
	bad := append([]kalam.Value{kalam.Text("maybe")}, vals[1:]...)
	wantMsg := "Type mismatch: expected BOOLEAN, got 'maybe' for column 'c'"
	if err := b.AppendValues(bad); err == nil || err.Error() != wantMsg {
		t.Errorf("AppendValues = %v, want %s", err, wantMsg)
	}
	if err := b.AppendValues(nil); err == nil {
		t.Error("a row without values was taken")
	}
	if b.Len() != 3 {
		t.Fatalf("Len = %d", b.Len())
	}
	rec := b.NewBatch()
	defer rec.Release()
	checkColumns(t, ss, rec)
	if _, err := datatype.NewRowsBuilder(mem,
		arrow.NewSchema([]arrow.Field{{Name: "l", Type: arrow.ListOf(arrow.Null)}}, nil)); err == nil {
		t.Error("a list field was taken")
	}
}

// TestAppendDamaged checks that a refused row leaves the builder as it was.
func TestAppendDamaged(t *testing.T) {
	table, vals := wideTable(samples(t))
	good := datatype.EncodeRow(nil, table, vals)
	b := datatype.NewBatchBuilder(nil, table)
	defer b.Release()
	for cut := range good {
		if err := b.Append(kalam.Row{Payload: good[:cut]}); kalam.CodeOf(err) != kalam.CodeCorrupt {
			t.Fatalf("cut at %d: %v", cut, err)
		}
	}
	if err := b.Append(kalam.Row{Payload: good}); err != nil {
		t.Fatal(err)
	}
	rec := b.NewBatch()
	defer rec.Release()
	for i := range vals {
		if rec.Column(i).Len() != 1 {
			t.Fatalf("column %d has %d rows", i, rec.Column(i).Len())
		}
	}
}

func TestNegativeZeroAndNaNBits(t *testing.T) {
	table := columnTable(kalam.TypeOf(kalam.KindDouble))
	for _, f := range []float64{math.Copysign(0, -1), math.NaN()} {
		in := []kalam.Value{kalam.Double(f)}
		got, err := datatype.DecodeRow(table, datatype.EncodeRow(nil, table, in), nil)
		if err != nil || got[0] != in[0] {
			t.Errorf("%v came back as %v, %v", f, got, err)
		}
	}
	if got := string(datatype.AppendValue(nil, kalam.Double(math.Copysign(0, -1)))); got != "-0.0" {
		t.Errorf("cell of -0 is %s", got)
	}
}
