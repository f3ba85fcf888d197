package parquet

import (
	"context"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake/integrity"
)

// Summary is what the rows of a segment are.
type Summary struct {
	Tombstones *roaring.Bitmap
	Counts     map[kalam.ColumnID]int64 // The highest values in the columns that counters fill.
}

// Summarize reads which rows are tombstones and what counters have filled, and checks that
// every seq is within the range of seg. The footer was read.
func (f *File) Summarize(ctx context.Context, t *kalam.Table, seg *kalam.Segment) (Summary, error) {
	out := Summary{Tombstones: roaring.New(), Counts: map[kalam.ColumnID]int64{}}
	whole, err := f.PlanFor(t)
	if err != nil {
		return out, err
	}
	plan := &Plan{Table: &kalam.Table{}, seq: whole.seq, deleted: whole.deleted}
	var counted []kalam.ColumnID
	for i := range t.Columns {
		if c := &t.Columns[i]; c.IsCounted() && whole.columns[i].index >= 0 {
			counted = append(counted, c.ID)
			plan.columns = append(plan.columns, whole.columns[i])
		}
	}
	for group := range f.groups() {
		if err := ctx.Err(); err != nil {
			return out, context.Cause(ctx)
		}
		rows := make([]int64, f.rowStart[group+1]-f.rowStart[group])
		for i := range rows {
			rows[i] = int64(i)
		}
		cells, err := f.readCells(plan, group, rows, new(textArena))
		if err != nil {
			return out, err
		}
		for i := range rows {
			row := cells[i*(len(counted)+2):][:len(counted)+2]
			if seq := kalam.Seq(row[len(counted)].Int()); seq < seg.MinSeq || seq > seg.MaxSeq {
				return out, integrity.Corrupt(f.path, "row %d has the _seq %d, outside %d to %d",
					f.rowStart[group]+int64(i), seq, seg.MinSeq, seg.MaxSeq)
			}
			if row[len(counted)+1].Bool() {
				out.Tombstones.Add(uint32(f.rowStart[group] + int64(i)))
			}
			out.count(counted, row)
		}
	}
	return out, nil
}

// count notes the values of counted columns, which row begins with.
func (s *Summary) count(columns []kalam.ColumnID, row []kalam.Value) {
	for i, id := range columns {
		if v := row[i]; !v.IsNull() && v.Int() > s.Counts[id] {
			s.Counts[id] = v.Int()
		}
	}
}
