package lake

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
	"slices"

	"github.com/kalamlake/kalam"
)

// KeyRow says in which row of a segment a key lies.
type KeyRow struct {
	Key []byte // Of datatype.EncodeKey.
	Row uint32 // Position in the file, from 0.
	Seq kalam.Seq
}

// sidecarSpec is all that a sidecar holds.
type sidecarSpec struct {
	table        kalam.TableNumber
	keys         []KeyRow // sorted, unique
	parquetBytes int64
	parquetRows  int64
	sums         []uint32
}

// writeSidecar writes the sidecar to w.
func writeSidecar(w io.Writer, s *sidecarSpec) error {
	t := trailer{
		entries: uint64(len(s.keys)), parquetBytes: uint64(s.parquetBytes), parquetRows: uint64(s.parquetRows),
		table: s.table, baseSeq: baseSeq(s.keys), sumBlock: sumBlockSize,
	}
	head := append(make([]byte, 0, headerSize), sidecarMagic...)
	head = binary.LittleEndian.AppendUint32(head, sidecarVersion)
	head = binary.LittleEndian.AppendUint32(head, 0)
	if _, err := w.Write(head); err != nil {
		return err
	}
	index, length, err := writeKeyBlocks(w, s.keys, &t)
	if err != nil {
		return err
	}
	t.indexOffset, t.indexLength = headerSize+length, uint64(len(index))
	t.indexSum = checksum(index)
	sums := make([]byte, 0, 4*len(s.sums))
	for _, sum := range s.sums {
		sums = binary.LittleEndian.AppendUint32(sums, sum)
	}
	t.sumsOffset, t.sumsLength = t.indexOffset+t.indexLength, uint64(len(sums))
	t.sumsSum = checksum(sums)
	for _, b := range [][]byte{index, sums, t.append(nil)} {
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	return nil
}

func baseSeq(keys []KeyRow) kalam.Seq {
	if len(keys) == 0 {
		return 0
	}
	base := keys[0].Seq
	for i := range keys {
		base = min(base, keys[i].Seq)
	}
	return base
}

// writeKeyBlocks writes keys in blocks and returns their index and the number
// of bytes written: per block the length of its separator, the separator, the
// number of entries, and the length of the block with its checksum. The
// separator is the shortest start of the block's first key that is above all keys
// of the blocks before, so that the index is small however long keys are.
func writeKeyBlocks(w io.Writer, keys []KeyRow, t *trailer) (index []byte, length uint64, err error) {
	block := make([]byte, 0, keyBlockSize+256)
	separator := 0 // its length, for the block that follows
	for i := 0; i < len(keys); {
		block = block[:0]
		first := keys[i].Key
		entries := 0
		var prev []byte
		for i < len(keys) && len(block) < keyBlockSize+len(first) && entries < keyBlockEntries {
			block = appendEntry(block, prev, &keys[i], t.baseSeq)
			prev = keys[i].Key
			i++
			entries++
		}
		block = binary.LittleEndian.AppendUint32(block, checksum(block))
		if _, err := w.Write(block); err != nil {
			return nil, 0, err
		}
		t.blocks++
		length += uint64(len(block))
		index = binary.AppendUvarint(index, uint64(separator))
		index = append(index, first[:separator]...)
		index = binary.AppendUvarint(index, uint64(entries))
		index = binary.AppendUvarint(index, uint64(len(block)))
		if i < len(keys) {
			separator = sharedPrefix(prev, keys[i].Key) + 1
		}
	}
	return index, length, nil
}

// prepareKeys sorts keys in place by key and keeps the newest version of each.
// There must be one entry for each of the rows, with a seq in the given range,
// and no two versions of a key with one seq: anything else would let a key lead
// to a row that is not its own.
func prepareKeys(keys []KeyRow, rows int64, minSeq, maxSeq kalam.Seq) ([]KeyRow, error) {
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
	if !slices.IsSortedFunc(keys, compareKeys) {
		sortKeys(keys)
	}
	n := 0
	for i := range keys {
		if n > 0 && bytes.Equal(keys[i].Key, keys[n-1].Key) {
			if keys[i].Seq == keys[n-1].Seq {
				return nil, fmt.Errorf("rows %d and %d have the same key and seq %d", keys[n-1].Row, keys[i].Row, keys[i].Seq)
			}
			continue // an older version
		}
		keys[n] = keys[i]
		n++
	}
	return keys[:n], nil
}

// compareKeys orders by key and then newest first.
func compareKeys(a, b KeyRow) int {
	if c := bytes.Compare(a.Key, b.Key); c != 0 {
		return c
	}
	return cmp.Compare(b.Seq, a.Seq)
}

// sortKeys sorts by compareKeys. It compares the first eight bytes as a number,
// which decides nearly always and follows no pointer.
func sortKeys(keys []KeyRow) {
	type entry struct {
		prefix uint64
		KeyRow
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
		return compareKeys(a.KeyRow, b.KeyRow)
	})
	for i := range all {
		keys[i] = all[i].KeyRow
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
