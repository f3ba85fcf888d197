package buffer

import (
	"sync"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/apache/arrow-go/v18/arrow"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer/memtable"
)

// ReadPoint is one consistent state of all scopes, log and lake: that of every commit up to one
// seq. Its views are taken when they are needed, whatever was written, flushed, compacted or
// trimmed meanwhile, and nothing that they show changes. It and its views are safe for
// concurrent use. Release ends it.
type ReadPoint struct {
	store *Store
	seq   kalam.Seq
	at    edition

	mu       sync.Mutex // guards what follows
	views    []*View
	records  []arrow.RecordBatch
	owned    []*memtable.Memtable // Of the Writes on top of its views.
	sealed   bool
	released bool
}

// View is what a ReadPoint shows of one scope, or that with a transaction's own
// writes on top. It is valid until the Release of the point.
type View struct {
	point *ReadPoint
	held  *scope
	table *kalam.Table
	scope kalam.Scope
	mem   *memtable.Memtable
	shown memtable.Published
	lake  *lakeState
	over  *overlay // nil: no writes of its own.
}

// overlay is what a view with own writes reads of them.
type overlay struct {
	mem    *memtable.Memtable // The own versions, under provisional seqs.
	hidden map[int32]struct{} // The view's versions that they replace.
}

// SegmentView is a segment with the rows that readers skip. The bitmaps are
// shared and immutable; nil is none.
type SegmentView struct {
	Segment    *kalam.Segment
	Dead       *roaring.Bitmap // Rows that a later write replaced, tombstones among them.
	Tombstones *roaring.Bitmap // Rows that are tombstones.
}

// Batch is a run of rows of the log as Arrow.
type Batch = memtable.Batch

// Version is one version of a row in the log.
type Version struct {
	Key []byte
	Row kalam.Row
}

// Table returns the definition by which the view is read.
func (v *View) Table() *kalam.Table { return v.table }

// As returns the view as another version of the table reads it.
func (v *View) As(t *kalam.Table) *View {
	if v.table.SchemaVersion == t.SchemaVersion {
		return v
	}
	out := *v
	out.table = t
	return &out
}

// Scope returns the scope.
func (v *View) Scope() kalam.Scope { return v.scope }

// live returns the row unless it is a tombstone.
func live(r kalam.Row) (kalam.Row, bool) {
	if r.Deleted {
		return kalam.Row{}, false
	}
	return r, true
}

// TableScope is a scope to read, with the definition of its table to read it by.
type TableScope struct {
	Table *kalam.Table
	Scope kalam.Scope
}
