package engine_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/live"
)

// form is one way to write a value: a literal of SQL, and a parameter that a client
// gives for it.
type form struct {
	sql   string
	param kalam.Value
}

// text is a string, as literal and as parameter.
func text(s string) form { return form{quoted(s), kalam.Text(s)} }

// number is an integer, as literal and as parameter.
func number(n int64) form { return form{fmt.Sprint(n), kalam.BigInt(n)} }

// sql is a literal that no parameter is like.
func sql(s string) form { return form{sql: s} }

func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// written is a value of one type with all the ways to write it, and two that are
// below and above it.
type written struct {
	typ       string
	cast      string // The type as a CAST names it.
	cell      string // The value as results show it.
	low, high string
	forms     []form
}

// moments are the forms of one moment.
func moments() []form {
	return []form{
		text("2026-01-01T00:00:00Z"), text("2026-01-01 00:00:00"), text("2026-01-01 00:00:00.000000"), text("2026-01-01T00:00"), text("2026-01-01"),
		text("2026-01-01T00:00Z"), text("2026-01-01 00:00Z"), text("2026-01-01T02:00:00+02:00"), text("2026-01-01 02:00:00 +02:00"),
		text("2025-12-31 19:00:00-05"), text("2026-01-01T01:00:00.000+0100"), text("2026-01-01 00:00:00 UTC"), text("2026-01-01T02:00+02:00"),
		text(" 2026-01-01T00:00:00Z "), number(1767225600000000),
	}
}

// writtenValues has every type with every form of a value.
func writtenValues() []written {
	uuid := "123e4567-e89b-12d3-a456-426614174000"
	return []written{
		{"BOOLEAN", "BOOLEAN", "true", "false", "", []form{
			text("true"), text("on"), text("yes"), text("1"), text("t"), text("TRUE"), text(" y "), {"TRUE",
				kalam.Bool(true)}, number(1),
		}},
		{"SMALLINT", "SMALLINT", "12", "11", "13", []form{text("12"), text(" 12 "), text("12.0"), text("1.2e1"), number(12)}},
		{"INT", "INT", "-12", "-13", "-11", []form{text("-12"), text(" -12 "), text("-12.0"), text("-1.2e1"), number(-12)}},
		{"BIGINT", "BIGINT", `"9007199254740993"`, "9007199254740992", "9007199254740994", []form{
			text("9007199254740993"), text("9007199254740993.0"), text("9.007199254740993e15"), number(9007199254740993),
		}},
		{"FLOAT", "FLOAT", "0.1", "0", "1", []form{
			text("0.1"), text("1e-1"), text(".1"), {"0.1", kalam.Double(0.1)}, {"0.1", kalam.Decimal(0, 1, 1)},
		}},
		{"DOUBLE", "DOUBLE", "0.30000000000000004", "0.3", "1", []form{
			text("0.30000000000000004"), text("3.0000000000000004e-1"), {"0.30000000000000004",
				kalam.Double(0.30000000000000004)},
		}},
		{"DECIMAL(10,2)", "DECIMAL(10,2)", `"1.24"`, "1.23", "1.25", []form{
			text("1.24"), text("1.239"), text("1.2400"), text("124e-2"), {"1.24", kalam.Decimal(0, 124, 2)}, {"1.240",
				kalam.Decimal(0, 1240, 3)},
			{"1.24", kalam.Double(1.24)},
		}},
		{"TEXT", "TEXT", `"2026-01-01"`, "'2026'", "'2027'", []form{text("2026-01-01")}},
		{"JSON", "JSON", `{"a":1}`, "", "", []form{text(`{"a":1}`)}},
		{"BYTES", "BYTES", "[222,173,190,239]", "'0x00'", "'0xff'", []form{
			sql("X'DEADBEEF'"), sql("0xdeadbeef"), text("0xDEADBEEF"), text(`\xdeadbeef`), text(`\xDE\xAD\xBE\xEF`), text("3q2+7w=="), text("3q2+7w"),
			text("[222, 173,190,239]"), {"X'deadbeef'", kalam.Bytes("\xde\xad\xbe\xef")},
		}},
		{"UUID", "UUID", `"` + uuid + `"`, "'00000000-0000-0000-0000-000000000001'",
			"'ffffffff-0000-0000-0000-000000000000'", []form{
				text(uuid), text(strings.ToUpper(uuid)), text("{" + uuid +
					"}"), text(strings.ReplaceAll(uuid, "-", "")), text(" " + uuid),
			}},
		{"DATE", "DATE", "20454", "'2025-12-31'", "'2026-01-02'",
			[]form{text("2026-01-01"), text(" 2026-01-01 "), number(20454)}},
		{"TIME", "TIME", "45296500000", "'12:34'", "'12:35'", []form{
			text("12:34:56.5"), text("12:34:56.500000"), text("12:34:56.500000999"), number(45296500000),
		}},
		{"TIMESTAMP", "TIMESTAMP", "1767225600000000", "'2025-12-31'", "'2026-01-02'", moments()},
		{"DATETIME", "TIMESTAMPTZ", "1767225600000000", "'2025-12-31'", "'2026-01-02'", moments()},
	}
}

// keyed reports whether the type may be that of a primary key.
func (w written) keyed() bool {
	switch w.typ {
	case "SMALLINT", "INT", "BIGINT", "TEXT", "UUID", "DATE", "TIMESTAMP":
		return true
	}
	return false
}

// place is a statement with a literal or placeholder in one place, @, that gives one
// cell.
type place struct {
	name, sql, want string
	ordered         bool // For types with a value below and one above.
	strings         bool // For literals that are strings.
}

// places are the conditions over app.t, whose rows are 1: low, 2: the value, 3: high.
var places = []place{
	{name: "equal", sql: "SELECT max(id) FROM app.t WHERE c = @", want: "2"},
	{name: "turned", sql: "SELECT max(id) FROM app.t WHERE @ = c", want: "2"},
	{name: "less", sql: "SELECT max(id) FROM app.t WHERE c < @", want: "1", ordered: true},
	{name: "greater", sql: "SELECT min(id) FROM app.t WHERE c > @", want: "3", ordered: true},
	{name: "at most", sql: "SELECT max(id) FROM app.t AS x WHERE x.c <= @", want: "2", ordered: true},
	{name: "turned greater", sql: "SELECT max(id) FROM app.t WHERE @ > app.t.c", want: "1", ordered: true},
	{name: "between", sql: "SELECT max(id) FROM app.t WHERE c BETWEEN @ AND @", want: "2"},
	{name: "not between", sql: "SELECT sum(id)::INT FROM app.t WHERE c NOT BETWEEN @ AND @", want: "4", ordered: true},
	{name: "in", sql: "SELECT max(id) FROM app.t WHERE c IN (NULL, @, @)", want: "2"},
	{name: "not in", sql: "SELECT sum(id)::INT FROM app.t WHERE c NOT IN (@)", want: "4", ordered: true},
	{name: "row", sql: "SELECT max(id) FROM app.t WHERE (id, c) = (2, @)", want: "2"},
	{name: "row of expressions", sql: "SELECT max(id) FROM app.t WHERE (coalesce(c, c), id) IN ((@, 2), (@, 7))",
		want: "2"},
	{name: "in subquery", sql: "SELECT CASE WHEN @ IN (SELECT c FROM app.t) THEN 2 ELSE 0 END", want: "2"},
	{name: "distinct", sql: "SELECT sum(id)::INT FROM app.t WHERE c IS DISTINCT FROM @", want: "4", ordered: true},
	{name: "not distinct", sql: "SELECT max(id) FROM app.t WHERE c IS NOT DISTINCT FROM @ OR id = 0", want: "2"},
	{name: "case", sql: "SELECT max(CASE c WHEN @ THEN id END) FROM app.t", want: "2"},
	{name: "case when", sql: "SELECT max(CASE WHEN @ = c THEN id END) FROM app.t", want: "2"},
	{name: "join", sql: "SELECT max(a.id) FROM app.t AS a JOIN app.t AS b ON a.c = @ AND b.id = a.id", want: "2"},
	{name: "left join", sql: "SELECT max(b.id) FROM app.t AS a LEFT JOIN app.t AS b ON b.c = @", want: "2"},
	{name: "having", sql: "SELECT max(id) FROM app.t GROUP BY c HAVING c = @", want: "2"},
	{name: "group", sql: "SELECT max(id) FROM app.t GROUP BY c = @ HAVING c = @", want: "2"},
	{name: "subquery", sql: "SELECT max(id) FROM (SELECT id, c AS d FROM app.t) WHERE d = @", want: "2"},
	{name: "with", sql: "WITH q AS (SELECT * FROM app.t), r AS (SELECT c AS e, id FROM q) SELECT max(id) FROM r WHERE r.e = @", want: "2"},
	{name: "union", sql: "SELECT max(id) FROM (SELECT id, c FROM app.t UNION ALL SELECT id, c FROM app.t) WHERE c = @",
		want: "2"},
	{name: "correlated", sql: "SELECT max(id) FROM app.t WHERE EXISTS (SELECT 1 FROM app.k WHERE app.k.n >= 0 AND app.t.c = @)", want: "2"},
	{name: "scalar subquery", sql: "SELECT CASE WHEN (SELECT c FROM app.t WHERE id = 2) = @ THEN 2 END", want: "2"},
	{name: "aggregate filter", sql: "SELECT max(id) FILTER (WHERE c = @) FROM app.t", want: "2"},
	{name: "top rows", sql: "SELECT id FROM app.t WHERE c = @ ORDER BY id LIMIT 1", want: "2"},
	{name: "coalesce", sql: "SELECT max(id) FROM app.t WHERE id = 2 AND coalesce(NULL, @, c) = c", want: "2",
		strings: true},
	{name: "nullif", sql: "SELECT max(id) FROM app.t WHERE nullif(c, @) IS NULL", want: "2", strings: true},
	{name: "cast", sql: "SELECT max(id) FROM app.t WHERE c = CAST(@ AS TYPE)", want: "2", strings: true},
	{name: "short cast", sql: "SELECT max(id) FROM app.t WHERE c = @::TYPE", want: "2", strings: true},
	{name: "try cast", sql: "SELECT max(id) FROM app.t WHERE c = TRY_CAST(@ AS TYPE)", want: "2", strings: true},
	{name: "key", sql: "SELECT n FROM app.k WHERE c = @", want: "2"},
	{name: "key by query", sql: "SELECT n FROM app.k WHERE c = @ AND n < 9", want: "2"},
}

// TestWrittenIsFound: a value that was written in some form is found by the same
// form, in every place, as literal and as parameter, buffered and flushed. Case A3.
func TestWrittenIsFound(t *testing.T) {
	for _, w := range writtenValues() {
		t.Run(w.typ, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			alice := userOf("alice")
			s.must(root, "CREATE NAMESPACE app")
			s.must(root, "CREATE USER TABLE app.t (id INT PRIMARY KEY, c "+w.typ+")")
			if w.keyed() {
				s.must(root, "CREATE USER TABLE app.k (c "+w.typ+" PRIMARY KEY, n INT)")
			} else {
				s.must(root, "CREATE USER TABLE app.k (id INT PRIMARY KEY, c "+w.typ+", n INT)")
			}
			for _, f := range w.forms {
				literal := func(sql string) (string, []kalam.Value) { return strings.ReplaceAll(sql, "@", f.sql), nil }
				param := func(sql string) (string, []kalam.Value) {
					return strings.ReplaceAll(sql, "@", "$1"), []kalam.Value{f.param}
				}
				w.find(s, alice, f, "literal", literal)
				if f.param.Kind() != kalam.KindNull {
					w.find(s, alice, f, "parameter", param)
				}
			}
		})
	}
}

// find writes the value in one form and looks for it.
func (w written) find(s *server, p kalam.Principal, f form, how string, with func(string) (string, []kalam.Value)) {
	s.t.Helper()
	run := func(sql string) result {
		s.t.Helper()
		text, params := with(sql)
		return s.must(p, text, params...)
	}
	run("INSERT INTO app.t VALUES (2, @)")
	if w.low != "" {
		s.must(p, "INSERT INTO app.t VALUES (1, "+w.low+")")
	}
	if w.high != "" {
		s.must(p, "INSERT INTO app.t VALUES (3, "+w.high+")")
	}
	if w.keyed() {
		run("INSERT INTO app.k (c, n) VALUES (@, 2)")
	} else {
		run("INSERT INTO app.k VALUES (1, @, 2)")
	}
	for _, state := range []string{"buffered", "flushed"} {
		if state == "flushed" {
			s.flush()
		}
		if got := s.single(p, "SELECT c FROM app.t WHERE id = 2"); got != w.cell && got != fmt.Sprintf("%q", w.cell) {
			s.t.Errorf("%s as %s %s: written as %s, want %s", w.typ, how, f.sql, got, w.cell)
		}
		for _, pl := range places {
			w.look(s, p, f, how+" "+state, pl, with)
		}
		w.change(s, p, f, how+" "+state, with)
		if how == "literal" {
			w.follow(s, p, f, state)
		}
	}
	s.must(p, "DELETE FROM app.t WHERE id > 0")
	s.must(p, "DELETE FROM app.k WHERE n > 0")
}

// look looks for the value in one place.
func (w written) look(s *server, p kalam.Principal, f form, how string, pl place,
	with func(string) (string, []kalam.Value)) {
	s.t.Helper()
	if pl.ordered && w.high == "" || pl.strings && (f.sql[0] != '\'' || w.typ == "JSON") {
		return
	}
	text, params := with(strings.ReplaceAll(pl.sql, "TYPE", w.cast))
	res, err := s.try(p, text, params...)
	got := fmt.Sprint(err)
	if err == nil {
		got = fmt.Sprint(res[0].rows)
	}
	if got != "[["+pl.want+"]]" {
		s.t.Errorf("%s as %s: %s: %s, want [[%s]]", w.typ, how, text, got, pl.want)
	}
}

// change updates and deletes the row by the value, by key and by query.
func (w written) change(s *server, p kalam.Principal, f form, how string, with func(string) (string, []kalam.Value)) {
	s.t.Helper()
	statements := []string{
		"UPDATE app.t SET c = @ WHERE id = 2", "UPDATE app.t SET c = @ WHERE c = @ AND id = 2",
		"UPDATE app.k SET n = 5 WHERE c = @", "UPDATE app.k SET n = 2 WHERE c = @ AND n > 1", "DELETE FROM app.k WHERE c = @",
	}
	insert := "INSERT INTO app.k VALUES (1, @, 2)"
	if w.keyed() {
		insert = "INSERT INTO app.k VALUES (@, 2)"
	}
	statements = append(statements, insert, "DELETE FROM app.k WHERE c = @ AND n = 2", insert)
	for _, st := range statements {
		text, params := with(st)
		res, err := s.try(p, text, params...)
		if err != nil || !strings.HasPrefix(st, "UPDATE app.t") && res[0].count != 1 {
			s.t.Errorf("%s as %s %s: %s: %+v, %v", w.typ, how, f.sql, text, res, err)
		}
	}
}

// follow follows the row by the value: with the filter compiled, and evaluated by
// DuckDB.
func (w written) follow(s *server, p kalam.Principal, f form, state string) {
	s.t.Helper()
	for n, more := range []string{"", " AND abs(id) >= 0"} {
		id := fmt.Sprint(10 + n)
		live := s.follow(p, "SELECT * FROM app.t WHERE c = "+f.sql+more, &live.Options{}, true)
		if len(live.rows) != 1 {
			s.t.Errorf("%s %s: live by %s%s: initial rows %v", w.typ, state, f.sql, more, live.rows)
		}
		s.must(p, "INSERT INTO app.t VALUES ("+id+", "+f.sql+")")
		live.read(1)
		live.close()
		s.must(p, "DELETE FROM app.t WHERE id = "+id)
	}
}
