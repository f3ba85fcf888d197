package buffer

import (
	"context"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer/memtable"
	"github.com/kalamlake/kalam/buffer/rowlog"
)

// Writes are a transaction's own writes to one scope, on top of what a read point
// shows of it. Adding to them costs what is added, however many there are. It
// belongs to one goroutine and lives as long as the point.
type Writes struct {
	view  *View
	first kalam.Seq // Provisional, of the first version.
	over  overlay
}

// Writes returns an empty set of own writes on top of the view.
func (v *View) Writes() (*Writes, error) {
	mem := memtable.New(v.point.store.opts.Dropped)
	if err := v.point.own(mem); err != nil {
		return nil, err
	}
	// The point may be older than the rows of the table live.
	first := max(v.point.seq+1, v.point.store.clock.Peek())
	return &Writes{view: v, first: first, over: overlay{mem: mem, hidden: map[int32]struct{}{}}}, nil
}

// Add appends mutations of the scope, as if they were committed, under
// provisional seqs above the point's, of the time of Writes. They must be what Apply would take
// after those that were added before; the keys are not checked. After an error
// nothing was added.
func (w *Writes) Add(ctx context.Context, muts []Mutation) error {
	if err := w.view.point.live(); err != nil {
		return err
	}
	rows, err := w.supersededBy(ctx, muts)
	if err != nil {
		return err
	}
	for i := range muts {
		m := &muts[i]
		var superseded rowlog.RowRef
		if w.over.mem.IndexAt(m.Key, w.over.mem.Len()) < 0 {
			superseded = rows[i]
		}
		if at := w.view.mem.IndexAt(m.Key, w.view.shown.Len()); at >= 0 {
			w.over.hidden[at] = struct{}{}
		}
		w.over.mem.Add(rowlog.Entry{
			Seq:       w.first + kalam.Seq(w.over.mem.Len()),
			Tombstone: m.Kind == kalam.ChangeDelete, Key: m.Key, Payload: m.Payload,
		}, superseded)
	}
	w.over.mem.Publish()
	return nil
}

// Provisional reports whether seq is of one of these writes: no commit has it.
func (w *Writes) Provisional(seq kalam.Seq) bool { return seq >= w.first }

// View returns the point's view with the writes on top. It is not to be read
// any more once others were added.
func (w *Writes) View() *View {
	out := *w.view
	if w.over.mem.Len() > 0 {
		out.over = &w.over
	}
	return &out
}

// supersededBy returns the flushed rows that the mutations replace.
func (w *Writes) supersededBy(ctx context.Context, muts []Mutation) ([]rowlog.RowRef, error) {
	out := make([]rowlog.RowRef, len(muts))
	v := w.view
	if len(v.lake.Segments) == 0 {
		return out, nil
	}
	var keys [][]byte
	var which []int
	for i := range muts {
		key := muts[i].Key
		if w.over.mem.IndexAt(key, w.over.mem.Len()) < 0 && v.mem.IndexAt(key, v.shown.Len()) < 0 {
			keys, which = append(keys, key), append(which, i)
		}
	}
	if len(keys) == 0 {
		return out, nil
	}
	at, err := v.point.store.locate(ctx, v.lake, keys)
	if err != nil {
		return nil, err
	}
	for k, i := range which {
		out[i] = rowlog.RowRef{Segment: at[k].segment, Row: at[k].row}
	}
	return out, nil
}

// reading describes the own versions.
func (o *overlay) reading(v *View) *memtable.Reading {
	const always = 1<<63 - 1
	return &memtable.Reading{Table: v.table, Published: &o.mem.Published, Seq: always, Retain: v.point.keep}
}

// deadOver returns the delete vectors with the rows that the own versions replace.
func (o *overlay) deadOver(l *lakeState, dead []*roaring.Bitmap) []*roaring.Bitmap {
	out := append([]*roaring.Bitmap(nil), dead...)
	l.markSuperseded(o.mem.Published.SupersededRows(), out)
	return out
}
