package lake_test

import (
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/lake/laketest"
)

// TestHold: while somebody needs all files of segments to stay, none goes in any way, and new ones are written.
func TestHold(t *testing.T) {
	ctx := t.Context()
	b := newBed(t, lake.Options{})
	seg := write(t, b.lake, notes(), "alice", noteRows(3, 0), laketest.ParquetOptions{})
	list, err := b.lake.Orphans(ctx, lake.OrphanQuery{
		Storage: kalam.LocalStorage, Age: lake.AnyAge, Known: func(string) bool { return false },
	})
	if err != nil || len(list.Orphans) != 2 {
		t.Fatalf("Orphans = %+v, %v", list, err)
	}
	none := func(string) bool { return false }
	first, second := b.lake.Hold(), b.lake.Hold()
	check := func(when string) {
		t.Helper()
		wantCode(t, "Remove "+when, b.lake.Remove(ctx, &seg), kalam.CodeConflict, "backup")
		_, err := b.lake.RemoveFolder(ctx, "", notes(), "alice", none)
		wantCode(t, "RemoveFolder "+when, err, kalam.CodeConflict, "backup")
		if moved, err := b.lake.Trash(ctx, list.Orphans[0], none); moved || err != nil {
			t.Errorf("Trash %s = %v, %v", when, moved, err)
		}
		if !b.lake.Held() {
			t.Errorf("nothing is held %s", when)
		}
		wantSegment(t, b.lake, notes(), seg, noteRows(3, 0))
	}
	check("while two hold")
	first()
	first() // It counts once.
	check("while one holds")
	write(t, b.lake, notes(), "bob", noteRows(3, 0), laketest.ParquetOptions{})
	second()
	if err := b.lake.Remove(ctx, &seg); err != nil || b.lake.Held() {
		t.Errorf("Remove afterwards = %v, held %v", err, b.lake.Held())
	}
}
