package badger_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/buffer/badger"
	"github.com/kalamlake/kalam/buffer/buffertest"
)

// killedDir is the directory of a process that was killed, with tables, a log and
// large values, of n values in mixed sizes.
func killedDir(t *testing.T, n int) string {
	t.Helper()
	dir := t.TempDir()
	b := open(t, dir, small)
	must(t, "CreateKeyspace", b.CreateKeyspace(t.Context(), part))
	for i := 0; i < n; i += 20 {
		var ops []buffer.Op
		for j := i; j < min(i+20, n); j++ {
			ops = append(ops, buffer.Op{Keyspace: part, Key: keyOf(j), Value: valueOf(j, damageSize(j))})
		}
		must(t, "Apply", b.Apply(t.Context(), ops))
	}
	return copyDir(t, dir)
}

// small options make tables of little data.
var small = badger.Options{MemtableBytes: 1 << 20, ReserveBytes: -1}

func damageSize(i int) int {
	if i%50 == 7 {
		return 40_000
	}
	return 4 + i%900
}

// flip changes one bit of a file.
func flip(t *testing.T, name string, offset int64, bit int) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	must(t, "OpenFile", err)
	b := make([]byte, 1)
	_, err = f.ReadAt(b, offset)
	must(t, "ReadAt", err)
	b[0] ^= 1 << bit
	_, err = f.WriteAt(b, offset)
	must(t, "WriteAt", err)
	must(t, "Close", f.Close())
}

// filled returns how much of a file is not blank at its end.
func filled(t *testing.T, name string) int64 {
	t.Helper()
	data, err := os.ReadFile(name)
	must(t, "ReadFile", err)
	return int64(len(bytes.TrimRight(data, "\x00")))
}

// TestFlippedBits flips bits in every file of a directory. Nothing may panic, and
// no value may be wrong or missing without an error, but for the values of the
// very last batch: what was being written when the process died looks the same.
func TestFlippedBits(t *testing.T) {
	const n = 3000
	dir := killedDir(t, n)
	entries, err := os.ReadDir(dir)
	must(t, "ReadDir", err)
	kinds := map[string]int{}
	r := rand.New(rand.NewPCG(7, 7))
	for _, e := range entries {
		size := filled(t, filepath.Join(dir, e.Name()))
		kind := filepath.Ext(e.Name())
		kinds[kind]++
		tries := 8
		if testing.Short() {
			tries = 2
		}
		for try := range tries {
			if size == 0 {
				break
			}
			offset := r.Int64N(size)
			if try%3 == 0 { // The ends of files hold what describes the rest.
				offset = max(0, size-1-r.Int64N(200))
			}
			bit := r.IntN(8)
			bad := copyDir(t, dir)
			flip(t, filepath.Join(bad, e.Name()), offset, bit)
			what := fmt.Sprintf("%s, byte %d of %d, bit %d", e.Name(), offset, size, bit)
			checkFlipped(t, what, bad, n)
		}
	}
	for _, kind := range []string{".sst", ".mem", ".large", ""} {
		if kinds[kind] == 0 {
			t.Errorf("no file %q was tried: %v", kind, kinds)
		}
	}
}

// checkFlipped opens a damaged directory and reads every value.
func checkFlipped(t *testing.T, what, dir string, n int) {
	t.Helper()
	b, err := badger.Open(dir, small)
	if err != nil {
		if kalam.CodeOf(err) != kalam.CodeCorrupt || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: Open = %v, want CodeCorrupt that names the directory", what, err)
		}
		return
	}
	defer func() {
		if err := b.Close(); err != nil {
			t.Errorf("%s: Close: %v", what, err)
		}
	}()
	bad := 0
	for i := range n {
		v, err := b.Get(t.Context(), part, keyOf(i))
		switch {
		case err == nil && bytes.Equal(v, valueOf(i, damageSize(i))):
		case errors.Is(err, buffer.ErrKeyNotFound) && i >= n-20:
		case kalam.CodeOf(err) == kalam.CodeCorrupt:
			bad++
		default:
			t.Errorf("%s: value %d: %d bytes, %v", what, i, len(v), err)
		}
	}
	if bad > 1 {
		t.Errorf("%s: %d values are damaged by one bit", what, bad)
	}
	wantScan(t, what, b, n, bad)
}

// wantScan scans over damaged values.
func wantScan(t *testing.T, what string, b buffer.Backend, n, bad int) {
	t.Helper()
	seen := 0
	var start []byte
	for range n {
		err := b.Scan(t.Context(), part, start, nil, func(k, v []byte) error {
			var i int
			if _, err := fmt.Sscan(strings.TrimLeft(string(k)+" ", "0"), &i); err != nil {
				i = 0
			}
			if !bytes.Equal(v, valueOf(i, damageSize(i))) {
				t.Errorf("%s: a scan gives a wrong value of %s", what, k)
			}
			seen++
			return nil
		})
		if err == nil {
			break
		}
		var damage *buffer.DamageError
		if !errors.As(err, &damage) {
			t.Errorf("%s: Scan: %v", what, err)
			return
		}
		start = append(damage.Key, 0)
		seen++
		bad--
	}
	if seen < n-20 || bad != 0 {
		t.Errorf("%s: a scan met %d of %d keys, and %d damaged ones fewer than Get", what, seen, n, bad)
	}
}

// TestCutFiles cuts files, as a file system does that lost their end.
func TestCutFiles(t *testing.T) {
	const n = 3000
	dir := killedDir(t, n)
	entries, err := os.ReadDir(dir)
	must(t, "ReadDir", err)
	for _, e := range entries {
		if ext := filepath.Ext(e.Name()); ext != ".sst" && ext != ".large" {
			continue
		}
		size := filled(t, filepath.Join(dir, e.Name()))
		for _, to := range []int64{0, 3, size / 2, size - 1} {
			bad := copyDir(t, dir)
			must(t, "Truncate", os.Truncate(filepath.Join(bad, e.Name()), to))
			b, err := badger.Open(bad, small)
			if err != nil {
				if kalam.CodeOf(err) != kalam.CodeCorrupt {
					t.Errorf("%s cut to %d: Open = %v", e.Name(), to, err)
				}
				continue
			}
			for i := range n {
				v, err := b.Get(t.Context(), part, keyOf(i))
				if err == nil && !bytes.Equal(v, valueOf(i, damageSize(i))) || err != nil &&
					kalam.CodeOf(err) != kalam.CodeCorrupt {
					t.Errorf("%s cut to %d: value %d: %d bytes, %v", e.Name(), to, i, len(v), err)
				}
			}
			must(t, "Close", b.Close())
		}
	}
	bad := copyDir(t, dir)
	for _, e := range entries {
		if filepath.Ext(e.Name()) == ".large" {
			must(t, "Remove", os.Remove(filepath.Join(bad, e.Name())))
		}
	}
	b := open(t, bad, small)
	if _, err := b.Get(t.Context(), part, keyOf(7)); kalam.CodeOf(err) != kalam.CodeCorrupt {
		t.Errorf("Get of a large value whose file is missing = %v, want CodeCorrupt", err)
	}
	must(t, "Put over it", buffertest.Put(t.Context(), b, part, keyOf(7), valueOf(7, 50_000)))
	if v, err := b.Get(t.Context(), part, keyOf(7)); err != nil || !bytes.Equal(v, valueOf(7, 50_000)) {
		t.Errorf("Get after a Put = %d bytes, %v", len(v), err)
	}
}

// TestTornLogs leaves logs as a crash in the middle of a write does: the batch is
// lost and all before it is there.
func TestTornLogs(t *testing.T) {
	const n = 400
	dir := killedDir(t, n)
	logs, err := filepath.Glob(filepath.Join(dir, "*.mem"))
	must(t, "Glob", err)
	name := filepath.Base(logs[len(logs)-1])
	size := filled(t, filepath.Join(dir, name))
	for _, cut := range []int64{1, 10, 30, 600, 2000, 5000} {
		torn := copyDir(t, dir)
		f, err := os.OpenFile(filepath.Join(torn, name), os.O_RDWR, 0)
		must(t, "OpenFile", err)
		_, err = f.WriteAt(make([]byte, cut), size-cut)
		must(t, "WriteAt", err)
		must(t, "Close", f.Close())
		b := open(t, torn, small)
		for i := range n {
			v, err := b.Get(t.Context(), part, keyOf(i))
			if i < n-20 && err != nil || err == nil && !bytes.Equal(v, valueOf(i, damageSize(i))) {
				t.Errorf("%d bytes torn off: value %d: %d bytes, %v", cut, i, len(v), err)
			}
			if i >= n-20 && (err == nil) {
				t.Errorf("%d bytes torn off: value %d of the torn batch is there", cut, i)
			}
		}
		must(t, "Put", buffertest.Put(t.Context(), b, part, []byte("after"), []byte("x")))
	}
}
