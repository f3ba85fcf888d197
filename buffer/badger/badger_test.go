package badger_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/buffer/badger"
	"github.com/kalamlake/kalam/buffer/buffertest"
)

func TestMain(m *testing.M) {
	// Badger leaves these behind when its Open fails.
	goleak.VerifyTestMain(m,
		goleak.IgnoreTopFunction("github.com/dgraph-io/badger/v4.(*DB).monitorCache"),
		goleak.IgnoreTopFunction("github.com/dgraph-io/ristretto/v2/z.(*AllocatorPool).freeupAllocators"))
}

const part = "sys_test"

// open opens a directory until the end of the test.
func open(t testing.TB, dir string, o badger.Options) *badger.Backend {
	t.Helper()
	b, err := badger.Open(dir, o)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return b
}

func must(t testing.TB, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

func TestBackend(t *testing.T) {
	buffertest.TestBackend(t, func(t *testing.T) buffer.Backend { return open(t, t.TempDir(), badger.Options{}) })
}

func TestRelaxedBackend(t *testing.T) {
	buffertest.TestBackend(t, func(t *testing.T) buffer.Backend {
		return open(t, t.TempDir(), badger.Options{Relaxed: true})
	})
}

func BenchmarkBackend(b *testing.B) {
	buffertest.BenchmarkBackend(b, func(b *testing.B) buffer.Backend { return open(b, b.TempDir(), badger.Options{}) })
}

// copyDir copies the files of a directory as a killed process leaves them.
func copyDir(t *testing.T, from string) string {
	t.Helper()
	to := t.TempDir()
	names := namesIn(t, from)
	for _, name := range names {
		if !copyFile(t, filepath.Join(from, name), filepath.Join(to, name)) {
			return copyDir(t, from) // Badger has just removed it; what was copied is of two states.
		}
	}
	if !slices.Equal(namesIn(t, from), names) {
		return copyDir(t, from) // Badger has made another one, which MANIFEST may name.
	}
	return to
}

func namesIn(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, "ReadDir", err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// copyFile copies a file, if it is there, and leaves out its blank parts.
func copyFile(t *testing.T, from, to string) bool {
	t.Helper()
	in, err := os.Open(from)
	if errors.Is(err, fs.ErrNotExist) {
		return false
	}
	must(t, "Open", err)
	defer in.Close() // only read
	out, err := os.Create(to)
	must(t, "Create", err)
	buf := make([]byte, 1<<16)
	var size int64
	for {
		n, err := in.Read(buf)
		if n > 0 && len(bytes.TrimLeft(buf[:n], "\x00")) > 0 {
			_, err := out.WriteAt(buf[:n], size)
			must(t, "WriteAt", err)
		}
		size += int64(n)
		if errors.Is(err, io.EOF) {
			break
		}
		must(t, "Read", err)
	}
	must(t, "Truncate", out.Truncate(size))
	must(t, "Close", out.Close())
	return true
}

// noise are bytes that do not compress.
var noise = func() []byte {
	r := rand.New(rand.NewPCG(1, 2))
	out := make([]byte, 1<<20)
	for i := range out {
		out[i] = byte(r.Uint32())
	}
	return out
}()

func valueOf(i, size int) []byte {
	from := i * 7919 % (len(noise) / 2)
	v := bytes.Clone(noise[from : from+size])
	binary.BigEndian.PutUint32(v, uint32(i))
	return v
}

func keyOf(i int) []byte { return fmt.Appendf(nil, "%06d", i) }

// wantValues checks that the keyspace holds exactly values 0 to n-1.
func wantValues(t *testing.T, b buffer.Backend, n int, size func(i int) int) {
	t.Helper()
	i := 0
	must(t, "Scan", b.Scan(t.Context(), part, nil, nil, func(k, v []byte) error {
		if !bytes.Equal(k, keyOf(i)) || !bytes.Equal(v, valueOf(i, size(i))) {
			return fmt.Errorf("key %q with %d bytes at %d", k, len(v), i)
		}
		i++
		return nil
	}))
	if i != n {
		t.Errorf("%d values, want %d", i, n)
	}
}

// mixed are sizes of which some are large.
func mixed(i int) int {
	if i%10 == 3 {
		return 50_000
	}
	return 4 + i%500
}

func TestReopen(t *testing.T) {
	dir := t.TempDir()
	n := 0
	for range 3 {
		b, err := badger.Open(dir, badger.Options{})
		must(t, "Open", err)
		if n == 0 {
			must(t, "CreateKeyspace", b.CreateKeyspace(t.Context(), part))
		}
		for range 100 {
			must(t, "Put", buffertest.Put(t.Context(), b, part, keyOf(n), valueOf(n, mixed(n))))
			n++
		}
		wantValues(t, b, n, mixed)
		must(t, "Close", b.Close())
	}
}

// TestKilled opens copies of the directory of a Backend in use: everything that
// was acknowledged is there.
func TestKilled(t *testing.T) {
	for _, relaxed := range []bool{false, true} {
		t.Run(fmt.Sprintf("relaxed=%v", relaxed), func(t *testing.T) {
			dir := t.TempDir()
			b := open(t, dir, badger.Options{Relaxed: relaxed, MemtableBytes: 4 << 20})
			must(t, "CreateKeyspace", b.CreateKeyspace(t.Context(), part))
			n := 0
			for _, more := range []int{1, 10, 300, 1000} {
				for range more {
					must(t, "Put", buffertest.Put(t.Context(), b, part, keyOf(n), valueOf(n, mixed(n))))
					n++
				}
				killed := open(t, copyDir(t, dir), badger.Options{MemtableBytes: 4 << 20})
				wantValues(t, killed, n, mixed)
			}
		})
	}
}

func TestOneProcessOnly(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir, badger.Options{})
	_, err := badger.Open(dir, badger.Options{})
	if kalam.CodeOf(err) != kalam.CodeInvalidOperation || !strings.Contains(err.Error(), dir) ||
		!strings.Contains(err.Error(), "used by another process") {
		t.Errorf("Open of a directory in use = %v", err)
	}
	must(t, "CreateKeyspace", b.CreateKeyspace(t.Context(), part))
	must(t, "Close", b.Close())
	open(t, dir, badger.Options{})
}

func TestDirectoryThatCannotBeMade(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	must(t, "WriteFile", os.WriteFile(file, nil, 0o600))
	if _, err := badger.Open(filepath.Join(file, "dir"),
		badger.Options{}); kalam.CodeOf(err) != kalam.CodeInvalidInput {
		t.Errorf("Open = %v, want CodeInvalidInput", err)
	}
}

// TestReserve refuses bulk data when the disk is nearly full, and nothing else
// when it is fuller; reading goes on.
func TestReserve(t *testing.T) {
	dir := t.TempDir()
	b, err := badger.Open(dir, badger.Options{})
	must(t, "Open", err)
	must(t, "CreateKeyspace", b.CreateKeyspace(t.Context(), part))
	must(t, "Put", buffertest.Put(t.Context(), b, part, []byte("a"), []byte("1")))
	must(t, "Close", b.Close())
	free, known := badger.FreeSpace(dir)
	if !known {
		return // Nothing is kept free on this system.
	}
	bulk := []buffer.Op{{Keyspace: part, Key: []byte("b"), Value: []byte("2"), Bulk: true}}
	for _, c := range []struct {
		name    string
		reserve int64
		bulk    bool // Refused.
	}{{"roomy", free / 2, false}, {"nearly full", free + free/4, true}, {"full", free * 3, true}} {
		t.Run(c.name, func(t *testing.T) {
			b := open(t, dir, badger.Options{ReserveBytes: c.reserve})
			for what, w := range map[string]struct {
				err     error
				refused bool
			}{
				"bulk":           {b.Apply(t.Context(), bulk), c.bulk},
				"deletion":       {buffertest.Delete(t.Context(), b, part, []byte("x")), false},
				"put":            {buffertest.Put(t.Context(), b, part, []byte("c"), []byte("3")), false},
				"CreateKeyspace": {b.CreateKeyspace(t.Context(), fmt.Sprint("p", c.reserve)), false},
			} {
				if w.refused != (kalam.CodeOf(w.err) == kalam.CodeResourceExhausted) || !w.refused && w.err != nil {
					t.Errorf("%s: %v, want it refused: %v", what, w.err, w.refused)
				}
			}
			if v, err := b.Get(t.Context(), part, []byte("a")); err != nil || string(v) != "1" {
				t.Errorf("Get = %q, %v", v, err)
			}
			must(t, "Close", b.Close())
		})
	}
}

// TestSpaceIsGivenBack writes large values, deletes them and compacts.
func TestSpaceIsGivenBack(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir, badger.Options{MemtableBytes: 4 << 20})
	must(t, "CreateKeyspace", b.CreateKeyspace(t.Context(), part))
	const n, size = 1000, 250_000
	for i := range n {
		must(t, "Put", buffertest.Put(t.Context(), b, part, keyOf(i), valueOf(i, size)))
	}
	before := diskUse(t, dir)
	for i := range n - 10 {
		must(t, "Delete", buffertest.Delete(t.Context(), b, part, keyOf(i)))
	}
	must(t, "Compact", b.Compact(t.Context()))
	b.WaitRemoved()
	if after := diskUse(t, dir); after > before/2 {
		t.Errorf("%d MiB on disk after a compaction, %d before, %d MiB are live", after>>20, before>>20, 10*size>>20)
	}
	for i := n - 10; i < n; i++ {
		if v, err := b.Get(t.Context(), part, keyOf(i)); err != nil || !bytes.Equal(v, valueOf(i, size)) {
			t.Errorf("value %d after a compaction: %d bytes, %v", i, len(v), err)
		}
	}
}

// diskUse returns the bytes that the files of a directory take.
func diskUse(t *testing.T, dir string) int64 {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, "ReadDir", err)
	var n int64
	for _, e := range entries {
		n += badger.AllocatedBytes(filepath.Join(dir, e.Name()))
	}
	return n
}

// TestDroppedKeyspaceLeavesNothing drops a keyspace while the process dies
// before its keys are gone.
func TestDroppedKeyspaceLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir, badger.Options{})
	must(t, "CreateKeyspace", b.CreateKeyspace(t.Context(), part))
	for i := range 100 {
		must(t, "Put", buffertest.Put(t.Context(), b, part, keyOf(i), nil))
	}
	ctx, cancel := context.WithCancel(t.Context())
	b.OnDrop(cancel)
	if err := b.DropKeyspace(ctx, part); !errors.Is(err, context.Canceled) {
		t.Errorf("DropKeyspace = %v, want context.Canceled", err)
	}
	killed := open(t, copyDir(t, dir), badger.Options{})
	for _, b := range []*badger.Backend{b, killed} {
		if names, err := b.Keyspaces(t.Context()); len(names) != 0 || err != nil {
			t.Errorf("Keyspaces = %v, %v", names, err)
		}
		must(t, "CreateKeyspace", b.CreateKeyspace(t.Context(), part))
		must(t, "Scan", b.Scan(t.Context(), part, nil, nil,
			func(k, _ []byte) error { return fmt.Errorf("key %s is there", k) }))
	}
	if n := killed.StoredKeys(); n > 3 {
		t.Errorf("%d keys are stored after a start, want the records of keyspaces", n)
	}
}
