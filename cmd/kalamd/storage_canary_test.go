package main

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kalamlake/kalam/lake/s3/s3test"
	"github.com/kalamlake/kalam/link/wire"
)

// TestCredentialsCanary looks for secrets of storages in the answers, the log and the data directory of a
// server, of statements that succeed and of statements that are wrong in all ways.
func TestCredentialsCanary(t *testing.T) {
	const canary = "cAnArYxSeCrEt0815"
	f := s3test.New(t)
	p := &process{t: t, dir: t.TempDir(), env: []string{
		"KALAM_LOG_LEVEL=debug", "KALAM_LOG_SLOW_QUERY_MS=1", "KALAM_STORAGE_CREDENTIALS_KEY=" + strings.Repeat("a7", 32),
	}}
	defer p.kill()
	p.start()
	token := p.login("root", testRootPassword)
	var said bytes.Buffer
	right := fmt.Sprintf(`"access_key":"%s","secret_key":"%s","session_token":"%s"`, s3test.AccessKey, s3test.SecretKey, canary)
	wrong := fmt.Sprintf(`"access_key":"%s","secret_key":"%s"`, canary, canary)
	endpoint := fmt.Sprintf(`"endpoint":"%s","allow_http":true`, f.URL)
	for _, sql := range []string{
		"CREATE STORAGE a TYPE s3 BUCKET '%b' CREDENTIALS '{%r}' CONFIG '{%e}'",
		"CREATE STORAGE b TYPE s3 BUCKET '%b/b' CONFIG '{%e,%r}'",
		"ALTER STORAGE a SET CREDENTIALS '{%r}'", "ALTER STORAGE a SET CREDENTIALS '{%w}'", "ALTER STORAGE a SET CONFIG '{%e,%w}'",
		"CREATE STORAGE c TYPE s3 BUCKET '%b/c' CREDENTIALS '{%w}' CONFIG '{%e}'",
		"CREATE STORAGE c TYPE s3 BUCKET '%b/c' CREDENTIALS '{%w' CONFIG '{%e}'",
		"CREATE STORAGE c TYPE s3 BUCKET '%b/c' CREDENTIALS '{%w,\"other\":\"%c\"}' CONFIG '{%e}'",
		"CREATE STORAGE c TYPE s3 BUCKET '%b/c' CREDENTIALS \"{%w}\"",
		"CREATE STORAGE c TYPE s3 BUCKET '%b/c' CREDENTIALS %c",
		"CREATE STORAGE c TYPE s3 BUCKET '%b/c' CREDENTIAL '{%w}'",
		"CREATE STORAGE c TYPE s3 URI 's3://%c:%c@%b/c'", "-- a comment\nCREATE STORAGE c TYPE s3 URI 's3://%c:%c@%b/c'",
		"CREATE STORAGE c TYPE s3 BUCKET '%b/c' CONFIG '{\"endpoint\":\"http://%c:%c@host\"}'",
		"CREATE STORAGE c TYPE filesystem PATH '/nowhere' CREDENTIALS '{%w}'",
		"CREATE STORAGE a TYPE s3 BUCKET '%b' CREDENTIALS '{%w}'; SELECT nonsense",
		"STORAGE CHECK a", "STORAGE CHECK b", "SHOW STORAGES", "SELECT * FROM system.storages", "SELECT * FROM system.settings",
		"CREATE NAMESPACE app", "CREATE USER TABLE app.t (id BIGINT PRIMARY KEY) STORAGE a", "INSERT INTO app.t VALUES (1)",
		"STORAGE FLUSH TABLE app.t", "SELECT * FROM system.jobs", "SELECT * FROM system.sessions", "DROP STORAGE b",
	} {
		sql = strings.NewReplacer("%b", f.Bucket, "%r", right, "%w", wrong, "%e", endpoint, "%c", canary).Replace(sql)
		said.Write(p.answer(t, token, sql))
	}
	p.stop()
	if at := bytes.Index(said.Bytes(), []byte(canary)); at >= 0 {
		t.Errorf("an answer has the secret: %s", said.Bytes()[max(0, at-300):min(said.Len(), at+100)])
	}
	if !bytes.Contains(said.Bytes(), []byte(`***`)) {
		t.Errorf("no answer has masked keys: %s", said.Bytes())
	}
	if at := bytes.Index(p.log.Bytes(), []byte(canary)); at >= 0 {
		t.Errorf("the log has the secret: %s", p.log.Bytes()[max(0, at-300):at+100])
	}
	err := filepath.WalkDir(p.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		if bytes.Contains(raw, []byte(canary)) {
			t.Errorf("%s has the secret", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// answer returns what the server answers to a statement.
func (p *process) answer(t *testing.T, token, sql string) []byte {
	t.Helper()
	body := fmt.Sprintf(`{"sql":%q}`, sql)
	req, err := http.NewRequest(http.MethodPost, p.url+"/v1"+wire.PathSQL, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
