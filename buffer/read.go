package buffer

import (
	"context"
	"iter"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer/memtable"
)

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

// AllVersions yields every version of the log at the point, replaced ones and tombstones included, in the order of the
// log. What it yields is immutable. A view with own writes shows those of others only.
func (v *View) AllVersions() iter.Seq2[Version, error] {
	return func(yield func(Version, error) bool) {
		if err := v.point.live(); err != nil {
			yield(Version{}, err)
			return
		}
		for i := range v.shown.Len() {
			at := v.shown.At(i)
			if at.Seq > v.point.seq || !yield(Version{Key: at.Key, Row: at.Row()}, nil) {
				return
			}
		}
	}
}

// CompleteFrom returns the seq from which on every state of the scope can be read out of its segments and AllVersions.
func (v *View) CompleteFrom() kalam.Seq { return v.lake.HistoryFrom() }

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
