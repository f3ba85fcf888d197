package engine_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/kalamlake/kalam"
)

// TestFlushOfAFewTogether has one of the users that are flushed together fail, alone
// or in what they share. Case D6.
func TestFlushOfAFewTogether(t *testing.T) {
	const users = 10
	for _, c := range []struct {
		name, point string
		failed      int
	}{
		{"the rows of one", "written", 1}, {"the files of one", "prepared", 0}, {"the names", "segment", 0},
		{"the commit", "committing", users}, {"the answer of the commit", "committed", users}, {"the trim", "trimming", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var hits atomic.Int64
			var data string
			var fault func() error
			s := newServer(t)
			s.stop()
			s.config.Jobs.MaxRetries = 0
			s.opts.Wrap = hook(func(point string) error {
				if point != c.point || fault == nil || hits.Add(1) != 1 {
					return nil
				}
				return fault()
			}).wrap()
			s.start()
			data = s.config.StoragePath()
			s.must(root, "CREATE NAMESPACE app")
			s.must(root, "CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, v TEXT) FLUSH_POLICY 'manual'")
			for i := range users {
				s.must(userOf(fmt.Sprintf("user%02d", i)), "INSERT INTO app.t VALUES (1, 'a'), (2, 'b'), (3, 'c')")
			}
			fault = func() error {
				if c.point != "prepared" {
					return errors.New("an injected fault")
				}
				staged, err := filepath.Glob(filepath.Join(data, "users", "user00", "app", "t", "*.tmp"))
				must(t, err)
				if len(staged) != 2 {
					t.Errorf("staged objects are %v", staged)
				}
				must(t, os.Remove(staged[0]))
				return nil
			}
			j := s.await(s.must(root, "STORAGE FLUSH TABLE app.t").jobs[0])
			want := "Flushed app.t successfully (30 rows, 10 files) to "
			switch c.failed {
			case 1:
				want = "Flushed app.t in part (27 rows, 9 files) to "
			case users:
				want = "Flush of app.t failed; its rows stay in the write buffer; flush of 10 of 10 users failed: user00: commit flush of app.t: commit: an injected fault"
			}
			if (j.Status == kalam.JobFailed) != (c.failed > 0) || !strings.HasPrefix(j.Message, want) ||
				(c.failed > 0) != strings.Contains(j.Message, "an injected fault") {
				t.Errorf("job is %s: %q", j.Status, j.Message)
			}
			check := func() {
				t.Helper()
				for i := range users {
					if got := s.must(userOf(fmt.Sprintf("user%02d", i)),
						"SELECT id, v FROM app.t ORDER BY id").table(); got != "id | v\n1 | a\n2 | b\n3 | c\n" {
						t.Errorf("user %d has\n%s", i, got)
					}
				}
			}
			check()
			s.flush()
			check()
			s.restart()
			check()
			s.stop() // A start writes manifest.json anew, while it already answers.
			left, err := filepath.Glob(filepath.Join(data, "users", "*", "app", "t", "*.tmp"))
			must(t, err)
			if len(left) > 0 {
				t.Errorf("staged objects are left: %v", left)
			}
		})
	}
}
