//go:build unix

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// allTypes has a column of each type, and values that are hard to write.
const allTypes = `CREATE NAMESPACE app;
CREATE USER TABLE app.types (k1 BIGINT, k2 TEXT, bo BOOLEAN, si SMALLINT, i INT, bi BIGINT, f FLOAT, d DOUBLE, de DECIMAL(30,6),
  t TEXT, ts TIMESTAMP, dt DATETIME, da DATE, ti TIME, j JSON, b BYTES, u UUID, PRIMARY KEY (k1, k2));
INSERT INTO app.types VALUES
  (-9223372036854775808, '', TRUE, -32768, -2147483648, 9223372036854775807, 'NaN', '-Infinity', '-123456789012345678901234.000001',
   '', '0001-01-01T00:00:00Z', '9999-12-31T23:59:59.999999Z', '0001-01-01', '23:59:59.999999', '"42"', X'',
   '123e4567-e89b-12d3-a456-426614174000'),
  (0, 'a', FALSE, 0, 0, 0, 0.1, 0.1, 0, E'a\tb\r\n"c",''d''\\N \\t', '2026-01-31 12:34:56.5', '2026-01-31T12:34:56+02:00', '2026-02-28',
   '00:00:00', E'{"b": [1,  2.50, "x\\ny"],\n "a": null}', X'00ff0a', '00000000-0000-0000-0000-000000000000'),
  (0, 'b', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (1, '\N', NULL, 1, 1, 1, 3.4028235e38, 1.7976931348623157e308, 0.5, '\N', NULL, NULL, NULL, NULL, 'null', X'5c78', NULL),
  (2, 'NULL', NULL, 1, 1, 1, 1e-45, 5e-324, 0.5, 'NULL', NULL, NULL, NULL, NULL, '"\u00e9 日本 🎉"', NULL, NULL),
  (3, ' x ', NULL, 1, 1, 1, 1, 1, 1, E' \u0000 ', NULL, NULL, NULL, NULL, '[]', NULL, NULL);
CREATE SHARED TABLE app.shared (id INT PRIMARY KEY AUTO_INCREMENT, "order" TEXT);
INSERT INTO app.shared ("order") VALUES ('x'), ('y');
CREATE STREAM TABLE app.events (what TEXT, n BIGINT) TTL 3600;
INSERT INTO app.events VALUES ('same', 1), ('same', 1), (NULL, NULL);
CREATE USER TABLE app.empty (id BIGINT PRIMARY KEY);
CREATE VIEW app.a_view AS SELECT id FROM app.b_view;
`

// TestDumpAndLoad dumps tables of all types and loads them into another server: the rows and
// the tables are equal, and so is a second dump.
func TestDumpAndLoad(t *testing.T) {
	from := startServer(t)
	from.sql(strings.Replace(allTypes, "CREATE VIEW app.a_view", "CREATE VIEW app.b_view AS SELECT k1 AS id FROM app.types;\nCREATE VIEW app.a_view", 1))
	for _, format := range []string{"csv", "tsv", "ndjson", "json"} {
		t.Run(format, func(t *testing.T) {
			to := startServer(t)
			dir := filepath.Join(t.TempDir(), "dump")
			if said := from.load("dump", dir, "--format", format); !strings.Contains(said, "Dumped 4 tables with 11 rows to ") {
				t.Errorf("it says\n%s", said)
			}
			to.load("load", dir)
			for _, query := range []string{"SELECT * EXCLUDE (_seq, _deleted) FROM app.types ORDER BY k1, k2;",
				"SELECT id, \"order\" FROM app.shared ORDER BY id;", "SELECT what, n FROM app.events ORDER BY what, n;",
				"SELECT id FROM app.empty;", "SELECT id FROM app.a_view ORDER BY id;", "SHOW CREATE TABLE app.types;",
				"SHOW CREATE TABLE app.shared;", "SHOW CREATE TABLE app.events;"} {
				if got, want := to.sql(query), from.sql(query); got != want {
					t.Errorf("%s\n%q\nwant\n%q", query, got, want)
				}
			}
			again := filepath.Join(t.TempDir(), "again")
			to.load("dump", again, "--format", format)
			for _, file := range []string{"app.types", "app.shared", "app.events"} {
				a, errA := os.ReadFile(filepath.Join(dir, file+"."+format))
				b, errB := os.ReadFile(filepath.Join(again, file+"."+format))
				if errA != nil || errB != nil || string(a) != string(b) {
					t.Errorf("%s differs: %v, %v\n%s\n%s", file, errA, errB, a, b)
				}
			}
			// A load of what is there rejects rows whose keys exist, and says so.
			code, _, said := to.kalam(to.url, "load", dir, "--on-conflict", "skip")
			if code != 0 || !strings.Contains(said, "6 skipped whose keys were there") {
				t.Errorf("exit %d\n%s", code, said)
			}
		})
	}
}

// TestDumpIsOnesOwn dumps as a user: of a USER table it has that user's rows alone, and what
// others have made is not in it.
func TestDumpIsOnesOwn(t *testing.T) {
	s := startServer(t)
	s.sql(messages + `
CREATE USER ann WITH PASSWORD 'a-password-of-ann' ROLE user;
EXECUTE AS USER 'ann' (INSERT INTO app.messages (id, content) VALUES (7, 'of ann'));
CREATE SHARED TABLE app.secret (id BIGINT PRIMARY KEY);
`)
	dir := filepath.Join(t.TempDir(), "dump")
	s.load("-u", "ann", "--password", "a-password-of-ann", "dump", dir)
	got, err := os.ReadFile(filepath.Join(dir, "app.messages.csv"))
	if want := "id,content,author\n7,of ann,\n"; err != nil || string(got) != want {
		t.Errorf("%v\n%s", err, got)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 3 {
		t.Errorf("%v, %v", entries, err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || info.Mode() != 0o600 {
			t.Errorf("%s: %v, %v", e.Name(), info, err)
		}
	}
	if code, _, said := s.kalam(s.url, "dump", dir); code != 1 || !strings.Contains(said, "exists already") {
		t.Errorf("exit %d\n%s", code, said)
	}
	if code, _, said := s.kalam(s.url, "dump", dir+"2", "nothing"); code != 1 || !strings.Contains(said, "there is no namespace or table nothing") {
		t.Errorf("exit %d\n%s", code, said)
	}
}

// TestHostileDump has a dump that would read another file, and one that would drop a table.
func TestHostileDump(t *testing.T) {
	s := startServer(t)
	for name, index := range map[string]string{
		"file":      `{"version":1,"tables":[{"namespace":"app","name":"t","create":"CREATE USER TABLE app.t (id INT)","file":"../x.csv"}]}`,
		"statement": `{"version":1,"tables":[{"namespace":"app","name":"t","create":"DROP TABLE app.t","file":"x.csv"}]}`,
		"two":       `{"version":1,"tables":[{"namespace":"app","name":"t","create":"CREATE USER TABLE app.t (id INT); DROP TABLE x","file":"x.csv"}]}`,
		"view":      `{"version":1,"views":[{"namespace":"app","name":"t","create":"DELETE FROM app.t WHERE true"}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			path := written(t, "dump.json", index)
			code, _, said := s.kalam(s.url, "load", filepath.Dir(path))
			if code != 1 || !strings.Contains(said, "that no dump has") {
				t.Errorf("exit %d\n%s", code, said)
			}
		})
	}
}

func TestCopy(t *testing.T) {
	s := startServer(t)
	s.sql(messages)
	dir := t.TempDir()
	x := s.prompt(t.TempDir())
	out := filepath.Join(dir, "out file.ndjson")
	if said := x.run(`\copy app.messages to '` + out + `'`); !strings.Contains(said, "Wrote 3 rows to ") {
		t.Errorf("it says\n%s", said)
	}
	got, err := os.ReadFile(out)
	want := `{"id":"1","content":"hello","author":"ann"}` + "\n" + `{"id":"2","content":"","author":"bob"}` + "\n" +
		`{"id":"3","content":null,"author":null}` + "\n"
	if err != nil || string(got) != want {
		t.Errorf("%v\n%s", err, got)
	}
	if said := x.run(`\copy (SELECT count(*) AS n, ')' AS p FROM app.messages) to ` + dir + `/n.csv`); !strings.Contains(said, "Wrote 1 rows") {
		t.Errorf("it says\n%s", said)
	}
	if got, err := os.ReadFile(dir + "/n.csv"); err != nil || string(got) != "n,p\n3,)\n" {
		t.Errorf("%v\n%s", err, got)
	}
	x.typed(`\copy app.again from '` + out + `'` + keyEnter)
	x.line("Load it? [Y/n] ")
	x.typed(keyEnter)
	x.line(first)
	if said := x.run(`SELECT count(*) FROM app.again;`); !strings.Contains(said, "3") {
		t.Errorf("it says\n%s", said)
	}
	for _, c := range [][2]string{
		{`\copy`, `\copy takes TABLE FROM FILE`},
		{`\copy app.messages to`, `\copy takes`},
		{`\copy (SELECT 1 to x.csv`, "parenthesis does not end"},
		{`\copy app.messages to 'x.csv`, "a quote does not end"},
		{`\copy app.none to ` + dir + `/x.csv`, "there is no table app.none that you may see"},
		{`\copy app.messages to x.parquet`, "kalam does not read or write Parquet"},
	} {
		if said := x.run(c[0]); !strings.Contains(strings.Join(strings.Fields(said), " "), c[1]) {
			t.Errorf("%s says\n%s", c[0], said)
		}
	}
	x.typed(`\q` + keyEnter)
	x.ends()
}
