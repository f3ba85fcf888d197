package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"
	arrowmemory "github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/live"
)

// holders returns the files below the data directory that hold text: as it is, or in a
// column of a Parquet file, the trash included.
func (s *server) holders(text string) (names []string) {
	s.t.Helper()
	err := filepath.WalkDir(s.config.Storage.DataPath, func(p string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // It was removed meanwhile.
		}
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(p)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && (bytes.Contains(raw, []byte(text)) || strings.HasSuffix(p, ".parquet") &&
			parquetHolds(s.t, raw, text)) {
			rel, _ := filepath.Rel(s.config.Storage.DataPath, p) // Of a file that lies in it.
			names = append(names, rel)
		}
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return names
}

// parquetHolds reports whether a text column of a Parquet file holds text.
func parquetHolds(t testing.TB, raw []byte, text string) bool {
	t.Helper()
	r, err := file.NewParquetReader(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	pr, err := pqarrow.NewFileReader(r, pqarrow.ArrowReadProperties{}, arrowmemory.DefaultAllocator)
	if err != nil {
		t.Fatal(err)
	}
	table, err := pr.ReadTable(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer table.Release()
	for i := range int(table.NumCols()) {
		for _, chunk := range table.Column(i).Data().Chunks() {
			column, ok := chunk.(*array.String)
			for k := 0; ok && k < column.Len(); k++ {
				if strings.Contains(column.Value(k), text) {
					return true
				}
			}
		}
	}
	return false
}

// forget compacts a table with RETAIN and waits for the job.
func (s *server) forget(table string, hours int) kalam.Job {
	s.t.Helper()
	j := s.await(s.must(root, fmt.Sprintf("STORAGE COMPACT TABLE %s RETAIN %d HOURS", table, hours)).jobs[0])
	if j.Status != kalam.JobCompleted {
		s.t.Fatalf("job %s is %s: %s; %s", j.ID, j.Status, j.Error, j.Message)
	}
	return j
}

// wantForgotten checks that no file holds text any more; files that nothing refers to go
// beside the job.
func (s *server) wantForgotten(when, text string) {
	s.t.Helper()
	for end := time.Now().Add(5 * time.Second); ; <-time.After(5 * time.Millisecond) {
		names := s.holders(text)
		if len(names) == 0 {
			return
		}
		if time.Now().After(end) {
			s.t.Fatalf("%s: %q is in %v", when, text, names)
		}
	}
}

// canaryOf returns a text of at least n bytes with a canary in it that does not compress.
func canaryOf(canary string, n int) string {
	var b strings.Builder
	b.WriteString(canary)
	for rng := rand.New(rand.NewPCG(uint64(n), 7)); b.Len() < n; {
		fmt.Fprintf(&b, "%016x", rng.Uint64())
	}
	return b.String()
}

// TestForget deletes and replaces values of all lengths, in tables of both kinds, in the
// buffer, in one file and in many: with RETAIN 0 HOURS no file below the data directory
// holds them afterwards, keys included, and the rows of the table and of others are as
// before. A plain compaction, tried first, leaves them. Case D8.
func TestForget(t *testing.T) {
	const canary = "canary-9b1d66e0"
	for _, kind := range []string{"USER", "SHARED"} {
		for _, state := range []string{"buffered", "one file", "one file, deletions buffered", "many files", "compacted"} {
			t.Run(kind+" "+state, func(t *testing.T) {
				s := newServer(t, manual)
				owner, bob := userOf("alice"), userOf("bob")
				if kind == "SHARED" {
					owner, bob = root, root
				}
				s.must(root, fmt.Sprintf("CREATE NAMESPACE app; CREATE %s TABLE app.t (id TEXT PRIMARY KEY, v TEXT) WITH (FLUSH_POLICY = 'manual')", kind))
				s.must(root, "CREATE USER TABLE app.other (id TEXT PRIMARY KEY, v TEXT) WITH (FLUSH_POLICY = 'manual')")
				s.must(userOf("carol"), "INSERT INTO app.other VALUES ('1', 'of another table')")
				step := func(p kalam.Principal, format string, args ...any) {
					s.must(p, fmt.Sprintf(format, args...))
					if state == "many files" {
						s.flush()
					}
				}
				for i, n := range []int{0, 5_000, 60_000} {
					step(owner, "INSERT INTO app.t VALUES ('gone-%d-%s', '%s'), ('stays-%d', '%s'), ('kept-%d', 'v')", i, canary,
						canaryOf(canary, n), i, canaryOf(canary, n), i)
				}
				step(bob, "INSERT INTO app.t VALUES ('of bob', 'v')")
				if state == "one file, deletions buffered" || state == "compacted" {
					s.flush()
				}
				step(owner, "UPDATE app.t SET v = 'new' WHERE id LIKE 'stays%%'")
				step(owner, "DELETE FROM app.t WHERE id LIKE 'gone%%'")
				if state == "one file" || state == "compacted" {
					s.flush()
				}
				if state == "compacted" {
					s.compact()
				}
				rows := func() string {
					return s.must(owner, "SELECT id, v FROM app.t ORDER BY id").table() + s.must(bob,
						"SELECT id, v FROM app.t ORDER BY id").table() +
						s.must(userOf("carol"), "SELECT id, v FROM app.other").table()
				}
				want := rows()
				if strings.Contains(want, canary) || !strings.Contains(want, "stays-2 | new\n") {
					t.Fatalf("the rows are\n%s", want)
				}
				if len(s.holders(canary)) == 0 {
					t.Fatal("no file holds the deleted values before: the test shows nothing")
				}
				s.compactTable("app.t")
				if len(s.holders(canary)) == 0 {
					t.Fatal("a plain compaction forgets: the test shows nothing")
				}
				j := s.forget("app.t", 0)
				if !strings.HasPrefix(j.Message, "Compaction completed for table app.t: ") {
					t.Errorf("the job says %q", j.Message)
				}
				s.wantForgotten("after the job", canary)
				if got := rows(); got != want {
					t.Errorf("the rows are\n%swant\n%s", got, want)
				}
				if got := s.single(owner, "SELECT count(*) AS n FROM app.t WHERE _deleted = true"); got != `"0"` {
					t.Errorf("%s tombstones are left", got)
				}
				s.restart()
				s.wantForgotten("after a restart", canary)
				if got := rows(); got != want {
					t.Errorf("after a restart the rows are\n%swant\n%s", got, want)
				}
				s.forget("app.t", 0) // There is nothing left to do.
				if got := rows(); got != want {
					t.Errorf("after a second job the rows are\n%swant\n%s", got, want)
				}
			})
		}
	}
}

// clocked starts a server whose clock the test moves.
func clocked(t *testing.T) (s *server, pass func(time.Duration)) {
	t.Helper()
	var since atomic.Int64
	start := time.Now()
	s = newServer(t, manual)
	s.stop()
	s.opts.Now = func() time.Time { return start.Add(time.Duration(since.Load())) }
	s.start()
	return s, func(d time.Duration) { since.Add(int64(d)) }
}

// TestForgetByAge: what was deleted within the hours stays, what was before is gone, with
// fewer and with more hours than the table says. Case D8.
func TestForgetByAge(t *testing.T) {
	s, pass := clocked(t)
	alice := userOf("alice")
	s.must(root, "CREATE NAMESPACE app; CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, v TEXT) WITH (FLUSH_POLICY = 'manual', DELETED_RETENTION_HOURS = 2)")
	for i := range 5 {
		s.must(alice, fmt.Sprintf("INSERT INTO app.t VALUES (%d, 'canary-%d-a41f')", i, i))
	}
	s.flush()
	for i := range 4 { // 4, 3, 2 and 1 hours ago.
		s.must(alice, fmt.Sprintf("DELETE FROM app.t WHERE id = %d", i))
		if i%2 == 0 {
			s.flush()
		}
		pass(time.Hour)
	}
	pass(time.Minute)
	for _, c := range []struct {
		hours, want int // The youngest that is gone.
	}{{5, -1}, {4, 0}, {3, 1}, {1, 3}, {2, 3}, {0, 3}} {
		s.forget("app.t", c.hours)
		for i := range 5 {
			canary := fmt.Sprintf("canary-%d-a41f", i)
			if i <= c.want {
				s.wantForgotten(fmt.Sprintf("RETAIN %d HOURS", c.hours), canary)
			} else if len(s.holders(canary)) == 0 {
				t.Errorf("RETAIN %d HOURS: %q is gone", c.hours, canary)
			}
		}
	}
	if got := s.must(alice, "SELECT id, v FROM app.t").table(); got != "id | v\n4 | canary-4-a41f\n" {
		t.Errorf("the rows are\n%s", got)
	}
}

// resumeFrom subscribes from a seq and ends at once.
func (s *server) resumeFrom(p kalam.Principal, from kalam.Seq) error {
	out := s.Live().NewOutbox()
	defer out.Close()
	q, err := s.Live().Subscribe(context.Background(), p, live.Request{
		Connection: fmt.Sprintf("%032x", connections.Add(1)), ID: "sub-1", SQL: "SELECT * FROM app.t",
		Options: &live.Options{From: from}, Exact: true, Outbox: out,
	})
	if err == nil {
		q.Close()
	}
	return err
}

// TestForgottenEndsResume: who resumes from before a deletion that was forgotten is told
// to reload; who has seen it, another user, and a new client, resume. That stays so over
// flushes, plain compactions and restarts. Case D8.
func TestForgottenEndsResume(t *testing.T) {
	s := newServer(t, manual)
	alice, bob := userOf("alice"), userOf("bob")
	s.must(root, "CREATE NAMESPACE app; CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, v TEXT) WITH (FLUSH_POLICY = 'manual')")
	seen := func(p kalam.Principal) kalam.Seq {
		f := s.follow(p, "SELECT * FROM app.t", &live.Options{}, true)
		defer f.close()
		return max(f.last, f.query.Seq())
	}
	for _, p := range []kalam.Principal{alice, bob} {
		s.must(p, "INSERT INTO app.t VALUES (1, 'a'), (2, 'b'), (3, 'c')")
	}
	before, ofBob := seen(alice), seen(bob)
	s.forget("app.t", 0)
	if err := s.resumeFrom(alice, before); err != nil {
		t.Errorf("nothing was forgotten: %v", err)
	}
	s.must(alice, "DELETE FROM app.t WHERE id = 1")
	after := seen(alice)
	s.must(alice, "UPDATE app.t SET v = 'x' WHERE id = 2")
	s.must(bob, "UPDATE app.t SET v = 'x' WHERE id = 2")
	if err := s.resumeFrom(alice, before); err != nil {
		t.Errorf("before it is forgotten: %v", err)
	}
	s.forget("app.t", 0)
	check := func(when string) {
		t.Helper()
		if err := s.resumeFrom(alice, before); kalam.CodeOf(err) != kalam.CodeResumeWindow {
			t.Errorf("%s, from before the deletion: %v", when, err)
		}
		for what, err := range map[string]error{
			"from after it": s.resumeFrom(alice, after), "another user": s.resumeFrom(bob,
				ofBob), "a new client": s.resumeFrom(alice, 0),
			"from before the table": s.resumeFrom(alice, 1),
		} {
			if err != nil {
				t.Errorf("%s, %s: %v", when, what, err)
			}
		}
	}
	check("after it")
	s.must(alice, "INSERT INTO app.t VALUES (4, 'd')")
	s.flush()
	check("after a flush")
	s.compact()
	check("after a compaction")
	s.restart()
	check("after a restart")
	s.must(alice, "DELETE FROM app.t WHERE id > 0")
	before, after = after, seen(alice)
	s.forget("app.t", 0)
	if n := len(s.files(".parquet")); n != 1 {
		t.Errorf("%d files, want that of bob", n)
	}
	check("without a file") // The record of a scope without files keeps the mark.
}

// TestForgetCrashPoints looks at the disk at every named point of the job as a crash there
// would find it: the job goes on with the same hours, no value is left and none is lost,
// and no tombstone is gone without the mark that ends the resume from before it. Case D8.
func TestForgetCrashPoints(t *testing.T) {
	points := []string{
		"collected-1", "segment-1", "committed-1", "trimmed-1", "manifest-1", // Of the flush.
		"collected-2", "copied-1", "prepared-2", "segment-2", "committed-2", "manifest-2", "removed-1", "removed-6",
		"purging-1",
	}
	const canary = "canary-c0ffee77"
	crashes := t.TempDir()
	var armed atomic.Bool
	s := newServer(t, manual)
	data := s.config.Storage.DataPath
	s.stop()
	hits := map[string]int{}
	s.opts.Wrap = hook(func(point string) error {
		if !armed.Load() {
			return nil
		}
		hits[point]++
		if point = fmt.Sprintf("%s-%d", point, hits[point]); slices.Contains(points, point) {
			copyTree(t, data, filepath.Join(crashes, point))
		}
		return nil
	}).wrap()
	s.start()
	alice := userOf("alice")
	s.must(root, "CREATE NAMESPACE app; CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, v TEXT) WITH (FLUSH_POLICY = 'manual')")
	s.must(alice, "INSERT INTO app.t SELECT i, CASE WHEN i < 20 THEN '"+canary+"' ELSE 'v' END FROM range(100) r(i)")
	s.flush()
	f := s.follow(alice, "SELECT * FROM app.t", &live.Options{}, true)
	f.close()
	s.must(alice, "UPDATE app.t SET v = 'new' WHERE id < 10")
	s.flush()
	s.must(alice, "DELETE FROM app.t WHERE id >= 10 AND id < 20")
	armed.Store(true)
	s.forget("app.t", 0)
	armed.Store(false)
	const digest = "SELECT v, count(*) AS n, min(id) AS lo, max(id) AS hi FROM app.t GROUP BY v ORDER BY v"
	want := s.must(alice, digest).table()
	if want != "v | n | lo | hi\nnew | 10 | 0 | 9\nv | 80 | 20 | 99\n" {
		t.Fatalf("without a crash:\n%s", want)
	}
	for _, point := range points {
		t.Run(point, func(t *testing.T) {
			release := make(chan struct{})
			resume := sync.OnceFunc(func() { close(release) })
			c := &server{t: t, config: s.config}
			c.config.Storage.DataPath = filepath.Join(crashes, point)
			c.opts.Wrap = hook(func(p string) error { // The job that is taken up waits for the first looks.
				if p == "collected" || p == "purging" {
					<-release
				}
				return nil
			}).wrap()
			c.start()
			defer c.stop()
			defer resume()
			if got := c.must(alice, digest).table(); got != want {
				t.Errorf("after the crash:\n%swant\n%s", got, want)
			}
			gone := c.single(alice, "SELECT count(*) AS n FROM app.t WHERE _deleted = true") == `"0"`
			if err := c.resumeFrom(alice, f.last); gone != (kalam.CodeOf(err) == kalam.CodeResumeWindow) {
				t.Errorf("the tombstones are gone: %v, resume: %v", gone, err)
			}
			resume()
			rows := c.must(root, "SELECT job_id, parameters FROM system.jobs WHERE job_type = 'compact'").rows
			if len(rows) != 1 || !strings.Contains(rows[0][1], `retain_hours`) {
				t.Fatalf("the jobs are %v", rows)
			}
			if j := c.await(kalam.JobID(strings.Trim(rows[0][0], `"`))); j.Status != kalam.JobCompleted {
				t.Errorf("the job that crashed is %s: %s", j.Status, j.Error)
			}
			c.wantForgotten("after the job was resumed", canary)
			if got := c.must(alice, digest).table(); got != want {
				t.Errorf("after the job was resumed:\n%swant\n%s", got, want)
			}
			if err := c.resumeFrom(alice, f.last); kalam.CodeOf(err) != kalam.CodeResumeWindow {
				t.Errorf("resume after the job: %v", err)
			}
			c.restart()
			if got := c.must(alice, digest).table(); got != want {
				t.Errorf("after a restart:\n%swant\n%s", got, want)
			}
		})
	}
}

// TestForgetLeftovers puts files of before back, as crashes leave them, beside the table's
// and into the trash: they go with what they hold, and those of another table stay.
// Case D8.
func TestForgetLeftovers(t *testing.T) {
	const canary = "canary-1e57face"
	s := newServer(t, manual)
	alice := userOf("alice")
	for _, name := range []string{"t", "other"} {
		s.must(root, fmt.Sprintf("CREATE NAMESPACE IF NOT EXISTS app; CREATE USER TABLE app.%s (id BIGINT PRIMARY KEY, v TEXT) WITH (FLUSH_POLICY = 'manual')", name))
		s.must(alice, fmt.Sprintf("INSERT INTO app.%s VALUES (1, '%s of %s')", name, canary, name))
		s.flush()
		s.must(alice, fmt.Sprintf("DELETE FROM app.%s WHERE id = 1; INSERT INTO app.%s VALUES (2, 'v')", name, name))
		s.flush()
	}
	saved := map[string][]byte{}
	for _, name := range append(s.files(".parquet"), s.files(".keys")...) {
		raw, err := os.ReadFile(name)
		must(t, err)
		saved[name] = raw
	}
	s.compact() // Removes them.
	trash := filepath.Join(s.config.StoragePath(), ".trash", time.Now().UTC().Format("2006-01-02T15-04-05Z"))
	for name, raw := range saved {
		rel, err := filepath.Rel(s.config.StoragePath(), name)
		must(t, err)
		for _, to := range []string{name, filepath.Join(trash, rel)} {
			must(t, os.MkdirAll(filepath.Dir(to), 0o700))
			must(t, os.WriteFile(to, raw, 0o600))
		}
		staged := name + ".0123abcd.tmp" // What a server was writing that was killed.
		must(t, os.WriteFile(staged, raw, 0o600))
		old := time.Now().Add(-time.Hour)
		must(t, os.Chtimes(staged, old, old))
	}
	s.forget("app.t", 0)
	s.wantForgotten("after the job", canary+" of t")
	left := 0
	for _, name := range s.holders(canary + " of other") {
		if strings.HasSuffix(name, ".parquet") {
			left++
		}
	}
	if left < 2 {
		t.Errorf("%d files of the other table are left, want those in its folder and in the trash", left)
	}
	if got := s.must(alice, "SELECT id, v FROM app.t").table(); got != "id | v\n2 | v\n" {
		t.Errorf("the rows are\n%s", got)
	}
}

// TestForgetBesideReaders has a client read the old files while the job runs: it reads to
// the end, and the files go when it has. Case D8.
func TestForgetBesideReaders(t *testing.T) {
	const canary = "canary-50fa5eed"
	s := newServer(t, manual)
	alice := userOf("alice")
	s.must(root, "CREATE NAMESPACE app; CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, v TEXT) WITH (FLUSH_POLICY = 'manual')")
	s.must(alice, "INSERT INTO app.t VALUES (1, '"+canary+"'), (2, 'v')")
	s.flush()
	out := s.Live().NewOutbox()
	defer out.Close()
	q, err := s.Live().Subscribe(context.Background(), alice, live.Request{
		Connection: fmt.Sprintf("%032x", connections.Add(1)), ID: "sub-1", SQL: "SELECT * FROM app.t",
		Options: &live.Options{}, Exact: true, Outbox: out,
	})
	must(t, err)
	defer q.Close()
	s.must(alice, "DELETE FROM app.t WHERE id = 1")
	id := s.must(root, "STORAGE COMPACT TABLE app.t RETAIN 0 HOURS").jobs[0]
	time.AfterFunc(300*time.Millisecond, func() {
		if b, err := q.NextBatch(context.Background()); err != nil || len(b.Rows) != 2 {
			t.Errorf("the reader gets %v, %v", b, err)
		}
		q.Activate()
	})
	if j := s.await(id); j.Status != kalam.JobCompleted || strings.Contains(j.Message, "still read") {
		t.Errorf("the job is %s: %s; %s", j.Status, j.Message, j.Error)
	}
	s.wantForgotten("after the job", canary)
}

// TestForgetStatements: the hours are part of what the job is, plain users and STREAM
// tables are refused, ALL is for every table. Case D8.
func TestForgetStatements(t *testing.T) {
	var hold atomic.Pointer[chan struct{}]
	s := newServer(t, manual)
	s.stop()
	s.opts.Wrap = hook(func(p string) error {
		if c := hold.Load(); p == "collected" && c != nil {
			<-*c
		}
		return nil
	}).wrap()
	s.start()
	alice := userOf("alice")
	s.notes()
	s.must(root, "CREATE SHARED TABLE app.s (id BIGINT PRIMARY KEY); CREATE STREAM TABLE app.e (id BIGINT PRIMARY KEY) WITH (TTL_SECONDS = 60)")
	for i := range 2 {
		s.must(alice, fmt.Sprintf("INSERT INTO app.t VALUES (%d, 'canary-beefbeef')", i))
		s.flush()
	}
	s.must(alice, "DELETE FROM app.t WHERE id = 1")
	gate := make(chan struct{})
	hold.Store(&gate)
	var ids []kalam.JobID
	for _, sql := range []string{"STORAGE COMPACT TABLE app.t", "STORAGE COMPACT TABLE app.t RETAIN 0 HOURS",
		"STORAGE COMPACT TABLE app.t RETAIN 5 HOURS"} {
		first, again := s.must(root, sql), s.must(root, sql)
		if first.jobs[0] != again.jobs[0] ||
			!strings.HasPrefix(again.message, "Storage compaction skipped: a compaction is already queued or running") {
			t.Errorf("%s a second time: %+v", sql, again)
		}
		ids = append(ids, first.jobs[0])
	}
	slices.Sort(ids)
	if len(slices.Compact(ids)) != 3 {
		t.Errorf("the jobs are %v, want three", ids)
	}
	hold.Store(nil)
	close(gate)
	for _, id := range ids {
		if j := s.await(id); j.Status != kalam.JobCompleted {
			t.Errorf("job %s is %s: %s", id, j.Status, j.Error)
		}
	}
	all := s.must(root, "STORAGE COMPACT ALL IN app RETAIN 0 HOURS")
	if len(all.jobs) != 2 {
		t.Errorf("ALL: %+v", all)
	}
	for _, id := range all.jobs {
		if j := s.await(id); j.Status != kalam.JobCompleted {
			t.Errorf("job %s is %s: %s", id, j.Status, j.Error)
		}
	}
	if got := s.must(alice, "SELECT id FROM app.t").table(); got != "id\n0\n" {
		t.Errorf("the rows are\n%s", got)
	}
	for sql, p := range map[string]kalam.Principal{
		"STORAGE COMPACT TABLE app.t RETAIN 0 HOURS": alice, "STORAGE COMPACT ALL RETAIN 0 HOURS": alice, "STORAGE COMPACT TABLE app.e RETAIN 0 HOURS": root,
	} {
		if _, err := s.try(p, sql); err == nil {
			t.Errorf("%s as %s is not refused", sql, p.User)
		}
	}
}
