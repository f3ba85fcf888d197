package badger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	badger "github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/fb"
	"github.com/dgraph-io/badger/v4/pb"
	"github.com/dgraph-io/badger/v4/table"
	"github.com/dgraph-io/badger/v4/y"
	"google.golang.org/protobuf/proto"

	"github.com/kalamlake/kalam"
)

// checkFiles verifies the files of a directory that nobody has open, before
// Badger opens them. Badger would pass over damage in them: it begins an empty
// store without a MANIFEST, deletes tables that MANIFEST does not name, cuts a log
// at the first bad entry, leaves out what a table's iterator cannot read, and
// panics, in goroutines of its own, over lengths that do not fit.
func checkFiles(dir string, relaxed bool) error {
	manifest, err := os.Open(filepath.Join(dir, badger.ManifestFilename))
	if errors.Is(err, os.ErrNotExist) {
		return checkNoStore(dir)
	}
	if err != nil {
		return unreadable(dir, err)
	}
	defer manifest.Close() //nolint:errcheck // It was only read.
	record, err := readManifest(manifest)
	if err != nil {
		return badFile(dir, badger.ManifestFilename, err)
	}
	for _, id := range record.listed {
		name := table.IDToFilename(id)
		if err := checkTable(filepath.Join(dir, name)); err != nil {
			return badFile(dir, name, err)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return unreadable(dir, err)
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), memtableSuffix) {
			continue
		}
		if err := checkMemtableLog(filepath.Join(dir, e.Name()), relaxed); err != nil {
			return badFile(dir, e.Name(), err)
		}
	}
	if err := errors.Join(checkNewestLog(dir), checkRegistry(dir)); isSystemError(err) {
		return unreadable(dir, err)
	} else if err != nil {
		return damaged(dir, err)
	}
	if err := checkUnlisted(dir, record, relaxed); isSystemError(err) {
		return unreadable(dir, err)
	} else if err != nil {
		return damaged(dir, err)
	}
	return nil
}

// checkRegistry checks the file of Badger's keys: we use none, so it is always the
// same, an initialisation vector and a text.
func checkRegistry(dir string) error {
	const vector, text = 16, "Hello Badger"
	raw, err := os.ReadFile(filepath.Join(dir, badger.KeyRegistryFileName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // Badger makes it anew.
	}
	if err == nil && (len(raw) < vector+len(text) || string(raw[vector:vector+len(text)]) != text) {
		err = fmt.Errorf("%s is damaged; without it a new one is made, which loses nothing", badger.KeyRegistryFileName)
	}
	return err
}

// badFile is the error of a file that cannot be used: it is damaged or missing,
// unless the system refused to read it.
func badFile(dir, name string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return damaged(dir, fmt.Errorf("%s is missing; %s names it", name, badger.ManifestFilename))
	case isSystemError(err):
		return unreadable(dir, err)
	}
	return damaged(dir, fmt.Errorf("%s: %w", name, err))
}

// unreadable is the error of files that the system does not let us read: nothing
// says that they are damaged.
func unreadable(dir string, err error) error {
	return kalam.Wrap(kalam.CodeInvalidInput, err,
		"data directory %s cannot be read; nothing was changed; check the permissions and the disk, then start again",
		dir)
}

// isSystemError reports whether err is the system's about a file that exists, as a
// lack of permission or a failing disk, and not about what is in the file.
func isSystemError(err error) bool {
	var at *fs.PathError
	return errors.As(err, &at) && !errors.Is(err, fs.ErrNotExist)
}

// readManifest returns what MANIFEST says of the tables. A record that was cut off
// by a crash ends it, as for Badger; one in the middle is damage.
func readManifest(f *os.File) (record *tableRecord, err error) {
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
	record = &tableRecord{
		listed:  slices.Sorted(maps.Keys(m.Tables)),
		removed: map[uint64]bool{},
		torn:    end < int64(len(raw)),
	}
	return record, record.addChanges(raw[:end])
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
