package engine_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/config"
	"github.com/kalamlake/kalam/maintain/verify"
)

var damageCount = flag.Int("damages", 100, "damages of TestVerifyFindsDamage")

// storedLake is a stopped lake with something of everything: flushed, compacted and buffered rows, deleted and replaced
// ones, large values, counters, users, jobs.
func storedLake(t *testing.T) config.Config {
	t.Helper()
	s := newServer(t)
	s.must(root, "CREATE NAMESPACE app")
	s.must(root, "CREATE USER TABLE app.notes (id BIGINT PRIMARY KEY, body TEXT) FLUSH_POLICY 'manual'")
	s.must(root, "CREATE SHARED TABLE app.things (id BIGSERIAL PRIMARY KEY, body TEXT) FLUSH_POLICY 'manual'")
	users := []string{"alice", "bob", "carol"}
	for round := range 3 {
		for _, u := range users {
			from := round * 500
			s.must(userOf(u), fmt.Sprintf("INSERT INTO app.notes SELECT i, md5(i::TEXT || '%s') FROM range(%d, %d) AS r(i)", u, from, from+500))
			s.must(userOf(u), fmt.Sprintf("DELETE FROM app.notes WHERE id %% 7 = %d", round))
		}
		s.must(root, "INSERT INTO app.things (body) SELECT md5(i::TEXT) FROM range(300) AS r(i)")
		s.flush()
	}
	s.must(root, "STORAGE COMPACT TABLE app.things")
	s.compact()
	for round := range 2 {
		for _, u := range users {
			s.must(userOf(u), fmt.Sprintf("UPDATE app.notes SET body = 'changed' WHERE id %% 11 = %d", round))
		}
		if round == 0 {
			s.flush()
		}
	}
	for _, u := range users { // Blocks that are large values.
		s.must(userOf(u), "INSERT INTO app.notes SELECT i, md5(i::TEXT) || md5((i * 2)::TEXT) FROM range(100000, 101500) AS r(i)")
	}
	s.stop()
	return s.config
}

// harmless are files of a write buffer that hold nothing and are made anew: space of the disk, locks, what Badger knows of
// the keys and the value log that are not used, and the note of the newest log, of which an orderly end has left none.
func harmless(name string) bool {
	return filepath.Ext(name) == ".vlog" ||
		slices.Contains([]string{"NEXT", "RESERVE", "LOGS", "KEYREGISTRY", "DISCARD", "kalam.lock", "lock"}, filepath.Base(name))
}

// oneDamage is one damage of a file.
type oneDamage struct {
	what  string
	name  string // Absolute.
	other string // Whose content it gets, "" for none.
}

// do damages the file.
func (d *oneDamage) do(t *testing.T, r *rand.Rand) {
	t.Helper()
	content, err := os.ReadFile(d.name)
	must(t, err)
	switch {
	case d.what == "deletion":
		must(t, os.Remove(d.name))
		return
	case d.other != "":
		content, err = os.ReadFile(d.other)
		must(t, err)
	case d.what == "cut":
		content = content[:r.IntN(len(content))]
	default:
		used := len(strings.TrimRight(string(content), "\x00")) // What a file has room for is not its content.
		bit := r.IntN(8 * used)
		content[bit/8] ^= 1 << (bit % 8)
		d.what = fmt.Sprintf("flip of bit %d of %d bytes", bit, used)
	}
	must(t, os.WriteFile(d.name, content, 0o600))
}

// TestVerifyFindsDamage damages a lake at random, in its files and in its record, one damage at a time: a bit, a cut, a
// deletion, or the content of another file of the kind. Verify finds each, and names the file where it is one of the
// storage. Of the whole lake it says nothing.
func TestVerifyFindsDamage(t *testing.T) {
	r := seededRand(t)
	whole := storedLake(t)
	lines, result, err := verified(t, whole)
	if err != nil || len(lines) > 0 || result.Stale+result.Unnamed+result.Strays > 0 || result.Blocks == 0 || result.Rows == 0 {
		t.Fatalf("Verify of the whole lake = %+v, %q, %v", result, lines, err)
	}
	var files []string
	for _, f := range filesBelow(t, whole.Storage.DataPath, "") {
		dir, _, _ := strings.Cut(f, "/") // Without one it is the whole name: a file at the top.
		info, err := os.Stat(filepath.Join(whole.Storage.DataPath, f))
		must(t, err)
		if (dir == "buffer" || dir == "storage") && !harmless(f) && info.Size() > 0 {
			files = append(files, f)
		}
	}
	byKind := map[string]int{}
	found := 0
	for i := range *damageCount {
		c := whole
		c.Storage.DataPath = filepath.Join(t.TempDir(), "lake")
		must(t, os.CopyFS(c.Storage.DataPath, os.DirFS(whole.Storage.DataPath)))
		rel := files[r.IntN(len(files))]
		d := oneDamage{what: []string{"flip", "flip", "cut", "deletion", "swap"}[r.IntN(5)], name: filepath.Join(c.Storage.DataPath, rel)}
		if d.what == "swap" {
			var others []string
			for _, f := range files {
				if f != rel && filepath.Ext(f) == filepath.Ext(rel) && filepath.Ext(f) != "" {
					others = append(others, filepath.Join(c.Storage.DataPath, f))
				}
			}
			if len(others) == 0 {
				d.what = "flip"
			} else {
				d.other = others[r.IntN(len(others))]
			}
		}
		kind := d.what
		before, err := os.ReadFile(d.name)
		must(t, err)
		d.do(t, r)
		if after, err := os.ReadFile(d.name); err == nil && string(after) == string(before) {
			continue // It was given what it had.
		}
		said, ok := finds(t, c, d.name)
		if !ok {
			t.Errorf("damage %d: %s of %s (other: %s) is not found: %q", i, d.what, rel, filepath.Base(d.other), said)
		} else {
			found++
			byKind[kind]++
		}
		must(t, os.RemoveAll(c.Storage.DataPath))
	}
	t.Logf("%d of %d damages found in %d files: %v", found, *damageCount, len(files), byKind)
}

// finds verifies a damaged lake and reports whether the damage is found. What is found in a storage names the file.
func finds(t *testing.T, c config.Config, name string) (said []string, ok bool) {
	t.Helper()
	result, err := verify.Run(t.Context(), c.Inspect(), verify.Options{})
	if err != nil {
		said = append(said, err.Error())
	}
	for _, f := range result.Findings {
		said = append(said, string(f.Kind)+": "+f.Text)
	}
	if !strings.HasPrefix(name, c.StoragePath()) {
		return said, len(said) > 0
	}
	stem := strings.TrimSuffix(filepath.Base(name), filepath.Ext(name))
	return said, slices.ContainsFunc(said, func(s string) bool { return strings.Contains(s, stem) })
}

// TestVerifyUnderLoad verifies a server again and again while 8 writers write, with flushes and compactions: nothing is
// wrong. Then a file is damaged, and that is.
func TestVerifyUnderLoad(t *testing.T) {
	s := newServer(t, func(c *config.Config) { c.Lake.CompactSegments = 4 })
	s.must(root, "CREATE NAMESPACE app")
	s.must(root, "CREATE USER TABLE app.notes (id BIGINT PRIMARY KEY, n BIGINT) FLUSH_POLICY 'rows:200'")
	if _, err := s.try(userOf("alice"), "STORAGE VERIFY"); err == nil {
		t.Error("a user may verify the storages")
	}
	w := startBackupWriters(s, 8)
	looked := 0
	for range 12 {
		w.wait(t, w.acknowledged(), 20)
		j := s.await(s.must(root, "STORAGE VERIFY").jobs[0])
		if j.Status != kalam.JobCompleted {
			t.Fatalf("verification is %s: %s\n%s", j.Status, j.Error, j.Result)
		}
		looked++
		if looked%4 == 0 {
			s.must(root, "STORAGE COMPACT ALL")
		}
	}
	w.stop(t)
	s.flush()
	table, _ := s.Catalog().Table(kalam.TableID{Namespace: "app", Name: "notes"})
	record, err := s.Record(t.Context(), table.ScopeOf("u0"))
	must(t, err)
	name := filepath.Join(s.config.StoragePath(), record.Segments[0].Path)
	content, err := os.ReadFile(name)
	must(t, err)
	content[len(content)/2] ^= 1
	put(t, name, content)
	j := s.await(s.must(root, "STORAGE VERIFY").jobs[0])
	if j.Status != kalam.JobFailed || !strings.Contains(j.Error, filepath.Base(name)) {
		t.Errorf("of a damaged file it is %s: %s", j.Status, j.Error)
	}
	t.Logf("%d verifications under load", looked)
}
