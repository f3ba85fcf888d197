package engine_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/maintain/adopt"
)

// damages are what can happen to a file. other is a file of the same kind.
var damages = []struct {
	name   string
	change func(content, other []byte) []byte // nil: the file is gone.
}{
	{"missing", func([]byte, []byte) []byte { return nil }},
	{"empty", func([]byte, []byte) []byte { return []byte{} }},
	{"cut at the end", func(c, _ []byte) []byte { return c[:len(c)-1] }},
	{"cut in half", func(c, _ []byte) []byte { return c[:len(c)/2] }},
	{"flipped at the start", func(c, _ []byte) []byte { return withFlip(c, 1) }},
	{"flipped in the middle", func(c, _ []byte) []byte { return withFlip(c, len(c)/2) }},
	{"flipped near the end", func(c, _ []byte) []byte { return withFlip(c, len(c)-20) }},
	{"zeroed", func(c, _ []byte) []byte { return make([]byte, len(c)) }},
	{"another's", func(_, other []byte) []byte { return other }},
}

func withFlip(c []byte, at int) []byte {
	c = bytes.Clone(c)
	c[at] ^= 0x10
	return c
}

// damageLake makes a lake in which every damage can be tried, and returns its answers.
func damageLake(t *testing.T) (data string, users, tables []string, want map[string]string) {
	t.Helper()
	users, tables = []string{"ann", "ben"}, []string{"app.t", "app.s"}
	s := newServer(t)
	s.must(root, "CREATE NAMESPACE app")
	s.must(root, "CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, v TEXT) WITH (FLUSH_POLICY = 'manual')")
	s.must(root,
		"CREATE SHARED TABLE app.s (id BIGINT PRIMARY KEY, v TEXT) WITH (FLUSH_POLICY = 'manual', ACCESS_LEVEL = 'public')")
	for i := range 3 {
		for _, u := range users {
			s.must(userOf(u), fmt.Sprintf("INSERT INTO app.t SELECT 10 * %d + i, 'text' || i FROM range(10) r(i)", i))
			s.must(userOf(u), fmt.Sprintf("UPDATE app.t SET v = 'u%d' WHERE id %% 7 = %d", i, i))
			s.must(userOf(u), fmt.Sprintf("DELETE FROM app.t WHERE id %% 5 = %d", i))
		}
		s.must(root, fmt.Sprintf("INSERT INTO app.s SELECT 10 * %d + i, 'text' || i FROM range(10) r(i)", i))
		s.must(root, fmt.Sprintf("DELETE FROM app.s WHERE id %% 5 = %d", i))
		s.flush()
	}
	want = answersOf(s, users, tables)
	s.stop()
	return s.config.StoragePath(), users, tables, want
}

// TestAdoptDamage damages one file of a lake in every way and adopts it (case D1). The
// answers are those of before, or an error that names the file; other users' are always
// those of before. manifest.json and key index files are never needed. No file is removed, and a
// damaged Parquet file stays as it is.
func TestAdoptDamage(t *testing.T) {
	from, users, tables, want := damageLake(t)
	files := treeOf(t, from)
	var names []string
	for p := range files {
		if strings.HasPrefix(p, "users/ann/") || strings.HasPrefix(p, "shared/") {
			names = append(names, p)
		}
	}
	slices.Sort(names)
	for i, p := range names {
		kind := filepath.Ext(p)
		if kind != ".json" && i%3 != 1 && strings.HasPrefix(p, "shared/") { // Shared tables are as those of users.
			continue
		}
		for _, d := range damages {
			t.Run(p+" "+d.name, func(t *testing.T) {
				other := files["users/ben/app/t/manifest.json"]
				if kind != ".json" {
					other = files[names[otherOf(names, i)]]
				}
				content := d.change([]byte(files[p]), []byte(other))
				data := filepath.Join(t.TempDir(), "data")
				copyTree(t, from, filepath.Join(data, "storage"))
				name := filepath.Join(data, "storage", p)
				must(t, os.Remove(name))
				if content != nil {
					must(t, os.WriteFile(name, content, 0o600))
				}
				before := withoutMark(treeOf(t, filepath.Join(data, "storage")))
				s, report := adopted(t, data, adopt.Options{})
				wantDamage(t, s, report, damaged{path: p, kind: kind, missing: content == nil}, users, tables, want)
				s.stop() // It writes manifest.json.
				for q, c := range treeOf(t, filepath.Join(data, "storage")) {
					if old, ok := before[q]; ok && filepath.Ext(q) == ".parquet" && old != c {
						t.Errorf("%s was changed", q)
					}
					delete(before, q)
				}
				delete(before, ".kalam/lock")
				if len(before) > 0 {
					t.Errorf("files are gone: %d", len(before))
				}
			})
		}
	}
}

// otherOf returns a file of the same kind as names[i] in the same folder.
func otherOf(names []string, i int) int {
	for k, n := range names {
		if k != i && filepath.Ext(n) == filepath.Ext(names[i]) && filepath.Dir(n) == filepath.Dir(names[i]) {
			return k
		}
	}
	return i
}

// damaged is a file that was damaged.
type damaged struct {
	path, kind string
	missing    bool
}

func wantDamage(t *testing.T, s *server, report *adopt.Report, d damaged, users, tables []string,
	want map[string]string) {
	t.Helper()
	text := textOf(t, report)
	if !strings.Contains(text, d.path) {
		t.Errorf("the report does not name %s:\n%s", d.path, text)
	}
	if needed := d.kind == ".parquet"; report.Complete() == needed {
		t.Errorf("the report is complete: %v\n%s", report.Complete(), text)
	}
	for _, table := range tables {
		for _, u := range users {
			hit := d.kind == ".parquet" && (table == "app.s" && strings.HasPrefix(d.path, "shared/") ||
				table == "app.t" && strings.HasPrefix(d.path, "users/"+u+"/"))
			res, err := s.try(userOf(u), "SELECT *, _seq FROM "+table+" ORDER BY _seq")
			switch {
			case hit && (kalam.CodeOf(err) != kalam.CodeCorrupt || !strings.Contains(err.Error(), d.path)):
				t.Errorf("%s of %s: %v", table, u, err)
			case !hit && err != nil:
				t.Errorf("%s of %s: %v", table, u, err)
			case !hit && res[0].table() != want[table+" of "+u]:
				t.Errorf("%s of %s was\n%sand is\n%s", table, u, want[table+" of "+u], res[0].table())
			}
			if hit {
				if _, err := s.try(userOf(u), "DELETE FROM "+table+" WHERE id = 1"); table == "app.t" && err == nil {
					t.Error("a row was deleted of what cannot be read")
				}
			}
		}
	}
}

// TestAdoptWithoutDamaged gives up what cannot be read: the rest of the user's rows is
// there, and nothing is removed by later jobs. When the file is put back before that, the
// next adoption has it all.
func TestAdoptWithoutDamaged(t *testing.T) {
	from, users, tables, want := damageLake(t)
	data := filepath.Join(t.TempDir(), "data")
	copyTree(t, from, filepath.Join(data, "storage"))
	list, err := filepath.Glob(filepath.Join(data, "storage", "users/ann/app/t/*.parquet"))
	must(t, err)
	whole, err := os.ReadFile(list[1])
	must(t, err)
	must(t, os.WriteFile(list[1], whole[:len(whole)/2], 0o600))

	s, report := adopted(t, data, adopt.Options{})
	if report.Complete() {
		t.Error("complete")
	}
	s.stop()
	must(t, os.WriteFile(list[1], whole, 0o600))
	s, report = adopted(t, data, adopt.Options{})
	if !report.Complete() {
		t.Errorf("after the file was put back:\n%s", textOf(t, report))
	}
	sameAnswers(t, want, answersOf(s, users, tables))
	s.stop()

	must(t, os.WriteFile(list[1], whole[:len(whole)/2], 0o600))
	s, report = adopted(t, data, adopt.Options{WithoutDamaged: true})
	if report.Complete() || !strings.Contains(textOf(t, report), filepath.Base(list[1])) {
		t.Errorf("the report:\n%s", textOf(t, report))
	}
	got := answersOf(s, users, tables)
	if ann := "app.t of ann"; got[ann] == want[ann] || strings.Count(got[ann], "\n") < 5 {
		t.Errorf("the rest of ann's rows is\n%s", got[ann])
	} else {
		got[ann] = want[ann]
	}
	sameAnswers(t, want, got)
	s.stop()
	aWeekOld(t, data)
	s.opts.Now = nextWeek
	s.start()
	if _, err := s.Maintain().RemoveOrphans(t.Context()); err == nil {
		t.Error("orphans are removed beside a file that could not be read")
	}
	if _, err := os.Stat(list[1]); err != nil {
		t.Errorf("the damaged file: %v", err)
	}
}

// TestAdoptLostFile loses a Parquet file and manifest.json, which would tell that it was
// there: its key index file tells. A key index file of a file that was never finished tells nothing.
func TestAdoptLostFile(t *testing.T) {
	from, users, tables, want := damageLake(t)
	for _, staged := range []bool{false, true} {
		data := filepath.Join(t.TempDir(), "data")
		copyTree(t, from, filepath.Join(data, "storage"))
		must(t, os.Remove(filepath.Join(data, "storage/users/ann/app/t/manifest.json")))
		list, err := filepath.Glob(filepath.Join(data, "storage/users/ann/app/t/*.parquet"))
		must(t, err)
		last := list[len(list)-1]
		if staged {
			must(t, os.Rename(last, last+".0123abcd.tmp"))
		} else {
			must(t, os.Remove(last))
		}
		s, report := adopted(t, data, adopt.Options{})
		if report.Complete() != staged || !strings.Contains(textOf(t, report), filepath.Base(strings.TrimSuffix(last,
			".parquet"))) {
			t.Errorf("staged object %v: the report is\n%s", staged, textOf(t, report))
		}
		got := want
		if staged {
			got = answersOf(s, users, tables)
			if got["app.t of ann"] == want["app.t of ann"] {
				t.Error("the rows of a staged object are there")
			}
			got["app.t of ann"] = want["app.t of ann"]
		} else if _, err := s.try(userOf("ann"), "SELECT * FROM app.t"); kalam.CodeOf(err) != kalam.CodeCorrupt {
			t.Errorf("a lost file: %v", err)
		}
		sameAnswers(t, want, got)
		s.stop()
	}
}

// TestAdoptManifest adopts a lake whose manifest.json is an older or later one, another's,
// or says more than this version knows.
func TestAdoptManifest(t *testing.T) {
	from, users, tables, want := damageLake(t)
	const p = "users/ann/app/t/manifest.json"
	content := treeOf(t, from)[p]
	for name, change := range map[string]func(string) string{
		"unknown fields": func(s string) string {
			return strings.Replace(s, `{"table_id"`,
				`{"later":{"x":[1]},"table_id"`, 1)
		},
		"no segments": func(s string) string {
			return s[:strings.Index(s, `"segments":[`)+12] + s[strings.Index(s, `],"last_seq`):]
		},
		"another user":       func(s string) string { return strings.Replace(s, `"user_id":"ann"`, `"user_id":"ben"`, 1) },
		"another row count":  func(s string) string { return strings.Replace(s, `"row_count":1`, `"row_count":2`, 1) },
		"a version far away": func(s string) string { return strings.Replace(s, `"version":`, `"version":9`, 1) },
		"a version of 0":     func(s string) string { return strings.Replace(s, `"version":`, `"version":-`, 1) },
		"a list":             func(string) string { return "[]" },
		"a path out": func(s string) string {
			return strings.Replace(s, `"path":"`,
				`"path":"../../../../../../`, 1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			changed := change(content)
			if changed == content {
				t.Fatal("nothing was changed")
			}
			data := filepath.Join(t.TempDir(), "data")
			copyTree(t, from, filepath.Join(data, "storage"))
			must(t, os.WriteFile(filepath.Join(data, "storage", p), []byte(changed), 0o600))
			s, report := adopted(t, data, adopt.Options{})
			if !report.Complete() {
				t.Errorf("not complete:\n%s", textOf(t, report))
			}
			sameAnswers(t, want, answersOf(s, users, tables))
			s.flush()
			s.restart()
			sameAnswers(t, want, answersOf(s, users, tables))
		})
	}
}

// TestAdoptSchemaVersions adopts a table whose files are of several versions of it, and
// one whose files another version of the program wrote, without a definition.
func TestAdoptSchemaVersions(t *testing.T) {
	s := newServer(t)
	u := userOf("ann")
	s.must(root, "CREATE NAMESPACE app; CREATE USER TABLE app.t (id INT PRIMARY KEY, b TEXT, c TEXT)")
	s.must(u, "INSERT INTO app.t VALUES (1, 'old b', 'old c'), (2, 'x', 'y')")
	s.flush()
	s.must(root, "ALTER TABLE app.t DROP COLUMN b")
	s.must(root, "ALTER TABLE app.t ADD COLUMN b TEXT DEFAULT 'd'")
	s.must(root, "ALTER TABLE app.t ALTER COLUMN b SET DEFAULT 'another'")
	s.must(root, "ALTER TABLE app.t RENAME COLUMN c TO cc")
	s.must(u, "INSERT INTO app.t (id, cc) VALUES (3, 'new c')")
	s.must(u, "UPDATE app.t SET cc = 'changed' WHERE id = 2")
	s.flush()
	before := answersOf(s, []string{"ann"}, []string{"app.t"})
	s.stop()
	report := adoptAnew(t, s.config, adopt.Options{})
	if !report.Complete() || report.Tables[0].SchemaVersion != 5 {
		t.Errorf("the report:\n%s", textOf(t, report))
	}
	s.start()
	sameAnswers(t, before, answersOf(s, []string{"ann"}, []string{"app.t"}))
	s.must(root, "ALTER TABLE app.t ADD COLUMN z INT DEFAULT 5")
	if got := s.must(u,
		"SELECT id, cc, b, z FROM app.t WHERE id = 1").table(); got != "id | cc | b | z\n1 | old c | d | 5\n" {
		t.Errorf("after another change:\n%s", got)
	}
}

// TestAdoptOldFiles adopts a segment of the first version, which does not define its
// table: columns and key are found in the file and its key index file.
func TestAdoptOldFiles(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	copyTree(t, "../lake/testdata/v1/users", filepath.Join(data, "storage", "users"))
	s, report := adopted(t, data, adopt.Options{})
	if !report.Complete() || len(report.Tables) != 1 || !report.Tables[0].Derived || !report.NewID {
		t.Errorf("the report:\n%s", textOf(t, report))
	}
	if got := s.single(userOf("alice"), "SELECT count(*) AS n FROM a.t"); got != `"51"` {
		t.Errorf("%s rows", got)
	}
	if got := s.must(root, "DESCRIBE TABLE a.t").table(); !strings.Contains(got, "c_uuid") {
		t.Errorf("columns:\n%s", got)
	}
	if got := s.single(userOf("alice"), "SELECT id FROM a.t WHERE id = 1"); got != `"1"` {
		t.Errorf("row 1 is %s", got)
	}
	s.stop()

	// Without the key index file nothing tells the key.
	must(t, os.RemoveAll(filepath.Join(data, "storage", "users")))
	copyTree(t, "../lake/testdata/v1/users", filepath.Join(data, "storage", "users"))
	sides, err := filepath.Glob(filepath.Join(data, "storage/users/alice/a/t/*.keys"))
	must(t, errors.Join(err, os.Remove(sides[0])))
	report = adoptAnew(t, s.config, adopt.Options{DryRun: true})
	if report.Complete() || !strings.Contains(textOf(t, report), "primary key of table a.t is not known") {
		t.Errorf("the report:\n%s", textOf(t, report))
	}
}
