package buffer

import (
	"context"
	"fmt"
)

// maxBatchOps is how many ops are written in one batch of a BatchWriter.
const maxBatchOps = 256

// BatchWriter fills a backend that no Store uses, in batches within its limits. It is for one goroutine.
type BatchWriter struct {
	backend Backend
	limits  Limits
	ops     []Op
	size    int64
}

// NewBatchWriter returns a writer that has written nothing.
func NewBatchWriter(b Backend) *BatchWriter { return &BatchWriter{backend: b, limits: b.MaxBatch()} }

// Add writes an op now or later. Its bytes must not change before Flush.
func (w *BatchWriter) Add(ctx context.Context, op Op) error {
	more := w.limits.Size(len(op.Key), len(op.Value))
	if len(w.ops) == min(maxBatchOps, w.limits.Ops) || w.size+more > w.limits.Bytes/2 {
		if err := w.Flush(ctx); err != nil {
			return err
		}
	}
	w.ops, w.size = append(w.ops, op), w.size+more
	return nil
}

// Flush writes what was added; it is durable on return.
func (w *BatchWriter) Flush(ctx context.Context) error {
	if len(w.ops) == 0 {
		return nil
	}
	if err := w.backend.Apply(ctx, w.ops); err != nil {
		return fmt.Errorf("fill the write buffer: %w", err)
	}
	w.ops, w.size = nil, 0
	return nil
}
