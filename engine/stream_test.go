package engine_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/internal/eventually"
	"github.com/kalamlake/kalam/live"
)

// TestStreamExpiry: from the moment in which rows of a STREAM table are as old as its TTL they are in no
// answer: not of a query, a point read, a count, a live query's first rows, or one that resumes; their
// keys are free, and they are not there to be deleted. That is so before they are evicted, after, and
// after a restart. SQL-023.
func TestStreamExpiry(t *testing.T) {
	for _, key := range []string{" PRIMARY KEY", ""} {
		t.Run("key"+key, func(t *testing.T) {
			s, pass := clocked(t)
			alice := userOf("alice")
			s.must(root, fmt.Sprintf("CREATE NAMESPACE app; CREATE STREAM TABLE app.e (id BIGINT%s, v TEXT) WITH (TTL_SECONDS = 60);"+
				"CREATE USER TABLE app.t (id BIGINT PRIMARY KEY)", key))
			s.must(alice, "INSERT INTO app.t VALUES (1), (2)")
			s.must(alice, "INSERT INTO app.e VALUES (1, 'old'), (3, 'old')")
			first := s.follow(alice, "SELECT * FROM app.e", &live.Options{}, true)
			from := max(first.last, first.query.Seq())
			first.close()
			pass(30 * time.Second)
			s.must(alice, "INSERT INTO app.e VALUES (2, 'new')")
			check := func(when, want string) {
				t.Helper()
				ids := strings.Fields(want)
				queries := map[string]string{
					"SELECT id FROM app.e ORDER BY id":                                             want,
					"SELECT id FROM app.e WHERE v LIKE '%' ORDER BY id":                            want,
					"SELECT t.id FROM app.t JOIN app.e ON t.id = e.id ORDER BY t.id":               strings.TrimSuffix(want, " 3"),
					"WITH x AS (SELECT * FROM app.e) SELECT id FROM x ORDER BY id":                 want,
					"SELECT id FROM app.e WHERE _deleted = true OR _deleted = false ORDER BY id":   want,
					"SELECT count(*) AS n FROM app.e":                                              fmt.Sprint(len(ids)),
					"SELECT id FROM app.e WHERE id = 2":                                            "2",
					"SELECT id FROM app.e WHERE id = 1":                                            "",
					"SELECT id FROM (SELECT id, _seq FROM app.e ORDER BY _seq LIMIT 9) ORDER BY 1": want,
				}
				if ids[0] == "1" {
					queries["SELECT id FROM app.e WHERE id = 1"] = "1"
				}
				for sql, wanted := range queries {
					var got []string
					for _, row := range s.must(alice, sql).rows {
						got = append(got, strings.Trim(row[0], `"`))
					}
					if strings.Join(got, " ") != wanted {
						t.Errorf("%s: %s gives %v, want %q", when, sql, got, wanted)
					}
				}
				for what, o := range map[string]*live.Options{"all": {}, "the last": {LastRows: 10}} {
					f := s.follow(alice, "SELECT * FROM app.e", o, true)
					if len(f.rows) != len(ids) {
						t.Errorf("%s: a live query of %s begins with %v, want %s", when, what, f.rows, want)
					}
					f.close()
				}
			}
			check("before", "1 2 3")
			pass(30*time.Second - time.Millisecond)
			check("a moment before", "1 2 3")
			pass(2 * time.Second) // After a start the clock of seqs may be a second ahead.
			check("at once", "2")
			f := s.follow(alice, "SELECT * FROM app.e", &live.Options{From: from}, true)
			if len(f.rows) != 1 {
				t.Errorf("who resumes from before gets %v", f.rows)
			}
			f.close()
			if key != "" {
				for _, where := range []string{"id = 1", "id < 2", "id IN (1)"} {
					if got := s.must(alice, "DELETE FROM app.e WHERE "+where).count; got != 0 {
						t.Errorf("%d expired rows where %s are deleted", got, where)
					}
				}
				if got := s.must(alice, "BEGIN; DELETE FROM app.e WHERE id = 1; COMMIT").count; got != 0 {
					t.Errorf("%d expired rows are deleted in a transaction", got)
				}
				s.must(alice, "INSERT INTO app.e VALUES (1, 'again')")
				if _, err := s.try(alice, "INSERT INTO app.e VALUES (1, 'twice')"); kalam.CodeOf(err) != kalam.CodeAlreadyExists {
					t.Errorf("a taken key: %v", err)
				}
				check("a key is used again", "1 2")
			}
			s.restart()
			want := map[bool]string{true: "1 2", false: "2"}[key != ""]
			check("after a restart", want)
			must(t, s.Maintain().EvictExpired(t.Context()))
			check("after the eviction", want)
			pass(time.Minute + 2*time.Second)
			must(t, s.Maintain().EvictExpired(t.Context()))
			if got := s.single(alice, "SELECT count(*) AS n FROM app.e"); got != `"0"` {
				t.Errorf("%s rows at the end", got)
			}
			if got := s.stats(alice, "app.e"); got["buffered_rows"] != "0" {
				t.Errorf("the figures at the end are %v", got)
			}
		})
	}
}

// TestStreamEvictionJob: the job evicts expired rows of all users, and says how many.
func TestStreamEvictionJob(t *testing.T) {
	s, pass := clocked(t)
	s.must(root, "CREATE NAMESPACE app; CREATE STREAM TABLE app.e (id BIGINT PRIMARY KEY) WITH (TTL_SECONDS = 60)")
	for i := range 20 {
		s.must(userOf(fmt.Sprintf("user%d", i)), "INSERT INTO app.e VALUES (1), (2)")
	}
	pass(time.Hour)
	s.must(userOf("user3"), "INSERT INTO app.e VALUES (3)")
	j, _, err := s.Maintain().Submit(t.Context(), kalam.Job{Kind: "SE"})
	must(t, err)
	if j = s.await(j.ID); j.Status != kalam.JobCompleted || j.Message != "Evicted 40 row(s) of 1 STREAM table(s)" {
		t.Errorf("job %s is %s: %s; %s", j.ID, j.Status, j.Message, j.Error)
	}
	if got := s.single(userOf("user3"), "SELECT count(*) AS n FROM app.e"); got != `"1"` {
		t.Errorf("%s rows are left", got)
	}
}

// TestStreamSize: a STREAM table with MAX_STREAM_SIZE_BYTES takes no more than that, whatever is written
// to it at once: the oldest rows of who has most go, nobody else's, and live queries and others' rows
// notice nothing. The limit can be changed, holds after a restart, and is shown.
func TestStreamSize(t *testing.T) {
	const limit = 256 << 10
	s := newServer(t, manual)
	quiet, loud := userOf("quiet"), userOf("loud")
	s.must(root, fmt.Sprintf("CREATE NAMESPACE app; CREATE STREAM TABLE app.e (id BIGINT PRIMARY KEY, v TEXT) "+
		"WITH (TTL_SECONDS = 86400, MAX_STREAM_SIZE_BYTES = %d)", limit))
	if got := s.must(root, "SHOW CREATE TABLE app.e").table(); !strings.Contains(got, fmt.Sprintf("MAX_STREAM_SIZE_BYTES = %d", limit)) {
		t.Errorf("SHOW CREATE TABLE gives %s", got)
	}
	for i := range 20 {
		s.must(quiet, fmt.Sprintf("INSERT INTO app.e VALUES (%d, '%s')", i, strings.Repeat("q", 1000)))
	}
	within := func(when string) {
		t.Helper()
		tb, _ := s.Catalog().Table(kalam.TableID{Namespace: "app", Name: "e"})
		eventually.True(t, when+", the table is within its limit", func() bool {
			_, bytes := s.TableBytes(tb.Number)
			return bytes <= tb.Options.MaxStreamBytes
		})
	}
	for i := range 100 {
		var values []string
		for k := range 20 {
			values = append(values, fmt.Sprintf("(%d, '%s')", i*20+k, strings.Repeat("l", 1000)))
		}
		s.must(loud, "INSERT INTO app.e VALUES "+strings.Join(values, ", "))
	}
	within("after a flood")
	if got := s.single(quiet, "SELECT count(*) AS n FROM app.e"); got != `"20"` {
		t.Errorf("%s rows of the other user are left", got)
	}
	rows := s.must(loud, "SELECT min(id) AS lo, max(id) AS hi, count(*) AS n FROM app.e").rows[0]
	if rows[1] != `"1999"` || rows[0] == `"0"` || rows[2] == `"0"` {
		t.Errorf("of the flood %v are left", rows)
	}
	s.restart()
	if got := s.must(loud, "SELECT min(id) AS lo, max(id) AS hi, count(*) AS n FROM app.e").rows[0]; strings.Join(got, " ") !=
		strings.Join(rows, " ") {
		t.Errorf("after a restart %v are left, want %v", got, rows)
	}
	s.must(root, "ALTER TABLE app.e SET TBLPROPERTIES (MAX_STREAM_SIZE_BYTES = 65536)")
	s.must(loud, "INSERT INTO app.e VALUES (5000, 'one more')")
	within("after a lower limit")
	if got := s.single(quiet, "SELECT count(*) AS n FROM app.e"); got != `"20"` {
		t.Errorf("%s rows of the other user are left under a lower limit", got)
	}
	for sql, want := range map[string]string{
		"CREATE USER TABLE app.x (id BIGINT PRIMARY KEY) WITH (MAX_STREAM_SIZE_BYTES = 5)":             "MAX_STREAM_SIZE_BYTES is only supported for STREAM tables",
		"CREATE STREAM TABLE app.x (id BIGINT) WITH (TTL_SECONDS = 5, MAX_STREAM_SIZE_BYTES = 0)":      "MAX_STREAM_SIZE_BYTES must be between 1 and 1125899906842624, got '0'",
		"CREATE STREAM TABLE app.x (id BIGINT) WITH (TTL_SECONDS = 5, MAX_STREAM_SIZE_BYTES = 'many')": "MAX_STREAM_SIZE_BYTES must be between 1 and 1125899906842624, got 'many'",
	} {
		if _, err := s.try(root, sql); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", sql, err, want)
		}
	}
}
