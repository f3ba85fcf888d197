package main

import (
	"flag"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/kalamlake/kalam/internal/eventually"
	"github.com/kalamlake/kalam/lake/s3/s3test"
	"github.com/kalamlake/kalam/link/wire"
)

var storageKills = flag.Int("storage-kills", 0, "kills at each request of TestKilledUpload; 0: one at every third request")

// TestKilledUpload kills the server by SIGKILL at each request that a flush and a compaction make to a
// bucket, before the server of the bucket has seen it and after: after the next start every
// acknowledged row is there once.
func TestKilledUpload(t *testing.T) {
	f := s3test.New(t)
	p := &process{t: t, dir: t.TempDir(), env: []string{
		"KALAM_JOBS_MAX_RETRIES=0", "KALAM_LAKE_COMPACT_SEGMENTS=0", "KALAM_STORAGE_REQUEST_TIMEOUT_SECONDS=5",
	}}
	defer p.kill()
	p.start()
	token := p.login("root", testRootPassword)
	p.sql(token, fmt.Sprintf(`CREATE STORAGE bucket TYPE s3 BUCKET '%s' CREDENTIALS '{"access_key":"%s","secret_key":"%s"}'`+
		` CONFIG '{"endpoint":"%s","allow_http":true}'`, f.Bucket, s3test.AccessKey, s3test.SecretKey, f.URL))
	p.sql(token, "CREATE NAMESPACE app")
	p.sql(token, "CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, v TEXT) STORAGE bucket FLUSH_POLICY 'manual'")
	k := &uploadKiller{t: t, front: f, process: p, token: token}
	for _, job := range []string{"STORAGE FLUSH TABLE app.t", "STORAGE COMPACT TABLE app.t"} {
		for _, seen := range []bool{false, true} {
			step := int64(1)
			if *storageKills == 0 {
				step = 3
			}
			for round := range max(*storageKills, 1) {
				for n := int64(1); k.round(job, n, seen); n += step {
					t.Logf("%s, round %d: killed at request %d, seen %v", job, round, n, seen)
				}
			}
		}
	}
	if k.killed == 0 {
		t.Error("no request was met")
	}
	t.Logf("%d kills, %d rows", k.killed, k.rows)
}

// uploadKiller kills a server at requests to a bucket.
type uploadKiller struct {
	t       *testing.T
	front   *s3test.Front
	process *process
	token   string
	rows    int // Acknowledged.
	killed  int
}

// round writes a row, begins a job, kills the server at its nth request, and checks what is there
// after the next start. It reports whether there was such a request.
func (k *uploadKiller) round(job string, n int64, seen bool) bool {
	k.t.Helper()
	p := k.process
	k.rows++
	p.sql(k.token, fmt.Sprintf("INSERT INTO app.t VALUES (%d, 'row')", k.rows))
	if strings.Contains(job, "COMPACT") {
		k.await("STORAGE FLUSH TABLE app.t")
	}
	var hit atomic.Bool
	var mu sync.Mutex // guards over, and that nobody is killed once it is set
	over := false
	kill := func(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
		if seen {
			pass(discard{http.Header{}}, r)
		}
		mu.Lock()
		defer mu.Unlock()
		if !over && !hit.Load() {
			if err := p.cmd.Process.Kill(); err != nil {
				k.t.Error(err)
			}
			hit.Store(true)
		}
		s3test.Abort()
	}
	fault, _ := s3test.From(n, s3test.Method(), kill)
	k.front.BreakWith(fault)
	k.run(job, &hit)
	mu.Lock()
	over = true
	killed := hit.Load()
	mu.Unlock()
	k.front.BreakWith(nil)
	if killed {
		_ = p.cmd.Wait() // It says "killed".
		k.killed++
		p.start()
	}
	k.check(fmt.Sprintf("%s, request %d", job, n))
	return killed
}

// discard is where the answer to a request goes whose client is killed.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}

// run begins a job and waits until it has ended, or the server was killed.
func (k *uploadKiller) run(job string, hit *atomic.Bool) (ended bool) {
	k.t.Helper()
	resp, err := post(http.DefaultClient, k.process.url, k.token, job)
	if err != nil {
		eventually.True(k.t, "the server is killed", hit.Load)
		return false
	}
	if resp.Error != nil || len(resp.Results[0].JobIDs) == 0 {
		k.t.Fatalf("%s: %+v", job, resp)
	}
	eventually.True(k.t, "the job has ended or the server was killed", func() bool {
		if hit.Load() {
			return true
		}
		var status *wire.Response
		status, err = post(http.DefaultClient, k.process.url, k.token,
			fmt.Sprintf("SELECT status FROM system.jobs WHERE job_id = '%s'", resp.Results[0].JobIDs[0]))
		if err != nil || status.Error != nil || len(status.Results[0].Rows) == 0 {
			return false
		}
		ended = strings.Contains("completed failed skipped cancelled", strings.Trim(string(status.Results[0].Rows[0][0]), `"`))
		return ended
	})
	return ended && !hit.Load()
}

// await runs a job to its end.
func (k *uploadKiller) await(job string) {
	k.t.Helper()
	if !k.run(job, new(atomic.Bool)) {
		k.t.Fatalf("%s did not end", job)
	}
}

// check compares the rows with what was acknowledged.
func (k *uploadKiller) check(when string) {
	k.t.Helper()
	var got string
	eventually.True(k.t, "the table can be read", func() bool {
		resp, err := post(http.DefaultClient, k.process.url, k.token, "SELECT count(*) || ' ' || count(DISTINCT id) FROM app.t")
		if err != nil || resp.Error != nil {
			return false
		}
		got = strings.Trim(string(resp.Results[0].Rows[0][0]), `"`)
		return true
	})
	if want := fmt.Sprintf("%d %d", k.rows, k.rows); got != want {
		k.t.Fatalf("%s: there are %s rows and ids, want %s\n%s", when, got, want, k.process.log.String())
	}
}
