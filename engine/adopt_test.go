package engine_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/config"
	"github.com/kalamlake/kalam/engine"
	"github.com/kalamlake/kalam/maintain/adopt"
)

// adoptUsers own rows in the lakes of these tests; their ids are hard for folders.
var adoptUsers = []string{"alice", "Bob", "con", "user_1", "zoë@x.org"}

// adoptTables are the tables of adoptLake with their owners.
var adoptTables = []string{"app.notes", "app.wide", "zoo.animals", "zoo.rules", "zoo.counted"}

// answersOf returns every row, with its _seq, that users find in the tables, and what the
// catalog says of these.
func answersOf(s *server, users, tables []string) map[string]string {
	s.t.Helper()
	out := map[string]string{}
	for _, table := range tables {
		for _, u := range users {
			r := s.must(userOf(u), "SELECT *, _seq FROM "+table+" ORDER BY _seq")
			out[table+" of "+u] = r.table()
		}
		out["columns of "+table] = s.must(root, "DESCRIBE TABLE "+table).table()
	}
	return out
}

// adoptLake makes a lake with two namespaces, flushed in pieces, with updates, deletes, a
// key that was deleted and inserted again, a compaction, and a table of every type. Every
// row is flushed.
func adoptLake(s *server) {
	s.must(root, "CREATE NAMESPACE app")
	s.must(root, "CREATE NAMESPACE zoo")
	s.must(root, `CREATE USER TABLE app.notes (id BIGINT PRIMARY KEY DEFAULT SNOWFLAKE_ID(), body TEXT NOT NULL, n INT DEFAULT 7,
		tags JSON) WITH (FLUSH_POLICY = 'manual', DELETED_RETENTION_HOURS = 5)`)
	s.must(root, `CREATE USER TABLE app.wide (k TEXT, d DATE, b BOOLEAN, s SMALLINT, f FLOAT, g DOUBLE, dec DECIMAL(12,3), ts TIMESTAMP,
		dt DATETIME, ti TIME, j JSON, bin BYTES, u UUID, x TEXT DEFAULT 'it''s', PRIMARY KEY (k, d)) WITH (FLUSH_POLICY = 'manual')`)
	s.must(root,
		"CREATE SHARED TABLE zoo.animals (name TEXT PRIMARY KEY, legs INT) WITH (FLUSH_POLICY = 'manual', ACCESS_LEVEL = 'public')")
	s.must(root, "CREATE USER TABLE zoo.rules (id BIGINT PRIMARY KEY, t TEXT) WITH (FLUSH_POLICY = 'manual')")
	s.must(root, "CREATE USER TABLE zoo.counted (id INT PRIMARY KEY AUTO_INCREMENT, v TEXT) WITH (FLUSH_POLICY = 'manual')")
	s.must(root, "CREATE STREAM TABLE zoo.typing (id BIGINT PRIMARY KEY) WITH (TTL_SECONDS = 600)")
	for i := range 4 {
		for _, u := range adoptUsers {
			p := userOf(u)
			for k := range 5 {
				s.must(p, fmt.Sprintf("INSERT INTO app.notes (id, body, tags) VALUES (%d, '%s %d', '{\"a\":%d}')", 10*i+k,
					strings.ReplaceAll(u, "'", ""), k, k))
			}
			s.must(p, fmt.Sprintf(`INSERT INTO app.wide (k, d, b, s, f, g, dec, ts, dt, ti, j, bin, u) VALUES ('k%d', '2026-01-0%d', true, -3, 1.5, -0.0, 12.345,
				'2026-01-02 03:04:05.123456', '2026-01-02 03:04:05Z', '01:02:03', '[1]', X'00ff', '0197f3c2-6a10-7c11-9f00-12345678900%d')`, i, i+1, i))
			s.must(p, fmt.Sprintf("INSERT INTO zoo.rules VALUES (%d, 'rule')", i))
			s.must(p, "INSERT INTO zoo.counted (v) VALUES ('x'), ('y')")
			s.must(p, fmt.Sprintf("DELETE FROM zoo.counted WHERE id > %d", 2*i+1)) // The highest is never given again.
			if i > 0 {
				s.must(p, fmt.Sprintf("UPDATE app.notes SET body = 'changed %d' WHERE id = %d", i, 10*(i-1)+1))
				s.must(p, fmt.Sprintf("DELETE FROM app.notes WHERE id = %d", 10*(i-1)+2))
				s.must(p, fmt.Sprintf("UPDATE app.wide SET x = NULL WHERE k = 'k%d'", i-1))
			}
			if i == 3 {
				s.must(p, "INSERT INTO app.notes (id, body) VALUES (2, 'back again')")
			}
		}
		s.must(root, fmt.Sprintf("INSERT INTO zoo.animals VALUES ('a%d', %d), ('b%d', 2)", i, i, i))
		if i == 2 {
			s.must(root, "DELETE FROM zoo.animals WHERE name = 'a0'")
			s.must(root, "UPDATE zoo.animals SET legs = 99 WHERE name = 'b0'")
		}
		s.flush()
		if i == 1 {
			s.compactAll()
		}
	}
}

// compactAll compacts every table and waits for the jobs.
func (s *server) compactAll() {
	s.t.Helper()
	for _, id := range s.must(root, "STORAGE COMPACT ALL").jobs {
		if j := s.await(id); j.Status != kalam.JobCompleted && j.Status != kalam.JobSkipped {
			s.t.Fatalf("job %s is %s: %s", id, j.Status, j.Error)
		}
	}
}

// adoptAnew loses the buffer of a stopped server and adopts what is in the storage.
func adoptAnew(t testing.TB, cfg config.Config, o adopt.Options) *adopt.Report {
	t.Helper()
	must(t, os.RemoveAll(cfg.BufferPath()))
	report, err := adopt.Run(context.Background(), cfg.Adopt(), o)
	must(t, err)
	return report
}

func textOf(t testing.TB, r *adopt.Report) string {
	t.Helper()
	var b bytes.Buffer
	_, err := r.WriteTo(&b)
	must(t, err)
	return b.String()
}

func sameAnswers(t testing.TB, want, got map[string]string) {
	t.Helper()
	for _, k := range slices.Sorted(maps.Keys(want)) {
		if want[k] != got[k] {
			t.Errorf("%s was\n%sand is now\n%s", k, want[k], got[k])
		}
	}
}

// TestAdopt loses the write buffer of a lake (case D1) and brings it back from its files:
// the answers are those of before, and the lake goes on.
func TestAdopt(t *testing.T) {
	s := newServer(t)
	adoptLake(s)
	before := answersOf(s, adoptUsers, adoptTables)
	seq := s.single(root, "SELECT SNOWFLAKE_ID() AS id")
	s.stop()
	files := withoutMark(treeOf(t, s.config.StoragePath()))
	must(t, os.RemoveAll(s.config.BufferPath()))

	dry := adoptAnew(t, s.config, adopt.Options{DryRun: true})
	sameTree(t, "storage", files, withoutMark(treeOf(t, s.config.StoragePath())))
	if _, err := os.Stat(s.config.BufferPath()); !os.IsNotExist(err) {
		t.Errorf("a dry run made the buffer: %v", err)
	}
	report := adoptAnew(t, s.config, adopt.Options{})
	if !report.Complete() || len(report.Damaged)+len(report.Unneeded)+len(report.Notes) > 0 {
		t.Errorf("an undamaged lake is reported as\n%s", textOf(t, report))
	}
	sameTree(t, "storage", files, withoutMark(treeOf(t, s.config.StoragePath())))
	if a, b := textOf(t, dry), textOf(t, report); strings.Replace(a,
		"would be adopted (dry run: nothing was changed)", "adopted", 1) != b {
		t.Errorf("the dry run said\n%sand then it was\n%s", a, b)
	}

	s.start()
	sameAnswers(t, before, answersOf(s, adoptUsers, adoptTables))
	if next := s.single(root, "SELECT SNOWFLAKE_ID() AS id"); next <= seq {
		t.Errorf("the clock went back from %s to %s", seq, next)
	}
	alice := userOf("alice")
	s.must(alice, "UPDATE app.notes SET body = 'after' WHERE id = 30")
	s.must(alice, "DELETE FROM app.notes WHERE id = 31")
	s.must(alice, "INSERT INTO app.notes (body) VALUES ('new')")
	if _, err := s.try(alice, "INSERT INTO app.notes (id, body) VALUES (32, 'twice')"); err == nil {
		t.Error("a key was inserted twice")
	}
	if got := s.single(alice, "INSERT INTO zoo.counted (v) VALUES ('z') RETURNING id"); got != "9" {
		t.Errorf("the counter gives %s", got)
	}
	s.must(root, "CREATE USER TABLE zoo.later (id BIGINT PRIMARY KEY)")
	after := answersOf(s, adoptUsers, adoptTables)
	s.flush()
	sameAnswers(t, after, answersOf(s, adoptUsers, adoptTables))
	s.compactAll()
	s.restart()
	sameAnswers(t, after, answersOf(s, adoptUsers, adoptTables))
}

// TestAdoptRefuses wants no buffer overwritten that may hold rows.
func TestAdoptRefuses(t *testing.T) {
	s := newServer(t)
	fillLake(s)
	refused := func(cfg config.Config, words ...string) {
		t.Helper()
		_, err := adopt.Run(context.Background(), cfg.Adopt(), adopt.Options{})
		if err == nil {
			t.Fatal("it was adopted")
		}
		for _, w := range words {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("the error does not say %q: %v", w, err)
			}
		}
	}
	elsewhere := s.config
	elsewhere.Storage.BufferPath = filepath.Join(t.TempDir(), "other")
	refused(elsewhere, "used by another process") // The server runs.
	s.stop()
	want := treeOf(t, s.config.StoragePath())
	refused(s.config, "this very lake", "move the directory away")
	foreign := newServer(t)
	foreign.stop()
	mixed := s.config
	mixed.Storage.BufferPath = foreign.config.BufferPath()
	refused(mixed, "storage.buffer_path")
	nothing := s.config
	nothing.Storage.DataPath = t.TempDir()
	refused(nothing, "does not exist", "storage.default_storage_path")
	must(t, os.MkdirAll(nothing.StoragePath(), 0o750))
	refused(nothing, "nothing to adopt")
	must(t, os.Truncate(filepath.Join(s.config.BufferPath(), "MANIFEST"), 3))
	refused(s.config, "cannot be opened", "move the directory away")
	sameTree(t, "storage", want, treeOf(t, s.config.StoragePath()))

	// The refusals of a start name the way back.
	_, err := engine.Open(context.Background(), s.config, engine.Options{})
	if err == nil || !strings.Contains(err.Error(), "kalamd repair --adopt") {
		t.Errorf("a damaged buffer: %v", err)
	}
	must(t, os.RemoveAll(s.config.BufferPath()))
	if _, err = engine.Open(context.Background(), s.config, engine.Options{}); err == nil ||
		!strings.Contains(err.Error(), "kalamd repair --adopt") {
		t.Errorf("a lost buffer: %v", err)
	}
}
