package engine_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/config"
	"github.com/kalamlake/kalam/engine"
	"github.com/kalamlake/kalam/maintain"
)

// litter writes files as crashes leave them into the folder of bob, and returns
// their paths in the storage, in order.
func litter(t *testing.T, cfg config.Config, written time.Time) []string {
	t.Helper()
	real := aFileOf(t, cfg.StoragePath(), "bob")
	folder := filepath.Dir(real)
	var paths []string
	for _, name := range []string{
		"2026-01-01T00-00-00-7.parquet", "2026-01-01T00-00-00-7.keys", "2026-01-01T00-00-00-8.keys",
		"2026-01-01T00-00-00-9.parquet.0123abcd.tmp", "manifest.json.0123abcd.tmp", filepath.Base(real) + ".89abcdef.tmp",
	} {
		name = filepath.Join(folder, name)
		must(t, os.WriteFile(name, []byte(name), 0o640))
		must(t, os.Chtimes(name, written, written))
		rel, err := filepath.Rel(cfg.StoragePath(), name)
		must(t, err)
		paths = append(paths, filepath.ToSlash(rel))
	}
	slices.Sort(paths)
	return paths
}

// startAt starts a server at a time and returns what became of its orphans.
func startAt(t *testing.T, cfg config.Config, now time.Time) (*server, kalam.Job, maintain.OrphanResult) {
	t.Helper()
	s := &server{t: t, config: cfg, opts: engine.Options{Now: func() time.Time { return now }}}
	s.start()
	j := s.awaitOrphans()
	var result maintain.OrphanResult
	if j.Result != "" {
		must(t, json.Unmarshal([]byte(j.Result), &result))
	}
	return s, j, result
}

// TestOrphansGoToTheTrash follows leftovers of crashes through the trash, and the
// files of the tables, which stay.
func TestOrphansGoToTheTrash(t *testing.T) {
	cfg := sweptLake(t)
	now := time.Now().UTC().Add(time.Minute).Truncate(time.Second)
	kept := treeOf(t, cfg.StoragePath())
	litterPaths := litter(t, cfg, now.Add(-25*time.Hour))
	young := strings.Replace(litterPaths[0], "-7.", "-70.", 1)
	must(t, os.WriteFile(filepath.Join(cfg.StoragePath(), young), []byte("young"), 0o640))
	s, j, result := startAt(t, cfg, now)
	s.stop()
	var moved []string
	for _, f := range result.Files {
		moved = append(moved, f.Path)
		name := filepath.Join(cfg.StoragePath(), ".trash", now.Format("2006-01-02T15-04-05Z"), f.Path)
		if content, err := os.ReadFile(name); err != nil || string(content) != filepath.Join(cfg.StoragePath(), f.Path) {
			t.Errorf("%s in the trash is %q, %v", f.Path, content, err)
		}
	}
	slices.Sort(moved)
	if !slices.Equal(moved, litterPaths) || result.FilesTrashed != len(litterPaths) || j.Status != kalam.JobCompleted ||
		j.Message != "Moved 6 file(s) to the trash, deleted 0 from it" || j.Kind != maintain.KindOrphans {
		t.Errorf("job %s %q moved %v, want %v", j.Status, j.Message, moved, litterPaths)
	}
	must(t, os.Remove(filepath.Join(cfg.StoragePath(), young)))
	for _, step := range []struct {
		after  time.Duration
		purged int
	}{{71*time.Hour + 59*time.Minute, 0}, {72 * time.Hour, 6}, {73 * time.Hour, 0}} {
		s, j, result = startAt(t, cfg, now.Add(step.after))
		if got := s.single(userOf("alice"), "SELECT count(*) AS n FROM app.t"); got != `"2"` {
			t.Errorf("after %s alice has %s rows", step.after, got)
		}
		s.stop()
		if result.FilesPurged != step.purged || result.FilesTrashed != 0 {
			t.Errorf("after %s: %s", step.after, j.Message)
		}
	}
	sameTree(t, "storage", withoutMark(kept), withoutMark(treeOf(t, cfg.StoragePath())))
}

// TestTrashOfNoHours deletes what the run before moved.
func TestTrashOfNoHours(t *testing.T) {
	cfg := sweptLake(t)
	cfg.Storage.TrashHours = 0
	now := time.Now().UTC().Add(time.Minute)
	n := len(litter(t, cfg, now.Add(-25*time.Hour)))
	s, j, result := startAt(t, cfg, now)
	s.stop()
	if result.FilesTrashed != n || result.FilesPurged != 0 {
		t.Errorf("first run: %s", j.Message)
	}
	s, j, result = startAt(t, cfg, now.Add(time.Second))
	s.stop()
	if result.FilesTrashed != 0 || result.FilesPurged != n {
		t.Errorf("second run: %s", j.Message)
	}
}

// TestManifestJSONKeepsOrphans names files in manifest.json that the buffer does
// not know, and spoils it.
func TestManifestJSONKeepsOrphans(t *testing.T) {
	for _, what := range []string{"names it", "is newer", "cannot be read"} {
		t.Run(what, func(t *testing.T) {
			cfg := sweptLake(t)
			// A folder of a table that the buffer does not know keeps its manifest.json.
			folder := filepath.Join(cfg.StoragePath(), "users", "carol", "app", "lost")
			must(t, os.MkdirAll(folder, 0o750))
			segment := filepath.Join(folder, "2026-01-01T00-00-00-7.parquet")
			manifest := `{"table_id":"app.lost","version":3,"segments":[{"path":"2026-01-01T00-00-00-7.parquet"}]}`
			switch what {
			case "cannot be read":
				manifest = manifest[:40]
			case "is newer":
				folder = filepath.Dir(aFileOf(t, cfg.StoragePath(), "bob"))
				segment = filepath.Join(folder, "2026-01-01T00-00-00-7.parquet")
				raw, err := os.ReadFile(filepath.Join(folder, "manifest.json"))
				must(t, err)
				manifest = strings.Replace(string(raw), `"version":1`, `"version":2`, 1)
				manifest = strings.Replace(manifest, `"segments":[`, `"segments":[{"path":"2026-01-01T00-00-00-7.parquet"},`, 1)
			}
			must(t, os.WriteFile(segment, []byte("rows"), 0o640))
			must(t, os.WriteFile(filepath.Join(folder, "manifest.json"), []byte(manifest), 0o640))
			aWeekOld(t, cfg.StoragePath())
			before := treeOf(t, cfg.StoragePath())
			s, j, result := startAt(t, cfg, nextWeek())
			s.stop()
			switch {
			case what == "is newer": // Then the buffer is older than the storage, and nothing is removed at all.
				if j.Status != kalam.JobSkipped {
					t.Errorf("job %s: %s", j.Status, j.Message)
				}
			case j.Status != kalam.JobCompleted || result.FilesTrashed != 0 || result.FilesProtected != 1:
				t.Errorf("job %s: %s", j.Status, j.Message)
			}
			sameTree(t, "storage", withoutMark(before), withoutMark(treeOf(t, cfg.StoragePath())))
		})
	}
}

// TestOrphansOfALostMark takes the mark away while the server runs.
func TestOrphansOfALostMark(t *testing.T) {
	cfg := sweptLake(t)
	litter(t, cfg, time.Now().Add(-25*time.Hour))
	s, j, _ := startAt(t, cfg, time.Now().Add(time.Minute))
	if j.Status != kalam.JobCompleted {
		t.Fatalf("job %s: %s", j.Status, j.Message)
	}
	litter(t, cfg, time.Now().Add(-25*time.Hour))
	must(t, os.Remove(filepath.Join(cfg.StoragePath(), ".kalam", "lake.json")))
	before := treeOf(t, cfg.StoragePath())
	if _, err := s.Maintain().RemoveOrphans(t.Context()); err == nil ||
		!strings.Contains(err.Error(), ".kalam/lake.json") {
		t.Errorf("RemoveOrphans = %v", err)
	}
	sameTree(t, "storage", withoutMark(before), withoutMark(treeOf(t, cfg.StoragePath())))
	s.stop()
}

// TestOrphansWhileFilesAreWritten runs the job over and over, with a clock that is
// a week ahead, while flushes and compactions write: nothing of theirs is moved.
func TestOrphansWhileFilesAreWritten(t *testing.T) {
	s := newServer(t)
	s.stop()
	s.opts.Now = nextWeek
	runs := 0
	s.opts.Wrap = hook(func(point string) error {
		switch point {
		case "copied", "written", "prepared", "segment", "committing", "committed", "trimmed", "manifest":
			runs++
			result, err := s.Maintain().RemoveOrphans(t.Context())
			if err != nil || result.FilesTrashed > 0 {
				t.Errorf("at %s: %+v, %v", point, result, err)
			}
		}
		return nil
	}).wrap()
	s.start()
	s.awaitOrphans()
	s.must(root, "CREATE NAMESPACE app")
	s.must(root, "CREATE USER TABLE app.t (id BIGINT PRIMARY KEY)")
	for i := range 4 {
		s.must(userOf("alice"), "INSERT INTO app.t VALUES ($1)", kalam.BigInt(int64(i)))
		s.flush()
	}
	r := s.must(root, "STORAGE COMPACT TABLE app.t")
	if j := s.await(r.jobs[0]); j.Status != kalam.JobCompleted {
		t.Errorf("compaction %s: %s", j.Status, j.Error)
	}
	if got := s.single(userOf("alice"), "SELECT count(*) AS n FROM app.t"); got != `"4"` || runs < 12 {
		t.Errorf("%s rows after %d runs", got, runs)
	}
}
