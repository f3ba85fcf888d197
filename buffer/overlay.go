package buffer

import (
	"context"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/kalamlake/kalam"
)

// Writes are a transaction's own writes to one scope, on top of what a snapshot
// shows of it. Adding to them costs what is added, however many there are. It
// belongs to one goroutine and lives as long as the snapshot.
type Writes struct {
	base  *View
	first kalam.Seq // Provisional, of the first version.
	over  overlay
}

// overlay is what a view with own writes reads of them.
type overlay struct {
	mem    *memtable          // The own versions, under provisional seqs.
	hidden map[int32]struct{} // The view's versions that they replace.
}

// Writes returns an empty set of own writes on top of the view.
func (v *View) Writes() (*Writes, error) {
	mem := newMemtable(v.snap.store.opts.Dropped)
	if err := v.snap.own(mem); err != nil {
		return nil, err
	}
	// The snapshot may be older than the rows of the table live.
	first := max(v.snap.seq+1, v.snap.store.clock.Peek())
	return &Writes{base: v, first: first, over: overlay{mem: mem, hidden: map[int32]struct{}{}}}, nil
}

// Add appends mutations of the scope, as if they were committed, under
// provisional seqs above the snapshot's, of the time of Writes. They must be what Apply would take
// after those that were added before; the keys are not checked. After an error
// nothing was added.
func (w *Writes) Add(ctx context.Context, muts []Mutation) error {
	if err := w.base.snap.live(); err != nil {
		return err
	}
	bases, err := w.basesOf(ctx, muts)
	if err != nil {
		return err
	}
	for i := range muts {
		m := &muts[i]
		var from base
		if w.over.mem.indexAt(m.Key, w.over.mem.versions.n) < 0 {
			from = bases[i]
		}
		if at := w.base.mem.indexAt(m.Key, w.base.shown.count()); at >= 0 {
			w.over.hidden[at] = struct{}{}
		}
		w.over.mem.add(version{
			seq:       w.first + kalam.Seq(w.over.mem.versions.n),
			tombstone: m.Kind == kalam.ChangeDelete, key: m.Key, payload: m.Payload,
		}, from)
	}
	w.over.mem.show()
	return nil
}

// Provisional reports whether seq is of one of these writes: no commit has it.
func (w *Writes) Provisional(seq kalam.Seq) bool { return seq >= w.first }

// View returns the snapshot's view with the writes on top. It is not to be read
// any more once others were added.
func (w *Writes) View() *View {
	out := *w.base
	if w.over.mem.versions.n > 0 {
		out.over = &w.over
	}
	return &out
}

// basesOf returns the flushed rows that the mutations replace.
func (w *Writes) basesOf(ctx context.Context, muts []Mutation) ([]base, error) {
	out := make([]base, len(muts))
	v := w.base
	if len(v.lake.Segments) == 0 {
		return out, nil
	}
	var keys [][]byte
	var which []int
	for i := range muts {
		key := muts[i].Key
		if w.over.mem.indexAt(key, w.over.mem.versions.n) < 0 && v.mem.indexAt(key, v.shown.count()) < 0 {
			keys, which = append(keys, key), append(which, i)
		}
	}
	if len(keys) == 0 {
		return out, nil
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
