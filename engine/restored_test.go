package engine_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kalamlake/kalam"
)

// TestOlderBufferThenTheNewest runs a server on a backup of the buffer, has it
// compact, and puts the newest buffer back: what that names is there. Files that the
// backup's server alone has made do not pile up.
func TestOlderBufferThenTheNewest(t *testing.T) {
	for _, sameRun := range []bool{false, true} {
		t.Run(fmt.Sprintf("same run %v", sameRun), func(t *testing.T) {
			s := newServer(t)
			fillLake(s)
			id := int64(100)
			more := func(flushes int) {
				for range flushes {
					id++
					s.must(userOf("alice"), "INSERT INTO app.t VALUES ($1, 'more')", kalam.BigInt(id))
					s.flush()
				}
			}
			more(2)
			backup, newest := t.TempDir(), t.TempDir()
			if !sameRun {
				s.stop()
			}
			copyTree(t, s.config.BufferPath(), backup)
			if !sameRun {
				s.start()
			}
			more(2)
			const query = "SELECT id, v FROM app.t ORDER BY id"
			want := s.must(userOf("alice"), query).table()
			s.stop()
			copyTree(t, s.config.BufferPath(), newest)
			swap := func(from string) {
				must(t, os.RemoveAll(s.config.BufferPath()))
				copyTree(t, from, s.config.BufferPath())
			}
			swap(backup)
			before := parquetFiles(t, s.config.StoragePath(), "alice")
			s.start()
			s.compact()
			s.stop() // It removes what nobody reads.
			for name := range before {
				if _, err := os.Stat(name); err != nil {
					t.Errorf("the server on the backup removed %v", err)
				}
			}
			s.start()
			if !sameRun { // Its manifest.json is ahead until the other has flushed as often.
				s.awaitOrphans()
				more(4)
				made := len(parquetFiles(t, s.config.StoragePath(), "alice"))
				s.compact()
				s.compact()
				deadline := time.Now().Add(time.Minute)
				for len(parquetFiles(t, s.config.StoragePath(), "alice")) >= made && time.Now().Before(deadline) {
					s.compact()
				}
				if left := len(parquetFiles(t, s.config.StoragePath(), "alice")); left >= made {
					t.Errorf("%d files after the compaction of its own, %d before", left, made)
				}
			}
			s.stop()
			swap(newest)
			s.start()
			if got := s.must(userOf("alice"), query).table(); got != want {
				t.Errorf("the newest buffer answers\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// TestFlushBesideRecovery has a flush commit between the moment in which a start reads
// a record and that in which it looks at manifest.json: the buffer is not older.
func TestFlushBesideRecovery(t *testing.T) {
	s := newServer(t)
	fillLake(s)
	table, ok := s.Catalog().Table(kalam.TableID{Namespace: "app", Name: "t"})
	if !ok {
		t.Fatal("no table")
	}
	scope := table.ScopeOf("alice")
	read, err := s.Record(t.Context(), scope)
	must(t, err)
	s.flush() // Of the row that fillLake leaves in the buffer.
	must(t, s.Maintain().SyncManifest(t.Context(), table, scope, read))
	if s.Restored() {
		t.Error("the buffer is taken for an older one")
	}
}

// parquetFiles returns the Parquet files of a user.
func parquetFiles(t *testing.T, storage, user string) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	must(t, filepath.WalkDir(filepath.Join(storage, "users", user), func(p string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(p, ".parquet") {
			found[p] = true
		}
		return err
	}))
	return found
}
