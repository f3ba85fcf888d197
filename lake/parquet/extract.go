package parquet

import (
	"context"
	"slices"

	"github.com/apache/arrow-go/v18/parquet/file"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/lake/integrity"
	"github.com/kalamlake/kalam/lake/keyindex"
)

// Keys decodes the whole file and returns the key of each row and how
// many are tombstones.
func (f *File) Keys(ctx context.Context, t *kalam.Table) (keys []keyindex.Entry, tombstones int64, err error) {
	plan, err := f.PlanFor(t)
	if err != nil {
		return nil, 0, err
	}
	keys = make([]keyindex.Entry, 0, f.Rows())
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
func (f *File) groupKeys(plan *Plan, group int, keys []keyindex.Entry) (_ []keyindex.Entry, tombstones int64,
	err error) {
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
		keep := i >= len(plan.columns) || plan.Table.IsKey(i)
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
		for _, k := range plan.Table.PrimaryKey {
			values[k] = kept[k][r]
		}
		keys = append(keys, keyindex.Entry{
			Key: datatype.EncodeKey(nil, plan.Table, values),
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
func (f *File) wholeColumn(g *file.RowGroupReader, c *plannedColumn, rows []int64,
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
