package keyindex

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"sort"
	"sync"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake/integrity"
)

// File is an open key index file: its trailer, index and checksums in memory.
type File struct {
	path string
	file integrity.File
	trailer
	tail  [trailerSize]byte // The trailer as it is in the file.
	watch integrity.Watch
	want  kalam.SegmentSums // What the record says of it.

	separators  []byte           // of the blocks, one after the other
	separatorAt []int64          // where each begins; one more at the end
	blockAt     []int64          // offset of each block; one more at the end
	counts      []uint32         // entries of each block
	sums        integrity.Blocks // of the Parquet file
}

// Close closes the file.
func (s *File) Close() error { return s.file.Close() }

// Memory returns about how many bytes s takes.
func (s *File) Memory() int64 {
	return int64(cap(s.separators)+8*len(s.separatorAt)+8*len(s.blockAt)+4*len(s.counts)+len(s.sums.Sums)) + 512
}

// Open reads the trailer and index of f, the key index file at p of seg, and checks
// that it belongs to it. The File closes f; after an error it is closed.
func Open(p string, f integrity.File, seg *kalam.Segment) (*File, error) {
	s := &File{path: p, file: f, want: seg.Sums}
	err := s.watch.Begin(f)
	if err == nil {
		err = s.load(seg)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return s, nil
}

// Head is what a key index file says of the segment that it belongs to.
type Head struct {
	Table       kalam.TableNumber
	Bytes, Rows int64     // Of the Parquet file.
	LowestSeq   kalam.Seq // Of the keys.
}

// ReadHead returns what f, the key index file at p, says of its segment. It does not close
// f.
func ReadHead(p string, f integrity.File) (Head, error) {
	s := &File{path: p, file: f}
	if err := s.loadTrailer(); err != nil {
		return Head{}, err
	}
	return Head{Table: s.table, Bytes: int64(s.parquetBytes), Rows: int64(s.parquetRows), LowestSeq: s.baseSeq}, nil
}

// Size returns the length of the file.
func (s *File) Size() int64 { return s.file.Size() }

// Checksums returns the checksums of the Parquet file, by which it is read.
func (s *File) Checksums() integrity.Blocks { return s.sums }

// loadTrailer reads and checks the end of the file.
func (s *File) loadTrailer() (err error) {
	size := s.file.Size()
	if size < headerSize+trailerSize {
		return integrity.Corrupt(s.path, "it is only %d bytes long", size)
	}
	if err := s.read(s.tail[:], size-trailerSize); err != nil {
		return err
	}
	s.trailer, err = parseTrailer(s.path, s.tail[:], size)
	return err
}

// Unchanged gives ErrChanged unless what was read of the file until now is what it
// had when it was opened.
func (s *File) Unchanged() error {
	same, err := s.watch.Unchanged(func() (bool, error) {
		var tail [trailerSize]byte
		err := s.read(tail[:], s.file.Size()-trailerSize)
		return tail == s.tail, err
	})
	if err == nil && !same {
		err = integrity.Changed(s.path)
	}
	return err
}

func (s *File) load(seg *kalam.Segment) error {
	if err := s.loadTrailer(); err != nil {
		return err
	}
	if s.table != seg.Table || s.parquetBytes != uint64(seg.Bytes) || s.parquetRows != uint64(seg.Rows) {
		return integrity.Corrupt(s.path, "it belongs to a file of table %d with %d bytes and %d rows, not to %s",
			s.table,
			s.parquetBytes, s.parquetRows, seg.Path)
	}
	if err := s.checkRecord(seg); err != nil {
		return err
	}
	b := make([]byte, s.indexLength+s.sumsLength)
	if err := s.read(b, int64(s.indexOffset)); err != nil {
		return err
	}
	index := b[:s.indexLength:s.indexLength]
	s.sums = integrity.Blocks{Size: int64(s.sumBlock), Sums: bytes.Clone(b[s.indexLength:])}
	if integrity.Checksum(index) != s.indexSum || s.sums.Sum() != s.sumsSum {
		return integrity.Corrupt(s.path, "wrong checksum of the index")
	}
	return s.parseIndex(index)
}

// checkRecord compares the trailer with what the record knows of the segment. Without
// its sums, what is its own is its lowest seq, which no other segment has.
func (s *File) checkRecord(seg *kalam.Segment) error {
	switch {
	case seg.Sums.Known() && (s.file.Size() != seg.Sums.KeysBytes || s.sumsSum != seg.Sums.File):
		return integrity.Corrupt(s.path,
			"it has %d bytes and is of a Parquet file with the checksum %08x, instead of %d and %08x",
			s.file.Size(), s.sumsSum, seg.Sums.KeysBytes, seg.Sums.File)
	case s.baseSeq < seg.MinSeq || s.baseSeq > seg.MaxSeq || s.entries == s.parquetRows && s.baseSeq != seg.MinSeq:
		return integrity.Corrupt(s.path, "it belongs to another segment: its lowest _seq is %d instead of %d",
			s.baseSeq, seg.MinSeq)
	}
	return nil
}

func (s *File) parseIndex(index []byte) error {
	if s.blocks > uint64(len(index)) {
		return integrity.Corrupt(s.path, "its index is too short")
	}
	n := int(s.blocks)
	s.separators = make([]byte, 0, len(index))
	s.separatorAt = make([]int64, 1, n+1)
	s.blockAt = make([]int64, 1, n+1)
	s.counts = make([]uint32, 0, n)
	s.blockAt[0] = headerSize
	entries := uint64(0)
	for len(index) > 0 {
		keyLen, n1 := uvarint(index)
		if n1 == 0 || keyLen > uint64(len(index)-n1) {
			return integrity.Corrupt(s.path, "its index is malformed")
		}
		s.separators = append(s.separators, index[n1:n1+int(keyLen)]...)
		index = index[n1+int(keyLen):]
		count, n2 := uvarint(index)
		if n2 == 0 || count == 0 || count > s.entries {
			return integrity.Corrupt(s.path, "its index is malformed")
		}
		length, n3 := uvarint(index[n2:])
		if n3 == 0 || length < 5 || length > maxKeyBlock {
			return integrity.Corrupt(s.path, "its index is malformed")
		}
		index = index[n2+n3:]
		s.separatorAt = append(s.separatorAt, int64(len(s.separators)))
		s.blockAt = append(s.blockAt, s.blockAt[len(s.blockAt)-1]+int64(length))
		s.counts = append(s.counts, uint32(count))
		entries += count
	}
	if len(s.counts) != n || entries != s.entries || uint64(s.blockAt[n]) != s.indexOffset {
		return integrity.Corrupt(s.path, "its index does not fit its blocks")
	}
	return nil
}

// read fills b from offset off; anything less is damage.
func (s *File) read(b []byte, off int64) error { return integrity.ReadFull(s.file, s.path, b, off) }

func (s *File) separator(i int) []byte {
	return s.separators[s.separatorAt[i]:s.separatorAt[i+1]]
}

// blockOf returns the block that holds key if any does, -1 for a key below all.
func (s *File) blockOf(key []byte) int {
	return sort.Search(len(s.counts), func(i int) bool { return bytes.Compare(s.separator(i), key) > 0 }) - 1
}

// blockBuffers are reused between lookups.
var blockBuffers = sync.Pool{New: func() any { b := make([]byte, 0, 2*keyBlockSize); return &b }}

// putBlockBuffer gives back a buffer that is not unusually large.
func putBlockBuffer(buf *[]byte) {
	if cap(*buf) <= 64*keyBlockSize {
		blockBuffers.Put(buf)
	}
}

// block reads block i into buf, which may grow, verifies it and returns its
// entries.
func (s *File) block(i int, buf *[]byte) ([]byte, error) {
	n := int(s.blockAt[i+1] - s.blockAt[i])
	*buf = slices.Grow((*buf)[:0], n)[:n]
	if err := s.read(*buf, s.blockAt[i]); err != nil {
		return nil, err
	}
	entries := (*buf)[:n-4]
	if integrity.Checksum(entries) != binary.LittleEndian.Uint32((*buf)[n-4:]) {
		return nil, integrity.Corrupt(s.path, "wrong checksum of key block %d", i)
	}
	return entries, nil
}

// Position is where a key lies in a segment.
type Position struct {
	Row int64 // -1: the segment does not hold the key.
	Seq kalam.Seq
}

// Locate returns the position of each key. Keys may come in any order and twice; each block
// is read once.
func (s *File) Locate(ctx context.Context, keys [][]byte) ([]Position, error) {
	found := make([]Position, len(keys))
	if len(keys) == 1 {
		return found, s.locateSorted(ctx, keys, []int{0}, found)
	}
	order := make([]int, len(keys))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(bytes.Compare(keys[a], keys[b]), cmp.Compare(a, b))
	})
	return found, s.locateSorted(ctx, keys, order, found)
}

// locateSorted fills found for the keys in the given order, which rises: a merge
// of the keys with the blocks they fall into.
func (s *File) locateSorted(ctx context.Context, keys [][]byte, order []int, found []Position) error {
	buf := blockBuffers.Get().(*[]byte)
	defer putBlockBuffer(buf)
	r := blockReader{base: s.baseSeq, key: make([]byte, 0, 64)}
	block, ok := -1, false
	for _, i := range order {
		found[i].Row = -1
		b := s.blockOf(keys[i])
		if b < 0 {
			continue
		}
		if b != block {
			if err := ctx.Err(); err != nil {
				return err
			}
			var err error
			if r.rest, err = s.block(b, buf); err != nil {
				return err
			}
			r.key = r.key[:0]
			block = b
			var bad bool
			if ok, bad = r.next(); bad || !bytes.HasPrefix(r.key, s.separator(b)) {
				return integrity.Corrupt(s.path, "key block %d is malformed", b)
			}
		}
		for ok {
			c := bytes.Compare(r.key, keys[i])
			if c == 0 && uint64(r.row) >= s.parquetRows {
				return integrity.Corrupt(s.path, "a key is in row %d of %d", r.row, s.parquetRows)
			}
			if c == 0 {
				found[i] = Position{Row: int64(r.row), Seq: r.seq}
			}
			if c >= 0 {
				break
			}
			var bad bool
			if ok, bad = r.next(); bad {
				return integrity.Corrupt(s.path, "key block %d is malformed", b)
			}
		}
	}
	return nil
}

// Each walks all blocks, verifying each, their order and their counts, and last all
// of the file, whose checksum it returns: after an error, what was visited may be
// another's.
func (s *File) Each(ctx context.Context, pace integrity.Pace, visit func(Entry) error) (sum uint32, err error) {
	buf := blockBuffers.Get().(*[]byte)
	defer putBlockBuffer(buf)
	for i := range s.counts {
		if err := pace.Wait(ctx, int(s.blockAt[i+1]-s.blockAt[i])); err != nil {
			return 0, err
		}
		entries, err := s.block(i, buf)
		if err != nil {
			return 0, err
		}
		sum = integrity.AddChecksum(sum, (*buf)[len(entries):])
		if err := s.eachOf(i, entries, visit); err != nil {
			return 0, err
		}
	}
	if sum = integrity.AddChecksum(sum, s.tail[:]); s.want.Known() && sum != s.want.Keys {
		return 0, integrity.Corrupt(s.path, "it has the checksum %08x instead of %08x", sum, s.want.Keys)
	}
	return sum, s.Unchanged()
}

// eachOf walks block i.
func (s *File) eachOf(i int, entries []byte, visit func(Entry) error) error {
	r := blockReader{rest: entries, base: s.baseSeq}
	for n := uint32(0); ; n++ {
		ok, bad := r.next()
		if bad || !ok && n != s.counts[i] || n == 0 && !bytes.HasPrefix(r.key, s.separator(i)) {
			return integrity.Corrupt(s.path, "key block %d is malformed", i)
		}
		if !ok {
			return nil
		}
		if err := visit(Entry{Key: r.key, Row: r.row, Seq: r.seq}); err != nil {
			return err
		}
	}
}
