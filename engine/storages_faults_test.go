package engine_test

import (
	"context"
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/internal/eventually"
	"github.com/kalamlake/kalam/lake/s3/s3test"
)

var everyFault = flag.Bool("every-fault", false, "TestFlushFaults and TestReadFaults make every kind of fault")

// down makes a bucket not answer.
func down(f *s3test.Front) { f.BreakWith(s3test.Reset) }

// up ends what down began.
func up(f *s3test.Front) { f.BreakWith(nil) }

// tryFlush flushes a table and returns the job.
func (s *server) tryFlush(table string) kalam.Job {
	s.t.Helper()
	return s.await(s.must(root, "STORAGE FLUSH TABLE "+table).jobs[0])
}

// remoteNotes makes the tables app.notes, in the storage "bucket", and app.near, in the local one, with a row of alice each.
func (s *server) remoteNotes(f *s3test.Front) kalam.Principal {
	s.t.Helper()
	s.createS3(f)
	s.must(root, "CREATE NAMESPACE app")
	s.must(root, "CREATE USER TABLE app.notes (id BIGINT PRIMARY KEY, v TEXT) STORAGE bucket FLUSH_POLICY 'manual'")
	s.must(root, "CREATE USER TABLE app.near (id BIGINT PRIMARY KEY, v TEXT) FLUSH_POLICY 'manual'")
	alice := userOf("alice")
	s.must(alice, "INSERT INTO app.notes VALUES (1, 'flushed')")
	s.must(alice, "INSERT INTO app.near VALUES (1, 'flushed')")
	s.flush()
	return alice
}

// TestStorageDown fails what needs a storage that does not answer, by its name, and nothing else.
func TestStorageDown(t *testing.T) {
	s, f := newS3Server(t)
	s.config.Jobs.MaxRetries = 1
	s.restart()
	alice := s.remoteNotes(f)
	down(f)
	s.wantCell(alice, "SELECT v FROM app.notes WHERE id = 1", "flushed") // It is cached.
	s.stop()
	s.emptyCache()
	s.start()
	for _, sql := range []string{
		"SELECT count(*) FROM app.notes", "SELECT v FROM app.notes WHERE id = 1", "UPDATE app.notes SET v = 'x' WHERE id = 1",
		"DELETE FROM app.notes WHERE v = 'flushed'",
	} {
		_, err := s.try(alice, sql)
		if kalam.CodeOf(err) != kalam.CodeUnavailable || messageOf(err) != "Storage 'bucket' cannot be used now; try again later" {
			t.Errorf("%s = %v, code %d", sql, err, kalam.CodeOf(err))
		}
	}
	s.wantCell(alice, "SELECT count(*) FROM app.near", "1")
	s.wantCell(userOf("bob"), "SELECT count(*) FROM app.notes", "0")
	s.must(alice, "INSERT INTO app.notes VALUES (2, 'buffered'), (3, 'buffered')")
	s.must(userOf("bob"), "INSERT INTO app.notes VALUES (1, 'of bob')")
	s.wantCell(userOf("bob"), "SELECT v FROM app.notes WHERE id = 1", "of bob")
	s.must(alice, "INSERT INTO app.near VALUES (2, 'near')")
	if j := s.tryFlush("app.near"); j.Status != kalam.JobCompleted {
		t.Errorf("the flush of another table is %s: %s", j.Status, j.Error)
	}
	if j := s.tryFlush("app.notes"); j.Status != kalam.JobFailed || !strings.Contains(j.Error, "Storage 'bucket'") {
		t.Errorf("the flush is %s: %s", j.Status, j.Error)
	}
	if h := s.Health(); !strings.Contains(h.Reason, "storage 'bucket' cannot be used") {
		t.Errorf("health is %+v", h)
	}
	check := s.must(root, "STORAGE CHECK bucket").rows[0]
	if plainCell(check[1]) != "unreachable" || check[9] == "null" {
		t.Errorf("STORAGE CHECK gives %q", check)
	}
	up(f)
	eventually.True(t, "the storage is asked again", func() bool {
		_, err := s.try(alice, "SELECT count(*) FROM app.notes")
		return err == nil
	})
	s.flush()
	s.wantCell(alice, "SELECT string_agg(id || v, ',' ORDER BY id) FROM app.notes", "1flushed,2buffered,3buffered")
	s.wantCell(userOf("bob"), "SELECT count(*) FROM app.notes", "1")
	if n := len(f.Keys(t, ".parquet")); n != 3 {
		t.Errorf("%d segments in the bucket", n)
	}
	if h := s.Health(); h.Degraded {
		t.Errorf("health is %+v", h)
	}
}

// TestWrongKey has a server start whose key is lost, and go on without the storage until its
// credentials are given again.
func TestWrongKey(t *testing.T) {
	s, f := newS3Server(t)
	alice := s.remoteNotes(f)
	s.stop()
	s.emptyCache()
	s.config.Storage.CredentialsKey = strings.Repeat("ab", 32)
	s.start()
	if _, err := s.try(alice, "SELECT * FROM app.notes"); kalam.CodeOf(err) != kalam.CodeUnavailable {
		t.Errorf("SELECT = %v", err)
	}
	s.wantCell(alice, "SELECT count(*) FROM app.near", "1")
	check := s.must(root, "STORAGE CHECK bucket").rows[0]
	if plainCell(check[1]) != "unreachable" || !strings.Contains(check[9], "another key") {
		t.Errorf("STORAGE CHECK gives %q", check)
	}
	if got := s.single(root, "SELECT credentials FROM system.storages WHERE storage_id = 'bucket'"); !strings.Contains(got, "***") {
		t.Errorf("credentials are shown as %s", got)
	}
	s.must(root, fmt.Sprintf(`ALTER STORAGE bucket SET CREDENTIALS '{"access_key":"%s","secret_key":"%s"}'`,
		s3test.AccessKey, s3test.SecretKey))
	s.wantCell(alice, "SELECT count(*) FROM app.notes", "1")
	s.restart()
	s.wantCell(alice, "SELECT count(*) FROM app.notes", "1")
}

// TestFlushFaults breaks each request of a flush and of a compaction in turn, for once and for
// good: no row is lost or doubled, and no segment is published twice.
func TestFlushFaults(t *testing.T) {
	s, f := newS3Server(t)
	s.config.Jobs.MaxRetries = 0
	s.opts.Storages.Retries = 1
	s.restart()
	alice := s.remoteNotes(f)
	any := s3test.Method()
	rows := 1
	faults := map[string]s3test.Fault{"lost": s3test.Lost, "503": s3test.Answer(503, "SlowDown")}
	if *everyFault {
		faults["reset"], faults["cut"], faults["500"] = s3test.Reset, s3test.Cut, s3test.Answer(500, "InternalError")
		faults["late"] = s3test.Late(20 * time.Millisecond)
	}
	for name, fault := range faults {
		for n := int64(1); ; n++ {
			rows++
			s.must(alice, fmt.Sprintf("INSERT INTO app.notes VALUES (%d, 'row')", rows))
			once, asked := s3test.Nth(n, any, fault)
			f.BreakWith(once)
			j := s.tryFlush("app.notes")
			up(f)
			if j.Status != kalam.JobCompleted {
				t.Fatalf("%s at request %d: the flush is %s: %s", name, n, j.Status, j.Error)
			}
			if asked.Load() < n {
				break
			}
		}
		for n := int64(1); ; n++ {
			rows++
			s.must(alice, fmt.Sprintf("INSERT INTO app.notes VALUES (%d, 'row')", rows))
			always, asked := s3test.From(n, any, fault)
			f.BreakWith(always)
			s.tryFlush("app.notes")
			up(f)
			eventually.True(t, "the storage is asked again", func() bool {
				return s.tryFlush("app.notes").Status != kalam.JobFailed
			})
			if asked.Load() < n {
				break
			}
		}
		s.wantCell(alice, "SELECT count(*) || ' ' || count(DISTINCT id) FROM app.notes", fmt.Sprintf("%d %d", rows, rows))
		j, _ := s.compactTable("app.notes")
		if j.Status != kalam.JobCompleted {
			t.Fatalf("%s: the compaction is %s: %s", name, j.Status, j.Error)
		}
		s.wantCell(alice, "SELECT count(*) || ' ' || count(DISTINCT id) FROM app.notes", fmt.Sprintf("%d %d", rows, rows))
	}
	s.stop()
	s.opts.Now = func() time.Time { return time.Now().Add(25 * time.Hour) }
	s.start()
	s.wantCell(alice, "SELECT count(*) || ' ' || count(DISTINCT id) FROM app.notes", fmt.Sprintf("%d %d", rows, rows))
	if j := s.awaitOrphans(); j.Status != kalam.JobCompleted {
		t.Errorf("the removal of orphans is %s: %s %s", j.Status, j.Error, j.Message)
	}
	var left []string
	for _, key := range f.Keys(t, "") {
		if !strings.HasPrefix(key, "lake/.") {
			left = append(left, key)
		}
	}
	if len(left) != 3 { // The segment, its keys, manifest.json.
		t.Errorf("in the bucket are %q", left)
	}
	s.wantCell(alice, "SELECT count(*) || ' ' || count(DISTINCT id) FROM app.notes", fmt.Sprintf("%d %d", rows, rows))
}

// TestReadFaults breaks the requests of a cold read: it gives the rows, or fails by name.
func TestReadFaults(t *testing.T) {
	s, f := newS3Server(t)
	alice := s.remoteNotes(f)
	faults := map[string]s3test.Fault{"cut": s3test.Cut, "flipped": s3test.Flipped}
	if *everyFault {
		faults["reset"], faults["503"] = s3test.Reset, s3test.Answer(503, "SlowDown")
	}
	for name, fault := range faults {
		for n := int64(1); ; n++ {
			s.stop()
			s.emptyCache()
			s.start()
			once, asked := s3test.Nth(n, s3test.Method(), fault)
			f.BreakWith(once)
			var got []result
			var err error
			eventually.True(t, "a read succeeds", func() bool {
				got, err = s.try(alice, "SELECT count(*), max(v) FROM app.notes")
				if err != nil && kalam.CodeOf(err) != kalam.CodeUnavailable {
					t.Fatalf("%s at request %d: %v", name, n, err)
				}
				return err == nil
			})
			up(f)
			if cell := strings.Join(got[0].rows[0], " "); cell != `"1" "flushed"` {
				t.Fatalf("%s at request %d gives %s", name, n, cell)
			}
			if asked.Load() < n {
				break
			}
		}
	}
	if reason := s.must(root, "STORAGE CHECK bucket").rows[0]; plainCell(reason[1]) != "healthy" {
		t.Errorf("STORAGE CHECK gives %q", reason)
	}
}

// TestSlowStorage has a statement end with its own time while the storage is silent, and others go on.
func TestSlowStorage(t *testing.T) {
	s, f := newS3Server(t)
	alice := s.remoteNotes(f)
	s.stop()
	s.emptyCache()
	s.start()
	s.must(root, "STORAGE CHECK bucket")
	f.BreakWith(s3test.Hang)
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	began := time.Now()
	if _, err := s.tryCtx(ctx, alice, "SELECT count(*) FROM app.notes"); err == nil {
		t.Error("a read of a silent storage succeeds")
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
	s.wantCell(alice, "SELECT count(*) FROM app.near", "1")
	s.must(alice, "INSERT INTO app.notes VALUES (7, 'buffered')")
	up(f)
	eventually.True(t, "the storage is asked again", func() bool {
		res, err := s.try(alice, "SELECT count(*) FROM app.notes")
		return err == nil && res[0].rows[0][0] == `"2"`
	})
}

// TestSilentStorageHoldsUpNobody has more jobs wait for a silent storage than there are places for jobs: the
// flush of another table waits seconds for its turn, not for the end of all requests.
func TestSilentStorageHoldsUpNobody(t *testing.T) {
	s, f := newS3Server(t)
	s.stop()
	s.config.Jobs.MaxConcurrent, s.config.Jobs.MaxRetries = 2, 0
	s.config.Storage.RequestTimeoutSeconds = 600
	s.opts.Storages.Suspect, s.opts.Storages.Pause = 100*time.Millisecond, time.Second
	s.start()
	alice := s.remoteNotes(f)
	for i := range 3 {
		s.must(root, fmt.Sprintf("CREATE USER TABLE app.far%d (id BIGINT PRIMARY KEY) STORAGE bucket FLUSH_POLICY 'manual'", i))
		s.must(alice, fmt.Sprintf("INSERT INTO app.far%d VALUES (1)", i))
	}
	s.must(alice, "INSERT INTO app.near VALUES (2, 'near')")
	f.BreakWith(s3test.Hang)
	var far []kalam.JobID
	for i := range 3 {
		far = append(far, s.must(root, fmt.Sprintf("STORAGE FLUSH TABLE app.far%d", i)).jobs...)
	}
	if j := s.tryFlush("app.near"); j.Status != kalam.JobCompleted {
		t.Errorf("the flush of another table is %s: %s", j.Status, j.Error)
	}
	for _, id := range far {
		if j := s.await(id); j.Status != kalam.JobFailed || !strings.Contains(j.Error, "Storage 'bucket'") {
			t.Errorf("a flush is %s: %s", j.Status, j.Error)
		}
	}
	up(f)
	for i := range 3 {
		eventually.True(t, "the storage is asked again", func() bool {
			return s.tryFlush(fmt.Sprintf("app.far%d", i)).Status != kalam.JobFailed
		})
		s.wantCell(alice, fmt.Sprintf("SELECT count(*) FROM app.far%d", i), "1")
	}
}

// TestLongUploadIsNotSuspected lets an upload take much longer than after which its storage is asked.
func TestLongUploadIsNotSuspected(t *testing.T) {
	s, f := newS3Server(t)
	s.opts.Storages.Suspect = 20 * time.Millisecond
	s.restart()
	alice := s.remoteNotes(f)
	s.must(alice, "INSERT INTO app.notes VALUES (2, 'row')")
	slow, asked := s3test.Nth(1, s3test.Method("PUT"), s3test.Late(500*time.Millisecond))
	f.BreakWith(slow)
	if j := s.tryFlush("app.notes"); j.Status != kalam.JobCompleted || asked.Load() == 0 {
		t.Errorf("the flush is %s: %s", j.Status, j.Error)
	}
	if h := s.Health(); h.Degraded {
		t.Errorf("health is %+v", h)
	}
}
