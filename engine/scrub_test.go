package engine_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/config"
	"github.com/kalamlake/kalam/jobs"
	"github.com/kalamlake/kalam/maintain"
)

// scrubbed makes a lake with a segment each of two users and one of a SHARED table.
func scrubbed(t *testing.T, change ...func(*config.Config)) *server {
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
			if j.Kind == maintain.KindScrub && j.Status.Done() && j.CreatedAt.After(after) {
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
	s := scrubbed(t, func(c *config.Config) { c.Storage.ScrubSchedule = "@every 1s" })
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
		if j.Status != kalam.JobFailed || !strings.Contains(j.Error, file) || !strings.Contains(j.Result, `"damaged":1`) ||
			j.Retries > 0 {
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
		_, err = s.Maintain().Scrub(t.Context(), func(maintain.ScrubResult) {})
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
	if r := s.must(root, "STORAGE CHECK local"); len(r.rows) != 1 || r.rows[0][1] != `"healthy"` ||
		r.rows[0][9] != "null" {
		t.Errorf("STORAGE CHECK gives %v", r.rows)
	}
	names, err := filepath.Glob(filepath.Join(s.config.StoragePath(), "users/alice/*/*/*.parquet"))
	must(t, err)
	put(t, names[0], make([]byte, 100))
	if _, err := s.try(userOf("alice"), "SELECT * FROM app.t"); kalam.CodeOf(err) != kalam.CodeCorrupt {
		t.Errorf("SELECT = %v", err)
	}
	s.wantDegraded(true, "a query")
	if r := s.must(root, "STORAGE CHECK local EXTENDED"); len(r.rows) != 1 || r.rows[0][1] != `"degraded"` ||
		!strings.Contains(r.rows[0][9], "1 segment(s) of storage 'local' are damaged") {
		t.Errorf("STORAGE CHECK gives %v", r.rows)
	}
	if _, err := s.try(userOf("alice"), "STORAGE CHECK local"); kalam.CodeOf(err) != kalam.CodePermissionDenied {
		t.Errorf("STORAGE CHECK of a user = %v", err)
	}
	if _, err := s.try(root, "STORAGE CHECK nowhere"); kalam.CodeOf(err) != kalam.CodeNotFound {
		t.Errorf("STORAGE CHECK of no storage = %v", err)
	}
	s.must(root, "DROP TABLE app.t")
	_, err = s.Maintain().Scrub(t.Context(), func(maintain.ScrubResult) {})
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
	r, err := s.Maintain().Scrub(t.Context(), func(maintain.ScrubResult) {})
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
	s := newServer(t, func(c *config.Config) { c.Storage.ScrubBytesPerSecond = 1 << 20 })
	s.must(root, "CREATE NAMESPACE app")
	s.must(root, "CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, body TEXT) FLUSH_POLICY 'manual'")
	s.must(userOf("alice"), "INSERT INTO app.t SELECT i, md5(i::TEXT) || md5((i + 1)::TEXT) FROM range(70000) AS r(i)")
	s.flush()
	begun := time.Now()
	r, err := s.Maintain().Scrub(t.Context(), func(maintain.ScrubResult) {})
	took := time.Since(begun)
	if err != nil || r.Bytes < 2<<20 {
		t.Fatalf("Scrub = %+v, %v", r, err)
	}
	if least := time.Duration(r.Bytes-1<<20) * time.Second / (1 << 20); took < least*9/10 {
		t.Errorf("%d bytes were read within %s, at least %s were due", r.Bytes, took, least)
	}
	done := make(chan error, 1)
	go func() {
		_, err := s.Maintain().Scrub(context.Background(), func(maintain.ScrubResult) {})
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
			if r, err := s.Maintain().Scrub(ctx, func(maintain.ScrubResult) {}); ctx.Err() == nil &&
				(err != nil || r.Damaged > 0) {
				t.Errorf("Scrub = %+v, %v", r, err)
			}
		}
		done <- n
	}()
	for i := range 12 {
		for _, user := range []string{"alice", "bob"} {
			s.must(userOf(user), fmt.Sprintf("INSERT INTO app.t SELECT i, 'x' FROM range(%d, %d) AS r(i)", 10000+i*50,
				10050+i*50))
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

// TestEarlyRecords: the record of an early version has no checksums. What it names is
// read all the same, keys that are missing are made anew, a foreign file is refused, and
// a scrub completes the record.
func TestEarlyRecords(t *testing.T) {
	s := scrubbed(t)
	alice, bob := userOf("alice"), userOf("bob")
	want := s.must(alice, "SELECT id, body FROM app.t ORDER BY id").table()
	s.stop()
	sums := regexp.MustCompile(`,"sums":\{[^}]*\}`)
	editManifest(t, s.config, func(raw []byte) []byte {
		body := sums.ReplaceAll(raw[5:], nil)
		if len(body) == len(raw)-5 {
			t.Fatalf("the record has no sums: %s", raw[5:])
		}
		sealed := binary.LittleEndian.AppendUint32(raw[:1:1], crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)))
		return append(sealed, body...)
	})
	s.start()
	keys := s.filesOf(t, "alice")[".keys"]
	must(t, os.Remove(keys))
	for _, state := range []string{"without keys", "with new keys", "after a restart"} {
		if got := s.must(alice, "SELECT id, body FROM app.t ORDER BY id").table(); got != want {
			t.Errorf("%s: alice has other rows", state)
		}
		if got := s.single(alice, "SELECT id FROM app.t WHERE id = 77"); plainCell(got) != "77" {
			t.Errorf("%s: by key there is %s", state, got)
		}
		if state == "with new keys" {
			s.restart()
		}
	}
	parquet := s.filesOf(t, "alice")[".parquet"]
	whole, err := os.ReadFile(parquet)
	must(t, err)
	foreign, err := os.ReadFile(s.filesOf(t, "bob")[".parquet"])
	must(t, err)
	must(t, os.Remove(keys))
	put(t, parquet, foreign)
	if _, err := s.try(alice, "SELECT * FROM app.t"); kalam.CodeOf(err) != kalam.CodeCorrupt {
		t.Errorf("bob's file in the place of alice's: %v", err)
	}
	put(t, parquet, whole)
	for i, recorded := range []int{1, 0} {
		r, err := s.Maintain().Scrub(t.Context(), func(maintain.ScrubResult) {})
		if err != nil || r.Damaged > 0 || r.Recorded != recorded || r.Segments != 3 {
			t.Errorf("scrub %d: %+v, %v", i, r, err)
		}
	}
	if got := s.must(bob, "SELECT count(*) FROM app.t").rows[0][0]; plainCell(got) != "2000" {
		t.Errorf("bob has %s rows", got)
	}
	s.stop()
	editManifest(t, s.config, func(raw []byte) []byte {
		if !sums.Match(raw) {
			t.Errorf("the record was not completed: %s", raw)
		}
		return raw
	})
}
