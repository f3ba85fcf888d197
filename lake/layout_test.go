package lake_test

import (
	"os"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"
	pq "github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/lake/keyindex"
	"github.com/kalamlake/kalam/lake/parquet"
)

// column is what a foreign writer made of a column.
type column struct {
	t    arrow.DataType
	fill func(array.Builder)
}

// fixedBytes returns a column of fixed-size binary values.
func fixedBytes(width int, values ...string) column {
	return column{&arrow.FixedSizeBinaryType{ByteWidth: width}, func(b array.Builder) {
		for _, v := range values {
			b.(*array.FixedSizeBinaryBuilder).Append([]byte(v))
		}
	}}
}

func integers32(t arrow.DataType, values ...int32) column {
	return column{t, func(b array.Builder) {
		for _, v := range values {
			switch b := b.(type) {
			case *array.Int32Builder:
				b.Append(v)
			case *array.Time32Builder:
				b.Append(arrow.Time32(v))
			case *array.Uint32Builder:
				b.Append(uint32(v))
			case *array.Int8Builder:
				b.Append(int8(v))
			}
		}
	}}
}

func integers64(t arrow.DataType, values ...int64) column {
	return column{t, func(b array.Builder) {
		for _, v := range values {
			switch b := b.(type) {
			case *array.Int64Builder:
				b.Append(v)
			case *array.Uint64Builder:
				b.Append(uint64(v))
			case *array.TimestampBuilder:
				b.Append(arrow.Timestamp(v))
			case *array.Time64Builder:
				b.Append(arrow.Time64(v))
			}
		}
	}}
}

func decimals(precision, scale int32, values ...int64) column {
	return column{&arrow.Decimal128Type{Precision: precision, Scale: scale}, func(b array.Builder) {
		for _, v := range values {
			b.(*array.Decimal128Builder).Append(decimal128.FromI64(v))
		}
	}}
}

// writeForeign writes two rows of notes, with c in the place of score, as some
// other program might.
func writeForeign(t *testing.T, name string, c column) {
	t.Helper()
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "id", Type: arrow.PrimitiveTypes.Int64}, {Name: "score", Type: c.t, Nullable: true},
		{Name: "body", Type: arrow.BinaryTypes.String, Nullable: true},
		{Name: kalam.ColumnSeq, Type: arrow.PrimitiveTypes.Int64},
		{Name: kalam.ColumnDeleted, Type: arrow.FixedWidthTypes.Boolean, Nullable: true},
	}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	b.Field(0).(*array.Int64Builder).AppendValues([]int64{0, 1}, nil)
	c.fill(b.Field(1))
	b.Field(2).(*array.StringBuilder).AppendValues([]string{"x", "y"}, nil)
	b.Field(3).(*array.Int64Builder).AppendValues([]int64{int64(firstSeq), int64(firstSeq) + 1}, nil)
	b.Field(4).(*array.BooleanBuilder).AppendValues([]bool{false, true}, nil)
	batch := b.NewRecordBatch()
	defer batch.Release()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	props := pq.NewWriterProperties(pq.WithStoreDecimalAsInteger(true), pq.WithVersion(pq.V2_LATEST))
	w, err := pqarrow.NewFileWriter(schema, f, props, pqarrow.DefaultWriterProps())
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range parquet.FileMetadata(notes(), "alice", firstSeq, firstSeq+1) {
		if err := w.AppendKeyValueMetadata(k, v); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Write(batch); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// foreignLayout is a column as it is stored and as it is read.
type foreignLayout struct {
	name string
	have column
	as   kalam.DataType
	want [2]kalam.Value // NULLs: refused
}

func foreignLayouts() []foreignLayout {
	ty := kalam.TypeOf
	dec := func(p, s uint8) kalam.DataType {
		return kalam.DataType{Kind: kalam.KindDecimal, Precision: p, Scale: s}
	}
	in := kalam.Integer
	unit := func(u arrow.TimeUnit, zone string) arrow.DataType {
		return &arrow.TimestampType{Unit: u, TimeZone: zone}
	}
	uuid := "0123456789abcdef"
	return []foreignLayout{
		{"decimal in 4 bytes", decimals(9, 2, -150, 999999999), dec(9, 2),
			[2]kalam.Value{kalam.Decimal(-1, ^uint64(149), 2), kalam.Decimal(0, 999999999, 2)}},
		{"decimal in 8 bytes", decimals(18, 4, -1, 1<<50), dec(18, 4),
			[2]kalam.Value{kalam.Decimal(-1, ^uint64(0), 4), kalam.Decimal(0, 1<<50, 4)}},
		{"decimal in 9 bytes", decimals(20, 0, -7, 7), dec(20, 0),
			[2]kalam.Value{kalam.Decimal(-1, ^uint64(6), 0), kalam.Decimal(0, 7, 0)}},
		{"decimal of less scale", decimals(9, 1, -15, 15), dec(12, 3),
			[2]kalam.Value{kalam.Decimal(-1, ^uint64(1499), 3), kalam.Decimal(0, 1500, 3)}},
		{"milliseconds", integers64(unit(arrow.Millisecond, ""), -1, 5), ty(kalam.KindTimestamp),
			[2]kalam.Value{in(kalam.KindTimestamp, -1000), in(kalam.KindTimestamp, 5000)}},
		{"nanoseconds", integers64(unit(arrow.Nanosecond, ""), -1001, 5999), ty(kalam.KindTimestamp),
			[2]kalam.Value{in(kalam.KindTimestamp, -2), in(kalam.KindTimestamp, 5)}},
		{"whole nanoseconds", integers64(unit(arrow.Nanosecond, ""), -2000, 2000), ty(kalam.KindTimestamp),
			[2]kalam.Value{in(kalam.KindTimestamp, -2), in(kalam.KindTimestamp, 2)}},
		{"microseconds in a zone", integers64(unit(arrow.Microsecond, "UTC"), -1, 5), ty(kalam.KindDateTime),
			[2]kalam.Value{in(kalam.KindDateTime, -1), in(kalam.KindDateTime, 5)}},
		{"milliseconds out of range", integers64(unit(arrow.Millisecond, ""), 1<<62, 0), ty(kalam.KindTimestamp),
			[2]kalam.Value{}},
		{"milliseconds far below", integers64(unit(arrow.Millisecond, ""), -1<<62, 0), ty(kalam.KindTimestamp),
			[2]kalam.Value{}},
		{"time in milliseconds", integers32(arrow.FixedWidthTypes.Time32ms, 0, 86399999), ty(kalam.KindTime),
			[2]kalam.Value{in(kalam.KindTime, 0), in(kalam.KindTime, 86399999000)}},
		{"time in nanoseconds", integers64(arrow.FixedWidthTypes.Time64ns, 0, 86399999999999), ty(kalam.KindTime),
			[2]kalam.Value{in(kalam.KindTime, 0), in(kalam.KindTime, 86399999999)}},
		{"small integers", integers32(arrow.PrimitiveTypes.Int8, -128, 127), ty(kalam.KindSmallInt),
			[2]kalam.Value{in(kalam.KindSmallInt, -128), in(kalam.KindSmallInt, 127)}},
		{"bare 16 bytes as UUID", fixedBytes(16, uuid, uuid), ty(kalam.KindUUID),
			[2]kalam.Value{kalam.UUID([16]byte([]byte(uuid))), kalam.UUID([16]byte([]byte(uuid)))}},
		{"fixed bytes", fixedBytes(3, "abc", "\x00\xff\x00"), ty(kalam.KindBytes),
			[2]kalam.Value{kalam.Bytes("abc"), kalam.Bytes("\x00\xff\x00")}},
		{"bare bytes as TEXT", column{arrow.BinaryTypes.Binary, func(b array.Builder) {
			b.(*array.BinaryBuilder).Append([]byte("é"))
			b.(*array.BinaryBuilder).AppendNull()
		}}, ty(kalam.KindText), [2]kalam.Value{kalam.Text("é"), {}}},
		{"text as JSON", column{arrow.BinaryTypes.String, func(b array.Builder) {
			b.(*array.StringBuilder).AppendValues([]string{"{}", "[]"}, nil)
		}}, ty(kalam.KindJSON), [2]kalam.Value{kalam.JSON("{}"), kalam.JSON("[]")}},
		{"unsigned 32 bits", integers32(arrow.PrimitiveTypes.Uint32, 1, 2), ty(kalam.KindInt), [2]kalam.Value{}},
		{"unsigned 64 bits", integers64(arrow.PrimitiveTypes.Uint64, 1, 2), ty(kalam.KindBigInt), [2]kalam.Value{}},
		{"12 bytes as UUID", fixedBytes(12, uuid[:12], uuid[:12]), ty(kalam.KindUUID), [2]kalam.Value{}},
		{"time as TIMESTAMP", integers64(arrow.FixedWidthTypes.Time64us, 0, 1), ty(kalam.KindTimestamp),
			[2]kalam.Value{}},
		{"integers as UUID", integers64(arrow.PrimitiveTypes.Int64, 0, 1), ty(kalam.KindUUID), [2]kalam.Value{}},
	}
}

// TestForeignLayouts reads columns in every form that Parquet has for a type,
// and refuses those that are another type.
func TestForeignLayouts(t *testing.T) {
	for _, c := range foreignLayouts() {
		t.Run(c.name, func(t *testing.T) {
			table := notes()
			table.Columns[2].Type = c.as
			b := newBed(t, lake.Options{})
			p, err := b.lake.NewSegment(t.Context(), table, "alice", firstSeq+1)
			if err != nil {
				t.Fatal(err)
			}
			writeForeign(t, p.LocalTemp(), c.have)
			keys := []keyindex.Entry{{Key: noteKey(0), Row: 0, Seq: firstSeq},
				{Key: noteKey(1), Row: 1, Seq: firstSeq + 1}}
			meta := lake.SegmentMeta{MinSeq: firstSeq, MaxSeq: firstSeq + 1, Rows: 2, Tombstones: 1}
			seg, err := p.Commit(t.Context(), keys, meta)
			var got []kalam.Row
			if err == nil {
				got, err = b.lake.ReadRows(t.Context(), table, &seg, []int64{0, 1})
			}
			if c.want == [2]kalam.Value{} {
				wantCode(t, "reading", err, kalam.CodeCorrupt, "score")
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for i, body := range []string{"x", "y"} {
				want := datatype.EncodeRow(nil, table,
					[]kalam.Value{kalam.BigInt(int64(i)), kalam.Text(body), c.want[i]})
				if !sameRow(got[i], kalam.Row{Seq: firstSeq + kalam.Seq(i), Deleted: i == 1, Payload: want}) {
					values, err := datatype.DecodeRow(table, got[i].Payload, nil)
					t.Errorf("row %d is %+v, %v; want %v", i, values, err, c.want[i])
				}
			}
			if err := b.lake.Rebuild(t.Context(), table, &seg); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestFileWithoutSystemColumns is refused as soon as it is written.
func TestFileWithoutSystemColumns(t *testing.T) {
	b := newBed(t, lake.Options{})
	p, err := b.lake.NewSegment(t.Context(), notes(), "alice", firstSeq)
	if err != nil {
		t.Fatal(err)
	}
	schema := arrow.NewSchema([]arrow.Field{{Name: "id", Type: arrow.PrimitiveTypes.Int64}}, nil)
	f, err := os.Create(p.LocalTemp())
	if err != nil {
		t.Fatal(err)
	}
	w, err := pqarrow.NewFileWriter(schema, f, pq.NewWriterProperties(), pqarrow.DefaultWriterProps())
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range p.Metadata(firstSeq) {
		if err := w.AppendKeyValueMetadata(k, v); err != nil {
			t.Fatal(err)
		}
	}
	rb := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer rb.Release()
	rb.Field(0).(*array.Int64Builder).Append(1)
	batch := rb.NewRecordBatch()
	defer batch.Release()
	if err := w.Write(batch); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = p.Commit(t.Context(), []keyindex.Entry{{Key: noteKey(1), Seq: firstSeq}},
		lake.SegmentMeta{MinSeq: firstSeq, MaxSeq: firstSeq, Rows: 1})
	wantCode(t, "Commit", err, kalam.CodeCorrupt, kalam.ColumnSeq)
	wantFiles(t, b.files(t))
}
