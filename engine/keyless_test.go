package engine_test

import (
	"fmt"
	"sort"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kalamlake/kalam/config"
	"github.com/kalamlake/kalam/engine"
	"github.com/kalamlake/kalam/live"
)

// TestKeylessStream has writers that insert equal rows into a STREAM table without
// a primary key, readers that follow it, deletions, and restarts in between: every
// row is one row for all of them. Case B1.
func TestKeylessStream(t *testing.T) {
	s := newServer(t)
	alice, bob := userOf("alice"), userOf("bob")
	s.must(root, "CREATE NAMESPACE app; ALTER NAMESPACE app SET OPTIONS (user_tables = true)")
	s.must(alice, "CREATE STREAM TABLE app.e (who TEXT, n INT) WITH (TTL_SECONDS = 3600)")
	s.must(bob, "INSERT INTO app.e VALUES ('bob', 0), ('bob', 0)")
	const writers, statements, rows = 6, 20, 5
	var g errgroup.Group
	for w := range writers {
		g.Go(func() error {
			for range statements {
				sql := fmt.Sprintf("INSERT INTO app.e VALUES ('w%d', 1)", w) + strings.Repeat(fmt.Sprintf(", ('w%d', 1)", w),
					rows-1)
				if _, err := s.try(alice, sql); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	const all = writers * statements * rows
	check := func(when string, want int) {
		t.Helper()
		got := s.must(alice, "SELECT count(*) AS n, count(DISTINCT _seq) AS seqs, sum(n) AS sum FROM app.e").rows[0]
		if fmt.Sprint(got) != fmt.Sprintf(`["%d" "%d" "%d"]`, want, want, want) {
			t.Errorf("%s: %v, want %d", when, got, want)
		}
		if r := s.must(bob, "SELECT who, n FROM app.e"); len(r.rows) != 2 {
			t.Errorf("%s: bob has %v", when, r.rows)
		}
	}
	check("written", all)
	s.restart()
	check("after a restart", all)
	if r := s.must(alice, "DELETE FROM app.e WHERE who = 'w0'"); r.count != statements*rows {
		t.Errorf("deleted %d rows", r.count)
	}
	s.restart()
	check("after a deletion and a restart", all-statements*rows)
	s.must(alice, "INSERT INTO app.e VALUES ('w0', 1)")
	check("after another row", all-statements*rows+1)

	// Deletions of the same rows meet: each row is deleted once.
	var deleted atomic.Int64
	for range 4 {
		g.Go(func() error {
			r, err := s.try(alice, "DELETE FROM app.e WHERE who = 'w1'")
			if err == nil {
				deleted.Add(r[0].count)
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	if got := deleted.Load(); got != statements*rows {
		t.Errorf("%d rows were deleted, want %d", got, statements*rows)
	}
	check("after deletions that meet", all-2*statements*rows+1)
}

// TestKeylessLive follows a STREAM table without a primary key: each row, equal to
// another or not, is an event, in the order of _seq, and a client resumes. Case B1.
func TestKeylessLive(t *testing.T) {
	s := newServer(t)
	alice, bob := userOf("alice"), userOf("bob")
	s.must(root, "ALTER NAMESPACE default SET OPTIONS (user_tables = true)")
	s.must(alice, "CREATE STREAM TABLE e (what TEXT, n INT) WITH (TTL_SECONDS = 3600)")
	s.must(alice, "INSERT INTO e VALUES ('a', 1), ('a', 1), ('b', 0)")
	f := s.follow(alice, "SELECT * FROM default.e WHERE n > 0", &live.Options{BatchSize: 1}, false)
	defer f.close()
	from := f.last
	s.must(bob, "INSERT INTO e VALUES ('of bob', 9)")
	s.must(alice, "INSERT INTO e VALUES ('a', 1), ('a', 1)")
	s.must(alice, "BEGIN; INSERT INTO e VALUES ('undone', 5); ROLLBACK")
	s.must(alice, "BEGIN; INSERT INTO e VALUES ('c', 3), ('gone', 4); DELETE FROM e WHERE what = 'b'; COMMIT")
	s.must(alice, "DELETE FROM e WHERE what = 'gone'")
	f.read(5)
	var got []string
	for _, ev := range f.events {
		kind, row, _ := strings.Cut(ev, " ")
		got = append(got, kind+" "+strings.Join(strings.Fields(row)[:2], " "))
	}
	if d := fmt.Sprint(got); d != `[insert "a" 1 insert "a" 1 insert "c" 3 insert "gone" 4 delete "gone" 4]` {
		t.Errorf("events %s", d)
	}
	again := s.follow(alice, "SELECT what, n FROM e WHERE n > 0", &live.Options{From: from}, false)
	defer again.close()
	var rows []string
	for row := range again.rows {
		rows = append(rows, row)
	}
	sort.Strings(rows)
	if fmt.Sprint(rows) != `["a" "c"]` {
		t.Errorf("resumed with %v", rows)
	}
}

// TestKeylessExpiry checks that rows without a primary key end with their TTL: for
// queries at once, on the disk by eviction, and not those of others.
func TestKeylessExpiry(t *testing.T) {
	var offset atomic.Int64
	base := time.Now()
	s := &server{t: t, config: config.Default(),
		opts: engine.Options{Now: func() time.Time { return base.Add(time.Duration(offset.Load())) }}}
	s.config.Storage.DataPath = t.TempDir()
	s.config.Auth.BcryptCost = 4
	s.start()
	defer s.stop()
	alice, bob := userOf("alice"), userOf("bob")
	s.must(root, "ALTER NAMESPACE default SET OPTIONS (user_tables = true)")
	s.must(alice, "CREATE STREAM TABLE e (what TEXT) WITH (TTL_SECONDS = 60)")
	s.must(alice, "CREATE STREAM TABLE kept (what TEXT) WITH (TTL_SECONDS = 86400)")
	s.must(alice, "INSERT INTO kept VALUES ('kept'), ('kept')")
	s.must(alice, "INSERT INTO e VALUES ('old'), ('old'), ('older')")
	offset.Store(int64(50 * time.Second))
	s.must(alice, "INSERT INTO e VALUES ('young')")
	s.must(bob, "INSERT INTO e VALUES ('of bob')")
	if got := s.single(alice, "SELECT count(*) AS n FROM e"); got != `"4"` {
		t.Errorf("%s rows before the TTL", got)
	}
	offset.Store(int64(70 * time.Second))
	if got := s.must(alice, "SELECT what FROM e").table(); got != "what\nyoung\n" {
		t.Errorf("after the TTL: %s", got)
	}
	if r := s.must(alice, "DELETE FROM e WHERE what LIKE 'old%'"); r.count != 0 {
		t.Errorf("%d expired rows were deleted", r.count)
	}
	evict := func() {
		t.Helper()
		must(t, s.Maintain().EvictExpired(t.Context()))
	}
	evict()
	stats := s.must(root, "SHOW TABLE STATS e")
	if got := stats.rows[0][3]; got != `"2"` {
		t.Errorf("%s rows are left after the eviction: %v", got, stats.columns)
	}
	s.restart()
	if got := s.must(alice, "SELECT what FROM e").table() + s.must(bob,
		"SELECT what FROM e").table(); got != "what\nyoung\nwhat\nof bob\n" {
		t.Errorf("after a restart: %s", got)
	}
	if r := s.must(alice, "DELETE FROM e WHERE what = 'young'"); r.count != 1 {
		t.Errorf("%d rows were deleted", r.count)
	}
	offset.Store(int64(time.Hour))
	evict()
	if got := s.must(root, "SHOW TABLE STATS e").rows[0][3]; got != `"0"` {
		t.Errorf("%s rows are left after an hour", got)
	}
	if got := s.single(alice, "SELECT count(*) AS n FROM kept"); got != `"2"` {
		t.Errorf("%s rows of the other table are left", got)
	}
}
