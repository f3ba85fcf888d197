package maintain

import (
	"context"
	"errors"
	"fmt"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/maintain/pair"
)

// flushBatchScopes is the most users that are flushed together. They share their syncs
// and their commit, which statements beside it wait for.
const flushBatchScopes = 64

// flushBatchRows and flushSmallBytes bound what a batch holds in memory beside the
// buffer.
const (
	flushBatchRows  = 4 * lake.SmallRows
	flushSmallBytes = 4 * lake.SmallBytes
)

// DirtyScopes returns the users with buffered rows of a table, in key order. Those
// with few rows come in batches, the others alone.
func (f *flushes) DirtyScopes(n kalam.TableNumber) ([][]kalam.UserID, error) {
	dirty := f.store.Dirty(n)
	f.failing.retain(n, dirty)
	return flushBatches(dirty), nil
}

// flushBatches divides scopes into batches.
func flushBatches(dirty []buffer.ScopeStats) (batches [][]kalam.UserID) {
	var batch []kalam.UserID
	var rows, bytes int64
	end := func() {
		if len(batch) > 0 {
			batches = append(batches, batch)
		}
		batch, rows, bytes = nil, 0, 0
	}
	for i := range dirty {
		st := &dirty[i]
		small := st.Rows <= lake.SmallRows && st.Bytes <= lake.SmallBytes
		if !small || len(batch) == flushBatchScopes || rows+st.Rows > flushBatchRows ||
			bytes+st.Bytes > flushSmallBytes {
			end()
		}
		batch = append(batch, st.Scope.User)
		rows, bytes = rows+st.Rows, bytes+st.Bytes
		if !small {
			end()
		}
	}
	end()
	return batches
}

// FlushScopes moves the buffered rows of users of a table into one Parquet file
// each. The commit through the buffer's committer is the only moment of truth: what
// happens before it leaves at most orphan files, what comes after it can be
// repeated. The users share the syncs of their files and the commit.
func (f *flushes) FlushScopes(ctx context.Context, n kalam.TableNumber, users []kalam.UserID) []flushedScope {
	f.refs.Acquire(n)
	defer f.refs.Release(n)
	done := make([]flushedScope, len(users))
	t, ok := f.catalog.TableByNumber(n)
	if !ok {
		for i := range done {
			done[i].Err = kalam.Errorf(kalam.CodeTableNotFound, "table %d was dropped", n)
		}
		return done
	}
	b := &flushBatch{work: f, table: t, scopes: make([]*scopeFlush, len(users))}
	for i, user := range users {
		b.scopes[i] = &scopeFlush{work: f, table: t, scope: kalam.Scope{Table: n, User: user}, done: &done[i]}
	}
	b.run(ctx)
	for i, user := range users {
		if errors.Is(done[i].Err, buffer.ErrUserBarred) { // The rows are being removed.
			done[i] = flushedScope{}
		}
		if err := done[i].Err; err == nil {
			f.failing.clear(n, user)
			f.compactions.noteDue(ctx, t, b.scopes[i].scope)
		} else if ctx.Err() == nil {
			f.failing.add(n, user)
		}
	}
	return done
}

// flushBatch is the flush of several scopes of a table.
type flushBatch struct {
	work   *flushes
	table  *kalam.Table
	scopes []*scopeFlush
}

// fail gives all scopes the error of what they do together.
func (b *flushBatch) fail(err error) {
	for _, f := range b.scopes {
		f.done.Err = err
	}
}

// run flushes the scopes; each gets its own outcome.
func (b *flushBatch) run(ctx context.Context) {
	requests := make([]buffer.TableScope, len(b.scopes))
	for i, f := range b.scopes {
		requests[i] = buffer.TableScope{Table: b.table, Scope: f.scope}
	}
	point, views, err := b.work.store.Views(ctx, requests)
	if err != nil {
		b.alone(ctx, err)
		return
	}
	defer point.Release()
	// The rows that the point shows may be of a version that is newer than the one that asked for them.
	b.table = b.work.newest(b.table)
	for i, f := range b.scopes {
		f.table, f.view = b.table, views[i].As(b.table)
	}
	if ready := b.prepare(ctx); len(ready.scopes) > 0 {
		ready.commit(ctx)
	}
}

// prepare writes the files of the scopes and returns those that have some. Of several
// batches one at a time does it, while another is synced: writing takes a CPU, and
// statements need one, too.
func (b *flushBatch) prepare(ctx context.Context) *flushBatch {
	ready := &flushBatch{work: b.work, table: b.table}
	if len(b.scopes) > 1 {
		select {
		case b.work.preparing <- struct{}{}:
			defer func() { <-b.work.preparing }()
		case <-ctx.Done():
			b.fail(context.Cause(ctx))
			return ready
		}
	}
	ctx, stop := b.work.pair.WatchRoom(ctx)
	defer stop()
	for _, f := range b.scopes {
		if err := f.prepare(ctx); err != nil {
			f.work.staged.release(f.staged)
			f.done.Err = pair.NoRoomOr(ctx, err)
		} else if f.pending != nil {
			ready.scopes = append(ready.scopes, f)
		}
	}
	return ready
}

// alone flushes each scope by itself after an error that may be the fault of one.
func (b *flushBatch) alone(ctx context.Context, err error) {
	if len(b.scopes) == 1 || ctx.Err() != nil {
		b.fail(err)
		return
	}
	for _, f := range b.scopes {
		again := &scopeFlush{work: f.work, table: f.table, scope: f.scope, done: f.done}
		(&flushBatch{work: b.work, table: b.table, scopes: []*scopeFlush{again}}).run(ctx)
	}
}

// commit makes the files durable and the segments part of their scopes, then does
// what can be repeated.
func (b *flushBatch) commit(ctx context.Context) {
	w := b.work
	pendings := make([]*lake.Pending, len(b.scopes))
	for i, f := range b.scopes {
		pendings[i] = f.pending
	}
	segments, err := w.lake.CommitSegments(ctx, pendings...)
	if err != nil {
		b.release()
		b.alone(ctx, err)
		return
	}
	edits := make([]buffer.FlushCommit, len(b.scopes))
	for i, f := range b.scopes {
		edits[i] = buffer.FlushCommit{
			Table: b.table, Scope: f.scope, Watermark: f.view.Watermark(),
			Segment: segments[i], Tombstones: f.tombstones, Keys: f.log,
		}
	}
	flushed := &flushBatch{work: w, table: b.table}
	for i, outcome := range w.store.CommitFlushes(ctx, edits) {
		f := b.scopes[i]
		if outcome.Err != nil { // What a crash leaves of the commit may name the file: it stays staged.
			f.done.Err = fmt.Errorf("commit flush of %s: %w", b.table.ID, outcome.Err)
			continue
		}
		f.segment = outcome.Segment
		flushed.scopes = append(flushed.scopes, f)
	}
	flushed.release()
	if len(flushed.scopes) > 0 {
		flushed.finish(ctx)
	}
}

// release ends the staging of the segments: they are committed, or removed.
func (b *flushBatch) release() {
	for _, f := range b.scopes {
		b.work.staged.release(f.staged)
	}
}

// finish trims the logs and rewrites manifest.json after the commit.
func (b *flushBatch) finish(ctx context.Context) {
	w := b.work
	scopes := make([]kalam.Scope, len(b.scopes))
	for i, f := range b.scopes {
		scopes[i] = f.scope
	}
	if _, err := w.store.TrimAll(ctx, scopes); err != nil {
		w.log.Warn("log not trimmed; the next flush repeats it", "table", b.table.ID.String(), "error", err)
	}
	if err := w.writeManifests(ctx, b.table, scopes); err != nil {
		w.log.Warn("manifest.json not written; the next flush repeats it", "table", b.table.ID.String(), "error", err)
	}
	for _, f := range b.scopes {
		*f.done = flushedScope{
			Rows: f.segment.Rows, Tombstones: f.segment.Tombstones, File: f.segment.Path, Bytes: f.segment.Bytes,
			Location: w.locationOf(&f.segment),
		}
		w.moveLate(ctx, b.table, f.scope.User, &f.segment)
	}
}
