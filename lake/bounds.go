package lake

import (
	"context"
	"errors"
	"os"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake/integrity"
	"github.com/kalamlake/kalam/lake/parquet"
)

// boundsBytes bounds the memory of the bounds of segments that are kept.
const boundsBytes = 16 << 20

// Bounds returns the bounds of the segment, which are kept for the next reader. The file
// is not read again for them as long as they are; what they say is of the file that
// LocalPath has checked.
func (f *LocalFile) Bounds(ctx context.Context) (*parquet.Bounds, error) {
	l := f.lake
	h, err := l.bounds.acquire(ctx, objectKey{f.at.ID, f.segment.Path}, func() (*parquet.Bounds, int64, error) {
		b, err := readBounds(&f.segment, f.Name)
		if err != nil {
			return nil, 0, err
		}
		return b, b.Memory(), nil
	})
	if err != nil {
		return nil, err
	}
	defer l.bounds.release(h)
	return h.value, nil
}

// readBounds reads the footer of a local file, which is that of seg.
func readBounds(seg *kalam.Segment, name string) (_ *parquet.Bounds, err error) {
	local, err := os.Open(name)
	if err != nil {
		return nil, localMissing(seg.Path, err)
	}
	defer func() { err = errors.Join(err, local.Close()) }()
	info, err := local.Stat()
	if err != nil {
		return nil, localError("open "+seg.Path, err)
	}
	f := parquet.New(seg.Path, &localObject{local, info.Size()}, integrity.Blocks{})
	if err := f.Open(seg); err != nil {
		return nil, err
	}
	return f.Bounds()
}
