package engine_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/dialect"
)

// Case D7: columns of files are those of the ids of the table's columns, whatever
// their names are now or were then. ALTER TABLE is not a statement yet, so the tests
// store the new versions of the table in the catalog.

// alter stores a changed version of app.t.
func (s *server) alter(change func(t *kalam.Table)) {
	s.t.Helper()
	t, ok := s.Catalog().Table(kalam.TableID{Namespace: "app", Name: "t"})
	if !ok {
		s.t.Fatal("app.t is gone")
	}
	next := *t
	next.Columns = slices.Clone(t.Columns)
	next.PrimaryKey = slices.Clone(t.PrimaryKey)
	change(&next)
	if _, err := s.Catalog().AlterTable(s.t.Context(), next, "test"); err != nil {
		s.t.Fatal(err)
	}
}

func rename(t *kalam.Table, from, to string) { t.Columns[t.ColumnIndex(from)].Name = to }

func dropColumn(t *kalam.Table, name string) {
	i := t.ColumnIndex(name)
	t.Columns = slices.Delete(t.Columns, i, i+1)
	for k, at := range t.PrimaryKey {
		if at > i {
			t.PrimaryKey[k]--
		}
	}
}

// addColumn adds a column with a literal default, "" for none.
func addColumn(tb testing.TB, t *kalam.Table, name, typ, def string) {
	dt, err := dialect.ParseType(typ)
	if err != nil {
		tb.Fatal(err)
	}
	c := kalam.Column{Name: name, Type: dt}
	if def != "" {
		v, err := datatype.FromText(dt, def)
		if err != nil {
			tb.Fatal(err)
		}
		c.Default = &kalam.Default{Value: v, SQL: "'" + def + "'"}
	}
	t.Columns = append(t.Columns, c)
}

// TestChangedColumns has the two examples of case D7.
func TestChangedColumns(t *testing.T) {
	s := newServer(t)
	u := userOf("ann")
	s.must(root, "CREATE NAMESPACE app; CREATE USER TABLE app.t (id INT PRIMARY KEY, b TEXT, c TEXT)")
	s.must(u, "INSERT INTO app.t VALUES (1, 'old b', 'old c')")
	s.flush()
	s.alter(func(t *kalam.Table) { dropColumn(t, "b") })
	s.alter(func(t *kalam.Table) { addColumn(s.t, t, "b", "TEXT", "d"); rename(t, "c", "cc") })
	for _, q := range []string{"SELECT cc, b FROM app.t WHERE id = 1", "SELECT cc, b FROM app.t",
		"SELECT cc, b FROM app.t WHERE b = 'd' AND cc > 'old b'"} {
		if got := s.must(u, q).table(); got != "cc | b\nold c | d\n" {
			t.Errorf("%s:\n%s", q, got)
		}
	}
	s.must(u, "INSERT INTO app.t (id, cc) VALUES (2, 'new c')")
	s.flush()
	s.compact()
	s.restart()
	if got := s.must(u, "SELECT * EXCLUDE (_seq, _deleted) FROM app.t ORDER BY id").table(); got != "id | cc | b\n1 | old c | d\n2 | new c | d\n" {
		t.Error(got)
	}
}

// changedColumns is a table whose columns change, and what it has to hold.
type changedColumns struct {
	*server
	rng  *rand.Rand
	user kalam.Principal
	rows map[int]map[kalam.ColumnID]string // Values as text, "" for NULL.
	next int
	seen []string // What was done, for a failure.
}

// kindsOfColumns are types with two values each, as they are written and shown.
var kindsOfColumns = [][3]string{
	{"TEXT", "it's", `a"b`}, {"INT", "-7", "42"}, {"BIGINT", "9007199254740993", "-1"}, {"SMALLINT", "5",
		"-5"}, {"BOOLEAN", "true", "false"},
	{"DOUBLE", "0.5", "-1.25"}, {"FLOAT", "0.5", "-1.25"}, {"DECIMAL(30,4)", "12345678901234567890.1250",
		"-0.0001"}, {"DATE", "2024-02-29", "1969-12-31"},
	{"TIME", "12:34:56.789", "00:00:00"}, {"TIMESTAMP", "2024-02-29 12:00:00", "1969-12-31 23:59:59.5"}, {"DATETIME",
		"2024-02-29T12:00:00Z", "1969-01-01T00:00:00Z"},
	{"UUID", "0191f2a4-7c1e-7000-8000-000000000001", "00000000-0000-0000-0000-000000000000"}, {"JSON", `{"a": [1, "x"]}`,
		`"s"`}, {"BYTES", "AP8=", "AAECAw=="},
}

// namesOfColumns are few, so that they come back, and three are those of columns that
// DuckDB adds to those of a file.
var namesOfColumns = []string{"a", "b", "c", "filename", "file_row_number", "file_index"}

func (c *changedColumns) table() *kalam.Table {
	t, _ := c.Catalog().Table(kalam.TableID{Namespace: "app", Name: "t"})
	return t
}

func (c *changedColumns) valueOf(t kalam.DataType) string {
	for _, k := range kindsOfColumns {
		if dt, err := dialect.ParseType(k[0]); err == nil && dt == t {
			return k[1+c.rng.IntN(2)]
		}
	}
	return ""
}

// change is one step.
func (c *changedColumns) change() {
	c.t.Helper()
	t := c.table()
	switch n := c.rng.IntN(12); {
	case n == 0:
		c.seen = append(c.seen, "flush")
		c.flush()
	case n == 1:
		c.seen = append(c.seen, "compact")
		c.compact()
	case n == 2 && c.rng.IntN(3) == 0:
		c.seen = append(c.seen, "restart")
		c.restart()
	case n < 6:
		c.changeTable(t)
	default:
		c.write(t)
	}
}

func (c *changedColumns) changeTable(t *kalam.Table) {
	c.t.Helper()
	name := namesOfColumns[c.rng.IntN(len(namesOfColumns))]
	var others []string
	for i := range t.Columns {
		if !t.IsKey(i) {
			others = append(others, t.Columns[i].Name)
		}
	}
	free := t.ColumnIndex(name) < 0
	switch {
	case free && len(others) > 0 && c.rng.IntN(3) == 0:
		from := others[c.rng.IntN(len(others))]
		c.seen = append(c.seen, "rename "+from+" to "+name)
		c.alter(func(t *kalam.Table) { rename(t, from, name) })
	case free:
		kind := kindsOfColumns[c.rng.IntN(len(kindsOfColumns))]
		def := ""
		if c.rng.IntN(2) == 0 {
			def = kind[1+c.rng.IntN(2)]
		}
		c.seen = append(c.seen, fmt.Sprintf("add %s %s default %q", name, kind[0], def))
		c.alter(func(t *kalam.Table) { addColumn(c.t, t, name, kind[0], def) })
		added := c.table().Columns[len(t.Columns)]
		for _, row := range c.rows {
			row[added.ID] = def
		}
	default:
		id := t.Columns[t.ColumnIndex(name)].ID
		c.seen = append(c.seen, "drop "+name)
		c.alter(func(t *kalam.Table) { dropColumn(t, name) })
		for _, row := range c.rows {
			delete(row, id)
		}
	}
}

// write inserts, updates or deletes a row.
func (c *changedColumns) write(t *kalam.Table) {
	c.t.Helper()
	ids := slices.Sorted(maps.Keys(c.rows))
	if len(ids) > 0 && c.rng.IntN(6) == 0 {
		id := ids[c.rng.IntN(len(ids))]
		c.seen = append(c.seen, fmt.Sprint("delete ", id))
		c.must(c.user, fmt.Sprintf("DELETE FROM app.t WHERE id = %d", id))
		delete(c.rows, id)
		return
	}
	var names, marks, sets []string
	var params []kalam.Value
	row := map[kalam.ColumnID]string{}
	for i := range t.Columns {
		col := &t.Columns[i]
		if t.IsKey(i) || c.rng.IntN(4) == 0 {
			continue
		}
		v := c.valueOf(col.Type)
		row[col.ID] = v
		params = append(params, kalam.Text(v))
		names = append(names, `"`+col.Name+`"`)
		marks = append(marks, fmt.Sprintf("$%d", len(params)))
		sets = append(sets, fmt.Sprintf(`"%s" = $%d`, col.Name, len(params)))
	}
	if len(ids) > 0 && len(sets) > 0 && c.rng.IntN(3) == 0 {
		id := ids[c.rng.IntN(len(ids))]
		c.seen = append(c.seen, fmt.Sprint("update ", id))
		c.must(c.user, fmt.Sprintf("UPDATE app.t SET %s WHERE id = %d", strings.Join(sets, ", "), id), params...)
		maps.Copy(c.rows[id], row)
		return
	}
	c.next++
	c.seen = append(c.seen, fmt.Sprint("insert ", c.next))
	c.must(c.user, fmt.Sprintf("INSERT INTO app.t (%s) VALUES (%s)", strings.Join(append(names, "id"), ", "),
		strings.Join(append(marks, fmt.Sprint(c.next)), ", ")), params...)
	for i := range t.Columns {
		col := &t.Columns[i]
		if _, given := row[col.ID]; !given && !t.IsKey(i) {
			row[col.ID] = ""
			if col.Default != nil {
				row[col.ID] = datatype.Format(col.Default.Value)
			}
		}
	}
	c.rows[c.next] = row
}

// check compares what the table holds, by key and by a query that DuckDB runs.
func (c *changedColumns) check() {
	c.t.Helper()
	t := c.table()
	var names []string
	for i := range t.Columns {
		names = append(names, `"`+t.Columns[i].Name+`"`)
	}
	list := strings.Join(names, ", ")
	whole := c.must(c.user, "SELECT "+list+" FROM app.t ORDER BY id + 0")
	ids := slices.Sorted(maps.Keys(c.rows))
	if len(whole.rows) != len(ids) {
		c.t.Fatalf("%d rows instead of %d after %s", len(whole.rows), len(ids), strings.Join(c.seen, "; "))
	}
	for n, id := range ids {
		byKey := c.must(c.user, fmt.Sprintf("SELECT %s FROM app.t WHERE id = %d", list, id))
		var want []string
		for i := range t.Columns {
			want = append(want, c.cell(&t.Columns[i], t.IsKey(i), id))
		}
		for what, got := range map[string][]string{"a query": whole.rows[n], "a key": byKey.rows[0]} {
			if !slices.Equal(got, want) {
				c.t.Fatalf("by %s (%s)\n%q instead of\n%q after %s", what, list, got, want, strings.Join(c.seen, "; "))
			}
		}
	}
}

// cell returns the cell that a row has to show in a column.
func (c *changedColumns) cell(col *kalam.Column, key bool, id int) string {
	text := c.rows[id][col.ID]
	if key {
		text = fmt.Sprint(id)
	}
	if text == "" {
		return "null"
	}
	v, err := datatype.FromText(col.Type, text)
	if err != nil {
		c.t.Fatal(err)
	}
	return string(datatype.AppendValue(nil, v))
}

// TestColumnsByID changes a table at random, D7: any column renamed, dropped, or added
// under a name that others had, in every state of its rows.
func TestColumnsByID(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	c := &changedColumns{server: newServer(t), rng: rand.New(rand.NewPCG(seed, 0)), user: userOf("ann"),
		rows: map[int]map[kalam.ColumnID]string{}}
	c.must(root, "CREATE NAMESPACE app; CREATE USER TABLE app.t (id INT PRIMARY KEY, a TEXT, b INT)")
	for i := range 400 {
		c.change()
		if i%5 == 0 {
			c.check()
		}
	}
	c.check()
}
