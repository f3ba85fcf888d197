package query_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/duckdb/duckdb-go/v2"

	"github.com/kalamlake/kalam/query"
)

// TestEqualityOverOldFiles looks for values, by = and IN, in files as DuckDB
// writes them when nobody tells it to leave out its bloom filters, which lack
// values (case A2). Every value of every type is found in every file, and so it
// is in the files that we write.
func TestEqualityOverOldFiles(t *testing.T) {
	e := newEngine(t)
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	types := []struct {
		name, duck string
		values     []string
	}{
		{"BOOLEAN", "BOOLEAN", []string{"true", "false"}},
		{"SMALLINT", "SMALLINT", []string{"1", "-2", "7"}},
		{"INT", "INTEGER", []string{"1", "-2", "7"}},
		{"BIGINT", "BIGINT", []string{"1", "-2", "9007199254740993"}},
		{"FLOAT", "FLOAT", []string{"1.5", "'NaN'::FLOAT", "'-Infinity'::FLOAT", "0.1"}},
		{"DOUBLE", "DOUBLE", []string{"1.5", "'NaN'::DOUBLE", "'Infinity'::DOUBLE", "0.1"}},
		{"DECIMAL(12,2)", "DECIMAL(12,2)", []string{"1.25", "-3.50"}},
		{"DECIMAL(38,4)", "DECIMAL(38,4)", []string{"1.25", "-3.5"}},
		{"TEXT", "VARCHAR", []string{"'a'", "''", "'long text that is not inlined'"}},
		{"BYTES", "BLOB", []string{`'\x00\xFF'::BLOB`, `''::BLOB`, `'\xAA'::BLOB`}},
		{
			"UUID",
			"UUID",
			[]string{"'6ba7b810-9dad-11d1-80b4-00c04fd430c8'::UUID", "'00000000-0000-0000-0000-000000000000'::UUID"},
		},
		{"DATE", "DATE", []string{"DATE '2026-01-01'", "DATE '1960-02-03'"}},
		{"TIME", "TIME", []string{"TIME '10:11:12.000013'", "TIME '00:00:00'"}},
		{"TIMESTAMP", "TIMESTAMP", []string{"TIMESTAMP '2026-01-01 10:11:12.5'", "TIMESTAMP '1960-01-01 00:00:00'"}},
		{"DATETIME", "TIMESTAMPTZ", []string{"TIMESTAMPTZ '2026-01-01 10:11:12.5+00'"}},
	}
	for i, typ := range types {
		t.Run(typ.name, func(t *testing.T) {
			const each = 20
			values := ""
			for n, v := range typ.values {
				if n > 0 {
					values += " UNION ALL "
				}
				values += fmt.Sprintf("SELECT i AS id, CAST(%s AS %s) AS v FROM range(%d) r(i)", v, typ.duck, each)
			}
			old := filepath.Join(e.dir, fmt.Sprintf("old%d.parquet", i))
			if _, err := db.Exec(fmt.Sprintf("COPY (%s) TO '%s' (FORMAT parquet, COMPRESSION zstd)", values, old)); err != nil {
				t.Fatal(err)
			}
			schema := columnsOf(t, "id BIGINT, v "+strings.ReplaceAll(typ.name, ",", ";"))
			own := filepath.Join(e.dir, fmt.Sprintf("own%d.parquet", i))
			if _, err := e.CopyParquet(t.Context(), query.CopySpec{
				Path: own, Schema: schema, Files: []query.File{{Path: old}},
			}); err != nil {
				t.Fatal(err)
			}
			for _, path := range []string{old, own} {
				tables := map[string]query.Source{"t": {Schema: schema, Files: []query.File{{Path: path}}}}
				for _, v := range typ.values {
					for _, where := range []string{"v = %s", "v IN (%s, NULL)", "%s = v AND id >= 0", "v >= %[1]s AND v <= %[1]s"} {
						q := "SELECT count(*) AS n FROM t WHERE " + fmt.Sprintf(where, v)
						if got, want := e.mustText(t, q, tables), fmt.Sprintf("n BIGINT\n\"%d\"", each); got != want {
							t.Errorf("%s: %s gives %s, want %s", filepath.Base(path), q, got, want)
						}
					}
				}
			}
		})
	}
}
