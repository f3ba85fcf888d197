package buffer

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer/rowlog"
)

// recordReader is a Reader over records in key order, some of which cannot be read.
type recordReader struct {
	keys, values [][]byte
	damaged      int // Index of a value that cannot be read, or -1.
	fails        int // Index at which the disk fails, or -1.
}

func (r *recordReader) Get(context.Context, string, []byte) ([]byte, error) {
	return nil, errors.ErrUnsupported
}

func (r *recordReader) Scan(_ context.Context, keyspace string, start, _ []byte,
	f func(key, value []byte) error) error {
	for i := range r.keys {
		if string(r.keys[i]) < string(start) {
			continue
		}
		switch i {
		case r.damaged:
			return NewDamageError(keyspace, r.keys[i], errors.New("checksum"))
		case r.fails:
			return errors.New("input/output error")
		}
		if err := f(r.keys[i], r.values[i]); err != nil {
			return err
		}
	}
	return nil
}

// TestScopeRecords reads more records than fit a page: whole, with one flipped, one
// of a newer format, one that the store cannot read, and a failing disk.
func TestScopeRecords(t *testing.T) {
	const n = 3*recordsPage + 7
	whole := func() *recordReader {
		r := &recordReader{damaged: -1, fails: -1}
		for i := range n {
			sc := kalam.Scope{Table: 3, User: kalam.UserID(fmt.Sprintf("u%05d", i))}
			raw, err := encodeRecord(&lakeState{ScopeRecord: ScopeRecord{
				Version: 1, Segments: []kalam.Segment{{Storage: "local", Path: string(sc.User) + ".parquet"}},
			}, vectors: make([]vectors, 1)})
			if err != nil {
				t.Fatal(err)
			}
			r.keys, r.values = append(r.keys, rowlog.ScopePrefix(sc)), append(r.values, raw)
		}
		return r
	}
	tests := []struct {
		name         string
		change       func(r *recordReader)
		read, failed int
	}{
		{"whole", func(*recordReader) {}, n, 0},
		{"none", func(r *recordReader) { r.keys = nil }, 0, 0},
		{"a full page", func(r *recordReader) { r.keys = r.keys[:recordsPage] }, recordsPage, 0},
		{"flipped", func(r *recordReader) { r.values[300][40] ^= 4 }, n - 1, 1},
		{"newer format", func(r *recordReader) { r.values[recordsPage][0] = 2 }, n - 1, 1},
		{"empty", func(r *recordReader) { r.values[0] = nil }, n - 1, 1},
		{"odd key", func(r *recordReader) { r.keys[n-1] = append(r.keys[n-1], 7) }, n - 1, 1},
		{"damaged", func(r *recordReader) { r.damaged = recordsPage - 1 }, n - 1, 1},
		{"the last damaged", func(r *recordReader) { r.damaged = n - 1 }, n - 1, 1},
		{"failing disk", func(r *recordReader) { r.fails = 400 }, 400, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := whole()
			tt.change(r)
			read, failed := 0, 0
			seen := map[kalam.UserID]bool{}
			for m, err := range ScopeRecords(t.Context(), r) {
				if err != nil {
					failed++
					continue
				}
				read++
				if seen[m.Scope.User] || len(m.Record.Segments) != 1 ||
					m.Record.Segments[0].Path != string(m.Scope.User)+".parquet" {
					t.Fatalf("manifest %+v", m)
				}
				seen[m.Scope.User] = true
			}
			if read != tt.read || failed != tt.failed {
				t.Errorf("%d read, %d failed; want %d, %d", read, failed, tt.read, tt.failed)
			}
		})
	}
}
