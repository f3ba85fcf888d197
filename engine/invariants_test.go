package engine_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"golang.org/x/sync/errgroup"
	"pgregory.net/rapid"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/config"
	"github.com/kalamlake/kalam/engine"
	"github.com/kalamlake/kalam/session"
)

// model is what a user's table should hold.
type model map[int64]string

// modelOps applies random statements to a server and a model.
type modelOps struct {
	s     *server
	users []string
	want  map[string]model
}

func newModelOps(s *server) *modelOps {
	s.must(root, "CREATE NAMESPACE app")
	s.must(root, "CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, v TEXT)")
	m := &modelOps{s: s, users: []string{"alice", "bob"}, want: map[string]model{"alice": {}, "bob": {}}}
	return m
}

// step runs one random operation.
func (m *modelOps) step(rt *rapid.T) {
	user := rapid.SampledFrom(m.users).Draw(rt, "user")
	p, want := userOf(user), m.want[user]
	id := rapid.Int64Range(0, 12).Draw(rt, "id")
	v := strconv.Itoa(rapid.IntRange(0, 99).Draw(rt, "v"))
	expect := func(n int64, sql string, params ...kalam.Value) {
		res, err := m.s.try(p, sql, params...)
		if err != nil {
			rt.Fatalf("%s %v: %v", sql, params, err)
		}
		if got := res[len(res)-1].count; got != n {
			rt.Fatalf("%s as %s changed %d rows, want %d (%v)", sql, user, got, n, want)
		}
	}
	switch rapid.IntRange(0, 12).Draw(rt, "op") {
	case 0, 1, 2:
		_, err := m.s.try(p, "INSERT INTO app.t VALUES ($1, $2)", kalam.BigInt(id), kalam.Text(v))
		_, taken := want[id]
		if taken != (kalam.CodeOf(err) == kalam.CodeAlreadyExists) || !taken && err != nil {
			rt.Fatalf("insert %d as %s: %v, taken %v", id, user, err, taken)
		}
		if !taken {
			want[id] = v
		}
	case 3:
		expect(m.upsert(want, id, v), "INSERT INTO app.t VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET v = EXCLUDED.v",
			kalam.BigInt(id), kalam.Text(v))
	case 4:
		old, ok := want[id]
		n := int64(0)
		if ok && old != v {
			want[id], n = v, 1
		}
		expect(n, "UPDATE app.t SET v = $2 WHERE id = $1", kalam.BigInt(id), kalam.Text(v))
	case 5:
		n := int64(0)
		for k, old := range want {
			if k > id && old != v+"x" {
				want[k] = v + "x"
				n++
			}
		}
		expect(n, "UPDATE app.t SET v = $2 || 'x' WHERE id > $1", kalam.BigInt(id), kalam.Text(v))
	case 6:
		n := int64(0)
		if _, ok := want[id]; ok {
			delete(want, id)
			n = 1
		}
		expect(n, "DELETE FROM app.t WHERE id = $1", kalam.BigInt(id))
	case 7:
		n := int64(0)
		for k, old := range want {
			if strings.HasPrefix(old, v[:1]) {
				delete(want, k)
				n++
			}
		}
		expect(n, "DELETE FROM app.t WHERE v LIKE $1", kalam.Text(v[:1]+"%"))
	case 8:
		m.transaction(rt, p, want, id, v)
	case 9, 10:
		m.s.flush()
	case 11:
		m.s.restart()
	case 12:
		m.s.compact()
	}
}

func (m *modelOps) upsert(want model, id int64, v string) int64 {
	if old, ok := want[id]; ok && old == v {
		return 0
	}
	want[id] = v
	return 1
}

// transaction runs two writes that commit or roll back together.
func (m *modelOps) transaction(rt *rapid.T, p kalam.Principal, want model, id int64, v string) {
	commit := rapid.Bool().Draw(rt, "commit")
	end := "ROLLBACK"
	if commit {
		end = "COMMIT"
	}
	sql := fmt.Sprintf("BEGIN; DELETE FROM app.t WHERE id = %d; INSERT INTO app.t VALUES (%d, '%s'); UPDATE app.t SET v = v || 't' WHERE id = %d; %s", id, id, v, id, end)
	if _, err := m.s.try(p, sql); err != nil {
		rt.Fatalf("%s: %v", sql, err)
	}
	if commit {
		want[id] = v + "t"
	}
}

// check compares what the server gives with the model, by query and by key.
func (m *modelOps) check(rt *rapid.T) {
	for _, user := range m.users {
		want := m.want[user]
		res, err := m.s.try(userOf(user), "SELECT id, v FROM app.t")
		if err != nil {
			rt.Fatalf("select: %v", err)
		}
		got := model{}
		for _, row := range res[0].rows {
			id, err := strconv.ParseInt(strings.Trim(row[0], `"`), 10, 64)
			if err != nil {
				rt.Fatal(err)
			}
			if _, twice := got[id]; twice {
				rt.Fatalf("%s has key %d twice", user, id)
			}
			got[id] = strings.Trim(row[1], `"`)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			rt.Fatalf("%s has %v, want %v", user, got, want)
		}
		for id := int64(0); id <= 12; id++ {
			res, err := m.s.try(userOf(user), "SELECT v FROM app.t WHERE id = $1", kalam.BigInt(id))
			if err != nil {
				rt.Fatal(err)
			}
			v, ok := want[id]
			if ok != (len(res[0].rows) == 1) || ok && strings.Trim(res[0].rows[0][0], `"`) != v {
				rt.Fatalf("%s: key %d reads %v, want %q", user, id, res[0].rows, v)
			}
		}
	}
}

// TestModel compares random statements, flushes, compactions and restarts with maps
// (FlushIsInvisible, NoResurrection). rapid prints the seed of a failure.
func TestModel(t *testing.T) {
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "rapid.checks" })
	if !given { // Each check is a server of its own; scripts/stress asks for more.
		must(t, flag.Set("rapid.checks", "30"))
	}
	rapid.Check(t, func(rt *rapid.T) {
		s := newServer(t)
		defer s.stop()
		m := newModelOps(s)
		for range rapid.IntRange(5, 40).Draw(rt, "steps") {
			m.step(rt)
			m.check(rt)
		}
	})
}

// TestNoResurrection deletes and replaces rows in every place a row can be in
// and looks after every event that could bring it back.
func TestNoResurrection(t *testing.T) {
	s := newServer(t)
	alice := userOf("alice")
	s.must(root, "CREATE NAMESPACE app")
	s.must(root, "CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, v TEXT)")
	check := func(when, want string) {
		t.Helper()
		if got := s.must(alice, "SELECT id, v FROM app.t ORDER BY id").table(); got != "id | v\n"+want {
			t.Fatalf("%s:\n%swant:\n%s", when, got, want)
		}
	}
	s.must(alice, "INSERT INTO app.t VALUES (1, 'a'), (2, 'b'), (3, 'c')")
	s.flush()
	s.must(alice, "DELETE FROM app.t WHERE id = 1")
	check("deleted after a flush", "2 | b\n3 | c\n")
	s.restart()
	check("restarted", "2 | b\n3 | c\n")
	s.flush()
	check("tombstone flushed alone", "2 | b\n3 | c\n")
	s.must(alice, "INSERT INTO app.t VALUES (4, 'd')")
	s.flush()
	s.restart()
	check("another flush", "2 | b\n3 | c\n4 | d\n")
	s.must(alice, "INSERT INTO app.t VALUES (1, 'again')")
	s.must(alice, "UPDATE app.t SET v = 'B' WHERE id = 2")
	check("inserted again", "1 | again\n2 | B\n3 | c\n4 | d\n")
	s.flush()
	check("flushed again", "1 | again\n2 | B\n3 | c\n4 | d\n")
	s.must(alice, "DELETE FROM app.t WHERE id IN (1, 2)")
	s.flush()
	s.restart()
	check("deleted again", "3 | c\n4 | d\n")
	if got := s.single(alice, "SELECT count(*) AS n FROM app.t WHERE _deleted = true"); got != `"2"` {
		t.Errorf("tombstones: %s, want 2", got)
	}
}

// TestFlushIsInvisible writes, flushes, compacts and reads side by side: a reader
// must never see a row twice or miss one.
func TestFlushIsInvisible(t *testing.T) {
	s := newServer(t)
	alice := userOf("alice")
	s.must(root, "CREATE NAMESPACE app")
	s.must(root, "CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, v INT)")
	var inserted atomic.Int64
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Second)
	defer cancel()
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { // Inserts ids 1, 2, 3 ... and updates old ones.
		for id := int64(1); gctx.Err() == nil; id++ {
			if _, err := s.try(alice, "INSERT INTO app.t VALUES ($1, 0)", kalam.BigInt(id)); err != nil {
				return err
			}
			inserted.Store(id)
			if _, err := s.try(alice, "UPDATE app.t SET v = v + 1 WHERE id = $1", kalam.BigInt(1+rand.Int64N(id))); err != nil {
				return err
			}
		}
		return nil
	})
	flushes, compactions := 0, 0
	g.Go(func() error {
		for ; gctx.Err() == nil; flushes++ {
			s.flush()
			<-time.After(time.Millisecond) // Else it takes the processors from the writer.
		}
		return nil
	})
	g.Go(func() error {
		for ; gctx.Err() == nil; compactions++ {
			if err := s.merge(); err != nil {
				return err
			}
			<-time.After(time.Millisecond)
		}
		return nil
	})
	for range 2 {
		g.Go(func() error {
			for gctx.Err() == nil {
				before := inserted.Load()
				res, err := s.try(alice, "SELECT count(*) AS n, count(DISTINCT id) AS d, max(id) AS m FROM app.t")
				if err != nil {
					return err
				}
				row := res[0].rows[0]
				if row[0] != row[1] || row[2] != "null" && row[0] != row[2] {
					return fmt.Errorf("count, distinct and highest id are %v", row)
				}
				n, err := strconv.ParseInt(strings.Trim(row[0], `"`), 10, 64)
				if err != nil {
					return err
				}
				if n < before {
					return fmt.Errorf("%d rows seen after %d were acknowledged", n, before)
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d rows inserted, %d flushes, %d compactions", inserted.Load(), flushes, compactions)
	if got := s.single(alice, "SELECT count(*) AS n FROM app.t"); got != fmt.Sprintf(`"%d"`, inserted.Load()) {
		t.Errorf("%s rows at the end, want %d", got, inserted.Load())
	}
}

// slowReader takes batches one by one when told to.
type slowReader struct {
	collector
	first sync.Once
	begun chan struct{}
	goOn  chan struct{}
	rows  int64
}

func (r *slowReader) Batch(b arrow.RecordBatch) error {
	r.first.Do(func() {
		close(r.begun)
		<-r.goOn
	})
	r.rows += b.NumRows()
	return nil
}

func (r *slowReader) EndRows(session.RowsTrailer) error { return nil }

// TestSnapshotIsStable holds a query open while its rows are updated, deleted,
// flushed and its table dropped: it must give what it began with.
func TestSnapshotIsStable(t *testing.T) {
	s := newServer(t)
	alice := userOf("alice")
	s.must(root, "CREATE NAMESPACE app")
	s.must(root, "CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, v TEXT)")
	const half = 30000
	s.must(alice, fmt.Sprintf("INSERT INTO app.t SELECT i, repeat('x', 100) || i FROM range(%d) r(i)", half))
	s.flush()
	s.must(alice, fmt.Sprintf("INSERT INTO app.t SELECT i, repeat('y', 100) || i FROM range(%d, %d) r(i)", half, 2*half))
	r := &slowReader{begun: make(chan struct{}), goOn: make(chan struct{})}
	done := make(chan error, 1)
	go func() {
		done <- s.Execute(context.Background(), alice, session.Request{SQL: "SELECT id, v FROM app.t"}, r)
	}()
	<-r.begun
	s.must(alice, "UPDATE app.t SET v = 'changed' WHERE id % 2 = 0")
	s.must(alice, "DELETE FROM app.t WHERE id % 3 = 0")
	s.flush()
	s.must(alice, "INSERT INTO app.t SELECT i, 'new' FROM range(100000, 101000) r(i)")
	drop := s.must(root, "DROP TABLE app.t")
	close(r.goOn)
	if err := <-done; err != nil {
		t.Fatalf("the query that was open: %v", err)
	}
	if r.rows != 2*half {
		t.Errorf("the query that was open gave %d rows, want %d", r.rows, 2*half)
	}
	if j := s.await(drop.jobs[0]); j.Status != kalam.JobCompleted {
		t.Errorf("cleanup is %s: %s", j.Status, j.Error)
	}
}

// TestSeqIsMonotonic steps the clock back and forth, restarts, and expects seqs
// and SNOWFLAKE_ID() to rise through it all.
func TestSeqIsMonotonic(t *testing.T) {
	var offset atomic.Int64
	base := time.Now()
	cfg := config.Default()
	cfg.Storage.DataPath = t.TempDir()
	cfg.Auth.BcryptCost = 4
	s := &server{t: t, config: cfg,
		opts: engine.Options{Now: func() time.Time { return base.Add(time.Duration(offset.Load())) }}}
	s.start()
	defer s.stop()
	alice := userOf("alice")
	s.must(root, "CREATE NAMESPACE app")
	s.must(root, "CREATE USER TABLE app.t (id BIGINT PRIMARY KEY DEFAULT SNOWFLAKE_ID(), v INT)")
	var last int64
	for i := range 200 {
		switch i % 10 {
		case 3:
			offset.Add(int64(-time.Hour))
		case 6:
			offset.Add(int64(time.Hour))
		case 9:
			s.restart()
		}
		r := s.must(alice, "INSERT INTO app.t (v) VALUES (1), (2), (3) RETURNING _seq, id")
		for _, row := range r.rows {
			seq, err := strconv.ParseInt(strings.Trim(row[0], `"`), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			id, err := strconv.ParseInt(strings.Trim(row[1], `"`), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			if seq <= last {
				t.Fatalf("step %d: seq %d after %d", i, seq, last)
			}
			if id >= seq {
				t.Fatalf("step %d: id %d was drawn before seq %d", i, id, seq)
			}
			last = seq
		}
	}
	if got := s.single(alice, "SELECT count(DISTINCT id) AS n FROM app.t"); got != `"600"` {
		t.Errorf("%s different ids, want 600", got)
	}
}
