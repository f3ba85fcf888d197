package badger

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/kalamlake/kalam/buffer"
)

// TestSyncFollowsTheLogs fills many memtables: after every batch the newest log
// of the directory is the one that was synced.
func TestSyncFollowsTheLogs(t *testing.T) {
	b, err := Open(t.TempDir(), Options{MemtableBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}()
	if err := b.CreateKeyspace(context.Background(), "p"); err != nil {
		t.Fatal(err)
	}
	first := b.logs.id
	for i := range 2000 {
		op := buffer.Op{Keyspace: "p", Key: fmt.Appendf(nil, "%08d", i), Value: make([]byte, 8<<10)}
		if err := b.Apply(context.Background(), []buffer.Op{op}); err != nil {
			t.Fatal(err)
		}
		newest, _, err := findNewestLog(b.dir)
		if err != nil {
			t.Fatal(err)
		}
		if b.logs.id != newest {
			t.Fatalf("after batch %d log %d is synced, the newest is %d", i, b.logs.id, newest)
		}
	}
	if b.logs.id < first+5 {
		t.Errorf("only %d logs were begun", b.logs.id-first)
	}
	// As if several logs had come and gone between two batches.
	gone := filepath.Join(b.dir, "gone")
	if err := os.WriteFile(gone, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(gone, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(gone); err != nil {
		t.Fatal(err)
	}
	newest := b.logs.id
	if err := b.logs.file.Close(); err != nil {
		t.Fatal(err)
	}
	b.logs.id, b.logs.file = first-10, f
	if err := b.logs.sync(false); err != nil || b.logs.id != newest {
		t.Errorf("log %d is synced, want %d (%v)", b.logs.id, newest, err)
	}
}
