package badger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"

	badger "github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/fb"
	"github.com/dgraph-io/badger/v4/pb"
	"github.com/dgraph-io/badger/v4/table"
	"github.com/dgraph-io/badger/v4/y"
	"google.golang.org/protobuf/proto"
)

// checkFiles verifies the files of a directory that nobody has open, before
// Badger opens them. Badger would pass over damage in them: it cuts a log at the
// first bad entry, leaves out what a table's iterator cannot read, and panics, in
// goroutines of its own, over lengths that do not fit.
func checkFiles(dir string, relaxed bool) error {
	manifest, err := os.Open(filepath.Join(dir, badger.ManifestFilename))
	if errors.Is(err, os.ErrNotExist) {
		return nil // A new directory.
	}
	if err != nil {
		return fmt.Errorf("open manifest of %s: %w", dir, err)
	}
	defer manifest.Close() // only read
	tables, err := readManifest(manifest)
	if err != nil {
		return damaged(dir, fmt.Errorf("%s: %w", badger.ManifestFilename, err))
	}
	for _, id := range tables {
		name := table.IDToFilename(id)
		if err := checkTable(filepath.Join(dir, name)); err != nil {
			return damaged(dir, fmt.Errorf("%s: %w", name, err))
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("read %s: %w", dir, err)
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".mem") {
			continue
		}
		if err := checkMemtableLog(filepath.Join(dir, e.Name()), relaxed); err != nil {
			return damaged(dir, fmt.Errorf("%s: %w", e.Name(), err))
		}
	}
	return nil
}

// readManifest returns the ids of the tables. A record that was cut off by a
// crash ends the list, as for Badger; one in the middle is damage.
func readManifest(f *os.File) (ids []uint64, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	m, end, err := badger.ReplayManifestFile(f, 0, badger.DefaultOptions("").WithLogger(nil))
	if err != nil {
		return nil, err
	}
	raw, err := os.ReadFile(f.Name())
	if err != nil {
		return nil, err
	}
	if end < int64(len(raw)) && (wholeRecord(raw[end:]) || hasManifestRecord(raw[end+1:])) {
		return nil, fmt.Errorf("bad record at %d", end)
	}
	for id := range m.Tables {
		ids = append(ids, id)
	}
	return ids, nil
}

// wholeRecord reports whether b begins with a record of which only the length is
// wrong: one that was cut off has another checksum.
func wholeRecord(b []byte) bool {
	if len(b) <= 8 {
		return false
	}
	want, sum := binary.BigEndian.Uint32(b[4:]), uint32(0)
	for i := 8; i < len(b); i++ {
		if sum = crc32.Update(sum, y.CastagnoliCrcTable, b[i:i+1]); sum == want {
			return true
		}
	}
	return false
}

// hasManifestRecord reports whether a whole record lies in b: length, 4 bytes
// big endian | crc32c, 4 bytes | changes.
func hasManifestRecord(b []byte) bool {
	for ; len(b) > 8; b = b[1:] {
		n := binary.BigEndian.Uint32(b)
		if n == 0 || uint64(n) > uint64(len(b)-8) {
			continue
		}
		if crc32.Checksum(b[8:8+n], y.CastagnoliCrcTable) == binary.BigEndian.Uint32(b[4:]) {
			return true
		}
	}
	return false
}

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
	defer f.Close() // only read
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
