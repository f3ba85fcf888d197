package badger_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer/badger"
)

// logsOf returns the names of the files with a suffix, the oldest first.
func logsOf(t *testing.T, dir, suffix string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*"+suffix))
	must(t, "Glob", err)
	for i := range names {
		names[i] = filepath.Base(names[i])
	}
	return names
}

// TestKilledWhileALogIsMade leaves a log of no bytes, as a kill does that comes
// between its creation and its extension, in a store of each kind. It opens, at once
// and with all values.
func TestKilledWhileALogIsMade(t *testing.T) {
	const n = 400
	closed := killedDir(t, n)
	must(t, "Close", open(t, closed, small).Close())
	begun := begunDir(t)
	for _, c := range []struct {
		name, dir, log string
		values         int
	}{
		{"first start, log of a memtable", begun, "00001.mem", 0},
		{"first start, value log", begun, "000001.vlog", 0},
		{"start after a close, log of a memtable", closed, "00001.mem", n},
		{"start after a close, value log", closed, "000900.vlog", n},
		{"start after a kill, log of a memtable", killedDir(t, n), "00900.mem", n},
		{"start after a kill, value log", killedDir(t, n), "000900.vlog", n},
	} {
		dir := copyDir(t, c.dir)
		must(t, "WriteFile", os.WriteFile(filepath.Join(dir, c.log), nil, 0o600))
		b, err := badger.Open(dir, small)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		for i := range c.values {
			if v, err := b.Get(t.Context(), part, keyOf(i)); err != nil || !bytes.Equal(v, valueOf(i, damageSize(i))) {
				t.Fatalf("%s: value %d: %d bytes, %v", c.name, i, len(v), err)
			}
		}
		must(t, "Close", b.Close())
	}
}

// begunDir is the directory of a first start that was killed before it made a log.
func begunDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	must(t, "Close", open(t, dir, small).Close())
	for _, suffix := range []string{".mem", ".vlog", ".sst", "DISCARD"} {
		for _, name := range logsOf(t, dir, suffix) {
			must(t, "Remove", os.Remove(filepath.Join(dir, name)))
		}
	}
	const noTables = 16 // The header and an empty record.
	must(t, "Truncate", os.Truncate(filepath.Join(dir, "MANIFEST"), noTables))
	return dir
}

// TestEmptiedLog empties the only log of a store that was killed: what it held is
// lost, and each start says so and leaves the directory as it is.
func TestEmptiedLog(t *testing.T) {
	dir := killedDir(t, 100)
	logs := logsOf(t, dir, ".mem")
	if len(logs) != 1 {
		t.Fatalf("%d logs, want 1", len(logs))
	}
	must(t, "Truncate", os.Truncate(filepath.Join(dir, logs[0]), 0))
	wantRefused(t, "with its note", dir, kalam.CodeCorrupt, logs[0])
	must(t, "Remove", os.Remove(filepath.Join(dir, "LOGS"))) // As older versions left it.
	before := logsOf(t, dir, "")
	for range 2 {
		b, err := badger.Open(dir, small)
		if kalam.CodeOf(err) != kalam.CodeCorrupt || !strings.Contains(err.Error(), logs[0]+" is empty") {
			t.Errorf("Open = %v", err)
		}
		if err == nil {
			must(t, "Close", b.Close())
		}
	}
	info, err := os.Stat(filepath.Join(dir, logs[0]))
	must(t, "Stat", err)
	if after := logsOf(t, dir, ""); info.Size() != 0 || !slices.Equal(after, before) {
		t.Errorf("a refused start changed the directory: %d bytes, %v, before %v", info.Size(), after, before)
	}
}

// TestIsNewSaysWhatToDo asks about a directory that cannot be read.
func TestIsNewSaysWhatToDo(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	must(t, "WriteFile", os.WriteFile(name, nil, 0o600))
	if _, err := badger.IsNew(name); err == nil || !strings.Contains(err.Error(), name) ||
		!strings.Contains(err.Error(), "check the permissions") {
		t.Errorf("IsNew of a file = %v", err)
	}
}
