package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// storageOf returns the files of a storage and their contents, without the lock.
func storageOf(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || strings.HasSuffix(p, "/.kalam/lock") {
			return err
		}
		content, err := os.ReadFile(p)
		files[p] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestNothingIsSwept starts kalamd on halves of a lake whose files are a week old.
// It ends with status 1, says what it found and what to do, and removes nothing.
func TestNothingIsSwept(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	args := []string{"serve", "--data", data, "--listen", "127.0.0.1:0"}
	first := launch(t, args...)
	first.ready()
	token := first.login()
	for _, sql := range []string{
		"CREATE NAMESPACE app", "CREATE USER TABLE app.t (id BIGINT PRIMARY KEY) WITH (FLUSH_POLICY = 'manual')",
		"INSERT INTO app.t VALUES (1), (2)", "STORAGE FLUSH ALL",
	} {
		if got := postJSON(t, first.url+"/v1/api/sql", token,
			fmt.Sprintf(`{"sql":%q}`, sql)); !strings.Contains(got, `"status":"success"`) {
			t.Fatalf("%s: %s", sql, got)
		}
	}
	for end := time.Now().Add(time.Minute); !strings.Contains(postJSON(t, first.url+"/v1/api/sql", token,
		`{"sql":"SELECT count(*) AS n FROM system.jobs WHERE status IN ('completed', 'skipped')"}`), `[["2"]]`); {
		if time.Now().After(end) { // The flush and the look for orphans.
			t.Fatal("the jobs do not end")
		}
	}
	storage, buffer := filepath.Join(data, "storage"), filepath.Join(data, "buffer")
	other := filepath.Join(t.TempDir(), "other")
	refused := func(what string, env []string, words ...string) {
		t.Helper()
		before := storageOf(t, storage)
		p := launchWith(t, env, args...)
		status, out := p.exit()
		if status != 1 || out != "" {
			t.Errorf("%s: status %d, %q", what, status, out)
		}
		for _, w := range words {
			if !strings.Contains(p.stderr.String(), w) {
				t.Errorf("%s: the log does not say %q:\n%s", what, w, p.stderr)
			}
		}
		after := storageOf(t, storage)
		for name, content := range before {
			if after[name] != content {
				t.Errorf("%s: %s is gone or changed", what, name)
			}
		}
		if len(after) != len(before) {
			t.Errorf("%s: %d files, %d before", what, len(after), len(before))
		}
	}
	elsewhere := []string{"KALAM_STORAGE_BUFFER_PATH=" + other}
	refused("another buffer while the first runs", elsewhere, "used by another process", storage, buffer,
		fmt.Sprint(first.cmd.Process.Pid))
	if err := first.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if status, _ := first.exit(); status != 0 {
		t.Fatalf("SIGTERM: status %d", status)
	}
	then := time.Now().AddDate(0, 0, -7)
	for name := range storageOf(t, storage) {
		if err := os.Chtimes(name, then, then); err != nil {
			t.Fatal(err)
		}
	}
	refused("another buffer after the first stopped", elsewhere, "is empty", storage, other, "storage.buffer_path")
	if _, err := os.Stat(other); !os.IsNotExist(err) {
		t.Errorf("the other buffer was made: %v", err)
	}
	whole := filepath.Join(t.TempDir(), "whole")
	if err := os.CopyFS(whole, os.DirFS(buffer)); err != nil {
		t.Fatal(err)
	}
	restore := func() {
		t.Helper()
		if err := os.RemoveAll(buffer); err != nil {
			t.Fatal(err)
		}
		if err := os.CopyFS(buffer, os.DirFS(whole)); err != nil {
			t.Fatal(err)
		}
	}
	manifest := filepath.Join(buffer, "MANIFEST")
	info, err := os.Stat(manifest)
	if err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		damage func() error
		words  []string
	}{
		"MANIFEST one byte short": {func() error { return os.Truncate(manifest, info.Size()-1) },
			[]string{"MANIFEST", "backup", buffer}},
		"MANIFEST missing": {func() error { return os.Remove(manifest) },
			[]string{"MANIFEST is missing", "backup", buffer}},
		"buffer empty": {func() error {
			if err := os.RemoveAll(buffer); err != nil {
				return err
			}
			return os.Mkdir(buffer, 0o750)
		}, []string{"is empty", "Mount the volume", buffer, storage}},
	} {
		restore()
		if err := c.damage(); err != nil {
			t.Fatal(err)
		}
		refused(what, nil, c.words...)
	}
	restore()
	last := launch(t, args...)
	last.ready()
	if got := postJSON(t, last.url+"/v1/api/sql", token,
		`{"sql":"SELECT count(*) AS n FROM app.t"}`); !strings.Contains(got, `[["2"]]`) {
		t.Errorf("after all that: %s", got)
	}
}
