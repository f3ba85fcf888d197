package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// repair runs `kalamd repair` over the data directory of p and returns its status and
// output.
func (p *process) repair(args ...string) (status int, out string) {
	p.t.Helper()
	cmd := p.command(append([]string{"repair", "--data", filepath.Join(p.dir, "data")}, args...)...)
	var b bytes.Buffer
	cmd.Stdout, cmd.Stderr = &b, &b
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		p.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), b.String()
}

// TestRepairAdopt loses the write buffer of a server (case D1). The start says what to
// do; `kalamd repair --adopt`, killed at any moment and run again, brings the lake back,
// and users that are created again have their rows.
func TestRepairAdopt(t *testing.T) {
	p := &process{t: t, dir: t.TempDir()}
	p.start()
	t.Cleanup(func() { p.kill() })
	create := func(token string) {
		for i := range 20 {
			p.sql(token, fmt.Sprintf("CREATE USER 'user%d' WITH PASSWORD 'pass-word-%d' ROLE user", i, i))
		}
	}
	logins := func() (tokens []string) {
		for i := range 20 {
			tokens = append(tokens, p.login(fmt.Sprintf("user%d", i), fmt.Sprintf("pass-word-%d", i)))
		}
		return tokens
	}
	token := p.login("root", testRootPassword)
	create(token)
	p.sql(token, "CREATE NAMESPACE app")
	p.sql(token, "CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, v TEXT) WITH (FLUSH_POLICY = 'manual')")
	for i, user := range logins() {
		p.sql(user, fmt.Sprintf("INSERT INTO app.t SELECT i, 'v' || i FROM range(%d) r(i)", 50+i))
		p.sql(user, "DELETE FROM app.t WHERE id = 3")
	}
	p.stop() // Which flushes.

	bufferDir := filepath.Join(p.dir, "data", "buffer")
	if status, out := p.repair("--adopt"); status != 1 || !strings.Contains(out, "this very lake") {
		t.Errorf("over the buffer of the lake: status %d, %s", status, out)
	}
	if err := os.RemoveAll(bufferDir); err != nil {
		t.Fatal(err)
	}
	refused := launch(t, "serve", "--data", filepath.Join(p.dir, "data"), "--listen", "127.0.0.1:0")
	if status, _ := refused.exit(); status != 1 || !strings.Contains(refused.stderr.String(), "kalamd repair --adopt") {
		t.Errorf("the start: status %d, %s", status, refused.stderr)
	}
	if status, out := p.repair(); status != 1 || !strings.Contains(out, "--adopt") {
		t.Errorf("without --adopt: status %d, %s", status, out)
	}
	if status, out := p.repair("--adopt", "--dry-run"); status != 0 || !strings.Contains(out,
		"1 table(s), 20 user(s), 20 segment(s), 1170 row(s)") {
		t.Errorf("dry run: status %d, %s", status, out)
	}
	finished := false
	for i := range 12 {
		finished = killRepair(p, time.Duration(rand.IntN(10+20*i))*time.Millisecond)
		if finished {
			break
		}
	}
	if !finished {
		status, out := p.repair("--adopt") // The last one may have been killed when all was done.
		whole := status == 0 && strings.Contains(out, "1 table(s), 20 user(s), 20 segment(s), 1170 row(s)")
		if !whole && (status != 1 || !strings.Contains(out, "this very lake")) {
			t.Fatalf("status %d, %s", status, out)
		}
	}
	p.start()
	create(p.login("root", testRootPassword))
	for i, user := range logins() {
		got := postJSON(t, p.url+"/v1/api/sql", user,
			`{"sql":"SELECT count(*) AS n, max(id) AS m FROM app.t WHERE v = 'v' || id"}`)
		if want := fmt.Sprintf(`[["%d","%d"]]`, 49+i, 49+i); !strings.Contains(got, want) {
			t.Errorf("user%d: %s", i, got)
		}
	}
}

// killRepair starts an adoption and kills it after a while. It reports whether it was
// finished before.
func killRepair(p *process, after time.Duration) bool {
	p.t.Helper()
	cmd := p.command("repair", "--adopt", "--data", filepath.Join(p.dir, "data"))
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	timer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() }) // It may have ended.
	defer timer.Stop()
	err := cmd.Wait()
	if err == nil || strings.Contains(out.String(), "this very lake") {
		return true
	}
	if cmd.ProcessState.Exited() {
		p.t.Fatalf("an adoption that was begun anew: %v\n%s", err, out.String())
	}
	return false
}
