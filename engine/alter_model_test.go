package engine_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/dialect"
)

// TestChangedColumns has the two examples of case D7.
func TestChangedColumns(t *testing.T) {
	s := newServer(t)
	u := userOf("ann")
	s.must(root, "CREATE NAMESPACE app; CREATE USER TABLE app.t (id INT PRIMARY KEY, b TEXT, c TEXT)")
	s.must(u, "INSERT INTO app.t VALUES (1, 'old b', 'old c')")
	s.flush()
	s.must(root, "ALTER TABLE app.t DROP COLUMN b")
	s.must(root, "ALTER TABLE app.t ADD COLUMN b TEXT DEFAULT 'd'")
	s.must(root, "ALTER TABLE app.t RENAME COLUMN c TO cc")
	for _, q := range []string{
		"SELECT cc, b FROM app.t WHERE id = 1", "SELECT cc, b FROM app.t",
		"SELECT cc, b FROM app.t WHERE b = 'd' AND cc > 'old b'",
	} {
		if got := s.must(u, q).table(); got != "cc | b\nold c | d\n" {
			t.Errorf("%s:\n%s", q, got)
		}
	}
	s.must(u, "INSERT INTO app.t (id, cc) VALUES (2, 'new c')")
	s.flush()
	s.compact()
	s.restart()
	got := s.must(u, "SELECT * EXCLUDE (_seq, _deleted) FROM app.t ORDER BY id").table()
	if got != "id | cc | b\n1 | old c | d\n2 | new c | d\n" {
		t.Error(got)
	}
}

// modelColumn is a column as the model knows it. It is found by its number, whatever its name is.
type modelColumn struct {
	number  int
	name    string
	typ     string
	notNull bool
	def     string // As text, "" for none.
}

// alterModel is a table that is altered, and what it has to hold.
type alterModel struct {
	*server
	rng     *rand.Rand
	columns []modelColumn // But for the key.
	key     string        // Its name.
	table   string        // Likewise; statements say app.t.
	numbers int           // Given to columns so far.
	rows    map[kalam.UserID]map[int]map[int]string
	next    int
	seen    []string // What was done, for a failure.
	refused int
}

// modelTypes are types with two values each, as they are written and shown.
var modelTypes = [][3]string{
	{"TEXT", "it's", `a"b`}, {"INT", "-7", "42"}, {"BIGINT", "9007199254740993", "-1"}, {"SMALLINT", "5", "-5"},
	{"BOOLEAN", "true", "false"}, {"DOUBLE", "0.5", "-1.25"}, {"FLOAT", "0.5", "-1.25"},
	{"DECIMAL(30,4)", "12345678901234567890.1250", "-0.0001"}, {"DECIMAL(6,2)", "-12.50", "7777.77"},
	{"DATE", "2024-02-29", "1969-12-31"}, {"TIME", "12:34:56.789", "00:00:00"},
	{"TIMESTAMP", "2024-02-29 12:00:00", "1969-12-31 23:59:59.5"},
	{"DATETIME", "2024-02-29T12:00:00Z", "1969-01-01T00:00:00Z"},
	{"UUID", "0191f2a4-7c1e-7000-8000-000000000001", "00000000-0000-0000-0000-000000000000"},
	{"JSON", `{"a": [1, "x"]}`, `"s"`}, {"BYTES", "AP8=", "AAECAw=="},
}

// modelWider says what types can become.
var modelWider = map[string][]string{
	"SMALLINT": {"INT", "BIGINT", "DECIMAL(9,1)"}, "INT": {"BIGINT", "DECIMAL(12,2)"}, "BIGINT": {"DECIMAL(30,4)"},
	"FLOAT": {"DOUBLE"}, "DECIMAL(6,2)": {"DECIMAL(8,2)", "DECIMAL(30,4)"}, "DECIMAL(9,1)": {"DECIMAL(30,4)"},
	"DECIMAL(12,2)": {"DECIMAL(30,4)"}, "DECIMAL(8,2)": {"DECIMAL(30,4)"},
}

// modelNames are few, so that they come back, and three are those of columns that DuckDB adds to those of a file.
var modelNames = []string{"a", "b", "c", "filename", "file_row_number", "file_index"}

// modelUsers have rows in the table.
var modelUsers = []kalam.UserID{"ann", "bob"}

func (m *alterModel) user() kalam.UserID { return modelUsers[m.rng.IntN(len(modelUsers))] }

// named returns the index of the column of a name, -1 for none.
func (m *alterModel) named(name string) int {
	return slices.IndexFunc(m.columns, func(c modelColumn) bool { return c.name == name })
}

// value returns a value of a type as text.
func (m *alterModel) value(typ string) string {
	for _, k := range modelTypes {
		if k[0] == typ {
			return k[1+m.rng.IntN(2)]
		}
	}
	return []string{"-3", "8"}[m.rng.IntN(2)] // A DECIMAL that something was widened to.
}

// did notes a step.
func (m *alterModel) did(format string, args ...any) {
	m.seen = append(m.seen, fmt.Sprintf(format, args...))
}

// nameIn returns a statement with the name that the table has.
func (m *alterModel) nameIn(sql string) string {
	return strings.ReplaceAll(sql, "app.t", "app."+m.table)
}

func (m *alterModel) must(p kalam.Principal, sql string, params ...kalam.Value) result {
	m.t.Helper()
	return m.server.must(p, m.nameIn(sql), params...)
}

func (m *alterModel) single(p kalam.Principal, sql string) string {
	m.t.Helper()
	return m.server.single(p, m.nameIn(sql))
}

// renameTable gives the table another name; now and then another table comes under the one that it had.
func (m *alterModel) renameTable() {
	m.t.Helper()
	to := []string{"t", "u", "v"}[m.rng.IntN(3)]
	m.did("rename the table to %s", to)
	m.must(root, "DROP TABLE IF EXISTS app.other")
	m.must(root, "ALTER TABLE app.t RENAME TO "+to)
	was := m.table
	if m.table = to; was != to && m.rng.IntN(2) == 0 {
		m.did("another table is called %s", was)
		m.server.must(root, fmt.Sprintf("CREATE USER TABLE app.%s (id INT PRIMARY KEY)", was))
		m.server.must(userOf("ann"), fmt.Sprintf("INSERT INTO app.%s VALUES (1), (2)", was))
		m.server.must(root, fmt.Sprintf("ALTER TABLE app.%s RENAME TO other", was))
	}
}

// crash goes on with the disk as it is at this moment.
func (m *alterModel) crash() {
	m.t.Helper()
	left := filepath.Join(m.t.TempDir(), "data")
	copyTree(m.t, m.config.Storage.DataPath, left)
	m.stop()
	if err := os.RemoveAll(m.config.Storage.DataPath); err != nil {
		m.t.Fatal(err)
	}
	m.config.Storage.DataPath = left
	m.start()
}

// step does something.
func (m *alterModel) step() {
	m.t.Helper()
	switch n := m.rng.IntN(24); {
	case n < 2:
		m.did("flush")
		m.flush()
	case n == 2:
		m.did("compact")
		m.compact()
	case n == 3 && m.rng.IntN(8) == 0:
		m.did("restart")
		m.restart()
	case n == 3 && m.rng.IntN(8) == 0:
		m.did("crash")
		m.crash()
	case n == 3 && m.rng.IntN(3) == 0:
		m.renameTable()
	case n < 12:
		m.alter()
	default:
		m.write()
	}
}

// alter runs an ALTER TABLE, some of which must be refused.
func (m *alterModel) alter() {
	m.t.Helper()
	if len(m.columns) == 0 || m.rng.IntN(4) == 0 {
		m.add()
		return
	}
	i := m.rng.IntN(len(m.columns))
	c := &m.columns[i]
	switch m.rng.IntN(8) {
	case 0:
		m.alterAs("DROP COLUMN "+quotedName(c.name), "")
		m.columns = slices.Delete(m.columns, i, i+1)
	case 1:
		m.rename(i)
	case 2:
		m.renameKey()
	case 3:
		if wider := modelWider[c.typ]; len(wider) > 0 {
			to := wider[m.rng.IntN(len(wider))]
			m.alterAs("ALTER COLUMN "+quotedName(c.name)+" TYPE "+to, "")
			c.typ = to
		}
	case 4:
		m.setNotNull(c)
	case 5:
		m.alterAs("ALTER COLUMN "+quotedName(c.name)+" DROP NOT NULL", "")
		c.notNull = false
	case 6:
		c.def = m.value(c.typ)
		m.alterAs(fmt.Sprintf("ALTER COLUMN %s SET DEFAULT %s", quotedName(c.name), quotedText(c.def)), "")
	case 7:
		m.alterAs("ALTER COLUMN "+quotedName(c.name)+" DROP DEFAULT", "")
		c.def = ""
	}
}

// alterAs alters the table; with refusal, which the error must have.
func (m *alterModel) alterAs(operation, refusal string) {
	m.t.Helper()
	m.did("%s (%s)", operation, refusal)
	_, err := m.try(root, m.nameIn("ALTER TABLE app.t "+operation))
	switch {
	case refusal == "" && err == nil:
	case refusal != "" && err != nil && strings.Contains(err.Error(), refusal):
		m.refused++
	default:
		m.t.Fatalf("%s: %v, want %q after %s", operation, err, refusal, m.history())
	}
}

func quotedName(name string) string { return `"` + name + `"` }

func quotedText(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// add adds a column with or without DEFAULT and NOT NULL.
func (m *alterModel) add() {
	m.t.Helper()
	name := modelNames[m.rng.IntN(len(modelNames))]
	k := modelTypes[m.rng.IntN(len(modelTypes))]
	if m.named(name) >= 0 {
		m.alterAs("ADD COLUMN "+quotedName(name)+" "+k[0], "already exists")
		return
	}
	c := modelColumn{name: name, typ: k[0], notNull: m.rng.IntN(4) == 0}
	text, refusal := fmt.Sprintf("ADD COLUMN %s %s", quotedName(name), k[0]), ""
	if m.rng.IntN(2) == 0 {
		c.def = m.value(k[0])
		text += " DEFAULT " + quotedText(c.def)
	}
	if c.notNull {
		text += " NOT NULL"
	}
	if c.notNull && c.def == "" && m.count() > 0 {
		refusal = "has rows, which would hold NULL"
	}
	m.alterAs(text, refusal)
	if refusal != "" {
		return
	}
	m.numbers++
	c.number = m.numbers
	m.columns = append(m.columns, c)
	for _, rows := range m.rows {
		for _, row := range rows {
			row[c.number] = c.def
		}
	}
}

func (m *alterModel) rename(i int) {
	m.t.Helper()
	name := modelNames[m.rng.IntN(len(modelNames))]
	text := fmt.Sprintf("RENAME COLUMN %s TO %s", quotedName(m.columns[i].name), quotedName(name))
	switch at := m.named(name); {
	case at == i:
		m.alterAs(text, "")
	case at >= 0:
		m.alterAs(text, "already exists")
	default:
		m.alterAs(text, "")
		m.columns[i].name = name
	}
}

// renameKey gives the key another name, and tries what no key takes.
func (m *alterModel) renameKey() {
	m.t.Helper()
	to := map[string]string{"id": "ident", "ident": "id"}[m.key]
	m.alterAs(fmt.Sprintf("RENAME COLUMN %s TO %s", m.key, to), "")
	m.key = to
	m.alterAs("DROP COLUMN "+to, "part of the PRIMARY KEY")
	m.alterAs("ALTER COLUMN "+to+" TYPE BIGINT", "part of the PRIMARY KEY")
}

// setNotNull counts in the model what the server has to find.
func (m *alterModel) setNotNull(c *modelColumn) {
	m.t.Helper()
	nulls, refusal := 0, ""
	for _, rows := range m.rows {
		for _, row := range rows {
			if row[c.number] == "" {
				nulls++
			}
		}
	}
	if nulls > 0 && !c.notNull {
		refusal = fmt.Sprintf("cannot be NOT NULL: %d row", nulls)
	}
	m.alterAs("ALTER COLUMN "+quotedName(c.name)+" SET NOT NULL", refusal)
	c.notNull = c.notNull || refusal == ""
}

// count returns the rows of all users.
func (m *alterModel) count() (n int) {
	for _, rows := range m.rows {
		n += len(rows)
	}
	return n
}

// write inserts, updates or deletes rows of a user.
func (m *alterModel) write() {
	m.t.Helper()
	user := m.user()
	rows := m.rows[user]
	ids := slices.Sorted(maps.Keys(rows))
	switch n := m.rng.IntN(8); {
	case len(ids) > 0 && (n == 0 || len(ids) > 60 && n < 3):
		id := ids[m.rng.IntN(len(ids))]
		m.did("%s: delete %d", user, id)
		m.must(userOf(string(user)), fmt.Sprintf("DELETE FROM app.t WHERE %s = %d", m.key, id))
		delete(rows, id)
	case len(ids) > 0 && len(m.columns) > 0 && n < 4:
		m.update(user, ids)
	case n == 4 && len(ids) > 0:
		m.updateMany(user, ids)
	default:
		m.insert(user)
	}
}

// given chooses values for some of the columns, of which NOT NULL ones without DEFAULT are always some.
func (m *alterModel) given(insert bool) (names, values []string, row map[int]string, params []kalam.Value) {
	row = map[int]string{}
	for i := range m.columns {
		c := &m.columns[i]
		must := insert && c.notNull && c.def == ""
		if !must && m.rng.IntN(3) == 0 {
			continue
		}
		v := ""
		if c.notNull || m.rng.IntN(6) > 0 {
			v = m.value(c.typ)
			params = append(params, kalam.Text(v))
		} else {
			params = append(params, kalam.Null())
		}
		row[c.number] = v
		names = append(names, quotedName(c.name))
		values = append(values, fmt.Sprintf("$%d", len(params)))
	}
	return names, values, row, params
}

func (m *alterModel) insert(user kalam.UserID) {
	m.t.Helper()
	names, values, row, params := m.given(true)
	m.next++
	m.did("%s: insert %d %v", user, m.next, names)
	text := fmt.Sprintf("INSERT INTO app.t (%s) VALUES (%s)", strings.Join(append(names, m.key), ", "),
		strings.Join(append(values, strconv.Itoa(m.next)), ", "))
	if m.rng.IntN(4) == 0 {
		text += fmt.Sprintf(" ON CONFLICT (%s) DO NOTHING", m.key)
	}
	m.must(userOf(string(user)), text, params...)
	for i := range m.columns {
		if c := &m.columns[i]; !contains(row, c.number) {
			row[c.number] = c.def
		}
	}
	m.rows[user][m.next] = row
}

func contains(row map[int]string, number int) bool {
	_, ok := row[number]
	return ok
}

func (m *alterModel) update(user kalam.UserID, ids []int) {
	m.t.Helper()
	names, values, row, params := m.given(false)
	if len(names) == 0 {
		return
	}
	var sets []string
	for i := range names {
		sets = append(sets, names[i]+" = "+values[i])
	}
	id := ids[m.rng.IntN(len(ids))]
	where := fmt.Sprintf("%s = %d", m.key, id)
	if m.rng.IntN(2) == 0 {
		where = fmt.Sprintf("%s + 0 = %d", m.key, id) // Not by the key.
	}
	m.did("%s: update %s %v", user, where, names)
	m.must(userOf(string(user)), "UPDATE app.t SET "+strings.Join(sets, ", ")+" WHERE "+where, params...)
	maps.Copy(m.rows[user][id], row)
}

// updateMany sets a column of several rows from another of the same type.
func (m *alterModel) updateMany(user kalam.UserID, ids []int) {
	m.t.Helper()
	var pairs [][2]modelColumn
	for _, a := range m.columns {
		for _, b := range m.columns {
			if a.number != b.number && a.typ == b.typ && (!a.notNull || b.notNull) {
				pairs = append(pairs, [2]modelColumn{a, b})
			}
		}
	}
	if len(pairs) == 0 {
		return
	}
	p, from := pairs[m.rng.IntN(len(pairs))], ids[m.rng.IntN(len(ids))]
	m.did("%s: set %s = %s from %d on", user, p[0].name, p[1].name, from)
	m.must(userOf(string(user)), fmt.Sprintf("UPDATE app.t SET %s = %s WHERE %s >= %d", quotedName(p[0].name),
		quotedName(p[1].name), m.key, from))
	for _, id := range ids {
		if id >= from {
			m.rows[user][id][p[0].number] = m.rows[user][id][p[1].number]
		}
	}
}

// check compares what the table holds with the model: by a query that DuckDB runs, by key, and by single columns.
func (m *alterModel) check() {
	m.t.Helper()
	user := m.user()
	p, rows := userOf(string(user)), m.rows[user]
	ids := slices.Sorted(maps.Keys(rows))
	list := m.key
	for i := range m.columns {
		list += ", " + quotedName(m.columns[i].name)
	}
	want := make([][]string, len(ids))
	for n, id := range ids {
		want[n] = append(want[n], m.cell("INT", strconv.Itoa(id)))
		for i := range m.columns {
			want[n] = append(want[n], m.cell(m.columns[i].typ, rows[id][m.columns[i].number]))
		}
	}
	m.compare("a query", m.must(p, "SELECT "+list+" FROM app.t ORDER BY "+m.key+" + 0").rows, want)
	m.compare("a star", m.must(p, "SELECT * EXCLUDE (_seq, _deleted) FROM app.t ORDER BY 1").rows, want)
	if len(ids) == 0 {
		return
	}
	n := m.rng.IntN(len(ids))
	m.compare("a key", m.must(p, fmt.Sprintf("SELECT %s FROM app.t WHERE %s = %d", list, m.key, ids[n])).rows, want[n:n+1])
	if len(m.columns) == 0 {
		return
	}
	m.checkColumn(p, 1+m.rng.IntN(len(m.columns)), want)
}

// checkColumn compares what statistics of files and pushed bounds could spoil.
func (m *alterModel) checkColumn(p kalam.Principal, at int, want [][]string) {
	m.t.Helper()
	name, nulls := quotedName(m.columns[at-1].name), 0
	values := map[string]int{}
	for _, row := range want {
		if row[at] == "null" {
			nulls++
		} else {
			values[row[at]]++
		}
	}
	if got := m.single(p, "SELECT count(*) AS n FROM app.t WHERE "+name+" IS NULL"); got != fmt.Sprintf("%q", fmt.Sprint(nulls)) {
		m.t.Fatalf("%s is NULL in %s rows instead of %d after %s", name, got, nulls, m.history())
	}
	got := m.must(p, "SELECT "+name+" AS v, count(*) AS n FROM app.t WHERE "+name+" IS NOT NULL GROUP BY 1")
	if len(got.rows) != len(values) {
		m.t.Fatalf("%s has the values %v instead of %v after %s", name, got.rows, values, m.history())
	}
	for _, row := range got.rows {
		if row[1] != fmt.Sprintf("%q", fmt.Sprint(values[row[0]])) {
			m.t.Fatalf("%s has the value %s in %s rows instead of %v after %s", name, row[0], row[1], values, m.history())
		}
	}
	if m.columns[at-1].typ == "JSON" {
		return
	}
	first := m.must(p, "SELECT "+name+" AS v FROM app.t ORDER BY v DESC NULLS LAST LIMIT 1").rows[0][0]
	highest := m.must(p, "SELECT max(v) AS v FROM (SELECT "+name+" AS v FROM app.t)").rows[0][0]
	if first != highest {
		m.t.Fatalf("the first of %s is %s, the greatest %s, after %s", name, first, highest, m.history())
	}
}

func (m *alterModel) compare(what string, got, want [][]string) {
	m.t.Helper()
	if !slices.EqualFunc(got, want, slices.Equal) {
		m.t.Fatalf("by %s\n%q instead of\n%q after %s", what, got, want, m.history())
	}
}

// cell returns the cell that a value has to be shown as.
func (m *alterModel) cell(typ, text string) string {
	if text == "" {
		return "null"
	}
	dt, err := dialect.ParseType(typ)
	if err != nil {
		m.t.Fatal(err)
	}
	v, err := datatype.FromText(dt, text)
	if err != nil {
		m.t.Fatal(err)
	}
	return string(datatype.AppendValue(nil, v))
}

// history returns the last steps.
func (m *alterModel) history() string {
	return strings.Join(m.seen[max(0, len(m.seen)-200):], "; ")
}

// TestAlterModel alters and writes a table at random, in every state of its rows, against a map with a schema of its
// own, D7: columns renamed, dropped, added under names that others had, widened; NOT NULL and DEFAULT.
// KALAM_SEED sets the seed, KALAM_TEST_ALTERS the number of operations.
func TestAlterModel(t *testing.T) {
	seed := rand.Uint64()
	if text := os.Getenv("KALAM_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	steps := amount(t, "KALAM_TEST_ALTERS", 250)
	t.Logf("KALAM_SEED=%d KALAM_TEST_ALTERS=%d", seed, steps)
	m := &alterModel{
		server: newServer(t), rng: rand.New(rand.NewPCG(seed, 0)), key: "id", table: "t",
		rows: map[kalam.UserID]map[int]map[int]string{},
	}
	for _, u := range modelUsers {
		m.rows[u] = map[int]map[int]string{}
	}
	m.must(root, "CREATE NAMESPACE app; CREATE USER TABLE app.t (id INT PRIMARY KEY)")
	for i := range steps {
		m.step()
		if i%3 == 0 {
			m.check()
		}
	}
	m.check()
	t.Logf("%d operations, %d of them refused as they should be; %d rows at the end", len(m.seen), m.refused, m.count())
}
