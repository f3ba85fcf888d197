package query_test

import (
	"fmt"
	"math"
	"path/filepath"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query"
)

// TestCopyFiles copies files with dead rows into one: what it gives is what a
// query over the files gives, in the same order, for every type.
func TestCopyFiles(t *testing.T) {
	e := newEngine(t)
	schema := columnsOf(t, everyType)
	var files []query.File
	for i := range 3 {
		f := e.file(t, fmt.Sprintf("%d.parquet", i), schema, rowsOfEveryType(t, schema, 100+i))
		f.Dead = roaring.BitmapOf(uint32(i), 50, 51)
		files = append(files, f)
	}
	files[1].Dead = nil
	from := query.Source{Schema: schema, Files: files, Batches: batchesOf(t, schema, rowsOfEveryType(t, schema, 7), 2048)}
	path := filepath.Join(e.dir, "all.parquet")
	n, err := e.CopyParquet(
		t.Context(),
		query.CopySpec{
			Path:         path,
			Schema:       schema,
			Files:        files,
			Batches:      each(from.Batches),
			NegativeZero: true,
			RowGroup:     2048,
		},
	)
	if want := int64(100 + 101 + 102 - 6 + 7); err != nil || n != want {
		t.Fatalf("%d rows, %v; want %d", n, err, want)
	}
	to := query.Source{Schema: schema, Files: []query.File{{Path: path}}}
	for _, sql := range []string{"SELECT * FROM t", "SELECT signbit(f) AS x, signbit(d) AS y FROM t"} {
		got, want := e.mustText(
			t,
			sql,
			map[string]query.Source{"t": to},
		), e.mustText(
			t,
			sql,
			map[string]query.Source{"t": from},
		)
		if got != want {
			t.Errorf("%s: the copy gives\n%.2000s\nwant\n%.2000s", sql, got, want)
		}
	}
}

// TestCopyFilesKeepsNegativeZero copies 0 and -0, which a dictionary would hold as
// one value.
func TestCopyFilesKeepsNegativeZero(t *testing.T) {
	e := newEngine(t)
	schema := columnsOf(t, "id BIGINT, d DOUBLE, f FLOAT")
	var rows [][]kalam.Value
	for i := range 500 {
		x := math.Copysign(0, float64(1-i%3))
		rows = append(rows, row(big(int64(i)), kalam.Double(x), kalam.Float(float32(x))))
	}
	from := e.file(t, "from.parquet", schema, rows)
	path := filepath.Join(e.dir, "to.parquet")
	if n, err := e.CopyParquet(t.Context(), query.CopySpec{
		Path: path, Schema: schema, Files: []query.File{from},
	}); err != nil ||
		n != 500 {
		t.Fatalf("%d rows, %v", n, err)
	}
	got := e.mustText(
		t,
		"SELECT count(*) FILTER (signbit(d)) AS d, count(*) FILTER (signbit(f)) AS f FROM t",
		map[string]query.Source{"t": {Schema: schema, Files: []query.File{{Path: path}}}},
	)
	if want := "d BIGINT, f BIGINT\n\"166\" \"166\""; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestCopyFilesInOrder copies so many rows that several threads take part.
func TestCopyFilesInOrder(t *testing.T) {
	e := newEngine(t)
	schema := columnsOf(t, "id BIGINT, body TEXT, x DOUBLE")
	var files []query.File
	next, kept := int64(0), int64(0)
	for i := range 12 {
		var rows [][]kalam.Value
		dead := roaring.New()
		for r := range 4000 * (i + 1) {
			id := kept
			if r%7 == i%7 {
				dead.Add(uint32(r))
				id = -1
			} else {
				kept++
			}
			rows = append(rows, row(big(id), txt(fmt.Sprintf("row %d of file %d", r, i)), kalam.Double(float64(next))))
			next++
		}
		f := e.file(t, fmt.Sprintf("%02d.parquet", i), schema, rows)
		f.Dead = dead
		files = append(files, f)
	}
	path := filepath.Join(e.dir, "all.parquet")
	n, err := e.CopyParquet(t.Context(), query.CopySpec{Path: path, Schema: schema, Files: files, RowGroup: 16384})
	if err != nil || n != kept {
		t.Fatalf("%d rows, %v; want %d", n, err, kept)
	}
	src := map[string]query.Source{"t": {Schema: schema, Files: []query.File{{Path: path}}}}
	rows := e.values(t, "SELECT id FROM t", src)
	for i, r := range rows {
		if r[0].Int() != int64(i) {
			t.Fatalf("row %d has the id %d", i, r[0].Int())
		}
	}
}

// TestCopyFilesOfOldSchemas copies a file that lacks a column, and has another under
// its name.
func TestCopyFilesOfOldSchemas(t *testing.T) {
	e := newEngine(t)
	old := e.file(
		t,
		"old.parquet",
		columnsOf(t, "id BIGINT, body TEXT, at TEXT"),
		[][]kalam.Value{row(big(1), txt("x"), txt("z"))},
	)
	old.Layout = &query.Layout{
		Version: 1,
		Width:   3,
		Columns: []query.FileColumn{{Index: 0}, {Index: -1, Missing: txt("it's")}, {Index: 1}},
	}
	schema := columnsOf(t, "id BIGINT, body TEXT, at TEXT")
	newer := e.file(t, "new.parquet", schema, [][]kalam.Value{row(big(2), txt("y"), txt("w"))})
	path := filepath.Join(e.dir, "all.parquet")
	n, err := e.CopyParquet(t.Context(), query.CopySpec{Path: path, Schema: schema, Files: []query.File{old, newer}})
	if err != nil || n != 2 {
		t.Fatalf("%d rows, %v", n, err)
	}
	got := e.mustText(
		t,
		"SELECT * FROM t",
		map[string]query.Source{"t": {Schema: schema, Files: []query.File{{Path: path}}}},
	)
	if want := "id BIGINT, body TEXT, at TEXT\n\"1\" \"it's\" \"x\"\n\"2\" \"y\" \"w\""; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if _, err := e.CopyParquet(t.Context(), query.CopySpec{
		Path: path, Schema: schema, Files: []query.File{{Path: filepath.Join(e.dir, "missing.parquet")}},
	}); err == nil {
		t.Error("a missing file was copied")
	}
}
