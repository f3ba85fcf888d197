package buffer

import (
	"context"
	"iter"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer/memtable"
)

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

// Scope returns the scope.
func (v *View) Scope() kalam.Scope { return v.scope }

// Segments returns the scope's segments, in commit order.
func (v *View) Segments() []SegmentView {
	out := make([]SegmentView, len(v.lake.Segments))
	if len(out) == 0 {
		return out
	}
	dead := v.lake.deadRows(&v.shown)
	if v.over != nil {
		dead = v.over.deadOver(v.lake, dead)
	}
	for i := range out {
		out[i] = SegmentView{Segment: &v.lake.Segments[i], Dead: dead[i], Tombstones: v.lake.vectors[i].tombstones}
	}
	return out
}

// Stored returns the segments as the manifest of record has them: their Dead
// lacks what the log has replaced since, for that is not in any segment yet.
func (v *View) Stored() []SegmentView {
	out := make([]SegmentView, len(v.lake.Segments))
	for i := range out {
		out[i] = SegmentView{Segment: &v.lake.Segments[i], Dead: v.lake.vectors[i].dead,
			Tombstones: v.lake.vectors[i].tombstones}
	}
	return out
}

// Batches returns the rows of the log as Arrow: the newest version of each key,
// without tombstones unless withDeleted is set. The records have the columns of
// datatype.TableSchema; they live until the Release of the point and must not be
// released by the caller.
func (v *View) Batches(withDeleted bool) ([]Batch, error) {
	if err := v.point.live(); err != nil {
		return nil, err
	}
	r := v.reading()
	var out []Batch
	var err error
	if withDeleted {
		out, err = r.Versions()
	} else {
		out, err = v.mem.Batches(r)
	}
	if err != nil || v.over == nil {
		return out, err
	}
	own := v.over.reading(v)
	var more []Batch
	if withDeleted {
		more, err = own.Versions()
	} else {
		more, err = v.over.mem.Batches(own)
	}
	return append(out, more...), err
}

// reading describes what the view shows of the memtable.
func (v *View) reading() *memtable.Reading {
	r := &memtable.Reading{Table: v.table, Published: &v.shown, Seq: v.point.seq, Retain: v.point.keep}
	if v.over != nil {
		r.Hidden = v.over.hidden
	}
	return r
}

// Versions yields the newest version of each key of the log, tombstones
// included, in the order of the log. What it yields is immutable.
func (v *View) Versions() iter.Seq2[Version, error] {
	return func(yield func(Version, error) bool) {
		if err := v.point.live(); err != nil {
			yield(Version{}, err)
			return
		}
		readings := []*memtable.Reading{v.reading()}
		if v.over != nil {
			readings = append(readings, v.over.reading(v))
		}
		for _, r := range readings {
			for i := range r.Published.Len() {
				if !r.Shows(int32(i)) {
					continue
				}
				if at := r.Published.At(i); !yield(Version{Key: at.Key, Row: at.Row()}, nil) {
					return
				}
			}
		}
	}
}

// Watermark returns the seq up to which a flush of the view covers the log: that
// of the newest version, or the scope's watermark when the log is empty.
func (v *View) Watermark() kalam.Seq {
	return v.shown.Last(v.lake.Watermark)
}

// BufferedRows returns how many versions the view has in the log, replaced ones
// and tombstones included.
func (v *View) BufferedRows() int {
	n := v.shown.Len()
	if v.over != nil {
		n += v.over.mem.Published.Len()
	}
	return n
}

// KeyOf returns the key of the version in the log that has a seq, as the view or
// its own writes have it; false when there is none. The key must not be changed.
func (v *View) KeyOf(seq kalam.Seq) ([]byte, bool) {
	lists := []*memtable.Published{&v.shown}
	if v.over != nil {
		lists = append(lists, &v.over.mem.Published)
	}
	for _, list := range lists {
		if n := list.Search(seq); n < list.Len() && list.At(n).Seq == seq {
			return list.At(n).Key, true
		}
	}
	return nil, false
}

// Get returns the live row of a key; false when there is none.
func (v *View) Get(ctx context.Context, key []byte) (kalam.Row, bool, error) {
	if err := v.point.live(); err != nil {
		return kalam.Row{}, false, err
	}
	if v.over != nil {
		if i := v.over.mem.IndexAt(key, v.over.mem.Published.Len()); i >= 0 {
			row, ok := live(v.over.mem.Published.At(int(i)).Row())
			return row, ok, nil
		}
	}
	if i := v.mem.IndexAt(key, v.shown.Len()); i >= 0 {
		row, ok := live(v.shown.At(int(i)).Row())
		return row, ok, nil
	}
	return v.point.store.find(ctx, v.table, v.lake, key)
}

// MayHaveExisted reports whether a key may have had a row at or before a seq below the
// snapshot's, one that was deleted again included. False is certain: the log shows that
// there was none. It reads memory only.
func (v *View) MayHaveExisted(key []byte, at kalam.Seq) bool {
	i := v.mem.IndexAt(key, v.shown.Len())
	if i < 0 {
		return true // The lake may know.
	}
	for i >= 0 {
		ver := v.shown.At(int(i))
		if ver.Seq <= at || ver.Supersedes {
			return true
		}
		i = ver.Prev
	}
	return v.lake.Watermark > 0 // What was flushed, and deleted, may be forgotten.
}

// Forgotten returns the highest seq of a tombstone that is left out: ScopeRecord.Forgotten.
func (v *View) Forgotten() kalam.Seq { return v.lake.Forgotten }

// Get returns the live row of a key of a scope, from the log or the lake; false
// when there is none.
func (s *Store) Get(ctx context.Context, t *kalam.Table, id kalam.Scope, key []byte) (kalam.Row, bool, error) {
	sc, err := s.acquire(ctx, t, id)
	if err != nil {
		return kalam.Row{}, false, err
	}
	defer s.release(sc)
	s.visibility.RLock()
	mem, sh, lake := sc.mem, sc.mem.Published, sc.lake
	pinLake(lake)
	s.visibility.RUnlock()
	defer s.unpinLake(sc, lake)
	if i := mem.IndexAt(key, sh.Len()); i >= 0 {
		row, ok := live(sh.At(int(i)).Row())
		return row, ok, nil
	}
	return s.find(ctx, t, lake, key)
}

// live returns the row unless it is a tombstone.
func live(r kalam.Row) (kalam.Row, bool) {
	if r.Deleted {
		return kalam.Row{}, false
	}
	return r, true
}
