package keyindex

import (
	"encoding/binary"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake/integrity"
)

// The layout of a key index file, all numbers little endian (docs/architecture/
// lake-format.md has the tables):
//
//	header | key blocks | index of the key blocks | checksums of the Parquet file | trailer
//
// It is written front to back and never changed.
const (
	formatMagic   = "KALAMKEY"
	formatVersion = 1

	headerSize  = 16 // magic, version, zero
	trailerSize = 112

	// keyBlockSize is the size at which a key block is closed, not counting its
	// first key, which is there whole. One lookup reads one block.
	keyBlockSize = 4096
	// keyBlockEntries is the number of keys at which it is closed, too: a lookup
	// walks half of them.
	keyBlockEntries = 128

	// maxKeyBytes bounds the key of one entry; a longer one is damage. Rows are
	// limited to 8 MiB, keys escape at most to the double.
	maxKeyBytes = 32 << 20
	// maxKeyBlock is the largest possible block.
	maxKeyBlock = keyBlockSize + 2*maxKeyBytes + 128
)

// trailer is the fixed end of a key index file.
type trailer struct {
	entries      uint64 // keys
	blocks       uint64
	indexOffset  uint64
	indexLength  uint64
	sumsOffset   uint64
	sumsLength   uint64
	parquetBytes uint64
	parquetRows  uint64
	table        kalam.TableNumber
	baseSeq      kalam.Seq // what the seqs of the entries are counted from
	sumBlock     uint32
	indexSum     uint32
	sumsSum      uint32
}

// append encodes the trailer: its fields, a checksum of them, the version and
// the magic again, by which a truncated file is known.
func (t *trailer) append(b []byte) []byte {
	start := len(b)
	for _, n := range []uint64{
		t.entries, t.blocks, t.indexOffset, t.indexLength, t.sumsOffset, t.sumsLength,
		t.parquetBytes, t.parquetRows, uint64(t.table), uint64(t.baseSeq),
	} {
		b = binary.LittleEndian.AppendUint64(b, n)
	}
	b = binary.LittleEndian.AppendUint32(b, t.sumBlock)
	b = binary.LittleEndian.AppendUint32(b, t.indexSum)
	b = binary.LittleEndian.AppendUint32(b, t.sumsSum)
	b = binary.LittleEndian.AppendUint32(b, 0)
	b = binary.LittleEndian.AppendUint32(b, formatVersion)
	b = binary.LittleEndian.AppendUint32(b, integrity.Checksum(b[start:]))
	return append(b, formatMagic...)
}

// parseTrailer reads the trailer of the key index file at p, whose length is size, and
// checks that what it describes fits the file.
func parseTrailer(p string, b []byte, size int64) (trailer, error) {
	var t trailer
	if string(b[trailerSize-8:]) != formatMagic {
		return t, integrity.Corrupt(p, "it does not end as a key index file")
	}
	if v := binary.LittleEndian.Uint32(b[trailerSize-16:]); v != formatVersion {
		return t, kalam.Errorf(kalam.CodeCorrupt, "%s has the unknown key index file version %d", p, v)
	}
	if integrity.Checksum(b[:trailerSize-12]) != binary.LittleEndian.Uint32(b[trailerSize-12:]) {
		return t, integrity.Corrupt(p, "wrong checksum of the trailer")
	}
	for i, field := range []*uint64{
		&t.entries, &t.blocks, &t.indexOffset, &t.indexLength, &t.sumsOffset, &t.sumsLength,
		&t.parquetBytes, &t.parquetRows, (*uint64)(&t.table), (*uint64)(&t.baseSeq),
	} {
		*field = binary.LittleEndian.Uint64(b[8*i:])
	}
	t.sumBlock = binary.LittleEndian.Uint32(b[80:])
	t.indexSum = binary.LittleEndian.Uint32(b[84:])
	t.sumsSum = binary.LittleEndian.Uint32(b[88:])
	end := uint64(size) - trailerSize
	if t.indexOffset < headerSize || t.indexOffset > end || t.indexLength > end-t.indexOffset ||
		t.sumsOffset != t.indexOffset+t.indexLength || t.sumsLength != end-t.sumsOffset ||
		t.sumBlock == 0 || t.sumsLength%4 != 0 ||
		t.sumsLength/4 != (t.parquetBytes+uint64(t.sumBlock)-1)/uint64(t.sumBlock) {
		return t, integrity.Corrupt(p, "its parts do not fit together")
	}
	return t, nil
}

// appendEntry encodes one key after prev in the same block.
func appendEntry(b, prev []byte, e *Entry, base kalam.Seq) []byte {
	shared := sharedPrefix(prev, e.Key)
	b = binary.AppendUvarint(b, uint64(shared))
	b = binary.AppendUvarint(b, uint64(len(e.Key)-shared))
	b = append(b, e.Key[shared:]...)
	b = binary.AppendUvarint(b, uint64(e.Row))
	return binary.AppendUvarint(b, uint64(e.Seq-base))
}

// sharedPrefix returns how many bytes a and b have in common at their start.
func sharedPrefix(a, b []byte) int {
	n := 0
	for most := min(len(a), len(b)); n < most && a[n] == b[n]; {
		n++
	}
	return n
}

// blockReader walks the entries of a key block.
type blockReader struct {
	rest []byte
	base kalam.Seq
	key  []byte // of the current entry; reused
	row  uint32
	seq  kalam.Seq
}

// next reads the following entry; ok is false at the end. Bytes that are no
// entry set bad.
func (r *blockReader) next() (ok, bad bool) {
	if len(r.rest) == 0 {
		return false, false
	}
	shared, n1 := uvarint(r.rest)
	if n1 == 0 {
		return false, true
	}
	added, n2 := uvarint(r.rest[n1:])
	if n2 == 0 || shared > uint64(len(r.key)) || added > uint64(len(r.rest)-n1-n2) {
		return false, true
	}
	at := n1 + n2
	r.key = append(r.key[:shared], r.rest[at:at+int(added)]...)
	at += int(added)
	row, n3 := uvarint(r.rest[at:])
	if n3 == 0 || row > 1<<32-1 {
		return false, true
	}
	seq, n4 := uvarint(r.rest[at+n3:])
	if n4 == 0 {
		return false, true
	}
	r.row, r.seq = uint32(row), r.base+kalam.Seq(seq)
	r.rest = r.rest[at+n3+n4:]
	return true, false
}

// uvarint is binary.Uvarint, fast for one byte, with 0 bytes read on damage.
func uvarint(b []byte) (uint64, int) {
	if len(b) > 0 && b[0] < 0x80 {
		return uint64(b[0]), 1
	}
	n, size := binary.Uvarint(b)
	return n, max(size, 0)
}

// Entry says in which row of a segment a key lies.
type Entry struct {
	Key []byte // Of datatype.EncodeKey.
	Row uint32 // Position in the file, from 0.
	Seq kalam.Seq
}
