package lake

import (
	"context"
	"fmt"
	"os"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake/integrity"
	"github.com/kalamlake/kalam/lake/keyindex"
	"github.com/kalamlake/kalam/lake/parquet"
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
	f := parquet.New(p.path, &localObject{local, info.Size()}, integrity.Blocks{})
	if err := f.ReadFooter(); err != nil {
		return err
	}
	return f.CheckSeqs(ctx, p.table, want)
}
