package engine_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kalamlake/kalam"
)

// script is one transaction of n statements of a form with one %d.
func script(n int, form string) string {
	var b strings.Builder
	b.WriteString("BEGIN;\n")
	for i := range n {
		fmt.Fprintf(&b, form+";\n", i)
	}
	b.WriteString("COMMIT")
	return b.String()
}

// TestTransactionIsLinear runs transactions of few and of eight times as many
// statements: a quadratic one would take 64 times as long. Case D6.
func TestTransactionIsLinear(t *testing.T) {
	forms := []struct {
		name, form string
		flushed    bool
	}{
		{"inserts", "INSERT INTO app.t (id, n) VALUES (%d, 1)", false},
		{"upserts", "INSERT INTO app.t (id, n) VALUES (%d, 1) ON CONFLICT (id) DO UPDATE SET n = EXCLUDED.n", false},
		{"updates of flushed rows", "UPDATE app.t SET n = 2 WHERE id = %d", true},
		{"deletes of flushed rows", "DELETE FROM app.t WHERE id = %d", true},
	}
	const few, many = 250, 2000
	for _, f := range forms {
		t.Run(f.name, func(t *testing.T) {
			s := newServer(t)
			s.must(root, "CREATE NAMESPACE app; CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, n INT)")
			run := func(user string, n int) time.Duration {
				alice := userOf(user)
				if f.flushed {
					s.must(alice, fmt.Sprintf("INSERT INTO app.t SELECT i, 1 FROM range(%d) r(i)", n))
					s.flush()
				}
				start := time.Now()
				s.must(alice, script(n, f.form))
				return time.Since(start)
			}
			run("warm", few)
			var short, long []time.Duration
			for i := range 3 {
				short = append(short, run(fmt.Sprintf("few%d", i), few))
				long = append(long, run(fmt.Sprintf("many%d", i), many))
			}
			t.Logf("%d statements: %v; %d: %v", few, slices.Min(short), many, slices.Min(long))
			if slices.Min(long) > 30*slices.Min(short) {
				t.Errorf("%d statements take %v, %d take %v", few, slices.Min(short), many, slices.Min(long))
			}
		})
	}
}

// TestTransactionReadsItsWrites mixes every kind of write with queries and point
// reads in one transaction, over buffered and flushed rows. Case D6.
func TestTransactionReadsItsWrites(t *testing.T) {
	for _, flushed := range []bool{false, true} {
		t.Run(fmt.Sprintf("flushed=%v", flushed), func(t *testing.T) {
			s := newServer(t)
			alice := userOf("alice")
			s.must(root, "CREATE NAMESPACE app; CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, n INT)")
			s.must(alice, "INSERT INTO app.t VALUES (1, 10), (2, 20), (3, 30)")
			if flushed {
				s.flush()
			}
			steps := []struct{ write, want string }{
				{"INSERT INTO app.t VALUES (4, 40)", "[1 10] [2 20] [3 30] [4 40]"},
				{"UPDATE app.t SET n = 11 WHERE id = 1", "[1 11] [2 20] [3 30] [4 40]"},
				{"UPDATE app.t SET n = n + 1 WHERE n >= 30", "[1 11] [2 20] [3 31] [4 41]"},
				{"DELETE FROM app.t WHERE id = 2", "[1 11] [3 31] [4 41]"},
				{"INSERT INTO app.t VALUES (2, 22)", "[1 11] [2 22] [3 31] [4 41]"},
				{"DELETE FROM app.t WHERE n > 31", "[1 11] [2 22] [3 31]"},
				{"INSERT INTO app.t VALUES (3, 5), (5, 50) ON CONFLICT (id) DO UPDATE SET n = t.n + EXCLUDED.n",
					"[1 11] [2 22] [3 36] [5 50]"},
				{"INSERT INTO app.t VALUES (5, 0), (6, 60) ON CONFLICT DO NOTHING", "[1 11] [2 22] [3 36] [5 50] [6 60]"},
			}
			sql := "BEGIN;"
			for _, st := range steps {
				sql += st.write + "; SELECT id, n FROM app.t ORDER BY id; SELECT count(*) FROM app.t WHERE n > 0;"
			}
			res, err := s.try(alice, sql+"COMMIT; SELECT id, n FROM app.t ORDER BY id")
			if err != nil {
				t.Fatal(err)
			}
			for i, st := range steps {
				rows := res[1+3*i+1].rows
				if got := strings.Trim(plainRows(rows), "[]"); "["+got+"]" != st.want {
					t.Errorf("after %s: %v, want %s", st.write, rows, st.want)
				}
				if got := res[1+3*i+2].rows[0][0]; strings.Trim(got, `"`) != fmt.Sprint(len(rows)) {
					t.Errorf("after %s: count %s of %d rows", st.write, got, len(rows))
				}
			}
			last := res[len(res)-1].rows
			if got := strings.Trim(plainRows(last), "[]"); "["+got+"]" != steps[len(steps)-1].want {
				t.Errorf("after COMMIT: %v", last)
			}
		})
	}
}

// TestUpsertsRace has many clients upsert few fresh keys at once: every one of
// them succeeds and none is lost (case A5).
func TestUpsertsRace(t *testing.T) {
	const clients, rounds, keys = 8, 60, 25
	forms := map[string]string{
		"values": "INSERT INTO %s AS c VALUES (%d, 1) ON CONFLICT (id) DO UPDATE SET n = c.n + EXCLUDED.n",
		"select": "INSERT INTO %s AS c SELECT %d, 1 ON CONFLICT (id) DO UPDATE SET n = c.n + EXCLUDED.n",
	}
	for name, form := range forms {
		for _, table := range []string{"app.u", "app.s"} {
			t.Run(name+" "+table, func(t *testing.T) {
				s := newServer(t)
				s.must(root, `CREATE NAMESPACE app; CREATE USER TABLE app.u (id BIGINT PRIMARY KEY, n BIGINT);
					CREATE SHARED TABLE app.s (id BIGINT PRIMARY KEY, n BIGINT) WITH (ACCESS_LEVEL = 'PUBLIC')`)
				s.must(root, fmt.Sprintf("INSERT INTO %s VALUES (1, 100), (2, 100)", table))
				s.flush()
				s.must(root, fmt.Sprintf("DELETE FROM %s WHERE id < 3", table))
				var wg sync.WaitGroup
				for c := range clients {
					wg.Go(func() {
						for i := range rounds {
							if _, err := s.try(root, fmt.Sprintf(form, table, (c+i)%keys)); err != nil {
								t.Errorf("upsert: %v", explained(err))
							}
						}
					})
				}
				wg.Wait()
				want := fmt.Sprint(clients * rounds)
				got := s.single(root, fmt.Sprintf("SELECT sum(n)::BIGINT FROM %s", table))
				if strings.Trim(got, `"`) != want {
					t.Errorf("sum is %s, want %s", got, want)
				}
			})
		}
	}
}

// TestUpsertsOfFreshKeys has 16 clients upsert 50 keys that are new: all succeed, the
// sum is exact, and no one waits long (case A5). KALAM_TEST_UPSERTS says how many each
// of them makes, 1,000 for instance.
func TestUpsertsOfFreshKeys(t *testing.T) {
	const clients, keys = 16, 50
	each := amount(t, "KALAM_TEST_UPSERTS", 60)
	s := newServer(t)
	s.must(root, "CREATE NAMESPACE app; CREATE SHARED TABLE app.s (id BIGINT PRIMARY KEY, n BIGINT)")
	took := make([][]time.Duration, clients)
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			for i := range each {
				start := time.Now()
				_, err := s.try(root, "INSERT INTO app.s VALUES ($1, 1) ON CONFLICT (id) DO UPDATE SET n = s.n + EXCLUDED.n",
					kalam.BigInt(int64((c*7+i)%keys)))
				took[c] = append(took[c], time.Since(start))
				if err != nil {
					t.Errorf("upsert: %v", explained(err))
				}
			}
		})
	}
	wg.Wait()
	all := slices.Sorted(slices.Values(slices.Concat(took...)))
	t.Logf("%d upserts: p50 %v, p99 %v, longest %v", len(all), all[len(all)/2], all[len(all)*99/100], all[len(all)-1])
	got := s.must(root, "SELECT count(*), sum(n)::BIGINT FROM app.s").rows[0]
	if got[0] != `"50"` || got[1] != fmt.Sprintf("%q", fmt.Sprint(clients*each)) {
		t.Errorf("rows and sum are %v, want 50 and %d", got, clients*each)
	}
}

// TestUpsertInTransactionConflicts has a key that an upsert of an open
// transaction saw free be taken before its commit: that is a conflict, which the
// client resolves by running the transaction again, not a duplicate key.
func TestUpsertInTransactionConflicts(t *testing.T) {
	s := newServer(t)
	s.must(root, "CREATE NAMESPACE app; CREATE SHARED TABLE app.s (id BIGINT PRIMARY KEY, n BIGINT) WITH (ACCESS_LEVEL = 'PUBLIC')")
	conflicts := 0
	var mu sync.Mutex
	var wg sync.WaitGroup
	const clients, keys = 6, 40
	for range clients {
		wg.Go(func() {
			for k := range keys {
				for {
					_, err := s.try(root,
						fmt.Sprintf(`BEGIN; INSERT INTO app.s VALUES (%d, 1) ON CONFLICT (id) DO UPDATE SET n = s.n + 1;
						SELECT count(*) FROM app.s; COMMIT`, k))
					if err == nil {
						break
					}
					if kalam.CodeOf(err) != kalam.CodeConflict {
						t.Errorf("upsert in a transaction: %v", explained(err))
						return
					}
					mu.Lock()
					conflicts++
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	t.Logf("%d conflicts", conflicts)
	if got := s.single(root, "SELECT sum(n)::BIGINT FROM app.s"); strings.Trim(got, `"`) != fmt.Sprint(clients*keys) {
		t.Errorf("sum is %s, want %d", got, clients*keys)
	}
}

// plainRows shows rows without the quotes of their cells.
func plainRows(rows [][]string) string {
	return strings.ReplaceAll(fmt.Sprint(rows), `"`, "")
}

// TestIfExistsRaces has clients say the same at once: IF [NOT] EXISTS succeeds for
// all of them. Case A5.
func TestIfExistsRaces(t *testing.T) {
	s := newServer(t)
	s.must(root, "CREATE NAMESPACE app")
	const clients = 8
	for round := range 5 {
		for _, form := range []string{
			"CREATE NAMESPACE IF NOT EXISTS n%d",
			"CREATE USER IF NOT EXISTS u%d WITH PASSWORD 'a-long-password' ROLE user",
			"CREATE USER TABLE IF NOT EXISTS n%d.t (id BIGINT PRIMARY KEY)",
			"DROP TABLE IF EXISTS n%d.t",
			"DROP USER IF EXISTS u%d",
			"DROP NAMESPACE IF EXISTS n%d CASCADE",
		} {
			sql := fmt.Sprintf(form, round)
			var wg sync.WaitGroup
			for range clients {
				wg.Go(func() {
					if _, err := s.try(root, sql); err != nil {
						t.Errorf("%s: %v", sql, explained(err))
					}
				})
			}
			wg.Wait()
		}
	}
}

// TestTransactionReadsItsEvents writes to STREAM tables after a time in which
// nothing was written and everything has expired: a transaction sees its own rows.
func TestTransactionReadsItsEvents(t *testing.T) {
	var offset atomic.Int64
	s := newServer(t)
	s.stop()
	s.opts.Now = func() time.Time { return time.Now().Add(time.Duration(offset.Load())) }
	s.start()
	alice := userOf("alice")
	s.must(root, "CREATE NAMESPACE app")
	s.must(root, "CREATE STREAM TABLE app.keyless (id BIGINT, n INT) WITH (TTL_SECONDS = 60)")
	s.must(root, "CREATE STREAM TABLE app.keyed (id BIGINT PRIMARY KEY, n INT) WITH (TTL_SECONDS = 60)")
	for _, table := range []string{"app.keyless", "app.keyed"} {
		s.must(alice, "INSERT INTO "+table+" VALUES (1, 0)")
	}
	offset.Store(int64(time.Hour))
	for _, table := range []string{"app.keyless", "app.keyed"} {
		sql := strings.ReplaceAll("BEGIN; INSERT INTO $ VALUES (2, 0), (3, 0); SELECT id FROM $ ORDER BY id; SELECT id FROM $ WHERE id = 3; "+
			"INSERT INTO $ SELECT id + 10, n FROM $; DELETE FROM $ WHERE id = 2; SELECT id FROM $ ORDER BY id; COMMIT", "$", table)
		res, err := s.try(alice, sql)
		if err != nil {
			t.Fatal(err)
		}
		for at, want := range map[int]string{2: "[2] [3]", 3: "[3]", 6: "[3] [12] [13]"} {
			if got := plainRows(res[at].rows); got != "["+want+"]" {
				t.Errorf("%s: result %d is %s, want %s", table, at, got, want)
			}
		}
		if got := plainRows(s.must(alice, "SELECT id FROM "+table+" ORDER BY id").rows); got != "[[3] [12] [13]]" {
			t.Errorf("%s: after COMMIT: %s", table, got)
		}
	}
}
