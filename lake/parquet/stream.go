package parquet

import (
	"io"

	"github.com/klauspost/compress/zstd"

	"github.com/kalamlake/kalam"
)

const (
	// streamRows is the length of a row group of a Stream.
	streamRows = 16384
	// streamBytes ends a row group of long rows.
	streamBytes = 16 << 20
)

// Stream writes a Parquet file of any number of rows, a row group at a time, as a Writer would
// write few: what a reader finds has the same types, compression and statistics. It holds one row
// group in memory. It belongs to one goroutine.
type Stream struct {
	to       io.Writer
	compress *zstd.Encoder
	columns  []kalam.Column
	ids      bool   // The columns have their field ids, and those that are NOT NULL are required.
	group    Writer // Of the rows since the last row group.
	bytes    int    // Of their values, about.
	offset   int64
	rows     int64
	groups   [][]byte
	buf      []byte
}

// NewStream begins a file of some columns, without field ids. The compressor, of NewCompressor,
// may be shared.
func NewStream(to io.Writer, columns []kalam.Column, compress *zstd.Encoder) (*Stream, error) {
	return beginStream(&Stream{to: to, compress: compress, columns: columns})
}

// NewStreamOfIDs is NewStream of columns whose ids are the field ids; the columns that are NOT NULL
// are required ones, and no row may have a NULL there.
func NewStreamOfIDs(to io.Writer, columns []kalam.Column, compress *zstd.Encoder) (*Stream, error) {
	return beginStream(&Stream{to: to, compress: compress, columns: columns, ids: true})
}

func beginStream(s *Stream) (*Stream, error) {
	s.begin()
	s.buf = append(s.buf, magic...)
	return s, s.flush()
}

// begin begins a row group.
func (s *Stream) begin() {
	s.group, s.bytes = Writer{}, 0
	for i := range s.columns {
		c := &s.columns[i]
		w := newColumnWriter(c.Name, 0, c.Type)
		if s.ids {
			w.id, w.required = c.ID, c.NotNull
		}
		s.group.columns = append(s.group.columns, w)
	}
}

// Add adds a row: for each column NULL or a value of its type.
func (s *Stream) Add(row []kalam.Value) error {
	for i := range row {
		c := &s.group.columns[i]
		before := len(c.values)
		c.add(row[i])
		s.bytes += len(c.values) - before
	}
	s.group.Rows++
	if s.group.Rows < streamRows && s.bytes < streamBytes {
		return nil
	}
	return s.endGroup()
}

// endGroup writes the rows since the last row group as the next one.
func (s *Stream) endGroup() error {
	var chunks []chunk
	s.buf, chunks = s.group.appendPages(s.buf, s.offset, s.compress)
	s.groups = append(s.groups, s.group.rowGroup(chunks))
	s.rows += s.group.Rows
	s.begin()
	return s.flush()
}

func (s *Stream) flush() error {
	n, err := s.to.Write(s.buf)
	s.offset += int64(n)
	s.buf = s.buf[:0]
	return err
}

// Close writes what is left of the file. It does not close what the file is written to.
func (s *Stream) Close(metadata map[string]string) error {
	if s.group.Rows > 0 {
		if err := s.endGroup(); err != nil {
			return err
		}
	}
	s.buf = appendFooter(s.buf, s.group.columns, s.rows, s.groups, metadata)
	return s.flush()
}
