package buffer

import (
	"bytes"
	"time"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer/memtable"
	"github.com/kalamlake/kalam/buffer/rowlog"
)

// SegmentKey is a key of a new segment and the row that holds it.
type SegmentKey struct {
	Key []byte
	Row uint32
}

// FlushCommit makes a new segment part of its scope.
type FlushCommit struct {
	Table      *kalam.Table
	Scope      kalam.Scope
	Watermark  kalam.Seq       // Of the view that was written: View.Watermark.
	Segment    kalam.Segment   // Its ID is assigned by the commit.
	Tombstones *roaring.Bitmap // Rows that are tombstones; nil is none.
	Keys       []SegmentKey    // Every row of the segment, in any order; that of the log costs least.
}

// catchUpRows is how many versions a flush commit may leave for the committer.
const catchUpRows = 1024

func staleFlush(t *kalam.Table) error {
	return kalam.Errorf(kalam.CodeConflict, "table '%s' was flushed by somebody else in the meantime", t.ID)
}

func (s *Store) shownOf(sc *scope) memtable.Published {
	s.visibility.RLock()
	defer s.visibility.RUnlock()
	return sc.mem.Published
}

// flushEdit raises the watermark of a scope. It is prepared by the flush's
// goroutine, so that little is left to the committer, and then committed.
type flushEdit struct {
	store  *Store
	scope  *scope
	before *lakeState
	old    *memtable.Memtable
	cut    int // Versions of old up to the watermark.

	after  *lakeState         // Its vectors are the edit's own.
	next   *memtable.Memtable // The versions above the watermark.
	seen   int                // Versions of old that next was built from.
	rows   []int64            // Row in the new segment of each version below cut, -1 for none; nil without a segment.
	dead   *roaring.Bitmap
	record recordEdit // What stage puts into the batch, as of seen.
}

// newFlushEdit prepares the raise of the watermark of a pinned scope. The caller
// holds scope.flushing.
func (s *Store) newFlushEdit(sc *scope, watermark kalam.Seq) (*flushEdit, error) {
	a := &flushEdit{store: s, scope: sc, next: memtable.New(s.opts.Dropped), dead: roaring.New()}
	s.visibility.RLock()
	a.before, a.old = sc.lake, sc.mem
	sh := sc.mem.Published
	s.visibility.RUnlock()
	a.cut = sh.Search(watermark + 1)
	if watermark <= a.before.Watermark || a.cut == 0 || sh.At(a.cut-1).Seq != watermark ||
		a.cut < sh.Len() && !sh.At(a.cut).StartsBlock {
		return nil, kalam.Errorf(kalam.CodeConflict,
			"watermark %d of table %d, user '%s' does not end a commit of its log",
			watermark, sc.id.Table, sc.id.User)
	}
	now := s.opts.Now().UTC().Truncate(time.Microsecond)
	a.after = &lakeState{last: a.before.last}
	a.after.ScopeRecord = ScopeRecord{Version: a.before.Version + 1, Watermark: watermark,
		CreatedAt: a.before.CreatedAt, UpdatedAt: now}
	a.after.FlushedAt, a.after.Forgotten = a.before.lastFlush(), a.before.Forgotten
	a.after.CompleteFrom = max(a.before.HistoryFrom(), watermark) // Unless addSegment finds every version in it.
	if a.after.CreatedAt.IsZero() {
		a.after.CreatedAt = now
	}
	a.after.Segments = append([]kalam.Segment(nil), a.before.Segments...)
	a.after.vectors = append([]vectors(nil), a.before.vectors...)
	a.fold(&sh)
	a.seen = a.cut
	return a, nil
}

// fold adds to the delete vectors what the first cut versions replaced.
func (a *flushEdit) fold(sh *memtable.Published) {
	dead := a.after.deadVectors()
	a.after.markSuperseded(sh.SupersededBelow(a.cut), dead)
	for i := range dead {
		a.after.vectors[i].dead = dead[i]
	}
}

// addSegment adds the segment and checks that it holds the newest version of
// every key up to the watermark, and nothing else.
func (a *flushEdit) addSegment(fc *FlushCommit) error {
	sh := a.store.shownOf(a.scope)
	a.rows = make([]int64, a.cut)
	for i := range a.rows {
		a.rows[i] = -1
	}
	next := 0
	for _, k := range fc.Keys {
		for next < a.cut && !sh.At(next).Alive(a.after.Watermark) {
			next++
		}
		i := int32(next)
		if next < a.cut && bytes.Equal(sh.At(next).Key, k.Key) {
			next++
		} else {
			i = a.old.IndexAt(k.Key, a.cut)
		}
		if i < 0 || a.rows[i] >= 0 {
			return staleFlush(fc.Table)
		}
		a.rows[i] = int64(k.Row)
	}
	if sh.Alive(a.cut, a.after.Watermark) != len(fc.Keys) {
		return staleFlush(fc.Table)
	}
	if len(fc.Keys) == a.cut {
		a.after.CompleteFrom = a.before.HistoryFrom()
	}
	a.after.last++
	seg := fc.Segment
	seg.ID, seg.User = a.after.last, a.scope.id.User
	var v vectors
	if fc.Tombstones != nil && !fc.Tombstones.IsEmpty() {
		v.tombstones = fc.Tombstones.Clone()
	}
	a.after.FlushedAt = a.after.UpdatedAt
	a.after.Segments = append(a.after.Segments, seg)
	a.after.vectors = append(a.after.vectors, v)
	return nil
}

// catchUp prepares what was committed since, as long as it is much.
func (s *Store) catchUp(a *flushEdit) {
	for range 8 {
		sh := s.shownOf(a.scope)
		few := sh.Len()-a.seen <= catchUpRows
		a.take(&sh)
		if few {
			return
		}
	}
}

// take adds the versions that next does not have yet, and marks the rows of the
// new segment that they replaced.
func (a *flushEdit) take(sh *memtable.Published) {
	for i := a.seen; i < sh.Len(); i++ {
		v := sh.At(i)
		if a.rows != nil && v.Prev >= 0 && int(v.Prev) < a.cut && a.rows[v.Prev] >= 0 {
			a.dead.Add(uint32(a.rows[v.Prev]))
		}
		a.next.AddHashed(rowlog.Entry{
			Seq: v.Seq, Tombstone: v.Tombstone, StartsBlock: v.StartsBlock, Key: v.Key, Payload: v.Payload,
		}, sh.Superseded(i), v.Hash)
	}
	a.seen = sh.Len()
}

// stage implements work.
func (a *flushEdit) stage(c *committer) error {
	if a.scope.stale.Load() {
		return a.scope.goneErr()
	}
	if a.scope.lake != a.before {
		return kalam.Errorf(kalam.CodeConflict, "table %d, user '%s' was flushed by somebody else in the meantime",
			a.scope.id.Table, a.scope.id.User)
	}
	if sh := &a.old.Published; !a.record.made || a.seen != sh.Len() {
		a.take(sh)
		if err := a.encode(); err != nil {
			return err
		}
	}
	c.putRecord(&a.record)
	return nil
}

// encode makes the record of the scope from what was taken so far.
func (a *flushEdit) encode() (err error) {
	if !a.dead.IsEmpty() {
		a.after.vectors[len(a.after.vectors)-1].dead = a.dead
	}
	a.record, err = newRecordEdit(a.scope.id, a.before, a.after)
	return err
}

func (a *flushEdit) rollback() {}

// publish implements work.
func (a *flushEdit) publish() {
	a.next.Publish()
	a.scope.mem, a.scope.lake = a.next, a.after
	a.store.markObsolete(a.scope, a.before)
}

// afterCommit implements work.
func (a *flushEdit) afterCommit(*committer) {
	a.old.Release()
	rows, oldest := int64(a.next.Len()), kalam.Seq(0)
	if rows > 0 {
		oldest = a.next.At(0).Seq
	}
	a.store.backlog.Set(ScopeStats{Scope: a.scope.id, Rows: rows, Bytes: a.next.Bytes(), Oldest: oldest})
}

func (a *flushEdit) touched() []*scope { return []*scope{a.scope} }
