package engine_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/config"
	"github.com/kalamlake/kalam/lake/s3/s3test"
)

// TestWhoManagesStorages lets dba and system do it, and shows others the names alone.
func TestWhoManagesStorages(t *testing.T) {
	s := newServer(t)
	dir := t.TempDir()
	dba := kalam.Principal{User: "dba", Role: kalam.RoleDBA}
	s.must(dba, "CREATE STORAGE cold TYPE filesystem PATH '"+dir+"' DESCRIPTION 'of the cellar'")
	for _, role := range []kalam.Role{kalam.RoleUser, kalam.RoleService} {
		p := kalam.Principal{User: "someone", Role: role}
		for _, sql := range []string{
			"CREATE STORAGE mine TYPE filesystem PATH '/tmp/mine'", "CREATE STORAGE IF NOT EXISTS cold TYPE filesystem PATH '/x'",
			"ALTER STORAGE cold SET NAME 'x'", "DROP STORAGE cold", "DROP STORAGE IF EXISTS nothing", "STORAGE CHECK cold",
			"ALTER USER someone SET STORAGE cold",
		} {
			_, err := s.try(p, sql)
			if kalam.CodeOf(err) != kalam.CodePermissionDenied || strings.Contains(fmt.Sprint(err), dir) {
				t.Errorf("as %s: %s = %v", role, sql, err)
			}
		}
		shown := s.must(p, "SHOW STORAGES")
		if len(shown.columns) != 3 || strings.Contains(shown.table(), dir) || strings.Contains(shown.table(), "cellar") {
			t.Errorf("as %s: SHOW STORAGES gives %s", role, shown.table())
		}
		if _, err := s.try(p, "SELECT * FROM system.storages"); err == nil {
			t.Errorf("as %s: system.storages can be read", role)
		}
	}
	if got := s.must(dba, "CREATE STORAGE IF NOT EXISTS cold TYPE filesystem PATH '/x'").message; got != "Storage 'cold' already exists" {
		t.Errorf("IF NOT EXISTS answers %q", got)
	}
	if got := s.must(dba, "ALTER STORAGE cold SET NAME 'Cold'").message; got != "Storage 'cold' altered successfully" {
		t.Errorf("ALTER answers %q", got)
	}
	if got := s.must(dba, "DROP STORAGE IF EXISTS nothing").message; got != "Storage 'nothing' does not exist (skipped)" {
		t.Errorf("IF EXISTS answers %q", got)
	}
	for sql, words := range map[string]string{
		"DROP STORAGE local": "Cannot delete storage 'local': it is the default storage",
		"CREATE STORAGE x TYPE filesystem PATH '/proc/nowhere/x'":                                                         "/proc/nowhere/x",
		"CREATE STORAGE x TYPE filesystem PATH '" + dir + "'":                                                             "storage 'cold'",
		"CREATE STORAGE x TYPE filesystem PATH '" + dir + "x' USER_TABLES_TEMPLATE 'a/{namespace}/{tableName}'":           "{userId}",
		"CREATE STORAGE x TYPE filesystem PATH '" + dir + "x' USER_TABLES_TEMPLATE '../{userId}/{namespace}/{tableName}'": "..",
		"CREATE STORAGE x TYPE s3 URI 's3://bucket/' CONFIG '{\"nonsense\": \"1\"}'":                                      "unknown key \"nonsense\"",
		"CREATE STORAGE x TYPE s3 URI 's3://bucket/' CONFIG '{\"endpoint\": \"http://h:1\"}'":                             "allow_http",
	} {
		if _, err := s.try(dba, sql); !strings.Contains(fmt.Sprint(messageOf(err)), words) {
			t.Errorf("%s = %v, want %q", sql, err, words)
		}
	}
}

// TestColdReads counts the requests of reads without a cache, and with one.
func TestColdReads(t *testing.T) {
	s, f := newS3Server(t, func(c *config.Config) { c.Flush.OnShutdown = false })
	alice := s.remoteNotes(f)
	s.must(alice, "INSERT INTO app.notes SELECT 10 + range, 'row' FROM range(5000)")
	s.flush()
	for name, sql := range map[string]string{
		"point read": "SELECT v FROM app.notes WHERE id = 4000", "scan": "SELECT max(v) FROM app.notes",
	} {
		s.stop()
		s.emptyCache()
		s.start()
		s.must(root, "STORAGE CHECK bucket")
		before := f.Requests.Load()
		s.wantCell(alice, sql, "row")
		cold := f.Requests.Load() - before
		before = f.Requests.Load()
		s.wantCell(alice, sql, "row")
		warm := f.Requests.Load() - before
		t.Logf("%s: %d requests cold, %d warm", name, cold, warm)
		if cold > 16 || warm > 0 {
			t.Errorf("%s: %d requests cold, %d warm", name, cold, warm)
		}
	}
}

// TestManySegmentsFromAfar has a cold read of many files wait for some round trips, not for all of them in turn.
func TestManySegmentsFromAfar(t *testing.T) {
	const files, late = 24, 25 * time.Millisecond
	s, f := newS3Server(t, func(c *config.Config) { c.Lake.CompactSegments = 0 })
	alice := s.remoteNotes(f)
	for i := range files {
		s.must(alice, fmt.Sprintf("INSERT INTO app.notes VALUES (%d, 'row')", i+10))
		s.flush()
	}
	s.stop()
	s.emptyCache()
	s.start()
	s.must(root, "STORAGE CHECK bucket")
	f.BreakWith(s3test.Late(late))
	began := time.Now()
	s.wantCell(alice, "SELECT count(*) FROM app.notes WHERE v = 'row'", fmt.Sprint(files))
	took := time.Since(began)
	t.Logf("%d files at %s a request: %s", files, late, took)
	if requests := 2 * files; took > time.Duration(requests)*late {
		t.Errorf("%d files at %s a request: %s", files, late, took)
	}
}

// TestSmallCache reads more than fits in the cache, one table at a time, and refuses what never fits.
func TestSmallCache(t *testing.T) {
	s, f := newS3Server(t, func(c *config.Config) { c.Storage.CacheBytes = 1 << 20 })
	s.createS3(f)
	s.must(root, "CREATE NAMESPACE app")
	alice := userOf("alice")
	for _, name := range []string{"a", "b", "c"} {
		s.must(root, "CREATE USER TABLE app."+name+" (id BIGINT PRIMARY KEY, v TEXT) STORAGE bucket FLUSH_POLICY 'manual'")
		s.must(alice, "INSERT INTO app."+name+" SELECT range, CAST(hash(range) AS TEXT) || CAST(hash(range * 3) AS TEXT) || "+
			"CAST(hash(range * 5) AS TEXT) FROM range(15000)")
		s.flush()
	}
	for range 2 {
		for _, name := range []string{"a", "b", "c"} {
			s.wantCell(alice, "SELECT count(DISTINCT v) FROM app."+name, "15000")
		}
	}
	used := 0
	for _, name := range filesBelow(t, s.config.Storages().Dir, ".object") {
		used++
		_ = name
	}
	if used == 0 || used > 4 {
		t.Errorf("%d files are cached", used)
	}
	_, err := s.try(alice, "SELECT count(*) FROM app.a, app.b, app.c WHERE a.id = b.id AND b.id = c.id AND a.v = c.v")
	if kalam.CodeOf(err) != kalam.CodeResourceExhausted {
		t.Errorf("a query of more than the cache takes = %v", err)
	}
	s.wantCell(alice, "SELECT count(DISTINCT v) FROM app.a", "15000")
}

// TestDamagedBucket has verify and the reads tell of objects that are gone or changed, and go on with the rest.
func TestDamagedBucket(t *testing.T) {
	s, f := newS3Server(t)
	alice, bob := s.remoteNotes(f), userOf("bob")
	s.must(bob, "INSERT INTO app.notes VALUES (1, 'of bob')")
	s.flush()
	s.stop()
	if problems, r, err := verified(t, s.config); r.Problems != 0 || r.Segments != 3 || err != nil {
		t.Errorf("verify finds %+v, %q, %v", r, problems, err)
	}
	for _, key := range f.Keys(t, ".parquet") {
		if strings.Contains(key, "alice") {
			f.Remove(t, key)
		}
	}
	s.emptyCache()
	problems, r, err := verified(t, s.config)
	if r.Problems == 0 || !strings.Contains(strings.Join(problems, "\n"), "alice") || err != nil {
		t.Errorf("verify finds %+v, %q, %v", r, problems, err)
	}
	down(f)
	problems, r, err = verified(t, s.config)
	if r.Problems != 1 || !strings.Contains(strings.Join(problems, "\n"), "Storage 'bucket'") ||
		kalam.CodeOf(err) != kalam.CodeUnavailable {
		t.Errorf("verify of a bucket that does not answer finds %+v, %q, %v", r, problems, err)
	}
	up(f)
	s.start()
	if _, err := s.try(alice, "SELECT count(*) FROM app.notes"); kalam.CodeOf(err) != kalam.CodeCorrupt {
		t.Errorf("a read of what is gone = %v", err)
	}
	s.wantCell(bob, "SELECT v FROM app.notes", "of bob")
	check := s.must(root, "STORAGE CHECK bucket").rows[0]
	if plainCell(check[1]) != "degraded" || !strings.Contains(check[9], "storage 'bucket'") {
		t.Errorf("STORAGE CHECK gives %q", check)
	}
}
