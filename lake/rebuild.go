package lake

import (
	"bytes"
	"context"
	"errors"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake/integrity"
	"github.com/kalamlake/kalam/lake/keyindex"
	"github.com/kalamlake/kalam/lake/layout"
)

// Rebuild writes the key index file of seg anew from its Parquet file, for one that is
// missing or damaged. The new key index file vouches for the bytes as they are now, so they
// are compared with the checksum of the record before. Every column of t is decoded,
// and rows, seqs, tombstones and the range of the keys are compared, too: of a segment
// of an early version, whose record has no checksum, damage that none of this shows,
// as within a number, is sealed. A damaged Parquet file gives CodeCorrupt and changes
// nothing.
func (l *Lake) Rebuild(ctx context.Context, t *kalam.Table, seg *kalam.Segment) (err error) {
	at, err := l.location(seg.Storage)
	if err != nil {
		return err
	}
	f, closeFile, err := l.openWhole(ctx, seg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeFile()) }()
	if err := f.CheckSums(ctx, seg); err != nil {
		return err
	}
	keys, tombstones, err := f.Keys(ctx, t)
	if err != nil {
		return err
	}
	if tombstones != seg.Tombstones {
		return integrity.Corrupt(seg.Path, "it has %d tombstones instead of %d", tombstones, seg.Tombstones)
	}
	if low, high := seqRange(keys); low != seg.MinSeq || high != seg.MaxSeq {
		return integrity.Corrupt(seg.Path, "its seqs are %d to %d instead of %d to %d", low, high, seg.MinSeq,
			seg.MaxSeq)
	}
	if keys, err = keyindex.Prepare(keys, seg.Rows, seg.MinSeq, seg.MaxSeq); err != nil {
		return integrity.Corrupt(seg.Path, "%w", err)
	}
	if len(keys) == 0 || !bytes.Equal(keys[0].Key, seg.MinKey) || !bytes.Equal(keys[len(keys)-1].Key, seg.MaxKey) {
		return integrity.Corrupt(seg.Path, "its keys are not those of the manifest")
	}
	content, sums, err := keyindex.Encode(seg, keys, f.Checksums())
	if err != nil {
		return err
	}
	if seg.Sums.Known() && (sums.Keys != seg.Sums.Keys || sums.KeysBytes != seg.Sums.KeysBytes) {
		return integrity.Corrupt(seg.Path, "its keys are not those of the record")
	}
	if err := at.Storage.Replace(ctx, layout.KeyIndexPath(seg.Path), content); err != nil {
		return err
	}
	l.forget(at.ID, seg.Path)
	return nil
}

// seqRange returns the lowest and the highest seq of keys.
func seqRange(keys []keyindex.Entry) (low, high kalam.Seq) {
	for i := range keys {
		if i == 0 || keys[i].Seq < low {
			low = keys[i].Seq
		}
		high = max(high, keys[i].Seq)
	}
	return low, high
}
