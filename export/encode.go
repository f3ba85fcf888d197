package export

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/lake/parquet"
)

// encoder writes the rows of a table in a format.
type encoder interface {
	write(b arrow.RecordBatch) error
	close() error // Of the encoding, not of what it writes to.
}

// newEncoder returns the encoder of a format. Rows have the schema, whose fields are the columns.
func newEncoder(f Format, to io.Writer, schema *arrow.Schema, columns []kalam.Column) (encoder, error) {
	switch f {
	case Parquet:
		return newParquet(to, columns)
	case CSV, NDJSON:
		return newText(f, to, schema)
	}
	return nil, kalam.Errorf(kalam.CodeInternal, "unknown format of an export: %q", f)
}

// parquetFile writes Parquet with the types of the columns.
type parquetFile struct{ to *parquet.Stream }

func newParquet(to io.Writer, columns []kalam.Column) (encoder, error) {
	z, err := parquet.NewCompressor()
	if err != nil {
		return nil, fmt.Errorf("make compressor: %w", err)
	}
	s, err := parquet.NewStream(to, columns, z)
	if err != nil {
		return nil, err
	}
	return &parquetFile{to: s}, nil
}

func (p *parquetFile) write(b arrow.RecordBatch) error {
	row := make([]kalam.Value, b.NumCols())
	for i := range int(b.NumRows()) {
		for c := range row {
			row[c] = datatype.ValueAt(b.Column(c), i)
		}
		if err := p.to.Add(row); err != nil {
			return err
		}
	}
	return nil
}

func (p *parquetFile) close() error { return p.to.Close(nil) }

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
