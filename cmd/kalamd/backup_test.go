package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kalamlake/kalam/internal/eventually"
	"github.com/kalamlake/kalam/link/wire"
)

// run runs kalamd with arguments and returns what it prints.
func (p *process) run(args ...string) (string, error) {
	p.t.Helper()
	out, err := p.command(args...).CombinedOutput()
	return string(out), err
}

// mustRun is run of what has to succeed.
func (p *process) mustRun(args ...string) string {
	p.t.Helper()
	out, err := p.run(args...)
	if err != nil {
		p.t.Fatalf("kalamd %v: %v\n%s", args, err, out)
	}
	return out
}

var backupSeq = regexp.MustCompile(`everything up to seq (\d+)`)

// TestBackupCommands makes, lists, verifies and restores backups by the command line.
func TestBackupCommands(t *testing.T) {
	p := &process{t: t, dir: t.TempDir()}
	data, backups := filepath.Join(p.dir, "data"), filepath.Join(p.dir, "backups")
	p.start()
	t.Cleanup(p.kill)
	token := p.login("root", testRootPassword)
	p.sql(token, "CREATE NAMESPACE app")
	p.sql(token, "CREATE SHARED TABLE app.t (id BIGINT PRIMARY KEY) FLUSH_POLICY 'manual'")
	p.sql(token, "INSERT INTO app.t SELECT i FROM range(100) AS r(i)")
	if out, err := p.run("backup", "--data", data, "--to", backups); err == nil || !strings.Contains(out, "BACKUP DATABASE TO") {
		t.Errorf("backup beside a server: %v\n%s", err, out)
	}
	p.stop()
	first := p.mustRun("backup", "--data", data, "--to", backups)
	second := p.mustRun("backup", "--data", data, "--to", backups)
	if !backupSeq.MatchString(first) || !strings.Contains(second, "0 new files") {
		t.Errorf("backups say\n%s%s", first, second)
	}
	if out := p.mustRun("backup", "list", "--from", backups); strings.Count(out, "\n") != 3 {
		t.Errorf("listed:\n%s", out)
	}
	if out := p.mustRun("backup", "verify", "--from", backups); !strings.Contains(out, "checked 2 backups") ||
		!strings.Contains(out, ": 0 problems") {
		t.Errorf("verified:\n%s", out)
	}
	for _, args := range [][]string{
		{"backup", "--data", data}, {"restore", "--data", filepath.Join(p.dir, "x")},
		{"restore", "--from", backups, "--data", data}, {"restore", "--from", data, "--data", filepath.Join(p.dir, "x")},
		{"restore", "--from", backups, "--data", filepath.Join(p.dir, "x"), "--at-seq", "5"},
		{"restore", "--from", backups, "--data", filepath.Join(p.dir, "x"), "--at", "yesterday"},
		{"backup", "list", "--from", filepath.Join(p.dir, "x")}, {"backup", "verify", "--from", backups, "--backup", "none"},
	} {
		if out, err := p.run(args...); err == nil {
			t.Errorf("kalamd %v succeeds:\n%s", args, out)
		}
	}
	if err := os.RemoveAll(data); err != nil {
		t.Fatal(err)
	}
	p.mustRun("restore", "--from", backups, "--data", data)
	p.start()
	if n := p.count(p.login("root", testRootPassword), "app.t"); n != "100" {
		t.Errorf("%s rows after the restore", n)
	}
}

// count returns the number of rows of a table.
func (p *process) count(token, table string) string {
	p.t.Helper()
	resp, err := post(http.DefaultClient, p.url, token, "SELECT count(*) FROM "+table)
	if err != nil || resp.Status != wire.StatusSuccess {
		p.t.Fatalf("count %s: %v, %+v", table, err, resp.Error)
	}
	return strings.Trim(string(resp.Results[0].Rows[0][0]), `"`)
}

// TestBackupIsKilled kills the server while it makes a backup, at a random moment, many times. The backups of before
// stay whole, no half one is listed, and the job that was interrupted makes its backup after the next start. What is
// restored has every row that was acknowledged before the backup.
func TestBackupIsKilled(t *testing.T) {
	const rounds = 12
	p := &process{t: t, dir: t.TempDir()}
	backups := filepath.Join(p.dir, "backups")
	t.Cleanup(p.kill)
	p.start()
	token := p.login("root", testRootPassword)
	p.sql(token, "CREATE NAMESPACE app")
	p.sql(token, "CREATE SHARED TABLE app.t (id BIGINT PRIMARY KEY, v TEXT) FLUSH_POLICY 'manual'")
	rows, whole := 0, 0
	for round := range rounds {
		for range 3 {
			p.sql(token, fmt.Sprintf("INSERT INTO app.t SELECT i, md5(i::TEXT) || md5((i + 1)::TEXT) || md5((i * 3)::TEXT) FROM range(%d, %d) AS r(i)", rows, rows+2000))
			p.sql(token, "STORAGE FLUSH TABLE app.t")
			rows += 2000
		}
		ended := make(chan struct{})
		var once sync.Once
		time.AfterFunc(time.Duration(rand.IntN(60))*time.Millisecond, func() { once.Do(func() { close(ended) }) })
		p.sql(token, "BACKUP DATABASE TO '"+backups+"'")
		<-ended
		p.kill()
		out, err := p.run("backup", "verify", "--from", backups)
		if err != nil && !strings.Contains(out, "no directory of backups") {
			t.Errorf("round %d: after a kill: %v\n%s", round, err, out)
		}
		p.start()
		token = p.login("root", testRootPassword)
		var list string
		eventually.True(t, "the interrupted backup is made", func() bool {
			list, err = p.run("backup", "list", "--from", backups)
			return err == nil && strings.Count(list, "\n")-1 > whole
		})
		whole = strings.Count(list, "\n") - 1
	}
	if out := p.mustRun("backup", "verify", "--from", backups); !strings.Contains(out, ": 0 problems") {
		t.Errorf("verified:\n%s", out)
	}
	p.kill()
	q := &process{t: t, dir: t.TempDir()}
	t.Cleanup(q.kill)
	t.Log(p.mustRun("restore", "--from", backups, "--data", filepath.Join(q.dir, "data")))
	q.start()
	if n := q.count(q.login("root", testRootPassword), "app.t"); n != fmt.Sprint(rows) {
		t.Errorf("%s rows restored, %d were acknowledged", n, rows)
	}
	t.Logf("%d kills, %d backups, %d rows restored", rounds, whole, rows)
}

// TestRestoreIsKilled kills a restore at a random moment: no server starts in what it leaves, nor does another restore
// write to it; into an empty directory it succeeds.
func TestRestoreIsKilled(t *testing.T) {
	p := &process{t: t, dir: t.TempDir()}
	data, backups := filepath.Join(p.dir, "data"), filepath.Join(p.dir, "backups")
	p.start()
	t.Cleanup(p.kill)
	token := p.login("root", testRootPassword)
	p.sql(token, "CREATE NAMESPACE app")
	p.sql(token, "CREATE SHARED TABLE app.t (id BIGINT PRIMARY KEY, v TEXT) FLUSH_POLICY 'manual'")
	p.sql(token, "INSERT INTO app.t SELECT i, md5(i::TEXT) || md5((i + 1)::TEXT) || md5((i * 3)::TEXT) FROM range(20000) AS r(i)")
	p.stop() // It flushes.
	p.start()
	token = p.login("root", testRootPassword)
	p.sql(token, "INSERT INTO app.t SELECT i, md5(i::TEXT) || md5((i + 1)::TEXT) || md5((i * 3)::TEXT) FROM range(20000, 30000) AS r(i)")
	p.kill()
	p.mustRun("backup", "--data", data, "--to", backups)
	killed := 0
	for range 20 {
		q := &process{t: t, dir: t.TempDir()}
		to := filepath.Join(q.dir, "data")
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(20+rand.IntN(250))*time.Millisecond)
		cmd := q.command("restore", "--from", backups, "--data", to)
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() }) // It may have ended.
		err := cmd.Wait()
		stop()
		cancel()
		if _, statErr := os.Stat(filepath.Join(to, "buffer")); err != nil && os.IsNotExist(statErr) {
			killed++
			if left, readErr := os.ReadDir(to); readErr == nil && len(left) > 0 {
				again, err := q.run("restore", "--from", backups, "--data", to)
				if err == nil || !strings.Contains(again, "is restored into an empty directory") {
					t.Errorf("a restore into what a killed one left: %v\n%s", err, again)
				}
			}
			if left, _ := filepath.Glob(filepath.Join(to, "storage", "shared", "*", "*", "*.parquet")); len(left) > 0 {
				if err := q.tryStart(); err == nil {
					q.kill()
					t.Errorf("a server starts in what a killed restore left")
				}
			}
			continue
		}
		q.start()
		if n := q.count(q.login("root", testRootPassword), "app.t"); n != "30000" {
			t.Errorf("%s rows restored", n)
		}
		q.kill()
	}
	t.Logf("%d of 20 restores were killed", killed)
	if killed == 0 {
		t.Error("no restore was killed in time")
	}
}
