package engine_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/internal/eventually"
	"github.com/kalamlake/kalam/lake/s3/s3test"
)

var (
	storageTables  = flag.Int("storage-tables", 3, "tables of TestManyFlushes")
	storageFlushes = flag.Int("storage-flushes", 6, "flushes of each table of TestManyFlushes")
)

// sometimes breaks one request of ten, in one of several ways.
func sometimes(seed uint64) s3test.Fault {
	var mu sync.Mutex // guards rng
	rng := rand.New(rand.NewPCG(seed, 0))
	faults := []s3test.Fault{
		s3test.Reset, s3test.Lost, s3test.Cut, s3test.Answer(500, "InternalError"), s3test.Answer(503, "SlowDown"),
		s3test.Late(5 * time.Millisecond),
	}
	return func(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
		mu.Lock()
		which := rng.IntN(10 * len(faults))
		mu.Unlock()
		if which < len(faults) {
			faults[which](w, r, pass)
			return
		}
		pass(w, r)
	}
}

// TestManyFlushes flushes tables side by side to a bucket that fails now and then, and reads and compacts
// them meanwhile.
func TestManyFlushes(t *testing.T) {
	s, f := newS3Server(t)
	s.createS3(f)
	s.must(root, "CREATE NAMESPACE app")
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	for i := range *storageTables {
		s.must(root, fmt.Sprintf("CREATE USER TABLE app.t%d (id BIGINT PRIMARY KEY, v TEXT) STORAGE bucket FLUSH_POLICY 'manual'", i))
	}
	f.BreakWith(sometimes(seed))
	var all sync.WaitGroup
	for i := range *storageTables {
		all.Go(func() { s.flushOften(fmt.Sprintf("app.t%d", i), *storageFlushes) })
	}
	all.Wait()
	up(f)
	s.stop()
	s.emptyCache()
	s.opts.Now = func() time.Time { return time.Now().Add(25 * time.Hour) }
	s.start()
	s.flush()
	s.compact()
	for i := range *storageTables {
		s.wantTable(fmt.Sprintf("app.t%d", i), *storageFlushes)
	}
	s.restart()
	if j := s.awaitOrphans(); j.Status != kalam.JobCompleted {
		t.Errorf("the removal of orphans is %s: %s %s", j.Status, j.Error, j.Message)
	}
	segments := 0
	for _, key := range f.Keys(t, ".parquet") {
		if !strings.HasPrefix(key, "lake/.trash/") {
			segments++
		}
	}
	if segments != *storageTables {
		t.Errorf("%d segments of %d tables", segments, *storageTables)
	}
}

// flushOften writes, flushes and reads a table of alice.
func (s *server) flushOften(table string, flushes int) {
	alice := userOf("alice")
	for n := range flushes {
		for {
			// The second row was flushed before: its key is looked up in the bucket, which may fail.
			_, err := s.try(alice, fmt.Sprintf("BEGIN; INSERT INTO %s VALUES (%d, 'new'); UPDATE %s SET v = 'old' WHERE id = %d; COMMIT",
				table, n+1, table, n))
			if err == nil {
				break
			}
			if kalam.CodeOf(err) != kalam.CodeUnavailable {
				s.t.Errorf("write of %s: %v", table, explained(err))
				return
			}
			<-time.After(time.Millisecond)
		}
		if j := s.await(s.must(root, "STORAGE FLUSH TABLE "+table).jobs[0]); !j.Status.Done() {
			s.t.Errorf("the flush of %s is %s", table, j.Status)
		}
		if _, err := s.try(alice, "SELECT count(*), max(v) FROM "+table); err != nil && kalam.CodeOf(err) != kalam.CodeUnavailable {
			s.t.Errorf("read of %s: %v", table, explained(err))
		}
	}
}

// wantTable wants the rows that flushOften wrote.
func (s *server) wantTable(table string, rows int) {
	s.t.Helper()
	s.wantCell(userOf("alice"), "SELECT count(*) || ' ' || count(DISTINCT id) || ' ' || count(*) FILTER (v = 'new') FROM "+table,
		fmt.Sprintf("%d %d 1", rows, rows))
}

// TestLaggingList has the bucket list what was there a while ago: nothing that is needed is removed.
func TestLaggingList(t *testing.T) {
	s, f := newS3Server(t)
	alice := s.remoteNotes(f)
	var mu sync.Mutex // guards old
	old := map[string]*httptest.ResponseRecorder{}
	f.BreakWith(func(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
		if r.Method != http.MethodGet || !r.URL.Query().Has("list-type") {
			pass(w, r)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		answer := old[r.URL.String()]
		if answer == nil {
			answer = httptest.NewRecorder()
			pass(answer, r)
			old[r.URL.String()] = answer
		}
		for k, v := range answer.Header() {
			w.Header()[k] = v
		}
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes()) // A client that went away is its own business.
	})
	list := func() {
		t.Helper()
		// It looks for leftovers of the table in the bucket.
		j := s.await(s.must(root, "STORAGE COMPACT TABLE app.notes RETAIN 0 HOURS").jobs[0])
		if j.Status != kalam.JobCompleted {
			t.Errorf("the compaction is %s: %s", j.Status, j.Error)
		}
	}
	list()
	for i := range 4 {
		s.must(alice, fmt.Sprintf("INSERT INTO app.notes VALUES (%d, 'row')", i+2))
		s.flush()
		if i == 2 {
			list() // What it sees was there at first.
		}
	}
	s.wantCell(alice, "SELECT count(*) FROM app.notes", "5")
	s.stop()
	s.emptyCache()
	s.opts.Now = func() time.Time { return time.Now().Add(25 * time.Hour) }
	s.start()
	s.awaitOrphans()
	s.wantCell(alice, "SELECT count(*) FROM app.notes", "5")
	up(f)
	eventually.True(t, "the table can be read", func() bool {
		_, err := s.try(alice, "SELECT count(*) FROM app.notes")
		return err == nil
	})
	s.compact()
	s.wantCell(alice, "SELECT count(*) FROM app.notes", "5")
	s.dropTable("app.notes")
	if left := f.Keys(t, ".parquet"); len(left) > 0 && !strings.HasPrefix(left[0], "lake/.trash/") {
		t.Errorf("left are %q", left)
	}
}
