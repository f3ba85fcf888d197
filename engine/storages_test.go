package engine_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/config"
)

// filesBelow returns the paths of the files of a directory with a suffix.
func filesBelow(t *testing.T, dir, suffix string) (found []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() && strings.HasSuffix(path, suffix) {
			rel, relErr := filepath.Rel(dir, path)
			found, err = append(found, rel), relErr
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// isolations runs a test with queries in processes and in the server's.
func isolations(t *testing.T, test func(t *testing.T, isolation string)) {
	for _, isolation := range []string{config.IsolationProcess, config.IsolationNone} {
		t.Run(isolation, func(t *testing.T) { test(t, isolation) })
	}
}

func TestFilesystemStorage(t *testing.T) {
	isolations(t, func(t *testing.T, isolation string) {
		s := newServer(t, func(c *config.Config) { c.Query.Isolation = isolation })
		dir := filepath.Join(t.TempDir(), "cold")
		if got := s.must(root, "CREATE STORAGE cold TYPE filesystem NAME 'Cold' PATH '"+dir+"'").message; got !=
			"Storage 'cold' created successfully" {
			t.Errorf("message %q", got)
		}
		s.must(root, "CREATE NAMESPACE app")
		s.must(root, "CREATE USER TABLE app.notes (id BIGINT PRIMARY KEY, body TEXT) STORAGE_ID 'cold' FLUSH_POLICY 'manual'")
		alice := userOf("alice")
		for i := range 3 {
			s.must(alice, "INSERT INTO app.notes VALUES ("+string(rune('1'+i))+", 'note')")
			s.flush()
		}
		if n := len(filesBelow(t, dir, ".parquet")); n != 3 {
			t.Fatalf("%d segments in the storage", n)
		}
		if n := len(filesBelow(t, s.config.StoragePath(), ".parquet")); n != 0 {
			t.Fatalf("%d segments in the local storage", n)
		}
		s.wantCell(alice, "SELECT count(*) FROM app.notes", "3")
		s.must(alice, "UPDATE app.notes SET body = 'changed' WHERE id = 2")
		s.must(alice, "DELETE FROM app.notes WHERE id = 3")
		s.flush()
		s.compact()
		s.wantCell(alice, "SELECT count(*) FROM app.notes WHERE body = 'note' OR id = 2", "2")
		s.restart()
		s.wantCell(alice, "SELECT count(*) FROM app.notes", "2")
		s.wantCell(alice, "SELECT body FROM app.notes WHERE id = 2", "changed")
		_, err := s.try(root, "DROP STORAGE cold")
		if kalam.CodeOf(err) != kalam.CodeInvalidOperation || !strings.Contains(err.Error(), "app.notes") {
			t.Errorf("DROP STORAGE = %v", err)
		}
		s.dropTable("app.notes")
		if left := filesBelow(t, dir, ""); len(left) != 2 { // Mark and lock.
			t.Errorf("left are %q", left)
		}
		s.must(root, "DROP STORAGE cold")
		if left := filesBelow(t, dir, "lake.json"); len(left) != 0 {
			t.Errorf("left are %q", left)
		}
	})
}

// wantCell wants a query to give one cell.
func (s *server) wantCell(p kalam.Principal, sql, want string) {
	s.t.Helper()
	if got := plainCell(s.single(p, sql)); got != want {
		s.t.Errorf("as %s: %s gives %s, want %s", p.User, sql, got, want)
	}
}

// dropTable drops a table and waits until nothing of it is left.
func (s *server) dropTable(name string) {
	s.t.Helper()
	for _, id := range s.must(root, "DROP TABLE "+name).jobs {
		if j := s.await(id); j.Status != kalam.JobCompleted {
			s.t.Fatalf("cleanup of %s is %s: %s", name, j.Status, j.Error)
		}
	}
}
