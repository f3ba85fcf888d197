package engine_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/avro/ocf"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/export/iceberg"
	"github.com/kalamlake/kalam/export/iceberg/icebergtest"
	"github.com/kalamlake/kalam/internal/eventually"
	"github.com/kalamlake/kalam/lake/s3/s3test"
)

// exportCatalog runs STORAGE EXPORT CATALOG for a table and perhaps FOR USER, and waits for the job.
func (s *server) exportCatalog(p kalam.Principal, what string) (r iceberg.Result, j kalam.Job) {
	s.t.Helper()
	j = s.await(s.must(p, "STORAGE EXPORT CATALOG "+what+" FORMAT iceberg").jobs[0])
	if j.Status == kalam.JobCompleted {
		if err := json.Unmarshal([]byte(j.Result), &r); err != nil {
			s.t.Fatal(err)
		}
	}
	return r, j
}

// exported is exportCatalog that has to succeed.
func (s *server) exported(p kalam.Principal, what string) iceberg.Result {
	s.t.Helper()
	r, j := s.exportCatalog(p, what)
	if j.Status != kalam.JobCompleted {
		s.t.Fatalf("job %s is %s: %s; %s", j.ID, j.Status, j.Error, j.Message)
	}
	return r
}

// localName returns the file that a URI of a local storage names.
func localName(t testing.TB, uri string) string {
	t.Helper()
	name, ok := strings.CutPrefix(uri, "file://")
	if !ok {
		t.Fatalf("%s is no file", uri)
	}
	return name
}

// avroRecords decodes an Avro file.
func avroRecords(t testing.TB, uri string) (list []map[string]any) {
	t.Helper()
	raw, err := os.ReadFile(localName(t, uri))
	must(t, err)
	r, err := ocf.NewReader(bytes.NewReader(raw))
	must(t, err)
	for {
		var one any
		err := r.Decode(&one)
		if errors.Is(err, io.EOF) {
			return list
		}
		must(t, err)
		record, ok := one.(map[string]any)
		if !ok {
			t.Fatalf("%s has %T", uri, one)
		}
		list = append(list, record)
	}
}

// duckTypes are the types of Iceberg as DuckDB calls them, where it calls them otherwise.
var duckTypes = map[string]string{"int": "INTEGER", "long": "BIGINT", "string": "VARCHAR", "binary": "BLOB",
	"timestamptz": "TIMESTAMPTZ"}

// catalogByDuckDB reads the files that a catalog names with DuckDB, the columns by their ids, without the rows that
// the delete files name. It returns the rows as cells, in order.
func catalogByDuckDB(t testing.TB, duck *stock, metadata string) []string {
	t.Helper()
	raw, err := os.ReadFile(localName(t, metadata))
	must(t, err)
	var m struct {
		Schemas []struct {
			Fields []struct {
				ID         int
				Name, Type string
			}
		}
		Snapshots []struct {
			Manifests string `json:"manifest-list"`
		}
	}
	must(t, json.Unmarshal(raw, &m))
	if len(m.Snapshots) == 0 {
		return nil
	}
	var files []string
	deletes := map[string]string{}
	for _, l := range avroRecords(t, m.Snapshots[0].Manifests) {
		for _, e := range avroRecords(t, fmt.Sprint(l["manifest_path"])) {
			file, ok := e["data_file"].(map[string]any)
			if !ok {
				t.Fatalf("an entry is %v", e)
			}
			if path := fmt.Sprint(file["file_path"]); l["content"] == int32(0) {
				files = append(files, path)
			} else {
				deletes[fmt.Sprint(file["referenced_data_file"])] = path
			}
		}
	}
	var fields, names []string
	for _, f := range m.Schemas[0].Fields {
		kind := duckTypes[f.Type]
		if kind == "" {
			kind = f.Type
		}
		fields = append(fields, fmt.Sprintf("%d: {name: '%s', type: '%s', default_value: NULL}", f.ID, f.Name, kind))
		names = append(names, `"`+f.Name+`"`)
	}
	var rows []string
	for _, uri := range files {
		// All rows of the file in its order: DuckDB takes field ids or positions, not both.
		sql := fmt.Sprintf("SELECT %s FROM read_parquet('%s', schema = MAP {%s})", strings.Join(names, ", "),
			localName(t, uri), strings.Join(fields, ", "))
		_, all, err := duck.query(sql)
		must(t, err)
		dead := map[string]bool{}
		if d := deletes[uri]; d != "" {
			_, positions, err := duck.query(fmt.Sprintf("SELECT file_path, pos FROM read_parquet('%s')", localName(t, d)))
			must(t, err)
			last := -1
			for _, p := range positions {
				path, pos, _ := strings.Cut(p, `" `)
				n, err := strconv.Atoi(strings.Trim(pos, `"`))
				if err != nil || n <= last || path != `"`+uri {
					t.Fatalf("delete file %s has %s after %d", d, p, last)
				}
				last = n
				dead[strconv.Itoa(n)] = true
			}
		}
		for i, row := range all {
			if !dead[strconv.Itoa(i)] {
				rows = append(rows, row)
			}
		}
	}
	slices.Sort(rows)
	return rows
}

// icebergCell returns a cell that pyiceberg gave as a result of ours has it.
func icebergCell(t testing.TB, v any, kind string) string {
	t.Helper()
	text, isText := v.(string)
	switch {
	case v == nil:
		return "null"
	case kind == "boolean":
		return fmt.Sprint(v)
	case !isText:
		t.Fatalf("%v is no text", v)
	case kind == "float", kind == "double":
		f, err := strconv.ParseFloat(text, 64)
		must(t, err)
		if kind == "float" {
			return string(datatype.AppendValue(nil, kalam.Float(float32(f))))
		}
		return string(datatype.AppendValue(nil, kalam.Double(f)))
	case kind == "binary", kind == "uuid":
		raw, err := hex.DecodeString(text)
		must(t, err)
		if kind == "binary" {
			return string(datatype.AppendValue(nil, kalam.Bytes(string(raw))))
		}
		return string(datatype.AppendValue(nil, kalam.UUID([16]byte(raw))))
	case kind == "string":
		return string(datatype.AppendJSONString(nil, text))
	case kind == "long", strings.HasPrefix(kind, "decimal"):
		return `"` + text + `"`
	}
	return text
}

// catalogByPyiceberg reads a catalog with pyiceberg, as catalogByDuckDB does.
func catalogByPyiceberg(
	t testing.TB, metadata string, properties map[string]string,
) (rows []string, found icebergtest.Table, ok bool) {
	t.Helper()
	if found, ok = icebergtest.Read(t, metadata, icebergtest.Options{Properties: properties}); !ok {
		return nil, found, false
	}
	for _, r := range found.Rows {
		cells := make([]string, len(r))
		for i := range r {
			cells[i] = icebergCell(t, r[i], found.Columns[i].Type)
		}
		rows = append(rows, strings.Join(cells, " "))
	}
	slices.Sort(rows)
	return rows, found, true
}

// rowsOf returns what a query gives of a table's own columns, as cells, in order.
func (s *server) rowsOf(p kalam.Principal, table string) (rows []string) {
	s.t.Helper()
	for _, r := range s.must(p, "SELECT * EXCLUDE (_seq, _deleted) FROM "+table).rows {
		rows = append(rows, strings.Join(r, " "))
	}
	slices.Sort(rows)
	return rows
}

// catalogReader compares catalogs with rows.
type catalogReader struct {
	*server
	duck *stock
}

// want compares what readers find in the catalog of a result with rows; python says whether pyiceberg is one of them.
func (c *catalogReader) want(when string, r iceberg.Result, rows []string, python bool) {
	c.t.Helper()
	if int(r.Rows) != len(rows) {
		c.t.Errorf("%s: the result tells of %d rows, there are %d", when, r.Rows, len(rows))
	}
	if d := cmp.Diff(rows, catalogByDuckDB(c.t, c.duck, r.Metadata)); d != "" {
		c.t.Errorf("%s: DuckDB finds other rows (-want +got):\n%s", when, d)
	}
	if !python {
		return
	}
	got, found, ok := catalogByPyiceberg(c.t, localName(c.t, r.Metadata), nil)
	if !ok {
		return
	}
	if d := cmp.Diff(rows, got); d != "" {
		c.t.Errorf("%s: pyiceberg finds other rows (-want +got):\n%s", when, d)
	}
	if found.UUID != r.TableUUID || len(found.Files) != r.DataFiles || len(found.Deletes) != r.DeleteFiles {
		c.t.Errorf("%s: %s has %v and %v, the result is %+v", when, found.UUID, found.Files, found.Deletes, r)
	}
}

// TestIcebergReadsWhatQueriesGive: readers that know nothing of kalam find in a catalog what a query gave after the
// last flush: all types, over several flushes with replaced and deleted rows, whatever is buffered since, compacted
// or not.
func TestIcebergReadsWhatQueriesGive(t *testing.T) {
	s := newServer(t, manual)
	c := &catalogReader{s, newStock(t)}
	alice := userOf("alice")
	s.must(root, "CREATE NAMESPACE app; "+typesTable)
	insert := `INSERT INTO app.types VALUES (%d, true, -3, 70000, 0.1, 1e300, 12345678901234.5678, 'a "b", c',
		'{"k": [1, "x"]}', '0198c2c4-7d1e-7a10-8000-0123456789ab', '2026-02-03', '04:05:06.123456',
		'2026-02-03T04:05:06.123456Z',
		'2026-02-03T04:05:06', 'aGk=', 1234567890123456789012345678.0123456789, -0.0)`
	for i := range 3 {
		s.must(alice, fmt.Sprintf(insert, i))
		s.must(alice, fmt.Sprintf(
			"INSERT INTO app.types (id, t, d, ts, dt) VALUES (%d, '', 'NaN', '0001-01-01', '9999-12-31')", 10+i))
		s.must(userOf("bob"), fmt.Sprintf("INSERT INTO app.types (id, t) VALUES (%d, 'canary-of-bob')", i))
		if i > 0 {
			s.must(alice, fmt.Sprintf("UPDATE app.types SET t = 'changed', s = NULL WHERE id = %d", i-1))
			s.must(alice, fmt.Sprintf("DELETE FROM app.types WHERE id = %d", 10+i-1))
		}
		s.flush()
	}
	want := s.rowsOf(alice, "app.types")
	if len(want) != 4 {
		t.Fatalf("%d rows", len(want))
	}
	first := s.exported(alice, "app.types")
	if first.DataFiles != 2 || first.DeleteFiles != 2 || first.Version != 1 || first.Buffered != 0 {
		t.Errorf("the result is %+v", first)
	}
	c.want("flushed", first, want, true)
	// What is buffered is in no file, and what it replaces still counts for a reader of the files.
	s.must(alice, "UPDATE app.types SET t = 'buffered' WHERE id = 0; DELETE FROM app.types WHERE id = 12; "+
		"INSERT INTO app.types (id) VALUES (99)")
	second := s.exported(alice, "app.types")
	c.want("with buffered changes", second, want, true)
	if second.Buffered == 0 || second.Version != 2 || second.TableUUID != first.TableUUID {
		t.Errorf("the second result is %+v after %+v", second, first)
	}
	for range 3 { // What the first notes as dead, the others must not leave out.
		s.compact()
		c.want("compacted with buffered changes", s.exported(alice, "app.types"), want, false)
	}
	s.flush()
	want = s.rowsOf(alice, "app.types")
	c.want("flushed again", s.exported(alice, "app.types"), want, false)
	s.restart()
	c.want("after a restart", s.exported(alice, "app.types"), want, false)
	s.compact()
	c.want("compacted", s.exported(alice, "app.types"), want, true)
	s.must(alice, "DELETE FROM app.types WHERE id >= 0")
	s.flush()
	c.want("emptied", s.exported(alice, "app.types"), nil, true)
	// No file of it knows of bob.
	dir := filepath.Dir(localName(t, first.Metadata))
	for _, name := range filesBelow(t, dir, "") {
		raw, err := os.ReadFile(filepath.Join(dir, name))
		must(t, err)
		if bytes.Contains(raw, []byte("bob")) {
			t.Errorf("%s names bob", name)
		}
	}
}

// TestIcebergOfAlteredTable: columns are told by their ids; what the format cannot tell is refused by name, until a
// compaction has written it into the files, also into one that stands alone.
func TestIcebergOfAlteredTable(t *testing.T) {
	s := newServer(t, manual)
	c := &catalogReader{s, newStock(t)}
	u := userOf("ann")
	s.must(root, `CREATE NAMESPACE app; CREATE USER TABLE app.t (id INT PRIMARY KEY, b TEXT, n SMALLINT, f FLOAT,
		d DECIMAL(6,2), k INT) WITH (FLUSH_POLICY = 'manual')`)
	s.must(u, `INSERT INTO app.t VALUES (1, 'b1', 1, 0.5, 1.25, 7), (2, 'b2', 2, 1.5, 2.25, 8),
		(3, 'b3', 3, 2.5, 3.25, 9)`)
	s.flush()
	s.must(root, `ALTER TABLE app.t DROP COLUMN b; ALTER TABLE app.t ADD COLUMN b TEXT;
		COMMENT ON COLUMN app.t.b IS 'another b'`)
	s.must(root, "ALTER TABLE app.t RENAME COLUMN k TO kk; ALTER TABLE app.t ALTER COLUMN n TYPE BIGINT")
	s.must(root, "ALTER TABLE app.t ALTER COLUMN f TYPE DOUBLE; ALTER TABLE app.t ALTER COLUMN d TYPE DECIMAL(20,2)")
	s.must(u, "INSERT INTO app.t (id, n, b, kk) VALUES (4, 5000000000, 'new b', 1)")
	s.must(u, "DELETE FROM app.t WHERE id = 2")
	s.flush()
	r := s.exported(u, "app.t")
	c.want("altered", r, s.rowsOf(u, "app.t"), true)
	if r.DataFiles != 2 || r.DeleteFiles != 2 {
		t.Errorf("the result is %+v", r)
	}
	for _, change := range []struct{ sql, refusal string }{
		{"ALTER TABLE app.t ADD COLUMN x TEXT NOT NULL DEFAULT 'older'",
			"column 'x' of table app.t was added with a DEFAULT"},
		{"ALTER TABLE app.t ALTER COLUMN kk TYPE DECIMAL(12,1)",
			"column 'kk' of table app.t is DECIMAL(12,1), and INT in files from before"},
		{"ALTER TABLE app.t ALTER COLUMN d TYPE DECIMAL(22,3)", "column 'd' of table app.t is DECIMAL(22,3), and DECIMAL"},
	} {
		s.must(root, change.sql)
		_, j := s.exportCatalog(u, "app.t")
		if j.Status != kalam.JobFailed || !strings.HasPrefix(j.Error, change.refusal) ||
			!strings.Contains(j.Error, "STORAGE COMPACT TABLE app.t") {
			t.Fatalf("after %s the job is %s: %s", change.sql, j.Status, j.Error)
		}
		s.compact() // The second time of one file that has nothing else to gain.
		if n := len(s.segments()); n != 1 {
			t.Fatalf("%d scopes", n)
		}
		c.want("after "+change.sql, s.exported(u, "app.t"), s.rowsOf(u, "app.t"), true)
	}
	before := s.files(".parquet")
	s.compact()
	if d := cmp.Diff(before, s.files(".parquet")); d != "" {
		t.Errorf("a compaction without anything to do wrote files anew: %s", d)
	}
	// A file of which no row counts may be as old as it likes.
	s.must(root, "ALTER TABLE app.t ADD COLUMN y INT DEFAULT 1")
	s.must(u, "UPDATE app.t SET y = 2 WHERE id > 0")
	s.flush()
	c.want("without living rows in the old file", s.exported(u, "app.t"), s.rowsOf(u, "app.t"), false)
}

// TestIcebergOfOtherTables: SHARED tables, tables with a key of two columns, and tables in another storage have
// catalogs; STREAM tables, views and computed tables have none, and neither has a user who has never written.
func TestIcebergOfOtherTables(t *testing.T) {
	s := newServer(t, manual)
	c := &catalogReader{s, newStock(t)}
	u, service := userOf("ann"), kalam.Principal{User: "svc", Role: kalam.RoleService}
	cold := filepath.Join(t.TempDir(), "cold")
	s.must(root, fmt.Sprintf(`CREATE NAMESPACE app; CREATE STORAGE cold TYPE filesystem PATH '%s';
		CREATE SHARED TABLE app.s (id TEXT PRIMARY KEY, v INT) WITH (FLUSH_POLICY = 'manual');
		CREATE USER TABLE app.pair (v TEXT, w INT, x INT, PRIMARY KEY (v, w)) WITH (FLUSH_POLICY = 'manual');
		CREATE USER TABLE app.far (id UUID PRIMARY KEY, v INT) STORAGE cold FLUSH_POLICY 'manual';
		CREATE STREAM TABLE app.e (id BIGINT PRIMARY KEY) WITH (TTL_SECONDS = 3600);
		CREATE VIEW app.v AS SELECT * FROM app.s`, cold))
	for i := range 2 {
		s.must(root, fmt.Sprintf("INSERT INTO app.s VALUES ('k%d', %d), ('%s', 1)", i, i, strings.Repeat("é", 200+i)))
		s.must(u, fmt.Sprintf("INSERT INTO app.pair VALUES ('same', %d, 1), ('other', %d, 2)", i, i))
		s.must(u, fmt.Sprintf("INSERT INTO app.far VALUES ('0198c2c4-7d1e-7a10-8000-0123456789a%d', %d)", i, i))
		s.flush()
	}
	s.must(root, "DELETE FROM app.s WHERE id = 'k0'")
	s.must(u, "DELETE FROM app.pair WHERE v = 'same' AND w = 1; UPDATE app.far SET v = 7 WHERE v = 0")
	s.flush()
	c.want("SHARED", s.exported(service, "app.s"), s.rowsOf(root, "app.s"), true)
	c.want("of a key of two columns", s.exported(u, "app.pair"), s.rowsOf(u, "app.pair"), true)
	far := s.exported(u, "app.far")
	c.want("far", far, s.rowsOf(u, "app.far"), false)
	if !strings.HasPrefix(localName(t, far.Metadata), cold+"/") {
		t.Errorf("the catalog is %s", far.Metadata)
	}
	for what, code := range map[string]kalam.Code{
		"app.e": kalam.CodeInvalidOperation, "system.namespaces": kalam.CodePermissionDenied,
		"app.absent": kalam.CodeTableNotFound, "app.v": kalam.CodeTableNotFound,
	} {
		if _, err := s.try(u, "STORAGE EXPORT CATALOG "+what+" FORMAT iceberg"); kalam.CodeOf(err) != code {
			t.Errorf("the export of %s = %v, want code %d", what, err, code)
		}
	}
	_, err := s.try(root, "STORAGE EXPORT CATALOG system.namespaces FORMAT iceberg")
	if kalam.CodeOf(err) != kalam.CodeInvalidOperation {
		t.Errorf("the export of a computed table = %v", err)
	}
	_, j := s.exportCatalog(userOf("nobody"), "app.far")
	if j.Status != kalam.JobSkipped || len(filesBelow(t, cold, "")) == 0 {
		t.Errorf("the job is %s: %s", j.Status, j.Message)
	}
	for _, name := range append(filesBelow(t, cold, ""), filesBelow(t, s.config.StoragePath(), "")...) {
		if strings.Contains(name, "nobody") {
			t.Errorf("%s is there", name)
		}
	}
}

// TestIcebergAccess: who may export which rows, and who learns of it.
func TestIcebergAccess(t *testing.T) {
	s := newServer(t, manual)
	s.must(root, `CREATE NAMESPACE app;
		CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, v TEXT) WITH (FLUSH_POLICY = 'manual');
		CREATE SHARED TABLE app.s (id BIGINT PRIMARY KEY) ACCESS LEVEL public FLUSH_POLICY 'manual';
		CREATE SHARED TABLE app.hidden (id BIGINT PRIMARY KEY) ACCESS LEVEL dba FLUSH_POLICY 'manual';
		CREATE USER 'ann' WITH PASSWORD 'correct horse' ROLE user; CREATE USER 'adm' WITH PASSWORD 'correct horse' ROLE dba`)
	ann, bob := userOf("ann"), userOf("bob")
	s.must(ann, "INSERT INTO app.t VALUES (1, 'canary-of-ann')")
	s.must(bob, "INSERT INTO app.t VALUES (2, 'of bob'), (3, 'of bob')")
	s.must(root, "INSERT INTO app.s VALUES (1)")
	s.flush()
	service := kalam.Principal{User: "svc", Role: kalam.RoleService}
	anonymous := kalam.Principal{User: "x", Role: kalam.RoleAnonymous}
	for _, tt := range []struct {
		p    kalam.Principal
		what string
		code kalam.Code // 0: rows.
		rows int64
	}{
		{ann, "app.t", 0, 1}, {ann, "app.t FOR USER 'ann'", 0, 1}, {bob, "app.t", 0, 2},
		{service, "app.t FOR USER 'bob'", 0, 2},
		{root, "app.t FOR USER 'ann'", 0, 1}, {service, "app.s", 0, 1},
		{bob, "app.t FOR USER 'ann'", kalam.CodePermissionDenied, 0},
		{bob, "app.t FOR USER 'absent'", kalam.CodePermissionDenied, 0},
		{service, "app.t FOR USER 'adm'", kalam.CodePermissionDenied, 0},
		{ann, "app.s", kalam.CodePermissionDenied, 0}, {ann, "app.hidden", kalam.CodeTableNotFound, 0},
		{service, "app.hidden", kalam.CodeTableNotFound, 0}, {anonymous, "app.t", kalam.CodePermissionDenied, 0},
		{anonymous, "app.s", kalam.CodePermissionDenied, 0}, {root, "app.s FOR USER 'ann'", kalam.CodeInvalidOperation, 0},
	} {
		if tt.code != 0 {
			if _, err := s.try(tt.p, "STORAGE EXPORT CATALOG "+tt.what+" FORMAT iceberg"); kalam.CodeOf(err) != tt.code {
				t.Errorf("as %s: the export of %s = %v, want code %d", tt.p.User, tt.what, err, tt.code)
			}
			continue
		}
		if r := s.exported(tt.p, tt.what); r.Rows != tt.rows {
			t.Errorf("as %s: the export of %s has %d rows", tt.p.User, tt.what, r.Rows)
		}
	}
	r := s.exported(root, "app.t FOR USER 'bob'")
	if !strings.Contains(r.Metadata, "/users/bob/app/t/iceberg-") {
		t.Errorf("the catalog is %s", r.Metadata)
	}
	for _, row := range catalogByDuckDB(t, newStock(t), r.Metadata) {
		if strings.Contains(row, "ann") {
			t.Errorf("a catalog of bob has %s", row)
		}
	}
	inner := s.await(s.must(service, "EXECUTE AS USER 'bob' (STORAGE EXPORT CATALOG app.t FORMAT iceberg)").jobs[0])
	if inner.Status != kalam.JobCompleted || !strings.Contains(inner.Result, "/users/bob/") {
		t.Errorf("the job is %s: %s", inner.Status, inner.Result)
	}
	// Users see their own exports, without where the server has its files.
	shown := s.must(ann, "SHOW EXPORT").table()
	if strings.Count(shown, "IC-") != 3 || strings.Contains(shown, "bob") ||
		strings.Contains(shown, s.config.Storage.DataPath) {
		t.Errorf("ann is shown\n%s", shown)
	}
	if _, err := s.try(ann, "BEGIN; STORAGE EXPORT CATALOG app.t FORMAT iceberg; COMMIT"); err == nil {
		t.Error("an export in a transaction")
	}
}

// catalogsBelow lists the files of catalogs in a directory.
func catalogsBelow(t *testing.T, dir string) (found []string) {
	t.Helper()
	for _, name := range filesBelow(t, dir, "") {
		if strings.Contains(name, "/iceberg-") {
			found = append(found, name)
		}
	}
	return found
}

// TestIcebergGoes: a catalog goes with its user, its table, and its place, and when rows are forgotten, and nothing
// takes it for a stray; the catalog of a table that was created under the name of a dropped one stays.
func TestIcebergGoes(t *testing.T) {
	s := newServer(t, manual)
	purgeWorld(s)
	alice, bob := userOf("alice"), userOf("bob")
	storage := s.config.StoragePath()
	s.exported(alice, "app.t")
	s.exported(alice, "app.u") // Its keys, and so the bounds, have the canary.
	s.exported(bob, "app.t")
	s.exported(root, "app.s")
	s.wantVerified(0)
	if _, result, err := verified(t, s.config); err != nil || result.Strays != 0 {
		t.Errorf("verify: %+v, %v", result, err)
	}
	s.start()
	all := len(catalogsBelow(t, storage))
	// Forgetting.
	s.forget("app.u", 0)
	if left := catalogsBelow(t, storage); len(left) >= all || slices.ContainsFunc(left, func(name string) bool {
		return strings.Contains(name, "/app/u/")
	}) {
		t.Errorf("after PURGE DELETED of app.u there are %q", left)
	}
	s.exported(alice, "app.u")
	// The user.
	s.wantPurged("after the purge", s.must(root, "DROP USER alice PURGE").jobs[0])
	left := catalogsBelow(t, storage)
	for _, name := range left {
		if strings.Contains(name, "alice") {
			t.Errorf("%s is left of alice", name)
		}
	}
	// The table: the catalog of its successor stays.
	r := s.exported(bob, "app.t")
	gate := s.must(root, "DROP TABLE app.t").jobs[0]
	s.must(root, "CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, v TEXT) WITH (FLUSH_POLICY = 'manual')")
	s.must(bob, "INSERT INTO app.t VALUES (1, 'new')")
	s.flush()
	next := s.exported(bob, "app.t")
	if j := s.await(gate); j.Status != kalam.JobCompleted {
		t.Fatalf("cleanup is %s: %s", j.Status, j.Error)
	}
	if _, err := os.Stat(localName(t, r.Metadata)); !errors.Is(err, os.ErrNotExist) || next.TableUUID == r.TableUUID {
		t.Errorf("the catalog of the dropped table: %v", err)
	}
	c := &catalogReader{s, newStock(t)}
	c.want("of the successor", next, s.rowsOf(bob, "app.t"), false)
	// The place.
	cold := filepath.Join(t.TempDir(), "cold")
	s.must(root, "CREATE STORAGE cold TYPE filesystem PATH '"+cold+"'")
	for _, id := range s.must(root, "ALTER TABLE app.t SET STORAGE cold").jobs {
		s.await(id)
	}
	s.must(bob, "INSERT INTO app.t VALUES (2, 'new')")
	s.flush()
	moved := s.exported(bob, "app.t")
	c.want("moved", moved, s.rowsOf(bob, "app.t"), false)
	if _, err := os.Stat(localName(t, next.Metadata)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the catalog before the move: %v", err)
	}
	if len(catalogsBelow(t, cold)) == 0 || moved.TableUUID != next.TableUUID {
		t.Errorf("after the move: %+v, %q", moved, catalogsBelow(t, cold))
	}
	s.wantVerified(1)
	s.start()
	s.dropTable("app.t")
	s.dropTable("app.s")
	if left := append(catalogsBelow(t, cold), catalogsBelow(t, storage)...); len(left) > 0 {
		t.Errorf("after DROP TABLE there are %q", left)
	}
	// A catalog of no table is a stray.
	s.stop()
	name := filepath.Join(storage, "users/bob/app/t/iceberg-999999/metadata/v1.metadata.json")
	must(t, errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte("{}"), 0o600)))
	if _, result, err := verified(t, s.config); err != nil || result.Strays != 1 {
		t.Errorf("verify: %+v, %v", result, err)
	}
}

// TestIcebergModel: random writes, flushes, compactions and exports, against what queries gave at the last flush.
func TestIcebergModel(t *testing.T) {
	r := seededRand(t)
	s := newServer(t, manual)
	c := &catalogReader{s, newStock(t)}
	u := userOf("ann")
	s.must(root, `CREATE NAMESPACE app;
		CREATE USER TABLE app.t (id INT PRIMARY KEY, v TEXT) WITH (FLUSH_POLICY = 'manual')`)
	s.must(u, "INSERT INTO app.t VALUES (0, 'first')")
	s.flush()
	want := s.rowsOf(u, "app.t")
	exports, columns := 0, 0
	for step := range 300 {
		switch n := r.IntN(20); {
		case n < 8:
			s.must(u, fmt.Sprintf("INSERT INTO app.t (id, v) VALUES (%d, 'i%d') ON CONFLICT (id) DO UPDATE SET v = 'u%d'",
				r.IntN(60), step, step))
		case n < 11:
			s.must(u, fmt.Sprintf("DELETE FROM app.t WHERE id = %d", r.IntN(60)))
		case n < 12:
			s.must(u, fmt.Sprintf("UPDATE app.t SET v = 'r%d' WHERE id %% 7 = %d", step, r.IntN(7)))
		case n < 15:
			s.flush()
			want = s.rowsOf(u, "app.t")
		case n < 16:
			s.compact()
		case n < 17 && columns < 4 && r.IntN(3) == 0:
			columns++
			s.flush()
			s.must(root, fmt.Sprintf("ALTER TABLE app.t ADD COLUMN c%d INT", columns))
			want = s.rowsOf(u, "app.t")
		case n < 19:
			exports++
			c.want(fmt.Sprint("step ", step), s.exported(u, "app.t"), want, false)
		}
	}
	s.flush()
	c.want("the end", s.exported(u, "app.t"), s.rowsOf(u, "app.t"), true)
	t.Logf("%d exports", exports)
}

// TestIcebergOfBucket: the catalog of a table in a bucket lies there, and names objects; a purge takes it away.
func TestIcebergOfBucket(t *testing.T) {
	s, f := newS3Server(t)
	alice := s.remoteNotes(f)
	s.must(root, "CREATE USER 'alice' WITH PASSWORD 'correct horse'")
	s.must(alice, "INSERT INTO app.notes VALUES (2, 'second'), (3, 'third')")
	s.must(alice, "UPDATE app.notes SET v = 'changed' WHERE id = 1; DELETE FROM app.notes WHERE id = 3")
	s.flush()
	s.must(alice, "DELETE FROM app.notes WHERE id = 2; INSERT INTO app.notes VALUES (5, 'fifth')")
	s.flush()
	r := s.exported(alice, "app.notes")
	if r.Rows != 2 || !strings.HasPrefix(r.Metadata, "s3://"+f.Bucket+"/lake/users/alice/app/notes/iceberg-") {
		t.Errorf("the result is %+v", r)
	}
	rows, _, ok := catalogByPyiceberg(t, r.Metadata, map[string]string{
		"s3.endpoint": f.URL, "s3.access-key-id": s3test.AccessKey, "s3.secret-access-key": s3test.SecretKey,
		"s3.region": "us-east-1", "s3.force-virtual-addressing": "false",
	})
	if d := cmp.Diff(s.rowsOf(alice, "app.notes"), rows); ok && d != "" {
		t.Errorf("pyiceberg finds other rows (-want +got):\n%s", d)
	}
	// A bucket that does not answer is waited for.
	down(f)
	id := s.must(alice, "STORAGE EXPORT CATALOG app.notes FORMAT iceberg").jobs[0]
	eventually.True(t, "the export fails and waits", func() bool {
		j, _, err := s.Catalog().Job(t.Context(), id)
		return err == nil && strings.Contains(j.Error, "bucket")
	})
	up(f)
	if j := s.await(id); j.Status != kalam.JobCompleted {
		t.Errorf("job %s is %s: %s", j.ID, j.Status, j.Error)
	}
	if j := s.await(s.must(root, "DROP USER alice PURGE").jobs[0]); j.Status != kalam.JobCompleted {
		t.Fatalf("the purge is %s: %s", j.Status, j.Error)
	}
	for _, key := range f.Keys(t, "") {
		if strings.Contains(key, "alice") {
			t.Errorf("%s is in the bucket", key)
		}
	}
}
