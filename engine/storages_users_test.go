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
						if n == 1 && files[place+" newest"] != 0 && storage != "us" {
							n = 0 // It is where new files go.
						}
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
	s.must(root, "ALTER USER alice SET STORAGE us")
	write(2)
	want("after ALTER USER", map[string]int{
		"rows": 2, "alice moves eu": 1, "alice moves us": 1, "alice stays cold": 2, "alice nowhere eu": 1, "alice nowhere us": 1,
		"bob moves cold": 2, "bob stays cold": 2, "bob nowhere local": 2, "alice moves newest": 1, "alice nowhere newest": 1,
	})
	if _, err := s.try(root, "DROP STORAGE eu"); !strings.Contains(fmt.Sprint(err), "app.moves, app.nowhere") {
		t.Errorf("DROP STORAGE of what still has files = %v", err)
	}
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
	s.must(root, "DROP STORAGE eu")
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
