package engine_test

import (
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/buffer/buffertest"
	"github.com/kalamlake/kalam/buffer/memory"
)

// TestDiskFull fills the disk under the write buffer: writes of every kind fail
// with a clear code and change nothing, reads go on, and once there is space
// everything works again.
func TestDiskFull(t *testing.T) {
	faulty := &buffertest.Faulty{Backend: memory.New()}
	s := newServer(t)
	s.stop()
	s.opts.Backend = faulty
	s.config.Storage.DataPath = t.TempDir() // Its buffer is another.
	s.start()
	s.must(root, "CREATE NAMESPACE app")
	s.must(root, "CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, v TEXT)")
	alice := userOf("alice")
	s.must(alice, "INSERT INTO app.t VALUES (1, 'a')")
	faulty.Fail(func(int, []buffer.Op) (bool, error) { return false, buffertest.DiskFull() })
	for _, sql := range []string{
		"INSERT INTO app.t VALUES (2, 'b')", "UPDATE app.t SET v = 'x' WHERE id = 1", "DELETE FROM app.t WHERE id = 1",
		"BEGIN; INSERT INTO app.t VALUES (3, 'c'); INSERT INTO app.t VALUES (4, 'd'); COMMIT",
	} {
		if _, err := s.try(alice, sql); kalam.CodeOf(err) != kalam.CodeResourceExhausted {
			t.Errorf("%s: code %d, %v", sql, kalam.CodeOf(err), err)
		}
	}
	if _, err := s.try(root, "CREATE NAMESPACE other"); err == nil {
		t.Error("a namespace was created on a full disk")
	}
	if got := s.must(alice, "SELECT id, v FROM app.t").table(); got != "id | v\n1 | a\n" {
		t.Errorf("on a full disk\n%s", got)
	}
	faulty.Fail(nil)
	s.must(alice, "INSERT INTO app.t VALUES (2, 'b')")
	s.flush()
	if got := s.must(alice, "SELECT id, v FROM app.t ORDER BY id").table(); got != "id | v\n1 | a\n2 | b\n" {
		t.Errorf("with space again\n%s", got)
	}
}
