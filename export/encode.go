package export

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
)

// encoder writes the rows of a table in a format.
type encoder interface {
	write(b arrow.RecordBatch) error
	close() error // Of the encoding, not of what it writes to.
}

// newEncoder returns the encoder of a format. Rows have the schema.
func newEncoder(f Format, to io.Writer, schema *arrow.Schema) (encoder, error) {
	switch f {
	case Parquet:
		return newParquet(to, schema)
	case CSV, NDJSON:
		return newText(f, to, schema)
	}
	return nil, kalam.Errorf(kalam.CodeInternal, "unknown format of an export: %q", f)
}

// rowGroupRows is the length of a row group.
const rowGroupRows = 64 << 10

// parquetFile writes Parquet with the types of the columns, nested ones included.
type parquetFile struct{ to *pqarrow.FileWriter }

func newParquet(to io.Writer, schema *arrow.Schema) (encoder, error) {
	props := parquet.NewWriterProperties(parquet.WithCompression(compress.Codecs.Zstd),
		parquet.WithMaxRowGroupLength(rowGroupRows))
	w, err := pqarrow.NewFileWriter(schema, writerOnly{to}, props, pqarrow.NewArrowWriterProperties(pqarrow.WithStoreSchema()))
	if err != nil {
		return nil, fmt.Errorf("begin a Parquet file: %w", err)
	}
	return &parquetFile{to: w}, nil
}

// writerOnly keeps the Parquet writer from closing what it writes to.
type writerOnly struct{ io.Writer }

func (p *parquetFile) write(b arrow.RecordBatch) error { return p.to.WriteBuffered(b) }

func (p *parquetFile) close() error { return p.to.Close() }

// textFile writes a line for each row: CSV as of RFC 4180 with a line of names, where NULL is nothing
// and an empty text is "", or NDJSON, whose values are those of the HTTP interface.
type textFile struct {
	to    io.Writer
	csv   bool
	names [][]byte // As JSON strings.
	cells []datatype.CellWriter
	buf   []byte
	cell  []byte
}

func newText(f Format, to io.Writer, schema *arrow.Schema) (encoder, error) {
	t := &textFile{to: to, csv: f == CSV}
	for i, field := range schema.Fields() {
		t.cells = append(t.cells, datatype.NewCellWriter(field))
		t.names = append(t.names, datatype.AppendJSONString(nil, field.Name))
		if t.csv {
			t.separate(i)
			t.buf = appendCSV(t.buf, field.Name)
		}
	}
	if t.csv {
		t.buf = append(t.buf, "\r\n"...)
	}
	return t, nil
}

func (t *textFile) separate(i int) {
	if i > 0 {
		t.buf = append(t.buf, ',')
	}
}

func (t *textFile) write(b arrow.RecordBatch) error {
	for row := range int(b.NumRows()) {
		if !t.csv {
			t.buf = append(t.buf, '{')
		}
		for i := range t.cells {
			t.separate(i)
			t.cell = t.cells[i].Append(t.cell[:0], b.Column(i), row)
			if err := t.put(i); err != nil {
				return err
			}
		}
		if t.csv {
			t.buf = append(t.buf, "\r\n"...)
		} else {
			t.buf = append(t.buf, "}\n"...)
		}
		if len(t.buf) > 64<<10 {
			if err := t.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// put adds the value of a column, which is a JSON value.
func (t *textFile) put(column int) error {
	if !t.csv {
		t.buf = append(append(append(t.buf, t.names[column]...), ':'), t.cell...)
		return nil
	}
	switch {
	case bytes.Equal(t.cell, []byte("null")):
	case t.cell[0] == '"':
		var text string
		if err := json.Unmarshal(t.cell, &text); err != nil {
			return fmt.Errorf("value of column %d: %w", column+1, err)
		}
		t.buf = appendCSV(t.buf, text)
	default:
		t.buf = appendCSV(t.buf, string(t.cell))
	}
	return nil
}

// appendCSV appends a value that is not NULL.
func appendCSV(dst []byte, text string) []byte {
	if text != "" && !strings.ContainsAny(text, "\",\r\n") && text == strings.TrimSpace(text) {
		return append(dst, text...)
	}
	dst = append(dst, '"')
	dst = append(dst, strings.ReplaceAll(text, `"`, `""`)...)
	return append(dst, '"')
}

func (t *textFile) flush() error {
	_, err := t.to.Write(t.buf)
	t.buf = t.buf[:0]
	return err
}

func (t *textFile) close() error { return t.flush() }
