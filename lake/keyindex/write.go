package keyindex

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
	"slices"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake/integrity"
)

// Contents is all that a key index file holds.
type Contents struct {
	Table        kalam.TableNumber
	Keys         []Entry // Of Prepare.
	Stream       *Stream // What has encoded the keys already, instead of them.
	ParquetBytes int64
	ParquetRows  int64
	Parquet      integrity.Blocks // Of the Parquet file.
}

// Write writes a key index file to w and returns its checksum and size.
func Write(w io.Writer, s *Contents) (sum uint32, size int64, err error) {
	var b *keyBlocks
	if s.Stream != nil {
		b = s.Stream.blocks
	} else {
		b = newKeyBlocks(baseSeq(s.Keys))
		for i := range s.Keys {
			b.add(&s.Keys[i])
		}
	}
	b.close()
	t := trailer{
		entries: b.entries, blocks: b.blocks, parquetBytes: uint64(s.ParquetBytes), parquetRows: uint64(s.ParquetRows),
		table: s.Table, baseSeq: b.base, sumBlock: uint32(s.Parquet.Size),
	}
	head := append(make([]byte, 0, headerSize), formatMagic...)
	head = binary.LittleEndian.AppendUint32(head, formatVersion)
	head = binary.LittleEndian.AppendUint32(head, 0)
	t.indexOffset, t.indexLength = headerSize+uint64(b.data.Len()), uint64(len(b.index))
	t.indexSum = integrity.Checksum(b.index)
	t.sumsOffset, t.sumsLength = t.indexOffset+t.indexLength, uint64(len(s.Parquet.Sums))
	t.sumsSum = s.Parquet.Sum()
	tail := t.append(nil)
	for _, part := range [][]byte{head, b.data.Bytes(), b.index, s.Parquet.Sums, tail} {
		n, err := w.Write(part)
		if err != nil {
			return 0, 0, err
		}
		size += int64(n)
	}
	return integrity.AddChecksum(b.sum, tail), size, nil
}

// Encode returns the content of the key index file of seg, and its sums; sums are those
// of the Parquet file.
func Encode(seg *kalam.Segment, keys []Entry, sums integrity.Blocks) (content []byte, made kalam.SegmentSums,
	err error) {
	var b bytes.Buffer
	made.File = sums.Sum()
	made.Keys, made.KeysBytes, err = Write(&b, &Contents{
		Table: seg.Table, Keys: keys, ParquetBytes: seg.Bytes, ParquetRows: seg.Rows, Parquet: sums,
	})
	return b.Bytes(), made, err
}

func baseSeq(keys []Entry) kalam.Seq {
	if len(keys) == 0 {
		return 0
	}
	base := keys[0].Seq
	for i := range keys {
		base = min(base, keys[i].Seq)
	}
	return base
}

// keyBlocks encodes keys, which are added in their order, in blocks, and makes the
// index of the blocks: per block the length of its separator, the separator, the
// number of entries, and the length of the block with its checksum. The separator
// is the shortest start of the block's first key that is above all keys of the
// blocks before, so that the index is small however long keys are.
type keyBlocks struct {
	data  bytes.Buffer // The blocks that are closed.
	index []byte

	entries uint64
	blocks  uint64
	base    kalam.Seq // At most the seq of each key.

	block     []byte // The open block.
	inBlock   int    // Its entries.
	first     []byte // Its first key.
	prev      []byte // The last key that was added.
	separator int    // Of the open block: its length.
	sum       uint32 // Of the checksums of the closed blocks.
}

func newKeyBlocks(base kalam.Seq) *keyBlocks { return &keyBlocks{base: base} }

// add adds a key, which must be above all before, and keeps a reference to it.
func (b *keyBlocks) add(k *Entry) {
	if b.inBlock > 0 && (len(b.block) >= keyBlockSize+len(b.first) || b.inBlock >= keyBlockEntries) {
		b.close()
		b.separator = sharedPrefix(b.prev, k.Key) + 1
	}
	var prev []byte
	if b.inBlock == 0 {
		b.first = k.Key
	} else {
		prev = b.prev
	}
	b.block = appendEntry(b.block, prev, k, b.base)
	b.prev = k.Key
	b.inBlock++
	b.entries++
}

// close ends the open block, if there is one.
func (b *keyBlocks) close() {
	if b.inBlock == 0 {
		return
	}
	b.block = binary.LittleEndian.AppendUint32(b.block, integrity.Checksum(b.block))
	b.sum = integrity.AddChecksum(b.sum, b.block[len(b.block)-4:])
	b.data.Write(b.block)
	b.index = binary.AppendUvarint(b.index, uint64(b.separator))
	b.index = append(b.index, b.first[:b.separator]...)
	b.index = binary.AppendUvarint(b.index, uint64(b.inBlock))
	b.index = binary.AppendUvarint(b.index, uint64(len(b.block)))
	b.blocks++
	b.block, b.inBlock = b.block[:0], 0
}

// Stream encodes the keys of a segment while its rows are written, which is
// done when the file is: keys mostly rise with the rows. If they do not, it gives
// up, and the list of keys is to be sorted. It is not safe for concurrent use.
type Stream struct {
	blocks         *keyBlocks // nil once it has given up.
	first          []byte
	minSeq, maxSeq kalam.Seq
}

// NewStream returns a stream of keys whose rows have seqs from minSeq to maxSeq.
func NewStream(minSeq, maxSeq kalam.Seq) *Stream {
	return &Stream{blocks: newKeyBlocks(minSeq), minSeq: minSeq, maxSeq: maxSeq}
}

// Add adds the key of the next row and keeps a reference to it.
func (s *Stream) Add(k Entry) {
	b := s.blocks
	switch {
	case b == nil:
	case uint64(k.Row) != b.entries || k.Seq < s.minSeq || k.Seq > s.maxSeq || len(k.Key) > maxKeyBytes ||
		b.entries > 0 && bytes.Compare(b.prev, k.Key) >= 0:
		s.blocks = nil
	default:
		if b.entries == 0 {
			s.first = k.Key
		}
		b.add(&k)
	}
}

// Complete reports whether it has encoded the keys of all rows of a segment, with these
// seqs. It is false for nil.
func (s *Stream) Complete(rows int64, minSeq, maxSeq kalam.Seq) bool {
	return s != nil && s.blocks != nil && s.blocks.entries == uint64(rows) && s.minSeq == minSeq && s.maxSeq >= maxSeq
}

// Range returns the lowest and the highest key of a stream that is complete.
func (s *Stream) Range() (low, high []byte) { return s.first, s.blocks.prev }

// Prepare sorts keys in place by key and keeps the newest version of each.
// There must be one entry for each of the rows, with a seq in the given range,
// and no two versions of a key with one seq: anything else would let a key lead
// to a row that is not its own.
func Prepare(keys []Entry, rows int64, minSeq, maxSeq kalam.Seq) ([]Entry, error) {
	taken := make([]uint64, (rows+63)/64)
	for i := range keys {
		k := &keys[i]
		switch {
		case int64(k.Row) >= rows:
			return nil, fmt.Errorf("key %d is in row %d of %d", i, k.Row, rows)
		case taken[k.Row/64]&(1<<(k.Row%64)) != 0:
			return nil, fmt.Errorf("two keys are in row %d", k.Row)
		case k.Seq < minSeq || k.Seq > maxSeq:
			return nil, fmt.Errorf("key %d has the seq %d, outside %d to %d", i, k.Seq, minSeq, maxSeq)
		case len(k.Key) > maxKeyBytes:
			return nil, fmt.Errorf("key %d is %d bytes long", i, len(k.Key))
		}
		taken[k.Row/64] |= 1 << (k.Row % 64)
	}
	if !slices.IsSortedFunc(keys, compare) {
		sortEntries(keys)
	}
	n := 0
	for i := range keys {
		if n > 0 && bytes.Equal(keys[i].Key, keys[n-1].Key) {
			if keys[i].Seq == keys[n-1].Seq {
				return nil, fmt.Errorf("rows %d and %d have the same key and seq %d", keys[n-1].Row, keys[i].Row,
					keys[i].Seq)
			}
			continue // an older version
		}
		keys[n] = keys[i]
		n++
	}
	return keys[:n], nil
}

// compare orders by key and then newest first.
func compare(a, b Entry) int {
	if c := bytes.Compare(a.Key, b.Key); c != 0 {
		return c
	}
	return cmp.Compare(b.Seq, a.Seq)
}

// sortEntries sorts by compare. It compares the first eight bytes as a number,
// which decides nearly always and follows no pointer.
func sortEntries(keys []Entry) {
	type entry struct {
		prefix uint64
		Entry
	}
	all := make([]entry, len(keys))
	for i := range keys {
		all[i] = entry{keyPrefix(keys[i].Key), keys[i]}
	}
	slices.SortFunc(all, func(a, b entry) int {
		if a.prefix != b.prefix {
			if a.prefix < b.prefix {
				return -1
			}
			return 1
		}
		return compare(a.Entry, b.Entry)
	})
	for i := range all {
		keys[i] = all[i].Entry
	}
}

// keyPrefix returns the first eight bytes of key, zero-padded, as a number that
// orders like them.
func keyPrefix(key []byte) uint64 {
	if len(key) >= 8 {
		return binary.BigEndian.Uint64(key)
	}
	var b [8]byte
	copy(b[:], key)
	return binary.BigEndian.Uint64(b[:])
}
