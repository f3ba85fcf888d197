package lake

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"github.com/apache/arrow-go/v18/parquet/file"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
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
	object, err := at.Storage.Open(ctx, seg.Path)
	if err != nil {
		return missingIsCorrupt(seg.Path, err)
	}
	defer func() { err = errors.Join(err, object.Close()) }()
	f := &parquetFile{path: seg.Path, file: object}
	if err := f.checkSums(ctx, seg); err != nil {
		return err
	}
	keys, tombstones, err := f.extractKeys(ctx, t)
	if err != nil {
		return err
	}
	if tombstones != seg.Tombstones {
		return integrity.Corrupt(seg.Path, "it has %d tombstones instead of %d", tombstones, seg.Tombstones)
	}
	if low, high := seqRange(keys); low != seg.MinSeq || high != seg.MaxSeq {
		return integrity.Corrupt(seg.Path, "its seqs are %d to %d instead of %d to %d", low, high, seg.MinSeq, seg.MaxSeq)
	}
	if keys, err = keyindex.Prepare(keys, seg.Rows, seg.MinSeq, seg.MaxSeq); err != nil {
		return integrity.Corrupt(seg.Path, "%w", err)
	}
	if len(keys) == 0 || !bytes.Equal(keys[0].Key, seg.MinKey) || !bytes.Equal(keys[len(keys)-1].Key, seg.MaxKey) {
		return integrity.Corrupt(seg.Path, "its keys are not those of the manifest")
	}
	content, sums, err := encodeKeyIndex(seg, keys, f.sums)
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

// encodeKeyIndex returns the content of the key index file of seg, and its sums; sums are those
// of the Parquet file.
func encodeKeyIndex(seg *kalam.Segment, keys []keyindex.Entry, sums integrity.Blocks) (content []byte, made kalam.SegmentSums, err error) {
	var b bytes.Buffer
	made.File = sums.Sum()
	made.Keys, made.KeysBytes, err = keyindex.Write(&b, &keyindex.Contents{
		Table: seg.Table, Keys: keys, ParquetBytes: seg.Bytes, ParquetRows: seg.Rows, Parquet: sums,
	})
	return b.Bytes(), made, err
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

// extractKeys decodes the whole file and returns the key of each row and how
// many are tombstones.
func (f *parquetFile) extractKeys(ctx context.Context, t *kalam.Table) (keys []keyindex.Entry, tombstones int64, err error) {
	plan, err := f.planFor(t)
	if err != nil {
		return nil, 0, err
	}
	keys = make([]keyindex.Entry, 0, f.rows())
	for group := range len(f.rowStart) - 1 {
		if err := ctx.Err(); err != nil {
			return nil, 0, err
		}
		var n int64
		if keys, n, err = f.groupKeys(plan, group, keys); err != nil {
			return nil, 0, err
		}
		tombstones += n
	}
	return keys, tombstones, nil
}

// groupKeys appends the keys of one row group, decoding column by column, and
// counts its tombstones.
func (f *parquetFile) groupKeys(plan *columnPlan, group int, keys []keyindex.Entry) (_ []keyindex.Entry, tombstones int64, err error) {
	defer recoverDamage(f.path, &err)
	n := int(f.rowStart[group+1] - f.rowStart[group])
	rows := make([]int64, n)
	for i := range rows {
		rows[i] = int64(i)
	}
	var buf []byte
	s, err := f.readSpan(plan, group, &buf)
	if err != nil {
		return nil, 0, err
	}
	reader, err := f.newReader(s)
	if err != nil {
		return nil, 0, integrity.Corrupt(f.path, "%w", err)
	}
	g := reader.RowGroup(group)
	kept := make(map[int][]kalam.Value) // key columns, _seq and _deleted
	for i := range len(plan.columns) + 2 {
		keep := i >= len(plan.columns) || plan.table.IsKey(i)
		cells, err := f.wholeColumn(g, plan.at(i), rows, keep)
		if err != nil {
			return nil, 0, integrity.Corrupt(f.path, "column %d of row group %d: %w", i, group, err)
		}
		if keep {
			if slices.ContainsFunc(cells, kalam.Value.IsNull) {
				return nil, 0, integrity.Corrupt(f.path, "column %d of row group %d has a NULL", i, group)
			}
			kept[i] = cells
		}
	}
	values := make([]kalam.Value, len(plan.columns))
	for r := range rows {
		for _, k := range plan.table.PrimaryKey {
			values[k] = kept[k][r]
		}
		keys = append(keys, keyindex.Entry{
			Key: datatype.EncodeKey(nil, plan.table, values),
			Row: uint32(f.rowStart[group] + int64(r)),
			Seq: kalam.Seq(kept[len(plan.columns)][r].Int()),
		})
		if kept[len(plan.columns)+1][r].Bool() {
			tombstones++
		}
	}
	return keys, tombstones, nil
}

// wholeColumn decodes all cells of a column and returns them if they are to be
// kept.
func (f *parquetFile) wholeColumn(g *file.RowGroupReader, c *plannedColumn, rows []int64,
	keep bool) ([]kalam.Value, error) {
	if !keep {
		if c.index < 0 {
			return nil, nil
		}
		var last [1]kalam.Value // each cell takes the place of the one before
		return nil, f.readColumn(g, c, rows, new(textArena), last[:], 0)
	}
	cells := make([]kalam.Value, len(rows))
	if c.index < 0 {
		for i := range cells {
			cells[i] = c.missing
		}
		return cells, nil
	}
	return cells, f.readColumn(g, c, rows, new(textArena), cells, 1)
}
