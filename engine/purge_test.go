package engine_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/catalog"
	"github.com/kalamlake/kalam/engine"
	"github.com/kalamlake/kalam/internal/eventually"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/live"
)

// purgeCanary is in every value of the user who is to go, and in no other.
const purgeCanary = "canary-3d9f1a77"

// purgeWorld has rows of alice in every kind of table and place, each with the canary, and rows of
// bob and of a shared table beside them.
func purgeWorld(s *server) {
	s.t.Helper()
	alice, bob := userOf("alice"), userOf("bob")
	s.must(root, fmt.Sprintf(`CREATE NAMESPACE app;
		CREATE USER 'alice' WITH PASSWORD 'correct horse' ROLE user EMAIL '%s@example.com';
		CREATE USER 'bob' WITH PASSWORD 'correct horse' ROLE user;
		CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, v TEXT) WITH (FLUSH_POLICY = 'manual');
		CREATE USER TABLE app.u (id TEXT PRIMARY KEY, v TEXT) WITH (FLUSH_POLICY = 'manual');
		CREATE STREAM TABLE app.e (id BIGINT PRIMARY KEY, v TEXT) WITH (TTL_SECONDS = 3600);
		CREATE SHARED TABLE app.s (id BIGINT PRIMARY KEY, v TEXT) WITH (FLUSH_POLICY = 'manual')`, purgeCanary))
	for i, n := range []int{0, 5_000, 60_000} {
		text := canaryOf(purgeCanary, n)
		s.must(alice, fmt.Sprintf("INSERT INTO app.t VALUES (%d, '%s'), (%d, '%s')", 10*i, text, 10*i+1, text))
		s.must(alice, fmt.Sprintf("INSERT INTO app.u VALUES ('%s-%d', '%s')", purgeCanary, i, text))
		s.must(alice, fmt.Sprintf("INSERT INTO app.e VALUES (%d, '%s')", i, text))
		s.must(bob, fmt.Sprintf("INSERT INTO app.t VALUES (%d, 'of bob'); INSERT INTO app.e VALUES (%d, 'of bob')", i, i))
		s.flush()
	}
	s.must(alice, "DELETE FROM app.t WHERE id = 0")
	s.must(alice, "UPDATE app.t SET v = 'new' WHERE id = 11")
	s.flush()
	s.compactTable("app.u")
	s.must(alice, fmt.Sprintf("INSERT INTO app.u VALUES ('%s-buffered', '%s')", purgeCanary, canaryOf(purgeCanary, 100)))
	s.must(root, "INSERT INTO app.s VALUES (1, 'shared')")
}

// wantOthers checks that the rows that are not alice's are as they were.
func (s *server) wantOthers(when string) {
	s.t.Helper()
	for sql, want := range map[string]string{
		"SELECT count(*) AS n FROM app.t": `"3"`, "SELECT count(*) AS n FROM app.u": `"0"`,
	} {
		if got := s.single(userOf("bob"), sql); got != want {
			s.t.Errorf("%s: %s of bob gives %s, want %s", when, sql, got, want)
		}
	}
	if got := s.single(root, "SELECT v FROM app.s"); got != `"shared"` {
		s.t.Errorf("%s: the shared table has %s", when, got)
	}
}

// wantPurged waits for the purge of alice and checks that it left nothing.
func (s *server) wantPurged(when string, id kalam.JobID) kalam.Job {
	s.t.Helper()
	j := s.await(id)
	if j.Status != kalam.JobCompleted || !strings.HasPrefix(j.Message, "Removed user 'alice': ") {
		s.t.Fatalf("%s: job %s is %s: %s; %s", when, j.ID, j.Status, j.Error, j.Message)
	}
	s.wantForgotten(when, purgeCanary)
	if _, err := os.Stat(filepath.Join(s.config.StoragePath(), "users", "alice")); !os.IsNotExist(err) {
		s.t.Errorf("%s: the folder of the user: %v", when, err)
	}
	if got := s.single(root, "SELECT count(*) AS n FROM system.users WHERE user_id = 'alice' AND coalesce(deleted_at, now()) <= now()"); got != `"0"` {
		s.t.Errorf("%s: %s records of the user", when, got)
	}
	return j
}

// wantVerified checks with kalamd verify's own means, on the stopped server.
func (s *server) wantVerified(purged int) {
	s.t.Helper()
	s.stop()
	t, ok := s.t.(*testing.T)
	if !ok {
		s.t.Fatal("no *testing.T")
	}
	lines, result, err := verified(t, s.config)
	if err != nil || len(lines) > 0 || result.Purged != purged || result.Unnamed != 0 {
		s.t.Errorf("verify: %+v, %q, %v", result, lines, err)
	}
}

// TestPurgeUser: after DROP USER ... PURGE no file below the data directory holds a byte of what the
// user had, wherever it was, the record of the user included; the others' rows are as before. The id
// can be used again then, and starts empty. USER-007.
func TestPurgeUser(t *testing.T) {
	s := newServer(t, manual)
	purgeWorld(s)
	if n := len(s.holders(purgeCanary)); n < 3 {
		t.Fatalf("%d files hold the canary before: the test shows nothing", n)
	}
	f := s.follow(userOf("alice"), "SELECT * FROM app.t", &live.Options{}, true)
	r := s.must(root, "DROP USER alice PURGE")
	if !strings.HasPrefix(r.message, "User 'alice' dropped, its data is being removed. Job ID: UC-") || len(r.jobs) != 1 {
		t.Errorf("the answer is %+v", r)
	}
	eventually.True(t, "the live query ends", func() bool { return s.Live().Count() == 0 })
	f.close()
	j := s.wantPurged("after the job", r.jobs[0])
	for _, want := range []string{`"user_id":"alice"`, `"tables":3`, `"storages":["local"]`, `"removed":true`} {
		if !strings.Contains(j.Result, want) {
			t.Errorf("the report has no %s: %s", want, j.Result)
		}
	}
	s.wantOthers("after the job")
	if got := s.single(userOf("bob"), "SELECT count(*) AS n FROM app.e"); got != `"3"` {
		t.Errorf("the stream has %s rows of bob", got)
	}
	s.wantVerified(1)
	s.start()
	s.wantPurged("after a restart", r.jobs[0])
	s.must(root, "CREATE USER 'alice' WITH PASSWORD 'correct horse' ROLE user")
	for _, table := range []string{"t", "u", "e"} {
		if got := s.single(userOf("alice"), "SELECT count(*) AS n FROM app."+table); got != `"0"` {
			t.Errorf("the new user finds %s rows in %s", got, table)
		}
	}
	s.must(userOf("alice"), "INSERT INTO app.t VALUES (0, 'anew')")
	s.flush()
	if got := s.single(userOf("alice"), "SELECT v FROM app.t"); got != `"anew"` {
		t.Errorf("the new user reads %s", got)
	}
	s.wantVerified(1)
}

// TestPurgeVerifyFinds: verify names a file and a row of a user who was removed.
func TestPurgeVerifyFinds(t *testing.T) {
	s := newServer(t, manual)
	purgeWorld(s)
	var kept []byte
	var name string
	for _, f := range s.files(".parquet") {
		if strings.Contains(f, "users/alice") {
			raw, err := os.ReadFile(f)
			must(t, err)
			kept, name = raw, f
		}
	}
	if name == "" {
		t.Fatalf("no file of alice in %v", s.files(".parquet"))
	}
	s.wantPurged("after the job", s.must(root, "DROP USER alice PURGE").jobs[0])
	s.stop()
	must(t, os.MkdirAll(filepath.Dir(name), 0o755))
	must(t, os.WriteFile(name, kept, 0o600))
	lines, result, err := verified(t, s.config)
	if err != nil || result.Purged != 1 || len(lines) != 1 || !strings.Contains(lines[0], "user 'alice', who was removed") {
		t.Errorf("verify: %+v, %q, %v", result, lines, err)
	}
}

// TestPurgeGrace: a dropped user can be restored, by either statement, until the grace period is
// over; then a job removes what the user had. Meanwhile the id cannot be created. USER-005 to 007.
func TestPurgeGrace(t *testing.T) {
	s, pass := clocked(t)
	purgeWorld(s)
	rows := func() string {
		return s.must(userOf("alice"), "SELECT id, length(v) AS n FROM app.t ORDER BY id").table()
	}
	before := rows()
	for _, sql := range []string{
		"UPDATE system.users SET deleted_at = NULL WHERE user_id = 'alice'", "ALTER USER alice RESTORE",
	} {
		s.must(root, "DROP USER alice")
		pass(29 * 24 * time.Hour)
		s.restart() // A start looks for users whose time is over.
		if _, err := s.try(root, "CREATE USER 'alice' WITH PASSWORD 'correct horse'"); kalam.CodeOf(err) != kalam.CodeAlreadyExists {
			t.Errorf("the id is given again: %v", err)
		}
		if got := s.must(root, "EXECUTE AS USER 'alice' (SELECT count(*) AS n FROM app.t)"); len(got.rows) != 1 {
			t.Errorf("an administrator cannot read the data: %+v", got)
		}
		if _, err := s.try(userOf("bob"), sql); kalam.CodeOf(err) != kalam.CodePermissionDenied {
			t.Errorf("bob runs %s: %v", sql, err)
		}
		s.must(root, sql)
		if got := rows(); got != before {
			t.Errorf("after %s the rows are\n%swant\n%s", sql, got, before)
		}
	}
	s.must(root, "DROP USER alice")
	pass(30*24*time.Hour + time.Minute)
	s.restart()
	var id kalam.JobID
	eventually.True(t, "a job removes the user", func() bool {
		r := s.must(root, "SELECT job_id FROM system.jobs WHERE job_type = 'user_cleanup' AND status = 'completed'")
		if len(r.rows) > 0 {
			id = kalam.JobID(strings.Trim(r.rows[0][0], `"`))
		}
		return id != ""
	})
	s.wantPurged("after the grace period", id)
	s.wantOthers("after the grace period")
	if _, err := s.try(root, "ALTER USER alice RESTORE"); kalam.CodeOf(err) != kalam.CodeNotFound {
		t.Errorf("a removed user is restored: %v", err)
	}
}

// purgeHook calls f at every step by which a purge changes something on the disk.
type purgeHook func(point string)

// wrap returns wrappers that call h before and after each write of the backend and each removal of a
// file.
func (h purgeHook) wrap() engine.Wrap {
	return engine.Wrap{
		Backend: func(b buffer.Backend) buffer.Backend { return purgeBackend{hookedBackend{b, h.plain}, h} },
		Storage: func(s lake.Storage) lake.Storage { return purgeStorage{s, h} },
	}
}

func (h purgeHook) plain(string) error { return nil }

type purgeBackend struct {
	hookedBackend
	at purgeHook
}

func (b purgeBackend) Apply(ctx context.Context, ops []buffer.Op) error {
	what := "apply"
	if len(ops) > 0 {
		what = ops[0].Keyspace
	}
	b.at("before " + what)
	err := b.hookedBackend.Apply(ctx, ops)
	b.at("after " + what)
	return err
}

func (b purgeBackend) Purge(ctx context.Context) error {
	b.at("before the rewrite")
	err := b.hookedBackend.Purge(ctx)
	b.at("after the rewrite")
	return err
}

type purgeStorage struct {
	lake.Storage
	at purgeHook
}

func (s purgeStorage) Remove(ctx context.Context, p string) error {
	s.at("before a removal")
	return s.Storage.Remove(ctx, p)
}

func (s purgeStorage) ReplaceAll(ctx context.Context, objects []lake.Content) error {
	return s.Storage.(lake.BatchReplacer).ReplaceAll(ctx, objects)
}

// TestPurgeCrashPoints looks at the disk at every step of a purge as a crash there would find it: the
// start of a server on it goes on by itself, and in the end nothing is left of the user, and everything
// of the others.
func TestPurgeCrashPoints(t *testing.T) {
	const most = 60 // Copies; of the steps of one kind the first, the second and then each fourth.
	crashes := t.TempDir()
	var mu sync.Mutex // guards what follows: the audit log writes beside the rest
	armed, hits := false, map[string]int{}
	var names []string
	s := newServer(t, manual)
	data := s.config.Storage.DataPath
	s.stop()
	s.opts.Wrap = purgeHook(func(point string) {
		mu.Lock()
		defer mu.Unlock()
		if !armed || len(names) == most {
			return
		}
		if hits[point]++; hits[point] > 2 && hits[point]%4 != 0 {
			return
		}
		name := strings.ReplaceAll(fmt.Sprintf("%s-%d", point, hits[point]), " ", "_")
		copyTree(t, data, filepath.Join(crashes, name))
		names = append(names, name)
	}).wrap()
	s.start()
	purgeWorld(s)
	arm := func(on bool) {
		mu.Lock()
		defer mu.Unlock()
		armed = on
	}
	arm(true)
	id := s.must(root, "DROP USER alice PURGE").jobs[0]
	s.await(id)
	arm(false)
	s.wantPurged("without a crash", id)
	if len(names) < 12 || hits["before the rewrite"] != 1 || hits["before a removal"] < 4 {
		t.Fatalf("the points are %v, %v", names, hits)
	}
	t.Logf("%d points", len(names))
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			c := &server{t: t, config: s.config}
			c.config.Storage.DataPath = filepath.Join(crashes, name)
			c.start()
			defer c.stop()
			c.wantOthers("after the crash")
			if u, ok := c.Catalog().AnyUser("alice"); ok && u.PurgingAt.IsZero() {
				return // The statement had not begun: the user is as before.
			}
			eventually.True(t, "the user is removed", func() bool {
				_, there := c.Catalog().AnyUser("alice")
				return !there && len(c.Catalog().ActiveJobs()) == 0
			})
			c.wantForgotten("after the crash", purgeCanary)
			c.wantOthers("at the end")
			c.flush()
			c.compactAll()
			c.wantVerified(purgedJobs(c.Catalog()))
		})
	}
}

// purgedJobs returns how many users the records say that were removed: the job of one whose record
// was gone at the crash has nothing left to do, and is skipped.
func purgedJobs(c *catalog.Catalog) (n int) {
	for j, err := range c.Jobs(context.Background()) {
		if err == nil && j.Kind == "UC" && j.Status == kalam.JobCompleted {
			n++
		}
	}
	return n
}

// TestPurgeBesideUse: a purge waits for who reads the user's files, lets nobody else in, neither the
// user nor who acts for one, and disturbs neither flushes and compactions of the table nor other users.
func TestPurgeBesideUse(t *testing.T) {
	s := newServer(t, manual)
	purgeWorld(s)
	alice, bob := userOf("alice"), userOf("bob")
	out := s.Live().NewOutbox()
	defer out.Close()
	q, err := s.Live().Subscribe(t.Context(), alice, live.Request{
		Connection: fmt.Sprintf("%032x", connections.Add(1)), ID: "sub-1", SQL: "SELECT * FROM app.t",
		Options: &live.Options{}, Exact: true, Outbox: out,
	})
	must(t, err)
	for _, p := range []kalam.Principal{alice, bob, {User: "carol", Role: kalam.RoleService}} {
		if _, err := s.try(p, "DROP USER alice PURGE"); kalam.CodeOf(err) != kalam.CodePermissionDenied {
			t.Errorf("%s may purge: %v", p.User, err)
		}
	}
	if _, err := s.try(root, "DROP USER root PURGE"); kalam.CodeOf(err) != kalam.CodeInvalidOperation {
		t.Errorf("root is purged: %v", err)
	}
	if got := s.must(root, "DROP USER IF EXISTS nobody PURGE").message; got != "User 'nobody' does not exist (skipped)" {
		t.Errorf("nobody: %q", got)
	}
	id := s.must(root, "DROP USER alice PURGE").jobs[0]
	eventually.True(t, "the job waits for the reader", func() bool {
		return strings.Contains(s.must(root, "SELECT progress FROM system.jobs WHERE job_id = $1",
			kalam.Text(string(id))).table(), "wait for readers")
	})
	for sql, want := range map[string]kalam.Code{
		"SELECT * FROM app.t": kalam.CodeConflict, "SELECT v FROM app.t WHERE id = 1": kalam.CodeConflict,
		"INSERT INTO app.t VALUES (100, 'late')": kalam.CodeConflict,
	} {
		if _, err := s.try(alice, sql); kalam.CodeOf(err) != want {
			t.Errorf("%s of a session of alice: %v", sql, err)
		}
	}
	if _, err := s.try(root, "EXECUTE AS USER 'alice' (SELECT * FROM app.t)"); kalam.CodeOf(err) != kalam.CodePermissionDenied {
		t.Errorf("an administrator acts for who is removed: %v", err)
	}
	if _, err := s.try(root, "ALTER USER alice RESTORE"); kalam.CodeOf(err) != kalam.CodeNotFound {
		t.Errorf("who is removed is restored: %v", err)
	}
	if again := s.must(root, "DROP USER alice PURGE").jobs[0]; again != id {
		t.Errorf("a second job: %s beside %s", again, id)
	}
	s.must(bob, "INSERT INTO app.t VALUES (3, 'of bob')")
	s.flush()
	s.compactTable("app.t")
	s.must(bob, "DELETE FROM app.t WHERE id = 3")
	if got := s.Health(); got.Degraded {
		t.Errorf("the server is degraded: %s", got.Reason)
	}
	if b, err := q.NextBatch(t.Context()); err != nil || len(b.Rows) != 5 {
		t.Errorf("the reader gets %v, %v", b, err)
	}
	q.Close()
	s.wantPurged("after the reader", id)
	s.wantOthers("after the reader")
	s.wantVerified(1)
}
