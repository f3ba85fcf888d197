package read

import (
	"context"
	"sort"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/query"
	"github.com/kalamlake/kalam/segments"
	"github.com/kalamlake/kalam/systables"
)

// sources builds what each table reference reads.
func (c *Caller) sources(ctx context.Context, rels []*relation, rows *Rows) ([]query.Source, error) {
	out := make([]query.Source, len(rels))
	for i, r := range rels {
		src, err := c.source(ctx, r, rows)
		if err != nil {
			return nil, err
		}
		out[i] = src
	}
	return out, nil
}

func (c *Caller) source(ctx context.Context, r *relation, rows *Rows) (query.Source, error) {
	switch {
	case r.given.Source != nil:
		return *r.given.Source, nil
	case r.computed != nil:
		return c.computedSource(ctx, r)
	}
	if r.history != nil {
		return c.historySource(ctx, r.history, rows)
	}
	view, err := c.View(ctx, r.table, rows.point)
	if err != nil {
		return query.Source{}, err
	}
	src, err := c.tableSource(ctx, r.table, view, r.ref.NamesDeleted, &rows.files)
	if r.rule != nil {
		src.Only = r.rule.SQL
	}
	if own := c.ownWrites(c.Scope(r.table)); own != nil && !r.target {
		var done func()
		src.Batches, done = WithoutSeqs(src.Batches, own.Provisional)
		c.AtEnd(done)
	}
	return src, err
}

// computedSource computes the rows of a computed table now.
func (c *Caller) computedSource(ctx context.Context, r *relation) (query.Source, error) {
	t := r.computed
	rows, err := t.Rows(ctx, systables.Viewer{
		Principal: c.Principal, Access: c.Access, Dropped: r.ref.NamesDropped,
	})
	if err != nil {
		return query.Source{}, err
	}
	src, release, err := RowsSource(t.Schema(), rows)
	if err != nil {
		return query.Source{}, err
	}
	c.AtEnd(release)
	return src, nil
}

// tableSource builds what a query reads of one table. The files of it are lent by
// lent, also after an error.
func (c *Caller) tableSource(
	ctx context.Context, t *kalam.Table, view *buffer.View, withDeleted bool, lent *segments.Files,
) (src query.Source, err error) {
	src.Schema = datatype.TableSchema(t)
	layouts := c.Segments.Layouts(t)
	stored := view.Segments()
	c.prefetch(ctx, stored)
	for _, seg := range stored {
		f, err := FileOf(ctx, c.Segments, layouts, seg, lent)
		if err != nil {
			return src, err
		}
		f.Dead = hidden(seg, withDeleted)
		src.Files = append(src.Files, f)
	}
	batches, err := view.Batches(withDeleted)
	if err != nil {
		return src, err
	}
	if t.Expires() {
		batches = unexpired(batches, kalam.SeqAt(c.Now.Add(-t.Options.TTL)))
	}
	for _, b := range batches {
		src.Batches = append(src.Batches, query.Batch{Record: b.Record, Live: b.Live, ID: b.ID})
	}
	return src, nil
}

// prefetch has the files of segments brought here that are in other storages than the local one.
func (c *Caller) prefetch(ctx context.Context, stored []buffer.SegmentView) {
	var elsewhere []*kalam.Segment
	for i := range stored {
		if id := stored[i].Segment.Storage; id != "" && id != kalam.LocalStorage {
			elsewhere = append(elsewhere, stored[i].Segment)
		}
	}
	if len(elsewhere) > 1 {
		c.Segments.Prefetch(ctx, elsewhere)
	}
}

// FileOf returns the file of a segment with its living rows, as a version of its table reads it. It stays in place
// until lent is released.
func FileOf(
	ctx context.Context, r *segments.Reader, layouts *segments.Layouts, seg buffer.SegmentView, lent *segments.Files,
) (query.File, error) {
	layout, err := layouts.Of(seg.Segment)
	if err != nil {
		return query.File{}, err
	}
	path, err := lent.Lend(ctx, r, seg.Segment)
	if err != nil {
		return query.File{}, err
	}
	return query.File{
		Path: path, Layout: layout, Dead: hidden(seg, false), Rows: seg.Segment.Rows,
		Bounds: lent.Bounds(ctx, r, seg.Segment),
	}, nil
}

// hidden returns the row positions of a segment that a reader skips: rows that
// a later write replaced and, unless the query asks for them, tombstones.
func hidden(seg buffer.SegmentView, withDeleted bool) *roaring.Bitmap {
	switch {
	case withDeleted || seg.Tombstones == nil || seg.Tombstones.IsEmpty():
		return seg.Dead
	case seg.Dead == nil || seg.Dead.IsEmpty():
		return seg.Tombstones
	}
	return roaring.Or(seg.Dead, seg.Tombstones)
}

// unexpired cuts the rows of a STREAM table that are older than its TTL: those
// below the Seq since. Rows of a batch are in Seq order.
func unexpired(batches []buffer.Batch, since kalam.Seq) []buffer.Batch {
	out := make([]buffer.Batch, 0, len(batches))
	for _, b := range batches {
		col := b.Record.Schema().FieldIndices(kalam.ColumnSeq)
		if len(col) == 0 {
			out = append(out, b)
			continue
		}
		seqs, ok := b.Record.Column(col[0]).(*array.Int64)
		if !ok {
			out = append(out, b)
			continue
		}
		first := sort.Search(seqs.Len(), func(i int) bool { return kalam.Seq(seqs.Value(i)) >= since })
		switch {
		case first == 0:
			out = append(out, b)
		case first < seqs.Len():
			out = append(out, buffer.Batch{Record: b.Record, Live: liveFrom(b, first, seqs.Len()), ID: b.ID})
		}
	}
	return out
}

// liveFrom returns the live rows of b from index first on; never nil.
func liveFrom(b buffer.Batch, first, n int) []uint32 {
	live := make([]uint32, 0, n-first)
	if b.Live == nil {
		for i := first; i < n; i++ {
			live = append(live, uint32(i))
		}
		return live
	}
	for _, i := range b.Live {
		if int(i) >= first {
			live = append(live, i)
		}
	}
	return live
}

// historySource reads every version of the rows of the caller's scope that is kept. The seq must be one at which all
// are.
func (c *Caller) historySource(ctx context.Context, h *history, rows *Rows) (query.Source, error) {
	view, err := c.View(ctx, h.table, rows.point)
	if err != nil {
		return query.Source{}, err
	}
	if err := h.check(view, rows.point.Seq(), c.Now); err != nil {
		return query.Source{}, err
	}
	return c.versionsSource(ctx, h, view, &rows.files)
}

// versionsSource is historySource of a view.
func (c *Caller) versionsSource(
	ctx context.Context, h *history, view *buffer.View, lent *segments.Files,
) (src query.Source, err error) {
	src.Schema = datatype.TableSchema(h.table)
	layouts := c.Segments.Layouts(h.table)
	stored := view.Segments()
	c.prefetch(ctx, stored)
	for _, seg := range stored {
		if seg.Segment.MinSeq > h.seq {
			continue
		}
		f, err := FileOf(ctx, c.Segments, layouts, seg, lent)
		if err != nil {
			return src, err
		}
		f.Dead = nil
		src.Files = append(src.Files, f)
	}
	var versions []kalam.Row
	for v, err := range view.AllVersions() {
		if err != nil {
			return src, err
		}
		if v.Row.Seq <= h.seq {
			versions = append(versions, v.Row)
		}
	}
	if src.Batches, err = BatchesOf(h.table, versions); err != nil {
		return src, err
	}
	made := src.Batches
	c.AtEnd(func() { ReleaseBatches(made) })
	return src, nil
}
