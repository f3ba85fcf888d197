package buffer

import (
	"context"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer/rowlog"
)

// AdoptedScope is the manifest of record of a scope that was rebuilt from its files.
type AdoptedScope struct {
	Scope  kalam.Scope
	Record ScopeRecord
	Rows   []AdoptedRows // One per segment.
	// Counts are the values above which the counters of columns go on.
	Counts map[kalam.ColumnID]int64
	// Unavailable, when set, says why the scope has no record: its rows can be neither
	// read nor written until it is adopted again. The rest is ignored then.
	Unavailable string
}

// AdoptedRows are rows of a segment that readers skip; nil is none.
type AdoptedRows struct {
	Dead       *roaring.Bitmap // Replaced by later rows.
	Tombstones *roaring.Bitmap
}

// Adopt writes the manifests of record of scopes into a backend that no Store uses, and
// makes sure that later seqs are above all of theirs and above last.
func Adopt(ctx context.Context, b Backend, scopes []AdoptedScope, last kalam.Seq) error {
	if err := createKeyspaces(ctx, b); err != nil {
		return err
	}
	w := NewBatchWriter(b)
	for i := range scopes {
		sc := &scopes[i]
		last = max(last, sc.Record.Watermark)
		value, err := sc.encode()
		if err != nil {
			return err
		}
		op := Op{Keyspace: rowlog.KeyspaceRecords, Key: rowlog.ScopePrefix(sc.Scope), Value: value}
		if err := w.Add(ctx, op); err != nil {
			return err
		}
		for column, n := range sc.Counts {
			if err := w.Add(ctx, countOp(CounterID{sc.Scope, column}, n)); err != nil {
				return err
			}
		}
	}
	if err := w.Add(ctx, clockOp(leadOver(last))); err != nil {
		return err
	}
	return w.Flush(ctx)
}

func (sc *AdoptedScope) encode() ([]byte, error) {
	if sc.Unavailable != "" {
		return rowlog.Seal(unavailableFormat, []byte(sc.Unavailable)), nil
	}
	l := &lakeState{ScopeRecord: sc.Record, vectors: make([]vectors, len(sc.Record.Segments))}
	for i := range l.Segments {
		l.last = max(l.last, l.Segments[i].ID)
		l.vectors[i] = vectors{sc.Rows[i].Dead, sc.Rows[i].Tombstones}
	}
	return encodeRecord(l)
}
