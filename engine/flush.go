package engine

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"golang.org/x/sync/errgroup"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/catalog"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/dialect"
	"github.com/kalamlake/kalam/jobs"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/query"
)

// flushRowGroup is the number of rows of a Parquet row group: the smallest
// piece that a read by key decodes.
const flushRowGroup = 16384

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
	f := &scopeFlush{engine: e, table: t, scope: sc}
	if err := f.collect(snap.View(0)); err != nil || len(f.keys) == 0 {
		f.release()
		return jobs.FlushedScope{}, err
	}
	defer f.release()
	if err := e.faults("collected"); err != nil {
		return jobs.FlushedScope{}, err
	}
	segment, err := f.write(ctx)
	if err != nil {
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
	engine     *Engine
	table      *kalam.Table
	scope      kalam.Scope
	batches    []query.Batch
	keys       []lake.KeyRow       // The lake sorts them.
	log        []buffer.SegmentKey // The same in the order of the log.
	tombstones *roaring.Bitmap
	watermark  kalam.Seq
	minSeq     kalam.Seq
}

func (f *scopeFlush) release() {
	releaseBatches(f.batches)
	f.batches = nil
}

// collect builds the Arrow batches and the key list of the segment.
func (f *scopeFlush) collect(view *buffer.View) error {
	f.tombstones = roaring.New()
	rows := make([]kalam.Row, 0, view.BufferedRows())
	f.keys = make([]lake.KeyRow, 0, cap(rows))
	f.log = make([]buffer.SegmentKey, 0, cap(rows))
	for v, err := range view.Versions() {
		if err != nil {
			return err
		}
		row := uint32(len(rows))
		if v.Row.Deleted {
			f.tombstones.Add(row)
		}
		rows = append(rows, v.Row)
		f.keys = append(f.keys, lake.KeyRow{Key: v.Key, Row: row, Seq: v.Row.Seq})
		f.log = append(f.log, buffer.SegmentKey{Key: v.Key, Row: row})
	}
	if len(rows) > 0 {
		f.minSeq = rows[0].Seq
	}
	f.watermark = view.Watermark()
	var err error
	f.batches, err = batchesOf(f.table, rows)
	return err
}

// batchesOf builds the Arrow batches of rows, on all processors.
func batchesOf(t *kalam.Table, rows []kalam.Row) ([]query.Batch, error) {
	batches := make([]query.Batch, (len(rows)+maxBatchRows-1)/maxBatchRows)
	workers := max(min(runtime.GOMAXPROCS(0), len(batches)), 1)
	share := (len(batches) + workers - 1) / workers
	var g errgroup.Group
	for from := 0; from < len(batches); from += share {
		g.Go(func() error {
			b := datatype.NewBatchBuilder(memory.DefaultAllocator, t)
			defer b.Release()
			for i := from; i < min(from+share, len(batches)); i++ {
				for _, row := range rows[i*maxBatchRows : min((i+1)*maxBatchRows, len(rows))] {
					if err := b.Append(row); err != nil {
						return err
					}
				}
				batches[i] = query.Batch{Record: b.NewBatch()}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		releaseBatches(batches)
		return nil, err
	}
	return batches, nil
}

func releaseBatches(batches []query.Batch) {
	for _, b := range batches {
		if b.Record != nil {
			b.Record.Release()
		}
	}
}

// write makes the segment's files durable under their final names.
func (f *scopeFlush) write(ctx context.Context) (kalam.Segment, error) {
	maxSeq := f.keys[len(f.keys)-1].Seq // Before they are sorted.
	pending, err := f.engine.lake.NewSegment(ctx, f.table, f.scope.User, maxSeq)
	if err != nil {
		return kalam.Segment{}, err
	}
	_, err = f.engine.query.CopyParquet(ctx, query.CopySpec{
		Path: pending.LocalTemp(), Schema: datatype.TableSchema(f.table), Batches: f.batches,
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
		return err
	}
	_, err := e.store.CommitFlush(ctx, buffer.FlushCommit{
		Table: f.table, Scope: f.scope, Watermark: f.watermark, Segment: segment, Tombstones: f.tombstones, Keys: f.log,
	})
	if err != nil {
		return fmt.Errorf("commit flush of %s: %w", f.table.ID, err)
	}
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
	if err := catalog.CanMaintain(s.principal.Role); err != nil {
		return err
	}
	t, err := s.table(st.Table)
	if err != nil {
		return err
	}
	if t.Kind == kalam.KindStreamTable {
		return kalam.Errorf(kalam.CodeInvalidOperation, "STORAGE FLUSH TABLE is not supported for STREAM tables")
	}
	dirty := len(s.e.store.Dirty(t.Number)) > 0
	job, existing, err := s.e.submitFlush(ctx, t)
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
