package lake

import (
	"context"
	"errors"

	"github.com/kalamlake/kalam"
)

// maxChecked bounds how many segments are remembered as checked, and as removed.
const maxChecked = 1 << 16

// checkOnce compares every byte of a segment's Parquet file with its checksums
// before it is read for the first time since the start, because DuckDB, which
// reads it, has none. Files are never changed, so once is enough; files that this
// process wrote were checked then. Without its sidecar a file has no checksums
// and passes.
func (l *Lake) checkOnce(ctx context.Context, at *location, seg *kalam.Segment) error {
	k := objectKey{at.ID, seg.Path}
	if l.checked.Contains(k) {
		return nil
	}
	// Whoever comes second waits for the first, also when that one gives up.
	_, err, _ := l.checking.Do(string(k.storage)+"\x00"+k.path, func() (any, error) {
		if l.checked.Contains(k) {
			return nil, nil
		}
		return nil, l.check(context.WithoutCancel(ctx), at, seg)
	})
	if err != nil {
		return err
	}
	l.checked.Add(k, struct{}{})
	return nil
}

func (l *Lake) check(ctx context.Context, at *location, seg *kalam.Segment) (err error) {
	s, err := openSidecar(ctx, at, seg)
	if errors.Is(err, ErrNoSidecar) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	object, err := at.Storage.Open(ctx, seg.Path)
	if err != nil {
		return missingIsCorrupt(seg.Path, err)
	}
	defer func() { err = errors.Join(err, object.Close()) }()
	f := &parquetFile{path: seg.Path, file: object, sums: s.sums, sumBlock: int64(s.sumBlock)}
	if err := f.open(seg); err != nil {
		return err
	}
	return f.scrub(ctx)
}
