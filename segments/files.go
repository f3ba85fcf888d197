package segments

import (
	"context"
	"errors"
	"io"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/query"
)

// Files are the Parquet files that a query or a copy reads. The zero value has none. Files
// must not be used from two goroutines at a time.
type Files []*lake.LocalFile

// Lend adds the file of a segment, which was checked, and returns its name. It may be
// read until Release.
func (fs *Files) Lend(ctx context.Context, r *Reader, seg *kalam.Segment) (name string, err error) {
	err = r.withKeys(ctx, seg, func() error {
		f, err := r.lake.LocalPath(ctx, seg)
		if err == nil {
			name, *fs = f.Name, append(*fs, f)
		}
		return err
	})
	return name, err
}

// Prefetch has what Lend will be asked for brought here side by side, where it costs round trips.
func (r *Reader) Prefetch(ctx context.Context, segments []*kalam.Segment) {
	r.lake.Prefetch(ctx, segments)
}

// Bounds returns what tells the bounds of the file that was lent last, which is that of
// seg; nil if they cannot be told. It may be called until Release.
func (fs Files) Bounds(ctx context.Context, r *Reader, seg *kalam.Segment) func() query.Bounds {
	f := fs[len(fs)-1]
	return func() query.Bounds {
		b, err := f.Bounds(ctx)
		if err != nil {
			r.NoteDamage(seg, err) // Whoever reads the file finds out by itself.
			return nil
		}
		return b
	}
}

// Changed returns an error with CodeCorrupt if a file is not what was checked when it
// was lent, so that what was read of it, or the error of the reading, err, means
// nothing.
func (fs Files) Changed(ctx context.Context, err error) error {
	if err != nil && !errors.Is(err, io.EOF) && ctx.Err() != nil {
		return nil //nolint:nilerr // The caller has err, which is the end of its context.
	}
	for _, f := range fs {
		if err := f.Unchanged(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Release gives all files back.
func (fs *Files) Release() {
	for _, f := range *fs {
		f.Release()
	}
	*fs = nil
}
