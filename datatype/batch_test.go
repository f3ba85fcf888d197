package datatype_test

import (
	"math"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
)

// floats is a table with both kinds of floats beside other columns.
func floats() *kalam.Table {
	return &kalam.Table{
		ID: kalam.TableID{Namespace: "app", Name: "t"}, Number: 1, SchemaVersion: 1, PrimaryKey: []int{0},
		Columns: []kalam.Column{
			{ID: 1, Name: "id", Type: kalam.DataType{Kind: kalam.KindBigInt}},
			{ID: 2, Name: "d", Type: kalam.DataType{Kind: kalam.KindDouble}},
			{ID: 3, Name: "f", Type: kalam.DataType{Kind: kalam.KindFloat}},
			{ID: 4, Name: "s", Type: kalam.DataType{Kind: kalam.KindText}},
		},
	}
}

func TestHasNegativeZero(t *testing.T) {
	table := floats()
	minus := math.Copysign(0, -1)
	b := datatype.NewBatchBuilder(nil, table)
	defer b.Release()
	for _, c := range []struct {
		name string
		d, f kalam.Value
		want bool
	}{
		{"no zero", kalam.Double(1), kalam.Float(-2), false},
		{"zero", kalam.Double(0), kalam.Float(0), false},
		{"NULL", kalam.Null(), kalam.Null(), false},
		{"-0 in DOUBLE", kalam.Double(minus), kalam.Null(), true},
		{"-0 in FLOAT", kalam.Null(), kalam.Float(float32(minus)), true},
		{"the smallest negative", kalam.Double(-math.SmallestNonzeroFloat64), kalam.Float(-math.SmallestNonzeroFloat32),
			false},
	} {
		payload := datatype.EncodeRow(nil, table, []kalam.Value{kalam.BigInt(0), c.d, c.f, kalam.Text("-0")})
		if got, err := b.HasNegativeZero(payload); got != c.want || err != nil {
			t.Errorf("%s: %v, %v; want %v", c.name, got, err, c.want)
		}
	}
	if _, err := b.HasNegativeZero([]byte{1}); kalam.CodeOf(err) != kalam.CodeCorrupt {
		t.Errorf("damaged payload: %v, want CodeCorrupt", err)
	}
	if b.Len() != 0 {
		t.Errorf("%d rows were added", b.Len())
	}
}

// TestBatchesOfChangingSize builds batches one after the other, whose sizes are
// nothing like those of the ones before.
func TestBatchesOfChangingSize(t *testing.T) {
	table := floats()
	b := datatype.NewBatchBuilder(nil, table)
	defer b.Release()
	var batches []arrow.RecordBatch
	sizes := []struct{ rows, bytes int }{{1, 6 << 20}, {2048, 3}, {5, 0}, {300, 1000}, {1, 1}}
	for n, size := range sizes {
		for i := range size.rows {
			payload := datatype.EncodeRow(nil, table, []kalam.Value{
				kalam.BigInt(int64(i)), kalam.Double(float64(n)), kalam.Null(),
				kalam.Text(strings.Repeat(string(rune('a'+n)), size.bytes)),
			})
			if err := b.Append(kalam.Row{Seq: kalam.Seq(i + 1), Payload: payload}); err != nil {
				t.Fatal(err)
			}
		}
		batches = append(batches, b.NewBatch())
	}
	for n, size := range sizes {
		rec := batches[n]
		if int(rec.NumRows()) != size.rows {
			t.Fatalf("batch %d has %d rows, want %d", n, rec.NumRows(), size.rows)
		}
		for i := range size.rows {
			id, d, s := rec.Column(0).(*array.Int64).Value(i), rec.Column(1).(*array.Float64).Value(i),
				rec.Column(3).(*array.String).Value(i)
			if id != int64(i) || d != float64(n) || s != strings.Repeat(string(rune('a'+n)), size.bytes) ||
				!rec.Column(2).IsNull(i) {
				t.Fatalf("batch %d, row %d is %d, %v, %.20q", n, i, id, d, s)
			}
		}
		rec.Release()
	}
}
