package engine_test

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/kalamlake/kalam"
)

// TestDegradedByTable has the flushes of two tables fail and succeed in turns: each
// table, and each of its users, stays a reason until its own flush is good or it is
// gone. Case D8.
func TestDegradedByTable(t *testing.T) {
	var failing atomic.Bool
	s := newServer(t)
	s.stop()
	s.config.Jobs.MaxRetries = 0
	s.opts.Wrap = hook(func(point string) error {
		if point == "written" && failing.Load() {
			return errors.New("an injected fault")
		}
		return nil
	}).wrap()
	s.start()
	s.must(root, "CREATE NAMESPACE app")
	for _, table := range []string{"a", "b", "c"} {
		s.must(root, "CREATE USER TABLE app."+table+" (id BIGINT PRIMARY KEY) FLUSH_POLICY 'manual'")
		s.must(userOf("alice"), "INSERT INTO app."+table+" VALUES (1)")
	}
	flush := func(table string, fails bool) kalam.Job {
		t.Helper()
		failing.Store(fails)
		j := s.await(s.must(root, "STORAGE FLUSH TABLE app."+table).jobs[0])
		if (j.Status == kalam.JobFailed) != fails {
			t.Fatalf("flush of %s is %s: %s", table, j.Status, j.Error)
		}
		return j
	}
	want := func(reason string) {
		t.Helper()
		if h := s.Health(); h.Reason != reason || h.Degraded != (reason != "") {
			t.Errorf("health is %+v, want %q", h, reason)
		}
	}
	want("")
	j := flush("a", true)
	if !strings.Contains(j.Message, "an injected fault") || strings.Contains(j.Message, "0 files") {
		t.Errorf("the job says %q", j.Message)
	}
	want("flush of table app.a fails")
	flush("b", false)
	want("flush of table app.a fails")
	flush("c", true)
	want("flush of table app.a fails; flush of table app.c fails")
	s.must(userOf("bob"), "INSERT INTO app.a VALUES (1)")
	flush("a", false)
	want("flush of table app.c fails")
	s.must(root, "DROP TABLE app.c")
	want("")
}
