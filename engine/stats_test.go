package engine_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/config"
	"github.com/kalamlake/kalam/engine"
)

// stats returns SHOW TABLE STATS by column.
func (s *server) stats(p kalam.Principal, table string) map[string]string {
	s.t.Helper()
	r := s.must(p, "SHOW TABLE STATS "+table)
	if len(r.rows) != 1 {
		s.t.Fatalf("SHOW TABLE STATS gives %d rows", len(r.rows))
	}
	out := map[string]string{}
	for i, c := range r.columns {
		out[c] = strings.Trim(r.rows[0][i], `"`)
	}
	return out
}

// count returns the number in a stats cell.
func count(t testing.TB, stats map[string]string, column string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(stats[column], 10, 64)
	if err != nil {
		t.Fatalf("%s is %q", column, stats[column])
	}
	return n
}

// TestTableStats writes, changes and deletes at random, flushes, compacts and
// restarts in between, and compares SHOW TABLE STATS with what queries see.
func TestTableStats(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	s := newServer(t)
	s.must(root, "CREATE NAMESPACE app; CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, v BIGINT) FLUSH_POLICY 'manual'")
	users := []kalam.Principal{userOf("ann"), userOf("bob"), userOf("cid")}
	buffered := 0 // Versions, of all users.
	for step := range 120 {
		u, id := users[rng.IntN(len(users))], rng.IntN(40)
		switch n := rng.IntN(12); {
		case n < 5:
			r := s.must(u, fmt.Sprintf("INSERT INTO app.t VALUES (%d, %d) ON CONFLICT (id) DO UPDATE SET v = excluded.v", id,
				step))
			buffered += int(r.count)
		case n < 7:
			r := s.must(u, fmt.Sprintf("DELETE FROM app.t WHERE id BETWEEN %d AND %d", id, id+2))
			buffered += int(r.count)
		case n < 9:
			r := s.must(u, fmt.Sprintf("UPDATE app.t SET v = %d WHERE id BETWEEN %d AND %d", step, id, id+5))
			buffered += int(r.count)
		case n == 9:
			s.restart()
		case n == 10:
			s.flush()
			buffered = 0
		default:
			s.flush()
			buffered = 0
			s.compact()
		}
		var all int64
		for _, u := range users {
			own := s.stats(u, "app.t")
			if want := s.single(u, "SELECT count(*) FROM app.t"); strconv.Quote(own["logical_rows"]) != want &&
				own["logical_rows"] != want {
				t.Fatalf("seed %d, step %d: %s has logical_rows %s, count(*) is %s", seed, step, u.User, own["logical_rows"], want)
			}
			if own["next_flush"] != "null" || own["last_flush_trigger"] != "null" {
				t.Errorf("a user is told when the rows of others are flushed: %s", own["next_flush"])
			}
			all += count(t, own, "logical_rows")
		}
		sum := s.stats(root, "app.t")
		if count(t, sum, "logical_rows") != all || count(t, sum, "buffered_rows") != int64(buffered) {
			t.Fatalf("seed %d, step %d: %v, want logical_rows %d, buffered_rows %d", seed, step, sum, all, buffered)
		}
		if count(t, sum, "total_rows") != count(t, sum, "buffered_rows")+count(t, sum, "flushed_rows") {
			t.Errorf("total_rows of %v", sum)
		}
	}
}

// TestLastFlush checks that last_flush is the time of a flush, not of a compaction.
func TestLastFlush(t *testing.T) {
	s := newServer(t)
	s.must(root, "CREATE NAMESPACE app; CREATE SHARED TABLE app.t (id BIGINT PRIMARY KEY) FLUSH ROWS 1000")
	if last := s.stats(root, "app.t")["last_flush"]; last != "null" {
		t.Errorf("last_flush %s before any", last)
	}
	for i := range 3 {
		s.must(root, fmt.Sprintf("INSERT INTO app.t VALUES (%d)", i))
		s.flush()
	}
	before := s.stats(root, "app.t")
	s.compact()
	after := s.stats(root, "app.t")
	if before["last_flush"] == "null" || before["last_flush"] != after["last_flush"] || after["parquet_files"] != "1" {
		t.Errorf("last_flush %s before a compaction, %s after it, with %s files", before["last_flush"], after["last_flush"],
			after["parquet_files"])
	}
	s.restart()
	if last := s.stats(root, "app.t")["last_flush"]; last != after["last_flush"] {
		t.Errorf("last_flush %s after a restart, want %s", last, after["last_flush"])
	}
}

// TestFlushConfig checks what SHOW TABLE STATS says about the policy in force, and
// when the table falls due.
func TestFlushConfig(t *testing.T) {
	tests := []struct {
		kind, options, config string
		next                  bool
	}{
		{"USER", "", "Auto (300s/10000 rows)", true},
		{"USER", "FLUSH ROWS 50", "Auto (50 rows)", false},
		{"SHARED", "FLUSH INTERVAL 60", "Auto (60s)", true},
		{"USER", "FLUSH_POLICY 'rows:50,interval:60'", "Auto (60s/50 rows)", true},
		{"USER", "FLUSH_CRON '0 3 * * *'", "Cron (0 3 * * *)", true},
		{"USER", "FLUSH_CRON '@every 90m' FLUSH ROWS 7", "Auto (7 rows, cron @every 90m)", true},
		{"SHARED", "FLUSH_POLICY 'manual'", "Manual", false},
		{"STREAM", "TTL 60 FLUSH ROWS 50", "None (rows expire after 60s)", false},
	}
	s := newServer(t)
	s.must(root, "CREATE NAMESPACE app")
	for i, tt := range tests {
		name := fmt.Sprintf("app.t%d", i)
		s.must(root, fmt.Sprintf("CREATE %s TABLE %s (id BIGINT PRIMARY KEY) %s", tt.kind, name, tt.options))
		if st := s.stats(root, name); st["next_flush"] != "null" {
			t.Errorf("%s: an empty table is flushed next at %s", tt.options, st["next_flush"])
		}
		s.must(root, "INSERT INTO "+name+" VALUES (1), (2)")
		st := s.stats(root, name)
		if st["flush_config"] != tt.config || (st["next_flush"] != "null") != tt.next || st["logical_rows"] != "2" {
			t.Errorf("%s: %v, want flush_config %q and a next flush: %v", tt.options, st, tt.config, tt.next)
		}
	}
	scheduled := newServer(t, func(c *config.Config) { c.Flush.Schedule, c.Flush.DefaultTimeInterval = "@daily", 60 })
	scheduled.must(root, "CREATE NAMESPACE app; CREATE SHARED TABLE app.t (id BIGINT PRIMARY KEY)")
	if got := scheduled.stats(root, "app.t")["flush_config"]; got != "Auto (60s/10000 rows, schedule @daily)" {
		t.Errorf("flush_config with a flush.schedule: %q", got)
	}
}

// TestStreamStats checks that expired rows of a STREAM table do not count, evicted
// or not.
func TestStreamStats(t *testing.T) {
	base := time.Now()
	var offset atomic.Int64
	s := &server{t: t, config: config.Default(),
		opts: engine.Options{Now: func() time.Time { return base.Add(time.Duration(offset.Load())) }}}
	s.config.Storage.DataPath, s.config.Auth.BcryptCost = t.TempDir(), 4
	s.start()
	t.Cleanup(s.stop)
	ann := userOf("ann")
	s.must(root, "CREATE NAMESPACE app; CREATE STREAM TABLE app.t (id BIGINT PRIMARY KEY) TTL 60")
	s.must(ann, "INSERT INTO app.t VALUES (1), (2)")
	offset.Add(int64(40 * time.Second))
	s.must(ann, "INSERT INTO app.t VALUES (3)")
	for _, want := range []string{"3", "1", "0"} {
		if got := s.stats(ann, "app.t")["logical_rows"]; got != want ||
			strings.Trim(s.single(ann, "SELECT count(*) FROM app.t"), `"`) != want {
			t.Errorf("logical_rows %s, want %s", got, want)
		}
		offset.Add(int64(31 * time.Second))
	}
}

// TestStatsCountOwnLiveQueries has users follow a table: each sees how many live
// queries they have, an admin those of all.
func TestStatsCountOwnLiveQueries(t *testing.T) {
	s := newServer(t)
	s.must(root, "CREATE NAMESPACE app; CREATE USER TABLE app.t (id BIGINT PRIMARY KEY)")
	for _, where := range []string{"", " WHERE id > 1", " WHERE id > 1"} {
		s.follow(userOf("ann"), "SELECT * FROM app.t"+where, nil, false)
	}
	s.follow(userOf("bob"), "SELECT id FROM app.t", nil, false)
	for _, c := range []struct {
		principal kalam.Principal
		want      int64
	}{{userOf("ann"), 3}, {userOf("bob"), 1}, {userOf("cid"), 0}, {root, 4}} {
		if got := count(t, s.stats(c.principal, "app.t"), "active_streams"); got != c.want {
			t.Errorf("%s sees %d live queries, want %d", c.principal.User, got, c.want)
		}
	}
}
