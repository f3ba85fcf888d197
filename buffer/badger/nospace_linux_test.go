package badger_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/buffer/badger"
	"github.com/kalamlake/kalam/buffer/buffertest"
)

// TestMappedFilesAreAllocated looks at the files of a store that is in use: none
// that Badger writes through mapped memory has fewer blocks than it writes to, so a
// full disk cannot fault (case D3). It holds the replacement of the function by
// which Badger maps files.
func TestMappedFilesAreAllocated(t *testing.T) {
	dir := t.TempDir()
	const memtable = 1 << 20
	b := open(t, dir, badger.Options{MemtableBytes: memtable})
	must(t, "CreateKeyspace", b.CreateKeyspace(t.Context(), part))
	seen := map[string]int{}
	for i := range 3000 {
		must(t, "Put", buffertest.Put(t.Context(), b, part, keyOf(i), valueOf(i, 4000)))
		if i%100 != 0 {
			continue
		}
		entries, err := os.ReadDir(dir)
		must(t, "ReadDir", err)
		for _, e := range entries {
			info, err := e.Info()
			if err != nil {
				continue // Badger has removed it.
			}
			need := info.Size()
			switch ext := filepath.Ext(e.Name()); {
			case ext == ".mem" && need > 0, e.Name() == "NEXT":
				need = memtable * 5 / 4
			case ext == ".sst", ext == ".vlog", e.Name() == "DISCARD":
			default:
				continue
			}
			has := badger.AllocatedBytes(filepath.Join(dir, e.Name()))
			if _, err := os.Stat(filepath.Join(dir, e.Name())); err == nil && has < need {
				t.Fatalf("%s has %d bytes of the disk, want %d", e.Name(), has, need)
			}
			seen[filepath.Ext(e.Name())]++
		}
	}
	for _, ext := range []string{".mem", ".sst", ".vlog", ""} {
		if seen[ext] == 0 {
			t.Errorf("no file %q was seen", ext)
		}
	}
}

// TestFullDisk fills small disks, of a memory file system and of a file, around a
// store: every refusal has the code of a full disk,
// nothing that was acknowledged is missing, what gives back space is always written,
// and once there is room everything is (case D3). The stages are the free space that
// another process leaves.
func TestFullDisk(t *testing.T) {
	const memtable = 1 << 20
	for _, disk := range buffertest.SmallDisks(t, 64<<20) {
		for _, leave := range []int64{0, 4 << 20} {
			t.Run(fmt.Sprintf("%s/%dKiB", disk.Name, leave>>10), func(t *testing.T) {
				fillAndReturn(t, disk.Dir, leave, memtable)
			})
		}
	}
}

func fillAndReturn(t *testing.T, disk string, leave, memtable int64) {
	dir := filepath.Join(disk, "store")
	defer func() {
		must(t, "RemoveAll", errors.Join(os.RemoveAll(dir), os.RemoveAll(filepath.Join(disk, "other"))))
	}()
	o := badger.Options{MemtableBytes: memtable, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))}
	b, err := badger.Open(dir, o)
	must(t, "Open", err)
	must(t, "CreateKeyspace", b.CreateKeyspace(t.Context(), part))
	must(t, "CreateKeyspace", b.CreateKeyspace(t.Context(), "dropped"))
	model := map[string][]byte{}
	rng := rand.New(rand.NewPCG(uint64(leave), 7))
	withDropped := true
	write := func(b *badger.Backend, n int) (refused int) {
		for i := range n {
			p := part
			if withDropped && i%2 == 0 {
				p = "dropped"
			}
			key, value := keyOf(rng.IntN(5000)), valueOf(rng.IntN(1000), 100+rng.IntN(8000))
			err := b.Apply(t.Context(), []buffer.Op{{Keyspace: p, Key: key, Value: value, Bulk: true}})
			switch {
			case err == nil && p == part:
				model[string(key)] = value
			case err != nil && kalam.CodeOf(err) != kalam.CodeResourceExhausted:
				t.Fatalf("write %d: %v", i, err)
			case err != nil:
				refused++
			}
		}
		return refused
	}
	write(b, 500)
	fillDisk(t, filepath.Join(disk, "other"), leave)
	if n := write(b, 2000); n == 0 {
		t.Errorf("no write was refused with %d KiB free", leave>>10)
	}
	// What gives back space: it fills a memtable, which leaves its log by what is kept
	// for that.
	value := valueOf(1, 1500)
	for i := range 500 {
		must(t, "Put", buffertest.Put(t.Context(), b, part, []byte("small"), value))
		if i%500 == 0 {
			compareStore(t, b, model, "small")
		}
	}
	model["small"] = value
	must(t, "DropKeyspace", b.DropKeyspace(t.Context(), "dropped"))
	withDropped = false
	compareStore(t, b, model)
	must(t, "Remove", os.Remove(filepath.Join(disk, "other")))
	for begun := time.Now(); write(b, 1) > 0; {
		if time.Since(begun) > 20*time.Second {
			t.Fatal("writes are refused with space again")
		}
		time.Sleep(10 * time.Millisecond)
	}
	if n := write(b, 1000); n > 0 {
		t.Errorf("%d of 1000 writes were refused with space again", n)
	}
	compareStore(t, b, model)
	must(t, "Close", b.Close())
	b, err = badger.Open(dir, o)
	must(t, "Open with space again", err)
	compareStore(t, b, model)
	must(t, "Close", b.Close())
}

// compareStore reads all keys, but for some.
func compareStore(t *testing.T, b *badger.Backend, model map[string][]byte, but ...string) {
	t.Helper()
	found := 0
	err := b.Scan(t.Context(), part, nil, nil, func(key, value []byte) error {
		if slices.Contains(but, string(key)) {
			return nil
		}
		if want, ok := model[string(key)]; !ok || !bytes.Equal(want, value) {
			return fmt.Errorf("key %q has %d bytes, want %d (%v)", key, len(value), len(want), ok)
		}
		found++
		return nil
	})
	if err != nil || found != len(model) {
		t.Fatalf("%d of %d keys, %v", found, len(model), err)
	}
}

// fillDisk writes a file until so many bytes are free.
func fillDisk(t *testing.T, name string, leave int64) {
	t.Helper()
	f, err := os.Create(name)
	must(t, "Create", err)
	defer f.Close()
	for chunk := int64(1 << 20); chunk > 0; {
		free, _ := badger.FreeSpace(filepath.Dir(name))
		if free-chunk < leave {
			chunk /= 2
			if chunk < 4096 {
				break
			}
			continue
		}
		if _, err := f.Write(make([]byte, chunk)); err != nil && chunk <= 4096 {
			break
		} else if err != nil {
			chunk /= 2
		}
	}
	_ = f.Sync() // What it has no room for is what the test wants.
}
