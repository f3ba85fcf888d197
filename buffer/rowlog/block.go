package rowlog

import (
	"encoding/binary"
	"time"

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
//	[superseded segment, uvarint | superseded row, uvarint] | key length, uvarint | key |
//	payload length, uvarint | payload
//
// The seq of the version before makes a chain of a scope's blocks, so that a
// missing one is noticed.
const (
	blockFormat   = 0x01
	flagTombstone = 0x01
	// flagSupersedes means that a flushed row follows, which the version replaces.
	flagSupersedes = 0x02
	entryBytes     = 40 // Upper bound of a version's bytes beside key and payload.
	// BlockHeader is the length of what comes before the versions.
	BlockHeader = 17
	// MaxBlockBytes is the length at which a block is closed.
	MaxBlockBytes = 256 << 10
)

// RowRef names a flushed row: one of a segment. Segment 0 is none.
type RowRef struct {
	Segment kalam.SegmentID
	Row     uint32
}

// Entry is one version of a row, as a block holds it.
type Entry struct {
	Seq         kalam.Seq
	Tombstone   bool
	StartsBlock bool // It is the first of its block.
	Key         []byte
	Payload     []byte
}

// Block is a key of KeyspaceRows and its value.
type Block struct{ Key, Value []byte }

// BlockWriter collects the versions that one request commits to one scope into
// blocks.
type BlockWriter struct {
	scope  kalam.Scope
	buf    []byte // The open block; empty when there is none.
	first  kalam.Seq
	last   kalam.Seq // Of the scope, before or in the open block.
	count  uint32
	expect int // Bytes that are still to come, about.
}

// NewBlockWriter returns the writer of a scope whose newest version is last.
// Expect is about how many bytes are to come.
func NewBlockWriter(sc kalam.Scope, last kalam.Seq, expect int) BlockWriter {
	return BlockWriter{scope: sc, last: last, expect: expect}
}

// Append adds v, which replaces the flushed row superseded. It returns v with key
// and payload moved into the block, which keeps alive neither more nor less than
// the row, and, when v closed the block, the block.
func (w *BlockWriter) Append(v Entry, superseded RowRef) (Entry, Block, bool) {
	if len(w.buf) == 0 {
		own := entryBytes + len(v.Key) + len(v.Payload)
		w.buf = make([]byte, BlockHeader, BlockHeader+max(min(w.expect, MaxBlockBytes+own), own-entryBytes))
		binary.LittleEndian.PutUint64(w.buf[SumHeader:], uint64(w.last))
		w.first, w.last, w.count = v.Seq, v.Seq, 0
		v.StartsBlock = true
	}
	start := len(w.buf)
	w.buf = appendEntry(w.buf, uint64(v.Seq-w.last), &v, superseded)
	w.last = v.Seq
	w.count++
	w.expect -= len(w.buf) - start
	end := len(w.buf)
	v.Payload, end = w.buf[end-len(v.Payload):end:end], end-len(v.Payload)-uvarintLen(len(v.Payload))
	v.Key = w.buf[end-len(v.Key) : end : end]
	if len(w.buf) < MaxBlockBytes {
		return v, Block{}, false
	}
	return v, w.Seal(), true
}

// Open reports whether a block is begun and not sealed.
func (w *BlockWriter) Open() bool { return len(w.buf) > 0 }

// Seal closes the open block.
func (w *BlockWriter) Seal() Block {
	b := w.buf
	w.buf = nil
	b[0] = blockFormat
	binary.LittleEndian.PutUint32(b[SumHeader+8:], w.count)
	binary.LittleEndian.PutUint32(b[1:], Sum(b[SumHeader:]))
	return Block{Key: BlockKey(w.scope, w.first), Value: b}
}

func uvarintLen(n int) int {
	size := 1
	for ; n >= 0x80; n >>= 7 {
		size++
	}
	return size
}

// appendEntry appends one version to a block's body.
func appendEntry(dst []byte, delta uint64, v *Entry, superseded RowRef) []byte {
	dst = binary.AppendUvarint(dst, delta)
	var flags byte
	if v.Tombstone {
		flags |= flagTombstone
	}
	if superseded.Segment != 0 {
		flags |= flagSupersedes
	}
	dst = append(dst, flags)
	if superseded.Segment != 0 {
		dst = binary.AppendUvarint(dst, uint64(superseded.Segment))
		dst = binary.AppendUvarint(dst, uint64(superseded.Row))
	}
	dst = binary.AppendUvarint(dst, uint64(len(v.Key)))
	dst = append(dst, v.Key...)
	dst = binary.AppendUvarint(dst, uint64(len(v.Payload)))
	return append(dst, v.Payload...)
}

// MaxEntrySize bounds the bytes of a version in a block.
func MaxEntrySize(key, payload []byte) int { return entryBytes + len(key) + len(payload) }

// LikelyEntrySize returns the bytes that a version usually takes: seqs that follow
// each other, and no superseded row.
func LikelyEntrySize(key, payload []byte) int {
	return 2 + uvarintLen(len(key)) + len(key) + uvarintLen(len(payload)) + len(payload)
}

// LastSeqBound returns a seq at or above the last of count versions from first
// on, however many milliseconds they took.
func LastSeqBound(first kalam.Seq, count uint32) kalam.Seq {
	const perMilli = 1 << 12
	return first + kalam.SeqAt(kalam.Seq(0).Time().Add(time.Duration(count/perMilli+2)*time.Millisecond))
}

// checkBlock verifies the header of a block and returns the seq of the version
// before it and the number of versions.
func checkBlock(sc kalam.Scope, first kalam.Seq, raw []byte) (before kalam.Seq, count uint32, err error) {
	if len(raw) < BlockHeader || raw[0] != blockFormat {
		return 0, 0, DamagedBlock(sc, first, "unknown format")
	}
	if Sum(raw[SumHeader:]) != binary.LittleEndian.Uint32(raw[1:]) {
		return 0, 0, DamagedBlock(sc, first, "checksum does not match")
	}
	return kalam.Seq(binary.LittleEndian.Uint64(raw[SumHeader:])), binary.LittleEndian.Uint32(raw[SumHeader+8:]), nil
}

// DamagedBlock is the error of a block, which its first seq names.
func DamagedBlock(sc kalam.Scope, first kalam.Seq, why string) error {
	return kalam.Errorf(kalam.CodeCorrupt, "row log of table %d, user '%s', block %d is damaged: %s",
		sc.Table, sc.User, first, why)
}

// DecodeBlock calls f for every version of a block and returns the seq of the
// version before it. The versions alias raw.
func DecodeBlock(
	sc kalam.Scope, first kalam.Seq, raw []byte, f func(Entry, RowRef),
) (before kalam.Seq, err error) {
	before, count, err := checkBlock(sc, first, raw)
	if err != nil {
		return 0, err
	}
	r := blockReader{b: raw[BlockHeader:]}
	seq := first
	for n := count; n > 0 && !r.bad; n-- {
		seq += kalam.Seq(r.uvarint())
		v := Entry{Seq: seq, StartsBlock: n == count}
		var superseded RowRef
		flags := r.byte()
		v.Tombstone = flags&flagTombstone != 0
		if flags&flagSupersedes != 0 {
			superseded = RowRef{Segment: kalam.SegmentID(r.uvarint()), Row: uint32(r.uvarint())}
		}
		v.Key = r.bytes()
		v.Payload = r.bytes()
		if !r.bad {
			f(v, superseded)
		}
	}
	if r.bad || len(r.b) > 0 || count == 0 {
		return 0, DamagedBlock(sc, first, "its lengths do not add up")
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
