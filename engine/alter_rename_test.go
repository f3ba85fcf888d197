package engine_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/maintain/adopt"
)

// renamedTables makes app.moved of app.t, and another app.t, both with rows in files and in the buffer.
func renamedTables(s *server) {
	ann := userOf("ann")
	s.must(root, "CREATE NAMESPACE app; CREATE USER TABLE app.t (id INT PRIMARY KEY, v TEXT); CREATE SHARED TABLE app.s (id INT PRIMARY KEY, v TEXT)")
	s.must(ann, "INSERT INTO app.t VALUES (1, 'first'), (2, 'deleted')")
	s.must(root, "INSERT INTO app.s VALUES (1, 'first')")
	s.flush()
	s.must(ann, "INSERT INTO app.t VALUES (3, 'buffered')")
	s.must(root, "ALTER TABLE app.t RENAME TO moved; ALTER TABLE app.s RENAME TO moved_s")
	s.must(root, "CREATE USER TABLE app.t (id INT PRIMARY KEY, v TEXT); CREATE SHARED TABLE app.s (id INT PRIMARY KEY, v TEXT)")
	s.must(ann, "INSERT INTO app.t VALUES (1, 'of the second')")
	s.must(root, "INSERT INTO app.s VALUES (1, 'of the second')")
	s.must(ann, "DELETE FROM app.moved WHERE id = 2")
}

// wantRenamed checks what both tables hold.
func (s *server) wantRenamed(when string) {
	s.t.Helper()
	for sql, want := range map[string]string{
		"SELECT id, v FROM app.moved ORDER BY id":   "id | v\n1 | first\n3 | buffered\n",
		"SELECT v FROM app.moved WHERE id = 1":      "v\nfirst\n",
		"SELECT id, v FROM app.t ORDER BY id":       "id | v\n1 | of the second\n",
		"SELECT id, v FROM app.s ORDER BY id":       "id | v\n1 | of the second\n",
		"SELECT id, v FROM app.moved_s ORDER BY id": "id | v\n1 | first\n",
	} {
		who := userOf("ann")
		if strings.Contains(sql, "s ORDER") {
			who = root
		}
		if got := s.must(who, sql).table(); got != want {
			s.t.Errorf("%s: %s:\n%swant\n%s", when, sql, got, want)
		}
	}
}

// TestRenameTable: the rows and files of a table are its own, whatever it is called, and another table of its old name
// has none of them.
func TestRenameTable(t *testing.T) {
	s := newServer(t)
	renamedTables(s)
	s.wantRenamed("renamed")
	s.flush()
	s.wantRenamed("flushed")
	s.compactAll()
	s.wantRenamed("compacted")
	s.restart()
	s.wantRenamed("restarted")
	history := s.must(root, "SELECT table_name, schema_version, changes FROM system.table_schemas WHERE table_name = 'moved' ORDER BY schema_version").table()
	if history != "table_name | schema_version | changes\nmoved | 1 | CREATE TABLE\nmoved | 2 | RENAME TO moved\n" {
		t.Errorf("the history is\n%s", history)
	}
	s.stop() // A week later, so that what belongs to nothing goes.
	aWeekOld(t, s.config.Storage.DataPath)
	s.opts.Now = nextWeek
	s.start()
	if r, err := s.Maintain().RemoveOrphans(t.Context()); err != nil || r.FilesTrashed > 0 {
		t.Errorf("orphans: %+v, %v", r, err)
	}
	s.wantRenamed("after the collection of orphans")
	s.must(root, "DROP TABLE app.t")
	s.await(s.must(root, "DROP TABLE app.s").jobs[0])
	s.restart()
	if got := s.must(userOf("ann"), "SELECT id, v FROM app.moved ORDER BY id").table(); got != "id | v\n1 | first\n3 | buffered\n" {
		t.Errorf("after the drop of the table that has its old name:\n%s", got)
	}
	s.must(root, "ALTER TABLE app.moved RENAME TO t")
	s.must(root, "CREATE USER TABLE app.moved (id INT PRIMARY KEY, v TEXT)")
	s.must(userOf("ann"), "INSERT INTO app.moved VALUES (7, 'third')")
	s.flush()
	s.await(s.must(root, "DROP TABLE app.t").jobs[0])
	s.restart()
	if got := s.must(userOf("ann"), "SELECT id, v FROM app.moved ORDER BY id").table(); got != "id | v\n7 | third\n" {
		t.Errorf("the third table holds\n%s", got)
	}
	files, err := filepath.Glob(filepath.Join(s.config.Storage.DataPath, "storage/users/ann/app/t/*.parquet"))
	if err != nil || len(files) > 0 {
		t.Errorf("files of the first table are left: %v, %v", files, err)
	}
}

// TestRenameTableFolders: no two tables have the same folder, whatever they are called.
func TestRenameTableFolders(t *testing.T) {
	s := newServer(t)
	s.must(root, "CREATE NAMESPACE app")
	folders := map[kalam.TableName]string{}
	for i := range 12 {
		s.must(root, "CREATE USER TABLE app.t (id INT PRIMARY KEY)")
		if i%3 == 0 {
			s.must(root, fmt.Sprintf("CREATE USER TABLE app.t_%d (id INT PRIMARY KEY)", 2*i+4))
		}
		s.must(root, fmt.Sprintf("ALTER TABLE app.t RENAME TO n%d", i))
		if i%4 == 0 {
			s.restart()
		}
	}
	for _, table := range s.Catalog().Tables("app") {
		if other := folders[table.FolderName()]; other != "" {
			t.Errorf("%s and %s have the folder %s", table.ID, other, table.FolderName())
		}
		folders[table.FolderName()] = table.ID.String()
	}
	if len(folders) != 16 {
		t.Errorf("%d tables", len(folders))
	}
}

// TestRenameTableRefused: names that are taken, of other namespaces, or no names.
func TestRenameTableRefused(t *testing.T) {
	s := newServer(t)
	ann := userOf("ann")
	s.must(root, "CREATE NAMESPACE app; CREATE NAMESPACE other; CREATE USER TABLE app.t (id INT PRIMARY KEY); CREATE USER TABLE app.u (id INT PRIMARY KEY)")
	for sql, want := range map[string]string{
		"ALTER TABLE app.t RENAME TO u":       "Table app.u already exists",
		"ALTER TABLE app.t RENAME TO other.t": "cannot be moved to another namespace",
		"ALTER TABLE app.nope RENAME TO t2":   "relation 'app.nope' does not exist",
		"ALTER TABLE app.t RENAME TO select":  "reserved word",
	} {
		if _, err := s.try(root, sql); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", sql, err, want)
		}
	}
	if _, err := s.try(ann, "ALTER TABLE app.t RENAME TO mine"); kalam.CodeOf(err) != kalam.CodePermissionDenied {
		t.Errorf("a user renames: %v", err)
	}
	if got := s.must(root, "ALTER TABLE app.t RENAME TO app.T").message; got != "Table app.t unchanged: RENAME TO t (version 1 - no changes needed)" {
		t.Error(got)
	}
}

// TestRenameTableAdopted: when the write buffer is lost, tables that were renamed get the names that their newest files
// know, and their rows.
func TestRenameTableAdopted(t *testing.T) {
	s := newServer(t)
	renamedTables(s)
	s.flush()
	s.must(root, "INSERT INTO app.moved_s VALUES (2, 'later')")
	s.flush()
	s.stop()
	report := adoptAnew(t, s.config, adopt.Options{})
	if !report.Complete() {
		t.Errorf("the report:\n%s", textOf(t, report))
	}
	s.start()
	s.must(root, "DELETE FROM app.moved_s WHERE id = 2")
	s.wantRenamed("adopted")
	s.flush()
	s.restart()
	s.wantRenamed("adopted and flushed")
}

// TestComments: comments of tables and columns are shown, and gone when they are taken away.
func TestComments(t *testing.T) {
	s := newServer(t)
	s.must(root, "CREATE NAMESPACE app; CREATE USER TABLE app.t (id INT PRIMARY KEY, v TEXT)")
	shown := func() string {
		return s.single(root, "SELECT comment FROM system.tables WHERE table_name = 't'") + " " +
			s.must(root, "DESCRIBE app.t").rows[1][7] + " " +
			s.single(root, "SELECT comment FROM system.columns WHERE table_name = 't' AND column_name = 'v'")
	}
	if got := s.must(root, "COMMENT ON TABLE app.t IS 'it''s'").message; got != "Table app.t altered successfully: COMMENT ON TABLE (version 2)" {
		t.Error(got)
	}
	s.must(root, "COMMENT ON COLUMN app.t.v IS 'a value'")
	s.restart()
	if got := shown(); got != `"it's" "a value" "a value"` {
		t.Errorf("shown are %s", got)
	}
	s.must(root, "COMMENT ON TABLE app.t IS NULL; COMMENT ON COLUMN app.t.v IS ''")
	if got := shown(); got != "null null null" {
		t.Errorf("shown are %s", got)
	}
	for sql, want := range map[string]string{
		"COMMENT ON COLUMN app.t.nope IS 'x'":                              "Column 'nope' does not exist",
		"COMMENT ON TABLE app.t IS '" + strings.Repeat("x", 5000) + "'":    "longer than 4096 bytes",
		"COMMENT ON COLUMN app.t.v IS '" + strings.Repeat("x", 5000) + "'": "longer than 4096 bytes",
	} {
		if _, err := s.try(root, sql); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40s: %v, want %q", sql, err, want)
		}
	}
}
