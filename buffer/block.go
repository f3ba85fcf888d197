package buffer

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/kalamlake/kalam"
)

// A block holds consecutive versions of one scope that one request committed:
//
//	format, 1 byte | crc32c of the rest, 4 bytes LE | seq of the scope's version
//	before, 8 bytes LE | count, 4 bytes LE | versions
//
// and each version:
//
//	seq minus the one before (the first: minus the key's), uvarint | flags, 1 byte |
//	[base segment, uvarint | base row, uvarint] | key length, uvarint | key |
//	payload length, uvarint | payload
//
// The seq of the version before makes a chain of a scope's blocks, so that a
// missing one is noticed.
const (
	blockFormat   = 0x01
	sumHeader     = 5  // Format and checksum.
	blockHeader   = 17 // What comes before the versions.
	flagTombstone = 0x01
	flagHasBase   = 0x02
	maxBlockBytes = 256 << 10 // A block is closed when it reaches this.
	versionBytes  = 40        // Upper bound of a version's bytes beside key and payload.
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// blockWriter collects the versions that one request commits to one scope into
// blocks.
type blockWriter struct {
	scope  kalam.Scope
	buf    []byte // The open block; empty when there is none.
	first  kalam.Seq
	last   kalam.Seq // Of the scope, before or in the open block.
	count  uint32
	expect int // Bytes that are still to come, about.
}

// append adds v, which replaces the flushed row at from. It returns v with key and payload moved into the block, which
// keeps alive neither more nor less than the row, and, when v closed the block,
// the block with its key.
func (w *blockWriter) append(v version, from base) (version, Op, bool) {
	if len(w.buf) == 0 {
		own := versionBytes + len(v.key) + len(v.payload)
		w.buf = make([]byte, blockHeader, blockHeader+max(min(w.expect, maxBlockBytes+own), own-versionBytes))
		binary.LittleEndian.PutUint64(w.buf[sumHeader:], uint64(w.last))
		w.first, w.last, w.count = v.seq, v.seq, 0
		v.opens = true
	}
	start := len(w.buf)
	w.buf = appendVersion(w.buf, uint64(v.seq-w.last), &v, from)
	w.last = v.seq
	w.count++
	w.expect -= len(w.buf) - start
	end := len(w.buf)
	v.payload, end = w.buf[end-len(v.payload):end:end], end-len(v.payload)-uvarintLen(len(v.payload))
	v.key = w.buf[end-len(v.key) : end : end]
	if len(w.buf) < maxBlockBytes {
		return v, Op{}, false
	}
	op := w.seal()
	return v, op, true
}

// open reports whether a block is begun and not sealed.
func (w *blockWriter) open() bool { return len(w.buf) > 0 }

// seal closes the open block.
func (w *blockWriter) seal() Op {
	b := w.buf
	w.buf = nil
	b[0] = blockFormat
	binary.LittleEndian.PutUint32(b[sumHeader+8:], w.count)
	binary.LittleEndian.PutUint32(b[1:], crc32.Checksum(b[sumHeader:], castagnoli))
	return Op{Partition: partitionRows, Key: logKey(w.scope, w.first), Value: b, Bulk: true}
}

func uvarintLen(n int) int {
	size := 1
	for ; n >= 0x80; n >>= 7 {
		size++
	}
	return size
}

// appendVersion appends one version to a block's body.
func appendVersion(dst []byte, delta uint64, v *version, from base) []byte {
	dst = binary.AppendUvarint(dst, delta)
	var flags byte
	if v.tombstone {
		flags |= flagTombstone
	}
	if from.segment != 0 {
		flags |= flagHasBase
	}
	dst = append(dst, flags)
	if from.segment != 0 {
		dst = binary.AppendUvarint(dst, uint64(from.segment))
		dst = binary.AppendUvarint(dst, uint64(from.row))
	}
	dst = binary.AppendUvarint(dst, uint64(len(v.key)))
	dst = append(dst, v.key...)
	dst = binary.AppendUvarint(dst, uint64(len(v.payload)))
	return append(dst, v.payload...)
}

// versionSize bounds the bytes of a version in a block.
func versionSize(m *Mutation) int { return versionBytes + len(m.Key) + len(m.Payload) }

// expectedSize returns the bytes that a version usually takes: seqs that follow
// each other, and no base.
func expectedSize(m *Mutation) int {
	return 2 + uvarintLen(len(m.Key)) + len(m.Key) + uvarintLen(len(m.Payload)) + len(m.Payload)
}

// checkBlock verifies the header of a block and returns the seq of the version
// before it and the number of versions.
func checkBlock(sc kalam.Scope, first kalam.Seq, raw []byte) (before kalam.Seq, count uint32, err error) {
	if len(raw) < blockHeader || raw[0] != blockFormat {
		return 0, 0, damagedBlock(sc, first, "unknown format")
	}
	if crc32.Checksum(raw[sumHeader:], castagnoli) != binary.LittleEndian.Uint32(raw[1:]) {
		return 0, 0, damagedBlock(sc, first, "checksum does not match")
	}
	return kalam.Seq(binary.LittleEndian.Uint64(raw[sumHeader:])), binary.LittleEndian.Uint32(raw[sumHeader+8:]), nil
}

func damagedBlock(sc kalam.Scope, first kalam.Seq, why string) error {
	return kalam.Errorf(kalam.CodeCorrupt, "row log of table %d, user '%s', block %d is damaged: %s",
		sc.Table, sc.User, first, why)
}

// decodeBlock calls f for every version of a block and returns the seq of the
// version before it. The versions alias raw.
func decodeBlock(sc kalam.Scope, first kalam.Seq, raw []byte, f func(version, base)) (before kalam.Seq, err error) {
	before, count, err := checkBlock(sc, first, raw)
	if err != nil {
		return 0, err
	}
	r := blockReader{b: raw[blockHeader:]}
	seq := first
	for n := count; n > 0 && !r.bad; n-- {
		seq += kalam.Seq(r.uvarint())
		v := version{seq: seq, opens: n == count}
		var from base
		flags := r.byte()
		v.tombstone = flags&flagTombstone != 0
		if flags&flagHasBase != 0 {
			from = base{segment: kalam.SegmentID(r.uvarint()), row: uint32(r.uvarint())}
		}
		v.key = r.bytes()
		v.payload = r.bytes()
		if !r.bad {
			f(v, from)
		}
	}
	if r.bad || len(r.b) > 0 || count == 0 {
		return 0, damagedBlock(sc, first, "its lengths do not add up")
	}
	return before, nil
}

// blockReader reads the fields of a block; bad is set at the first that does
// not fit, and everything after it is zero.
type blockReader struct {
	b   []byte
	bad bool
}

func (r *blockReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *blockReader) byte() byte {
	if len(r.b) == 0 {
		r.bad = true
		return 0
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

func (r *blockReader) bytes() []byte {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.bad, r.b = true, nil
		return nil
	}
	out := r.b[:n:n]
	r.b = r.b[n:]
	return out
}
