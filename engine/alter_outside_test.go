package engine_test

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	arrowmemory "github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
)

// outsideRow is the newest version of a row in the files: cells by field id.
type outsideRow struct {
	seq     kalam.Seq
	deleted bool
	cells   map[int]string
}

// outsideByID reads the files of a user's table as a reader that knows nothing of kalam does, by field id. The key has
// the field id 1; _seq and _deleted are found by their names.
func outsideByID(t *testing.T, names []string) map[string]outsideRow {
	t.Helper()
	rows := map[string]outsideRow{}
	for _, name := range names {
		r, err := file.OpenParquetFile(name, false)
		if err != nil {
			t.Fatal(err)
		}
		schema := r.MetaData().Schema
		pr, err := pqarrow.NewFileReader(r, pqarrow.ArrowReadProperties{}, arrowmemory.DefaultAllocator)
		if err != nil {
			t.Fatal(err)
		}
		table, err := pr.ReadTable(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		read := make([]outsideRow, table.NumRows())
		for c := range schema.NumColumns() {
			id, column := int(schema.Column(c).SchemaNode().FieldID()), schema.Column(c).Name()
			at := 0
			for _, chunk := range table.Column(c).Data().Chunks() {
				for i := range chunk.Len() {
					v, row := datatype.ValueAt(chunk, i), &read[at]
					switch at++; {
					case column == kalam.ColumnSeq:
						row.seq = kalam.Seq(v.Int())
					case column == kalam.ColumnDeleted:
						row.deleted = v.Bool()
					case id <= 0:
						t.Fatalf("%s: column %s has the field id %d", name, column, id)
					default:
						if row.cells == nil {
							row.cells = map[int]string{}
						}
						row.cells[id] = datatype.Format(v)
					}
				}
			}
		}
		table.Release()
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		for _, row := range read {
			if key := row.cells[1]; row.seq > rows[key].seq {
				rows[key] = row
			}
		}
	}
	maps.DeleteFunc(rows, func(_ string, r outsideRow) bool { return r.deleted })
	return rows
}

// TestAlteredFilesOutside: who reads the files by field id, and knows what older rows hold in a column, finds what
// queries give, whatever the columns were called when the files were written.
func TestAlteredFilesOutside(t *testing.T) {
	s := newServer(t)
	u := userOf("ann")
	s.must(root, "CREATE NAMESPACE app; CREATE USER TABLE app.t (id INT PRIMARY KEY, b TEXT, n SMALLINT)")
	s.must(u, "INSERT INTO app.t VALUES (1, 'b1', 1), (2, 'b2', 2), (3, 'b3', 3)")
	s.flush()
	s.must(root, "ALTER TABLE app.t DROP COLUMN b")
	s.must(root, "ALTER TABLE app.t ADD COLUMN b TEXT DEFAULT 'older'") // Field id 4.
	s.must(u, "INSERT INTO app.t VALUES (4, 4, 'new b')")
	s.must(u, "DELETE FROM app.t WHERE id = 2")
	s.flush()
	s.must(root, "ALTER TABLE app.t RENAME COLUMN id TO key")
	s.must(root, "ALTER TABLE app.t ALTER COLUMN n TYPE BIGINT")
	s.must(root, "ALTER TABLE app.t RENAME COLUMN b TO n2")
	s.must(u, "UPDATE app.t SET n = 70000 WHERE key = 3")
	s.must(u, "INSERT INTO app.t (key, n) VALUES (5, 5)")
	s.flush()
	want := s.must(u, "SELECT key, n, n2 FROM app.t ORDER BY key").table()
	if want != "key | n | n2\n1 | 1 | older\n3 | 70000 | older\n4 | 4 | new b\n5 | 5 | older\n" {
		t.Fatalf("the table holds\n%s", want)
	}
	pattern := filepath.Join(s.config.Storage.DataPath, "storage/users/ann/app/t/*.parquet")
	for _, files := range []int{3, 1} {
		if files == 1 {
			s.compact()
			s.stop() // The replaced files are gone then.
			s.start()
		}
		names, err := filepath.Glob(pattern)
		if err != nil || len(names) != files {
			t.Fatalf("files %v, %v, want %d", names, err, files)
		}
		rows := outsideByID(t, names)
		var got strings.Builder
		got.WriteString("key | n | n2\n")
		for _, key := range slices.Sorted(maps.Keys(rows)) {
			r := rows[key].cells
			if _, ok := r[4]; !ok {
				r[4] = "older" // As the definition says of rows that are older than the column.
			}
			fmt.Fprintf(&got, "%s | %s | %s\n", r[1], r[3], r[4])
		}
		if plain := strings.ReplaceAll(want, `"`, ""); got.String() != plain {
			t.Errorf("%d files hold\n%s, queries give\n%s", files, got.String(), plain)
		}
	}
}
