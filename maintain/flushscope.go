package maintain

import (
	"context"
	"errors"
	"runtime"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/lake/keyindex"
	"github.com/kalamlake/kalam/query"
	"github.com/kalamlake/kalam/segments"
)

// flushRowGroup is the number of rows of a Parquet row group: the smallest
// piece that a read by key decodes.
const flushRowGroup = 16384

// flushBatchLen is the largest batch that DuckDB takes as one data chunk.
const flushBatchLen = 2048

// flushBatchBytes ends a batch of long rows: some batches are in memory at a time.
const flushBatchBytes = 16 << 20

// yieldRows is after how many rows a flush lets statements go first: the scheduler gives a goroutine that computes
// 10 ms at a time, which is ten times as long as an INSERT.
const yieldRows = 128

// scopeFlush is the flush of one scope: the newest version of each key at one
// snapshot, in log order.
type scopeFlush struct {
	work         *flushes
	table        *kalam.Table
	scope        kalam.Scope
	view         *buffer.View
	minSeq       kalam.Seq
	negativeZero bool
	small        bool // The lake writes the file itself.
	staged       segments.Key
	pending      *lake.Pending // nil: there was nothing to flush.
	segment      kalam.Segment // Once it is committed.
	done         *flushedScope

	// What follows is collected while the rows are written.
	stream     *keyindex.Stream
	keys       []keyindex.Entry    // The lake sorts them.
	log        []buffer.SegmentKey // The same in the order of the log.
	tombstones *roaring.Bitmap
}

// prepare writes the files of the segment, not yet durable, under temporary names.
func (f *scopeFlush) prepare(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	if empty, err := f.survey(); err != nil || empty {
		return err
	}
	return f.write(ctx)
}

// survey finds out what has to be known of the rows before the first is written.
func (f *scopeFlush) survey() (empty bool, err error) {
	empty = true
	f.small = f.view.BufferedRows() <= lake.SmallRows
	floats := datatype.HasFloats(f.table)
	b := datatype.NewBatchBuilder(memory.DefaultAllocator, f.table)
	defer b.Release()
	bytes := 0
	for v, err := range f.view.Versions() {
		if err != nil {
			return false, err
		}
		if empty {
			empty, f.minSeq = false, v.Row.Seq
		}
		bytes += len(v.Row.Payload)
		f.small = f.small && bytes <= lake.SmallBytes
		if !f.small && (!floats || f.negativeZero) {
			break
		}
		if !floats || f.negativeZero {
			continue
		}
		if f.negativeZero, err = b.HasNegativeZero(v.Row.Payload); err != nil {
			return false, err
		}
	}
	return empty, nil
}

// versions yields the rows and collects their keys. It is used once.
func (f *scopeFlush) versions(yield func(kalam.Row, error) bool) {
	n := f.view.BufferedRows()
	f.tombstones = roaring.New()
	f.keys, f.log = make([]keyindex.Entry, 0, n), make([]buffer.SegmentKey, 0, n)
	for v, err := range f.view.Versions() {
		if err != nil {
			yield(kalam.Row{}, err)
			return
		}
		row := uint32(len(f.keys))
		if row%yieldRows == 0 {
			runtime.Gosched()
		}
		if v.Row.Deleted {
			f.tombstones.Add(row)
		}
		key := keyindex.Entry{Key: v.Key, Row: row, Seq: v.Row.Seq}
		f.keys = append(f.keys, key)
		f.stream.Add(key)
		f.log = append(f.log, buffer.SegmentKey{Key: v.Key, Row: row})
		if !yield(v.Row, nil) {
			return
		}
	}
}

// batches yields what versions yields as Arrow.
func (f *scopeFlush) batches(yield func(arrow.RecordBatch, error) bool) {
	b := datatype.NewBatchBuilder(&recycler{}, f.table)
	defer b.Release()
	for row, err := range f.versions {
		if err == nil {
			err = b.Append(row)
		}
		if err != nil {
			yield(nil, err)
			return
		}
		if (b.Len() == flushBatchLen || b.Bytes() >= flushBatchBytes) && !yield(b.NewBatch(), nil) {
			return
		}
	}
	if b.Len() > 0 {
		yield(b.NewBatch(), nil)
	}
}

// write writes the Parquet file and the key index file of the segment.
func (f *scopeFlush) write(ctx context.Context) error {
	maxSeq := f.view.Watermark()
	pending, err := f.work.lake.NewSegmentIn(ctx, f.work.storageOf(f.table, f.scope.User), f.table, f.scope.User, maxSeq)
	if err != nil {
		return err
	}
	f.staged = segments.NewKey(pending.Storage(), pending.Path())
	f.work.staged.add(f.staged)
	f.stream = pending.Keys(f.minSeq)
	if f.small {
		err = pending.WriteRows(f.minSeq, f.versions)
	} else {
		err = f.copy(ctx, pending)
	}
	if err != nil {
		return errors.Join(err, pending.Abort())
	}
	err = pending.Prepare(ctx, f.keys, lake.SegmentMeta{
		MinSeq: f.minSeq, MaxSeq: maxSeq, Rows: int64(len(f.keys)), Tombstones: int64(f.tombstones.GetCardinality()),
	})
	if err != nil {
		return err
	}
	f.pending = pending
	return nil
}

// copy writes the Parquet file through the query engine.
func (f *scopeFlush) copy(ctx context.Context, pending *lake.Pending) error {
	_, err := f.work.copier.CopyParquet(ctx, query.CopySpec{
		Path: pending.LocalTemp(), Schema: datatype.TableSchema(f.table), Batches: f.batches,
		NegativeZero: f.negativeZero,
		FieldIDs:     datatype.FieldIDs(f.table), RowGroup: flushRowGroup, Metadata: pending.Metadata(f.minSeq),
	})
	return err
}
