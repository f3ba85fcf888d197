package engine_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/internal/eventually"
	"github.com/kalamlake/kalam/live"
	"github.com/kalamlake/kalam/session"
)

// merge compacts every table while others write, and waits for the jobs.
func (s *server) merge() error {
	res, err := s.try(root, "STORAGE COMPACT ALL")
	if err != nil {
		return err
	}
	for _, id := range res[0].jobs {
		if j := s.await(id); j.Status != kalam.JobCompleted {
			return fmt.Errorf("job %s is %s: %s", id, j.Status, j.Error)
		}
	}
	return nil
}

// TestCompactCrashPoints looks at the disk at every named point of a compaction
// as a crash there would find it, starts a server on it, and expects every row
// exactly once, before and after another compaction, and no old file left where
// the crash came after their removal.
func TestCompactCrashPoints(t *testing.T) {
	points := []string{
		"collected-1", "copied-1", "written-1", "prepared-1", "segment-1", "committing-1", "committed-1", "manifest-1",
		"removing-1", "removed-1", "removed-2", "removed-6",
	}
	crashes := t.TempDir()
	var armed atomic.Bool
	s := newServer(t, manual)
	data := s.config.Storage.DataPath
	s.stop()
	hits := map[string]int{}
	s.opts.Wrap = hook(func(point string) error {
		if armed.Load() {
			hits[point]++
			copyTree(t, data, filepath.Join(crashes, fmt.Sprintf("%s-%d", point, hits[point])))
		}
		return nil
	}).wrap()
	s.start()
	alice := userOf("alice")
	s.notes()
	s.must(alice, "INSERT INTO app.t SELECT i, 'old' FROM range(100) r(i)")
	s.flush()
	s.must(alice, "UPDATE app.t SET v = 'new' WHERE id < 10")
	s.must(alice, "DELETE FROM app.t WHERE id >= 10 AND id < 20")
	s.flush()
	s.must(alice, "INSERT INTO app.t SELECT i, 'added' FROM range(100, 150) r(i)")
	s.flush()
	s.must(alice, "UPDATE app.t SET v = 'buffered' WHERE id IN (7, 90, 140)")
	s.must(alice, "DELETE FROM app.t WHERE id = 99 OR id = 149")
	armed.Store(true)
	if _, r := s.compactTable("app.t"); r.SegmentsBefore != 3 || r.SegmentsAfter != 1 {
		t.Fatalf("compaction: %+v", r)
	}
	armed.Store(false)
	const digest = "SELECT v, count(*) AS n, count(DISTINCT id) AS d, min(id) AS lo, max(id) AS hi FROM app.t GROUP BY v ORDER BY v"
	want := s.must(alice, digest).table()
	if want != "v | n | d | lo | hi\nadded | 48 | 48 | 100 | 148\nbuffered | 3 | 3 | 7 | 140\nnew | 9 | 9 | 0 | 9\nold | 78 | 78 | 20 | 98\n" {
		t.Fatalf("without a crash:\n%s", want)
	}
	for _, point := range points {
		t.Run(point, func(t *testing.T) {
			c := &server{t: t, config: s.config}
			c.config.Storage.DataPath = filepath.Join(crashes, point)
			c.start()
			defer c.stop()
			check := func(when string) {
				t.Helper()
				if got := c.must(alice, digest).table(); got != want {
					t.Errorf("%s:\n%swant\n%s", when, got, want)
				}
				if got := c.single(alice, "SELECT count(*) AS n FROM app.t WHERE _deleted = true"); got != `"12"` {
					t.Errorf("%s: %s tombstones, want 12", when, got)
				}
				if got := c.single(alice, "SELECT v FROM app.t WHERE id = 5"); got != `"new"` {
					t.Errorf("%s: row 5 is %s", when, got)
				}
				if _, err := c.try(alice, "INSERT INTO app.t VALUES (30, 'twice')"); kalam.CodeOf(err) != kalam.CodeAlreadyExists {
					t.Errorf("%s: a taken key: %v", when, err)
				}
			}
			check("after the crash")
			// The job was running: it is taken up again.
			jobs := c.must(root, "SELECT job_id FROM system.jobs WHERE job_type = 'compact'").rows
			if j := c.await(kalam.JobID(strings.Trim(jobs[0][0], `"`))); j.Status != kalam.JobCompleted {
				t.Errorf("the job that crashed is %s: %s", j.Status, j.Error)
			}
			check("after the job was resumed")
			// The job, or the start where the crash was behind the commit.
			eventually.True(t, "every manifest.json names one segment", func() bool {
				for _, n := range c.segments() {
					if n != 1 {
						return false
					}
				}
				return true
			})
			c.flush()
			check("after a flush")
			c.compact()
			check("after another compaction")
			c.restart()
			check("after a restart")
			c.stop()
			// What the crash left is an orphan for a day, then it goes to the trash.
			c.opts.Now = func() time.Time { return time.Now().Add(25 * time.Hour) }
			c.start()
			for end := time.Now().Add(10 * time.Second); len(c.files(".parquet"))+len(c.files(".keys"))+len(c.files(".tmp")) != 2; <-time.After(5 * time.Millisecond) {
				if time.Now().After(end) {
					t.Fatalf("files are left: %v %v", c.files(".parquet"), c.files(".tmp"))
				}
			}
			check("a day later")
			c.must(alice, "INSERT INTO app.t VALUES (15, 'back')")
			if got := c.single(alice, "SELECT count(*) AS n FROM app.t"); got != `"139"` {
				t.Errorf("%s rows at the end", got)
			}
		})
	}
}

// TestNoResurrectionDuringCompaction inserts, updates, deletes and upserts by key
// and by query while the table is flushed and compacted without pause, and
// compares with maps: nothing may come back, be lost, or be there twice.
func TestNoResurrectionDuringCompaction(t *testing.T) {
	s := newServer(t)
	s.notes()
	alice := userOf("alice")
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Second)
	defer cancel()
	var writers, background errgroup.Group
	const ids = 40
	wants := make([]model, 4)
	for w := range wants {
		wants[w] = model{}
		writers.Go(func() error {
			rng := rand.New(rand.NewPCG(uint64(w), 3))
			for n := 0; ctx.Err() == nil; n++ {
				if err := writeOne(s, alice, wants[w], int64(w*ids)+rng.Int64N(ids), fmt.Sprint("v", n), rng.IntN(7)); err != nil {
					return fmt.Errorf("writer %d, statement %d: %w", w, n, err)
				}
			}
			return nil
		})
	}
	flushes, compactions := 0, 0
	background.Go(func() error {
		for ; ctx.Err() == nil; flushes++ {
			s.flush()
		}
		return nil
	})
	background.Go(func() error {
		for ; ctx.Err() == nil; compactions++ {
			if err := s.merge(); err != nil {
				return err
			}
		}
		return nil
	})
	if err := errors.Join(writers.Wait(), background.Wait()); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d flushes, %d compactions", flushes, compactions)
	check := func(when string) {
		t.Helper()
		got := model{}
		for _, row := range s.must(alice, "SELECT id, v FROM app.t").rows {
			id, err := strconv.ParseInt(strings.Trim(row[0], `"`), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			if _, twice := got[id]; twice {
				t.Errorf("%s: key %d is there twice", when, id)
			}
			got[id] = strings.Trim(row[1], `"`)
		}
		want := model{}
		for _, m := range wants {
			for id, v := range m {
				want[id] = v
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: got\n%v\nwant\n%v", when, got, want)
		}
	}
	check("at the end")
	s.restart()
	check("after a restart")
	s.flush()
	s.compact()
	check("after a last compaction")
	if got := s.outside("alice"); fmt.Sprint(model(got)) != fmt.Sprint(flat(wants)) {
		t.Errorf("the files hold %d rows by newest _seq, want %d", len(got), len(flat(wants)))
	}
	if compactions == 0 || flushes == 0 {
		t.Errorf("%d flushes, %d compactions", flushes, compactions)
	}
}

func flat(all []model) model {
	out := model{}
	for _, m := range all {
		for id, v := range m {
			out[id] = v
		}
	}
	return out
}

// writeOne runs one statement on a key that nobody else writes and notes what it
// must have done.
func writeOne(s *server, p kalam.Principal, want model, id int64, v string, kind int) error {
	key, value := kalam.BigInt(id), kalam.Text(v)
	old, there := want[id]
	expect := func(n int64, sql string, params ...kalam.Value) error {
		res, err := s.try(p, sql, params...)
		if err == nil && res[0].count != n {
			err = fmt.Errorf("%s of key %d changed %d rows, want %d", sql, id, res[0].count, n)
		}
		return err
	}
	one := int64(0)
	if there {
		one = 1
	}
	switch kind {
	case 0, 1:
		_, err := s.try(p, "INSERT INTO app.t VALUES ($1, $2)", key, value)
		if there && kalam.CodeOf(err) == kalam.CodeAlreadyExists {
			return nil
		}
		if there && err == nil {
			return fmt.Errorf("key %d, which is %q, was inserted", id, old)
		}
		want[id] = v
		return err
	case 2:
		if there {
			want[id] = v
		}
		return expect(one, "UPDATE app.t SET v = $2 WHERE id = $1", key, value)
	case 3:
		if there {
			want[id] = v
		}
		return expect(one, "UPDATE app.t SET v = $2 WHERE id = $1 AND true", key, value)
	case 4:
		delete(want, id)
		return expect(one, "DELETE FROM app.t WHERE id = $1", key)
	case 5:
		delete(want, id)
		return expect(one, "DELETE FROM app.t WHERE id = $1 AND true", key)
	}
	res, err := s.try(p, "SELECT v FROM app.t WHERE id = $1", key)
	if err != nil {
		return err
	}
	if rows := res[0].rows; (len(rows) == 1) != there || there && rows[0][0] != `"`+old+`"` {
		return fmt.Errorf("key %d reads %v, want %q", id, rows, old)
	}
	return nil
}

// TestSnapshotOfCompactedFiles holds a query open while the files that it reads
// are compacted: it gives what it began with, and the files go when it has ended.
func TestSnapshotOfCompactedFiles(t *testing.T) {
	s := newServer(t, manual)
	s.notes()
	alice := userOf("alice")
	const rows, files = 20000, 6
	for i := range files {
		s.must(alice, fmt.Sprintf("INSERT INTO app.t SELECT i, repeat('x', 100) || i FROM range(%d, %d) r(i)", rows*i,
			rows*i+rows))
		s.flush()
	}
	old := s.files(".parquet")
	r := &slowReader{begun: make(chan struct{}), goOn: make(chan struct{})}
	done := make(chan error, 1)
	go func() {
		done <- s.Execute(context.Background(), alice, session.Request{SQL: "SELECT id, v FROM app.t"}, r)
	}()
	<-r.begun
	s.must(alice, "DELETE FROM app.t WHERE id % 2 = 0")
	s.flush()
	s.compact()
	s.must(alice, "DELETE FROM app.t WHERE id % 3 = 0")
	s.flush()
	s.compact() // Replaces what the first one wrote.
	for _, path := range old {
		if !slices.Contains(s.files(".parquet"), path) {
			t.Errorf("%s went under an open query", path)
		}
	}
	if got := s.single(alice, "SELECT count(*) AS n FROM app.t"); got != fmt.Sprintf(`"%d"`, rows*files/3) {
		t.Errorf("%s rows after the compactions, want %d", got, rows*files/3)
	}
	close(r.goOn)
	if err := <-done; err != nil {
		t.Fatalf("the query that was open: %v", err)
	}
	if r.rows != rows*files {
		t.Errorf("the query that was open gave %d rows, want %d", r.rows, rows*files)
	}
	for end := time.Now().Add(10 * time.Second); len(s.files(".parquet")) != 1 ||
		len(s.files(".keys")) != 1; <-time.After(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("files are left after the query: %v", s.files(".parquet"))
		}
	}
}

// TestDropDuringCompaction drops a table, and creates it again, while its
// segments are compacted: nothing of the old one is left or seen.
func TestDropDuringCompaction(t *testing.T) {
	for _, point := range []string{"collected", "copied", "prepared", "segment", "manifest"} {
		t.Run(point, func(t *testing.T) {
			begun, goOn := make(chan struct{}), make(chan struct{})
			var armed, once atomic.Bool
			s := newServer(t, manual)
			s.stop()
			s.opts.Wrap = hook(func(p string) error {
				if p == point && armed.Load() && !once.Swap(true) {
					close(begun)
					<-goOn
				}
				return nil
			}).wrap()
			s.start()
			s.notes()
			alice := userOf("alice")
			for i := range 3 {
				s.must(alice, fmt.Sprintf("INSERT INTO app.t VALUES (%d, 'old')", i))
				s.flush()
			}
			armed.Store(true)
			compaction := s.must(root, "STORAGE COMPACT TABLE app.t").jobs[0]
			<-begun
			drop := s.must(root, "DROP TABLE app.t").jobs[0]
			s.must(root, "CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, v TEXT)")
			s.must(alice, "INSERT INTO app.t VALUES (1, 'new')")
			s.flush()
			close(goOn)
			if j := s.await(compaction); j.Status != kalam.JobCompleted && j.Status != kalam.JobSkipped {
				t.Errorf("compaction is %s: %s", j.Status, j.Error)
			}
			if j := s.await(drop); j.Status != kalam.JobCompleted {
				t.Errorf("cleanup is %s: %s", j.Status, j.Error)
			}
			for range 2 {
				if got := s.must(alice, "SELECT id, v FROM app.t").table(); got != "id | v\n1 | new\n" {
					t.Errorf("the new table has\n%s", got)
				}
				if got := s.files(".parquet"); len(got) != 1 {
					t.Errorf("files %v, want one", got)
				}
				s.restart()
			}
		})
	}
}

// TestKillCompaction kills a compaction before its file is written: every row and
// file stays, and the next one does the work.
func TestKillCompaction(t *testing.T) {
	begun, goOn := make(chan struct{}), make(chan struct{})
	var armed, once atomic.Bool
	s := newServer(t, manual)
	s.stop()
	s.opts.Wrap = hook(func(p string) error {
		if p == "collected" && armed.Load() && !once.Swap(true) {
			close(begun)
			<-goOn
		}
		return nil
	}).wrap()
	s.start()
	s.notes()
	alice := userOf("alice")
	for i := range 3 {
		s.must(alice, fmt.Sprintf("INSERT INTO app.t VALUES (%d, 'v')", i))
		s.flush()
	}
	files := s.files(".parquet")
	armed.Store(true)
	id := s.must(root, "STORAGE COMPACT TABLE app.t").jobs[0]
	<-begun
	killed := make(chan error, 1)
	go func() {
		_, err := s.try(root, fmt.Sprintf("KILL JOB '%s'", id))
		killed <- err
	}()
	<-time.After(50 * time.Millisecond)
	close(goOn)
	if err := <-killed; err != nil {
		t.Fatal(err)
	}
	if j := s.await(id); j.Status != kalam.JobCancelled {
		t.Errorf("job is %s: %s", j.Status, j.Error)
	}
	if got := s.files(".parquet"); !slices.Equal(got, files) || len(s.files(".tmp")) != 0 {
		t.Errorf("files %v %v, want %v", got, s.files(".tmp"), files)
	}
	s.compact()
	if got := s.single(alice, "SELECT count(*) AS n FROM app.t"); got != `"3"` || len(s.files(".parquet")) != 1 {
		t.Errorf("%s rows in %d files", got, len(s.files(".parquet")))
	}
}

// TestResumeAcrossCompaction resumes a live query after updates and deletions that
// were flushed and compacted: it gets the newest version of every key that
// changed.
func TestResumeAcrossCompaction(t *testing.T) {
	s := newServer(t, manual)
	s.notes()
	alice := userOf("alice")
	s.must(alice, "INSERT INTO app.t SELECT i, 'old' FROM range(20) r(i)")
	f := s.follow(alice, "SELECT id, v FROM app.t", &live.Options{}, false)
	f.close()
	for i := range 3 {
		s.must(alice, fmt.Sprintf("UPDATE app.t SET v = 'new%d' WHERE id < 5", i))
		s.must(alice, fmt.Sprintf("DELETE FROM app.t WHERE id = %d", 10+i))
		s.flush()
	}
	s.must(alice, "UPDATE app.t SET v = 'buffered' WHERE id = 0")
	resume := func() string {
		from := s.follow(alice, "SELECT id, v FROM app.t", &live.Options{From: f.last}, false)
		defer from.close()
		return fmt.Sprint(sorted(from.rows))
	}
	want := resume()
	s.compact()
	if got := resume(); got != want || !strings.Contains(got, "buffered") || strings.Contains(got, "old") {
		t.Errorf("after the compaction a resumed query gets\n%s\nwant\n%s", got, want)
	}
	s.restart()
	if got := resume(); got != want {
		t.Errorf("after a restart a resumed query gets\n%s\nwant\n%s", got, want)
	}
}
