package lake_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/lake"
)

// recorded is the table of testdata/v1: a column per kind, then DECIMALs that
// DuckDB stores in 2, 4, 8 and 16 bytes.
func recorded() *kalam.Table {
	t := &kalam.Table{ID: kalam.TableID{Namespace: "a", Name: "t"}, Number: 5, Kind: kalam.KindUserTable,
		SchemaVersion: 1, PrimaryKey: []int{0}}
	add := func(name string, dt kalam.DataType) {
		t.Columns = append(t.Columns, kalam.Column{ID: kalam.ColumnID(len(t.Columns) + 1), Name: name, Type: dt})
	}
	add("id", kalam.TypeOf(kalam.KindBigInt))
	for _, k := range kalam.Kinds() {
		add("c_"+strings.ToLower(k.String()), kalam.TypeOf(k))
	}
	for _, d := range [][2]uint8{{4, 2}, {9, 0}, {10, 3}, {18, 18}, {19, 0}, {38, 38}} {
		add(fmt.Sprintf("d_%d_%d", d[0], d[1]), kalam.DataType{Kind: kalam.KindDecimal, Precision: d[0], Scale: d[1]})
	}
	return t
}

// rowTexts formats rows as testdata/v1/rows.txt has them.
func rowTexts(t *testing.T, table *kalam.Table, rows []kalam.Row) string {
	t.Helper()
	var b strings.Builder
	for _, r := range rows {
		values, err := datatype.DecodeRow(table, r.Payload, nil)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%d %v", r.Seq, r.Deleted)
		for _, v := range values {
			if v.IsNull() {
				b.WriteString(" NULL")
			} else {
				fmt.Fprintf(&b, " %q", datatype.Format(v))
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// TestFilesOfVersion1 opens a segment as the first version wrote it, its Parquet
// file by DuckDB's COPY.
func TestFilesOfVersion1(t *testing.T) {
	dir := t.TempDir()
	copyTree(t, "testdata/v1", dir)
	b := newBedIn(t, dir, lake.Options{})
	var seg kalam.Segment
	if err := json.Unmarshal(read(t, b.file("segment.json")), &seg); err != nil {
		t.Fatal(err)
	}
	table := recorded()
	if err := scrub(t.Context(), b.lake, &seg); err != nil {
		t.Fatal(err)
	}
	rows, err := b.lake.ReadRows(t.Context(), table, &seg, allRows(int(seg.Rows)))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(read(t, b.file("rows.txt"))), rowTexts(t, table, rows)); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	at, err := b.lake.Find(t.Context(), &seg, encodedKeys(t, table, rows))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(allRows(int(seg.Rows)), at); diff != "" {
		t.Errorf("positions (-want +got):\n%s", diff)
	}
	want := read(t, b.file(keysOf(seg)))
	remove(t, b.file(keysOf(seg)))
	if err := b.lake.Rebuild(t.Context(), table, &seg); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(read(t, b.file(keysOf(seg))), want) {
		t.Error("the key index file is not written as version 1 did")
	}
}
