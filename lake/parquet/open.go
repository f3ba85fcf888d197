package parquet

import (
	"encoding/binary"
	"fmt"
	"io"
	"sort"
	"strconv"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/metadata"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake/integrity"
)

// Keys of the key-value metadata of a segment's Parquet file.
const (
	MetaSchemaVersion = "kalam.schema_version"
	MetaTable         = "kalam.table"
	MetaTableNumber   = "kalam.table_number"
	MetaUser          = "kalam.user"
	MetaMinSeq        = "kalam.min_seq"
	MetaMaxSeq        = "kalam.max_seq"
)

// FileMetadata returns the key-value metadata that whoever writes a segment of
// user's rows of t puts into the Parquet file; Commit refuses a file without it. The
// user of a SHARED table is ignored.
func FileMetadata(t *kalam.Table, user kalam.UserID, minSeq, maxSeq kalam.Seq) map[string]string {
	m := map[string]string{
		MetaSchemaVersion: strconv.Itoa(t.SchemaVersion),
		MetaTable:         t.FolderID().String(),
		MetaTableNumber:   strconv.FormatUint(uint64(t.Number), 10),
		MetaMinSeq:        strconv.FormatUint(uint64(minSeq), 10),
		MetaMaxSeq:        strconv.FormatUint(uint64(maxSeq), 10),
	}
	if user = OwnerOf(t, user); user != "" {
		m[MetaUser] = string(user)
	}
	if d, err := EncodeDefinition(t); err == nil { // That of a table which the catalog accepted has no error.
		m[MetaDefinition] = d
	}
	return m
}

// OwnerOf returns the user whose rows a segment of t holds, "" for a SHARED table.
func OwnerOf(t *kalam.Table, user kalam.UserID) kalam.UserID {
	if t.Kind == kalam.KindSharedTable {
		return ""
	}
	return user
}

const (
	magic = "PAR1"
	// maxFooter bounds the footer that is parsed: beyond it a length is damage.
	maxFooter = 256 << 20
	// maxPage bounds a page: rows have up to 8 MiB and writers close a page after
	// 100 MB, so that the library's own limit would refuse whole files.
	maxPage = 512 << 20
	// footerFactor is how many bytes of memory one byte of footer takes when
	// parsed, measured.
	footerFactor = 8
)

// File is an open Parquet file with its footer parsed and checked.
type File struct {
	path string
	file integrity.File
	meta *metadata.FileMetaData
	// rowStart holds the first row of each row group, and one more: all rows.
	rowStart      []int64
	schemaVersion int
	footerSum     uint32
	sums          integrity.Blocks // those of the key index file; none where the file is read unchecked

	plan atomic.Pointer[Plan] // of the table version last asked for
	// swollen marks the row groups that take too much memory decoded.
	swollen []atomic.Bool
}

// Close closes the file.
func (f *File) Close() error { return f.file.Close() }

// New returns the Parquet file at p, open as f, whose bytes are compared with sums. Its
// footer is yet to be read. It closes f.
func New(p string, f integrity.File, sums integrity.Blocks) *File {
	return &File{path: p, file: f, sums: sums}
}

// Memory returns about how many bytes f takes.
func (f *File) Memory() int64 {
	return footerFactor*int64(f.meta.Size()) + int64(len(f.sums.Sums))
}

// groups returns how many row groups there are.
func (f *File) groups() int { return len(f.rowStart) - 1 }

// GroupStart returns the first row of a row group, and for one more the number of rows.
func (f *File) GroupStart(group int) int64 { return f.rowStart[group] }

// IsSwollen reports whether a row group takes too much memory decoded, by what SetSwollen
// has noted.
func (f *File) IsSwollen(group int) bool { return f.swollen[group].Load() }

// SetSwollen notes that a row group takes too much memory decoded.
func (f *File) SetSwollen(group int) { f.swollen[group].Store(true) }

// Checksums returns the checksums of the file by which it is read.
func (f *File) Checksums() integrity.Blocks { return f.sums }

// FooterChecksum returns the checksum of the footer, which was read.
func (f *File) FooterChecksum() uint32 { return f.footerSum }

// Text returns a text of the key-value metadata, false when it is not there.
func (f *File) Text(key string) (string, bool) {
	v := f.meta.KeyValueMetadata().FindValue(key)
	if v == nil {
		return "", false
	}
	return *v, true
}

// Rows returns the number of rows.
func (f *File) Rows() int64 { return f.rowStart[len(f.rowStart)-1] }

// Open reads the footer and checks that it is that of the segment which the record
// describes.
func (f *File) Open(seg *kalam.Segment) error {
	if err := f.OpenAny(seg); err != nil {
		return err
	}
	return f.CheckOwner(seg)
}

// OpenAny is open of a file that may be another's.
func (f *File) OpenAny(seg *kalam.Segment) error {
	if f.file.Size() != seg.Bytes {
		return integrity.Corrupt(f.path, "it is %d bytes long instead of %d", f.file.Size(), seg.Bytes)
	}
	if err := f.ReadFooter(); err != nil {
		return err
	}
	if seg.Sums.Known() && f.footerSum != seg.Sums.Footer {
		return integrity.Corrupt(f.path, "its footer is another's, or wrong: it has the checksum %08x instead of %08x",
			f.footerSum, seg.Sums.Footer)
	}
	if f.Rows() != seg.Rows {
		return integrity.Corrupt(f.path, "it has %d rows instead of %d", f.Rows(), seg.Rows)
	}
	f.schemaVersion = seg.SchemaVersion
	if v, err := f.Number(MetaSchemaVersion); err != nil {
		return err
	} else if v != 0 {
		f.schemaVersion = int(v)
	}
	return nil
}

// CheckOwner compares what the footer says of the file's table, user and rows with
// the record. Files of early versions do not say all of it.
func (f *File) CheckOwner(seg *kalam.Segment) error {
	for _, m := range []struct {
		key, what string
		want      uint64
	}{
		{MetaTableNumber, "table", uint64(seg.Table)},
		{MetaMinSeq, "lowest _seq", uint64(seg.MinSeq)},
		{MetaMaxSeq, "highest _seq", uint64(seg.MaxSeq)},
	} {
		switch n, err := f.Number(m.key); {
		case err != nil:
			return err
		case n != 0 && n != m.want:
			return integrity.Corrupt(f.path, "it belongs to another segment: its %s is %d instead of %d", m.what, n,
				m.want)
		}
	}
	if user := f.meta.KeyValueMetadata().FindValue(MetaUser); user != nil && *user != string(seg.User) {
		return integrity.Corrupt(f.path, "it belongs to another user")
	}
	return nil
}

// Number returns a number of the key-value metadata, 0 when it is not there.
func (f *File) Number(key string) (uint64, error) {
	v := f.meta.KeyValueMetadata().FindValue(key)
	if v == nil {
		return 0, nil
	}
	n, err := strconv.ParseUint(*v, 10, 63)
	if err != nil {
		return 0, integrity.Corrupt(f.path, "%s is %q", key, *v)
	}
	return n, nil
}

// ReadFooter parses the footer. What it says about offsets and sizes is checked
// before anything is read or allocated by it.
func (f *File) ReadFooter() (err error) {
	defer recoverDamage(f.path, &err)
	size := f.file.Size()
	if size < 12 {
		return integrity.Corrupt(f.path, "it is only %d bytes long", size)
	}
	tail := make([]byte, 8)
	if err := f.readAt(tail, size-8); err != nil {
		return err
	}
	length := int64(binary.LittleEndian.Uint32(tail))
	if string(tail[4:]) != magic || length > size-12 || length > maxFooter {
		return integrity.Corrupt(f.path, "it does not end as a Parquet file")
	}
	footer := make([]byte, length)
	if err := f.readAt(footer, size-8-length); err != nil {
		return err
	}
	f.meta, err = metadata.NewFileMetaData(footer, nil)
	if err != nil {
		return integrity.Corrupt(f.path, "its footer: %w", err)
	}
	f.footerSum = integrity.Checksum(append(footer, tail...))
	f.meta.SetSourceFileSize(size)
	f.meta.WriterVersion() // computed on first use; afterwards only read
	return f.checkFooter(size - 8 - length)
}

// checkFooter checks the row groups; data ends at end.
func (f *File) checkFooter(end int64) error {
	f.rowStart = []int64{0}
	total := int64(0)
	for i, group := range f.meta.RowGroups {
		if group.NumRows < 0 || len(group.Columns) != f.meta.NumColumns() {
			return integrity.Corrupt(f.path, "row group %d is malformed", i)
		}
		for c, column := range group.Columns {
			m := column.MetaData
			if m == nil {
				return integrity.Corrupt(f.path, "row group %d has no column %d", i, c)
			}
			start, length := columnSpan(m)
			if start < 4 || length < 0 || length > end || start > end-length || m.NumValues != group.NumRows {
				return integrity.Corrupt(f.path, "column %d of row group %d is malformed", c, i)
			}
		}
		total += group.NumRows
		f.rowStart = append(f.rowStart, total)
	}
	f.swollen = make([]atomic.Bool, len(f.meta.RowGroups))
	if total != f.meta.NumRows {
		return integrity.Corrupt(f.path, "its row groups have %d rows instead of %d", total, f.meta.NumRows)
	}
	return nil
}

// chunkMeta is the part of a column chunk's thrift metadata that says where it
// lies; the generated type is internal to its module.
type chunkMeta interface {
	GetDataPageOffset() int64
	GetDictionaryPageOffset() int64
	IsSetDictionaryPageOffset() bool
	GetTotalCompressedSize() int64
}

// columnSpan returns where the pages of a column chunk lie.
func columnSpan(m chunkMeta) (start, length int64) {
	start = m.GetDataPageOffset()
	if m.IsSetDictionaryPageOffset() && m.GetDictionaryPageOffset() > 0 && m.GetDictionaryPageOffset() < start {
		start = m.GetDictionaryPageOffset()
	}
	return start, m.GetTotalCompressedSize()
}

// readAt fills b from offset off and verifies every checksum block it touches;
// anything less is damage.
func (f *File) readAt(b []byte, off int64) error {
	if !f.sums.Known() {
		return f.readRaw(b, off)
	}
	start, end := f.sums.Around(off, off+int64(len(b)), f.file.Size())
	whole := b
	if start != off || end != off+int64(len(b)) {
		whole = make([]byte, end-start)
	}
	if err := f.readRaw(whole, start); err != nil {
		return err
	}
	if err := f.sums.Check(f.path, whole, start); err != nil {
		return err
	}
	if start != off || end != off+int64(len(b)) {
		copy(b, whole[off-start:])
	}
	return nil
}

func (f *File) readRaw(b []byte, off int64) error {
	return integrity.ReadFull(f.file, f.path, b, off)
}

// GroupOf returns the row group of a row that exists.
func (f *File) GroupOf(row int64) int {
	return sort.Search(len(f.rowStart)-1, func(i int) bool { return f.rowStart[i+1] > row })
}

// recoverDamage turns a panic of the Parquet decoder into CodeCorrupt. Bytes
// that passed their checksum do not make it panic; a file without key index file may.
func recoverDamage(p string, err *error) {
	if r := recover(); r != nil {
		*err = integrity.Corrupt(p, "the decoder stopped: %v", r)
	}
}

// span is a piece of a Parquet file in memory, at its offset: what the column
// readers of one row group read from.
type span struct {
	data []byte
	off  int64
	size int64 // of the file
}

// ReadAt implements io.ReaderAt.
func (s *span) ReadAt(b []byte, off int64) (int, error) {
	if off < s.off || off > s.off+int64(len(s.data)) {
		return 0, fmt.Errorf("offset %d is outside the row group", off)
	}
	n := copy(b, s.data[off-s.off:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// Seek implements io.Seeker, of which the Parquet reader only asks the size.
func (s *span) Seek(offset int64, whence int) (int64, error) {
	if whence == io.SeekEnd {
		return s.size + offset, nil
	}
	return offset, nil
}

var _ parquet.ReaderAtSeeker = (*span)(nil)

// newReader returns a reader over the bytes of s.
func (f *File) newReader(s *span) (*file.Reader, error) {
	props := parquet.NewReaderProperties(nil)
	props.MaxCompressedPageSize, props.MaxUncompressedPageSize = maxPage, maxPage
	return file.NewParquetReader(s, file.WithMetadata(f.meta), file.WithReadProps(props))
}
