package laketest

import (
	"errors"
	"os"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	pq "github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/lake/keyindex"
	"github.com/kalamlake/kalam/lake/parquet"
)

// ParquetOptions tune WriteParquet.
type ParquetOptions struct {
	RowGroup     int               // Rows of a row group; 0 means 2,048.
	Metadata     map[string]string // Key-value metadata; nil means that of lake.FileMetadata.
	NoDictionary bool
	PageBytes    int64 // Size of a data page; 0 is the writer's default.
	NoFieldIDs   bool
	V2Pages      bool
}

// WriteParquet writes rows of t to the file name as a flush does: the columns in
// order, then _seq and _deleted, zstd, field ids. It returns the key of every
// row for Pending.Commit.
func WriteParquet(name string, t *kalam.Table, rows []kalam.Row, o ParquetOptions) (_ []keyindex.Entry, err error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	b := datatype.NewBatchBuilder(memory.DefaultAllocator, t)
	defer b.Release()
	keys := make([]keyindex.Entry, len(rows))
	var values []kalam.Value
	for i, r := range rows {
		if err := b.Append(r); err != nil {
			return nil, err
		}
		if values, err = datatype.DecodeRow(t, r.Payload, values); err != nil {
			return nil, err
		}
		keys[i] = keyindex.Entry{Key: datatype.EncodeKey(nil, t, values), Row: uint32(i), Seq: r.Seq}
	}
	batch := b.NewBatch()
	defer batch.Release()
	return keys, writeBatch(f, t, batch, rows, o)
}

func writeBatch(f *os.File, t *kalam.Table, batch arrow.RecordBatch, rows []kalam.Row, o ParquetOptions) error {
	fields := batch.Schema().Fields()
	for i := range t.Columns {
		if o.NoFieldIDs {
			break
		}
		keys := append([]string{"PARQUET:field_id"}, fields[i].Metadata.Keys()...)
		vals := append([]string{strconv.Itoa(int(t.Columns[i].ID))}, fields[i].Metadata.Values()...)
		fields[i].Metadata = arrow.NewMetadata(keys, vals)
	}
	for i, id := range []kalam.ColumnID{kalam.FieldIDSeq, kalam.FieldIDDeleted} {
		if !o.NoFieldIDs {
			fields[len(t.Columns)+i].Metadata = arrow.NewMetadata([]string{"PARQUET:field_id"},
				[]string{strconv.Itoa(int(id))})
		}
	}
	rowGroup := int64(o.RowGroup)
	if rowGroup == 0 {
		rowGroup = 2048
	}
	props := []pq.WriterProperty{
		pq.WithCompression(compress.Codecs.Zstd), pq.WithMaxRowGroupLength(rowGroup),
		pq.WithDictionaryDefault(!o.NoDictionary), pq.WithStats(true),
	}
	if o.PageBytes > 0 {
		props = append(props, pq.WithDataPageSize(o.PageBytes), pq.WithBatchSize(64))
	}
	if o.V2Pages {
		props = append(props, pq.WithDataPageVersion(pq.DataPageV2))
	}
	schema := arrow.NewSchema(fields, nil)
	w, err := pqarrow.NewFileWriter(schema, onlyWriter{f}, pq.NewWriterProperties(props...),
		pqarrow.DefaultWriterProps())
	if err != nil {
		return err
	}
	metadata := o.Metadata
	if metadata == nil && len(rows) > 0 {
		metadata = parquet.FileMetadata(t, "", rows[0].Seq, rows[len(rows)-1].Seq)
	}
	for k, v := range metadata {
		if err := w.AppendKeyValueMetadata(k, v); err != nil {
			return err
		}
	}
	annotated := array.NewRecordBatch(schema, batch.Columns(), batch.NumRows())
	defer annotated.Release()
	if err := w.Write(annotated); err != nil {
		return err
	}
	return w.Close()
}

// onlyWriter keeps the Parquet writer from closing the file.
type onlyWriter struct{ f *os.File }

// Write implements io.Writer.
func (w onlyWriter) Write(b []byte) (int, error) { return w.f.Write(b) }
