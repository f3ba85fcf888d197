package lake_test

import (
	"slices"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/lake/laketest"
)

// TestCheckOrder writes a file over several row groups and checks it against key
// lists that are right and wrong.
func TestCheckOrder(t *testing.T) {
	b := newBed(t, lake.Options{})
	ctx := t.Context()
	rows := noteRows(5000, 0)
	p, err := b.lake.NewSegment(ctx, notes(), "alice", rows[len(rows)-1].Seq)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := laketest.WriteParquet(p.LocalTemp(), notes(), rows, laketest.ParquetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.CheckOrder(ctx, keys); err != nil {
		t.Errorf("the right order: %v", err)
	}
	swapped := slices.Clone(keys)
	swapped[3000].Row, swapped[3001].Row = swapped[3001].Row, swapped[3000].Row
	wantCode(t, "two rows swapped", p.CheckOrder(ctx, swapped), kalam.CodeCorrupt, "row 3000")
	wantCode(t, "a row less", p.CheckOrder(ctx, keys[:4999]), kalam.CodeCorrupt, "5000 rows instead of 4999")
	outside := slices.Clone(keys)
	outside[7].Row = 5000
	if err := p.CheckOrder(ctx, outside); err == nil {
		t.Error("a row that is not there")
	}
	seg, err := p.Commit(ctx, keys, metaOf(rows))
	if err != nil {
		t.Fatal(err)
	}
	wantSegment(t, b.lake, notes(), seg, rows)
}
