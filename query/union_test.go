package query_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/apache/arrow-go/v18/arrow"
	"pgregory.net/rapid"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/query"
	"github.com/kalamlake/kalam/query/worker"
)

// modelColumns is the table of the random tests.
const modelColumns = "id BIGINT, k INT, v DOUBLE, s TEXT, d DECIMAL(10;2), ts TIMESTAMP, b BOOLEAN, " +
	"u UUID, _seq BIGINT, _deleted BOOLEAN"

// model is one table twice: cut into files, delete vectors, batches and live
// lists, and as an ordinary table of a plain DuckDB.
type model struct {
	e      *engine
	db     *sql.DB
	schema *arrow.Schema
	source query.Source
	files  int
}

// drawRow draws a row; every column but the key has few values, so that there
// are ties and NULLs.
func drawRow(t *rapid.T, id int64) []kalam.Value {
	null := func(v kalam.Value) kalam.Value {
		if rapid.IntRange(0, 5).Draw(t, "null") == 0 {
			return kalam.Null()
		}
		return v
	}
	n := rapid.Int64Range(0, 9).Draw(t, "n")
	d := kalam.Decimal(0, uint64(n*37), 2)
	u := [16]byte{15: byte(n), 0: byte(n * 40)}
	return []kalam.Value{
		big(
			id,
		), null(kalam.Integer(kalam.KindInt, n-4)), null(kalam.Double(float64(n)/4 - 1)),
		null(txt(fmt.Sprintf("s%d%s", n%4, strings.Repeat("x", int(n)*3)))),
		null(
			d,
		), null(kalam.Integer(kalam.KindTimestamp, 1_700_000_000_000_000+n*1_000_000)), null(kalam.Bool(n%2 == 0)),
		null(kalam.UUID(u)),
		big(1000 + id), kalam.Bool(false),
	}
}

// newModel draws a table. Dead rows look like live ones, with keys of their own.
func newModel(t *rapid.T, tb testing.TB, e *engine, db *sql.DB, number int) *model {
	m := &model{e: e, db: db, schema: columnsOf(tb, modelColumns)}
	m.source.Schema = m.schema
	var live [][]kalam.Value
	id := int64(0)
	piece := func(most int) (rows [][]kalam.Value, dead []uint32) {
		n := rapid.IntRange(0, most).Draw(t, "rows")
		hide := rapid.IntRange(0, 2).Draw(t, "hide")
		for i := range n {
			id++
			r := drawRow(t, id)
			rows = append(rows, r)
			if hide > 0 && rapid.IntRange(0, 3-hide).Draw(t, "dead") == 0 {
				dead = append(dead, uint32(i))
			} else {
				live = append(live, r)
			}
		}
		return rows, dead
	}
	for range rapid.IntRange(0, 3).Draw(t, "files") {
		rows, dead := piece(40)
		if len(rows) == 0 {
			continue
		}
		m.files++
		f := e.file(tb, fmt.Sprintf("m%d-%d.parquet", number, m.files), m.schema, rows)
		if len(dead) > 0 {
			f.Dead = roaring.BitmapOf(dead...)
		}
		m.source.Files = append(m.source.Files, f)
	}
	for range rapid.IntRange(0, 3).Draw(t, "batches") {
		rows, dead := piece(30)
		if len(rows) == 0 {
			continue
		}
		b := batchesOf(tb, m.schema, rows, 2048)[0]
		if len(dead) > 0 {
			b.Live = []uint32{}
			for i := range uint32(len(rows)) {
				if len(dead) > 0 && dead[0] == i {
					dead = dead[1:]
				} else {
					b.Live = append(b.Live, i)
				}
			}
		}
		m.source.Batches = append(m.source.Batches, b)
	}
	m.load(tb, live)
	return m
}

// load puts the live rows into the plain table.
func (m *model) load(tb testing.TB, rows [][]kalam.Value) {
	tb.Helper()
	exec := func(s string) {
		if _, err := m.db.Exec(s); err != nil {
			tb.Fatalf("%s: %v", s, err)
		}
	}
	exec(
		"CREATE OR REPLACE TABLE t (id BIGINT, k INTEGER, v DOUBLE, s VARCHAR, d DECIMAL(10,2), ts TIMESTAMP, b " +
			"BOOLEAN, u UUID, _seq BIGINT, _deleted BOOLEAN)",
	)
	var values []string
	for _, r := range rows {
		cells := make([]string, len(r))
		for i, v := range r {
			cells[i] = literal(v)
		}
		values = append(values, "("+strings.Join(cells, ", ")+")")
	}
	if len(values) > 0 {
		exec("INSERT INTO t VALUES " + strings.Join(values, ", "))
	}
}

// literal writes a value as SQL.
func literal(v kalam.Value) string {
	switch v.Kind() {
	case kalam.KindNull:
		return "NULL"
	case kalam.KindText:
		return "'" + strings.ReplaceAll(v.Str(), "'", "''") + "'"
	case kalam.KindTimestamp:
		return fmt.Sprintf("make_timestamp(%d)", v.Int())
	}
	return "'" + strings.Trim(string(datatype.AppendValue(nil, v)), `"`) + "'"
}

// drawCondition draws a WHERE clause.
func drawCondition(t *rapid.T, depth int) string {
	if depth > 0 && rapid.IntRange(0, 2).Draw(t, "junction") == 0 {
		op := rapid.SampledFrom([]string{"AND", "OR"}).Draw(t, "op")
		left, right := drawCondition(t, depth-1), drawCondition(t, depth-1)
		not := rapid.SampledFrom([]string{"", "", "NOT "}).Draw(t, "not")
		return not + "(" + left + " " + op + " " + right + ")"
	}
	n := rapid.IntRange(0, 9).Draw(t, "n")
	cmp := rapid.SampledFrom([]string{"=", "<>", "<", "<=", ">", ">="}).Draw(t, "cmp")
	switch rapid.IntRange(0, 9).Draw(t, "kind") {
	case 0:
		return fmt.Sprintf("id %s %d", cmp, n*9)
	case 1:
		return fmt.Sprintf("k %s %d", cmp, n-4)
	case 2:
		return fmt.Sprintf("v %s %g", cmp, float64(n)/4-1)
	case 3:
		return fmt.Sprintf("s %s 's%d'", cmp, n%4)
	case 4:
		return fmt.Sprintf("d %s %d.%02d", cmp, n*37/100, n*37%100)
	case 5:
		return fmt.Sprintf("ts %s make_timestamp(%d)", cmp, 1_700_000_000_000_000+n*1_000_000)
	case 6:
		return rapid.SampledFrom([]string{
			"b", "NOT b", "b IS NULL", "s IS NOT NULL", "k IS DISTINCT FROM 2", "k IS NOT DISTINCT FROM 2",
			"s IS DISTINCT FROM 's1'", "s LIKE 's1%'", "_deleted",
		}).
			Draw(t, "plain")
	case 7:
		return fmt.Sprintf("k IN (%d, %d, 3)", n-4, n-2)
	case 8:
		return fmt.Sprintf("k BETWEEN %d AND %d", n-6, n-2)
	}
	return fmt.Sprintf("length(s) %% 3 = %d", n%3)
}

var modelKeys = []string{"id", "k", "v", "s", "d", "ts", "b", "u", "k + 1", "lower(s)", "_seq"}

// drawQuery draws a query and whether its rows come in a defined order. All its
// columns are text, so that both sides are compared as DuckDB writes them.
func drawQuery(t *rapid.T) (q string, ordered bool) {
	where := ""
	if rapid.Bool().Draw(t, "filtered") {
		where = " WHERE " + drawCondition(t, 2)
	}
	key := func() string { return rapid.SampledFrom(modelKeys).Draw(t, "key") }
	dir := rapid.SampledFrom([]string{"", " DESC", " NULLS FIRST", " DESC NULLS LAST", " DESC NULLS FIRST"}).Draw(t, "dir")
	limit := fmt.Sprintf(" LIMIT %d", rapid.IntRange(0, 30).Draw(t, "limit"))
	if rapid.Bool().Draw(t, "skip") {
		limit += fmt.Sprintf(" OFFSET %d", rapid.IntRange(0, 20).Draw(t, "offset"))
	}
	switch rapid.IntRange(0, 8).Draw(t, "shape") {
	case 0: // Natural order.
		return "SELECT CAST(COLUMNS(*) AS TEXT) FROM t" + where, true
	case 1: // Top-N with a total order.
		return fmt.Sprintf(
			"SELECT CAST(id AS TEXT), CAST(%s AS TEXT), CAST(s AS TEXT) FROM t%s ORDER BY %s%s, id%s",
			key(),
			where,
			key(),
			dir,
			limit,
		), true
	case 2: // Top-N with ties: only the keys are defined.
		k := key()
		return fmt.Sprintf("SELECT CAST(%s AS TEXT) FROM t%s ORDER BY %s%s%s", k, where, k, dir, limit), true
	case 3: // Alias and position as keys.
		return fmt.Sprintf(
			"SELECT CAST(id AS TEXT) AS x, %s AS y FROM t%s ORDER BY y%s, t.id%s",
			"CAST("+key()+" AS TEXT)",
			where,
			dir,
			limit,
		), true
	case 4:
		return fmt.Sprintf("SELECT CAST(id AS TEXT) FROM t AS a%s ORDER BY 1%s%s", where, dir, limit), true
	case 5:
		k := key()
		return fmt.Sprintf(
			"SELECT CAST(%s AS TEXT) AS g, CAST(count(*) AS TEXT), CAST(sum(id) AS TEXT), CAST(max(s) AS TEXT), "+
				"CAST(sum(d) AS TEXT) FROM t%s GROUP BY %s ORDER BY g NULLS LAST",
			k,
			where,
			k,
		), true
	case 6:
		return "SELECT CAST(count(*) AS TEXT), CAST(min(v) AS TEXT), CAST(max(u) AS TEXT), " +
			"CAST(count(DISTINCT s) AS TEXT), CAST(bool_or(b) AS TEXT) FROM t" + where, true
	case 7:
		return fmt.Sprintf(
			"SELECT CAST(x.id AS TEXT), CAST(y.id AS TEXT) FROM t x JOIN t y ON x.k = y.k AND x.id < y.id%s",
			strings.NewReplacer(" id ", " x.id ", "(id ", "(x.id ").Replace(qualified(where)),
		), false
	}
	return "SELECT CAST(s AS TEXT), CAST(row_number() OVER (PARTITION BY s ORDER BY id) AS TEXT) FROM t" + where, false
}

// qualified makes every column of a condition one of x.
func qualified(where string) string {
	out := where
	for _, c := range []string{"id", "k", "v", "s", "d", "ts", "b", "_deleted"} {
		for _, p := range []string{" ", "("} {
			out = strings.ReplaceAll(out, p+c+" ", p+"x."+c+" ")
			out = strings.ReplaceAll(out, p+c+")", p+"x."+c+")")
		}
		if strings.HasSuffix(out, " "+c) {
			out = strings.TrimSuffix(out, c) + "x." + c
		}
	}
	return out
}

// TestUnionEqualsTable: whatever files, delete vectors, batches and live lists a
// table is cut into, queries give what they give on an ordinary table.
func TestUnionEqualsTable(t *testing.T) {
	e := newEngine(t)
	db := plainDuckDB(t)
	// The reference does without the optimizer: DuckDB's own has mistakes.
	if _, err := db.Exec("PRAGMA disable_optimizer"); err != nil {
		t.Fatal(err)
	}
	number, queries := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		number++
		m := newModel(rt, t, e, db, number)
		for range 12 {
			q, ordered := drawQuery(rt)
			got, err := m.ours(q)
			if err != nil {
				rt.Fatalf("%s: %v", q, err)
			}
			want, err := m.plain(q)
			if err != nil {
				rt.Fatalf("plain %s: %v", q, err)
			}
			if !ordered {
				sort.Strings(got)
				sort.Strings(want)
			}
			if strings.Join(got, "\n") != strings.Join(want, "\n") {
				rt.Fatalf("%s\ngot\n%s\nwant\n%s", q, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			queries++
		}
	})
	t.Logf("%d queries over %d tables", queries, number)
}

func (m *model) ours(q string) ([]string, error) {
	s, err := m.e.text(context.Background(), q, testArgs(), map[string]query.Source{"t": m.source})
	return strings.Split(s, "\n")[1:], err
}

func (m *model) plain(q string) ([]string, error) {
	q = strings.ReplaceAll(q, "COLUMNS(*)", "COLUMNS(* EXCLUDE (_seq, _deleted))") // As it is with us.
	rows, err := m.db.Query(q)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	cols, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	cells, ptrs := make([]sql.NullString, len(cols)), make([]any, len(cols))
	for i := range cells {
		ptrs[i] = &cells[i]
	}
	var out []string
	for rows.Next() {
		if err := rows.Scan(ptrs...); err != nil {
			return nil, err
		}
		line := make([]string, len(cells))
		for i, c := range cells {
			if line[i] = "null"; c.Valid {
				line[i] = jsonString(c.String)
			}
		}
		out = append(out, strings.Join(line, " "))
	}
	return out, rows.Err()
}

// TestNaturalOrder reads a large table whose rows must come in the order of
// files and batches, with all threads that DuckDB has.
func TestNaturalOrder(t *testing.T) {
	e := newEngine(t, func(o *worker.Options) { o.Threads = 4 })
	schema := columnsOf(t, "id BIGINT, body TEXT")
	src := query.Source{Schema: schema}
	id := int64(0)
	rows := func(n int) [][]kalam.Value {
		var out [][]kalam.Value
		for range n {
			out = append(out, row(big(id), txt(strings.Repeat("x", int(id%40)))))
			id++
		}
		return out
	}
	for i := range 4 {
		f := e.file(t, fmt.Sprintf("f%d.parquet", i), schema, rows(30_000))
		f.Dead = roaring.BitmapOf(0, 17, 29_999)
		src.Files = append(src.Files, f)
	}
	src.Batches = batchesOf(t, schema, rows(100_000), 2048)
	for _, q := range []string{
		"SELECT id FROM t", "SELECT id, upper(body) FROM t WHERE id % 3 = 0",
		"SELECT * FROM (SELECT id FROM t WHERE id > 5) LIMIT 200000",
	} {
		last, n := int64(-1), 0
		for _, r := range e.values(t, q, map[string]query.Source{"t": src}) {
			if r[0].Int() <= last {
				t.Fatalf("%s: %d after %d", q, r[0].Int(), last)
			}
			last = r[0].Int()
			n++
		}
		t.Logf("%s: %d rows", q, n)
	}
	first := filepath.Base(src.Files[0].Path)
	if got := e.values(t, "SELECT count(*) FROM t", map[string]query.Source{"t": src})[0][0].Int(); got != 220_000-12 {
		t.Errorf("%d rows, first file %s", got, first)
	}
}
