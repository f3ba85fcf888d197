package badger_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/buffer/badger"
	"github.com/kalamlake/kalam/buffer/buffertest"
)

// holders returns the files of a directory that hold text.
func holders(t *testing.T, dir, text string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, "ReadDir", err)
	for _, e := range entries {
		raw, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if os.IsNotExist(err) {
			continue
		}
		must(t, "ReadFile", err)
		if bytes.Contains(raw, []byte(text)) {
			names = append(names, e.Name())
		}
	}
	return names
}

// TestPurge deletes and overwrites values of every length, in a new directory and in one
// that was used before: after Purge no file holds them, and what is left is whole, also
// after a start. Case D8.
func TestPurge(t *testing.T) {
	for _, used := range []int{0, 1, 3, 8} { // Tables that are there before.
		t.Run(fmt.Sprintf("used=%d", used), func(t *testing.T) {
			dir := t.TempDir()
			o := badger.Options{MemtableBytes: 2 << 20}
			b := open(t, dir, o)
			must(t, "CreateKeyspace", b.CreateKeyspace(t.Context(), part))
			for i := range used * 20 {
				must(t, "Put", buffertest.Put(t.Context(), b, part, fmt.Appendf(nil, "before-%03d", i),
					valueOf(i, 20_000)))
			}
			const canary = "canary-5f1c9e"
			sizes := []int{20, 5_000, 40_000, 900_000}
			for i, size := range sizes {
				gone := append([]byte(canary), valueOf(i, size)...)
				must(t, "Put", buffertest.Put(t.Context(), b, part, fmt.Appendf(nil, "deleted-%d", i), gone))
				must(t, "Put", buffertest.Put(t.Context(), b, part, fmt.Appendf(nil, "replaced-%d", i), gone))
				must(t, "Put", buffertest.Put(t.Context(), b, part, fmt.Appendf(nil, "kept-%d", i), valueOf(i, size)))
			}
			for i, size := range sizes {
				must(t, "Delete", buffertest.Delete(t.Context(), b, part, fmt.Appendf(nil, "deleted-%d", i)))
				must(t, "Put", buffertest.Put(t.Context(), b, part, fmt.Appendf(nil, "replaced-%d", i),
					valueOf(i, size)))
			}
			if len(holders(t, dir, canary)) == 0 {
				t.Fatal("no file holds the deleted values before: the test shows nothing")
			}
			must(t, "Purge", b.Purge(t.Context()))
			for end := time.Now().Add(5 * time.Second); len(holders(t, dir,
				canary)) > 0; <-time.After(5 * time.Millisecond) {
				if time.Now().After(end) {
					t.Fatalf("deleted values are in %v", holders(t, dir, canary))
				}
			}
			check := func(when string, b *badger.Backend) {
				t.Helper()
				for i, size := range sizes {
					for _, key := range []string{"kept", "replaced"} {
						v, err := b.Get(t.Context(), part, fmt.Appendf(nil, "%s-%d", key, i))
						if err != nil || !bytes.Equal(v, valueOf(i, size)) {
							t.Errorf("%s, %s-%d: %d bytes, %v", when, key, i, len(v), err)
						}
					}
					_, err := b.Get(t.Context(), part, fmt.Appendf(nil, "deleted-%d", i))
					if err == nil {
						t.Errorf("%s, deleted-%d is there", when, i)
					}
				}
				for i := range used * 20 {
					v, err := b.Get(t.Context(), part, fmt.Appendf(nil, "before-%03d", i))
					if err != nil || !bytes.Equal(v, valueOf(i, 20_000)) {
						t.Errorf("%s, before-%03d: %d bytes, %v", when, i, len(v), err)
					}
				}
			}
			check("after it", b)
			must(t, "Close", b.Close())
			check("after a start", open(t, dir, o))
		})
	}
}

// TestPurgeBesideWriters purges several times at once while others write: each of the
// callers finds its own deletion done, and nothing is lost. Case D8.
func TestPurgeBesideWriters(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir, badger.Options{MemtableBytes: 2 << 20})
	must(t, "CreateKeyspace", b.CreateKeyspace(t.Context(), part))
	stop := make(chan struct{})
	var writers, callers sync.WaitGroup
	written := 0
	writers.Go(func() {
		for ; ; written++ {
			select {
			case <-stop:
				return
			default:
			}
			op := buffer.Op{Keyspace: part, Key: fmt.Appendf(nil, "w-%06d", written), Value: valueOf(written, 3_000)}
			if err := b.Apply(t.Context(), []buffer.Op{op}); err != nil {
				t.Errorf("Apply: %v", err)
				return
			}
		}
	})
	for i := range 4 {
		callers.Go(func() {
			canary := fmt.Sprintf("canary-%d-77d0", i)
			key := []byte(canary[:8])
			if err := buffertest.Put(t.Context(), b, part, key, []byte(canary)); err != nil {
				t.Errorf("Put: %v", err)
			}
			if err := buffertest.Delete(t.Context(), b, part, key); err != nil {
				t.Errorf("Delete: %v", err)
			}
			if err := b.Purge(t.Context()); err != nil {
				t.Errorf("Purge: %v", err)
			}
			if names := holders(t, dir, canary); len(names) > 0 {
				t.Errorf("caller %d: the deleted value is in %v", i, names)
			}
		})
	}
	callers.Wait()
	close(stop)
	writers.Wait()
	for i := range written {
		v, err := b.Get(t.Context(), part, fmt.Appendf(nil, "w-%06d", i))
		if err != nil || !bytes.Equal(v, valueOf(i, 3_000)) {
			t.Fatalf("value %d of %d: %d bytes, %v", i, written, len(v), err)
		}
	}
	t.Logf("%d values were written", written)
}
