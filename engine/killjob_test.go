package engine_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/config"
	"github.com/kalamlake/kalam/engine"
	"github.com/kalamlake/kalam/internal/eventually"
	"github.com/kalamlake/kalam/lake/s3/s3test"
	"github.com/kalamlake/kalam/maintain"
	"github.com/kalamlake/kalam/query"
)

// killed is how long KILL JOB may take until the work has stopped.
const killed = time.Second

// watchedCopier tells when a copy begins and how it ended.
type watchedCopier struct {
	maintain.Copier
	began chan struct{}
	ended chan error
}

func (c watchedCopier) CopyParquet(ctx context.Context, spec query.CopySpec) (int64, error) {
	c.began <- struct{}{}
	n, err := c.Copier.CopyParquet(ctx, spec)
	c.ended <- err
	return n, err
}

// TestKillJobInCopy kills a compaction while DuckDB writes its file, in a process of its own and in the server's: the
// work has stopped within a second, nothing of it is left, and the next compaction does it.
func TestKillJobInCopy(t *testing.T) {
	isolations(t, func(t *testing.T, isolation string) {
		w := watchedCopier{began: make(chan struct{}, 8), ended: make(chan error, 8)}
		cfg := config.Default()
		cfg.Storage.DataPath, cfg.Auth.BcryptCost, cfg.Query.Isolation = t.TempDir(), 4, isolation
		s := &server{t: t, config: cfg}
		s.opts.Wrap = engine.Wrap{Copier: func(c maintain.Copier) maintain.Copier {
			w.Copier = c
			return w
		}}
		s.start()
		t.Cleanup(s.stop)
		const parts, rows = 4, 100_000
		s.must(root, "CREATE NAMESPACE app; CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, v TEXT) FLUSH_POLICY 'manual'")
		for i := range parts {
			s.must(root, fmt.Sprintf("INSERT INTO app.t SELECT i, md5(i::VARCHAR) || md5((i+1)::VARCHAR) || md5((i+2)::VARCHAR) FROM range(%d, %d) AS r(i)",
				i*rows, (i+1)*rows))
			s.flush()
			for len(w.began) > 0 { // Large flushes are copies, too.
				<-w.began
				<-w.ended
			}
		}
		id := s.must(root, "STORAGE COMPACT TABLE app.t").jobs[0]
		<-w.began
		start := time.Now()
		if r := s.must(root, "KILL JOB "+string(id)); !strings.Contains(r.message, "killed: cancelled") {
			t.Errorf("KILL JOB says %q", r.message)
		}
		err := <-w.ended
		if took := time.Since(start); took > killed || err == nil {
			t.Errorf("the copy ended after %s with %v", took, err)
		}
		if j := s.await(id); j.Status != kalam.JobCancelled || j.FinishedAt.IsZero() {
			t.Errorf("the job is %+v", j)
		}
		s.wantCell(root, "SELECT count(*) FROM app.t", fmt.Sprint(parts*rows))
		if j := s.await(s.must(root, "STORAGE COMPACT TABLE app.t").jobs[0]); j.Status != kalam.JobCompleted {
			t.Errorf("the next compaction is %s: %s", j.Status, j.Error)
		}
		s.wantCell(root, "SELECT count(*) FROM app.t", fmt.Sprint(parts*rows))
	})
}

// TestKillJobInUpload kills a flush while the bucket takes its time for the file, or never answers: the work has
// stopped within a second, the rows stay, and the next flush takes them.
func TestKillJobInUpload(t *testing.T) {
	s, f := newS3Server(t)
	alice := s.remoteNotes(f)
	s.must(alice, "INSERT INTO app.notes VALUES (2, 'row')")
	slow, asked := s3test.Nth(1, s3test.Method("PUT"), s3test.Late(5*time.Second))
	f.BreakWith(slow)
	id := s.must(root, "STORAGE FLUSH TABLE app.notes").jobs[0]
	eventually.True(t, "the upload is under way", func() bool { return asked.Load() > 0 })
	start := time.Now()
	s.must(root, "KILL JOB "+string(id))
	f.BreakWith(nil)
	// The key of the flush is free when its task has ended.
	next := s.tryFlush("app.notes")
	if took := time.Since(start); took > 2*killed || next.Status != kalam.JobCompleted {
		t.Errorf("the next flush is %s after %s: %s", next.Status, took, next.Error)
	}
	if j := s.await(id); j.Status != kalam.JobCancelled || j.FinishedAt.Sub(start) > killed {
		t.Errorf("the job is %s after %s", j.Status, j.FinishedAt.Sub(start))
	}
	s.wantCell(alice, "SELECT count(*) FROM app.notes", "2")
}
