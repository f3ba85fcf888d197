package badger

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
)

// TestAllocationFails has the disk full for the allocation of files, on and off, under
// writes that make many tables and compactions: a write is refused with the code of a
// full disk or is there, also after the next start (case D3). It needs no small disk.
func TestAllocationFails(t *testing.T) {
	var full atomic.Bool
	real := fallocate
	fallocate = func(fd int, mode uint32, off, n int64) error {
		if full.Load() {
			return syscall.ENOSPC
		}
		return real(fd, mode, off, n)
	}
	o := Options{MemtableBytes: 1 << 20}
	dir := t.TempDir()
	b, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.CreateKeyspace(t.Context(), "p"); err != nil {
		t.Fatal(err)
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	model := map[string][]byte{}
	refused := 0
	for round := range 8 {
		full.Store(round%2 == 1)
		compacted := make(chan error, 1)
		go func() { compacted <- b.Compact(t.Context()) }()
		for range 300 {
			key, value := fmt.Appendf(nil, "key%04d", rng.IntN(2000)), bytes.Repeat([]byte{byte(rng.IntN(256))}, 12000)
			err := b.Apply(t.Context(), []buffer.Op{{Keyspace: "p", Key: key, Value: value}})
			if err == nil {
				model[string(key)] = value
			} else if refused++; kalam.CodeOf(err) != kalam.CodeResourceExhausted {
				t.Fatalf("write: %v", err)
			} else if full.Load() {
				break
			}
		}
		full.Store(false) // A compaction waits for room.
		if err := <-compacted; err != nil {
			t.Fatal(err)
		}
		compare(t, b, model)
	}
	if refused == 0 {
		t.Error("no write was refused")
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	fallocate = real // Nobody of b is left.
	if b, err = Open(dir, o); err != nil {
		t.Fatal(err)
	}
	compare(t, b, model)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
}

// compare reads all keys of keyspace p.
func compare(t *testing.T, b *Backend, model map[string][]byte) {
	t.Helper()
	found := 0
	err := b.Scan(t.Context(), "p", nil, nil, func(key, value []byte) error {
		if want, ok := model[string(key)]; !ok || !bytes.Equal(want, value) {
			return fmt.Errorf("%s is another", key)
		}
		found++
		return nil
	})
	if err != nil || found != len(model) {
		t.Fatalf("%d of %d keys, %v", found, len(model), err)
	}
}
