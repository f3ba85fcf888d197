package engine

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/jobs"
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
func (e *Engine) DirtyScopes(n kalam.TableNumber) ([][]kalam.UserID, error) {
	dirty := e.store.Dirty(n)
	e.failing.retain(n, dirty)
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
		if !small || len(batch) == flushBatchScopes || rows+st.Rows > flushBatchRows || bytes+st.Bytes > flushSmallBytes {
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
func (e *Engine) FlushScopes(ctx context.Context, n kalam.TableNumber, users []kalam.UserID) []jobs.FlushedScope {
	e.refs.Acquire(n)
	defer e.refs.Release(n)
	done := make([]jobs.FlushedScope, len(users))
	t, ok := e.catalog.TableByNumber(n)
	if !ok {
		for i := range done {
			done[i].Err = kalam.Errorf(kalam.CodeTableNotFound, "table %d was dropped", n)
		}
		return done
	}
	b := &flushBatch{engine: e, table: t, scopes: make([]*scopeFlush, len(users))}
	for i, user := range users {
		b.scopes[i] = &scopeFlush{engine: e, table: t, scope: kalam.Scope{Table: n, User: user}, done: &done[i]}
	}
	b.run(ctx)
	for i, user := range users {
		if err := done[i].Err; err == nil {
			e.failing.clear(n, user)
			e.noteDue(ctx, t, b.scopes[i].scope)
		} else if ctx.Err() == nil {
			e.failing.add(n, user)
		}
	}
	return done
}

// flushBatch is the flush of several scopes of a table.
type flushBatch struct {
	engine *Engine
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
	snap, err := b.engine.store.Snapshot(ctx, requests)
	if err != nil {
		b.alone(ctx, err)
		return
	}
	defer snap.Release()
	for i, f := range b.scopes {
		f.view = snap.View(i)
	}
	if ready := b.prepare(ctx); len(ready.scopes) > 0 {
		ready.commit(ctx)
	}
}

// prepare writes the files of the scopes and returns those that have some. Of several
// batches one at a time does it, while another is synced: writing takes a CPU, and
// statements need one, too.
func (b *flushBatch) prepare(ctx context.Context) *flushBatch {
	ready := &flushBatch{engine: b.engine, table: b.table}
	if len(b.scopes) > 1 {
		select {
		case b.engine.preparing <- struct{}{}:
			defer func() { <-b.engine.preparing }()
		case <-ctx.Done():
			b.fail(context.Cause(ctx))
			return ready
		}
	}
	ctx, stop := b.engine.pair.WatchRoom(ctx)
	defer stop()
	for _, f := range b.scopes {
		if err := f.prepare(ctx); err != nil {
			f.engine.staged.settle(f.staged)
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
		again := &scopeFlush{engine: f.engine, table: f.table, scope: f.scope, done: f.done}
		(&flushBatch{engine: b.engine, table: b.table, scopes: []*scopeFlush{again}}).run(ctx)
	}
}

// commit makes the files durable and the segments part of their scopes, then does
// what can be repeated.
func (b *flushBatch) commit(ctx context.Context) {
	e := b.engine
	pendings := make([]*lake.Pending, len(b.scopes))
	for i, f := range b.scopes {
		pendings[i] = f.pending
	}
	segments, err := e.lake.CommitSegments(ctx, pendings...)
	if err != nil {
		b.settle()
		b.alone(ctx, err)
		return
	}
	if err := e.faults("segment"); err != nil {
		b.settle()
		b.fail(err)
		return
	}
	edits := make([]buffer.FlushCommit, len(b.scopes))
	for i, f := range b.scopes {
		edits[i] = buffer.FlushCommit{
			Table: b.table, Scope: f.scope, Watermark: f.view.Watermark(),
			Segment: segments[i], Tombstones: f.tombstones, Keys: f.log,
		}
	}
	flushed := &flushBatch{engine: e, table: b.table}
	for i, outcome := range e.store.CommitFlushes(ctx, edits) {
		f := b.scopes[i]
		if outcome.Err != nil { // What a crash leaves of the commit may name the file: it stays staged.
			f.done.Err = fmt.Errorf("commit flush of %s: %w", b.table.ID, outcome.Err)
			continue
		}
		f.segment = outcome.Segment
		flushed.scopes = append(flushed.scopes, f)
	}
	flushed.settle()
	if len(flushed.scopes) > 0 {
		flushed.finish(ctx)
	}
}

// settle ends the staging of the segments: they are committed, or removed.
func (b *flushBatch) settle() {
	for _, f := range b.scopes {
		b.engine.staged.settle(f.staged)
	}
}

// finish trims the logs and rewrites manifest.json after the commit.
func (b *flushBatch) finish(ctx context.Context) {
	e := b.engine
	if err := e.faults("committed"); err != nil {
		b.fail(err)
		return
	}
	scopes := make([]kalam.Scope, len(b.scopes))
	for i, f := range b.scopes {
		scopes[i] = f.scope
	}
	if _, err := e.store.TrimAll(ctx, scopes); err != nil {
		e.log.Warn("log not trimmed; the next flush repeats it", "table", b.table.ID.String(), "error", err)
	}
	if err := e.faults("trimmed"); err != nil {
		b.fail(err)
		return
	}
	if err := e.writeManifests(ctx, b.table, scopes); err != nil {
		e.log.Warn("manifest.json not written; the next flush repeats it", "table", b.table.ID.String(), "error", err)
	}
	location := e.pair.Storage.Properties().Location
	for _, f := range b.scopes {
		*f.done = jobs.FlushedScope{
			Rows: f.segment.Rows, Tombstones: f.segment.Tombstones, File: f.segment.Path, Bytes: f.segment.Bytes,
			Location: filepath.Join(location, filepath.FromSlash(f.segment.Path)),
		}
	}
}

// writeManifest rewrites manifest.json beside the files of a scope from the
// manifest of record.
func (e *Engine) writeManifest(ctx context.Context, t *kalam.Table, sc kalam.Scope) error {
	return e.writeManifests(ctx, t, []kalam.Scope{sc})
}

// writeManifests is writeManifest of several scopes.
func (e *Engine) writeManifests(ctx context.Context, t *kalam.Table, scopes []kalam.Scope) error {
	replaced := e.retired.replacedIn(scopes)
	manifests := make([]lake.ScopeManifest, len(scopes))
	for i, sc := range scopes {
		m, err := e.store.Manifest(ctx, sc)
		if err != nil {
			return err
		}
		manifests[i] = lake.ScopeManifest{Table: t, User: sc.User, Manifest: lakeManifest(m)}
	}
	if err := e.lake.WriteManifests(ctx, manifests); err != nil {
		return err
	}
	e.retired.unname(replaced)
	return nil
}
