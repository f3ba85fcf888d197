package badger_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer/badger"
	"github.com/kalamlake/kalam/buffer/buffertest"
)

// filesOf returns the names and contents of a directory's files.
func filesOf(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	entries, err := os.ReadDir(dir)
	must(t, "ReadDir", err)
	for _, e := range entries {
		content, err := os.ReadFile(filepath.Join(dir, e.Name()))
		must(t, "ReadFile", err)
		files[e.Name()] = string(content)
	}
	return files
}

// wantRefused opens a directory and expects an error of code that holds words, and
// the files as they were.
func wantRefused(t *testing.T, what, dir string, code kalam.Code, words ...string) {
	t.Helper()
	before := filesOf(t, dir)
	b, err := badger.Open(dir, small)
	if err == nil {
		t.Errorf("%s: the directory was opened", what)
		must(t, "Close", b.Close())
		return
	}
	if kalam.CodeOf(err) != code {
		t.Errorf("%s: code %d, want %d: %v", what, kalam.CodeOf(err), code, err)
	}
	for _, w := range append(words, dir) {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%s: %q does not say %q", what, err, w)
		}
	}
	after := filesOf(t, dir)
	delete(before, "kalam.lock")
	delete(after, "kalam.lock")
	if !maps.Equal(before, after) {
		t.Errorf("%s: the files changed from %v to %v", what, slices.Sorted(maps.Keys(before)),
			slices.Sorted(maps.Keys(after)))
	}
}

// closedDir is the directory of a store that was closed, with n values.
func closedDir(t *testing.T, n int) string {
	t.Helper()
	dir := killedDir(t, n)
	b, err := badger.Open(dir, small)
	must(t, "Open", err)
	must(t, "Close", b.Close())
	return dir
}

// TestManifestLostItsEnd cuts MANIFEST of a closed and of a killed store at many
// places. A start either refuses and changes nothing, or finds every value.
func TestManifestLostItsEnd(t *testing.T) {
	const n = 3000
	for name, dir := range map[string]string{"closed": closedDir(t, n), "killed": killedDir(t, n)} {
		t.Run(name, func(t *testing.T) {
			info, err := os.Stat(filepath.Join(dir, "MANIFEST"))
			must(t, "Stat", err)
			refused := 0
			for _, cut := range []int64{1, 2, 5, 9, 20, 40, info.Size() / 2, info.Size() - 18, info.Size() - 8} {
				if cut > info.Size() {
					continue
				}
				bad := copyDir(t, dir)
				must(t, "Truncate", os.Truncate(filepath.Join(bad, "MANIFEST"), info.Size()-cut))
				before := filesOf(t, bad)
				b, err := badger.Open(bad, small)
				if err != nil {
					refused++
					if kalam.CodeOf(err) != kalam.CodeCorrupt || !strings.Contains(err.Error(), "MANIFEST") {
						t.Errorf("%d bytes short: %v", cut, err)
					}
					before["kalam.lock"] = ""
					if !maps.Equal(before, filesOf(t, bad)) {
						t.Errorf("%d bytes short: the refused directory was changed", cut)
					}
					continue
				}
				wantValues(t, b, n, damageSize)
				must(t, "Close", b.Close())
			}
			if name == "closed" && refused != 9 {
				t.Errorf("%d of 9 cuts were refused", refused)
			}
		})
	}
}

// TestManifestOneByteShort is the damage that made Badger delete its newest table. Case D4.
func TestManifestOneByteShort(t *testing.T) {
	dir := closedDir(t, 500)
	info, err := os.Stat(filepath.Join(dir, "MANIFEST"))
	must(t, "Stat", err)
	must(t, "Truncate", os.Truncate(filepath.Join(dir, "MANIFEST"), info.Size()-1))
	wantRefused(t, "one byte short", dir, kalam.CodeCorrupt, "MANIFEST", ".sst", "backup")
}

// TestManifestOfEarlier has MANIFEST as it was before the last table was made.
func TestManifestOfEarlier(t *testing.T) {
	dir := t.TempDir()
	b, err := badger.Open(dir, small)
	must(t, "Open", err)
	must(t, "CreateKeyspace", b.CreateKeyspace(t.Context(), part))
	must(t, "Put", buffertest.Put(t.Context(), b, part, keyOf(1), valueOf(1, 10)))
	must(t, "Close", b.Close())
	older, err := os.ReadFile(filepath.Join(dir, "MANIFEST"))
	must(t, "ReadFile", err)
	b, err = badger.Open(dir, small)
	must(t, "Open", err)
	must(t, "Put", buffertest.Put(t.Context(), b, part, keyOf(2), valueOf(2, 10)))
	must(t, "Close", b.Close())
	must(t, "WriteFile", os.WriteFile(filepath.Join(dir, "MANIFEST"), older, 0o600))
	wantRefused(t, "an older MANIFEST", dir, kalam.CodeCorrupt, "MANIFEST", "older copy")
}

func TestManifestMissing(t *testing.T) {
	for name, dir := range map[string]string{"closed": closedDir(t, 500), "killed": killedDir(t, 500)} {
		must(t, "Remove", os.Remove(filepath.Join(dir, "MANIFEST")))
		wantRefused(t, name, dir, kalam.CodeCorrupt, "MANIFEST is missing", "backup")
	}
}

// TestTableMissing tells a table that is gone from one that is damaged.
func TestTableMissing(t *testing.T) {
	dir := closedDir(t, 500)
	tables, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	must(t, "Glob", err)
	must(t, "Remove", os.Remove(tables[0]))
	wantRefused(t, "a table missing", dir, kalam.CodeCorrupt, filepath.Base(tables[0])+" is missing", "MANIFEST")
}

// TestUnreadableIsNotDamaged has a folder where a file should be: the system
// cannot read it, and nothing says that it is damaged. Case D4.
func TestUnreadableIsNotDamaged(t *testing.T) {
	dir := closedDir(t, 500)
	tables, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	must(t, "Glob", err)
	must(t, "Remove", os.Remove(tables[0]))
	must(t, "Mkdir", os.Mkdir(tables[0], 0o750))
	b, err := badger.Open(dir, small)
	if err == nil {
		must(t, "Close", b.Close())
	}
	if kalam.CodeOf(err) != kalam.CodeInvalidInput || strings.Contains(err.Error(), "damaged") ||
		!strings.Contains(err.Error(), dir) {
		t.Errorf("Open = %v", err)
	}
}

// TestTableBeforeItsRecord is what a crash leaves between the two: a table that is
// whole, MANIFEST without it, and the log that it was made of.
func TestTableBeforeItsRecord(t *testing.T) {
	const n = 300
	live := t.TempDir()
	writing, err := badger.Open(live, small)
	must(t, "Open", err)
	must(t, "CreateKeyspace", writing.CreateKeyspace(t.Context(), part))
	for i := range n {
		must(t, "Put", writing.Put(t.Context(), part, keyOf(i), valueOf(i, 100)))
	}
	killed := copyDir(t, live)
	must(t, "Close", writing.Close())
	tables, err := filepath.Glob(filepath.Join(live, "*.sst"))
	must(t, "Glob", err)
	if len(tables) == 0 {
		t.Fatal("closing made no table")
	}
	whole, cut, record := copyDir(t, killed), copyDir(t, killed), copyDir(t, killed)
	for _, name := range tables {
		copyFile(t, name, filepath.Join(whole, filepath.Base(name)))
		copyFile(t, name, filepath.Join(record, filepath.Base(name)))
		copyFile(t, name, filepath.Join(cut, filepath.Base(name)))
		must(t, "Truncate", os.Truncate(filepath.Join(cut, filepath.Base(name)), 1000))
	}
	manifest, err := os.ReadFile(filepath.Join(live, "MANIFEST"))
	must(t, "ReadFile", err)
	for short := 1; short < 12; short += 5 { // The record itself was torn.
		torn := copyDir(t, record)
		must(t, "WriteFile", os.WriteFile(filepath.Join(torn, "MANIFEST"), manifest[:len(manifest)-short], 0o600))
		wantValues(t, open(t, torn, small), n, func(int) int { return 100 })
	}
	for what, dir := range map[string]string{"a whole table": whole, "a part of a table": cut} {
		b, err := badger.Open(dir, small)
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		wantValues(t, b, n, func(int) int { return 100 })
		must(t, "Close", b.Close())
	}
}

// TestTableAfterItsRemoval is what a crash leaves between the record of a
// compaction and the removal of the tables that it replaced, whose keys may be
// nowhere else: they were deleted.
func TestTableAfterItsRemoval(t *testing.T) {
	dir := t.TempDir()
	b, err := badger.Open(dir, small)
	must(t, "Open", err)
	must(t, "CreateKeyspace", b.CreateKeyspace(t.Context(), part))
	for i := range 500 {
		must(t, "Put", buffertest.Put(t.Context(), b, part, keyOf(i), valueOf(i, 100)))
	}
	must(t, "Close", b.Close())
	old := copyDir(t, dir)
	const tablesToCompact = 7 // Above what starts a compaction.
	for part0 := range tablesToCompact {
		b, err = badger.Open(dir, small)
		must(t, "Open", err)
		for i := part0; i < 500; i += tablesToCompact {
			must(t, "Delete", buffertest.Delete(t.Context(), b, part, keyOf(i)))
		}
		must(t, "Close", b.Close())
	}
	b, err = badger.Open(dir, small)
	must(t, "Open", err)
	must(t, "Compact", b.Compact(t.Context()))
	must(t, "Close", b.Close())
	tables, err := filepath.Glob(filepath.Join(old, "*.sst"))
	must(t, "Glob", err)
	back := 0
	for _, name := range tables {
		to := filepath.Join(dir, filepath.Base(name))
		if _, err := os.Stat(to); os.IsNotExist(err) {
			copyFile(t, name, to)
			back++
		}
	}
	if back == 0 {
		t.Fatal("the compaction replaced no table")
	}
	wantValues(t, open(t, dir, small), 0, damageSize)
}

func TestIsNew(t *testing.T) {
	dir := t.TempDir()
	want := func(what, dir string, want bool) {
		t.Helper()
		got, err := badger.IsNew(dir)
		if err != nil || got != want {
			t.Errorf("%s: IsNew = %v, %v", what, got, err)
		}
	}
	want("a missing directory", filepath.Join(dir, "none"), true)
	want("an empty directory", dir, true)
	for _, name := range []string{"kalam.lock", "LOCK", "MANIFEST-REWRITE"} {
		must(t, "WriteFile", os.WriteFile(filepath.Join(dir, name), nil, 0o600))
	}
	must(t, "Mkdir", os.Mkdir(filepath.Join(dir, "lost+found"), 0o700))
	want("what precedes MANIFEST", dir, true)
	used := closedDir(t, 10)
	want("a store", used, false)
	must(t, "Remove", os.Remove(filepath.Join(used, "MANIFEST")))
	want("a store without MANIFEST", used, false)
	if _, err := badger.IsNew(filepath.Join(used, "KEYREGISTRY")); err == nil {
		t.Error("a file passes for a directory")
	}
}

// TestSync waits for relaxed writes, and is refused by a closed store.
func TestSync(t *testing.T) {
	for _, relaxed := range []bool{false, true} {
		b, err := badger.Open(t.TempDir(), badger.Options{Relaxed: relaxed, ReserveBytes: -1})
		must(t, "Open", err)
		must(t, "CreateKeyspace", b.CreateKeyspace(t.Context(), part))
		must(t, "Put", buffertest.Put(t.Context(), b, part, keyOf(1), valueOf(1, 10)))
		must(t, "Sync", b.Sync(t.Context()))
		must(t, "Close", b.Close())
		if err := b.Sync(t.Context()); kalam.CodeOf(err) != kalam.CodeShuttingDown {
			t.Errorf("Sync of a closed store = %v", err)
		}
	}
}
