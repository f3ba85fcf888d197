package query_test

import (
	"context"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/apache/arrow-go/v18/arrow"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/query"
	"github.com/kalamlake/kalam/query/worker"
	"github.com/kalamlake/kalam/sqltext"
)

var latestSeed = flag.Uint64("latest-seed", 0, "repeats a run of TestLatestDifferential")

// rowBounds are Bounds made of the rows themselves, in groups as small as a test likes.
type rowBounds struct {
	rows   []int64
	ranges [][]datatype.Range
}

func (b *rowBounds) Groups() int                       { return len(b.rows) }
func (b *rowBounds) Rows(group int) int64              { return b.rows[group] }
func (b *rowBounds) Range(group, c int) datatype.Range { return b.ranges[group][c] }

// boundsOf returns the bounds of rows in groups of size.
func boundsOf(rows [][]kalam.Value, size int) *rowBounds {
	b := &rowBounds{}
	for len(rows) > 0 {
		part := rows[:min(size, len(rows))]
		rows = rows[len(part):]
		b.rows = append(b.rows, int64(len(part)))
		b.ranges = append(b.ranges, rangesOf(part))
	}
	return b
}

func rangesOf(rows [][]kalam.Value) []datatype.Range {
	out := make([]datatype.Range, len(rows[0]))
	for _, r := range rows {
		for c, v := range r {
			x := &out[c]
			x.Known = v.IsNull() && x.Min.IsNull() || datatype.HasRange(v.Kind()) || x.Known
			if v.IsNull() {
				x.Nulls = true
				continue
			}
			compare := datatype.Compare(v.Kind())
			if x.Min.IsNull() || compare(v, x.Min) < 0 {
				x.Min = v
			}
			if x.Max.IsNull() || compare(v, x.Max) > 0 {
				x.Max = v
			}
		}
	}
	return out
}

const latestColumns = "id BIGINT, ts TIMESTAMP, conv TEXT, n INT, sm SMALLINT, d DATE, tm TIME, dt DATETIME, u UUID, " +
	"name TEXT, x DOUBLE, m DECIMAL(10;2), b BOOLEAN, late INT, _seq BIGINT, _deleted BOOLEAN"

// lateColumn is the place of the column that the oldest file lacks.
const lateColumn = 13

// latestModel makes sources whose columns follow the order of arrival more or less.
type latestModel struct {
	*rand.Rand
	pattern []int     // Of each column.
	nulls   []float64 // Of each column.
	total   int
}

func newLatestModel(r *rand.Rand, columns int) *latestModel {
	m := &latestModel{Rand: r, total: 200 + r.IntN(1500)}
	for range columns {
		m.pattern = append(m.pattern, r.IntN(6))
		m.nulls = append(m.nulls, []float64{0, 0, 0.02, 0.3}[r.IntN(4)])
	}
	return m
}

// place returns a number that row i has in a column, by which its value is made.
func (m *latestModel) place(column, i int) int64 {
	switch m.pattern[column] {
	case 0, 1:
		return int64(i)
	case 2:
		return int64(i + m.IntN(60)) // Almost.
	case 3:
		return int64(m.total - i)
	case 4:
		return int64(i / 100) // With ties.
	}
	return int64(m.IntN(m.total))
}

func (m *latestModel) row(i int) []kalam.Value {
	p := func(c int) int64 { return m.place(c, i) }
	uuid := [16]byte{6: byte(p(8) >> 8), 7: byte(p(8)), 15: byte(i)}
	x := float64(p(10)) / 4
	if m.IntN(20) == 0 {
		x = []float64{math.NaN(), math.Inf(1), math.Inf(-1)}[m.IntN(3)] // Of -0 a sort of DuckDB's may make 0.
	}
	r := []kalam.Value{
		big(int64(i)), kalam.Integer(kalam.KindTimestamp, 1_700_000_000_000_000+p(1)*1_000_000),
		txt("c" + strconv.Itoa(m.IntN(12))), kalam.Integer(kalam.KindInt, p(3)),
		kalam.Integer(kalam.KindSmallInt, p(4)), kalam.Integer(kalam.KindDate, 19_000+p(5)),
		kalam.Integer(kalam.KindTime, p(6)*1_000_000), kalam.Integer(kalam.KindDateTime, 1_700_000_000_000_000+p(7)),
		kalam.UUID(uuid), txt(fmt.Sprintf("%c%06d", "aé"[p(9)%2], p(9))), kalam.Double(x),
		kalam.Decimal(0, uint64(p(11)), 2),
		kalam.Bool(i%2 == 0), kalam.Integer(kalam.KindInt, p(13)), big(int64(5000 + i)), kalam.Bool(false),
	}
	for c := 1; c < 14; c++ {
		if m.Float64() < m.nulls[c] {
			r[c] = kalam.Null()
		}
	}
	return r
}

// source returns the table, and the same without what spares reading.
func (m *latestModel) source(t testing.TB, e *engine, number int) (narrow, plain query.Source) {
	schema := columnsOf(t, latestColumns)
	src := query.Source{Schema: schema}
	rows := make([][]kalam.Value, m.total)
	for i := range rows {
		rows[i] = m.row(i)
	}
	files := m.IntN(5)
	for k := range files {
		n := min(len(rows), 1+m.IntN(1+m.total/3))
		if n == 0 {
			break
		}
		src.Files = append(src.Files, m.file(t, e, fmt.Sprintf("l%d-%d.parquet", number, k), schema, rows[:n], k == 0))
		rows = rows[n:]
	}
	if files == 0 || m.IntN(4) > 0 {
		src.Batches = batchesOf(t, schema, rows[:min(len(rows), m.IntN(400))], 1+m.IntN(100))
		for i := range src.Batches {
			if b := &src.Batches[i]; m.IntN(3) == 0 {
				b.Live = []uint32{}
				for k := range uint32(b.Record.NumRows()) {
					if m.IntN(4) > 0 {
						b.Live = append(b.Live, k)
					}
				}
			}
		}
	}
	plain = src
	plain.Files = append([]query.File(nil), src.Files...)
	for i := range plain.Files {
		plain.Files[i].Bounds, plain.Files[i].Rows = nil, 0
	}
	return src, plain
}

// file writes a file; an old one lacks a column.
func (m *latestModel) file(
	t testing.TB, e *engine, name string, schema *arrow.Schema, rows [][]kalam.Value, old bool,
) query.File {
	var layout *query.Layout
	written, wrote := schema, rows
	if old && m.IntN(2) == 0 {
		fields := append([]arrow.Field(nil), schema.Fields()[:lateColumn]...)
		written = arrow.NewSchema(append(fields, schema.Fields()[lateColumn+1:]...), nil)
		missing := kalam.Null()
		if m.IntN(2) == 0 {
			missing = kalam.Integer(kalam.KindInt, int64(m.IntN(m.total)))
		}
		layout = &query.Layout{Version: 1, Width: schema.NumFields() - 1}
		wrote = nil
		for _, r := range rows {
			wrote = append(wrote, append(append([]kalam.Value(nil), r[:lateColumn]...), r[lateColumn+1:]...))
		}
		for c := range schema.NumFields() {
			column := query.FileColumn{Index: c}
			switch {
			case c == lateColumn:
				column = query.FileColumn{Index: -1, Missing: missing}
			case c > lateColumn:
				column.Index--
			}
			layout.Columns = append(layout.Columns, column)
		}
	}
	f := e.file(t, name, written, wrote)
	f.Layout, f.Rows = layout, int64(len(rows))
	if m.IntN(2) == 0 {
		f.Dead = roaring.New()
		share := m.Float64()
		for i := range rows {
			if m.Float64() < share {
				f.Dead.Add(uint32(i))
			}
		}
	}
	bounds := boundsOf(wrote, 1+m.IntN(60))
	f.Bounds = func() query.Bounds { return bounds }
	if m.IntN(12) == 0 {
		f.Bounds = func() query.Bounds { return nil }
	}
	return f
}

// latestQuery draws a query with its parameters.
func (m *latestModel) query() (sql string, params []kalam.Value) {
	param := func(v kalam.Value) string {
		params = append(params, v)
		return "$" + strconv.Itoa(len(params))
	}
	number := func(most int) string {
		if n := m.IntN(most); m.IntN(2) == 0 {
			return strconv.Itoa(n)
		} else {
			return param(big(int64(n)))
		}
	}
	columns := strings.Fields("id ts conv n sm d tm dt u name x m b late _seq")
	list := []string{"*", "id, ts, name", "t.id AS key, t.*", "id, -n AS n", "n AS id, id AS n, ts"}[m.IntN(5)]
	if m.IntN(8) == 0 {
		list = "count(*), min(id), max(_seq)"
	}
	if m.IntN(20) == 0 {
		return "SELECT count(*)" + []string{"", " AS n", ` AS "Rows"`}[m.IntN(3)] + " FROM t", nil
	}
	var b strings.Builder
	b.WriteString("SELECT " + list + " FROM t")
	for i := range m.IntN(3) {
		word := " WHERE "
		if i > 0 {
			word = []string{" AND ", " AND ", " OR "}[m.IntN(3)]
		}
		b.WriteString(word + m.condition(columns, param))
	}
	if strings.HasPrefix(list, "count") {
		return b.String(), params
	}
	key := columns[m.IntN(len(columns))]
	if m.IntN(8) == 0 {
		key = []string{"t." + key, "-n", "lower(name)", "1", "key", "_updated", "t.id"}[m.IntN(7)]
		if key == "key" && !strings.Contains(list, "key") {
			key = "id"
		}
	}
	b.WriteString(" ORDER BY " + key + []string{"", " DESC", " ASC", " DESC"}[m.IntN(4)])
	b.WriteString([]string{"", "", " NULLS LAST", " NULLS FIRST"}[m.IntN(4)])
	for range m.IntN(2) {
		b.WriteString(", " + columns[m.IntN(len(columns))])
	}
	b.WriteString(", t._seq LIMIT " + number(40))
	if m.IntN(3) == 0 {
		b.WriteString(" OFFSET " + number(60))
	}
	return b.String(), params
}

// condition draws a condition.
func (m *latestModel) condition(columns []string, param func(kalam.Value) string) string {
	c := m.IntN(len(columns))
	at := columns[c]
	c = min(c, 14)
	value := func() string {
		v := m.row(m.IntN(m.total))[c]
		if m.IntN(10) == 0 {
			v = kalam.Null()
		}
		if v.Kind() == kalam.KindUUID || m.IntN(2) == 0 {
			return param(v)
		}
		return sqlOf(v)
	}
	switch m.IntN(8) {
	case 0:
		return at + " BETWEEN " + value() + " AND " + value()
	case 1:
		return at + " IN (" + value() + ", " + value() + ")"
	case 2:
		return "conv = " + param(txt("c"+strconv.Itoa(m.IntN(13))))
	case 3:
		return at + " IS NOT NULL"
	case 4:
		return "n % 7 = 3"
	}
	op := []string{"<", "<=", ">", ">=", "=", "<>"}[m.IntN(6)]
	if m.IntN(4) == 0 {
		return value() + " " + op + " " + at
	}
	return at + " " + op + " " + value()
}

// sqlOf returns a literal.
func sqlOf(v kalam.Value) string {
	switch v.Kind() {
	case kalam.KindNull, kalam.KindBoolean, kalam.KindSmallInt, kalam.KindInt, kalam.KindBigInt, kalam.KindDecimal:
		return datatype.SQLText(v)
	case kalam.KindDouble, kalam.KindText:
		return sqltext.QuoteString(datatype.SQLText(v))
	case kalam.KindTimestamp:
		return "TIMESTAMP " + sqltext.QuoteString(datatype.SQLText(v))
	}
	return sqltext.QuoteString(datatype.SQLText(v))
}

// latestQueries returns how many queries a differential test runs: 100,000 with
// KALAM_LONG.
func latestQueries() int {
	if os.Getenv("KALAM_LONG") != "" {
		return 100_000
	}
	return 400
}

// result runs a query and returns its rows or error as text.
func (e *engine) result(sql string, src query.Source, params []kalam.Value) (string, query.Reads) {
	args := testArgs(params...)
	p, err := e.Analyse(context.Background(), testUser, sql)
	if err != nil {
		return err.Error(), query.Reads{}
	}
	rows, err := e.Query(context.Background(), p, []query.Source{src}, args)
	if err != nil {
		return err.Error(), query.Reads{}
	}
	defer rows.Close()
	var b strings.Builder
	fmt.Fprintln(&b, rows.Schema())
	err = drain(context.Background(), rows, func(rec arrow.RecordBatch) {
		for r := range int(rec.NumRows()) {
			for _, col := range rec.Columns() {
				b.Write(append(datatype.AppendCell(nil, col, r), ' '))
			}
			b.WriteByte('\n')
		}
	})
	if err != nil {
		return err.Error(), rows.Reads()
	}
	return b.String(), rows.Reads()
}

// TestLatestDifferential compares queries that leave out what they need not read with the
// same that read everything.
func TestLatestDifferential(t *testing.T) {
	seed := *latestSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("repeat with -latest-seed=%d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	engines := []*engine{newEngine(t), newEngine(t, func(o *worker.Options) { o.PostgreSQL = true })}
	var pruned, bounded, again, known int
	total := latestQueries()
	const perTable = 25
	for table := 0; table*perTable < total; table++ {
		t.Run("", func(t *testing.T) {
			e := engines[table%2]
			m := newLatestModel(r, 14)
			narrow, plain := m.source(t, e, table)
			for range perTable {
				sql, params := m.query()
				want, _ := e.result(sql, plain, params)
				got, reads := e.result(sql, narrow, params)
				if got != want {
					t.Fatalf("%s %v (%+v)\n%s\ninstead of\n%s", sql, params, reads, got, want)
				}
				pruned += min(reads.Pruned, 1)
				again += min(max(reads.Runs-1, 0), 1)
				if reads.Runs == 1 && reads.Skipped > 0 {
					bounded++
				}
				if reads.Runs == 0 && reads.Files > 0 {
					known++
				}
			}
			e.forgetBatches()
		})
	}
	t.Logf("of %d queries %d left out files and %d row groups, %d ran more than once, %d not at all",
		total, pruned, bounded, again, known)
	if pruned < total/20 || bounded < total/20 || again == 0 || known == 0 {
		t.Error("too little is left out to be tested")
	}
}

// readCases are queries of TestReads.
var readCases = []struct {
	sql  string
	want query.Reads
}{
	{
		"SELECT * FROM t ORDER BY id DESC LIMIT 20",
		query.Reads{Files: 4, Pruned: 4, Groups: 40, Skipped: 40, Runs: 1},
	},
	{
		"SELECT * FROM t ORDER BY id LIMIT 20",
		query.Reads{Files: 4, Pruned: 3, Groups: 40, Skipped: 39, Runs: 1},
	},
	{
		"SELECT * FROM t ORDER BY _seq DESC LIMIT 20 OFFSET 150",
		query.Reads{Files: 4, Pruned: 3, Groups: 40, Skipped: 39, Runs: 1},
	},
	{
		"SELECT id AS x FROM t WHERE conv = 'a' ORDER BY t.id DESC LIMIT 20",
		query.Reads{Files: 4, Pruned: 4, Groups: 40, Skipped: 40, Runs: 1},
	},
	{
		"SELECT id FROM t WHERE conv = 'a' ORDER BY id DESC LIMIT 100",
		query.Reads{Files: 4, Pruned: 3, Groups: 40, Skipped: 37, Runs: 2},
	},
	{
		"SELECT id FROM t WHERE conv = 'c' ORDER BY id DESC LIMIT 20",
		query.Reads{Files: 4, Pruned: 4, Groups: 40, Skipped: 40, Runs: 1},
	},
	{
		"SELECT id FROM t WHERE x = 1234 ORDER BY id DESC LIMIT 2",
		query.Reads{Files: 4, Groups: 40, Runs: 4},
	},
	{
		"SELECT id FROM t WHERE id < 2050 ORDER BY id DESC LIMIT 2",
		query.Reads{Files: 4, Pruned: 2, Groups: 40, Skipped: 38, Runs: 1},
	},
	{
		"SELECT count(*) FROM t WHERE id >= 3990",
		query.Reads{Files: 4, Pruned: 3, Groups: 40, Skipped: 39, Runs: 1},
	},
	{
		"SELECT max(x) FROM t WHERE _seq IN (1001, 5200) GROUP BY conv",
		query.Reads{Files: 4, Pruned: 3, Groups: 40, Skipped: 39, Runs: 1},
	},
	{
		"SELECT count(*) FROM t WHERE id BETWEEN 1500 AND 1700 OR conv = 'a'",
		query.Reads{Files: 4, Runs: 1},
	},
	{
		"SELECT count(*) FROM t",
		query.Reads{Files: 4, Pruned: 4},
	},
	{
		"SELECT count(*) FROM t LIMIT 1",
		query.Reads{Files: 4, Runs: 1},
	},
	{
		"SELECT id FROM t ORDER BY n DESC NULLS LAST LIMIT 5",
		query.Reads{Files: 4, Pruned: 4, Groups: 40, Skipped: 40, Runs: 1},
	},
	{
		"SELECT id FROM t ORDER BY n DESC LIMIT 5",
		query.Reads{Files: 4, Groups: 40, Runs: 1},
	},
	{
		"SELECT id FROM t ORDER BY x DESC LIMIT 5",
		query.Reads{Files: 4, Runs: 1},
	},
	{
		"SELECT -id AS id FROM t ORDER BY id DESC LIMIT 5",
		query.Reads{Files: 4, Runs: 1},
	},
	{
		"SELECT id FROM t ORDER BY id DESC LIMIT 5000",
		query.Reads{Files: 4, Groups: 40, Runs: 1},
	},
	{
		"SELECT DISTINCT conv FROM t ORDER BY id DESC LIMIT 5",
		query.Reads{Files: 4, Runs: 1},
	},
	{
		"SELECT sum(id) OVER () FROM t ORDER BY id DESC LIMIT 5",
		query.Reads{Files: 4, Runs: 1},
	},
}

// TestReads tells what is read of four files of 1,000 rows in groups of 100, and of 100
// buffered rows; b is every other row's, and n is NULL in the last file.
func TestReads(t *testing.T) {
	e := newEngine(t)
	schema := columnsOf(t, "id BIGINT, conv TEXT, n INT, x DOUBLE, _seq BIGINT")
	var rows [][]kalam.Value
	for i := range int64(4100) {
		n := kalam.Integer(kalam.KindInt, i)
		if i >= 3000 && i < 4000 {
			n = kalam.Null()
		}
		rows = append(rows, row(big(i), txt(string(rune('a'+i%2))), n, kalam.Double(float64(i)), big(1000+i)))
	}
	src := query.Source{Schema: schema, Batches: batchesOf(t, schema, rows[4000:], 2048)}
	for k := range 4 {
		part := rows[1000*k : 1000*k+1000]
		bounds := boundsOf(part, 100)
		f := e.file(t, fmt.Sprintf("reads%d.parquet", k), schema, part)
		f.Rows, f.Bounds = 1000, func() query.Bounds { return bounds }
		src.Files = append(src.Files, f)
	}
	for _, test := range readCases {
		if _, got := e.result(test.sql, src, nil); got != test.want {
			t.Errorf("%s reads %+v, want %+v", test.sql, got, test.want)
		}
	}
}
