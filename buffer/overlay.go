package buffer

import (
	"context"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/kalamlake/kalam"
)

// overlay is a transaction's own writes to a scope, on top of a view.
type overlay struct {
	muts   []Mutation
	mem    *memtable          // The own versions, under provisional seqs.
	hidden map[int32]struct{} // The view's versions that they replace.
}

// Overlay returns the view with mutations of its scope on top, as if they were
// committed, under provisional seqs above the snapshot's. They must be what
// Apply would take; the keys are not checked. A view that has own writes already
// gets more. The result lives as long as the snapshot.
func (v *View) Overlay(ctx context.Context, muts []Mutation) (*View, error) {
	if err := v.snap.live(); err != nil {
		return nil, err
	}
	out := *v
	o := &overlay{mem: newMemtable(), hidden: map[int32]struct{}{}}
	if v.over != nil {
		o.muts = append(o.muts, v.over.muts...)
	}
	o.muts = append(o.muts, muts...)
	bases, err := v.basesOf(ctx, o.muts)
	if err != nil {
		return nil, err
	}
	for i := range o.muts {
		m := &o.muts[i]
		added := version{
			seq: v.snap.seq + 1 + kalam.Seq(i), tombstone: m.Kind == kalam.ChangeDelete, key: m.Key, payload: m.Payload,
		}
		var from base
		if o.mem.indexAt(m.Key, i) < 0 {
			from = bases[i]
		}
		if at := v.mem.indexAt(m.Key, v.shown.count()); at >= 0 {
			o.hidden[at] = struct{}{}
		}
		o.mem.add(added, from)
	}
	o.mem.show()
	out.over = o
	return &out, nil
}

// basesOf returns the flushed rows that the mutations replace.
func (v *View) basesOf(ctx context.Context, muts []Mutation) ([]base, error) {
	out := make([]base, len(muts))
	if len(v.lake.Segments) == 0 {
		return out, nil
	}
	var keys [][]byte
	var which []int
	for i := range muts {
		if v.mem.indexAt(muts[i].Key, v.shown.count()) < 0 {
			keys, which = append(keys, muts[i].Key), append(which, i)
		}
	}
	at, err := v.snap.store.locate(ctx, v.lake, keys)
	if err != nil {
		return nil, err
	}
	for k, i := range which {
		out[i] = base{segment: at[k].segment, row: at[k].row}
	}
	return out, nil
}

// reading describes the own versions.
func (o *overlay) reading(v *View) *reading {
	const always = 1<<63 - 1
	return &reading{table: v.table, shown: &o.mem.shown, seq: always, retain: v.snap.keep}
}

// deadOver returns the delete vectors with the rows that the own versions replace.
func (o *overlay) deadOver(l *lakeState, dead []*roaring.Bitmap) []*roaring.Bitmap {
	out := append([]*roaring.Bitmap(nil), dead...)
	l.replaceBases(o.mem.shown.based.base, out)
	return out
}
