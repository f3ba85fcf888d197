package lake

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"slices"
	"sort"
	"sync"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake/layout"
)

// ErrNoSidecar is in the chain of the CodeCorrupt error for a segment whose
// sidecar is missing. Rebuild makes a new one.
var ErrNoSidecar = errors.New("the sidecar is missing")

// sidecar is an open sidecar: its trailer, index and checksums in memory.
type sidecar struct {
	path string
	file Object
	trailer
	tail  [trailerSize]byte // The trailer as it is in the file.
	watch watch
	want  kalam.SegmentSums // What the record says of it.

	separators  []byte   // of the blocks, one after the other
	separatorAt []int64  // where each begins; one more at the end
	blockAt     []int64  // offset of each block; one more at the end
	counts      []uint32 // entries of each block
	sums        []byte   // checksums of the Parquet file, 4 bytes each
}

// Close closes the file.
func (s *sidecar) Close() error { return s.file.Close() }

// memory returns about how many bytes s takes.
func (s *sidecar) memory() int64 {
	return int64(cap(s.separators)+8*len(s.separatorAt)+8*len(s.blockAt)+4*len(s.counts)+len(s.sums)) + 512
}

// openSidecar reads the trailer and index of the sidecar of seg and checks that
// it belongs to it.
func openSidecar(ctx context.Context, at *location, seg *kalam.Segment) (*sidecar, error) {
	p := layout.KeyIndexPath(seg.Path)
	f, err := at.Storage.Open(ctx, p)
	if errors.Is(err, ErrNotExist) {
		return nil, kalam.Wrap(kalam.CodeCorrupt, ErrNoSidecar, "%s is missing", p)
	}
	if err != nil {
		return nil, err
	}
	s := &sidecar{path: p, file: f, want: seg.Sums}
	err = s.watch.begin(f)
	if err == nil {
		err = s.load(seg)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return s, nil
}

// loadTrailer reads and checks the end of the file.
func (s *sidecar) loadTrailer() (err error) {
	size := s.file.Size()
	if size < headerSize+trailerSize {
		return corrupt(s.path, "it is only %d bytes long", size)
	}
	if err := s.read(s.tail[:], size-trailerSize); err != nil {
		return err
	}
	s.trailer, err = parseTrailer(s.path, s.tail[:], size)
	return err
}

// unchanged gives errChanged unless what was read of the file until now is what it
// had when it was opened.
func (s *sidecar) unchanged() error {
	same, err := s.watch.unchanged(func() (bool, error) {
		var tail [trailerSize]byte
		err := s.read(tail[:], s.file.Size()-trailerSize)
		return tail == s.tail, err
	})
	if err == nil && !same {
		err = changed(s.path)
	}
	return err
}

func (s *sidecar) load(seg *kalam.Segment) error {
	if err := s.loadTrailer(); err != nil {
		return err
	}
	if s.table != seg.Table || s.parquetBytes != uint64(seg.Bytes) || s.parquetRows != uint64(seg.Rows) {
		return corrupt(s.path, "it belongs to a file of table %d with %d bytes and %d rows, not to %s", s.table,
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
	s.sums = bytes.Clone(b[s.indexLength:])
	if checksum(index) != s.indexSum || checksum(s.sums) != s.sumsSum {
		return corrupt(s.path, "wrong checksum of the index")
	}
	return s.parseIndex(index)
}

// checkRecord compares the trailer with what the record knows of the segment. Without
// its sums, what is its own is its lowest seq, which no other segment has.
func (s *sidecar) checkRecord(seg *kalam.Segment) error {
	switch {
	case seg.Sums.Known() && (s.file.Size() != seg.Sums.KeysBytes || s.sumsSum != seg.Sums.File):
		return corrupt(s.path, "it has %d bytes and is of a Parquet file with the checksum %08x, instead of %d and %08x",
			s.file.Size(), s.sumsSum, seg.Sums.KeysBytes, seg.Sums.File)
	case s.baseSeq < seg.MinSeq || s.baseSeq > seg.MaxSeq || s.entries == s.parquetRows && s.baseSeq != seg.MinSeq:
		return corrupt(s.path, "it belongs to another segment: its lowest _seq is %d instead of %d", s.baseSeq, seg.MinSeq)
	}
	return nil
}

func (s *sidecar) parseIndex(index []byte) error {
	if s.blocks > uint64(len(index)) {
		return corrupt(s.path, "its index is too short")
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
			return corrupt(s.path, "its index is malformed")
		}
		s.separators = append(s.separators, index[n1:n1+int(keyLen)]...)
		index = index[n1+int(keyLen):]
		count, n2 := uvarint(index)
		if n2 == 0 || count == 0 || count > s.entries {
			return corrupt(s.path, "its index is malformed")
		}
		length, n3 := uvarint(index[n2:])
		if n3 == 0 || length < 5 || length > maxKeyBlock {
			return corrupt(s.path, "its index is malformed")
		}
		index = index[n2+n3:]
		s.separatorAt = append(s.separatorAt, int64(len(s.separators)))
		s.blockAt = append(s.blockAt, s.blockAt[len(s.blockAt)-1]+int64(length))
		s.counts = append(s.counts, uint32(count))
		entries += count
	}
	if len(s.counts) != n || entries != s.entries || uint64(s.blockAt[n]) != s.indexOffset {
		return corrupt(s.path, "its index does not fit its blocks")
	}
	return nil
}

// read fills b from offset off; anything less is damage.
func (s *sidecar) read(b []byte, off int64) error {
	if n, err := s.file.ReadAt(b, off); n < len(b) {
		if err == nil || errors.Is(err, io.EOF) {
			return corrupt(s.path, "it ends early")
		}
		return err
	}
	return nil
}

func (s *sidecar) separator(i int) []byte {
	return s.separators[s.separatorAt[i]:s.separatorAt[i+1]]
}

// blockOf returns the block that holds key if any does, -1 for a key below all.
func (s *sidecar) blockOf(key []byte) int {
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
func (s *sidecar) block(i int, buf *[]byte) ([]byte, error) {
	n := int(s.blockAt[i+1] - s.blockAt[i])
	*buf = slices.Grow((*buf)[:0], n)[:n]
	if err := s.read(*buf, s.blockAt[i]); err != nil {
		return nil, err
	}
	entries := (*buf)[:n-4]
	if checksum(entries) != binary.LittleEndian.Uint32((*buf)[n-4:]) {
		return nil, corrupt(s.path, "wrong checksum of key block %d", i)
	}
	return entries, nil
}

// Position is where a key lies in a segment.
type Position struct {
	Row int64 // -1: the segment does not hold the key.
	Seq kalam.Seq
}

// Find returns the position of each key in seg, -1 for a key that it does not
// hold, exactly. Keys may come in any order and twice; each block of the
// sidecar is read once. A damaged sidecar gives CodeCorrupt, a missing one
// ErrNoSidecar with it.
func (l *Lake) Find(ctx context.Context, seg *kalam.Segment, keys [][]byte) ([]int64, error) {
	found, err := l.Locate(ctx, seg, keys)
	if err != nil {
		return nil, err
	}
	rows := make([]int64, len(found))
	for i := range found {
		rows[i] = found[i].Row
	}
	return rows, nil
}

// Locate is Find with the seq of each row.
func (l *Lake) Locate(ctx context.Context, seg *kalam.Segment, keys [][]byte) ([]Position, error) {
	if !mayHold(seg, keys) {
		found := make([]Position, len(keys))
		for i := range found {
			found[i].Row = -1
		}
		return found, nil
	}
	var found []Position
	err := l.withSidecar(ctx, seg, func(s *sidecar) (err error) {
		if found, err = s.locate(ctx, keys); err != nil {
			return err
		}
		return s.unchanged()
	})
	return found, err
}

// withSidecar runs read, which must stand being run again, with the sidecar of seg.
// A file that was changed since it was opened is opened anew: it is then compared
// with the record.
func (l *Lake) withSidecar(ctx context.Context, seg *kalam.Segment, read func(*sidecar) error) error {
	for try := 1; ; try++ {
		h, err := l.sidecar(ctx, seg)
		if err != nil {
			return err
		}
		err = read(h.value)
		if err != nil && !errors.Is(err, errChanged) {
			if changed := h.value.unchanged(); changed != nil {
				err = changed // What was read may be of two files.
			}
		}
		if errors.Is(err, errChanged) {
			l.sidecars.dropHandle(h)
		}
		l.sidecars.release(h)
		if !errors.Is(err, errChanged) || try == maxTries {
			return err
		}
	}
}

// maxTries is how often a file that changes while it is read is opened anew.
const maxTries = 3

// mayHold reports whether a key is within the range of seg. Keys that rise with
// time, as most do, are decided here without opening the sidecar.
func mayHold(seg *kalam.Segment, keys [][]byte) bool {
	for _, key := range keys {
		if bytes.Compare(key, seg.MinKey) >= 0 && (seg.MaxKey == nil || bytes.Compare(key, seg.MaxKey) <= 0) {
			return true
		}
	}
	return false
}

func (l *Lake) sidecar(ctx context.Context, seg *kalam.Segment) (*handle[*sidecar], error) {
	at, err := l.location(seg.Storage)
	if err != nil {
		return nil, err
	}
	return l.sidecars.acquire(ctx, objectKey{at.ID, layout.KeyIndexPath(seg.Path)}, func() (*sidecar, int64, error) {
		s, err := openSidecar(ctx, at, seg)
		if err != nil {
			return nil, 0, err
		}
		return s, s.memory(), nil
	})
}

func (s *sidecar) locate(ctx context.Context, keys [][]byte) ([]Position, error) {
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
func (s *sidecar) locateSorted(ctx context.Context, keys [][]byte, order []int, found []Position) error {
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
				return corrupt(s.path, "key block %d is malformed", b)
			}
		}
		for ok {
			c := bytes.Compare(r.key, keys[i])
			if c == 0 && uint64(r.row) >= s.parquetRows {
				return corrupt(s.path, "a key is in row %d of %d", r.row, s.parquetRows)
			}
			if c == 0 {
				found[i] = Position{Row: int64(r.row), Seq: r.seq}
			}
			if c >= 0 {
				break
			}
			var bad bool
			if ok, bad = r.next(); bad {
				return corrupt(s.path, "key block %d is malformed", b)
			}
		}
	}
	return nil
}

// EachKey calls visit for every key of seg in key order, for compaction and for
// clients that resume. Key is valid only during the call. It stops at visit's
// first error, which it returns.
func (l *Lake) EachKey(ctx context.Context, seg *kalam.Segment, visit func(KeyRow) error) error {
	if err := l.withSidecar(ctx, seg, (*sidecar).unchanged); err != nil { // Once visit was called it is too late.
		return err
	}
	h, err := l.sidecar(ctx, seg)
	if err != nil {
		return err
	}
	defer l.sidecars.release(h)
	_, err = h.value.each(ctx, nil, visit)
	return err
}

// each walks all blocks, verifying each, their order and their counts, and last all
// of the file, whose checksum it returns: after an error, what was visited may be
// another's.
func (s *sidecar) each(ctx context.Context, pace Pace, visit func(KeyRow) error) (sum uint32, err error) {
	buf := blockBuffers.Get().(*[]byte)
	defer putBlockBuffer(buf)
	for i := range s.counts {
		if err := pace.wait(ctx, int(s.blockAt[i+1]-s.blockAt[i])); err != nil {
			return 0, err
		}
		entries, err := s.block(i, buf)
		if err != nil {
			return 0, err
		}
		sum = crc32.Update(sum, castagnoli, (*buf)[len(entries):])
		if err := s.eachOf(i, entries, visit); err != nil {
			return 0, err
		}
	}
	if sum = crc32.Update(sum, castagnoli, s.tail[:]); s.want.Known() && sum != s.want.Keys {
		return 0, corrupt(s.path, "it has the checksum %08x instead of %08x", sum, s.want.Keys)
	}
	return sum, s.unchanged()
}

// eachOf walks block i.
func (s *sidecar) eachOf(i int, entries []byte, visit func(KeyRow) error) error {
	r := blockReader{rest: entries, base: s.baseSeq}
	for n := uint32(0); ; n++ {
		ok, bad := r.next()
		if bad || !ok && n != s.counts[i] || n == 0 && !bytes.HasPrefix(r.key, s.separator(i)) {
			return corrupt(s.path, "key block %d is malformed", i)
		}
		if !ok {
			return nil
		}
		if err := visit(KeyRow{Key: r.key, Row: r.row, Seq: r.seq}); err != nil {
			return err
		}
	}
}
