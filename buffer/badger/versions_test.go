package badger_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/kalamlake/kalam/buffer/badger"
	"github.com/kalamlake/kalam/buffer/buffertest"
)

// TestVersions: what was overwritten or deleted is counted until Purge, then nothing of it is left,
// neither a value nor a deletion, and keys outside of the range are never counted. Case D8.
func TestVersions(t *testing.T) {
	b := open(t, t.TempDir(), badger.Options{MemtableBytes: 2 << 20})
	must(t, "CreateKeyspace", b.CreateKeyspace(t.Context(), part))
	for round := range 3 {
		for i := range 40 {
			must(t, "Put", buffertest.Put(t.Context(), b, part, fmt.Appendf(nil, "b-%02d", i),
				bytes.Repeat([]byte{byte(round)}, 100+i*2_000)))
		}
	}
	must(t, "Put", buffertest.Put(t.Context(), b, part, []byte("a"), []byte("before")))
	must(t, "Put", buffertest.Put(t.Context(), b, part, []byte("c"), []byte("after")))
	for i := range 20 {
		must(t, "Delete", buffertest.Delete(t.Context(), b, part, fmt.Appendf(nil, "b-%02d", i)))
	}
	count := func() (int, int) {
		values, deletions, err := b.Versions(t.Context(), part, []byte("b"), []byte("c"))
		must(t, "Versions", err)
		return values, deletions
	}
	if values, deletions := count(); values < 60 || deletions != 20 {
		t.Errorf("before: %d values and %d deletions", values, deletions)
	}
	must(t, "Purge", b.Purge(t.Context()))
	if values, deletions := count(); values != 20 || deletions != 0 {
		t.Errorf("after: %d values and %d deletions, want 20 and 0", values, deletions)
	}
	for i := 20; i < 40; i++ {
		must(t, "Delete", buffertest.Delete(t.Context(), b, part, fmt.Appendf(nil, "b-%02d", i)))
	}
	must(t, "Purge", b.Purge(t.Context()))
	if values, deletions := count(); values != 0 || deletions != 0 {
		t.Errorf("after all were deleted: %d values and %d deletions", values, deletions)
	}
	if values, _, err := b.Versions(t.Context(), part, nil, nil); err != nil || values != 2 {
		t.Errorf("of the keyspace: %d values, %v, want 2", values, err)
	}
}
