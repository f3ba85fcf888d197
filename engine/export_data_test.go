package engine_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"
	arrowmemory "github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/config"
	"github.com/kalamlake/kalam/datatype"
)

// exportOf runs EXPORT USER DATA, waits for the job, and returns the files of the zip by name.
func (s *server) exportOf(p kalam.Principal, format string) (files map[string][]byte, id kalam.JobID) {
	s.t.Helper()
	r := s.must(p, "EXPORT USER DATA"+format)
	if len(r.jobs) != 1 || r.message != fmt.Sprintf("User data export started. Job ID: %s. Use SHOW EXPORT to check status "+
		"and get the download link.", r.jobs[0]) {
		s.t.Fatalf("the answer is %+v", r)
	}
	j := s.await(r.jobs[0])
	if j.Status != kalam.JobCompleted {
		s.t.Fatalf("job %s is %s: %s", j.ID, j.Status, j.Error)
	}
	f, err := s.Exports().Find(context.Background(), p.User, string(j.ID))
	if err != nil {
		s.t.Fatal(err)
	}
	return s.unzip(f.Path), j.ID
}

func (s *server) unzip(path string) map[string][]byte {
	s.t.Helper()
	z, err := zip.OpenReader(path)
	if err != nil {
		s.t.Fatal(err)
	}
	defer z.Close()
	files := map[string][]byte{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			s.t.Fatal(err)
		}
		raw, err := io.ReadAll(r)
		if err != nil {
			s.t.Fatal(err)
		}
		files[f.Name] = raw
	}
	return files
}

// parquetCells returns the rows of a Parquet file as JSON cells, and its columns.
func parquetCells(t *testing.T, raw []byte) (names []string, rows [][]string) {
	t.Helper()
	r, err := file.NewParquetReader(bytes.NewReader(raw))
	must(t, err)
	pr, err := pqarrow.NewFileReader(r, pqarrow.ArrowReadProperties{BatchSize: 1000}, arrowmemory.DefaultAllocator)
	must(t, err)
	table, err := pr.ReadTable(context.Background())
	must(t, err)
	defer table.Release()
	for _, f := range table.Schema().Fields() {
		names = append(names, f.Name)
	}
	reader := array.NewTableReader(table, 1000)
	defer reader.Release()
	for reader.Next() {
		b := reader.RecordBatch()
		for i := range int(b.NumRows()) {
			var row []string
			for c := range b.Columns() {
				row = append(row, string(datatype.NewCellWriter(b.Schema().Field(c)).Append(nil, b.Column(c), i)))
			}
			rows = append(rows, row)
		}
	}
	return names, rows
}

// typesTable has a column of each type.
const typesTable = `CREATE USER TABLE app.types (id BIGINT PRIMARY KEY, b BOOLEAN, s SMALLINT, i INT, f FLOAT, d DOUBLE,
	m DECIMAL(18, 4), t TEXT, j JSON, u UUID, dt DATE, tm TIME, ts TIMESTAMP, dz DATETIME, y BYTES, big DECIMAL(38, 10), q FLOAT)
	WITH (FLUSH_POLICY = 'manual')`

// TestExportData: in each format an export holds, of every table of the user and of no other user,
// exactly the rows that a query gives, whether they are buffered or flushed, with all types and NULLs.
func TestExportData(t *testing.T) {
	s := newServer(t, manual)
	alice, bob := userOf("alice"), userOf("bob")
	s.must(root, "CREATE NAMESPACE app; "+typesTable+`;
		CREATE USER TABLE app.empty (id BIGINT PRIMARY KEY);
		CREATE STREAM TABLE app.e (id BIGINT PRIMARY KEY, v TEXT) WITH (TTL_SECONDS = 3600);
		CREATE SHARED TABLE app.shared (id BIGINT PRIMARY KEY, v TEXT);
		CREATE USER TABLE app.gone (id BIGINT PRIMARY KEY)`)
	insert := `INSERT INTO app.types VALUES (%d, true, -3, 70000, 0.1, 1e300, 12345678901234.5678, 'a "b", c
d', '{"k": [1, "x"]}', '0198c2c4-7d1e-7a10-8000-0123456789ab', '2026-02-03', '04:05:06.123456',
		'2026-02-03T04:05:06.123456Z', '2026-02-03T04:05:06', 'aGk=',
		1234567890123456789012345678.0123456789, -0.0)`
	s.must(alice, fmt.Sprintf(insert, 1))
	s.must(alice, "INSERT INTO app.types (id) VALUES (9007199254740993)")
	s.flush()
	s.must(alice, fmt.Sprintf(insert, 2)+"; INSERT INTO app.types (id, t) VALUES (4, ''), (5, ' pad ')")
	s.must(alice, "INSERT INTO app.types (id, t) VALUES (6, 'deleted'); DELETE FROM app.types WHERE id = 6")
	s.must(alice, "INSERT INTO app.e VALUES (1, 'event'); INSERT INTO app.gone VALUES (1); DELETE FROM app.gone WHERE id = 1")
	s.must(bob, "INSERT INTO app.types (id, t) VALUES (3, 'canary-of-bob')")
	s.must(root, "INSERT INTO app.shared VALUES (1, 'canary-of-all')")
	want := s.must(alice, "SELECT * EXCLUDE (_seq, _deleted) FROM app.types ORDER BY id")
	index := map[string][]string{}
	for _, row := range want.rows {
		index[row[0]] = row
	}
	same := func(what string, names []string, rows [][]string) {
		t.Helper()
		if strings.Join(names, ",") != strings.Join(want.columns, ",") || len(rows) != len(want.rows) {
			t.Fatalf("%s: columns %v, %d rows", what, names, len(rows))
		}
		for _, row := range rows {
			if strings.Join(row, "|") != strings.Join(index[row[0]], "|") {
				t.Errorf("%s: the row is\n%v, want\n%v", what, row, index[row[0]])
			}
		}
	}
	for _, format := range []string{"parquet", "csv", "ndjson"} {
		words := " FORMAT " + format
		if format == "parquet" {
			words = ""
		}
		files, _ := s.exportOf(alice, words)
		if len(files) != 4 {
			t.Errorf("%s: %d files", format, len(files))
		}
		for name, raw := range files {
			if bytes.Contains(raw, []byte("canary-of")) {
				t.Errorf("%s: rows of others are in %s", format, name)
			}
		}
		raw := files["app/types."+format]
		switch format {
		case "parquet":
			names, rows := parquetCells(t, raw)
			same(format, names, rows)
		case "ndjson":
			var rows [][]string
			for line := range strings.Lines(string(raw)) {
				var row []string
				dec := json.NewDecoder(strings.NewReader(line))
				_, err := dec.Token()
				must(t, err)
				for dec.More() {
					_, err := dec.Token()
					must(t, err)
					var cell json.RawMessage
					must(t, dec.Decode(&cell))
					row = append(row, string(cell))
				}
				rows = append(rows, row)
			}
			same(format, want.columns, rows)
		case "csv":
			records, err := csv.NewReader(bytes.NewReader(raw)).ReadAll()
			must(t, err)
			if len(records) != len(want.rows)+1 || strings.Join(records[0], ",") != strings.Join(want.columns, ",") {
				t.Fatalf("csv: %q", records)
			}
			for _, record := range records[1:] {
				cells := index[`"`+record[0]+`"`]
				for i, text := range record {
					var plain string
					if cells[i] != "null" && json.Unmarshal([]byte(cells[i]), &plain) != nil {
						plain = cells[i]
					}
					if text != plain && text != strings.ReplaceAll(plain, "\r\n", "\n") {
						t.Errorf("csv: column %s is %q, want %q", want.columns[i], text, plain)
					}
				}
			}
			if !bytes.Contains(raw, []byte(`,"",`)) {
				t.Error("an empty text is not told from NULL")
			}
		}
		var list struct {
			User   string `json:"user_id"`
			Tables []struct {
				Table, Kind, File string
				Rows              int
				Columns           []struct{ Name, Type string }
			}
		}
		must(t, json.Unmarshal(files["export.json"], &list))
		if list.User != "alice" || len(list.Tables) != 3 || list.Tables[2].Table != "app.types" ||
			list.Tables[2].Rows != len(want.rows) || list.Tables[2].Columns[6].Type != "DECIMAL(18,4)" || list.Tables[0].Kind != "stream" {
			t.Errorf("the contents are %s", files["export.json"])
		}
	}
}

// TestExportIsOneMoment: rows of several tables are of one moment, whatever is written meanwhile.
func TestExportIsOneMoment(t *testing.T) {
	s := newServer(t, manual)
	alice := userOf("alice")
	s.must(root, `CREATE NAMESPACE app; CREATE USER TABLE app.a (id BIGINT PRIMARY KEY, n BIGINT);
		CREATE USER TABLE app.b (id BIGINT PRIMARY KEY, n BIGINT)`)
	s.must(alice, "INSERT INTO app.a VALUES (1, 0); INSERT INTO app.b VALUES (1, 0)")
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := 1; ctx.Err() == nil; i++ {
			if _, err := s.try(alice, fmt.Sprintf(
				"BEGIN; UPDATE app.a SET n = %d WHERE id = 1; UPDATE app.b SET n = %d WHERE id = 1; COMMIT", i, i)); err != nil {
				t.Errorf("transfer: %v", err)
			}
			if i%50 == 0 {
				s.must(root, "STORAGE FLUSH ALL")
			}
		}
	}()
	for range 5 {
		files, _ := s.exportOf(alice, " FORMAT ndjson")
		if a, b := string(files["app/a.ndjson"]), string(files["app/b.ndjson"]); a == "" || a != b {
			t.Errorf("a is %s, b is %s", a, b)
		}
	}
	stop()
	<-done
}

// TestShowExport: each user sees the own exports, with a link until they expire; then they, and what
// exceeds exports.max_per_user, are deleted. Nobody finds another's. An export that is too large fails.
func TestShowExport(t *testing.T) {
	var since atomic.Int64
	start := time.Now()
	s := newServer(t, manual, func(c *config.Config) { c.Exports.MaxPerUser, c.Exports.MaxBytes = 2, 1<<20 })
	s.stop()
	s.opts.Now = func() time.Time { return start.Add(time.Duration(since.Load())) }
	s.start()
	alice, bob := userOf("alice"), userOf("bob")
	s.must(root, "CREATE NAMESPACE app; CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, v TEXT)")
	s.must(alice, "INSERT INTO app.t VALUES (1, 'canary-export')")
	if got := s.must(alice, "SHOW EXPORT").table(); got != "job_id | status | created_at | message | download_url\n" {
		t.Errorf("without an export: %s", got)
	}
	var ids []kalam.JobID
	for range 3 {
		_, id := s.exportOf(alice, "")
		ids = append(ids, id)
		since.Add(int64(time.Second))
	}
	list := s.must(alice, "SHOW EXPORT")
	if len(list.rows) != 3 {
		t.Fatalf("%d exports", len(list.rows))
	}
	for i, row := range list.rows { // The newest first.
		id := ids[len(ids)-1-i]
		link := fmt.Sprintf(`"http://127.0.0.1:8080/v1/exports/alice/%s"`, id)
		if i == 2 {
			link = "null"
		}
		if row[0] != `"`+string(id)+`"` || row[1] != `"completed"` || row[4] != link {
			t.Errorf("export %d is %v, want the link %s", i, row, link)
		}
	}
	if got := s.must(bob, "SHOW EXPORT"); len(got.rows) != 0 {
		t.Errorf("bob sees %v", got.rows)
	}
	if got := s.must(root, "EXECUTE AS USER 'alice' (SHOW EXPORT)"); len(got.rows) != 3 {
		t.Errorf("an administrator who acts for alice sees %v", got.rows)
	}
	for user, id := range map[kalam.UserID]string{
		"bob": string(ids[2]), "alice": string(ids[0]), "": string(ids[2]), "..": string(ids[2]), "root": "../" + string(ids[2]),
	} {
		if f, err := s.Exports().Find(t.Context(), user, id); kalam.CodeOf(err) != kalam.CodeNotFound {
			t.Errorf("%s finds %s: %+v, %v", user, id, f, err)
		}
	}
	if _, err := s.try(kalam.Principal{}, "EXPORT USER DATA"); kalam.CodeOf(err) != kalam.CodePermissionDenied {
		t.Errorf("nobody exports: %v", err)
	}
	since.Add(int64(72 * time.Hour))
	if f, err := s.Exports().Find(t.Context(), "alice", string(ids[2])); kalam.CodeOf(err) != kalam.CodeNotFound {
		t.Errorf("an expired export is found: %+v, %v", f, err)
	}
	if got := s.must(alice, "SHOW EXPORT").rows[0]; got[4] != "null" || got[3] != `"Expired; run EXPORT USER DATA again"` {
		t.Errorf("an expired export is shown as %v", got)
	}
	s.restart() // A start looks for expired ones.
	s.wantNoExports("after they expired")
	s.must(alice, fmt.Sprintf("INSERT INTO app.t VALUES (2, '%s')", canaryOf("", 3<<20)))
	j := s.await(s.must(alice, "EXPORT USER DATA FORMAT csv").jobs[0])
	if j.Status != kalam.JobFailed && !strings.Contains(j.Error, "exports.max_bytes, which is 1048576") {
		t.Errorf("an export that is too large is %s: %s", j.Status, j.Error)
	}
	s.wantNoExports("after one that was too large")
}

// wantNoExports waits until there is no file of an export.
func (s *server) wantNoExports(when string) {
	s.t.Helper()
	var left []string
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); <-time.After(5 * time.Millisecond) {
		var err error
		if left, err = filepath.Glob(filepath.Join(s.config.ExportPath(), "*", "*")); err != nil {
			s.t.Fatal(err)
		}
		if len(left) == 0 {
			return
		}
	}
	s.t.Errorf("%s: %v", when, left)
}

// TestPurgeTakesExports: the exports of a user who is removed go, too, those that are being made
// included, and nothing of them is left.
func TestPurgeTakesExports(t *testing.T) {
	s := newServer(t, manual)
	purgeWorld(s)
	for _, format := range []string{"", " FORMAT csv", " FORMAT ndjson"} {
		s.exportOf(userOf("alice"), format)
	}
	_, kept := s.exportOf(userOf("bob"), "")
	s.must(userOf("alice"), "EXPORT USER DATA")
	j := s.wantPurged("with exports", s.must(root, "DROP USER alice PURGE").jobs[0])
	if !strings.Contains(j.Result, `"exports_removed":3`) && !strings.Contains(j.Result, `"exports_removed":4`) {
		t.Errorf("the report is %s", j.Result)
	}
	names, err := filepath.Glob(filepath.Join(s.config.ExportPath(), "*", "*"))
	must(t, err)
	if len(names) != 1 || !strings.Contains(names[0], string(kept)) {
		t.Errorf("the exports are %v", names)
	}
}

// TestExportCrash: an export that a crash cuts off is made at the next start, and what was there of
// it is gone.
func TestExportCrash(t *testing.T) {
	s := newServer(t, manual)
	alice := userOf("alice")
	s.must(root, "CREATE NAMESPACE app; CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, v TEXT)")
	s.must(alice, "INSERT INTO app.t SELECT i, 'v' FROM range(40000) r(i)")
	_, id := s.exportOf(alice, "")
	whole, err := s.Exports().Find(t.Context(), "alice", string(id))
	must(t, err)
	folder := filepath.Dir(whole.Path)
	// As a crash leaves it: the record of the job says that it runs, the file is staged and cut.
	j, _, err := s.Catalog().Job(t.Context(), id)
	must(t, err)
	j.ID, j.Status, j.Result, j.Message = "UE-0123456789ab", kalam.JobRunning, "", ""
	must(t, s.Catalog().PutJob(t.Context(), j))
	raw, err := os.ReadFile(whole.Path)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(folder, "UE-0123456789ab.zip.tmp"), raw[:len(raw)/2], 0o600))
	must(t, os.WriteFile(filepath.Join(folder, "UE-ffffffffffff.zip.tmp"), raw[:len(raw)/2], 0o600)) // Of no record.
	must(t, os.WriteFile(filepath.Join(folder, "UE-ffffffffffff.zip"), raw, 0o600))
	s.restart()
	if j := s.await("UE-0123456789ab"); j.Status != kalam.JobCompleted {
		t.Fatalf("job %s is %s: %s", j.ID, j.Status, j.Error)
	}
	again, err := s.Exports().Find(t.Context(), "alice", "UE-0123456789ab")
	must(t, err)
	if _, rows := parquetCells(t, s.unzip(again.Path)["app/t.parquet"]); len(rows) != 40000 || rows[39999][1] != `"v"` {
		t.Errorf("%d rows", len(rows))
	}
	for end := time.Now().Add(10 * time.Second); ; <-time.After(5 * time.Millisecond) {
		names, err := filepath.Glob(filepath.Join(folder, "*"))
		must(t, err)
		if len(names) == 2 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the exports are %v", names)
		}
	}
}
