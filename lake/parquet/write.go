package parquet

import (
	"encoding/binary"
	"maps"
	"slices"

	"github.com/klauspost/compress/zstd"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
)

// createdBy names the writer in the footer.
const createdBy = "kalam"

// Values of the enumerations of Parquet's metadata.
const (
	formatVersion      = 1
	repetitionRequired = 0
	repetitionOptional = 1
	encodingPlain      = 0
	encodingRLE        = 3
	codecZstd          = 6
	pageData           = 0
)

// NewCompressor returns what compresses the pages of small files. Its memory is
// taken when it is first used.
func NewCompressor() (*zstd.Encoder, error) {
	return zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(2),
		zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true), zstd.WithEncoderCRC(false))
}

// Writer makes a Parquet file of few rows in memory: one row group with one
// page per column. A reader finds in it what it finds in the files that DuckDB
// writes: the same schema, types, field ids, compression and statistics, and no
// bloom filter. See docs/architecture/adrs/013-flush-of-many-users.md.
type Writer struct {
	table   *kalam.Table
	columns []columnWriter // Those of the table, _seq, _deleted.
	row     []kalam.Value
	Rows    int64
}

func NewWriter(t *kalam.Table) *Writer {
	w := &Writer{table: t, columns: make([]columnWriter, 0, len(t.Columns)+2)}
	for i := range t.Columns {
		c := &t.Columns[i]
		w.columns = append(w.columns, newColumnWriter(c.Name, c.ID, c.Type))
	}
	w.columns = append(w.columns,
		newColumnWriter(kalam.ColumnSeq, kalam.FieldIDSeq, kalam.TypeOf(kalam.KindBigInt)),
		newColumnWriter(kalam.ColumnDeleted, kalam.FieldIDDeleted, kalam.TypeOf(kalam.KindBoolean)))
	return w
}

// Add adds the next row. A damaged payload is CodeCorrupt.
func (w *Writer) Add(r *kalam.Row) (err error) {
	if w.row, err = datatype.DecodeRow(w.table, r.Payload, w.row); err != nil {
		return err
	}
	for i := range w.row {
		w.columns[i].add(w.row[i])
	}
	n := len(w.row)
	w.columns[n].add(kalam.BigInt(int64(r.Seq)))
	w.columns[n+1].add(kalam.Bool(r.Deleted))
	w.Rows++
	return nil
}

// chunk is where the page of a column lies in the file.
type chunk struct {
	offset       int64
	uncompressed int64 // With the page's header, as below.
	compressed   int64
}

// Finish returns the content of the file.
func (w *Writer) Finish(z *zstd.Encoder, metadata map[string]string) []byte {
	out, chunks := w.appendPages([]byte(magic), 0, z)
	return appendFooter(out, w.columns, w.Rows, [][]byte{w.rowGroup(chunks)}, metadata)
}

// appendPages appends the pages of the columns, and returns where they lie when out begins at an
// offset of the file.
func (w *Writer) appendPages(out []byte, offset int64, z *zstd.Encoder) ([]byte, []chunk) {
	chunks := make([]chunk, len(w.columns))
	var raw, packed []byte
	for i := range w.columns {
		raw = w.columns[i].page(raw[:0])
		packed = z.EncodeAll(raw, packed[:0])
		start := len(out)
		out = append(out, pageHeader(len(raw), len(packed), w.Rows)...)
		header := len(out) - start
		out = append(out, packed...)
		chunks[i] = chunk{offset + int64(start), int64(header + len(raw)), int64(header + len(packed))}
	}
	return out, chunks
}

// pageHeader returns a struct PageHeader with a DataPageHeader.
func pageHeader(raw, packed int, rows int64) []byte {
	var t thriftWriter
	t.begin()
	t.i32(1, pageData)
	t.i32(2, int32(raw))
	t.i32(3, int32(packed))
	t.structure(5)
	t.i32(1, int32(rows))
	t.i32(2, encodingPlain)
	t.i32(3, encodingRLE)
	t.i32(4, encodingRLE)
	t.end()
	t.end()
	return t.buf
}

// appendFooter appends what follows the row groups of a file: a struct FileMetaData, its length
// and the magic number.
func appendFooter(
	out []byte, columns []columnWriter, rows int64, groups [][]byte, metadata map[string]string,
) []byte {
	var t thriftWriter
	t.begin()
	t.i32(1, formatVersion)
	t.list(2, thriftStruct, len(columns)+1)
	root(&t, len(columns))
	for i := range columns {
		columns[i].element(&t)
	}
	t.i64(3, rows)
	t.list(4, thriftStruct, len(groups))
	for _, g := range groups {
		t.buf = append(t.buf, g...)
	}
	t.list(5, thriftStruct, len(metadata))
	for _, key := range slices.Sorted(maps.Keys(metadata)) {
		t.begin()
		t.text(1, key)
		t.text(2, metadata[key])
		t.end()
	}
	t.text(6, createdBy)
	t.list(7, thriftStruct, len(columns))
	for range columns { // The order of the column's type.
		t.begin()
		t.structure(1)
		t.end()
		t.end()
	}
	t.end()
	out = append(out, t.buf...)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(t.buf)))
	return append(out, magic...)
}

// root adds the SchemaElement that holds the columns.
func root(t *thriftWriter, columns int) {
	t.begin()
	t.i32(3, repetitionRequired)
	t.text(4, "kalam_schema")
	t.i32(5, int32(columns))
	t.end()
}

// element adds the column's SchemaElement.
func (c *columnWriter) element(t *thriftWriter) {
	t.begin()
	t.i32(1, int32(c.how.Physical))
	if c.how.Physical == datatype.ParquetFixed {
		t.i32(2, int32(c.how.Length))
	}
	if c.required {
		t.i32(3, repetitionRequired)
	} else {
		t.i32(3, repetitionOptional)
	}
	t.text(4, c.name)
	if converted := convertedOf(c.how); converted != convertedNone {
		t.i32(6, converted)
	}
	if c.isDecimal() {
		t.i32(7, int32(c.how.Scale))
		t.i32(8, int32(c.how.Precision))
	}
	if c.id != 0 {
		t.i32(9, int32(c.id))
	}
	c.logical(t)
	t.end()
}

// logical adds the LogicalType where the converted type does not say it all.
func (c *columnWriter) logical(t *thriftWriter) {
	clock := func(id int16, utc bool) {
		t.structure(id)
		t.bool(1, utc)
		t.structure(2)
		t.structure(2) // Microseconds.
		t.end()
		t.end()
		t.end()
	}
	switch c.how.Logical {
	case datatype.LogicalDecimal:
		t.structure(10)
		t.structure(5)
		t.i32(1, int32(c.how.Scale))
		t.i32(2, int32(c.how.Precision))
		t.end()
	case datatype.LogicalTime:
		t.structure(10)
		clock(7, c.how.UTC)
	case datatype.LogicalTimestamp:
		t.structure(10)
		clock(8, c.how.UTC)
	case datatype.LogicalUUID:
		t.structure(10)
		t.structure(14)
		t.end()
	case datatype.LogicalNone, datatype.LogicalText, datatype.LogicalJSON, datatype.LogicalInteger,
		datatype.LogicalDate:
		return
	}
	t.end()
}

// rowGroup returns a struct RowGroup of the rows that were added.
func (w *Writer) rowGroup(chunks []chunk) []byte {
	var t thriftWriter
	var raw, packed int64
	t.begin()
	t.list(1, thriftStruct, len(chunks))
	for i := range chunks {
		t.begin()
		t.i64(2, 0)
		t.structure(3)
		w.columns[i].metadata(&t, chunks[i], w.Rows)
		t.end()
		t.end()
		raw, packed = raw+chunks[i].uncompressed, packed+chunks[i].compressed
	}
	t.i64(2, raw)
	t.i64(3, w.Rows)
	t.i64(5, chunks[0].offset)
	t.i64(6, packed)
	t.end()
	return t.buf
}

// metadata adds the fields of the column's ColumnMetaData.
func (c *columnWriter) metadata(t *thriftWriter, at chunk, rows int64) {
	t.i32(1, int32(c.how.Physical))
	t.list(2, thriftI32, 2)
	t.number(encodingPlain)
	t.number(encodingRLE)
	t.list(3, thriftBinary, 1)
	t.element(c.name)
	t.i32(4, codecZstd)
	t.i64(5, rows)
	t.i64(6, at.uncompressed)
	t.i64(7, at.compressed)
	t.i64(9, at.offset)
	t.structure(12)
	low, high, ok := c.limits()
	t.i64(3, c.nulls)
	if ok {
		t.binary(5, high)
		t.binary(6, low)
		t.bool(7, true)
		t.bool(8, true)
	}
	t.end()
}
