package lake

import (
	"context"
	"encoding/binary"
	"errors"
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
		MetaTable:         t.ID.String(),
		MetaTableNumber:   strconv.FormatUint(uint64(t.Number), 10),
		MetaMinSeq:        strconv.FormatUint(uint64(minSeq), 10),
		MetaMaxSeq:        strconv.FormatUint(uint64(maxSeq), 10),
	}
	if user = ownerOf(t, user); user != "" {
		m[MetaUser] = string(user)
	}
	if d, err := encodeDefinition(t); err == nil { // That of a table which the catalog accepted has no error.
		m[MetaDefinition] = d
	}
	return m
}

// ownerOf returns the user whose rows a segment of t holds, "" for a SHARED table.
func ownerOf(t *kalam.Table, user kalam.UserID) kalam.UserID {
	if t.Kind == kalam.KindSharedTable {
		return ""
	}
	return user
}

const (
	parquetMagic = "PAR1"
	// maxFooter bounds the footer that is parsed: beyond it a length is damage.
	maxFooter = 256 << 20
	// maxPage bounds a page: rows have up to 8 MiB and writers close a page after
	// 100 MB, so that the library's own limit would refuse whole files.
	maxPage = 512 << 20
	// footerFactor is how many bytes of memory one byte of footer takes when
	// parsed, measured.
	footerFactor = 8
)

// parquetFile is an open Parquet file with its footer parsed and checked.
type parquetFile struct {
	storage kalam.StorageID
	path    string
	file    integrity.File
	meta    *metadata.FileMetaData
	// rowStart holds the first row of each row group, and one more: all rows.
	rowStart      []int64
	schemaVersion int
	footerSum     uint32
	sums          integrity.Blocks // those of the key index file; none where the file is read unchecked

	plan atomic.Pointer[columnPlan] // of the table version last asked for
	// swollen marks the row groups that take too much memory decoded.
	swollen []atomic.Bool
}

// Close closes the file.
func (f *parquetFile) Close() error { return f.file.Close() }

func (f *parquetFile) rows() int64 { return f.rowStart[len(f.rowStart)-1] }

// parquet returns the open Parquet file of seg, with the checksums of its
// key index file. Without a key index file nothing is read: bytes that nobody vouches for are
// for Rebuild, which checks what it can.
func (l *Lake) parquet(ctx context.Context, seg *kalam.Segment) (*handle[*parquetFile], error) {
	at, err := l.location(seg.Storage)
	if err != nil {
		return nil, err
	}
	return l.parquets.acquire(ctx, objectKey{at.ID, seg.Path}, func() (*parquetFile, int64, error) {
		side, err := l.keyIndex(ctx, seg)
		if err != nil {
			return nil, 0, err
		}
		sums := side.value.Checksums()
		l.keyIndexes.release(side)
		object, err := at.Storage.Open(ctx, seg.Path)
		if err != nil {
			return nil, 0, missingIsCorrupt(seg.Path, err)
		}
		f := &parquetFile{storage: at.ID, path: seg.Path, file: object, sums: sums}
		if err := f.open(seg); err != nil {
			return nil, 0, errors.Join(err, object.Close())
		}
		return f, footerFactor*int64(f.meta.Size()) + int64(len(sums.Sums)), nil
	})
}

// open reads the footer and checks that it is that of the segment which the record
// describes.
func (f *parquetFile) open(seg *kalam.Segment) error {
	if err := f.openAny(seg); err != nil {
		return err
	}
	return f.checkOwner(seg)
}

// openAny is open of a file that may be another's.
func (f *parquetFile) openAny(seg *kalam.Segment) error {
	if f.file.Size() != seg.Bytes {
		return integrity.Corrupt(f.path, "it is %d bytes long instead of %d", f.file.Size(), seg.Bytes)
	}
	if err := f.readFooter(); err != nil {
		return err
	}
	if seg.Sums.Known() && f.footerSum != seg.Sums.Footer {
		return integrity.Corrupt(f.path, "its footer is another's, or wrong: it has the checksum %08x instead of %08x",
			f.footerSum, seg.Sums.Footer)
	}
	if f.rows() != seg.Rows {
		return integrity.Corrupt(f.path, "it has %d rows instead of %d", f.rows(), seg.Rows)
	}
	f.schemaVersion = seg.SchemaVersion
	if v, err := f.number(MetaSchemaVersion); err != nil {
		return err
	} else if v != 0 {
		f.schemaVersion = int(v)
	}
	return nil
}

// checkOwner compares what the footer says of the file's table, user and rows with
// the record. Files of early versions do not say all of it.
func (f *parquetFile) checkOwner(seg *kalam.Segment) error {
	for _, m := range []struct {
		key, what string
		want      uint64
	}{
		{MetaTableNumber, "table", uint64(seg.Table)},
		{MetaMinSeq, "lowest _seq", uint64(seg.MinSeq)},
		{MetaMaxSeq, "highest _seq", uint64(seg.MaxSeq)},
	} {
		switch n, err := f.number(m.key); {
		case err != nil:
			return err
		case n != 0 && n != m.want:
			return integrity.Corrupt(f.path, "it belongs to another segment: its %s is %d instead of %d", m.what, n, m.want)
		}
	}
	if user := f.meta.KeyValueMetadata().FindValue(MetaUser); user != nil && *user != string(seg.User) {
		return integrity.Corrupt(f.path, "it belongs to another user")
	}
	return nil
}

// number returns a number of the key-value metadata, 0 when it is not there.
func (f *parquetFile) number(key string) (uint64, error) {
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

// readFooter parses the footer. What it says about offsets and sizes is checked
// before anything is read or allocated by it.
func (f *parquetFile) readFooter() (err error) {
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
	if string(tail[4:]) != parquetMagic || length > size-12 || length > maxFooter {
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
func (f *parquetFile) checkFooter(end int64) error {
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
func (f *parquetFile) readAt(b []byte, off int64) error {
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

func (f *parquetFile) readRaw(b []byte, off int64) error {
	return integrity.ReadFull(f.file, f.path, b, off)
}

// groupOf returns the row group of a row that exists.
func (f *parquetFile) groupOf(row int64) int {
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
func (f *parquetFile) newReader(s *span) (*file.Reader, error) {
	props := parquet.NewReaderProperties(nil)
	props.MaxCompressedPageSize, props.MaxUncompressedPageSize = maxPage, maxPage
	return file.NewParquetReader(s, file.WithMetadata(f.meta), file.WithReadProps(props))
}
