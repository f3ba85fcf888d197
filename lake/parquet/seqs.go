package parquet

import (
	"context"
	"fmt"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake/integrity"
)

// CheckSeqs compares the seq of each row with want. The footer was read.
func (f *File) CheckSeqs(ctx context.Context, t *kalam.Table, want []kalam.Seq) error {
	if f.Rows() != int64(len(want)) {
		return integrity.Corrupt(f.path, "it has %d rows instead of %d", f.Rows(), len(want))
	}
	all, err := f.PlanFor(t)
	if err != nil {
		return err
	}
	plan := &Plan{Table: t, seq: all.seq, deleted: all.deleted}
	for group := range f.groups() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := f.compareSeqs(plan, group, want[f.rowStart[group]:f.rowStart[group+1]]); err != nil {
			return err
		}
	}
	return nil
}

// compareSeqs compares the seqs of a row group with want.
func (f *File) compareSeqs(plan *Plan, group int, want []kalam.Seq) (err error) {
	defer recoverDamage(f.path, &err)
	rows := make([]int64, len(want))
	for i := range rows {
		rows[i] = int64(i)
	}
	var buf []byte
	s, err := f.readSpan(plan, group, &buf)
	if err != nil {
		return err
	}
	reader, err := f.newReader(s)
	if err != nil {
		return integrity.Corrupt(f.path, "%w", err)
	}
	cells, err := f.wholeColumn(reader.RowGroup(group), &plan.seq, rows, true)
	if err != nil {
		return integrity.Corrupt(f.path, "_seq of row group %d: %w", group, err)
	}
	for i := range cells {
		if cells[i].IsNull() || kalam.Seq(cells[i].Int()) != want[i] {
			return integrity.Corrupt(f.path, "row %d has the _seq %s instead of %d",
				f.rowStart[group]+int64(i), seqText(cells[i]), want[i])
		}
	}
	return nil
}

func seqText(v kalam.Value) string {
	if v.IsNull() {
		return "NULL"
	}
	return fmt.Sprint(v.Int())
}
