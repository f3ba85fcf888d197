//go:build unix

package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// exposed lists what of a directory others than its owner may read or enter.
func exposed(t *testing.T, dir string) (list []string, files int) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		files++
		if info.Mode().Perm()&0o077 != 0 || d.IsDir() && info.Mode().Perm() != 0o700 {
			list = append(list, fmt.Sprintf("%s %s", info.Mode(), path))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list, files
}

// TestDataIsPrivate starts a server under an umask that hides nothing, writes, flushes
// and stops it: nobody but its owner may read a file or enter a folder of it. The data
// directory is one that the server makes, and one below a folder that is there.
func TestDataIsPrivate(t *testing.T) {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	p := &process{t: t, dir: t.TempDir(), env: []string{"KALAM_LOG_FILE=data/log/kalamd.log"}}
	p.start()
	defer p.kill()
	token := p.login("root", testRootPassword)
	for _, sql := range []string{
		"CREATE NAMESPACE app", "CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, v TEXT)",
		"INSERT INTO app.t VALUES (1, 'x')",
		"STORAGE FLUSH TABLE app.t", "INSERT INTO app.t VALUES (2, '" + strings.Repeat("x", 100000) + "')",
	} {
		p.sql(token, sql)
	}
	p.stop()
	data := filepath.Join(p.dir, "data")
	list, files := exposed(t, data)
	if len(list) > 0 {
		t.Errorf("others may read:\n%s", strings.Join(list, "\n"))
	}
	parquet, err := filepath.Glob(filepath.Join(data, "storage/users/*/*/*/*.parquet"))
	if err != nil || len(parquet) == 0 || files < 15 {
		t.Errorf("%d files, parquet %v, %v", files, parquet, err)
	}
	if strings.Contains(p.log.String(), "other users of this machine") {
		t.Errorf("a warning without reason:\n%s", &p.log)
	}

	// A directory that was there keeps its mode, and the log says so.
	if err := os.Chmod(data, 0o755); err != nil {
		t.Fatal(err)
	}
	p.env = nil
	p.start()
	p.stop()
	if info, err := os.Stat(data); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if log := p.log.String(); !strings.Contains(log, "other users of this machine can enter the data directory") ||
		!strings.Contains(log, data) {
		t.Errorf("no warning:\n%s", log)
	}
}
