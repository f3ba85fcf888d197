package datatype_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
)

// chatTable is the shape of the measured workloads: six columns, 200 bytes of
// text.
func chatTable() (*kalam.Table, []kalam.Value) {
	ty := kalam.TypeOf
	t := &kalam.Table{ID: kalam.TableID{Namespace: "ns", Name: "messages"}, Number: 1, Kind: kalam.KindUserTable,
		PrimaryKey: []int{0}, Columns: []kalam.Column{
			{ID: 1, Name: "id", Type: ty(kalam.KindBigInt)}, {ID: 2, Name: "conversation_id", Type: ty(kalam.KindText)},
			{ID: 3, Name: "role", Type: ty(kalam.KindText)}, {ID: 4, Name: "content", Type: ty(kalam.KindText)},
			{ID: 5, Name: "created_at", Type: ty(kalam.KindTimestamp)},
			{ID: 6, Name: "score", Type: ty(kalam.KindDouble)},
		}}
	return t, []kalam.Value{
		kalam.BigInt(1234567), kalam.Text("conv_0123456789"), kalam.Text("assistant"),
		kalam.Text(strings.Repeat("lorem ipsum ", 17)),
		kalam.Integer(kalam.KindTimestamp, 1700000000000000), kalam.Double(0.75),
	}
}

func BenchmarkEncodeRow(b *testing.B) {
	t, vals := chatTable()
	buf := datatype.EncodeRow(nil, t, vals)
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		buf = datatype.EncodeRow(buf[:0], t, vals)
	}
}

func BenchmarkDecodeRow(b *testing.B) {
	t, vals := chatTable()
	payload := datatype.EncodeRow(nil, t, vals)
	dst := make([]kalam.Value, len(vals))
	b.SetBytes(int64(len(payload)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := datatype.DecodeRow(t, payload, dst); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeColumns(b *testing.B) {
	t, vals := chatTable()
	payload := datatype.EncodeRow(nil, t, vals)
	dst, want := make([]kalam.Value, len(vals)), []bool{true, false, false, false, false, false}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := datatype.DecodeColumns(t, payload, want, dst); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncodeKey(b *testing.B) {
	t, vals := chatTable()
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = datatype.EncodeKey(buf[:0], t, vals)
	}
}

func BenchmarkBatchBuilder(b *testing.B) {
	t, vals := chatTable()
	payload := datatype.EncodeRow(nil, t, vals)
	for _, rows := range []int{100, 2048} {
		b.Run(fmt.Sprintf("rows=%d", rows), func(b *testing.B) {
			bb := datatype.NewBatchBuilder(memory.DefaultAllocator, t)
			defer bb.Release()
			b.ReportAllocs()
			for b.Loop() {
				for i := range rows {
					if err := bb.Append(kalam.Row{Seq: kalam.Seq(i), Payload: payload}); err != nil {
						b.Fatal(err)
					}
				}
				bb.NewBatch().Release()
			}
			b.ReportMetric(float64(b.N)*float64(rows)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

func BenchmarkAppendCell(b *testing.B) {
	t, vals := chatTable()
	payload := datatype.EncodeRow(nil, t, vals)
	var rows []kalam.Row
	for range 2048 {
		rows = append(rows, kalam.Row{Payload: payload})
	}
	rec := build(b, t, rows...)
	defer rec.Release()
	var buf []byte
	for i := range vals {
		f := rec.Schema().Field(i)
		b.Run("cell="+f.Name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				buf = datatype.AppendCell(buf[:0], rec.Column(i), 7)
			}
		})
		w := datatype.NewCellWriter(f)
		b.Run("writer="+f.Name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				buf = w.Append(buf[:0], rec.Column(i), 7)
			}
		})
	}
}

func BenchmarkFromText(b *testing.B) {
	for _, c := range []struct {
		k kalam.Kind
		s string
	}{
		{kalam.KindText, strings.Repeat("lorem ipsum ", 17)}, {kalam.KindTimestamp, "2024-01-31T12:34:56.789012+01:00"},
		{kalam.KindDecimal, "12345.6789"}, {kalam.KindUUID, "01234567-89ab-cdef-fedc-ba9876543210"},
		{kalam.KindJSON, `{"a":[1,2,3],"b":{"c":"text"},"d":null}`},
	} {
		b.Run(c.k.String(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := datatype.FromText(kalam.TypeOf(c.k), c.s); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
