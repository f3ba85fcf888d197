package engine_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kalamlake/kalam"
)

// TestUserStorage has the rows of users with a storage go there, if the table lets them.
func TestUserStorage(t *testing.T) {
	s := newServer(t)
	dir := t.TempDir()
	for _, id := range []string{"cold", "eu", "us"} {
		s.must(root, fmt.Sprintf("CREATE STORAGE %s TYPE filesystem PATH '%s'", id, filepath.Join(dir, id)))
	}
	s.must(root, "CREATE USER alice WITH PASSWORD 'a-good-password' STORAGE eu")
	s.must(root, "CREATE USER bob WITH PASSWORD 'a-good-password'")
	if _, err := s.try(root, "ALTER USER bob SET STORAGE nowhere"); kalam.CodeOf(err) != kalam.CodeNotFound {
		t.Errorf("an unknown storage = %v", err)
	}
	s.must(root, "CREATE NAMESPACE app")
	s.must(root, "CREATE USER TABLE app.moves (id BIGINT PRIMARY KEY, v TEXT) STORAGE cold USE_USER_STORAGE FLUSH_POLICY 'manual'")
	s.must(root, "CREATE USER TABLE app.stays (id BIGINT PRIMARY KEY, v TEXT) STORAGE cold FLUSH_POLICY 'manual'")
	s.must(root, "CREATE USER TABLE app.nowhere (id BIGINT PRIMARY KEY, v TEXT) USE_USER_STORAGE FLUSH_POLICY 'manual'")
	alice, bob := userOf("alice"), userOf("bob")
	write := func(id int) {
		t.Helper()
		for _, table := range []string{"moves", "stays", "nowhere"} {
			for _, user := range []kalam.Principal{alice, bob} {
				s.must(user, fmt.Sprintf("INSERT INTO app.%s VALUES (%d, 'of %s')", table, id, user.User))
			}
		}
		s.flush()
	}
	where := func(storage, user, table, suffix string) int {
		t.Helper()
		at := filepath.Join(dir, storage)
		if storage == "local" {
			at = s.config.StoragePath()
		}
		n := 0
		for _, p := range filesBelow(t, at, suffix) {
			if strings.HasPrefix(p, "users/"+user+"/app/"+table+"/") {
				n++
			}
		}
		return n
	}
	want := func(when string, files map[string]int) {
		t.Helper()
		for _, suffix := range []string{".parquet", "manifest.json"} {
			for _, storage := range []string{"cold", "eu", "us", "local"} {
				for _, place := range []string{"alice moves", "alice stays", "alice nowhere", "bob moves", "bob stays", "bob nowhere"} {
					user, table, _ := strings.Cut(place, " ")
					n := files[place+" "+storage]
					if suffix == "manifest.json" {
						n = min(n, 1)
					}
					if got := where(storage, user, table, suffix); got != n {
						t.Errorf("%s %s has %d %s in %s, want %d", when, place, got, suffix, storage, n)
					}
				}
			}
		}
		for _, table := range []string{"moves", "stays", "nowhere"} {
			s.wantCell(alice, "SELECT count(*) FROM app."+table+" WHERE v = 'of alice'", fmt.Sprint(files["rows"]))
			s.wantCell(bob, "SELECT count(*) FROM app."+table+" WHERE v = 'of bob'", fmt.Sprint(files["rows"]))
		}
	}
	write(1)
	want("at first", map[string]int{
		"rows": 1, "alice moves eu": 1, "alice stays cold": 1, "alice nowhere eu": 1,
		"bob moves cold": 1, "bob stays cold": 1, "bob nowhere local": 1,
	})
	moves := s.must(root, "ALTER USER alice SET STORAGE us")
	if len(moves.jobs) != 2 || !strings.HasPrefix(moves.message, "User 'alice' updated. Files are moved by jobs") {
		t.Errorf("ALTER USER answers %q, %q", moves.message, moves.jobs)
	}
	for _, id := range moves.jobs {
		if j := s.await(id); j.Status != kalam.JobCompleted || !strings.HasPrefix(j.Message, "Move completed") {
			t.Errorf("the move is %s: %s %s", j.Status, j.Message, j.Error)
		}
	}
	want("after ALTER USER", map[string]int{
		"rows": 1, "alice moves us": 1, "alice stays cold": 1, "alice nowhere us": 1,
		"bob moves cold": 1, "bob stays cold": 1, "bob nowhere local": 1,
	})
	write(2)
	want("after another flush", map[string]int{
		"rows": 2, "alice moves us": 2, "alice stays cold": 2, "alice nowhere us": 2,
		"bob moves cold": 2, "bob stays cold": 2, "bob nowhere local": 2,
	})
	s.must(root, "DROP STORAGE eu")
	if _, err := s.try(root, "DROP STORAGE us"); !strings.Contains(fmt.Sprint(err), "alice") {
		t.Errorf("DROP STORAGE of a user's = %v", err)
	}
	s.must(alice, "UPDATE app.moves SET v = v WHERE id = 1")
	s.must(alice, "DELETE FROM app.moves WHERE id = 99")
	s.flush()
	s.restart()
	s.compact()
	want("after a compaction", map[string]int{
		"rows": 2, "alice moves us": 1, "alice stays cold": 1, "alice nowhere us": 1,
		"bob moves cold": 1, "bob stays cold": 1, "bob nowhere local": 1,
	})
	for _, table := range []string{"app.moves", "app.stays", "app.nowhere"} {
		s.dropTable(table)
	}
	for _, storage := range []string{"cold", "us"} {
		if left := filesBelow(t, filepath.Join(dir, storage), ""); len(left) != 2 { // Mark and lock.
			t.Errorf("left in %s are %q", storage, left)
		}
	}
	s.must(root, "ALTER USER alice SET STORAGE NULL")
	s.must(root, "DROP STORAGE us")
	s.must(root, "DROP STORAGE cold")
}

// TestMoveTable brings the files of a table to another storage and back, while it is written and read.
func TestMoveTable(t *testing.T) {
	s, f := newS3Server(t)
	s.createS3(f)
	s.must(root, "CREATE NAMESPACE app")
	s.must(root, "CREATE USER TABLE app.notes (id BIGINT PRIMARY KEY, v TEXT) FLUSH_POLICY 'manual'")
	s.must(root, "CREATE SHARED TABLE app.things (id BIGINT PRIMARY KEY, v TEXT) FLUSH_POLICY 'manual'")
	s.must(root, "CREATE STREAM TABLE app.events (id BIGINT PRIMARY KEY) TTL 60")
	users := []kalam.Principal{userOf("alice"), userOf("bob"), userOf("carol")}
	for _, u := range users {
		s.must(u, "INSERT INTO app.notes VALUES (1, 'a'), (2, 'b'), (3, 'c')")
	}
	s.must(root, "INSERT INTO app.things VALUES (1, 'a')")
	s.flush()
	for _, u := range users {
		s.must(u, "UPDATE app.notes SET v = 'changed' WHERE id = 2")
		s.must(u, "DELETE FROM app.notes WHERE id = 3")
	}
	move := func(table, storage string, jobs int) {
		t.Helper()
		r := s.must(root, "ALTER TABLE "+table+" SET STORAGE "+storage)
		if len(r.jobs) != jobs || !strings.HasPrefix(r.message, "Table "+table+" altered successfully: SET STORAGE "+storage) {
			t.Errorf("ALTER TABLE answers %q, %q", r.message, r.jobs)
		}
		for _, id := range r.jobs {
			if j := s.await(id); j.Status != kalam.JobCompleted {
				t.Fatalf("the move is %s: %s %s", j.Status, j.Message, j.Error)
			}
		}
		for _, u := range users {
			s.wantCell(u, "SELECT string_agg(id || v, ',' ORDER BY id) FROM app.notes", "1a,2changed")
			s.wantCell(u, "SELECT v FROM app.notes WHERE id = 2", "changed")
		}
		s.wantCell(root, "SELECT count(*) FROM app.things", "1")
	}
	move("app.notes", "bucket", 1)
	move("app.notes", "bucket", 0)
	move("app.things", "bucket", 1)
	if n := len(filesBelow(t, s.config.StoragePath(), ".parquet")); n != 0 {
		t.Errorf("%d segments are still local", n)
	}
	if left := filesBelow(t, s.config.StoragePath(), "manifest.json"); len(left) != 0 {
		t.Errorf("still local are %q", left)
	}
	if n := len(f.Keys(t, ".parquet")); n != 4 {
		t.Errorf("%d segments in the bucket", n)
	}
	s.flush()
	s.restart()
	move("app.notes", "local", 1)
	move("app.things", "local", 1)
	if left := f.Keys(t, ".parquet"); len(left) != 0 {
		t.Errorf("in the bucket are %q", left)
	}
	s.must(root, "DROP STORAGE bucket")
	for sql, code := range map[string]kalam.Code{
		"ALTER TABLE app.notes SET STORAGE nowhere":         kalam.CodeNotFound,
		"ALTER TABLE app.nothing SET STORAGE local":         kalam.CodeTableNotFound,
		"ALTER TABLE app.events SET STORAGE local":          kalam.CodeInvalidOperation,
		"ALTER SHARED TABLE app.notes SET STORAGE_ID local": kalam.CodeInvalidOperation,
	} {
		if _, err := s.try(root, sql); kalam.CodeOf(err) != code {
			t.Errorf("%s = %v", sql, err)
		}
	}
	if _, err := s.try(users[0], "ALTER TABLE app.things SET STORAGE local"); err == nil {
		t.Error("role user moves a SHARED table")
	}
}
