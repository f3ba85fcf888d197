package engine

import (
	"context"
	"errors"
	"io"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake"
)

// lentFiles are the Parquet files that a query reads.
type lentFiles []*lake.LocalFile

// lend adds the file of a segment, which was checked, and returns its name.
func (l *lentFiles) lend(ctx context.Context, e *Engine, seg *kalam.Segment) (name string, err error) {
	err = segments{e}.withKeys(ctx, seg, func() error {
		f, err := e.lake.LocalPath(ctx, seg)
		if err == nil {
			name, *l = f.Name, append(*l, f)
		}
		return err
	})
	return name, err
}

// changed returns an error with CodeCorrupt if a file is not what was checked when it
// was lent, so that what was read of it, or the error of the reading, err, means
// nothing.
func (l lentFiles) changed(ctx context.Context, err error) error {
	if err != nil && !errors.Is(err, io.EOF) && ctx.Err() != nil {
		return nil
	}
	for _, f := range l {
		if err := f.Unchanged(ctx); err != nil {
			return err
		}
	}
	return nil
}

// release gives all files back.
func (l *lentFiles) release() {
	for _, f := range *l {
		f.Release()
	}
	*l = nil
}
