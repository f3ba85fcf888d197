package lake

import (
	"context"
	"errors"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake/integrity"
	"github.com/kalamlake/kalam/lake/parquet"
)

// Verify checks that both files of a segment exist, have their sizes, begin and
// end as they should, that their footers are whole, and that they are those that the
// record describes: some reads, however large the segment is. Damage gives CodeCorrupt
// naming the file; a missing key index file also ErrNoKeyIndex.
func (l *Lake) Verify(ctx context.Context, seg *kalam.Segment) error {
	_, err := l.verify(ctx, seg, false, nil)
	return err
}

// Scrub is Verify and checks every byte of both files against its checksum. It
// returns the sums of a segment that the record does not know yet, those of the record
// otherwise. pace may be nil.
func (l *Lake) Scrub(ctx context.Context, seg *kalam.Segment, pace integrity.Pace) (kalam.SegmentSums, error) {
	return l.verify(ctx, seg, true, pace)
}

// verify opens the files anew: what is cached may be older than the damage. The
// Parquet file is looked at also without key index file, to tell which of them is lost.
func (l *Lake) verify(ctx context.Context, seg *kalam.Segment, deep bool,
	pace integrity.Pace) (sums kalam.SegmentSums, err error) {
	at, err := l.location(seg.Storage)
	if err != nil {
		return sums, err
	}
	s, keyIndexErr := OpenKeyIndex(ctx, at.Storage, seg)
	if keyIndexErr == nil {
		defer func() { err = errors.Join(err, s.Close()) }()
		keyIndexErr = s.CheckHead()
	}
	object, err := at.Storage.Open(ctx, seg.Path)
	if err != nil {
		return sums, errors.Join(MissingIsCorrupt(seg.Path, err), keyIndexErr)
	}
	defer func() { err = errors.Join(err, object.Close()) }()
	var blocks integrity.Blocks
	if s != nil {
		blocks = s.Checksums()
	}
	f := parquet.New(seg.Path, object, blocks)
	err = f.Open(seg)
	if err == nil {
		err = f.CheckHead()
	}
	if err != nil || !deep {
		return sums, errors.Join(err, keyIndexErr)
	}
	if s == nil { // It can still be told whether the file is whole.
		return sums, errors.Join(f.CheckSums(ctx, seg), keyIndexErr)
	}
	keysSum, keysErr := s.Scrub(ctx, seg, pace)
	sums = kalam.SegmentSums{File: f.Checksums().Sum(), Footer: f.FooterChecksum(), Keys: keysSum, KeysBytes: s.Size()}
	return sums, errors.Join(f.Scrub(ctx, pace), keysErr, keyIndexErr)
}

// ScrubParquet is Scrub of the Parquet file alone, which is compared with the checksum of the record.
func (l *Lake) ScrubParquet(ctx context.Context, seg *kalam.Segment) (err error) {
	f, closeFile, err := l.openWhole(ctx, seg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeFile()) }()
	if err := f.Open(seg); err != nil {
		return err
	}
	return f.CheckSums(ctx, seg)
}

// openWhole opens the Parquet file of seg as it lies in its storage, without the cache and without checksums of its
// blocks: for who reads all of it and compares it with the record. The caller closes it.
func (l *Lake) openWhole(ctx context.Context, seg *kalam.Segment) (f *parquet.File, closeFile func() error, err error) {
	at, err := l.location(seg.Storage)
	if err != nil {
		return nil, nil, err
	}
	object, err := at.Storage.Open(ctx, seg.Path)
	if err != nil {
		return nil, nil, MissingIsCorrupt(seg.Path, err)
	}
	return parquet.New(seg.Path, object, integrity.Blocks{}), object.Close, nil
}
