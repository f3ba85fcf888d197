package engine_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/internal/eventually"
)

// TestPurgeUserOfBucket: a purge waits for a bucket that does not answer, by its name, and then takes
// the user's objects out of it, the copies in the local cache, and nothing of another user.
func TestPurgeUserOfBucket(t *testing.T) {
	s, f := newS3Server(t)
	alice := s.remoteNotes(f)
	s.must(root, "CREATE USER 'alice' WITH PASSWORD 'correct horse'")
	for i := range 3 {
		s.must(alice, fmt.Sprintf("INSERT INTO app.notes VALUES (%d, '%s')", 10+i, purgeCanary))
		s.must(userOf("bob"), fmt.Sprintf("INSERT INTO app.notes VALUES (%d, 'of bob')", i))
		s.flush()
	}
	s.wantCell(alice, "SELECT count(*) FROM app.notes WHERE v LIKE 'canary%'", "3") // The files are cached.
	if len(s.holders(purgeCanary)) == 0 || len(f.Keys(t, ".parquet")) != 7 {
		t.Fatalf("before: %v, %v", s.holders(purgeCanary), f.Keys(t, ".parquet"))
	}
	down(f)
	id := s.must(root, "DROP USER alice PURGE").jobs[0]
	eventually.True(t, "the job says which storage does not answer", func() bool {
		j, _, err := s.Catalog().Job(t.Context(), id)
		return err == nil && strings.Contains(j.Error, "bucket")
	})
	up(f)
	if j := s.await(id); j.Status != kalam.JobCompleted || !strings.Contains(j.Result, `"storages":["local","bucket"]`) &&
		!strings.Contains(j.Result, `"storages":["bucket","local"]`) {
		t.Fatalf("job %s is %s: %s; %s", j.ID, j.Status, j.Error, j.Result)
	}
	for _, key := range f.Keys(t, "") {
		if strings.Contains(key, "alice") {
			t.Errorf("%s is in the bucket", key)
		}
	}
	s.wantForgotten("after the job", purgeCanary)
	s.wantCell(userOf("bob"), "SELECT count(*) FROM app.notes", "3")
	if n := len(f.Keys(t, ".parquet")); n != 3 {
		t.Errorf("%d segments are left in the bucket", n)
	}
}
