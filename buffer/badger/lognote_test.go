package badger_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer/badger"
)

// newestLog returns the name of the newest log.
func newestLog(t *testing.T, dir string) string {
	t.Helper()
	logs, err := filepath.Glob(filepath.Join(dir, "*.mem"))
	must(t, "Glob", err)
	if len(logs) == 0 {
		t.Fatal("there is no log")
	}
	slices.Sort(logs)
	return logs[len(logs)-1]
}

// TestLogIsMissedByBadger takes the newest log of a killed store away, or cuts it:
// the start names it instead of losing rows (case D4).
func TestLogIsMissedByBadger(t *testing.T) {
	dir := killedDir(t, 2000)
	log := newestLog(t, dir)
	name := filepath.Base(log)
	info, err := os.Stat(log)
	must(t, "Stat", err)

	gone := copyDir(t, dir)
	must(t, "Remove", os.Remove(filepath.Join(gone, name)))
	wantRefused(t, "without its log", gone, kalam.CodeCorrupt, name, "is missing")

	for _, size := range []int64{0, 1, 20, info.Size() / 4, info.Size() / 2, info.Size() - 1} {
		cut := copyDir(t, dir)
		must(t, "Truncate", os.Truncate(filepath.Join(cut, name), size))
		wantRefused(t, fmt.Sprintf("with %d bytes of its log", size), cut, kalam.CodeCorrupt, name)
	}

	b, err := badger.Open(copyDir(t, dir), small)
	must(t, "Open as it was", err)
	must(t, "Close", b.Close())
}

// TestLogsOfAnOrderlyEnd opens stores whose logs are gone in order: closed, closed
// on the second time, and of a version that wrote no note.
func TestLogsOfAnOrderlyEnd(t *testing.T) {
	dir := closedDir(t, 500)
	for range 2 {
		b, err := badger.Open(dir, small)
		must(t, "Open", err)
		must(t, "Close", b.Close())
	}
	old := killedDir(t, 500)
	must(t, "Remove", os.Remove(filepath.Join(old, "LOGS")))
	b, err := badger.Open(old, small)
	must(t, "Open without a note", err)
	must(t, "Close", b.Close())
}

// TestDamagedNotes refuses a note or a key registry that was changed, by name.
func TestDamagedNotes(t *testing.T) {
	dir := killedDir(t, 100)
	for _, name := range []string{"LOGS", "KEYREGISTRY"} {
		raw, err := os.ReadFile(filepath.Join(dir, name))
		must(t, "ReadFile", err)
		for i := range raw {
			if name == "KEYREGISTRY" && i < 16 {
				continue // An arbitrary number.
			}
			bad := copyDir(t, dir)
			changed := slices.Clone(raw)
			changed[i] ^= 1
			must(t, "WriteFile", os.WriteFile(filepath.Join(bad, name), changed, 0o600))
			wantRefused(t, fmt.Sprintf("%s with byte %d changed", name, i), bad, kalam.CodeCorrupt, name)
		}
	}
}

// TestKilledBetweenLogs kills a start after Badger has removed logs that hold nothing
// and before it begins the next: they are not missed.
func TestKilledBetweenLogs(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir, small)
	unwritten := copyDir(t, dir) // Killed before the first write.
	must(t, "Close", b.Close())
	for what, begin := range map[string]func() string{
		"the first log":     func() string { return unwritten },
		"after a close":     func() string { return unwrittenDir(t, closedDir(t, 100)) },
		"beside a full one": func() string { return unwrittenDir(t, killedDir(t, 100)) },
	} {
		dir := begin()
		empty := newestLog(t, dir)
		must(t, "NoteOpening", badger.NoteOpening(dir))
		must(t, "Remove", os.Remove(empty))
		made := copyDir(t, dir) // Killed while the next one was made.
		next := filepath.Join(made, fmt.Sprintf("%05d.mem", 900))
		must(t, "WriteFile", os.WriteFile(next, nil, 0o600))
		for _, dir := range []string{dir, made} {
			b, err := badger.Open(dir, small)
			if err != nil {
				t.Errorf("%s: %v", what, err)
				continue
			}
			must(t, "Close", b.Close())
		}
	}
}

// unwrittenDir is dir after a start that was killed before its first write.
func unwrittenDir(t *testing.T, dir string) string {
	t.Helper()
	b := open(t, dir, small)
	killed := copyDir(t, dir)
	must(t, "Close", b.Close())
	return killed
}
