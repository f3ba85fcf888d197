package engine_test

import (
	"context"
	"database/sql/driver"
	"fmt"
	"math/rand/v2"
	"os"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	duckdb "github.com/duckdb/duckdb-go/v2"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
)

// stock is a DuckDB as it is, with the rows in a plain table.
type stock struct {
	t     testing.TB
	conn  driver.Conn
	arrow *duckdb.Arrow
}

func newStock(t testing.TB) *stock {
	t.Helper()
	connector, err := duckdb.NewConnector("", nil)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := connector.Connect(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		connector.Close()
	})
	a, err := duckdb.NewArrowFromConn(conn)
	if err != nil {
		t.Fatal(err)
	}
	s := &stock{t: t, conn: conn, arrow: a}
	s.exec("SET threads = 1")
	s.exec("SET TimeZone = 'UTC'")
	s.exec("PRAGMA disable_optimizer")
	return s
}

func (s *stock) exec(q string) {
	s.t.Helper()
	if _, err := s.conn.(driver.ExecerContext).ExecContext(context.Background(), q, nil); err != nil {
		s.t.Fatalf("stock: %.300s: %v", q, err)
	}
}

// query returns the columns' types and the rows as cells.
func (s *stock) query(q string) (types []kalam.DataType, rows []string, err error) {
	r, err := s.arrow.QueryContext(context.Background(), q)
	if err != nil {
		return nil, nil, err
	}
	defer r.Release()
	for _, f := range r.Schema().Fields() {
		types = append(types, datatype.TypeOfArrow(f))
	}
	for r.Next() {
		rows = append(rows, cellsOf(r.RecordBatch())...)
	}
	return types, rows, r.Err()
}

func cellsOf(rec arrow.RecordBatch) []string {
	var rows []string
	for i := range int(rec.NumRows()) {
		var row []byte
		for c := range int(rec.NumCols()) {
			if c > 0 {
				row = append(row, ' ')
			}
			row = datatype.AppendCell(row, rec.Column(c), i)
		}
		rows = append(rows, string(row))
	}
	return rows
}

// differential compares queries over one set of rows, which tables of a server hold in
// every state, with the same queries over a plain table.
type differential struct {
	s      *server
	stock  *stock
	rng    *rand.Rand
	user   kalam.Principal
	states []string
	// mistakes is the number of queries that stock DuckDB answers in two ways.
	mistakes int
}

// newDifferential fills the tables.
func newDifferential(t testing.TB, rng *rand.Rand) *differential {
	t.Helper()
	d := &differential{s: newServer(t, manual), stock: newStock(t), rng: rng, user: userOf("alice")}
	d.states = []string{"buffered", "flushed", "half", "changed", "compacted"}
	d.s.must(root, "CREATE NAMESPACE app")
	var ours, plain []string
	for _, c := range diffColumns {
		ours = append(ours, c.name+" "+c.typ)
		plain = append(plain, c.name+" "+c.duck)
	}
	for _, state := range d.states {
		d.s.must(root, "CREATE USER TABLE app."+state+" (id BIGINT PRIMARY KEY, "+strings.Join(ours, ", ")+")")
	}
	d.stock.exec("CREATE TABLE t (id BIGINT, " + strings.Join(plain, ", ") + ")")
	rows := d.rows(40 + rng.IntN(40))
	d.stock.exec("INSERT INTO t VALUES " + strings.Join(rows.plain, ", "))
	d.fill(rows.ours)
	return d
}

// diffRows are the same rows as VALUES of both sides.
type diffRows struct{ ours, plain []string }

func (d *differential) rows(n int) (out diffRows) {
	for id := 1; id <= n; id++ {
		ours, plain := strconv.Itoa(id), strconv.Itoa(id)
		for _, c := range diffColumns {
			a, b := "NULL", "NULL"
			if d.rng.IntN(5) > 0 {
				v := c.values[d.rng.IntN(len(c.values))]
				a, b = quoted(v), c.plain(v)
			}
			ours, plain = ours+", "+a, plain+", "+b
		}
		out.ours = append(out.ours, "("+ours+")")
		out.plain = append(out.plain, "("+plain+")")
	}
	return out
}

// fill writes the rows into the table of every state, with flushes between.
func (d *differential) fill(rows []string) {
	insert := func(table string, rows []string) {
		d.s.t.Helper()
		if len(rows) > 0 {
			d.s.must(d.user, "INSERT INTO app."+table+" VALUES "+strings.Join(rows, ", "))
		}
	}
	quarter := len(rows) / 4
	for i := range 4 {
		end := (i + 1) * quarter
		if i == 3 {
			end = len(rows)
		}
		insert("compacted", rows[i*quarter:end])
		d.s.flush()
	}
	d.s.compact()
	d.s.restart()
	insert("flushed", rows)
	insert("half", rows[:len(rows)/2])
	// Rows that are wrong and rows that are too many, in files and in the buffer.
	wrong := make([]string, len(rows))
	for i := range wrong {
		wrong[i] = "(" + strconv.Itoa(i+1) + strings.Repeat(", NULL", len(diffColumns)) + ")"
	}
	insert("changed", wrong[:2*quarter])
	d.s.must(d.user, "INSERT INTO app.changed (id) VALUES (1001), (1002), (1003)")
	d.s.flush()
	insert("changed", wrong[2*quarter:])
	d.s.must(d.user, "INSERT INTO app.changed (id) VALUES (1004)")
	sets := make([]string, 0, len(diffColumns))
	for _, c := range diffColumns {
		sets = append(sets, c.name+" = excluded."+c.name)
	}
	upsert := func(rows []string) {
		if len(rows) > 0 {
			d.s.must(d.user, "INSERT INTO app.changed VALUES "+strings.Join(rows,
				", ")+" ON CONFLICT (id) DO UPDATE SET "+strings.Join(sets, ", "))
		}
	}
	upsert(rows[:quarter])
	d.s.must(d.user, "DELETE FROM app.changed WHERE id > 1001")
	d.s.flush()
	upsert(rows[quarter:])
	d.s.must(d.user, "DELETE FROM app.changed WHERE id = 1001")
	insert("half", rows[len(rows)/2:])
	insert("buffered", rows)
}

// compare runs a query on both sides. failed says that both refuse it. DuckDB's
// optimizer has mistakes of its own: what stock DuckDB gives with it is as good as what
// it gives without, and is counted.
func (d *differential) compare(q *diffQuery) (failed bool, difference string) {
	ours, plain, params := q.render(d)
	failed, difference = d.compareTexts(q, ours, plain, params)
	if difference == "" {
		return failed, ""
	}
	d.stock.exec("PRAGMA enable_optimizer")
	defer d.stock.exec("PRAGMA disable_optimizer")
	if _, optimized := d.compareTexts(q, ours, plain, params); optimized != "" {
		return false, difference
	}
	d.mistakes++
	d.s.t.Logf("stock DuckDB differs from itself without its optimizer: %s", plain)
	return false, ""
}

func (d *differential) compareTexts(q *diffQuery, ours, plain string, params []kalam.Value) (failed bool,
	difference string) {
	types, want, wantErr := d.stock.query(plain)
	res, err := d.s.try(d.user, ours, params...)
	show := func(format string, args ...any) string {
		return fmt.Sprintf("%s\n  parameters %v\n  plain: %s\n  ", ours, params, plain) + fmt.Sprintf(format, args...)
	}
	switch {
	case err != nil && wantErr != nil:
		return true, ""
	case err != nil:
		return false, show("fails: %v", explained(err))
	case wantErr != nil:
		return false, show("gives %d rows, stock DuckDB: %v", len(res[0].rows), wantErr)
	}
	var got []string
	for _, row := range res[0].rows {
		got = append(got, strings.Join(row, " "))
	}
	if !q.ordered {
		sort.Strings(got)
		sort.Strings(want)
	}
	if a, b := strings.Join(got, "\n"), strings.Join(want, "\n"); a != b {
		return false, show("gives %d rows\n%s\n  want %d\n%s", len(got), a, len(want), b)
	}
	for i, t := range types {
		wire, _ := t.MarshalJSON()
		if a, b := res[0].types[i], strings.Trim(string(wire), `"`); !sameType(a, b) {
			return false, show("column %d is %s, want %s", i, a, b)
		}
	}
	return false, ""
}

// sameType reports whether ours is the type of a column that plain is in Arrow, which
// does not know all of DuckDB's types.
func sameType(ours, plain string) bool {
	ours, _, _ = strings.Cut(ours, "(")
	switch plain {
	case "Text":
		return ours == "Text" || ours == "Uuid" || ours == "Json"
	case `{"Decimal":{"precision":38,"scale":0}}`:
		return ours == plain || ours == "BigInt"
	}
	return ours == plain
}

// TestDifferential runs random queries over tables in every state and over a plain
// table of stock DuckDB. KALAM_SEED sets the seed, KALAM_QUERIES the number.
func TestDifferential(t *testing.T) {
	seed, queries := uint64(time.Now().UnixNano()), 1500
	if s := os.Getenv("KALAM_SEED"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	if s := os.Getenv("KALAM_QUERIES"); s != "" {
		queries, _ = strconv.Atoi(s)
	}
	t.Logf("KALAM_SEED=%d KALAM_QUERIES=%d", seed, queries)
	rng := rand.New(rand.NewPCG(seed, 7))
	done, failed, differences, mistakes := 0, 0, 0, 0
	shapes := map[string]int{}
	for done < queries {
		d := newDifferential(t, rng)
		for range min(750, queries-done) {
			q := newDiffQuery(d)
			refused, difference := d.compare(q)
			if difference != "" {
				if differences++; differences <= 20 {
					t.Errorf("difference %d, query %d (%s): %s", differences, done, q.shape, difference)
				}
			}
			if refused {
				failed++
			}
			shapes[q.shape]++
			done++
		}
		d.s.stop()
		mistakes += d.mistakes
	}
	t.Logf("%d queries, %d that both sides refuse, %d differences, %d that DuckDB's optimizer answers wrongly; %v", done,
		failed, differences, mistakes, shapes)
	if failed*5 > done {
		t.Errorf("%d of %d queries are refused: the generator makes nonsense", failed, done)
	}
}
