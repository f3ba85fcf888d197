package buffer_test

import (
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/buffer/memory"
)

// TestRecordSums (D2) adds checksums to the record of segments that have none, while a
// snapshot reads them: nothing else of the record changes, rows and delete vectors stay,
// and it is so after a restart. Sums that are known stay.
func TestRecordSums(t *testing.T) {
	table := notes(1)
	f := newFixture(t, memory.New(), buffer.Options{})
	ctx := t.Context()
	scope := table.ScopeOf("ann")
	seqs := f.apply(insert(table, "ann", 1, "one"), insert(table, "ann", 2, "two"))
	first := f.flush(table, "ann")
	f.apply(update(table, "ann", 1, "uno", seqs[0]))
	f.flush(table, "ann")
	before, err := f.store.ScopeRecord(ctx, scope)
	if err != nil {
		t.Fatal(err)
	}
	snap := f.snapshot(table, "ann")
	sums := kalam.SegmentSums{File: 1, Footer: 2, Keys: 3, KeysBytes: 4}
	other := kalam.SegmentSums{File: 9, KeysBytes: 9}
	for _, step := range []struct {
		id   kalam.SegmentID
		sums kalam.SegmentSums
	}{{first.ID, sums}, {first.ID, other}, {77, other}} {
		if err := f.store.RecordSums(ctx, table, scope, step.id, step.sums); err != nil {
			t.Fatal(err)
		}
	}
	f.apply(insert(table, "ann", 3, "three"))
	snap.Release()
	for range 2 {
		m, err := f.store.ScopeRecord(ctx, scope)
		if err != nil || len(m.Segments) != 2 {
			t.Fatalf("Manifest = %+v, %v", m, err)
		}
		if m.Version != before.Version || m.Watermark != before.Watermark || m.Segments[0].Sums != sums ||
			m.Segments[1].Sums.Known() {
			t.Errorf("Manifest = %+v, before %+v", m, before)
		}
		f.want(table, "ann", map[int64]string{1: "uno", 2: "two", 3: "three"})
		f.reopen()
	}
	f.flush(table, "ann")
	f.want(table, "ann", map[int64]string{1: "uno", 2: "two", 3: "three"})
}
