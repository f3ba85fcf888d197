package lake

import (
	"context"
	"fmt"
	"os"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake/integrity"
	"github.com/kalamlake/kalam/lake/keyindex"
)

// CheckOrder compares the _seq of every row of the written file with keys, which
// Commit will take: each key must lie in its row. A compaction calls it before
// Commit, because the rows were arranged by a query over several files, and a row
// in another place than its key says would be read, and deleted, as another one.
func (p *Pending) CheckOrder(ctx context.Context, keys []keyindex.Entry) error {
	want := make([]kalam.Seq, len(keys))
	for i := range keys {
		if int(keys[i].Row) >= len(keys) {
			return fmt.Errorf("segment %s: key %d is in row %d of %d", p.path, i, keys[i].Row, len(keys))
		}
		want[keys[i].Row] = keys[i].Seq
	}
	local, err := os.Open(p.parquet.LocalPath())
	if err != nil {
		return localError("open "+p.path, err)
	}
	defer local.Close() //nolint:errcheck // It was only read.
	info, err := local.Stat()
	if err != nil {
		return localError("open "+p.path, err)
	}
	f := &parquetFile{path: p.path, file: &localObject{local, info.Size()}}
	if err := f.readFooter(); err != nil {
		return err
	}
	if f.rows() != int64(len(keys)) {
		return integrity.Corrupt(f.path, "it has %d rows instead of %d", f.rows(), len(keys))
	}
	all, err := f.planFor(p.table)
	if err != nil {
		return err
	}
	plan := &columnPlan{table: p.table, seq: all.seq, deleted: all.deleted}
	for group := range len(f.rowStart) - 1 {
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
func (f *parquetFile) compareSeqs(plan *columnPlan, group int, want []kalam.Seq) (err error) {
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
