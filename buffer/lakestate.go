package buffer

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer/memtable"
	"github.com/kalamlake/kalam/buffer/rowlog"
)

// vectors are the row positions of one segment that readers skip. They are
// immutable; nil is none.
type vectors struct {
	dead, tombstones *roaring.Bitmap
}

// lakeState is the flushed part of a scope: immutable, replaced as a whole.
type lakeState struct {
	ScopeRecord
	vectors []vectors       // One per segment.
	last    kalam.SegmentID // Highest id given so far.

	pins     atomic.Int32 // Who may read its files; see obsolete.go.
	obsolete atomic.Bool
	waiting  []*obsoleteFiles // Guarded by Store.obsoleteMu.

	deadMu sync.Mutex // guards dead
	dead   deadRows
}

// lastFlush returns the time of the last flush, zero when there was none. A record
// from before it was kept has that of its last commit, as near as one can know.
func (l *lakeState) lastFlush() time.Time {
	if l.FlushedAt.IsZero() && len(l.Segments) > 0 {
		return l.UpdatedAt
	}
	return l.FlushedAt
}

// HistoryFrom is CompleteFrom, of a record that does not have it its last commit.
func (r *ScopeRecord) HistoryFrom() kalam.Seq {
	if r.CompleteFrom == 0 && r.Version > 0 {
		return kalam.SeqAt(r.UpdatedAt.Add(time.Millisecond))
	}
	return max(r.CompleteFrom, 1)
}

// segmentIndex returns the index of a segment, -1 when there is none.
func (l *lakeState) segmentIndex(id kalam.SegmentID) int {
	for i := range l.Segments {
		if l.Segments[i].ID == id {
			return i
		}
	}
	return -1
}

// deadVectors returns the dead rows of each segment in the record.
func (l *lakeState) deadVectors() []*roaring.Bitmap {
	dead := make([]*roaring.Bitmap, len(l.Segments))
	for i := range dead {
		dead[i] = l.vectors[i].dead
	}
	return dead
}

// markSuperseded adds flushed rows that were replaced to the delete vectors. Bitmaps are
// replaced, not changed. Segments that the scope has no more are passed over: the
// compaction that replaced them has marked the rows in its own segment.
func (l *lakeState) markSuperseded(rows []rowlog.RowRef, dead []*roaring.Bitmap) {
	owned := make([]bool, len(dead))
	for _, r := range rows {
		n := l.segmentIndex(r.Segment)
		if n < 0 {
			continue
		}
		if !owned[n] {
			owned[n] = true
			if dead[n] == nil {
				dead[n] = roaring.New()
			} else {
				dead[n] = dead[n].Clone()
			}
		}
		dead[n].Add(r.Row)
	}
}

// deadRows are the delete vectors of the newest snapshot of a lake state.
type deadRows struct {
	superseded int // Flushed rows that the log had replaced.
	vectors    []*roaring.Bitmap
}

// deadRows returns the dead rows of each segment as of a snapshot: the record's
// vectors and what the log, of which p is published, superseded since.
func (l *lakeState) deadRows(p *memtable.Published) []*roaring.Bitmap {
	l.deadMu.Lock()
	defer l.deadMu.Unlock()
	rows := p.SupersededRows()
	if l.dead.vectors != nil && l.dead.superseded == len(rows) {
		return l.dead.vectors
	}
	dead := l.deadVectors()
	l.markSuperseded(rows, dead)
	l.dead = deadRows{superseded: len(rows), vectors: dead}
	return dead
}

// obsoleteFiles waits for the pins of the states before a compaction.
type obsoleteFiles struct {
	left int // States that are still pinned; guarded by Store.obsoleteMu.
	done func()
}

// ScopeRecord is the manifest of record of a scope: what of it is in the lake.
type ScopeRecord struct {
	Version   uint64 // Rises with every commit of a flush or compaction, from 1; 0: nothing was flushed.
	Watermark kalam.Seq
	Segments  []kalam.Segment // In commit order: their seqs rise and do not overlap.
	CreatedAt time.Time
	UpdatedAt time.Time
	FlushedAt time.Time // Of the last flush; zero in a record without one, or from before it was kept.
	// Forgotten is the highest seq of a tombstone that a compaction has left out: who knows
	// the scope as it was before that seq cannot learn everything that was deleted since.
	Forgotten kalam.Seq
	// CompleteFrom is the seq from which on every state of the scope can be read: no later version of a row is missing
	// that was the newest at one of them. 0 in a record from before it was kept, see HistoryFrom.
	CompleteFrom kalam.Seq
}

// Floor returns the lowest seq to which package atrest can rewind the scope: what is above it is in the
// log alone, and no row that was replaced since is gone.
func (r *ScopeRecord) Floor() kalam.Seq { return max(r.Watermark, r.HistoryFrom()) }
