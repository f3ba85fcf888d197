package badger

import (
	"encoding/binary"
	"testing"

	"github.com/dgraph-io/badger/v4/pb"
	"google.golang.org/protobuf/proto"
)

// manifestOf returns a MANIFEST of change sets; a negative number is a removal.
func manifestOf(t *testing.T, sets ...[]int) []byte {
	t.Helper()
	raw := make([]byte, manifestHeader)
	for _, set := range sets {
		var changes pb.ManifestChangeSet
		for _, id := range set {
			c := &pb.ManifestChange{Id: uint64(max(id, -id))}
			if id < 0 {
				c.Op = pb.ManifestChange_DELETE
			}
			changes.Changes = append(changes.Changes, c)
		}
		body, err := proto.Marshal(&changes)
		if err != nil {
			t.Fatal(err)
		}
		raw = binary.BigEndian.AppendUint32(raw, uint32(len(body)))
		raw = append(append(raw, 0, 0, 0, 0), body...)
	}
	return raw
}

// TestExplains has MANIFEST files that tell of a table, and such that do not.
func TestExplains(t *testing.T) {
	tests := []struct {
		name string
		sets [][]int
		torn bool
		id   uint64
		want bool
	}{
		{"never named", [][]int{{}, {1}, {2}}, false, 3, false},
		{"a lower one never named", [][]int{{}, {1}, {3}}, false, 2, false},
		{"removed", [][]int{{}, {1}, {2}, {3, -1, -2}}, false, 2, true},
		{"removed before a torn record", [][]int{{}, {1}, {2, -1}}, true, 1, true},
		{"removed by the record that was rewritten", [][]int{{7, 9}}, false, 8, true},
		{"newer than what was rewritten", [][]int{{7, 9}, {10}}, false, 11, false},
		{"rewritten, and torn since", [][]int{{7, 9}, {10}}, true, 8, false},
		{"no record at all", nil, false, 1, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := &tableRecord{removed: map[uint64]bool{}, torn: tt.torn}
			if err := r.addChanges(manifestOf(t, tt.sets...)); err != nil {
				t.Fatal(err)
			}
			if got := r.explains(tt.id); got != tt.want {
				t.Errorf("explains(%d) = %v", tt.id, got)
			}
		})
	}
}

// TestLostKeys has versions in an unlisted table and elsewhere.
func TestLostKeys(t *testing.T) {
	at := func(key string, version uint64, deleted bool) entry { return entry{[]byte(key), version, deleted} }
	tests := []struct {
		name          string
		unlisted      []entry
		elsewhere     []entry
		lost, relaxed int
	}{
		{"nowhere else", []entry{at("a", 5, false), at("b", 6, false)}, nil, 2, 2},
		{"the same", []entry{at("a", 5, false)}, []entry{at("a", 5, false)}, 0, 0},
		{"a newer one", []entry{at("a", 5, false)}, []entry{at("a", 9, true)}, 0, 0},
		{"an older one", []entry{at("a", 5, false)}, []entry{at("a", 4, false)}, 1, 1},
		{"only the newest counts", []entry{at("a", 5, false), at("a", 3, false)}, []entry{at("a", 5, false)}, 0, 0},
		{"a deletion of nothing", []entry{at("a", 5, true)}, nil, 0, 0},
		{"a deletion of something", []entry{at("a", 5, true)}, []entry{at("a", 4, false)}, 1, 1},
		{"the end of a log", []entry{at("a", 5, false), at("b", 6, false)}, []entry{at("a", 5, false)}, 1, 0},
		{"a gap in a log", []entry{at("a", 5, false), at("b", 6, false)}, []entry{at("b", 6, false)}, 1, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := keySet{}
			for _, e := range tt.unlisted {
				s.add(e, 7)
			}
			for _, e := range tt.elsewhere {
				s.found(e)
			}
			n, table := s.count(false)
			m, _ := s.count(true)
			if n != tt.lost || m != tt.relaxed || n > 0 && table != 7 {
				t.Errorf("%d lost of table %d, %d when relaxed; want %d, %d", n, table, m, tt.lost, tt.relaxed)
			}
		})
	}
}
