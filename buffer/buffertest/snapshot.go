package buffertest

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kalamlake/kalam/buffer"
)

// testSnapshot changes everything under a snapshot, which must not show it: small and large values, and keyspaces.
func testSnapshot(t *testing.T, b buffer.Backend) {
	ctx := t.Context()
	value := func(i, round int) []byte {
		size := 100
		if i%3 == 0 {
			size = 40 << 10 // What Badger's backend keeps in files of their own.
		}
		return bytes.Repeat([]byte{byte('a' + round)}, size+i)
	}
	fill := func(round int) {
		for i := range 60 {
			put(t, b, fmt.Sprintf("k%02d", i), string(value(i, round)))
		}
	}
	fill(0)
	must(t, "CreateKeyspace", b.CreateKeyspace(ctx, "sys_gone"))
	must(t, "Put", Put(ctx, b, "sys_gone", []byte("k"), []byte("v")))
	want, gone := content(t, b, part, nil, nil), content(t, b, "sys_gone", nil, nil)
	s, err := b.Snapshot(ctx)
	must(t, "Snapshot", err)
	defer s.Close()
	fill(1)
	for i := range 30 {
		must(t, "Apply", b.Apply(ctx, []buffer.Op{{Keyspace: part, Key: fmt.Appendf(nil, "k%02d", i), Delete: true}}))
	}
	must(t, "DropKeyspace", b.DropKeyspace(ctx, "sys_gone"))
	must(t, "CreateKeyspace", b.CreateKeyspace(ctx, "sys_new"))
	if diff := cmp.Diff([]string{"sys_gone", part}, s.Keyspaces()); diff != "" {
		t.Errorf("Keyspaces (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, content(t, s, part, nil, nil)); diff != "" {
		t.Error("the snapshot shows what was written after it")
	}
	if diff := cmp.Diff(gone, content(t, s, "sys_gone", nil, nil)); diff != "" {
		t.Errorf("of a keyspace that was dropped since (-want +got):\n%s", diff)
	}
	wantIs(t, "Scan of a later keyspace", s.Scan(ctx, "sys_new", nil, nil, nil), buffer.ErrKeyspaceNotFound)
	got, err := s.Get(ctx, part, []byte("k03"))
	must(t, "Get", err)
	if !bytes.Equal(got, value(3, 0)) {
		t.Errorf("Get gave a value of %d bytes, want the one before", len(got))
	}
	s.Close()
	s.Close()
	if n := len(content(t, b, part, nil, nil)); n != 30 {
		t.Errorf("%d keys after the snapshot, want 30", n)
	}
}
