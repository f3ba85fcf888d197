package engine_test

import (
	"strings"
	"testing"
)

// starCases are queries with the columns of their results and, where * or a name
// decides which rows there are, the rows. Case A6.
var starCases = []struct{ sql, columns, rows string }{
	// The SELECT list of the statement, over one table: both, as with KalamDB.
	{"SELECT * FROM app.a", "id v n _seq _deleted", ""},
	{"SELECT a.* FROM app.a", "id v n _seq _deleted", ""},
	{"SELECT app.a.*, n + 1 AS m FROM app.a", "id v n _seq _deleted m", ""},
	{"SELECT * FROM app.a AS x WHERE _seq > 0 ORDER BY id LIMIT 1", "id v n _seq _deleted", ""},
	{"SELECT * FROM app.a WHERE id = 1", "id v n _seq _deleted", ""},
	{"SELECT * FROM app.a WHERE id IN (SELECT id FROM app.b)", "id v n _seq _deleted", ""},
	{"WITH c AS (SELECT id FROM app.b) SELECT * FROM app.a WHERE id IN (FROM c)", "id v n _seq _deleted", ""},
	{"SELECT *, row_number() OVER (ORDER BY _seq) AS r FROM app.a QUALIFY r = 1", "id v n _seq _deleted r", ""},
	{"FROM app.a", "id v n _seq _deleted", ""},
	{"TABLE app.a", "id v n _seq _deleted", ""},
	{"(SELECT * FROM app.a)", "id v n _seq _deleted", ""},
	{"SELECT *, a FROM app.a WHERE id = 1", "id v n _seq _deleted a", ""},
	// Set operations and joins by name.
	{"SELECT * FROM app.a NATURAL JOIN app.b", "id v n", "1 a 10"},
	{"SELECT * FROM app.a NATURAL JOIN app.b WHERE a._seq > 0 AND NOT b._deleted", "id v n", "1 a 10"},
	{"SELECT a._seq > 0 AS p, b._deleted AS d, * FROM app.a NATURAL LEFT JOIN app.b ORDER BY id", "p d id v n",
		"true false 1 a 10; true null 2 b 20; true null 3 c null"},
	{"SELECT * FROM app.a UNION SELECT * FROM app.b ORDER BY id", "id v n", "1 a 10; 2 b 20; 3 c null; 4 d 40"},
	{"SELECT * FROM app.a EXCEPT SELECT * FROM app.b ORDER BY id", "id v n", "2 b 20; 3 c null"},
	{"SELECT * FROM app.a INTERSECT SELECT * FROM app.b", "id v n", "1 a 10"},
	{"SELECT * FROM app.a WHERE _seq > 0 INTERSECT SELECT * FROM app.b WHERE NOT _deleted", "id v n", "1 a 10"},
	{"FROM app.a UNION BY NAME FROM app.b ORDER BY id", "id v n", "1 a 10; 2 b 20; 3 c null; 4 d 40"},
	{"SELECT * FROM app.a JOIN app.b USING (id)", "id v n v n", "1 a 10 a 10"},
	{"SELECT * FROM app.a JOIN app.b ON a.id = b.id AND a._seq < b._seq", "id v n id v n", "1 a 10 1 a 10"},
	{"SELECT a.* FROM app.a, app.b WHERE a.id = b.id AND a._seq < b._seq", "id v n", "1 a 10"},
	{"SELECT * FROM app.a x POSITIONAL JOIN app.b y", "id v n id v n", ""},
	{"SELECT x.*, y._deleted FROM app.a x JOIN app.a y ON x._seq = y._seq WHERE x.id = 2", "id v n _deleted",
		"2 b 20 false"},
	// Below the statement.
	{"SELECT * FROM (SELECT * FROM app.a)", "id v n", ""},
	{"WITH c AS (SELECT * FROM app.a) SELECT * FROM c", "id v n", ""},
	{"SELECT * FROM (SELECT *, _seq > 0 AS p FROM app.a WHERE id = 1)", "id v n p", "1 a 10 true"},
	{"SELECT id FROM app.a WHERE (id, v, n) IN (SELECT * FROM app.b)", "id", "1"},
	{"SELECT id FROM app.a WHERE EXISTS (SELECT * FROM app.b WHERE b.id = a.id AND b._seq > a._seq)", "id", "1"},
	{"SELECT (SELECT count(*) FROM app.b WHERE _seq > a._seq) AS later FROM app.a WHERE id = 1", "later", "2"},
	{"SELECT x.* FROM app.a, LATERAL (SELECT * FROM app.b WHERE b.id = a.id) x", "id v n", "1 a 10"},
	// Forms of * and of rows that count or compare columns.
	{"SELECT DISTINCT * FROM app.a", "id v n", ""},
	{"SELECT *, count(*) AS c FROM app.a GROUP BY ALL", "id v n c", ""},
	{"SELECT * EXCLUDE (n) FROM app.a", "id v", ""},
	{"SELECT * EXCLUDE (n, _seq, _deleted) FROM app.a", "id v", ""},
	{"SELECT * EXCLUDE (_seq, a.n) FROM app.a WHERE _seq > 0", "id v", ""},
	{"SELECT * EXCLUDE (a._seq) FROM app.a", "id v n", ""},
	{"SELECT * REPLACE (n + 1 AS n) FROM app.a WHERE _seq > 0", "id v n", ""},
	{"SELECT * RENAME (n AS m) FROM app.a", "id v m", ""},
	{"SELECT * LIKE '%' FROM app.a WHERE _seq > 0", "id v n", ""},
	{"SELECT COLUMNS(*) FROM app.a WHERE _seq > 0", "id v n", ""},
	{"SELECT COLUMNS('.*') FROM app.a WHERE NOT _deleted", "id v n", ""},
	{"SELECT COLUMNS(lambda c: c <> 'v') FROM app.a WHERE _seq > 0", "id n", ""},
	{"SELECT max(COLUMNS(*)) FROM app.a WHERE _seq > 0", "id v n", "3 c 20"},
	{"SELECT unnest(a) FROM app.a WHERE _seq > 0", "id v n", ""},
	{"SELECT json_keys(to_json(a))::TEXT AS k FROM app.a WHERE _seq > 0 AND id = 1", "k", "[id, v, n]"},
	{"SELECT json_keys(to_json(a))::TEXT AS k FROM app.a WHERE id = 1", "k", "[id, v, n]"},
	{"SELECT count(a.*) AS c, count(*) AS d FROM app.a WHERE _seq > 0", "c d", "3 3"},
	{"SELECT column_name FROM (SUMMARIZE app.a)", "column_name", "id; v; n"},
	{"SELECT * FROM (PIVOT app.a ON v IN ('a') USING sum(n)) ORDER BY id", "id a", "1 10; 2 null; 3 null"},
	{"SELECT * FROM (UNPIVOT (SELECT id, n FROM app.a WHERE _seq > 0) ON n) ORDER BY id", "id name value",
		"1 n 10; 2 n 20"},
	// Named.
	{"SELECT id FROM app.a ORDER BY _seq DESC LIMIT 1", "id", "3"},
	{"SELECT _deleted, count(*) AS c FROM app.a GROUP BY _deleted ORDER BY _deleted", "_deleted c", "false 3"},
	{"SELECT DISTINCT _deleted FROM app.a ORDER BY _deleted", "_deleted", "false"},
	{"SELECT v, max(_seq) > 0 AS _seq FROM app.a GROUP BY v HAVING _seq ORDER BY _seq, v", "v _seq",
		"a true; b true; c true"},
	{"SELECT v, max(_seq) > 0 AS _seq FROM app.a GROUP BY v HAVING max(_seq) > 0 ORDER BY max(_seq)", "v _seq",
		"a true; b true; c true"},
	{"SELECT _seq FROM app.a WHERE false UNION ALL SELECT id FROM app.a WHERE id = 3 ORDER BY _seq", "_seq", "3"},
	{"WITH c AS (SELECT id, _seq FROM app.a) SELECT id FROM c ORDER BY c._seq DESC LIMIT 1", "id", "3"},
	{"WITH c AS (SELECT id, _seq FROM app.a) SELECT * EXCLUDE (_seq) FROM c WHERE id = 1", "id", "1"},
	{"SELECT * FROM (SELECT id, _seq > 0 AS _seq FROM app.a) x JOIN app.b USING (id) WHERE b._seq > 0", "id _seq v n",
		"1 true a 10"},
	{"SELECT _seq FROM (SELECT 7 AS _seq) WHERE EXISTS (SELECT 1 FROM app.a)", "_seq", "7"},
	{"SELECT app.a._seq = x._seq AS e FROM app.a, (SELECT max(_seq) AS _seq FROM app.a) x ORDER BY id DESC LIMIT 1", "e",
		"true"},
	{"SELECT list_transform([1], lambda _seq: _seq + 1) AS l FROM app.a LIMIT 1", "l", "[2]"},
	{"SELECT _updated > '2020-01-01' AS u, * EXCLUDE (n) FROM app.a WHERE id = 1", "u id v", "true 1 a"},
}

// TestStarsLeaveOutSystemColumns is case A6, with the rows in the buffer, flushed, and
// half of them either way.
func TestStarsLeaveOutSystemColumns(t *testing.T) {
	s := newServer(t)
	alice := userOf("alice")
	s.must(root, "CREATE NAMESPACE app; CREATE USER TABLE app.a (id INT PRIMARY KEY, v TEXT, n INT); CREATE USER TABLE app.b (id INT PRIMARY KEY, v TEXT, n INT)")
	s.must(alice, "INSERT INTO app.a VALUES (1, 'a', 10), (2, 'b', 20); INSERT INTO app.a VALUES (3, 'c', NULL); INSERT INTO app.b VALUES (1, 'a', 10), (4, 'd', 40)")
	for _, state := range []string{"buffered", "flushed", "both"} {
		switch state {
		case "flushed":
			s.flush()
		case "both": // The same rows, in the same order of commits.
			s.must(alice, "DELETE FROM app.a WHERE id = 3; DELETE FROM app.b WHERE true")
			s.must(alice, "INSERT INTO app.a VALUES (3, 'c', NULL); INSERT INTO app.b VALUES (1, 'a', 10), (4, 'd', 40)")
		}
		for _, c := range starCases {
			r, err := s.try(alice, c.sql)
			if err != nil {
				t.Errorf("%s: %s\n%v", state, c.sql, explained(err))
				continue
			}
			if got := strings.Join(r[0].columns, " "); got != c.columns {
				t.Errorf("%s: %s\ngot columns %s\nwant        %s", state, c.sql, got, c.columns)
			}
			if got := rowsText(r[0]); c.rows != "" && got != c.rows {
				t.Errorf("%s: %s\ngot rows %s\nwant     %s", state, c.sql, got, c.rows)
			}
		}
	}
	s.must(alice, "INSERT INTO app.b SELECT * FROM app.a WHERE id = 2 AND _seq > 0")
	s.must(alice, "INSERT INTO app.b (id, v, n) (SELECT * FROM app.a WHERE id = 3) ON CONFLICT (id) DO UPDATE SET n = 0")
	if got := rowsText(s.must(alice, "SELECT id FROM app.b ORDER BY id")); got != "1; 2; 3; 4" {
		t.Errorf("INSERT ... SELECT * gives %s", got)
	}
}

// TestSystemColumnMustBeClear: a name that two tables have is refused, not guessed.
func TestSystemColumnMustBeClear(t *testing.T) {
	s := newServer(t)
	alice := userOf("alice")
	s.must(root, "CREATE NAMESPACE app; CREATE USER TABLE app.a (id INT PRIMARY KEY); CREATE USER TABLE app.b (id INT PRIMARY KEY)")
	for sql, want := range map[string]string{
		"SELECT _seq FROM app.a NATURAL JOIN app.b":      "Ambiguous reference",
		"SELECT 1 FROM app.a, app.b WHERE _deleted":      "Ambiguous reference",
		"SELECT _seq FROM (SELECT 1 AS _seq) x, app.a":   "Ambiguous reference",
		"SELECT 1 FROM app.a JOIN app.b USING (_seq)":    "USING takes no system column",
		"SELECT _seq FROM (SELECT * FROM app.a)":         "Column '_seq' does not exist",
		"SELECT x._deleted FROM (SELECT * FROM app.a) x": "_deleted",
		"SELECT _seq": "Column '_seq' does not exist",
		"INSERT INTO app.b SELECT _seq, * FROM app.a": "INSERT has 1 target columns but the query gives 2",
		"SELECT id, _seq FROM app.a GROUP BY id":      `"_seq" must appear`,
	} {
		if _, err := s.try(alice, sql); err == nil || !strings.Contains(messageOf(err), want) ||
			strings.Contains(messageOf(err), "kalam_") {
			t.Errorf("%s: %v, want %s", sql, err, want)
		}
	}
}

// rowsText renders rows as "a b; c d".
func rowsText(r result) string {
	var rows []string
	for _, row := range r.rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = plainCell(cell)
		}
		rows = append(rows, strings.Join(cells, " "))
	}
	return strings.Join(rows, "; ")
}
