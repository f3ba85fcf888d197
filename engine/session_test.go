package engine_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/session"
)

// TestSessionCache uses what it kept of a request only while it is true: for the same user in the same role, and for
// the schemas as they are. CACHE-005, CACHE-006.
func TestSessionCache(t *testing.T) {
	s := newServer(t)
	ann, bob := userOf("ann"), userOf("bob")
	s.must(root, "CREATE NAMESPACE app; CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, n INT)")
	s.must(ann, "INSERT INTO app.t VALUES (1, 10)")
	s.must(bob, "INSERT INTO app.t VALUES (1, 20)")
	stat := func(name string) string {
		return s.must(root, "SELECT metric_value FROM system.stats WHERE metric_name = '"+name+"'").rows[0][0]
	}
	const read, write = "SELECT * FROM app.t WHERE id = $1", "UPDATE app.t SET n = $1 WHERE id = 1"
	one := kalam.BigInt(1)
	for range 3 {
		for who, want := range map[kalam.Principal]string{ann: "10", bob: "20"} {
			if r := s.must(who, read, one); r.rows[0][1] != want {
				t.Fatalf("%s reads %v", who.User, r.rows)
			}
		}
	}
	if got := stat("session_cache_hits"); got == `"0"` {
		t.Errorf("hits are %s", got)
	}
	s.must(ann, write, kalam.BigInt(11))
	s.must(ann, write, kalam.BigInt(12))
	s.must(root, "ALTER TABLE app.t ADD COLUMN note TEXT DEFAULT 'x'")
	r := s.must(ann, read, one)
	if got := strings.Join(r.columns, " "); got != "id n note _seq _deleted" || r.rows[0][1] != "12" {
		t.Errorf("after ALTER: %s, %v", got, r.rows)
	}
	s.flush()
	if r := s.must(ann, read, one); r.rows[0][2] != `"x"` {
		t.Errorf("after the flush: %v", r.rows)
	}
	s.must(root, "DROP TABLE app.t")
	for _, sql := range []string{read, write} {
		_, err := s.try(ann, sql, one)
		if err == nil || !strings.Contains(messageOf(err), "relation 'app.t' does not exist") {
			t.Errorf("after DROP: %s: %v", sql, err)
		}
	}
	s.must(root, "CREATE SHARED TABLE app.t (id BIGINT PRIMARY KEY, word TEXT) ACCESS LEVEL PRIVATE")
	if _, err := s.try(ann, read, one); err == nil {
		t.Error("a private table is read by what was kept")
	}
	s.must(root, "ALTER TABLE app.t SET ACCESS LEVEL PUBLIC")
	if r := s.must(ann, read, one); len(r.rows) != 0 || r.columns[1] != "word" {
		t.Errorf("of the new table: %v", r)
	}
}

// TestClearCache empties the caches and says what was in them. CACHE-007.
func TestClearCache(t *testing.T) {
	s := newServer(t)
	ann := userOf("ann")
	s.must(root, "CREATE NAMESPACE app; CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, n INT)")
	s.must(ann, "SELECT n FROM app.t WHERE n > $1", kalam.BigInt(1))
	if _, err := s.try(ann, "CLEAR CACHE"); err == nil || messageOf(err) != "role user cannot clear caches" {
		t.Errorf("as a user: %v", err)
	}
	r := s.must(root, "CLEAR CACHE")
	var words, names []string
	for _, row := range r.rows {
		name := strings.Trim(row[0], `"`)
		words = append(words, fmt.Sprintf("%s=%s", name, strings.Trim(row[1], `"`)))
		names = append(names, name)
	}
	if got := strings.Join(names, " "); got != "session query_plan filter manifest" {
		t.Errorf("caches: %s", got)
	}
	if r.message != "Caches cleared: "+strings.Join(words, ", ") || words[0] == "session=0" || words[1] == "query_plan=0" {
		t.Errorf("message: %s", r.message)
	}
	s.must(ann, "SELECT n FROM app.t WHERE n > $1", kalam.BigInt(1))
}

// TestKeptSession is a session that goes on after a request, as that of a connection does.
func TestKeptSession(t *testing.T) {
	s := newServer(t)
	ctx, ann := context.Background(), userOf("ann")
	s.must(root, "CREATE NAMESPACE app; CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, n INT, at DATETIME)")
	c := s.Open(ann, "")
	defer c.Close()
	run := func(sql string) ([]result, error) {
		var out collector
		err := c.Run(ctx, session.Request{SQL: sql}, &out)
		return out.results, err
	}
	must := func(sql string) []result {
		t.Helper()
		r, err := run(sql)
		if err != nil {
			t.Fatalf("%s: %v", sql, explained(err))
		}
		return r
	}
	must("SET namespace = app; SET timezone = 'Europe/Berlin'")
	must("PREPARE q AS SELECT id, at::TEXT AS at FROM t WHERE at = $1")
	must("INSERT INTO t VALUES (1, 1, '2026-07-01 00:30')")
	if r := must("EXECUTE q('2026-07-01 00:30')"); len(r[0].rows) != 1 || r[0].rows[0][1] != `"2026-07-01 00:30:00+02"` {
		t.Errorf("EXECUTE gives %v", r[0].rows)
	}
	p, err := c.Prepare(ctx, "SELECT n, count(*) AS c FROM t WHERE n > $1 GROUP BY n ORDER BY n")
	if err != nil {
		t.Fatal(err)
	}
	params, fields := p.Describe()
	if got := fmt.Sprint(params, fields); got != "[INT] [{n INT []} {c BIGINT []}]" {
		t.Errorf("described as %s", got)
	}
	for _, n := range []string{"0", "5"} { // With and without a row the result has the same columns.
		var out collector
		v := kalam.Text(n)
		if err := p.Execute(ctx, []kalam.Value{v}, &out); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(out.results[0].types, " "); got != "Int BigInt" {
			t.Errorf("with %s: %s", n, got)
		}
	}
	if err := p.Execute(ctx, nil, &collector{}); kalam.CodeOf(err) != kalam.CodeParameterMismatch {
		t.Errorf("without its parameter: %v", err)
	}
	s.must(root, "ALTER TABLE app.t ADD COLUMN note TEXT")
	if err := p.Execute(ctx, []kalam.Value{kalam.BigInt(0)}, &collector{}); err != nil {
		t.Errorf("after a change that does not concern it: %v", err)
	}
	if _, err := run("BEGIN; INSERT INTO t (id, n) VALUES (2, 2); SELECT nothing FROM t"); err == nil {
		t.Fatal("a SELECT of nothing succeeds")
	}
	if _, err := run("SELECT 1"); err == nil || !strings.Contains(err.Error(), "has failed") {
		t.Errorf("in a transaction that has failed: %v", err)
	}
	if r := must("COMMIT"); !strings.HasPrefix(r[0].message, "Transaction rolled back") {
		t.Errorf("COMMIT of a transaction that has failed: %s", r[0].message)
	}
	if r := must("SELECT count(*) AS n FROM t"); r[0].rows[0][0] != `"1"` {
		t.Errorf("after the rollback: %v", r[0].rows)
	}
	if r := must("SHOW timezone"); r[0].rows[0][0] != `"Europe/Berlin"` {
		t.Errorf("the session forgot its zone: %v", r[0].rows)
	}
	other := s.must(ann, "SHOW timezone")
	if other.rows[0][0] != `"UTC"` {
		t.Errorf("another session of the user has its zone: %v", other.rows)
	}
}

// TestTransactionMeetsTablesLate: the requests of a transaction read every table as it was at
// BEGIN, whichever they come to name, and whatever was written, deleted, flushed and compacted
// before they do.
func TestTransactionMeetsTablesLate(t *testing.T) {
	s := newServer(t)
	ctx, ann := context.Background(), userOf("ann")
	s.must(root, "CREATE NAMESPACE app")
	const tables = 4
	for i := range tables {
		s.must(root, fmt.Sprintf("CREATE USER TABLE app.t%d (id BIGINT PRIMARY KEY, v TEXT)", i))
		s.must(ann, fmt.Sprintf("INSERT INTO app.t%d VALUES (1, 'flushed'), (2, 'flushed')", i))
	}
	s.flush()
	for i := range tables {
		s.must(ann, fmt.Sprintf("INSERT INTO app.t%d VALUES (3, 'buffered')", i))
	}
	c := s.Open(ann, "app")
	defer c.Close()
	run := func(sql string) string {
		t.Helper()
		var out collector
		if err := c.Run(ctx, session.Request{SQL: sql}, &out); err != nil {
			t.Fatalf("%s: %v", sql, explained(err))
		}
		return fmt.Sprint(out.results[len(out.results)-1].rows)
	}
	run("BEGIN")
	for i := range tables {
		s.must(ann, fmt.Sprintf("UPDATE app.t%d SET v = 'later' WHERE id = 1; DELETE FROM app.t%d WHERE id = 2;"+
			" INSERT INTO app.t%d VALUES (4, 'later')", i, i, i))
		switch i {
		case 1:
			s.flush()
		case 2:
			s.flush()
			s.compactAll()
		case 3:
			s.flush()
			s.must(ann, "UPDATE app.t3 SET v = 'once more' WHERE id > 0")
		}
		const want = `[["1" "flushed"] ["2" "flushed"] ["3" "buffered"]]`
		if got := run(fmt.Sprintf("SELECT id, v FROM t%d ORDER BY id", i)); got != want {
			t.Errorf("t%d: %s, want %s", i, got, want)
		}
	}
	run("UPDATE t0 SET v = 'own' WHERE id = 3")
	if got := run("SELECT v FROM t0 ORDER BY id"); got != `[["flushed"] ["flushed"] ["own"]]` {
		t.Errorf("with its own writes: %s", got)
	}
	run("COMMIT")
	if got := run("SELECT id, v FROM t0 ORDER BY id"); got != `[["1" "later"] ["3" "own"] ["4" "later"]]` {
		t.Errorf("after COMMIT: %s", got)
	}
}
