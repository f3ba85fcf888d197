package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"
	arrowmemory "github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/buffer/buffertest"
	"github.com/kalamlake/kalam/buffer/memory"
	"github.com/kalamlake/kalam/config"
	"github.com/kalamlake/kalam/engine"
	"github.com/kalamlake/kalam/maintain"
)

// compact compacts every table and waits for the jobs. Afterwards no scope may
// have two segments.
func (s *server) compact() {
	s.t.Helper()
	before := s.segments()
	for _, id := range s.must(root, "STORAGE COMPACT ALL").jobs {
		j := s.await(id)
		if j.Status != kalam.JobCompleted && j.Status != kalam.JobSkipped {
			s.t.Fatalf("job %s is %s: %s", id, j.Status, j.Error)
		}
		if j.Status == kalam.JobCompleted && !strings.HasPrefix(j.Message, "Compaction completed for table ") {
			s.t.Fatalf("job %s says %q", id, j.Message)
		}
	}
	for path, n := range s.segments() {
		if n > 1 {
			s.t.Fatalf("%s names %d segments after a compaction", path, n)
		}
		s.merged += max(0, before[path]-n)
	}
}

// segments returns how many segments each manifest.json names, by its path.
func (s *server) segments() map[string]int {
	s.t.Helper()
	out := map[string]int{}
	for _, path := range s.files("manifest.json") {
		raw, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) { // Its table was dropped.
			continue
		}
		if err != nil {
			s.t.Fatal(err)
		}
		var m struct {
			Segments []json.RawMessage `json:"segments"`
		}
		if err := json.Unmarshal(raw, &m); err != nil {
			s.t.Fatalf("%s: %v", path, err)
		}
		out[path] = len(m.Segments)
	}
	return out
}

// files returns the files of the lake whose names end in suffix, without the trash.
func (s *server) files(suffix string) (out []string) {
	s.t.Helper()
	err := filepath.WalkDir(s.config.StoragePath(), func(p string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if d != nil && d.IsDir() && d.Name() == ".trash" {
			return fs.SkipDir
		}
		if err == nil && !d.IsDir() && strings.HasSuffix(p, suffix) {
			out = append(out, p)
		}
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// compactTable compacts one table and returns the job and its result.
func (s *server) compactTable(name string) (kalam.Job, maintain.CompactResult) {
	s.t.Helper()
	j := s.await(s.must(root, "STORAGE COMPACT TABLE "+name).jobs[0])
	var r maintain.CompactResult
	if err := json.Unmarshal([]byte(j.Result), &r); err != nil {
		s.t.Fatalf("result of %s is %q: %v", j.ID, j.Result, err)
	}
	return j, r
}

// outside reads the Parquet files of a user's table app.t (id BIGINT, v TEXT) as
// a reader that knows no manifest does: the newest _seq of a key wins, and a
// tombstone hides it.
func (s *server) outside(user string) map[int64]string {
	s.t.Helper()
	type version struct {
		seq     int64
		deleted bool
		v       string
	}
	newest := map[int64]version{}
	for _, path := range s.files(".parquet") {
		if !strings.Contains(path, "/users/"+user+"/app/t/") {
			continue
		}
		r, err := file.OpenParquetFile(path, false)
		if err != nil {
			s.t.Fatal(err)
		}
		pr, err := pqarrow.NewFileReader(r, pqarrow.ArrowReadProperties{}, arrowmemory.DefaultAllocator)
		if err != nil {
			s.t.Fatal(err)
		}
		t, err := pr.ReadTable(context.Background())
		if err != nil {
			s.t.Fatal(err)
		}
		rows := array.NewTableReader(t, 0)
		for rows.Next() {
			b := rows.RecordBatch()
			for i := range int(b.NumRows()) {
				id, seq := b.Column(0).(*array.Int64).Value(i), b.Column(2).(*array.Int64).Value(i)
				if seq > newest[id].seq {
					newest[id] = version{seq, b.Column(3).(*array.Boolean).Value(i),
						strings.Clone(b.Column(1).(*array.String).Value(i))}
				}
			}
		}
		rows.Release()
		t.Release()
		if err := r.Close(); err != nil {
			s.t.Fatal(err)
		}
	}
	out := map[int64]string{}
	for id, n := range newest {
		if !n.deleted {
			out[id] = n.v
		}
	}
	return out
}

// notes makes the table app.t of the tests here.
func (s *server) notes() {
	s.must(root, "CREATE NAMESPACE app")
	s.must(root, "CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, v TEXT)")
}

// manual turns the background rule off.
func manual(c *config.Config) { c.Lake.CompactSegments = 0 }

// TestCompactKeepsAnswers compares what queries of every form give before and
// after a compaction, a restart, and another compaction, with rows in the log
// beside.
func TestCompactKeepsAnswers(t *testing.T) {
	s := newServer(t, manual)
	alice := userOf("alice")
	s.must(root, "CREATE NAMESPACE app")
	s.must(root, "CREATE USER TABLE app.t (id BIGINT, k TEXT, n INT, f FLOAT, d DOUBLE, m DECIMAL(20,4), ts TIMESTAMP, dt DATETIME, day DATE, tm TIME, j JSON, raw BYTES, u UUID, ok BOOLEAN, PRIMARY KEY (id, k))")
	for i := range 12 {
		s.must(alice, fmt.Sprintf(`INSERT INTO app.t SELECT i, 'k' || (i %% 7), i - 50, CASE WHEN i %% 3 = 0 THEN '-0.0'::FLOAT WHEN i %% 3 = 1 THEN 0 ELSE i / 7.0 END, CASE i %% 5 WHEN 0 THEN 'nan' WHEN 1 THEN '-inf' WHEN 2 THEN '-0.0' ELSE i / 3.0 END::DOUBLE,
			i * 1.2345, TIMESTAMP '2026-01-01' + i * INTERVAL 1 HOUR, TIMESTAMPTZ '2026-01-01 00:00:00+00' + i * INTERVAL 1 MINUTE, DATE '2026-01-01' + i::INT, TIME '00:00:01' + i * INTERVAL 1 SECOND,
			CASE WHEN i %% 4 = 0 THEN NULL ELSE json_object('a', i) END, CASE WHEN i %% 6 = 0 THEN NULL ELSE encode('x' || i) END, md5(i::VARCHAR)::UUID, i %% 2 = 0 FROM range(%d, %d) r(i)`, 40*i, 40*i+40))
		s.flush()
		s.must(alice, fmt.Sprintf("UPDATE app.t SET n = n + 1000 WHERE id %% 11 = %d", i))
		s.must(alice, fmt.Sprintf("DELETE FROM app.t WHERE id %% 13 = %d", i))
		if i%4 == 3 {
			s.must(alice, fmt.Sprintf("INSERT INTO app.t (id, k, n) SELECT i, 'again', i FROM range(%d) r(i) WHERE i %% 17 = 3 ON CONFLICT (id, k) DO NOTHING", 40*i))
		}
	}
	queries := []string{
		"SELECT * FROM app.t", "SELECT *, _seq, _deleted FROM app.t ORDER BY id, k", "SELECT id, k, n, _seq FROM app.t WHERE _deleted = true",
		"SELECT count(*) AS n, count(DISTINCT (id, k)) AS d, sum(n) AS s, min(_seq) AS lo, max(_seq) AS hi FROM app.t",
		"SELECT _deleted, count(*) AS n, sum(id) AS s FROM app.t WHERE _deleted OR NOT _deleted GROUP BY ALL ORDER BY 1",
		"SELECT signbit(f) AS f, signbit(d) AS d, count(*) AS n FROM app.t GROUP BY ALL ORDER BY ALL", "SELECT id, n FROM app.t ORDER BY n DESC LIMIT 20",
		"SELECT id, k FROM app.t LIMIT 30", "SELECT id, j->>'$.a' AS a FROM app.t WHERE j IS NOT NULL AND id < 100",
	}
	for i := range 60 {
		queries = append(queries, fmt.Sprintf("SELECT *, _seq FROM app.t WHERE id = %d AND k = 'k%d'", 8*i, 8*i%7),
			fmt.Sprintf("SELECT n FROM app.t WHERE id = %d AND k = 'again'", i))
	}
	answers := func() []string {
		out := make([]string, len(queries))
		for i, q := range queries {
			out[i] = s.must(alice, q).table()
		}
		return out
	}
	want := answers()
	for _, step := range []struct {
		when string
		do   func()
	}{
		{"compacted", s.compact}, {"restarted", s.restart}, {"flushed", s.flush}, {"compacted again",
			s.compact}, {"restarted again", s.restart},
	} {
		step.do()
		for i, got := range answers() {
			if got != want[i] {
				t.Fatalf("%s: %s gives\n%.1500s\nwant\n%.1500s", step.when, queries[i], got, want[i])
			}
		}
	}
	if s.merged < 12 {
		t.Errorf("only %d segments were merged", s.merged)
	}
}

// TestCompactRetention has tombstones of three ages: the young one is kept and
// found, the old one goes, and an old one that shadows a version in a segment that
// stays is kept, for readers of the files.
func TestCompactRetention(t *testing.T) {
	var offset atomic.Int64
	base := time.Now()
	s := &server{t: t, config: config.Default(),
		opts: engine.Options{Now: func() time.Time { return base.Add(time.Duration(offset.Load())) }}}
	s.config.Storage.DataPath = t.TempDir()
	s.config.Auth.BcryptCost = 4
	s.start()
	defer s.stop()
	alice := userOf("alice")
	s.must(root, "CREATE NAMESPACE app")
	s.must(root, "CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, v TEXT) WITH (DELETED_RETENTION_HOURS = 24)")
	step := func(sql string) {
		s.must(alice, sql)
		s.flush()
	}
	// The first segment is so large that the background rule leaves it alone.
	step("INSERT INTO app.t SELECT i, 'v' FROM range(1000) r(i)")
	step("INSERT INTO app.t VALUES (2000, 'v'), (2001, 'v'), (2002, 'v')")
	step("DELETE FROM app.t WHERE id = 1 OR id = 2000") // Old ones; that of 1 shadows.
	offset.Store(int64(25 * time.Hour))
	step("DELETE FROM app.t WHERE id = 2 OR id = 2001") // Young ones.
	want := map[int64]string{2002: "v", 3000: "v", 3001: "v", 3002: "v", 3003: "v"}
	for i := int64(0); i < 1000; i++ {
		if i != 1 && i != 2 {
			want[i] = "v"
		}
	}
	check := func(when, tombstones string) {
		t.Helper()
		if got := s.must(alice, "SELECT id FROM app.t WHERE _deleted = true ORDER BY id").table(); got != "id\n"+tombstones {
			t.Errorf("%s: tombstones\n%swant\n%s", when, got, tombstones)
		}
		if got := s.outside("alice"); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: the files hold %d rows by newest _seq, want %d", when, len(got), len(want))
		}
		if got := s.single(alice, "SELECT count(*) AS n FROM app.t"); got != fmt.Sprintf(`"%d"`, len(want)) {
			t.Errorf("%s: %s rows, want %d", when, got, len(want))
		}
	}
	for i := range 4 {
		step(fmt.Sprintf("INSERT INTO app.t VALUES (%d, 'v')", 3000+i))
	}
	s.awaitCompaction("due")
	check("after the background rule", "1\n2\n2001\n")
	if n := s.segments(); fmt.Sprint(n) != fmt.Sprintf("map[%s:2]", s.files("manifest.json")[0]) {
		t.Errorf("segments %v, want 2", n)
	}
	if _, r := s.compactTable("app.t"); r.TombstonesDropped != 1 || r.OverwrittenDropped != 2 || r.SegmentsAfter != 1 {
		t.Errorf("full compaction: %+v, want the tombstone of 1 and the rows 1 and 2 dropped", r)
	}
	check("after a full compaction", "2\n2001\n")
	offset.Store(int64(50 * time.Hour))
	if _, r := s.compactTable("app.t"); r.TombstonesDropped != 2 || r.SegmentsBefore != 1 {
		t.Errorf("compaction of one segment: %+v, want 2 tombstones dropped", r)
	}
	check("when all are old", "")
	files := s.files(".parquet")
	if j, r := s.compactTable("app.t"); r.Scopes != 0 || !strings.Contains(j.Message, "nothing to merge") ||
		!slices.Equal(files, s.files(".parquet")) {
		t.Errorf("nothing to gain: %+v, %q", r, j.Message)
	}
	s.must(alice, "INSERT INTO app.t VALUES (1, 'back')")
	if _, err := s.try(alice, "INSERT INTO app.t VALUES (3, 'twice')"); kalam.CodeOf(err) != kalam.CodeAlreadyExists {
		t.Errorf("a taken key: %v", err)
	}
}

// awaitCompaction waits until the newest compaction with the parameter scopes has
// ended, and fails when there is none.
func (s *server) awaitCompaction(scopes string) kalam.Job {
	s.t.Helper()
	var newest kalam.Job
	for j, err := range s.Catalog().Jobs(context.Background()) {
		if err != nil {
			s.t.Fatal(err)
		}
		if j.Kind == maintain.KindCompact && strings.Contains(j.Parameters, `"scopes":"`+scopes+`"`) &&
			!j.CreatedAt.Before(newest.CreatedAt) {
			newest = j
		}
	}
	if newest.ID == "" {
		s.t.Fatalf("no compaction of scopes %q was submitted", scopes)
	}
	return s.await(newest.ID)
}

// TestBackgroundCompaction flushes again and again: the segments stay few, and a
// large one is not rewritten for small ones.
func TestBackgroundCompaction(t *testing.T) {
	s := newServer(t)
	s.notes()
	alice := userOf("alice")
	s.must(alice, "INSERT INTO app.t SELECT i, 'large' FROM range(5000) r(i)")
	s.flush()
	large := s.files(".parquet")
	for i := range 40 {
		s.must(alice, fmt.Sprintf("INSERT INTO app.t VALUES (%d, 'small')", 10000+i))
		s.must(userOf("bob"), fmt.Sprintf("INSERT INTO app.t VALUES (%d, 'small')", i))
		s.must(root, "INSERT INTO app.t VALUES (1, 'once') ON CONFLICT (id) DO NOTHING")
		s.flush()
		if i >= 8 {
			s.awaitCompaction("due")
		}
	}
	for path, n := range s.segments() {
		if n >= 8 {
			t.Errorf("%s names %d segments", path, n)
		}
	}
	if !slices.Contains(s.files(".parquet"), large[0]) {
		t.Errorf("the large segment was rewritten")
	}
	if got := s.single(alice, "SELECT count(*) AS n FROM app.t"); got != `"5040"` {
		t.Errorf("alice has %s rows", got)
	}
	if got := s.single(userOf("bob"), "SELECT count(*) AS n FROM app.t"); got != `"40"` {
		t.Errorf("bob has %s rows", got)
	}
	if got := len(s.files(".parquet")); got > 16 {
		t.Errorf("%d files are left", got)
	}
}

// TestDueAtStart turns the rule on over a scope that has many segments already.
func TestDueAtStart(t *testing.T) {
	s := newServer(t, manual)
	s.notes()
	for i := range 12 {
		s.must(userOf("alice"), fmt.Sprintf("INSERT INTO app.t VALUES (%d, 'v')", i))
		s.flush()
	}
	if n := len(s.files(".parquet")); n != 12 {
		t.Fatalf("%d files with the rule off, want 12", n)
	}
	s.stop()
	s.config.Lake.CompactSegments = 8
	s.start()
	for end := time.Now().Add(20 * time.Second); len(s.files(".parquet")) != 1; <-time.After(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d files are left", len(s.files(".parquet")))
		}
	}
	if got := s.single(userOf("alice"), "SELECT count(*) AS n FROM app.t"); got != `"12"` {
		t.Errorf("%s rows", got)
	}
}

// TestCompactFailures makes a compaction fail at each point, and at a full disk
// under the manifest: the job says so, every row stays as it was, no file is left
// over, and the next compaction succeeds.
func TestCompactFailures(t *testing.T) {
	for _, point := range []string{"collected", "copied", "written", "prepared", "segment", "record", "manifest",
		"removing"} {
		t.Run(point, func(t *testing.T) {
			var failing atomic.Bool
			faulty := &buffertest.Faulty{Backend: memory.New()}
			s := newServer(t, manual)
			s.stop()
			s.config.Jobs.MaxRetries = 0
			s.opts.Backend = faulty
			s.config.Storage.DataPath = t.TempDir() // Its buffer is another.
			s.opts.Wrap = hook(func(p string) error {
				if p == point && failing.Load() {
					return errors.New("an injected fault")
				}
				return nil
			}).wrap()
			s.start()
			s.notes()
			alice := userOf("alice")
			for i := range 3 {
				s.must(alice, fmt.Sprintf("INSERT INTO app.t VALUES (%d, 'a'), (%d, 'b'), (%d, 'c')", 3*i, 3*i+1, 3*i+2))
				s.must(alice, fmt.Sprintf("DELETE FROM app.t WHERE id = %d", 3*i))
				s.flush()
			}
			s.must(alice, "DELETE FROM app.t WHERE id = 1")
			s.must(alice, "UPDATE app.t SET v = 'new' WHERE id = 2")
			s.flush()
			s.must(alice, "UPDATE app.t SET v = 'newer' WHERE id = 4")
			want := "id | v\n2 | new\n4 | newer\n5 | c\n7 | b\n8 | c\n"
			check := func(when string, files int) {
				t.Helper()
				if got := s.must(alice, "SELECT id, v FROM app.t ORDER BY id").table(); got != want {
					t.Errorf("%s:\n%swant\n%s", when, got, want)
				}
				if got := s.single(alice, "SELECT v FROM app.t WHERE id = 2"); got != `"new"` {
					t.Errorf("%s: row 2 is %s", when, got)
				}
				if got := s.files(".parquet"); len(got) != files || len(s.files(".keys")) != files || len(s.files(".tmp")) != 0 {
					t.Errorf("%s: %d files, %d key index files, %d staged objects, want %d: %v", when, len(got),
						len(s.files(".keys")), len(s.files(".tmp")), files, got)
				}
			}
			check("before", 4)
			failing.Store(true)
			if point == "record" {
				faulty.Fail(func(_ int, ops []buffer.Op) (bool, error) {
					if slices.ContainsFunc(ops, func(op buffer.Op) bool { return op.Keyspace == "sys_manifest" }) &&
						failing.Swap(false) {
						return false, buffertest.DiskFull()
					}
					return true, nil
				})
			}
			j, _ := s.compactTable("app.t")
			fails := point != "manifest" && point != "removing" // These are done, or found as orphans, later.
			says := "compaction of 1 of 1 users failed: alice: compact segments of table app.t: "
			if (j.Status == kalam.JobFailed) != fails || strings.Contains(j.Error, says) != fails {
				t.Errorf("job is %s: %q", j.Status, j.Error)
			}
			failing.Store(false)
			switch point {
			case "record", "removing": // Whether the record was written is not known, so its file stays.
				check("after the failure", 5)
				return
			case "manifest": // manifest.json still names the old files, which therefore stay.
				check("after the failure", 5)
			default:
				check("after the failure", 4)
			}
			s.compact()
			check("after the next compaction", 1)
			s.flush()
			check("after a flush", 2)
		})
	}
}

// TestCompactDamage compacts a segment of which a byte was flipped, and one whose
// key index file is lost: damage is not copied into a new file, a key index file is made anew.
func TestCompactDamage(t *testing.T) {
	for _, lost := range []bool{false, true} {
		s := newServer(t, manual)
		s.notes()
		s.stop()
		s.config.Jobs.MaxRetries = 0
		s.start()
		alice := userOf("alice")
		for i := range 3 {
			s.must(alice, fmt.Sprintf("INSERT INTO app.t SELECT i, 'v' || i FROM range(%d, %d) r(i)", 1000*i, 1000*i+1000))
			s.flush()
		}
		files := s.files(".parquet")
		s.stop()
		if lost {
			if err := os.Remove(strings.TrimSuffix(files[1], ".parquet") + ".keys"); err != nil {
				t.Fatal(err)
			}
		} else {
			content, err := os.ReadFile(files[1])
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(files[1], flipped(content, len(content)/3), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		s.start()
		j, r := s.compactTable("app.t")
		if lost {
			if j.Status != kalam.JobCompleted || r.SegmentsAfter != 1 ||
				s.single(alice, "SELECT v FROM app.t WHERE id = 1500") != `"v1500"` {
				t.Errorf("with a lost key index file: %s, %+v", j.Status, r)
			}
			continue
		}
		if j.Status != kalam.JobFailed || !strings.Contains(j.Error, filepath.Base(files[1])) {
			t.Errorf("with a flipped byte: %s: %s", j.Status, j.Error)
		}
		if got := s.files(".parquet"); !slices.Equal(got, files) {
			t.Errorf("files %v, want %v", got, files)
		}
	}
}

// TestCompactStatements shows the answers and job records of compactions, and who
// may start them.
func TestCompactStatements(t *testing.T) {
	var hold atomic.Pointer[chan struct{}]
	s := newServer(t, manual)
	s.stop()
	s.opts.Wrap = hook(func(p string) error {
		if c := hold.Load(); p == "copied" && c != nil {
			<-*c
		}
		return nil
	}).wrap()
	s.start()
	s.notes()
	s.must(root, "CREATE SHARED TABLE app.s (id BIGINT PRIMARY KEY)")
	s.must(root, "CREATE STREAM TABLE app.e (id BIGINT PRIMARY KEY) WITH (TTL_SECONDS = 60)")
	s.must(root, "CREATE NAMESPACE empty")
	for i := range 3 {
		s.must(userOf("alice"), fmt.Sprintf("INSERT INTO app.t VALUES (%d, 'v')", i))
		s.must(root, fmt.Sprintf("INSERT INTO app.s VALUES (%d)", i))
		s.flush()
	}
	gate := make(chan struct{})
	hold.Store(&gate)
	first := s.must(root, "STORAGE COMPACT TABLE app.t")
	if want := fmt.Sprintf("Storage compaction started for table 'app.t'. Job ID: %s",
		first.jobs[0]); first.message != want || !strings.HasPrefix(string(first.jobs[0]), "CO-") {
		t.Errorf("message %q, want %q", first.message, want)
	}
	second := s.must(root, "STORAGE COMPACT TABLE app.t;")
	if second.jobs[0] != first.jobs[0] ||
		second.message != fmt.Sprintf("Storage compaction skipped: a compaction is already queued or running for table 'app.t'. Job ID: %s", first.jobs[0]) {
		t.Errorf("a second compaction: %+v", second)
	}
	if got := s.single(root,
		"SELECT count(*) AS n FROM system.jobs WHERE status IN ('pending', 'running') AND job_type = 'compact'"); got != `"1"` {
		t.Errorf("%s jobs are running", got)
	}
	hold.Store(nil)
	close(gate)
	j := s.await(first.jobs[0])
	if j.Status != kalam.JobCompleted ||
		j.Message != "Compaction completed for table app.t: 3 segments of 1 user(s) became 1, 0 overwritten rows and 0 tombstones dropped" {
		t.Errorf("job is %s: %q", j.Status, j.Message)
	}
	if got := s.single(root,
		fmt.Sprintf("SELECT result->>'$.segments_before' || ' ' || (result->>'$.segments_after') || ' ' || (result->>'$.rows') AS n FROM system.jobs WHERE job_id = '%s'", j.ID)); got != `"3 1 3"` {
		t.Errorf("result is %s", got)
	}
	all := s.must(root, "STORAGE COMPACT ALL IN app")
	if len(all.jobs) != 2 || !strings.HasPrefix(all.message,
		"Storage compaction started for 2 table(s) in namespace 'app'. Job IDs: [CO-") {
		t.Errorf("compact all: %+v", all)
	}
	for _, id := range all.jobs {
		s.await(id)
	}
	if n := len(s.files(".parquet")); n != 2 {
		t.Errorf("%d files, want one of alice and one of the SHARED table", n)
	}
	if got := s.must(root,
		"STORAGE COMPACT ALL IN NAMESPACE empty"); got.message != "Storage compaction skipped: no tables in namespace 'empty'" || len(got.jobs) != 0 {
		t.Errorf("an empty namespace: %+v", got)
	}
	for sql, want := range map[string]string{
		"STORAGE COMPACT TABLE app.e":       "STORAGE COMPACT TABLE is not supported for STREAM tables",
		"STORAGE COMPACT TABLE app.nothing": "does not exist",
		"STORAGE COMPACT ALL IN nothing":    "Namespace 'nothing' does not exist",
	} {
		if _, err := s.try(root, sql); err == nil || !strings.Contains(messageOf(err), want) {
			t.Errorf("%s: %v, want %q", sql, err, want)
		}
	}
	for role, may := range map[kalam.Role][2]bool{
		kalam.RoleAnonymous: {false, false}, kalam.RoleUser: {false, false}, kalam.RoleService: {true,
			false}, kalam.RoleDBA: {true, true}, kalam.RoleSystem: {true, true},
	} {
		for i, sql := range []string{"STORAGE COMPACT TABLE app.t", "STORAGE COMPACT ALL IN app"} {
			res, err := s.try(kalam.Principal{User: "somebody", Role: role}, sql)
			if may[i] && err != nil || !may[i] && kalam.CodeOf(err) != kalam.CodePermissionDenied {
				t.Errorf("%s as %s: %v", sql, role, err)
			}
			if err == nil {
				for _, id := range res[0].jobs {
					s.await(id)
				}
			}
		}
	}
}
