package engine_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sort"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/live"
	"github.com/kalamlake/kalam/subscribe"
)

// follower is a client of one live query: it keeps the rows it was told of.
type follower struct {
	t      testing.TB
	out    *subscribe.Outbox
	query  *live.Query
	rows   map[string]string // First column to the row as text.
	last   kalam.Seq
	events []string
}

// connections numbers the followers.
var connections atomic.Int64

// follow subscribes and reads all initial rows.
func (s *server) follow(p kalam.Principal, sql string, o *live.Options, exact bool, params ...kalam.Value) *follower {
	s.t.Helper()
	f := &follower{t: s.t, rows: map[string]string{}}
	s.attach(f, p, sql, o, exact, params...)
	return f
}

// attach subscribes for a follower, which may have rows of an earlier
// subscription, and reads what comes before its live events.
func (s *server) attach(
	f *follower, p kalam.Principal, sql string, o *live.Options, exact bool, params ...kalam.Value,
) {
	s.t.Helper()
	f.out = s.Live().NewOutbox()
	q, err := s.Live().Subscribe(context.Background(), p, live.Request{
		Connection: fmt.Sprintf("%032x", connections.Add(1)), ID: "sub-1", SQL: sql, Params: params, Options: o, Exact: exact,
		Outbox: f.out,
	})
	if err != nil {
		s.t.Fatalf("subscribe %s: %v", sql, err)
	}
	f.query = q
	for more := q.HasInitial(); more; {
		b, err := q.NextBatch(context.Background())
		if err != nil {
			s.t.Fatalf("initial rows of %s: %v", sql, err)
		}
		for i, row := range b.Rows {
			if b.Seqs[i] <= f.last {
				s.t.Fatalf("initial row with seq %d after %d", b.Seqs[i], f.last)
			}
			f.last = b.Seqs[i]
			f.rows[cellText(row[0])] = rowText(row)
		}
		last := f.last
		for _, ev := range b.Gone {
			f.last = max(b.LastSeq, 0)
			f.take(ev)
		}
		f.last = max(f.last, last)
		more = b.HasMore
	}
	q.Activate()
}

func cellText(v kalam.Value) string { return string(datatype.AppendValue(nil, v)) }

func rowText(row []kalam.Value) string {
	cells := make([]string, 0, len(row))
	for _, v := range row {
		cells = append(cells, cellText(v))
	}
	return strings.Join(cells, " ")
}

func (f *follower) close() {
	f.query.Close()
	f.out.Close()
}

// read takes deliveries until want events came.
func (f *follower) read(want int) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for len(f.events) < want {
		d, err := f.out.Next(ctx)
		if err != nil || d.Err != nil {
			f.t.Fatalf("after %d of %d events: %v %v", len(f.events), want, err, d.Err)
		}
		for _, ev := range d.Events {
			f.take(ev)
		}
	}
}

func (f *follower) take(ev *subscribe.Event) {
	f.t.Helper()
	if ev.NewSeq <= f.last {
		f.t.Fatalf("event with seq %d after %d", ev.NewSeq, f.last)
	}
	f.last = ev.NewSeq
	key := cellText(ev.New[0])
	switch ev.Kind {
	case kalam.ChangeInsert, kalam.ChangeUpdate:
		f.rows[key] = rowText(ev.New)
	case kalam.ChangeDelete:
		delete(f.rows, key)
	}
	f.events = append(f.events, fmt.Sprintf("%s %s", ev.Kind, rowText(ev.New)))
}

// TestLiveEvents shows inserts, updates and deletes through a condition, and
// nothing of another user, of a rolled back transaction or of a flush.
func TestLiveEvents(t *testing.T) {
	s := newServer(t)
	alice := userOf("alice")
	s.must(root, "CREATE NAMESPACE app")
	s.must(root, "CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, role TEXT, n INT)")
	s.must(alice, "INSERT INTO app.t VALUES (1, 'user', 1), (2, 'bot', 2), (3, 'user', 3)")
	for _, where := range []string{"role = 'user' AND n > 0", "regexp_matches(role, '^us') AND n > 0"} {
		t.Run(where, func(t *testing.T) {
			f := s.follow(alice, "SELECT * FROM app.t WHERE "+where, &live.Options{BatchSize: 1}, false)
			defer f.close()
			if len(f.rows) != 2 {
				t.Fatalf("initial rows: %v", f.rows)
			}
			s.must(userOf("bob"), "INSERT INTO app.t VALUES (10, 'user', 1) ON CONFLICT DO NOTHING")
			s.must(alice, "INSERT INTO app.t VALUES (4, 'user', 4), (5, 'bot', 5)")
			s.must(alice, "BEGIN; INSERT INTO app.t VALUES (6, 'user', 6); ROLLBACK")
			s.flush()
			s.must(alice, "UPDATE app.t SET n = 40 WHERE id = 4")
			s.must(alice, "UPDATE app.t SET role = 'user' WHERE id = 5")
			s.must(alice, "BEGIN; INSERT INTO app.t VALUES (8, 'user', 8); UPDATE app.t SET role = 'bot' WHERE id = 8; COMMIT")
			s.must(alice, "BEGIN; INSERT INTO app.t VALUES (9, 'user', 9); DELETE FROM app.t WHERE id = 9; COMMIT")
			s.must(alice, "BEGIN; INSERT INTO app.t VALUES (7, 'user', 7); DELETE FROM app.t WHERE id = 4; COMMIT")
			s.must(alice, "DELETE FROM app.t WHERE id = 2")
			f.read(5)
			want := []string{`insert "4" "user" 4`, `update "4" "user" 40`, `update "5" "user" 5`, `insert "7" "user" 7`,
				`delete "4" "user" 40`}
			if fmt.Sprint(f.events) != fmt.Sprint(want) {
				t.Errorf("events:\n%s\nwant:\n%s", strings.Join(f.events, "\n"), strings.Join(want, "\n"))
			}
			s.must(alice, "DELETE FROM app.t WHERE id > 3")
			s.must(alice, "INSERT INTO app.t VALUES (2, 'bot', 2)")
		})
	}
}

// TestLiveRefusals lists what is no live query, each with a clear error.
func TestLiveRefusals(t *testing.T) {
	s := newServer(t)
	s.must(root, "CREATE NAMESPACE app")
	s.must(root, "CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, n INT)")
	s.must(root, "CREATE SHARED TABLE app.s (id BIGINT PRIMARY KEY) WITH (ACCESS_LEVEL = 'PUBLIC')")
	out := s.Live().NewOutbox()
	defer out.Close()
	for sql, code := range map[string]kalam.Code{
		"SELECT * FROM app.nope":                                    kalam.CodeTableNotFound,
		"SELECT * FROM app.s":                                       kalam.CodeUnsupported,
		"SELECT * FROM app.s AS t":                                  kalam.CodeUnsupported,
		"SELECT * FROM (SELECT * FROM app.s) t":                     kalam.CodeUnsupported,
		"SELECT * FROM system.users":                                kalam.CodeUnsupported,
		"SELECT count(*) FROM app.t":                                kalam.CodeUnsupported,
		"SELECT * FROM app.t ORDER BY id":                           kalam.CodeUnsupported,
		"SELECT * FROM app.t LIMIT 1":                               kalam.CodeUnsupported,
		"SELECT DISTINCT n FROM app.t":                              kalam.CodeUnsupported,
		"SELECT n FROM app.t GROUP BY n":                            kalam.CodeUnsupported,
		"SELECT * FROM app.t a JOIN app.t b ON a.id = b.id":         kalam.CodeUnsupported,
		"WITH x AS (SELECT 1) SELECT * FROM app.t":                  kalam.CodeUnsupported,
		"SELECT * FROM app.t WHERE id IN (SELECT id FROM app.s)":    kalam.CodeUnsupported,
		"SELECT * FROM app.t WHERE EXISTS (FROM read_parquet('x'))": kalam.CodeUnsupported,
		"SELECT nope FROM app.t":                                    kalam.CodeInvalidSQL,
		"SELECT * FROM app.t WHERE nope = 1":                        kalam.CodeInvalidSQL,
		"SELECT * FROM app.t WHERE getenv('HOME') = 'x'":            kalam.CodeInvalidSQL,
		"SELECT * FROM":                                             kalam.CodeInvalidSQL,
		"INSERT INTO app.t VALUES (1, 1)":                           kalam.CodeUnsupported,
	} {
		q, err := s.Live().Subscribe(context.Background(), userOf("alice"),
			live.Request{Connection: "c", ID: "s", SQL: sql, Options: &live.Options{}, Outbox: out})
		if err == nil {
			_, err = q.NextBatch(context.Background())
			q.Close()
		}
		if got := kalam.CodeOf(err); got != code && !(code == kalam.CodeUnsupported && got == kalam.CodeInvalidSQL) ||
			err == nil {
			t.Errorf("%s: code %d (%v), want %d", sql, got, err, code)
		}
	}
	if n := s.Live().Count(); n != 0 {
		t.Errorf("%d live queries are left", n)
	}
}

// TestLiveIsExact subscribes while writers, flushes and compactions run: initial
// rows plus events must be the table, in commit order, without loss or doubles.
func TestLiveIsExact(t *testing.T) {
	s := newServer(t)
	alice := userOf("alice")
	s.must(root, "CREATE NAMESPACE app")
	s.must(root, "CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, n INT)")
	ctx, cancel := context.WithCancel(context.Background())
	var g errgroup.Group
	defer func() {
		cancel()
		_ = g.Wait() // Again, when the test has failed before.
	}()
	for w := range 3 {
		g.Go(func() error {
			rng := rand.New(rand.NewPCG(uint64(w), 7))
			for ctx.Err() == nil {
				id := kalam.BigInt(rng.Int64N(50))
				var err error
				switch rng.IntN(4) {
				case 0:
					_, err = s.try(alice, "DELETE FROM app.t WHERE id = $1", id)
				case 1:
					_, err = s.try(alice, "UPDATE app.t SET n = n + 1 WHERE id = $1", id)
				default:
					_, err = s.try(alice, "INSERT INTO app.t VALUES ($1, 0) ON CONFLICT (id) DO UPDATE SET n = 1000", id)
				}
				if err != nil && kalam.CodeOf(err) != kalam.CodeConflict && kalam.CodeOf(err) != kalam.CodeAlreadyExists {
					return err
				}
			}
			return nil
		})
	}
	g.Go(func() error {
		for ctx.Err() == nil {
			s.flush()
		}
		return nil
	})
	g.Go(func() error {
		for ctx.Err() == nil {
			if err := s.merge(); err != nil {
				return err
			}
		}
		return nil
	})
	var followers []*follower
	for i := range 20 {
		followers = append(followers, s.follow(alice, "SELECT * FROM app.t", &live.Options{BatchSize: 1 + i}, false))
	}
	cancel()
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	s.must(alice, "INSERT INTO app.t VALUES (999, 0)") // The last event of everybody.
	want := map[string]string{}
	for _, row := range s.must(alice, "SELECT id, n FROM app.t").rows {
		want[row[0]] = strings.Join(row, " ")
	}
	for i, f := range followers {
		for f.rows[`"999"`] == "" {
			f.read(len(f.events) + 1)
		}
		got := map[string]string{}
		for k, v := range f.rows {
			got[k] = strings.Join(strings.Fields(v)[:2], " ")
		}
		if fmt.Sprint(sorted(got)) != fmt.Sprint(sorted(want)) {
			t.Errorf("follower %d has\n%v\nwant\n%v", i, sorted(got), sorted(want))
		}
		f.close()
	}
}

func sorted(m map[string]string) []string {
	out := make([]string, 0, len(m))
	for _, v := range m {
		out = append(out, v)
	}
	sort.Strings(out)
	return out
}

// TestSameAnswerFastOrSlow reads rows by key through the shortcut and through
// DuckDB, which an extra condition forces: values, types, flags and names must
// be equal, for every kind of key and literal.
func TestSameAnswerFastOrSlow(t *testing.T) {
	s := newServer(t)
	alice := userOf("alice")
	s.must(root, "CREATE NAMESPACE app")
	tables := map[string][]string{ // Key column's type to literals of it.
		"BIGINT":   {"1", "-1", "9223372036854775807", "1.0", "1.5", "'1'", "1e0", "NULL", "$1"},
		"INT":      {"1", "2147483648", "'1'", "'1.0'", "1.5", "1.0", "1e0", "TRUE", "$1"},
		"SMALLINT": {"1", "40000", "-32768", "$1"},
		"TEXT":     {"'a'", "'A'", "''", "'ä'", "1", "'a '", "$2", "E'a'", "'a' || ''"},
		"UUID": {"'11111111-2222-3333-4444-555555555555'", "'11111111222233334444555555555555'", "'nonsense'",
			"'{11111111-2222-3333-4444-555555555555}'", "1"},
		"DATE": {"'2026-01-02'", "DATE '2026-01-02'", "'2026-1-2'", "'x'", "20455", "20455.5", "$1"},
		"TIMESTAMP": {"'2026-01-02'", "'2026-01-02T00:00:00Z'", "'2026-01-02 00:00:00'", "TIMESTAMP '2026-01-02'", "1",
			"'2026-01-02T02:00+02:00'", "1767312000000000", "1767312000000", "1767312000000000.0", "1e3", "DATE '2026-01-02'", "'infinity'", "$1", "X'00'"},
	}
	values := map[string]string{
		"BIGINT": "(1), (-1), (2), (9223372036854775807)", "INT": "(1), (2)", "SMALLINT": "(1), (-32768)", "TEXT": "('a'), (''), ('ä'), ('1')",
		"UUID": "('11111111-2222-3333-4444-555555555555')", "DATE": "('2026-01-02')", "TIMESTAMP": "('2026-01-02')",
	}
	params := []kalam.Value{kalam.BigInt(1), kalam.Text("a")}
	for kind, literals := range tables {
		name := "app.k_" + strings.ToLower(kind)
		s.must(root, fmt.Sprintf("CREATE USER TABLE %s (k %s PRIMARY KEY, j JSON DEFAULT '{\"a\":1}', d DECIMAL(9,3) DEFAULT 1.5, ts DATETIME DEFAULT '2026-01-01', n INT NOT NULL DEFAULT 3, f FLOAT DEFAULT 0.1)", name, kind))
		s.must(alice, "INSERT INTO "+name+" (k) VALUES "+values[kind])
		for _, state := range []string{"buffered", "flushed"} {
			for _, lit := range literals {
				for _, list := range []string{"*", "k", "j, d AS dd, ts, n, f, _seq, _deleted", "k AS n, n AS k, k",
					"j AS x, d AS j"} {
					fast := fmt.Sprintf("SELECT %s FROM %s WHERE k = %s", list, name, lit)
					compare(t, s, alice, fast, fast+" AND true", params, state)
				}
			}
			s.flush()
		}
	}
}

// compare runs both texts with as many parameters as they take.
func compare(t *testing.T, s *server, p kalam.Principal, fast, slow string, params []kalam.Value, state string) {
	t.Helper()
	var given []kalam.Value
	switch {
	case strings.Contains(fast, "$2"):
		fast, slow, given = strings.ReplaceAll(fast, "$2", "$1"), strings.ReplaceAll(slow, "$2", "$1"), params[1:2]
	case strings.Contains(fast, "$1"):
		given = params[:1]
	}
	a, errA := s.try(p, fast, given...)
	b, errB := s.try(p, slow, given...)
	if (errA == nil) != (errB == nil) || errA != nil && kalam.CodeOf(errA) != kalam.CodeOf(errB) {
		t.Errorf("%s: %s gives %v, through DuckDB %v", state, fast, errA, errB)
		return
	}
	if errA == nil && (a[0].table() != b[0].table() || fmt.Sprint(a[0].types) != fmt.Sprint(b[0].types)) {
		t.Errorf("%s: %s gives\n%v\n%sthrough DuckDB\n%v\n%s", state, fast, a[0].types, a[0].table(), b[0].types,
			b[0].table())
	}
}
