package engine_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/config"
)

// stateAt is what a model knew of a table at a seq.
type stateAt struct {
	seq  string
	rows map[int]string // By id.
}

// TestTimeTravel writes, deletes, flushes, compacts and alters at random, notes what was there after each step, and reads
// it again as of that step's seq. What is not kept any more is refused by name, and never answered wrongly; what came
// after the last step that forgets versions is always answered.
func TestTimeTravel(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	rng := rand.New(rand.NewPCG(seed, 1))
	t.Logf("seed %d", seed)
	s := newServer(t, func(c *config.Config) { c.Lake.CompactSegments = 0 })
	s.must(root, "CREATE NAMESPACE app; CREATE USER TABLE app.t (id INT PRIMARY KEY, v TEXT) FLUSH_POLICY 'manual'")
	ann, bob := userOf("ann"), userOf("bob")
	s.must(bob, "INSERT INTO app.t VALUES (1, 'bob')")
	rows := map[int]string{}
	var states []stateAt
	forgets := 0 // The first step whose state must be there.
	const steps = 150
	answered, refused := 0, 0
	verify := func() {
		for i := range states {
			if s.wasAt(ann, &states[i], i >= forgets) {
				answered++
			} else {
				refused++
			}
		}
	}
	for step := range steps {
		id := rng.IntN(12)
		switch n := rng.IntN(40); {
		case n < 22:
			v := fmt.Sprint("v", step)
			s.must(ann, fmt.Sprintf("INSERT INTO app.t (id, v) VALUES (%d, '%s') ON CONFLICT DO UPDATE SET v = EXCLUDED.v", id, v))
			rows[id] = v
		case n < 32:
			s.must(ann, fmt.Sprintf("DELETE FROM app.t WHERE id = %d", id))
			delete(rows, id)
		case n < 36:
			s.flush()
			forgets = len(states) // It may have replaced versions.
		case n < 39:
			s.restart()
		default:
			s.compact()
			forgets = len(states)
		}
		if step == steps/2 {
			s.must(root, "ALTER TABLE app.t ADD COLUMN more TEXT DEFAULT 'm'")
		}
		states = append(states, stateAt{fmt.Sprint(uint64(s.seqNow())), maps.Clone(rows)})
		if step%25 == 24 {
			verify()
		}
	}
	if answered == 0 || refused == 0 {
		t.Errorf("%d states answered, %d refused", answered, refused)
	}
	t.Logf("%d states answered, %d refused", answered, refused)
}

// wasAt reads a state again and compares it. It may be refused unless it must be there.
func (s *server) wasAt(p kalam.Principal, st *stateAt, must bool) bool {
	s.t.Helper()
	r, err := s.try(p, "SELECT id, v FROM app.t AT (SEQ => "+st.seq+") ORDER BY id")
	if err != nil {
		if must || !strings.Contains(err.Error(), "is before the kept history of table 'app.t'") {
			s.t.Fatalf("state at %s, which must be there: %v: %v", st.seq, must, err)
		}
		return false
	}
	var want, got []string
	for _, id := range slices.Sorted(maps.Keys(st.rows)) {
		want = append(want, fmt.Sprintf("[%d \"%s\"]", id, st.rows[id]))
	}
	for _, row := range r[0].rows {
		got = append(got, fmt.Sprint(row))
	}
	if !slices.Equal(got, want) {
		s.t.Fatalf("state at %s: %v, want %v", st.seq, got, want)
	}
	return true
}

// seqNow returns a seq above that of the last commit and below that of the next.
func (s *server) seqNow() kalam.Seq {
	s.t.Helper()
	f := s.follow(root, "SELECT * FROM system.jobs", nil, false)
	defer f.close()
	return f.query.Seq()
}

// TestTimeTravelAppendOnly: a table that is only appended to keeps its whole history through flushes and compactions.
func TestTimeTravelAppendOnly(t *testing.T) {
	s := newServer(t)
	s.must(root, "CREATE NAMESPACE app; CREATE SHARED TABLE app.log (id INT PRIMARY KEY, v TEXT) ACCESS LEVEL PUBLIC FLUSH_POLICY 'manual'")
	var seqs []string
	for i := range 8 {
		s.must(root, fmt.Sprintf("INSERT INTO app.log VALUES (%d, 'x')", i))
		seqs = append(seqs, s.single(root, "SELECT max(_seq) AS m FROM app.log"))
		if i%2 == 0 {
			s.flush()
		}
		if i == 5 {
			s.compact()
		}
	}
	ann := userOf("ann")
	for i, seq := range seqs {
		s.wantCell(ann, "SELECT count(*) FROM app.log AT (SEQ => "+strings.Trim(seq, `"`)+")", fmt.Sprint(i+1))
	}
	seq := strings.Trim(seqs[3], `"`)
	param := kalam.Text(seq)
	if got := s.single(ann, "SELECT count(*) FROM app.log AT (SEQ => $1) AS l WHERE l.id > $2", param, kalam.BigInt(1)); got != `"2"` {
		t.Errorf("with parameters: %s", got)
	}
	s.wantCell(ann, "SELECT count(*) FROM app.log JOIN app.log AT (SEQ => "+seq+") AS was ON was.id = log.id", "4")
	s.must(root, "INSERT INTO app.log SELECT id + 100, v FROM app.log AT (SEQ => "+seq+")")
	s.wantCell(ann, "SELECT count(*) FROM app.log", "12")
	s.must(root, "DELETE FROM app.log WHERE true")
	now := time.Now().UTC()
	s.wantCell(ann, "SELECT count(*) FROM app.log AT (TIMESTAMP => '"+now.Format(time.RFC3339Nano)+"')", "0")
}

// TestTimeTravelRefused: what cannot be read is named, where it stands.
func TestTimeTravelRefused(t *testing.T) {
	s := newServer(t)
	s.must(root, "CREATE NAMESPACE app; CREATE USER TABLE app.t (id INT PRIMARY KEY, v TEXT);"+
		" CREATE SHARED TABLE app.pay (id INT PRIMARY KEY) ACCESS LEVEL PRIVATE; CREATE VIEW app.v AS SELECT 1 AS one;"+
		" CREATE STREAM TABLE app.s (id INT PRIMARY KEY) TTL 60")
	s.must(userOf("bob"), "INSERT INTO app.t VALUES (1, 'of bob')")
	ann := userOf("ann")
	for sql, want := range map[string]string{
		"SELECT * FROM app.t AT (SEQ => 5)":                            "AT 5 (2024-01-01T00:00:00Z) is before table 'app.t' was created",
		"SELECT * FROM app.t AT (TIMESTAMP => '2020-01-01')":           "is before table 'app.t' was created",
		"SELECT * FROM app.t AT (TIMESTAMP => '2999-01-01T00:00:00Z')": "is in the future",
		"SELECT * FROM app.t AT (TIMESTAMP => 'soon')":                 "AT (TIMESTAMP => ...) takes a time",
		"SELECT * FROM app.t AT (SEQ => 'x')":                          "AT (SEQ => ...) takes a number",
		"SELECT * FROM app.t AT (SEQ => 1.5)":                          "'1.5' is not a whole number",
		"SELECT * FROM app.t AT (SEQ => )":                             "expected a number, a string or a placeholder",
		"SELECT * FROM app.t AT (SEQ => 1":                             "expected ')'",
		"SELECT * FROM app.t AT (SEQ => 1 + 1)":                        "expected ')'",
		"SELECT * FROM (SELECT 1) AT (SEQ => 1)":                       "expected the name of a table before AT",
		"SELECT * FROM app.v AT (SEQ => 1)":                            "AT takes a table; 'app.v' is a view",
		"SELECT * FROM app.s AT (SEQ => 1)":                            "AT reads the history of USER and SHARED tables",
		"SELECT * FROM system.jobs AT (SEQ => 1)":                      "AT reads the history of USER and SHARED tables",
		"SELECT * FROM app.pay AT (SEQ => 1)":                          "relation 'app.pay' does not exist",
		"SELECT * FROM app.none AT (SEQ => 1)":                         "relation 'app.none' does not exist",
		"SELECT * FROM app.t AT (SEQ => 9000000000000000000)":          "is in the future",
		"CREATE VIEW app.w AS SELECT * FROM app.t AT (SEQ => 1)":       "",
	} {
		if _, err := s.try(ann, sql); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", sql, err)
		}
	}
	s.wantCell(ann, "SELECT count(*) FROM app.t AT (SEQ => "+fmt.Sprint(uint64(s.seqNow()))+")", "0")
	s.wantCell(ann, "SELECT count(*) FROM app.t AT (SEQ => "+fmt.Sprint(uint64(s.seqNow()))+"), _history_0", "0")
}
