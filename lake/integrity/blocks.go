package integrity

import (
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Checksum returns the CRC-32C of b.
func Checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// AddChecksum returns the CRC-32C of b after what sum is of.
func AddChecksum(sum uint32, b []byte) uint32 { return crc32.Update(sum, castagnoli, b) }

// BlockSize is the piece of a file under one checksum.
const BlockSize = 16 << 10

// Blocks are the checksums of the blocks of a file. The zero value has none.
type Blocks struct {
	Size int64  // Of a block, but perhaps for the last.
	Sums []byte // Of each block, 4 bytes, little endian.
}

// SumBlocks reads r, which has size bytes, and returns the checksums of its blocks.
func SumBlocks(ctx context.Context, r io.Reader, size int64) (Blocks, error) {
	all := (size + BlockSize - 1) / BlockSize
	buf := make([]byte, max(min(all, 64), 1)*BlockSize)
	out := Blocks{Size: BlockSize, Sums: make([]byte, 0, 4*all)}
	for {
		if err := ctx.Err(); err != nil {
			return Blocks{}, err
		}
		n, err := io.ReadFull(r, buf)
		for b := buf[:n]; len(b) > 0; {
			k := min(BlockSize, len(b))
			out.Sums = binary.LittleEndian.AppendUint32(out.Sums, Checksum(b[:k]))
			b = b[k:]
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return out, nil
		}
		if err != nil {
			return Blocks{}, err
		}
	}
}

// Known reports whether there are checksums.
func (c Blocks) Known() bool { return c.Size > 0 }

// Sum is the checksum of the checksums, which stands for the whole file.
func (c Blocks) Sum() uint32 { return Checksum(c.Sums) }

// Around returns the whole blocks in which the bytes from start to end of a file of size bytes
// lie.
func (c Blocks) Around(start, end, size int64) (first, last int64) {
	return start / c.Size * c.Size, min((end+c.Size-1)/c.Size*c.Size, size)
}

// Check compares b, which are whole blocks from offset off of the file at p.
func (c Blocks) Check(p string, b []byte, off int64) error {
	for len(b) > 0 {
		n := min(c.Size, int64(len(b)))
		i := off / c.Size * 4
		if i+4 > int64(len(c.Sums)) || Checksum(b[:n]) != binary.LittleEndian.Uint32(c.Sums[i:]) {
			return Corrupt(p, "wrong checksum at offset %d", off)
		}
		b, off = b[n:], off+n
	}
	return nil
}
