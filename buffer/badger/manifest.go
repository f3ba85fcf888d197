package badger

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"maps"
	"os"
	"slices"

	badger "github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/pb"
	"github.com/dgraph-io/badger/v4/y"
	"google.golang.org/protobuf/proto"
)

// tableRecord is what MANIFEST says of the tables.
type tableRecord struct {
	listed  []uint64        // In the order of their numbers.
	removed map[uint64]bool // Tables that a record removed.
	// rewritten is the highest number in the first record of a MANIFEST that Badger
	// rewrote, which no longer names what was removed before; 0 otherwise.
	rewritten uint64
	torn      bool // It ends in a part of a record.
}

const manifestHeader = 8

// addChanges reads the whole records of a MANIFEST that ends at end.
func (r *tableRecord) addChanges(raw []byte) error {
	for at := manifestHeader; at < len(raw); {
		n := int(binary.BigEndian.Uint32(raw[at:]))
		var set pb.ManifestChangeSet
		if err := proto.Unmarshal(raw[at+8:at+8+n], &set); err != nil {
			return err
		}
		for _, c := range set.Changes {
			switch {
			case c.Op == pb.ManifestChange_DELETE:
				r.removed[c.Id] = true
			case at == manifestHeader:
				r.rewritten = max(r.rewritten, c.Id)
			}
		}
		at += 8 + n
	}
	return nil
}

// explains reports whether the record alone tells why a table that it does not
// list is there: it was removed. A rewritten record names removed tables no more;
// those have lower numbers than what replaced them.
func (r *tableRecord) explains(id uint64) bool {
	return r.removed[id] || id < r.rewritten && !r.torn
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
