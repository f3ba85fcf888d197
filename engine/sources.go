package engine

import (
	"sort"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/datatype"
)

// hidden returns the row positions of a segment that a reader skips: rows that
// a later write replaced and, unless the query asks for them, tombstones.
func hidden(seg buffer.SegmentView, withDeleted bool) *roaring.Bitmap {
	switch {
	case withDeleted || seg.Tombstones == nil || seg.Tombstones.IsEmpty():
		return seg.Dead
	case seg.Dead == nil || seg.Dead.IsEmpty():
		return seg.Tombstones
	}
	return roaring.Or(seg.Dead, seg.Tombstones)
}

// schemaOf returns the Arrow schema of a table's rows with the system columns.
func (e *Engine) schemaOf(t *kalam.Table) *arrow.Schema { return datatype.TableSchema(t) }

// unexpired cuts the rows of a STREAM table that are older than its TTL: those
// below the Seq since. Rows of a batch are in Seq order.
func unexpired(batches []buffer.Batch, since kalam.Seq) []buffer.Batch {
	out := make([]buffer.Batch, 0, len(batches))
	for _, b := range batches {
		col := b.Record.Schema().FieldIndices(kalam.ColumnSeq)
		if len(col) == 0 {
			out = append(out, b)
			continue
		}
		seqs, ok := b.Record.Column(col[0]).(*array.Int64)
		if !ok {
			out = append(out, b)
			continue
		}
		first := sort.Search(seqs.Len(), func(i int) bool { return kalam.Seq(seqs.Value(i)) >= since })
		switch {
		case first == 0:
			out = append(out, b)
		case first < seqs.Len():
			out = append(out, buffer.Batch{Record: b.Record, Live: liveFrom(b, first, seqs.Len()), ID: b.ID})
		}
	}
	return out
}

// liveFrom returns the live rows of b from index first on; never nil.
func liveFrom(b buffer.Batch, first, n int) []uint32 {
	live := make([]uint32, 0, n-first)
	if b.Live == nil {
		for i := first; i < n; i++ {
			live = append(live, uint32(i))
		}
		return live
	}
	for _, i := range b.Live {
		if int(i) >= first {
			live = append(live, i)
		}
	}
	return live
}
