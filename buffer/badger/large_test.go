package badger_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/buffer/badger"
	"github.com/kalamlake/kalam/buffer/buffertest"
)

// largeFiles returns the files of large values.
func largeFiles(t *testing.T, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.large"))
	must(t, "Glob", err)
	return names
}

// TestLargeValuesComeAndGo replaces and deletes large values and checks that their
// files go when nothing refers to them, and not before a reader has ended.
func TestLargeValuesComeAndGo(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir, badger.Options{})
	must(t, "CreateKeyspace", b.CreateKeyspace(t.Context(), part))
	if n := len(largeFiles(t, dir)); n != 0 {
		t.Errorf("%d files before the first large value", n)
	}
	const size = 16 << 20
	set := func(key string, i int) {
		must(t, "Put", buffertest.Put(t.Context(), b, part, []byte(key), big(i, size)))
	}
	for i := range 5 { // The file is full after four.
		set(fmt.Sprint("k", i), i)
	}
	if n := len(largeFiles(t, dir)); n != 2 {
		t.Fatalf("%d files, want 2", n)
	}
	read := 0
	must(t, "Scan", b.Scan(t.Context(), part, nil, nil, func(key, value []byte) error {
		if read == 0 {
			set("k0", 10)
			must(t, "Put", buffertest.Put(t.Context(), b, part, []byte("k1"), []byte("small")))
			must(t, "Delete", buffertest.Delete(t.Context(), b, part, []byte("k2")))
			must(t, "Delete", buffertest.Delete(t.Context(), b, part, []byte("k3")))
			if n := len(largeFiles(t, dir)); n != 2 {
				t.Errorf("%d files during a scan, want 2", n)
			}
		}
		if !bytes.Equal(value, big(read, size)) {
			t.Errorf("scan: %s has %d bytes", key, len(value))
		}
		read++
		return nil
	}))
	if read != 5 {
		t.Errorf("the scan read %d values, want 5", read)
	}
	b.WaitRemoved()
	if n := len(largeFiles(t, dir)); n != 1 {
		t.Errorf("%d files after the scan, want 1", n)
	}
	killed := open(t, copyDir(t, dir), badger.Options{})
	for _, b := range []*badger.Backend{b, killed} {
		for key, want := range map[string][]byte{"k0": big(10, size), "k1": []byte("small"), "k4": big(4, size)} {
			if v, err := b.Get(t.Context(), part, []byte(key)); err != nil || !bytes.Equal(v, want) {
				t.Errorf("%s has %d bytes, %v", key, len(v), err)
			}
		}
	}
}

// big is a value of a size that shows where it came from.
func big(i, size int) []byte { return bytes.Repeat([]byte{byte(i + 1), byte(i >> 8)}, size/2) }

// TestLeftLargeFiles removes files that nothing refers to, as a crash leaves them,
// and takes no notice of others.
func TestLeftLargeFiles(t *testing.T) {
	dir := t.TempDir()
	b, err := badger.Open(dir, badger.Options{})
	must(t, "Open", err)
	must(t, "CreateKeyspace", b.CreateKeyspace(t.Context(), part))
	must(t, "Put", buffertest.Put(t.Context(), b, part, []byte("k"), big(1, 100_000)))
	must(t, "Close", b.Close())
	for _, name := range []string{"00000000000000ff.large", "notes.large", "0000000000000001.txt"} {
		must(t, "WriteFile", os.WriteFile(filepath.Join(dir, name), []byte("left"), 0o600))
	}
	b = open(t, dir, badger.Options{})
	if _, err := os.Stat(filepath.Join(dir, "00000000000000ff.large")); !os.IsNotExist(err) {
		t.Errorf("a file that nothing refers to is still there: %v", err)
	}
	if n := len(largeFiles(t, dir)); n != 2 {
		t.Errorf("%d files, want the one in use and the one that is not ours", n)
	}
	must(t, "Put", buffertest.Put(t.Context(), b, part, []byte("l"), big(2, 100_000)))
	for key, i := range map[string]int{"k": 1, "l": 2} {
		if v, err := b.Get(t.Context(), part, []byte(key)); err != nil || !bytes.Equal(v, big(i, 100_000)) {
			t.Errorf("%s has %d bytes, %v", key, len(v), err)
		}
	}
}

// TestOneKeyTwiceInABatch writes a key twice in a batch, large and not, in every
// order; no reference must be left.
func TestOneKeyTwiceInABatch(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir, badger.Options{})
	must(t, "CreateKeyspace", b.CreateKeyspace(t.Context(), part))
	key := []byte("k")
	ops := map[string]buffer.Op{
		"large": {Keyspace: part, Key: key, Value: big(1, 100_000)},
		"small": {Keyspace: part, Key: key, Value: []byte("s")},
		"other": {Keyspace: part, Key: key, Value: big(2, 100_000)}, "delete": {Keyspace: part, Key: key, Delete: true},
	}
	for first, a := range ops {
		for second, c := range ops {
			must(t, "Apply", b.Apply(t.Context(), []buffer.Op{a, c}))
			v, err := b.Get(t.Context(), part, key)
			if c.Delete != (err != nil) || !c.Delete && !bytes.Equal(v, c.Value) {
				t.Errorf("%s, then %s: %d bytes, %v", first, second, len(v), err)
			}
		}
	}
	must(t, "Delete", buffertest.Delete(t.Context(), b, part, key))
	if n := b.StoredKeys(); n != 2 {
		t.Errorf("%d keys are stored, want the two records of keyspaces", n)
	}
}

// TestCollectLeavesDamage compacts over a damaged value: it stays an error, and the
// others are moved.
func TestCollectLeavesDamage(t *testing.T) {
	dir := t.TempDir()
	b, err := badger.Open(dir, small)
	must(t, "Open", err)
	must(t, "CreateKeyspace", b.CreateKeyspace(t.Context(), part))
	const n, size = 70, 1 << 20
	for i := range n {
		must(t, "Put", buffertest.Put(t.Context(), b, part, keyOf(i), big(i, size)))
	}
	for i := 3; i < n; i++ {
		must(t, "Delete", buffertest.Delete(t.Context(), b, part, keyOf(i)))
	}
	must(t, "Close", b.Close())
	flip(t, largeFiles(t, dir)[0], size+100, 3)
	b = open(t, dir, small)
	must(t, "Compact", b.Compact(t.Context()))
	for i := range 3 {
		v, err := b.Get(t.Context(), part, keyOf(i))
		if i == 1 != (err != nil) || err == nil && !bytes.Equal(v, big(i, size)) {
			t.Errorf("value %d has %d bytes, %v", i, len(v), err)
		}
	}
	must(t, "Delete", buffertest.Delete(t.Context(), b, part, keyOf(1)))
	b.WaitRemoved()
	if use := diskUse(t, dir); use > 20*size {
		t.Errorf("%d MiB on disk for 2", use>>20)
	}
}
