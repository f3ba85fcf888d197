package lake

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake/parquet"
)

// parquet returns the open Parquet file of seg, with the checksums of its
// key index file. Without a key index file nothing is read: bytes that nobody vouches for are
// for Rebuild, which checks what it can.
func (l *Lake) parquet(ctx context.Context, seg *kalam.Segment) (*handle[*parquet.File], error) {
	at, err := l.location(seg.Storage)
	if err != nil {
		return nil, err
	}
	return l.parquets.acquire(ctx, objectKey{at.ID, seg.Path}, func() (*parquet.File, int64, error) {
		side, err := l.keyIndex(ctx, seg)
		if err != nil {
			return nil, 0, err
		}
		sums := side.value.Checksums()
		l.keyIndexes.release(side)
		object, err := at.Storage.Open(ctx, seg.Path)
		if err != nil {
			return nil, 0, MissingIsCorrupt(seg.Path, err)
		}
		f := parquet.New(seg.Path, object, sums)
		if err := f.Open(seg); err != nil {
			return nil, 0, errors.Join(err, object.Close())
		}
		return f, f.Memory(), nil
	})
}

// ReadRows returns the rows of seg at the given positions, in that order, with
// their values as t has its columns: a column that the file is too old for has
// what the column says of older rows. Positions may repeat. Only the row groups that
// hold them are read. A damaged file gives CodeCorrupt, one without key index file also
// ErrNoKeyIndex, one with a newer schema than t CodeUnsupported; all name the file.
func (l *Lake) ReadRows(ctx context.Context, t *kalam.Table, seg *kalam.Segment, rows []int64) ([]kalam.Row, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	for try := 1; ; try++ {
		h, err := l.parquet(ctx, seg)
		if err != nil {
			return nil, err
		}
		found, err := l.readRows(ctx, h, t, rows)
		damaged := kalam.CodeOf(err) == kalam.CodeCorrupt
		if damaged {
			l.parquets.dropHandle(h) // The file may have been mended since it was opened.
		}
		l.parquets.release(h)
		if !damaged || try == 2 {
			return found, err
		}
	}
}

func (l *Lake) readRows(
	ctx context.Context, h *handle[*parquet.File], t *kalam.Table, rows []int64,
) ([]kalam.Row, error) {
	f := h.value
	plan, err := f.PlanFor(t)
	if err != nil {
		return nil, err
	}
	order := make([]int, len(rows))
	for i, row := range rows {
		if row < 0 || row >= f.Rows() {
			return nil, fmt.Errorf("row %d of %s: it has %d rows", row, h.key.path, f.Rows())
		}
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(rows[a], rows[b]) })
	out := make([]kalam.Row, len(rows))
	for len(order) > 0 {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		group := f.GroupOf(rows[order[0]])
		n := 1
		for n < len(order) && rows[order[n]] < f.GroupStart(group+1) {
			n++
		}
		if err := l.readGroup(ctx, h, plan, group, rows, order[:n], out); err != nil {
			return nil, err
		}
		order = order[n:]
	}
	return out, nil
}

// ReadGroup reads the rows at rows[order[...]], which rise and lie in one row
// group, into out at the same indexes.
func (l *Lake) readGroup(ctx context.Context, file *handle[*parquet.File], plan *parquet.Plan, group int,
	rows []int64, order []int, out []kalam.Row) error {
	h, err := l.cachedGroup(ctx, file, plan, group)
	if err != nil {
		return err
	}
	if h == nil {
		return file.value.ReadGroup(plan, group, rows, order, out)
	}
	defer l.groups.handles.release(h)
	for _, i := range order {
		out[i] = h.value.Row(rows[i] - file.value.GroupStart(group))
	}
	return nil
}

// cachedGroup returns a group that is cached or shall be, nil otherwise. The
// caller releases it.
func (l *Lake) cachedGroup(ctx context.Context, file *handle[*parquet.File], plan *parquet.Plan,
	group int) (*handle[*parquet.Group], error) {
	f := file.value
	size := f.GroupBytes(group)
	if size > l.groups.maxGroup() || f.IsSwollen(group) {
		return nil, nil
	}
	key := groupKey(file.key.storage, file.key.path, group, plan.Table)
	if !l.groups.handles.contains(key) && !l.groups.wanted(key, size) {
		return nil, nil
	}
	h, err := l.groups.handles.acquire(ctx, key, func() (*parquet.Group, int64, error) {
		g, err := f.DecodeGroup(plan, group, l.groups.maxGroup())
		if err != nil {
			return nil, 0, err
		}
		return g, g.Memory(), nil
	})
	if errors.Is(err, parquet.ErrTooMuchText) {
		f.SetSwollen(group)
		return nil, nil
	}
	return h, err
}
