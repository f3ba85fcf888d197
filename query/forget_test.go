package query_test

import (
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query"
)

// TestForget is about the chunks of batches that are gone, D5: they go at once, and a
// query that reads such a batch still does not bring them back.
func TestForget(t *testing.T) {
	e := newEngine(t)
	schema := columnsOf(t, "id BIGINT")
	src := query.Source{Schema: schema}
	for i := range 3 {
		b := batchesOf(t, schema, [][]kalam.Value{row(big(int64(i)))}, 1)[0]
		b.ID = uint64(1_000_001 + i)
		src.Batches = append(src.Batches, b)
	}
	sources := map[string]query.Source{"t": src}
	ask := func() {
		t.Helper()
		if got := e.mustText(t, "SELECT sum(id) AS s FROM t", sources); got != "s BIGINT\n\"3\"" {
			t.Errorf("got %q", got)
		}
	}
	ask()
	ask() // A batch is kept from its second use on.
	kept := e.Stats().Chunks
	if kept < 3 {
		t.Fatalf("%d chunks are kept of three batches", kept)
	}
	e.Forget(1_000_002)
	if n := e.Stats().Chunks; n != kept-1 {
		t.Errorf("%d of %d chunks are left after one batch was forgotten", n, kept)
	}
	ask()
	ask()
	ask()
	if n := e.Stats().Chunks; n != kept-1 {
		t.Errorf("%d chunks instead of %d after queries that still had the batch", n, kept-1)
	}
	e.Forget(1_000_001)
	e.Forget(1_000_003)
	e.Forget(77) // Nobody knows it.
	if n := e.Stats().Chunks; n != kept-3 {
		t.Errorf("%d of %d chunks are left of forgotten batches", n, kept)
	}
}
