package engine

import (
	"context"
	"errors"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/lake"
)

var _ buffer.SegmentReader = segments{}

// segments reads segments for the buffer. A segment whose sidecar is lost gets a
// new one, made from its rows.
type segments struct{ e *Engine }

// Find returns the row position of each key, -1 where it is absent.
func (s segments) Find(ctx context.Context, seg *kalam.Segment, keys [][]byte) (rows []int64, err error) {
	err = s.withKeys(ctx, seg, func() (err error) {
		rows, err = s.e.lake.Find(ctx, seg, keys)
		return err
	})
	return rows, err
}

// ReadRows returns the rows at the positions.
func (s segments) ReadRows(ctx context.Context, t *kalam.Table, seg *kalam.Segment, rows []int64) (found []kalam.Row, err error) {
	err = s.withKeys(ctx, seg, func() (err error) {
		found, err = s.e.lake.ReadRows(ctx, t, seg, rows)
		return err
	})
	return found, err
}

// EachKey calls visit for every key of the segment.
func (s segments) EachKey(ctx context.Context, seg *kalam.Segment, visit func(lake.KeyRow) error) error {
	return s.withKeys(ctx, seg, func() error { return s.e.lake.EachKey(ctx, seg, visit) })
}

// withKeys runs read, and once more when it found that the sidecar is lost.
func (s segments) withKeys(ctx context.Context, seg *kalam.Segment, read func() error) error {
	err := read()
	if errors.Is(err, lake.ErrNoSidecar) {
		if err = s.rebuild(ctx, seg); err == nil {
			err = read()
		}
	}
	s.e.noteDamage(seg, err)
	return err
}

func (s segments) rebuild(ctx context.Context, seg *kalam.Segment) error {
	t, ok := s.e.catalog.TableVersion(seg.Table, seg.SchemaVersion)
	if !ok {
		return tableNotFound("of segment " + seg.Path)
	}
	s.e.log.Warn("the keys of a segment are lost; they are made anew from its rows", "table", t.ID.String(), "segment", seg.Path)
	return s.e.lake.Rebuild(ctx, t, seg)
}
