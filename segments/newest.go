package segments

import (
	"bytes"
	"context"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/kalamlake/kalam/buffer"
)

// Newest returns, by segment, the rows with the flushed version of each key that the log of a view has a version of.
// They count as long as one goes by what was flushed, unless they are tombstones, although a compaction may have noted
// them as dead. The newest segment that has a key has its newest version.
func (r *Reader) Newest(ctx context.Context, v *buffer.View) ([]*roaring.Bitmap, error) {
	stored := v.Stored()
	rows := make([]*roaring.Bitmap, len(stored))
	var keys [][]byte
	for version, err := range v.Versions() {
		if err != nil {
			return nil, err
		}
		keys = append(keys, version.Key)
	}
	slices.SortFunc(keys, bytes.Compare)
	for i := len(stored) - 1; i >= 0; i-- {
		rows[i] = roaring.New()
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if len(keys) == 0 {
			continue
		}
		found, err := r.Find(ctx, stored[i].Segment, keys)
		if err != nil {
			return nil, err
		}
		var left [][]byte
		for k, row := range found {
			if row < 0 {
				left = append(left, keys[k])
			} else {
				rows[i].Add(uint32(row))
			}
		}
		keys = left
	}
	return rows, nil
}
