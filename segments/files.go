package segments

import (
	"context"
	"errors"
	"io"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake"
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
