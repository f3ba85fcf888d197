package engine_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/config"
	"github.com/kalamlake/kalam/lake/s3/s3test"
	"github.com/kalamlake/kalam/storages"
)

// newS3Server starts a server with small waits, and a bucket.
func newS3Server(t *testing.T, change ...func(*config.Config)) (*server, *s3test.Front) {
	t.Helper()
	f := s3test.New(t)
	cfg := config.Default()
	cfg.Storage.DataPath = t.TempDir()
	cfg.Auth.BcryptCost = 4
	cfg.Query.Threads = 2
	for _, c := range change {
		c(&cfg)
	}
	s := &server{t: t, config: cfg}
	s.opts.Storages = storages.Options{
		Pause: 10 * time.Millisecond, RetryWait: time.Millisecond, PartBytes: 5 << 20,
	}
	s.start()
	t.Cleanup(s.stop)
	return s, f
}

// createS3 creates the storage "bucket", in the bucket of a front.
func (s *server) createS3(f *s3test.Front) {
	s.t.Helper()
	s.must(root, fmt.Sprintf("CREATE STORAGE bucket TYPE s3 BUCKET '%s/lake' CREDENTIALS '%s' CONFIG '%s'", f.Bucket,
		fmt.Sprintf(`{"access_key":"%s","secret_key":"%s"}`, s3test.AccessKey, s3test.SecretKey),
		fmt.Sprintf(`{"endpoint":"%s","allow_http":true}`, f.URL)))
}

// emptyCache removes what is cached of remote storages. The server is stopped.
func (s *server) emptyCache() {
	s.t.Helper()
	if err := os.RemoveAll(s.config.Storages().Dir); err != nil {
		s.t.Fatal(err)
	}
}

func TestS3Storage(t *testing.T) {
	isolations(t, func(t *testing.T, isolation string) {
		s, f := newS3Server(t, func(c *config.Config) { c.Query.Isolation = isolation })
		s.createS3(f)
		s.must(root, "CREATE NAMESPACE app")
		s.must(root, "CREATE USER TABLE app.notes (id BIGINT PRIMARY KEY, body TEXT) STORAGE_ID 'bucket' FLUSH_POLICY 'manual'")
		s.must(root, "CREATE SHARED TABLE app.things (id BIGINT PRIMARY KEY, body TEXT) STORAGE bucket FLUSH_POLICY 'manual'")
		alice, bob := userOf("alice"), userOf("bob")
		for i := range 3 {
			s.must(alice, fmt.Sprintf("INSERT INTO app.notes VALUES (%d, 'note')", i))
			s.must(bob, fmt.Sprintf("INSERT INTO app.notes VALUES (%d, 'of bob')", i))
			s.must(root, fmt.Sprintf("INSERT INTO app.things VALUES (%d, 'thing')", i))
			s.flush()
		}
		if n := len(f.Keys(t, ".parquet")); n != 9 {
			t.Fatalf("%d segments in the bucket", n)
		}
		s.must(alice, "UPDATE app.notes SET body = 'changed' WHERE id = 2")
		s.must(alice, "DELETE FROM app.notes WHERE id = 1")
		check := func(when string) {
			t.Helper()
			s.wantCell(alice, "SELECT string_agg(id || body, ',' ORDER BY id) FROM app.notes", "0note,2changed")
			s.wantCell(alice, "SELECT body FROM app.notes WHERE id = 2", "changed")
			s.wantCell(bob, "SELECT count(*) FROM app.notes WHERE body = 'of bob'", "3")
			s.wantCell(root, "SELECT count(*) FROM app.things", "3")
			if t.Failed() {
				t.Fatalf("wrong rows %s", when)
			}
		}
		check("after writing")
		s.stop()
		s.emptyCache()
		s.start()
		check("after a start without a cache")
		s.flush()
		s.compact()
		check("after a compaction")
		s.restart()
		check("after a restart")
		_, err := s.try(root, "DROP STORAGE bucket")
		if kalam.CodeOf(err) != kalam.CodeInvalidOperation || !strings.Contains(err.Error(), "2 table(s)") {
			t.Errorf("DROP STORAGE = %v", err)
		}
		s.dropTable("app.notes")
		s.dropTable("app.things")
		if left := f.Keys(t, ""); len(left) != 1 || left[0] != "lake/.kalam/lake.json" {
			t.Errorf("left are %q", left)
		}
		s.must(root, "DROP STORAGE bucket")
		if left := f.Keys(t, ""); len(left) != 0 {
			t.Errorf("left are %q", left)
		}
	})
}

// TestCredentialsAreNowhere looks for a secret in all that a server keeps, says and answers.
func TestCredentialsAreNowhere(t *testing.T) {
	const canary = "cAnArY-4711-sEcReT-0815"
	s, f := newS3Server(t)
	s.stop()
	var log bytes.Buffer
	s.opts.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s.config.Log.SlowQueryMS = 1
	s.start()
	var answers strings.Builder
	run := func(sql string) {
		results, err := s.try(root, sql)
		fmt.Fprintln(&answers, results, err)
		if err != nil {
			fmt.Fprintln(&answers, explained(err), messageOf(err))
		}
	}
	endpoint := fmt.Sprintf(`"endpoint":"%s","allow_http":true`, f.URL)
	keys := fmt.Sprintf(`"access_key":"%s","secret_key":"%s"`, canary, canary+"x")
	run(fmt.Sprintf("CREATE STORAGE wrong TYPE s3 BUCKET '%s' CREDENTIALS '{%s}' CONFIG '{%s}'", f.Bucket, keys, endpoint))
	run(fmt.Sprintf("CREATE STORAGE wrong TYPE s3 BUCKET '%s' CONFIG '{%s,%s}'", f.Bucket, keys, endpoint))
	run(fmt.Sprintf("CREATE STORAGE wrong TYPE s3 URI 's3://%s:%s@%s/' ", canary, canary, f.Bucket))
	run(fmt.Sprintf("CREATE STORAGE wrong TYPE s3 BUCKET '%s' CREDENTIALS '{%s, nonsense", f.Bucket, keys))
	run(fmt.Sprintf("CREATE STORAGE wrong TYPE s3 BUCKET '%s' CREDENTIALS '{%s,\"odd\":\"%s\"}'", f.Bucket, keys, canary))
	// The right keys, with a session token that this server does not look at.
	right := fmt.Sprintf(`"access_key":"%s","secret_key":"%s","session_token":"%s"`, s3test.AccessKey, s3test.SecretKey, canary)
	s.createS3(f)
	run(fmt.Sprintf("ALTER STORAGE bucket SET CREDENTIALS '{%s}'", right))
	run(fmt.Sprintf("ALTER STORAGE bucket SET CONFIG '{%s,%s}'", right, endpoint))
	run(fmt.Sprintf("ALTER STORAGE bucket SET CREDENTIALS '{%s}'", keys))
	run("STORAGE CHECK bucket EXTENDED")
	run("SHOW STORAGES")
	run("SELECT * FROM system.storages")
	run("SELECT * FROM system.settings")
	run("SELECT * FROM system.jobs")
	run("SELECT * FROM system.sessions")
	run("CREATE NAMESPACE app")
	run("CREATE USER TABLE app.notes (id BIGINT PRIMARY KEY) STORAGE bucket")
	run("INSERT INTO app.notes VALUES (1)")
	s.flush()
	run("SELECT * FROM app.notes")
	s.restart()
	run("SELECT * FROM app.notes")
	run("SHOW STORAGES")
	s.stop()
	if strings.Contains(answers.String(), canary) {
		t.Errorf("an answer has the secret: %s", answers.String())
	}
	if strings.Contains(log.String(), canary) {
		t.Error("the log has the secret")
	}
	if !strings.Contains(answers.String(), `\"secret_key\":\"***\"`) && !strings.Contains(answers.String(), `"secret_key":"***"`) {
		t.Errorf("no answer has the masked keys: %s", answers.String())
	}
	if names := s.holders(canary); len(names) > 0 {
		t.Errorf("%v have the secret", names)
	}
	key := filepath.Join(s.config.Storage.DataPath, "credentials.key")
	if info, err := os.Stat(key); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key file: %v, %v", info, err)
	}
}
