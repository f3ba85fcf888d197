package buffer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer/memtable"
)

// ErrRefused is in the chain of an error of CommitCompaction after which nothing
// names the new segment, now or after a crash: its files may go.
var ErrRefused = errors.New("the commit was refused")

// CompactedSegment is a segment that a compaction replaces, and the rows of it
// that are not in the new one: dead rows and tombstones that may be forgotten.
type CompactedSegment struct {
	ID      kalam.SegmentID
	Removed *roaring.Bitmap // nil is none.
}

// CompactCommit replaces neighbouring segments of a scope by one that holds
// their rows in the same order, without the removed ones.
type CompactCommit struct {
	Table   *kalam.Table
	Scope   kalam.Scope
	Old     []CompactedSegment // In commit order, none left out between them.
	Segment *kalam.Segment     // Its ID is assigned by the commit; nil when no row is left.
	// Forgotten is the highest seq of the removed tombstones, 0 for none. It is in
	// ScopeRecord.Forgotten by the same commit.
	Forgotten kalam.Seq
	// Unread is called once after the commit, when no read point and no lookup can
	// read the old segments any more: their files may go. It must be quick. nil is
	// nothing.
	Unread func()
}

// CommitCompaction makes the new segment part of its scope in place of the old
// ones, in one atomic step. Rows of the old segments that a write replaced since
// they were read are marked dead in the new one. Old segments that are not there,
// or not as they were, are CodeConflict. After an error the old segments stay; the
// files of the new one may go only if it is ErrRefused.
func (s *Store) CommitCompaction(ctx context.Context, cc CompactCommit) (kalam.Segment, error) {
	sc, err := s.acquire(ctx, cc.Table, cc.Scope)
	if err != nil {
		return kalam.Segment{}, refused(err)
	}
	defer s.release(sc)
	sc.flushing.Lock()
	defer sc.flushing.Unlock()
	x, err := s.newCompactionEdit(sc, &cc)
	if err != nil {
		return kalam.Segment{}, refused(err)
	}
	if err := s.submit(ctx, &request{work: x, alone: true}); err != nil {
		if !x.staged {
			err = refused(err)
		}
		return kalam.Segment{}, err
	}
	if cc.Segment == nil {
		return kalam.Segment{}, nil
	}
	return x.after.Segments[x.at], nil
}

func refused(err error) error { return fmt.Errorf("%w: %w", ErrRefused, err) }

// compactionEdit replaces segments of a scope. Like a flush edit it is prepared by its
// own goroutine and committed by the committer.
type compactionEdit struct {
	store  *Store
	scope  *scope
	mem    *memtable.Memtable
	before *lakeState
	after  *lakeState // Its vectors are the edit's own.
	at     int        // Index of the first old segment, and of the new one.
	parts  []compactedPart
	dead   *roaring.Bitmap // Of the new segment.
	seen   int             // Superseded rows of mem that dead holds.
	staged bool
	unread func()
}

// compactedPart is an old segment and where its rows begin in the new one.
type compactedPart struct {
	CompactedSegment
	offset uint32
}

// row returns the position in the new segment of a row of the old one; false
// when it was removed.
func (p *compactedPart) row(old uint32) (uint32, bool) {
	if p.Removed == nil {
		return p.offset + old, true
	}
	if p.Removed.Contains(old) {
		return 0, false
	}
	return p.offset + old - uint32(p.Removed.Rank(old)), true
}

// newCompactionEdit prepares the commit for a pinned scope. The caller holds
// scope.flushing, so that the scope's lake and memtable stay.
func (s *Store) newCompactionEdit(sc *scope, cc *CompactCommit) (*compactionEdit, error) {
	x := &compactionEdit{store: s, scope: sc, dead: roaring.New(), unread: cc.Unread}
	s.visibility.RLock()
	x.before, x.mem = sc.lake, sc.mem
	sh := sc.mem.Published
	s.visibility.RUnlock()
	if err := x.find(cc); err != nil {
		return nil, err
	}
	tombstones, err := x.place(cc)
	if err != nil {
		return nil, err
	}
	now := s.opts.Now().UTC().Truncate(time.Microsecond)
	x.after = &lakeState{last: x.before.last}
	x.after.ScopeRecord = ScopeRecord{Version: x.before.Version + 1, Watermark: x.before.Watermark,
		CreatedAt: x.before.CreatedAt, UpdatedAt: now}
	x.after.FlushedAt, x.after.Forgotten = x.before.lastFlush(), max(x.before.Forgotten, cc.Forgotten)
	x.after.CompleteFrom = x.before.HistoryFrom()
	for i := range cc.Old {
		if r := cc.Old[i].Removed; r != nil && !r.IsEmpty() { // Whatever replaced them was committed before now.
			x.after.CompleteFrom = max(x.after.CompleteFrom, s.clock.Last())
		}
	}
	x.after.Segments = append([]kalam.Segment(nil), x.before.Segments[:x.at]...)
	x.after.vectors = append([]vectors(nil), x.before.vectors[:x.at]...)
	if cc.Segment != nil {
		x.after.last++
		seg := *cc.Segment
		seg.ID, seg.User = x.after.last, x.scope.id.User
		x.after.Segments = append(x.after.Segments, seg)
		x.after.vectors = append(x.after.vectors, vectors{tombstones: tombstones})
	}
	after := x.at + len(cc.Old)
	x.after.Segments = append(x.after.Segments, x.before.Segments[after:]...)
	x.after.vectors = append(x.after.vectors, x.before.vectors[after:]...)
	x.take(&sh)
	return x, nil
}

// find finds the old segments in the scope.
func (x *compactionEdit) find(cc *CompactCommit) error {
	if len(cc.Old) == 0 {
		return kalam.Errorf(kalam.CodeInternal, "a compaction of table '%s' without segments", cc.Table.ID)
	}
	x.at = x.before.segmentIndex(cc.Old[0].ID)
	ok := x.at >= 0 && x.at+len(cc.Old) <= len(x.before.Segments)
	for i := 0; ok && i < len(cc.Old); i++ {
		ok = x.before.Segments[x.at+i].ID == cc.Old[i].ID
	}
	if !ok {
		return kalam.Errorf(kalam.CodeConflict, "table '%s' was compacted by somebody else in the meantime",
			cc.Table.ID)
	}
	return nil
}

// place computes where the rows of the old segments are in the new one, checks
// that it holds what it must, and returns its tombstones. Of the dead rows those
// of the record are noted.
func (x *compactionEdit) place(cc *CompactCommit) (tombstones *roaring.Bitmap, err error) {
	var rows int64
	tombstones = roaring.New()
	for i := range cc.Old {
		old, v := &x.before.Segments[x.at+i], x.before.vectors[x.at+i]
		p := compactedPart{CompactedSegment: cc.Old[i], offset: uint32(rows)}
		removed := int64(0)
		if p.Removed != nil && !p.Removed.IsEmpty() {
			removed = int64(p.Removed.GetCardinality())
			if int64(p.Removed.Maximum()) >= old.Rows || !within(p.Removed, v) {
				return nil, kalam.Errorf(kalam.CodeInternal,
					"a compaction of table '%s' would lose live rows of segment %s",
					cc.Table.ID, old.Path)
			}
		}
		rows += old.Rows - removed
		x.parts = append(x.parts, p)
		p.move(v.dead, x.dead)
		p.move(v.tombstones, tombstones)
	}
	want := kalam.Segment{}
	if cc.Segment != nil {
		want = *cc.Segment
	}
	if rows != want.Rows || rows > 1<<32 || tombstones.GetCardinality() != uint64(want.Tombstones) {
		return nil, kalam.Errorf(kalam.CodeInternal,
			"compacted segment '%s' of table '%s' has %d rows and %d tombstones instead of %d and %d",
			want.Path, cc.Table.ID, want.Rows, want.Tombstones, rows, tombstones.GetCardinality())
	}
	if tombstones.IsEmpty() {
		return nil, nil
	}
	return tombstones, nil
}

// within reports whether every removed row is dead or a tombstone.
func within(removed *roaring.Bitmap, v vectors) bool {
	rest := removed
	for _, b := range []*roaring.Bitmap{v.dead, v.tombstones} {
		if b != nil {
			rest = roaring.AndNot(rest, b)
		}
	}
	return rest.IsEmpty()
}

// move adds to dst the new positions of the rows in old.
func (p *compactedPart) move(old, dst *roaring.Bitmap) {
	if old == nil {
		return
	}
	for it := old.Iterator(); it.HasNext(); {
		if row, ok := p.row(it.Next()); ok {
			dst.Add(row)
		}
	}
}

// take marks the rows that versions of the log replaced.
func (x *compactionEdit) take(sh *memtable.Published) {
	rows := sh.SupersededRows()
	for _, r := range rows[x.seen:] {
		for i := range x.parts {
			if x.parts[i].ID != r.Segment {
				continue
			}
			if row, ok := x.parts[i].row(r.Row); ok {
				x.dead.Add(row)
			}
		}
	}
	x.seen = len(rows)
}

// stage implements work.
func (x *compactionEdit) stage(c *committer) error {
	if x.scope.stale.Load() {
		return x.scope.goneErr()
	}
	if x.scope.lake != x.before || x.scope.mem != x.mem {
		return kalam.Errorf(kalam.CodeConflict, "table %d, user '%s' was flushed by somebody else in the meantime",
			x.scope.id.Table, x.scope.id.User)
	}
	x.take(&x.mem.Published)
	if !x.dead.IsEmpty() {
		x.after.vectors[x.at].dead = x.dead
	}
	edit, err := newRecordEdit(x.scope.id, x.before, x.after)
	if err != nil {
		return err
	}
	c.putRecord(&edit)
	x.staged = true
	return nil
}

func (x *compactionEdit) rollback() {}

// publish implements work.
func (x *compactionEdit) publish() {
	x.scope.lake = x.after
	x.store.markObsolete(x.scope, x.before)
}

// afterCommit implements work.
func (x *compactionEdit) afterCommit(*committer) {
	if x.unread != nil {
		x.store.whenUnread(x.scope, x.unread)
	}
}

func (x *compactionEdit) touched() []*scope { return []*scope{x.scope} }
