package engine

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/dialect"
	"github.com/kalamlake/kalam/jobs"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/query"
)

// flushRowGroup is the number of rows of a Parquet row group: the smallest
// piece that a read by key decodes.
const flushRowGroup = 16384

// flushBatchBytes ends a batch of long rows: some batches are in memory at a time.
const flushBatchBytes = 16 << 20

// DirtyScopes returns the users with buffered rows of a table, in key order.
func (e *Engine) DirtyScopes(n kalam.TableNumber) ([]kalam.UserID, error) {
	stats := e.store.Dirty(n)
	users := make([]kalam.UserID, len(stats))
	for i, st := range stats {
		users[i] = st.Scope.User
	}
	return users, nil
}

// FlushScope moves the buffered rows of one user of a table into one Parquet
// file. The commit through the buffer's committer is the only moment of truth:
// what happens before it leaves at most an orphan file, what comes after it can
// be repeated.
func (e *Engine) FlushScope(ctx context.Context, n kalam.TableNumber, user kalam.UserID) (jobs.FlushedScope, error) {
	e.usage.enter(n)
	defer e.usage.leave(n)
	t, ok := e.catalog.TableByNumber(n)
	if !ok {
		return jobs.FlushedScope{}, kalam.Errorf(kalam.CodeTableNotFound, "table %d was dropped", n)
	}
	done, err := e.flushScope(ctx, t, user)
	switch {
	case err == nil:
		e.failing.Store(nil)
		e.noteDue(ctx, t, kalam.Scope{Table: n, User: user})
	case ctx.Err() == nil:
		reason := fmt.Sprintf("flush of table %s fails", t.ID)
		e.failing.Store(&reason)
	}
	return done, err
}

func (e *Engine) flushScope(ctx context.Context, t *kalam.Table, user kalam.UserID) (jobs.FlushedScope, error) {
	sc := kalam.Scope{Table: t.Number, User: user}
	snap, err := e.store.Snapshot(ctx, []buffer.TableScope{{Table: t, Scope: sc}})
	if err != nil {
		return jobs.FlushedScope{}, err
	}
	defer snap.Release()
	f := &scopeFlush{engine: e, table: t, scope: sc, view: snap.View(0)}
	if empty, err := f.survey(); err != nil || empty {
		return jobs.FlushedScope{}, err
	}
	if err := e.faults("collected"); err != nil {
		return jobs.FlushedScope{}, err
	}
	segment, err := f.write(ctx)
	if err != nil {
		e.staged.settle(f.staged)
		return jobs.FlushedScope{}, err
	}
	if err := f.commit(ctx, segment); err != nil {
		return jobs.FlushedScope{}, err
	}
	return jobs.FlushedScope{
		Rows: segment.Rows, Tombstones: segment.Tombstones, File: segment.Path, Bytes: segment.Bytes,
		Location: filepath.Join(e.storage.Properties().Location, filepath.FromSlash(segment.Path)),
	}, nil
}

// scopeFlush is the flush of one scope: the newest version of each key at one
// snapshot, in log order.
type scopeFlush struct {
	engine       *Engine
	table        *kalam.Table
	scope        kalam.Scope
	view         *buffer.View
	minSeq       kalam.Seq
	negativeZero bool
	staged       segmentKey

	// What follows is collected while the rows are written.
	stream     *lake.KeyStream
	keys       []lake.KeyRow       // The lake sorts them.
	log        []buffer.SegmentKey // The same in the order of the log.
	tombstones *roaring.Bitmap
}

// survey finds out what has to be known of the rows before the first is written.
func (f *scopeFlush) survey() (empty bool, err error) {
	empty = true
	floats := hasFloats(f.table)
	b := datatype.NewBatchBuilder(memory.DefaultAllocator, f.table)
	defer b.Release()
	for v, err := range f.view.Versions() {
		if err != nil {
			return false, err
		}
		if empty {
			empty, f.minSeq = false, v.Row.Seq
		}
		if !floats || f.negativeZero {
			break
		}
		if f.negativeZero, err = b.HasNegativeZero(v.Row.Payload); err != nil {
			return false, err
		}
	}
	return empty, nil
}

func hasFloats(t *kalam.Table) bool {
	for i := range t.Columns {
		if k := t.Columns[i].Type.Kind; k == kalam.KindFloat || k == kalam.KindDouble {
			return true
		}
	}
	return false
}

// batches yields the rows and collects their keys. It is used once.
func (f *scopeFlush) batches(yield func(arrow.RecordBatch, error) bool) {
	n := f.view.BufferedRows()
	f.tombstones = roaring.New()
	f.keys, f.log = make([]lake.KeyRow, 0, n), make([]buffer.SegmentKey, 0, n)
	b := datatype.NewBatchBuilder(&recycler{}, f.table)
	defer b.Release()
	for v, err := range f.view.Versions() {
		if err == nil {
			err = b.Append(v.Row)
		}
		if err != nil {
			yield(nil, err)
			return
		}
		row := uint32(len(f.keys))
		if v.Row.Deleted {
			f.tombstones.Add(row)
		}
		key := lake.KeyRow{Key: v.Key, Row: row, Seq: v.Row.Seq}
		f.keys = append(f.keys, key)
		f.stream.Add(key)
		f.log = append(f.log, buffer.SegmentKey{Key: v.Key, Row: row})
		if (b.Len() == maxBatchRows || b.Bytes() >= flushBatchBytes) && !yield(b.NewBatch(), nil) {
			return
		}
	}
	if b.Len() > 0 {
		yield(b.NewBatch(), nil)
	}
}

// write makes the segment's files durable under their final names.
func (f *scopeFlush) write(ctx context.Context) (kalam.Segment, error) {
	maxSeq := f.view.Watermark()
	pending, err := f.engine.lake.NewSegment(ctx, f.table, f.scope.User, maxSeq)
	if err != nil {
		return kalam.Segment{}, err
	}
	f.staged = newSegmentKey(f.table.Options.StorageID, pending.Path())
	f.engine.staged.add(f.staged)
	f.stream = pending.Keys(f.minSeq)
	_, err = f.engine.query.CopyParquet(ctx, query.CopySpec{
		Path: pending.LocalTemp(), Schema: datatype.TableSchema(f.table), Batches: f.batches, NegativeZero: f.negativeZero,
		FieldIDs: fieldIDs(f.table), RowGroup: flushRowGroup, Metadata: pending.Metadata(f.minSeq),
	})
	if err != nil {
		return kalam.Segment{}, errors.Join(err, pending.Abort())
	}
	if err := f.engine.faults("written"); err != nil {
		return kalam.Segment{}, errors.Join(err, pending.Abort())
	}
	return pending.Commit(ctx, f.keys, lake.SegmentMeta{
		MinSeq: f.minSeq, MaxSeq: maxSeq, Rows: int64(len(f.keys)), Tombstones: int64(f.tombstones.GetCardinality()),
	})
}

// fieldIDs maps columns to the field ids of the file, which survive renames.
func fieldIDs(t *kalam.Table) map[string]int {
	ids := make(map[string]int, len(t.Columns))
	for i := range t.Columns {
		ids[t.Columns[i].Name] = int(t.Columns[i].ID)
	}
	return ids
}

// commit makes the segment part of the scope, then does what can be repeated:
// trims the log and rewrites manifest.json.
func (f *scopeFlush) commit(ctx context.Context, segment kalam.Segment) error {
	e := f.engine
	if err := e.faults("segment"); err != nil {
		e.staged.settle(f.staged)
		return err
	}
	_, err := e.store.CommitFlush(ctx, buffer.FlushCommit{
		Table: f.table, Scope: f.scope, Watermark: f.view.Watermark(), Segment: segment, Tombstones: f.tombstones, Keys: f.log,
	})
	if err != nil { // What a crash leaves of the commit may name the file: it stays staged.
		return fmt.Errorf("commit flush of %s: %w", f.table.ID, err)
	}
	e.staged.settle(f.staged)
	if err := e.faults("committed"); err != nil {
		return err
	}
	if _, err := e.store.Trim(ctx, f.scope); err != nil {
		e.log.Warn("log not trimmed; the next flush repeats it", "table", f.table.ID.String(), "error", err)
	}
	if err := e.faults("trimmed"); err != nil {
		return err
	}
	if err := e.writeManifest(ctx, f.table, f.scope); err != nil {
		e.log.Warn("manifest.json not written; the next flush repeats it", "table", f.table.ID.String(), "error", err)
	}
	return nil
}

// writeManifest rewrites manifest.json beside the files of a scope from the
// manifest of record.
func (e *Engine) writeManifest(ctx context.Context, t *kalam.Table, sc kalam.Scope) error {
	m, err := e.store.Manifest(ctx, sc)
	if err != nil {
		return err
	}
	return e.lake.WriteManifest(ctx, t, sc.User, lakeManifest(m))
}

// flushTable submits the flush job of one table and words the answer.
func (s *session) flushTable(ctx context.Context, st *dialect.FlushTable) error {
	t, err := s.maintainedTable(st.Table, "FLUSH")
	if err != nil {
		return err
	}
	dirty := s.e.hasBufferedRows(t)
	job, existing, err := s.e.runner.Submit(ctx, flushJob(t, jobs.TriggerManual))
	if err != nil {
		return err
	}
	text := fmt.Sprintf("Storage flush started for table '%s'. Job ID: %s", t.ID, job.ID)
	switch {
	case existing:
		text = fmt.Sprintf("Storage flush skipped: a flush is already queued or running for table '%s'. Job ID: %s", t.ID, job.ID)
	case !dirty:
		text = fmt.Sprintf("Storage flush skipped: no pending writes for table '%s'", t.ID)
	}
	return s.out.Done(Done{Message: text, AsUser: s.principal.User, Statement: s.statement, JobIDs: []kalam.JobID{job.ID}})
}
