package engine_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/live"
)

// TestResumeIsExact cuts clients off, changes rows in every way, in the log and in
// files, flushes, compacts and restarts, and has the clients resume from the last
// seq that they saw: their rows must be those of the query (case A9).
// KALAM_TEST_RESUME_CUTS says how many cuts, 2,000 for instance.
func TestResumeIsExact(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	s := newServer(t)
	alice := userOf("alice")
	s.must(root, "CREATE NAMESPACE app; CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, role TEXT, n INT)")
	queries := []string{
		"SELECT * FROM app.t",
		"SELECT * FROM app.t WHERE role = 'user'",
		"SELECT * FROM app.t WHERE n % 2 = 0 AND role IS NOT NULL",
		"SELECT * FROM app.t WHERE regexp_matches(role, '^u') OR n > 90",
	}
	followers := make([]*follower, len(queries))
	for i, sql := range queries {
		followers[i] = s.follow(alice, sql, &live.Options{}, true)
	}
	roles := []string{"'user'", "'bot'", "NULL"}
	change := func() {
		id, role := rng.IntN(30), roles[rng.IntN(len(roles))]
		switch rng.IntN(6) {
		case 0, 1:
			s.must(alice, fmt.Sprintf("INSERT INTO app.t VALUES (%d, %s, %d) ON CONFLICT DO NOTHING", id, role, rng.IntN(100)))
		case 2:
			s.must(alice, fmt.Sprintf("UPDATE app.t SET role = %s WHERE id = %d", role, id))
		case 3:
			s.must(alice, fmt.Sprintf("UPDATE app.t SET n = n + 1 WHERE id %% 5 = %d", id%5))
		case 4:
			s.must(alice, fmt.Sprintf("DELETE FROM app.t WHERE id = %d", id))
		case 5:
			s.must(alice, fmt.Sprintf("BEGIN; DELETE FROM app.t WHERE id = %d; INSERT INTO app.t VALUES (%d, %s, 1); COMMIT",
				id, id, role))
		}
	}
	for cut := range amount(t, "KALAM_TEST_RESUME_CUTS", 150) {
		for _, f := range followers {
			f.close()
		}
		for range rng.IntN(12) {
			change()
			switch rng.IntN(12) {
			case 0:
				s.flush()
			case 1:
				if err := s.merge(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if rng.IntN(25) == 0 {
			s.restart()
		}
		for i, f := range followers {
			o := &live.Options{From: max(f.last, 1), BatchSize: 1 + rng.IntN(5)}
			s.attach(f, alice, queries[i], o, true)
			want := map[string]string{}
			for _, row := range s.must(alice, queries[i]).rows {
				want[row[0]] = strings.Join(row, " ")
			}
			got := map[string]string{}
			for k, v := range f.rows {
				got[k] = v
			}
			if fmt.Sprint(sorted(got)) != fmt.Sprint(sorted(want)) {
				t.Fatalf("cut %d, %s\nhas  %v\nwant %v", cut, queries[i], sorted(got), sorted(want))
			}
			f.last = max(f.last, f.query.Seq())
		}
	}
	for _, f := range followers {
		f.close()
	}
}

// TestResumeTellsWhatIsGone is the example of case A9, in three states. Row 5 was never
// with the client, which only a log that nothing was flushed from can tell.
func TestResumeTellsWhatIsGone(t *testing.T) {
	for _, state := range []string{"buffered", "flushed", "restarted"} {
		for _, exact := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s exact=%v", state, exact), func(t *testing.T) {
				s := newServer(t)
				alice := userOf("alice")
				s.must(root, "CREATE NAMESPACE app; CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, role TEXT)")
				s.must(alice, "INSERT INTO app.t VALUES (1, 'user'), (2, 'user'), (3, 'user')")
				f := s.follow(alice, "SELECT * FROM app.t WHERE role = 'user'", &live.Options{}, exact)
				f.close()
				if state != "buffered" {
					s.flush()
				}
				s.must(alice, "DELETE FROM app.t WHERE id = 1; UPDATE app.t SET role = 'bot' WHERE id = 2; INSERT INTO app.t VALUES (4, 'user'), (5, 'bot')")
				if state == "restarted" {
					s.restart()
				}
				f.events = nil
				s.attach(f, alice, "SELECT * FROM app.t WHERE role = 'user'", &live.Options{From: f.last}, exact)
				defer f.close()
				got := strings.Join(f.events, "; ")
				want := `delete "1" "user"; delete "2" "bot"`
				switch {
				case !exact:
					want = `delete "1" "user"`
				case state != "buffered":
					want += `; delete "5" "bot"`
				}
				if got != want {
					t.Errorf("told %s, want %s", got, want)
				}
			})
		}
	}
}

// TestCutWithinAResume cuts a client off within a resume, which knew nothing of a
// deletion because the row was there again: that it goes again is told (case A9).
func TestCutWithinAResume(t *testing.T) {
	for _, flushed := range []bool{false, true} {
		s := newServer(t)
		alice := userOf("alice")
		s.must(root, "CREATE NAMESPACE app; CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, role TEXT)")
		s.must(alice, "INSERT INTO app.t VALUES (1, 'user'), (2, 'user')")
		const sql = "SELECT * FROM app.t WHERE role = 'user'"
		f := s.follow(alice, sql, &live.Options{}, true)
		f.close()
		s.must(alice, "DELETE FROM app.t WHERE id = 1; UPDATE app.t SET role = 'user' WHERE id = 2")
		if flushed {
			s.flush()
		}
		s.must(alice, "INSERT INTO app.t VALUES (3, 'user'), (1, 'user')")
		out := s.Live().NewOutbox()
		q, err := s.Live().Subscribe(context.Background(), alice, live.Request{
			Connection: fmt.Sprintf("%032x", connections.Add(1)), ID: "sub-1", SQL: sql, Exact: true, Outbox: out,
			Options: &live.Options{From: f.last, BatchSize: 1},
		})
		if err != nil {
			t.Fatal(err)
		}
		b, err := q.NextBatch(context.Background())
		if err != nil || len(b.Seqs) != 1 || len(b.Gone) != 0 || !b.HasMore {
			t.Fatalf("the first batch is %+v, %v", b, err)
		}
		q.Close()
		out.Close()
		s.must(alice, "DELETE FROM app.t WHERE id = 1")
		f.events, f.last = nil, b.Seqs[0]
		s.attach(f, alice, sql, &live.Options{From: f.last}, true)
		f.close()
		if got := strings.Join(f.events, "; "); got != `delete "1" "user"` {
			t.Errorf("flushed %v: told %s", flushed, got)
		}
	}
}

// TestResumeWindow refuses a resume from before the tombstones' retention.
func TestResumeWindow(t *testing.T) {
	s := newServer(t)
	s.stop()
	start := time.Now()
	var since atomic.Int64 // The clock's distance from start; the jobs read it too.
	s.opts.Now = func() time.Time { return start.Add(time.Duration(since.Load())) }
	s.start()
	alice := userOf("alice")
	s.must(root, "CREATE NAMESPACE app; CREATE USER TABLE app.t (id BIGINT PRIMARY KEY) WITH (DELETED_RETENTION_HOURS = 24)")
	since.Add(int64(time.Hour))
	s.must(alice, "INSERT INTO app.t VALUES (1)")
	f := s.follow(alice, "SELECT * FROM app.t", &live.Options{}, true)
	f.close()
	resume := func(from kalam.Seq) error {
		out := s.Live().NewOutbox()
		defer out.Close()
		q, err := s.Live().Subscribe(context.Background(), alice, live.Request{
			Connection: fmt.Sprintf("%032x", connections.Add(1)), ID: "sub-1", SQL: "SELECT * FROM app.t",
			Options: &live.Options{From: from}, Exact: true, Outbox: out,
		})
		if err == nil {
			q.Close()
		}
		return err
	}
	since.Add(int64(24*time.Hour - time.Minute))
	if err := resume(f.last); err != nil {
		t.Errorf("within the window: %v", err)
	}
	since.Add(int64(2 * time.Minute))
	if err := resume(f.last); kalam.CodeOf(err) != kalam.CodeResumeWindow {
		t.Errorf("outside the window: %v", err)
	}
	if err := resume(1); err != nil {
		t.Errorf("from before the table: %v", err)
	}
	if n := s.Live().Count(); n != 0 {
		t.Errorf("%d live queries are left", n)
	}
}
