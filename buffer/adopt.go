package buffer

import (
	"context"
	"fmt"

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

// adoptBatch is how many records are written in one batch.
const adoptBatch = 256

// Adopt writes the manifests of record of scopes into a backend that no Store uses, and
// makes sure that later seqs are above all of theirs and above last.
func Adopt(ctx context.Context, b Backend, scopes []AdoptedScope, last kalam.Seq) error {
	if err := createKeyspaces(ctx, b); err != nil {
		return err
	}
	w := adoptWriter{backend: b, limits: b.MaxBatch()}
	for i := range scopes {
		sc := &scopes[i]
		last = max(last, sc.Record.Watermark)
		value, err := sc.encode()
		if err != nil {
			return err
		}
		op := Op{Keyspace: rowlog.KeyspaceRecords, Key: rowlog.ScopePrefix(sc.Scope), Value: value}
		if err := w.add(ctx, op); err != nil {
			return err
		}
		for column, n := range sc.Counts {
			if err := w.add(ctx, countOp(CounterID{sc.Scope, column}, n)); err != nil {
				return err
			}
		}
	}
	if err := w.add(ctx, clockOp(leadOver(last))); err != nil {
		return err
	}
	return w.flush(ctx)
}

// adoptWriter writes ops in batches.
type adoptWriter struct {
	backend Backend
	limits  Limits
	ops     []Op
	size    int64
}

func (w *adoptWriter) add(ctx context.Context, op Op) error {
	more := w.limits.Size(len(op.Key), len(op.Value))
	if len(w.ops) == min(adoptBatch, w.limits.Ops) || w.size+more > w.limits.Bytes/2 {
		if err := w.flush(ctx); err != nil {
			return err
		}
	}
	w.ops, w.size = append(w.ops, op), w.size+more
	return nil
}

func (w *adoptWriter) flush(ctx context.Context) error {
	if len(w.ops) == 0 {
		return nil
	}
	if err := w.backend.Apply(ctx, w.ops); err != nil {
		return fmt.Errorf("write manifests of record: %w", err)
	}
	w.ops, w.size = nil, 0
	return nil
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
