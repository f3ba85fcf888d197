package engine_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/kalamlake/kalam"
)

// copyTree copies a directory as it is on disk at this moment: what a process
// that is killed now leaves behind.
func copyTree(t testing.TB, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) { // Trimmed meanwhile.
				return nil
			}
			return err
		}
		rel, err := filepath.Rel(from, p)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		if d.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		in, err := os.Open(p)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		defer in.Close()
		out, err := os.Create(target)
		if err != nil {
			return err
		}
		_, err = io.Copy(out, in)
		return errors.Join(err, out.Close())
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestCrashPoints looks at the disk at every named point of a flush as a crash
// there would find it, starts a server on it, and expects every row exactly
// once, before and after another flush.
func TestCrashPoints(t *testing.T) {
	points := []string{"collected", "written", "prepared", "segment", "committing", "committed", "trimming", "trimmed",
		"manifest"}
	crashes := t.TempDir()
	var armed atomic.Bool
	s := newServer(t)
	data := s.config.Storage.DataPath
	s.stop()
	s.opts.Wrap = hook(func(point string) error {
		if armed.Load() {
			copyTree(t, data, filepath.Join(crashes, point))
		}
		return nil
	}).wrap()
	s.start()
	alice := userOf("alice")
	s.must(root, "CREATE NAMESPACE app")
	s.must(root, "CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, v TEXT)")
	s.must(alice, "INSERT INTO app.t SELECT i, 'old' FROM range(100) r(i)")
	s.flush()
	s.must(alice, "UPDATE app.t SET v = 'new' WHERE id < 10")
	s.must(alice, "DELETE FROM app.t WHERE id >= 10 AND id < 20")
	s.must(alice, "INSERT INTO app.t SELECT i, 'added' FROM range(100, 150) r(i)")
	armed.Store(true)
	s.flush()
	armed.Store(false)
	const digest = "SELECT v, count(*) AS n, count(DISTINCT id) AS d, min(id) AS lo, max(id) AS hi FROM app.t GROUP BY v ORDER BY v"
	want := s.must(alice, digest).table()
	if want != "v | n | d | lo | hi\nadded | 50 | 50 | 100 | 149\nnew | 10 | 10 | 0 | 9\nold | 80 | 80 | 20 | 99\n" {
		t.Fatalf("without a crash:\n%s", want)
	}
	for _, point := range points {
		t.Run(point, func(t *testing.T) {
			c := &server{t: t, config: s.config}
			c.config.Storage.DataPath = filepath.Join(crashes, point)
			c.start()
			defer c.stop()
			for _, when := range []string{"after the crash", "after a flush", "after a restart"} {
				if got := c.must(alice, digest).table(); got != want {
					t.Errorf("%s:\n%swant\n%s", when, got, want)
				}
				if got := c.single(alice, "SELECT v FROM app.t WHERE id = 5"); got != `"new"` {
					t.Errorf("%s: row 5 is %s", when, got)
				}
				if _, err := c.try(alice, "INSERT INTO app.t VALUES (30, 'twice')"); kalam.CodeOf(err) != kalam.CodeAlreadyExists {
					t.Errorf("%s: a taken key: %v", when, err)
				}
				if when == "after the crash" {
					c.flush()
				} else {
					c.restart()
				}
			}
			c.must(alice, "INSERT INTO app.t VALUES (15, 'back')")
			if got := c.single(alice, "SELECT count(*) AS n FROM app.t"); got != `"141"` {
				t.Errorf("%s rows at the end", got)
			}
		})
	}
}

// TestCrashPointsOfABatch does the same with users that are flushed together: at the
// first and at a later user of each point, and with some of the files of the batch
// under their names.
func TestCrashPointsOfABatch(t *testing.T) {
	const users, later = 12, 7
	crashes := t.TempDir()
	hits := map[string]int{}
	var armed atomic.Bool
	var found []string
	s := newServer(t)
	data := s.config.Storage.DataPath
	s.stop()
	s.opts.Wrap = hook(func(point string) error {
		if !armed.Load() {
			return nil
		}
		if hits[point]++; hits[point] == 1 || hits[point] == later {
			name := fmt.Sprintf("%s-%d", point, hits[point])
			found = append(found, name)
			copyTree(t, data, filepath.Join(crashes, name))
		}
		return nil
	}).wrap()
	s.start()
	s.must(root, "CREATE NAMESPACE app")
	s.must(root, "CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, v TEXT) FLUSH_POLICY 'manual'")
	name := func(i int) kalam.Principal { return userOf(fmt.Sprintf("user%02d", i)) }
	for i := range users {
		s.must(name(i), "INSERT INTO app.t VALUES (1, 'old'), (2, 'old'), (3, 'old')")
	}
	s.flush()
	for i := range users {
		s.must(name(i), "UPDATE app.t SET v = 'new' WHERE id = 1")
		s.must(name(i), "DELETE FROM app.t WHERE id = 2")
		s.must(name(i), fmt.Sprintf("INSERT INTO app.t VALUES (4, 'of %d')", i))
	}
	armed.Store(true)
	s.flush()
	armed.Store(false)
	for point, want := range map[string]int{
		"collected": users, "written": users, "prepared": 1, "segment": 1, "committing": 1, "committed": 1, "trimmed": 1, "manifest": 1,
	} {
		if hits[point] != want {
			t.Errorf("point %s was met %d times, want %d: the users were not flushed together", point, hits[point], want)
		}
	}
	copyTree(t, filepath.Join(crashes, "segment-1"), filepath.Join(crashes, "half-published"))
	unpublish(t, filepath.Join(crashes, "half-published"), users/2)
	for _, point := range append(found, "half-published") {
		t.Run(point, func(t *testing.T) {
			c := &server{t: t, config: s.config}
			c.config.Storage.DataPath = filepath.Join(crashes, point)
			c.start()
			defer c.stop()
			for _, when := range []string{"after the crash", "after a flush", "after a restart"} {
				for i := range users {
					want := fmt.Sprintf("id | v\n1 | new\n3 | old\n4 | of %d\n", i)
					if got := c.must(name(i), "SELECT id, v FROM app.t ORDER BY id").table(); got != want {
						t.Fatalf("%s, user %d has\n%swant\n%s", when, i, got, want)
					}
				}
				if when == "after the crash" {
					c.flush()
				} else {
					c.restart()
				}
			}
		})
	}
}

// unpublish removes all but n of the newest Parquet files of the users below dir.
func unpublish(t *testing.T, dir string, n int) {
	t.Helper()
	newest := map[string]string{}
	must(t, filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(p, ".parquet") && strings.Contains(p, "/users/") {
			newest[filepath.Dir(p)] = max(newest[filepath.Dir(p)], p)
		}
		return err
	}))
	for _, folder := range slices.Sorted(maps.Keys(newest))[n:] {
		must(t, os.Remove(newest[folder]))
	}
}

// TestFlushFailures makes a flush fail at each point: the job says so, no row is
// lost or doubled, and the next flush succeeds.
func TestFlushFailures(t *testing.T) {
	for point, fails := range map[string]bool{
		"collected": true, "written": true, "prepared": true, "segment": true, "committing": true, "committed": true,
		"trimming": false, "trimmed": false, "manifest": false, // What can be repeated is not what was asked for.
	} {
		t.Run(point, func(t *testing.T) {
			var failing atomic.Bool
			s := newServer(t)
			s.stop()
			s.config.Jobs.MaxRetries = 0
			s.opts.Wrap = hook(func(p string) error {
				if p == point && failing.Load() {
					return errors.New("an injected fault")
				}
				return nil
			}).wrap()
			s.start()
			s.must(root, "CREATE NAMESPACE app")
			s.must(root, "CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, v TEXT)")
			for _, u := range []string{"alice", "bob", "carol"} {
				s.must(userOf(u), "INSERT INTO app.t VALUES (1, 'a'), (2, 'b')")
			}
			failing.Store(true)
			r := s.must(root, "STORAGE FLUSH TABLE app.t")
			j := s.await(r.jobs[0])
			if (j.Status == kalam.JobFailed) != fails || strings.Contains(j.Error, "an injected fault") != fails {
				t.Errorf("job is %s: %q", j.Status, j.Error)
			}
			failing.Store(false)
			check := func(when string) {
				for _, u := range []string{"alice", "bob", "carol"} {
					if got := s.must(userOf(u), "SELECT id, v FROM app.t ORDER BY id").table(); got != "id | v\n1 | a\n2 | b\n" {
						t.Errorf("%s, %s has\n%s", when, u, got)
					}
				}
			}
			check("after the failure")
			s.flush()
			check("after the next flush")
			s.restart()
			check("after a restart")
		})
	}
}

// TestFlushStatements shows the answers and job records of flushes.
func TestFlushStatements(t *testing.T) {
	var hold atomic.Pointer[chan struct{}]
	s := newServer(t)
	s.stop()
	s.opts.Wrap = hook(func(p string) error {
		if c := hold.Load(); p == "written" && c != nil {
			<-*c
		}
		return nil
	}).wrap()
	s.start()
	s.must(root, "CREATE NAMESPACE app")
	s.must(root, "CREATE USER TABLE app.t (id BIGINT PRIMARY KEY)")
	s.must(root, "CREATE SHARED TABLE app.s (id BIGINT PRIMARY KEY)")
	nothing := s.must(root, "STORAGE FLUSH TABLE app.t")
	if nothing.message != "Storage flush skipped: no pending writes for table 'app.t'" || len(nothing.jobs) != 1 {
		t.Errorf("nothing to flush: %+v", nothing)
	}
	if j := s.await(nothing.jobs[0]); j.Status != kalam.JobCompleted {
		t.Errorf("its job is %s", j.Status)
	}
	s.must(userOf("alice"), "INSERT INTO app.t VALUES (1), (2)")
	s.must(root, "INSERT INTO app.s VALUES (1)")
	gate := make(chan struct{})
	hold.Store(&gate)
	first := s.must(root, "STORAGE FLUSH TABLE app.t")
	if want := fmt.Sprintf("Storage flush started for table 'app.t'. Job ID: %s", first.jobs[0]); first.message != want {
		t.Errorf("message %q, want %q", first.message, want)
	}
	second := s.must(root, "STORAGE FLUSH TABLE app.t")
	if second.jobs[0] != first.jobs[0] ||
		!strings.Contains(second.message,
			"a flush is already queued or running for table 'app.t'. Job ID: "+string(first.jobs[0])) {
		t.Errorf("a second flush: %+v", second)
	}
	if got := s.single(root,
		"SELECT count(*) AS n FROM system.jobs WHERE status IN ('pending', 'running') AND job_type = 'flush'"); got != `"1"` {
		t.Errorf("%s jobs are running", got)
	}
	if got := s.single(userOf("alice"), "SELECT count(*) AS n FROM app.t"); got != `"2"` {
		t.Errorf("%s rows during the flush", got)
	}
	hold.Store(nil)
	close(gate)
	j := s.await(first.jobs[0])
	if j.Status != kalam.JobCompleted ||
		!strings.HasPrefix(j.Message, "Flushed app.t successfully (2 rows, 1 files) to ") {
		t.Errorf("job is %s: %q", j.Status, j.Message)
	}
	if got := s.single(root, fmt.Sprintf("SELECT result->>'$.records_flushed' AS n FROM system.jobs WHERE job_id = '%s'",
		j.ID)); got != `"2"` {
		t.Errorf("records_flushed is %s", got)
	}
	all := s.must(root, "STORAGE FLUSH ALL IN app")
	if len(all.jobs) != 1 || !strings.HasPrefix(all.message,
		"Storage flush started for 1 table(s) in namespace 'app'. Job IDs: [FL-") {
		t.Errorf("flush all: %+v", all)
	}
	s.await(all.jobs[0])
	if _, err := s.try(root, "KILL JOB 'FL-000000000000'"); err == nil || !strings.Contains(messageOf(err), "not found") {
		t.Errorf("kill of an unknown job: %v", err)
	}
	if _, err := s.try(root, fmt.Sprintf("KILL JOB '%s'", j.ID)); err == nil ||
		!strings.Contains(messageOf(err), "Cannot cancel job in status 'completed'") {
		t.Errorf("kill of a finished job: %v", err)
	}
}
