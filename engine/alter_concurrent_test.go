package engine_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/kalamlake/kalam"
)

// TestAlterUnderLoad alters a table while others write, read, flush and compact it: no statement fails for that, no row
// is lost, no NULL gets into a column that is NOT NULL, and no value of a column that was dropped comes back.
func TestAlterUnderLoad(t *testing.T) {
	s := newServer(t)
	s.must(root, "CREATE NAMESPACE app; CREATE USER TABLE app.t (id INT PRIMARY KEY, a TEXT NOT NULL, n INT)")
	rounds := amount(t, "KALAM_TEST_ALTER_ROUNDS", 10)
	ctx, stop := context.WithCancel(t.Context())
	var work sync.WaitGroup
	var written [3]atomic.Int64
	for w := range written {
		work.Go(func() { s.writeUntil(ctx, fmt.Sprint("user", w), &written[w]) })
	}
	work.Go(func() {
		for ctx.Err() == nil {
			s.flush()
			s.compact()
		}
	})
	for n := range rounds {
		s.alterRound(n)
	}
	stop()
	work.Wait()
	for w := range written {
		got := s.must(userOf(fmt.Sprint("user", w)), "SELECT count(*) AS n, count(DISTINCT id) AS d, count(a) AS a, sum(CASE WHEN a = 'v' || id THEN 1 ELSE 0 END) AS good FROM app.t").rows[0]
		want := fmt.Sprintf("%q", fmt.Sprint(written[w].Load()))
		for _, cell := range got {
			if plainNumber(cell) != plainNumber(want) {
				t.Errorf("user%d has %v, want %s of each", w, got, want)
			}
		}
	}
}

// alterRound alters the table and looks at what must be true in between.
func (s *server) alterRound(n int) {
	s.t.Helper()
	users := []kalam.Principal{userOf("user0"), userOf("user1"), userOf("user2")}
	all := func(sql string) (cells []string) {
		s.t.Helper()
		for _, u := range users {
			cells = append(cells, plainNumber(s.single(u, sql)))
		}
		return cells
	}
	s.must(root, fmt.Sprintf("ALTER TABLE app.t ADD COLUMN extra TEXT NOT NULL DEFAULT 'round %d'", n))
	if got := strings.Join(all(fmt.Sprintf("SELECT count(*) AS n FROM app.t WHERE extra <> 'round %d' OR extra IS NULL", n)), " "); got != "0 0 0" {
		s.t.Errorf("round %d: %s rows have another value of a column that was added", n, got)
	}
	s.must(root, "ALTER TABLE app.t RENAME COLUMN extra TO more")
	s.must(root, "ALTER TABLE app.t ALTER COLUMN more DROP NOT NULL")
	s.must(root, "ALTER TABLE app.t DROP COLUMN more")
	s.must(root, "UPDATE app.t SET n = 0 WHERE n IS NULL") // Of root's own rows, which are none.
	for attempt := 0; ; attempt++ {
		for _, u := range users {
			s.must(u, "UPDATE app.t SET n = 0 WHERE n IS NULL")
		}
		_, err := s.try(root, "ALTER TABLE app.t ALTER COLUMN n SET NOT NULL")
		if err == nil {
			break
		}
		if !strings.Contains(err.Error(), "cannot be NOT NULL") || attempt == 1000 {
			s.t.Fatalf("round %d: %v", n, err)
		}
	}
	if got := strings.Join(all("SELECT count(*) AS n FROM app.t WHERE n IS NULL"), " "); got != "0 0 0" {
		s.t.Errorf("round %d: %s rows hold NULL", n, got)
	}
	s.must(root, "ALTER TABLE app.t ALTER COLUMN n DROP NOT NULL")
}

// writeUntil inserts rows, some with NULL in n, until ctx ends, and reads them.
func (s *server) writeUntil(ctx context.Context, user string, written *atomic.Int64) {
	p := userOf(user)
	for i := 1; ctx.Err() == nil; i++ {
		value := "1"
		if i%7 == 0 {
			value = "NULL"
		}
		_, err := s.try(p, fmt.Sprintf("INSERT INTO app.t (id, a, n) VALUES (%d, 'v%d', %s)", i, i, value))
		switch {
		case err == nil:
			written.Add(1)
		case value == "NULL" && strings.Contains(err.Error(), "NOT NULL constraint violation: column 'n'"):
		default:
			s.t.Errorf("%s: insert %d: %v", user, i, err)
			return
		}
		switch i % 5 {
		case 1:
			if _, err := s.try(p, fmt.Sprintf("UPDATE app.t SET a = 'v' || id WHERE id = %d AND a <> ''", i)); err != nil {
				s.t.Errorf("%s: update %d: %v", user, i, err)
			}
		case 2:
			if _, err := s.try(p, "SELECT * FROM app.t ORDER BY id DESC LIMIT 3"); err != nil {
				s.t.Errorf("%s: select: %v", user, err)
			}
		case 3:
			if _, err := s.try(p, fmt.Sprintf("SELECT * FROM app.t WHERE id = %d", i)); err != nil {
				s.t.Errorf("%s: select by key: %v", user, err)
			}
		}
	}
}
