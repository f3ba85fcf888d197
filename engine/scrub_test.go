package engine_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/engine"
	"github.com/kalamlake/kalam/jobs"
)

// scrubbed makes a lake with a segment each of two users and one of a SHARED table.
func scrubbed(t *testing.T, change ...func(*engine.Config)) *server {
	s := newServer(t, change...)
	s.must(root, "CREATE NAMESPACE app")
	s.must(root, "CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, body TEXT) FLUSH_POLICY 'manual'")
	s.must(root, "CREATE SHARED TABLE app.s (id BIGINT PRIMARY KEY, body TEXT) FLUSH_POLICY 'manual'")
	for _, user := range []string{"alice", "bob"} {
		s.must(userOf(user), "INSERT INTO app.t SELECT i, md5(i::TEXT) FROM range(2000) AS r(i)")
	}
	s.must(root, "INSERT INTO app.s SELECT i, md5(i::TEXT) FROM range(2000) AS r(i)")
	s.flush()
	return s
}

// awaitScrub waits for a scrub that was submitted after the given time.
func (s *server) awaitScrub(after time.Time) kalam.Job {
	s.t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); <-time.After(20 * time.Millisecond) {
		for j, err := range s.Catalog().Jobs(context.Background()) {
			must(s.t, err)
			if j.Kind == kalam.JobScrub && j.Status.Done() && j.CreatedAt.After(after) {
				return j
			}
		}
	}
	s.t.Fatal("there was no scrub within a minute")
	return kalam.Job{}
}

// TestScrubFindsDamage (D2) has scheduled scrubs meet whole and damaged files: the job
// fails and names the file, and the server is degraded, also after a restart, until the
// file is whole again.
func TestScrubFindsDamage(t *testing.T) {
	s := scrubbed(t, func(c *engine.Config) { c.Storage.ScrubSchedule = "@every 1s" })
	if j := s.awaitScrub(time.Time{}); j.Status != kalam.JobCompleted {
		t.Fatalf("the scrub of a whole lake is %s: %s", j.Status, j.Error)
	}
	for _, pattern := range []string{"users/alice/*/*/*.parquet", "users/bob/*/*/*.keys", "shared/*/*/*.parquet"} {
		names, err := filepath.Glob(filepath.Join(s.config.StoragePath(), pattern))
		if err != nil || len(names) != 1 {
			t.Fatalf("%s: %v, %v", pattern, names, err)
		}
		whole, err := os.ReadFile(names[0])
		must(t, err)
		damaged := append([]byte(nil), whole...)
		damaged[len(damaged)/2] ^= 4
		put(t, names[0], damaged)
		j := s.awaitScrub(time.Now())
		file := filepath.Base(names[0])
		if j.Status != kalam.JobFailed || !strings.Contains(j.Error, file) || !strings.Contains(j.Result, `"damaged":1`) || j.Retries > 0 {
			t.Errorf("%s: the scrub is %s after %d retries: %s; %s", pattern, j.Status, j.Retries, j.Error, j.Result)
		}
		rows := s.must(root, "SELECT status, job_type FROM system.jobs WHERE job_id = '"+string(j.ID)+"'").rows
		if len(rows) != 1 || rows[0][0] != `"failed"` || rows[0][1] != `"scrub"` {
			t.Errorf("system.jobs has %v", rows)
		}
		s.wantDegraded(true, pattern)
		s.stop()
		s.config.Storage.ScrubSchedule = ""
		s.start()
		s.wantDegraded(true, pattern+" after a restart")
		must(t, os.WriteFile(names[0], whole, 0o600))
		_, err = s.Scrub(t.Context(), func(jobs.ScrubResult) {})
		must(t, err)
		s.wantDegraded(false, pattern+" restored")
		s.stop()
		s.config.Storage.ScrubSchedule = "@every 1s"
		s.start()
	}
}

// wantDegraded waits until health says so.
func (s *server) wantDegraded(want bool, what string) {
	s.t.Helper()
	end := time.Now().Add(20 * time.Second)
	for s.Health().Degraded != want && time.Now().Before(end) {
		<-time.After(5 * time.Millisecond)
	}
	if h := s.Health(); h.Degraded != want || want && !strings.Contains(h.Reason, "1 segment(s) of the lake are damaged") {
		s.t.Errorf("%s: health is %+v", what, h)
	}
}

// TestReadersTellOfDamage: damage that a query meets makes the server degraded, without
// a scrub.
func TestReadersTellOfDamage(t *testing.T) {
	s := scrubbed(t)
	if r := s.must(root, "STORAGE CHECK local"); len(r.rows) != 1 || r.rows[0][1] != `"healthy"` || r.rows[0][9] != "null" {
		t.Errorf("STORAGE CHECK gives %v", r.rows)
	}
	names, err := filepath.Glob(filepath.Join(s.config.StoragePath(), "users/alice/*/*/*.parquet"))
	must(t, err)
	put(t, names[0], make([]byte, 100))
	if _, err := s.try(userOf("alice"), "SELECT * FROM app.t"); kalam.CodeOf(err) != kalam.CodeCorrupt {
		t.Errorf("SELECT = %v", err)
	}
	s.wantDegraded(true, "a query")
	if r := s.must(root, "STORAGE CHECK local EXTENDED"); len(r.rows) != 1 || r.rows[0][1] != `"degraded"` || !strings.Contains(r.rows[0][9], "1 segment(s) of the lake are damaged") {
		t.Errorf("STORAGE CHECK gives %v", r.rows)
	}
	if _, err := s.try(userOf("alice"), "STORAGE CHECK local"); kalam.CodeOf(err) != kalam.CodePermissionDenied {
		t.Errorf("STORAGE CHECK of a user = %v", err)
	}
	if _, err := s.try(root, "STORAGE CHECK nowhere"); kalam.CodeOf(err) != kalam.CodeNotFound {
		t.Errorf("STORAGE CHECK of no storage = %v", err)
	}
	s.must(root, "DROP TABLE app.t")
	_, err = s.Scrub(t.Context(), func(jobs.ScrubResult) {})
	must(t, err)
}

// TestScrubRebuildsKeys: a key file that is missing is made anew by a scrub.
func TestScrubRebuildsKeys(t *testing.T) {
	s := scrubbed(t)
	names, err := filepath.Glob(filepath.Join(s.config.StoragePath(), "users/alice/*/*/*.keys"))
	must(t, err)
	whole, err := os.ReadFile(names[0])
	must(t, err)
	must(t, os.Remove(names[0]))
	r, err := s.Scrub(t.Context(), func(jobs.ScrubResult) {})
	if err != nil || r.Segments != 3 || r.Rebuilt != 1 || r.Damaged != 0 {
		t.Errorf("Scrub = %+v, %v", r, err)
	}
	if made, err := os.ReadFile(names[0]); err != nil || string(made) != string(whole) {
		t.Errorf("the key file that was made is another, %v", err)
	}
}

// TestScrubIsSlow: the rate of a scrub is bounded, and a server that stops does not
// wait for it.
func TestScrubIsSlow(t *testing.T) {
	s := newServer(t, func(c *engine.Config) { c.Storage.ScrubBytesPerSecond = 1 << 20 })
	s.must(root, "CREATE NAMESPACE app")
	s.must(root, "CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, body TEXT) FLUSH_POLICY 'manual'")
	s.must(userOf("alice"), "INSERT INTO app.t SELECT i, md5(i::TEXT) || md5((i + 1)::TEXT) FROM range(70000) AS r(i)")
	s.flush()
	begun := time.Now()
	r, err := s.Scrub(t.Context(), func(jobs.ScrubResult) {})
	took := time.Since(begun)
	if err != nil || r.Bytes < 2<<20 {
		t.Fatalf("Scrub = %+v, %v", r, err)
	}
	if least := time.Duration(r.Bytes-1<<20) * time.Second / (1 << 20); took < least*9/10 {
		t.Errorf("%d bytes were read within %s, at least %s were due", r.Bytes, took, least)
	}
	done := make(chan error, 1)
	go func() {
		_, err := s.Scrub(context.Background(), func(jobs.ScrubResult) {})
		done <- err
	}()
	<-time.After(50 * time.Millisecond)
	must(t, s.Shutdown(t.Context()))
	if err := <-done; err == nil || !strings.Contains(err.Error(), jobs.ErrStopping.Error()) {
		t.Errorf("Scrub while the server stops = %v", err)
	}
}

// TestScrubBesideCompactions: files that compactions and drops take away meanwhile are
// no damage.
func TestScrubBesideCompactions(t *testing.T) {
	s := scrubbed(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan int, 1)
	go func() {
		n := 0
		for ; ctx.Err() == nil; n++ {
			if r, err := s.Scrub(ctx, func(jobs.ScrubResult) {}); ctx.Err() == nil && (err != nil || r.Damaged > 0) {
				t.Errorf("Scrub = %+v, %v", r, err)
			}
		}
		done <- n
	}()
	for i := range 12 {
		for _, user := range []string{"alice", "bob"} {
			s.must(userOf(user), fmt.Sprintf("INSERT INTO app.t SELECT i, 'x' FROM range(%d, %d) AS r(i)", 10000+i*50, 10050+i*50))
		}
		s.flush()
		s.compact()
		s.must(root, fmt.Sprintf("CREATE USER TABLE app.d%d (id BIGINT PRIMARY KEY) FLUSH_POLICY 'manual'", i))
		s.must(root, fmt.Sprintf("INSERT INTO app.d%d VALUES (1)", i))
		s.flush()
		s.must(root, fmt.Sprintf("DROP TABLE app.d%d", i))
	}
	cancel()
	t.Logf("%d scrubs", <-done)
	if h := s.Health(); h.Degraded {
		t.Errorf("health is %+v", h)
	}
}
