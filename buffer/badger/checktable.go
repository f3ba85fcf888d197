package badger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"github.com/dgraph-io/badger/v4/fb"
	"github.com/dgraph-io/badger/v4/pb"
	"github.com/dgraph-io/badger/v4/y"
	"google.golang.org/protobuf/proto"
)

// checkTable verifies every checksum of a table.
func checkTable(name string) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // It was only read.
	info, err := f.Stat()
	if err != nil {
		return err
	}
	rest := tail{file: f, end: info.Size()}
	sum, err := rest.counted()
	if err != nil {
		return err
	}
	index, err := rest.counted()
	if err != nil {
		return err
	}
	if err := verify(index, sum); err != nil {
		return fmt.Errorf("index: %w", err)
	}
	blocks := fb.GetRootAsTableIndex(index, 0)
	var at fb.BlockOffset
	var buf []byte
	for i := range blocks.OffsetsLength() {
		if !blocks.Offsets(&at, i) || int64(at.Offset())+int64(at.Len()) > rest.end {
			return fmt.Errorf("block %d: it lies outside", i)
		}
		if cap(buf) < int(at.Len()) {
			buf = make([]byte, at.Len())
		}
		buf = buf[:at.Len()]
		if _, err := f.ReadAt(buf, int64(at.Offset())); err != nil {
			return fmt.Errorf("block %d: %w", i, err)
		}
		if err := checkBlock(buf); err != nil {
			return fmt.Errorf("block %d: %w", i, err)
		}
	}
	return nil
}

// tail reads the end of a file backwards.
type tail struct {
	file *os.File
	end  int64
}

// counted reads bytes that are followed by their number, 4 bytes big endian.
func (t *tail) counted() ([]byte, error) {
	n, err := t.bytes(4)
	if err != nil {
		return nil, err
	}
	return t.bytes(int64(binary.BigEndian.Uint32(n)))
}

func (t *tail) bytes(n int64) ([]byte, error) {
	if n > t.end {
		return nil, errors.New("it is too short")
	}
	b := make([]byte, n)
	t.end -= n
	_, err := t.file.ReadAt(b, t.end)
	return b, err
}

// checkBlock verifies a block: content | checksum | its length, 4 bytes.
func checkBlock(b []byte) error {
	if len(b) < 4 {
		return errors.New("it is too short")
	}
	end := len(b) - 4
	n := binary.BigEndian.Uint32(b[end:])
	if uint64(n) > uint64(end) {
		return errors.New("its checksum is too long")
	}
	return verify(b[:end-int(n)], b[end-int(n):end])
}

func verify(content, sum []byte) error {
	var want pb.Checksum
	if err := proto.Unmarshal(sum, &want); err != nil {
		return fmt.Errorf("checksum: %w", err)
	}
	if y.CalculateChecksum(content, want.Algo) != want.Sum {
		return errors.New("its checksum does not match")
	}
	return nil
}
