package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/kalamlake/kalam"
)

// pivots are PIVOTs that find their columns among the rows of app.p.
var pivots = []string{
	"PIVOT app.p ON v USING sum(n)",
	"PIVOT app.p ON v USING sum(n) GROUP BY d",
	"PIVOT app.p ON v USING sum(n) GROUP BY d ORDER BY d NULLS LAST LIMIT 2",
	"pivot App.P On V Using Sum(N) As total Group By D",
	"PIVOT app.p ON v",
	"PIVOT app.p ON v GROUP BY d",
	"PIVOT app.p ON v, d USING sum(n), count(*) AS c GROUP BY f",
	"PIVOT app.p ON v, n IN (10, 20) USING count(*) GROUP BY f",
	"PIVOT app.p ON n IN (10, 20), v USING count(*) GROUP BY f",
	"PIVOT app.p ON n USING count(*) GROUP BY v",
	"PIVOT app.p ON f USING count(*) GROUP BY v",
	"PIVOT app.p ON d USING sum(n) GROUP BY v",
	"PIVOT app.p ON n % 3 USING count(*) GROUP BY v",
	"PIVOT app.p ON n > 5 USING count(*) GROUP BY v",
	"PIVOT app.p ON n::TEXT USING count(*) GROUP BY v",
	"PIVOT app.p ON lower(v) USING list(n ORDER BY n) GROUP BY d",
	"PIVOT app.p ON v || '_' || n USING count(*) GROUP BY f",
	"PIVOT app.p ON (v, n) USING count(*) GROUP BY f",
	"PIVOT app.p ON CASE WHEN n IN (1, 2) THEN 'x' ELSE 'y' END USING sum(n) GROUP BY d",
	"PIVOT (SELECT * FROM app.p WHERE id < 3) ON v USING sum(n) GROUP BY d",
	"PIVOT app.p AS a JOIN (SELECT id AS i2 FROM app.p) AS u ON a.id = u.i2 ON v USING sum(n) GROUP BY d",
	"PIVOT app.p JOIN (SELECT id FROM app.p) AS u USING (id) ON v USING sum(n) GROUP BY d",
	"PIVOT_WIDER app.p ON v USING sum(n) GROUP BY d",
	// Inside other statements.
	"SELECT * FROM (PIVOT app.p ON v USING sum(n) GROUP BY d) AS q WHERE \"b\" > 1",
	"SELECT * FROM (PIVOT app.p ON v USING sum(n) GROUP BY d) AS q WHERE d >= '2026-01-02'",
	"FROM (PIVOT app.p ON v USING sum(n) GROUP BY d)",
	"WITH x AS (PIVOT app.p ON v USING sum(n) GROUP BY d) SELECT * FROM x",
	"WITH x AS (SELECT * FROM app.p WHERE id < 3) PIVOT x ON v USING sum(n) GROUP BY d",
	"WITH w AS (SELECT * FROM app.p), x AS (FROM w WHERE n > 1) SELECT * FROM (PIVOT x ON v USING sum(n) GROUP BY d)",
	"SELECT * FROM (PIVOT app.p ON v USING sum(n) GROUP BY d), (PIVOT app.p ON d USING sum(n) GROUP BY n)",
	"PIVOT (PIVOT app.p ON v USING sum(n) GROUP BY d) ON d USING max(b)",
	"PIVOT (FROM app.p PIVOT (sum(n) FOR v IN ('b')) AS i JOIN (SELECT 1 AS k) ON k = i.id) ON d USING max(b) GROUP BY f",
	"WITH x AS (PIVOT app.p ON v USING sum(n) GROUP BY d), y AS (PIVOT x ON d USING max(b)) SELECT * FROM y",
	"PIVOT app.p ON v USING sum(n) GROUP BY d UNION ALL BY NAME SELECT 1 AS q",
	"SELECT (SELECT count(*) FROM (PIVOT app.p ON v USING sum(n) GROUP BY d)) AS c",
	// No values.
	"PIVOT (SELECT * FROM app.p WHERE false) ON v USING sum(n) GROUP BY d",
	"PIVOT (SELECT * FROM app.p WHERE v IS NULL) ON v USING sum(n) GROUP BY d",
	"PIVOT (SELECT * FROM app.p WHERE v IS NULL) ON v USING sum(n)",
	"PIVOT (SELECT * FROM app.p WHERE v IS NULL) ON v, n IN (10) USING sum(f) GROUP BY id ORDER BY id DESC LIMIT 1",
}

// pivotRows are the rows of app.p.
const pivotRows = `(1, 'a', 10, '2026-01-01', 0.5), (2, 'b', 20, NULL, 1.5), (3, NULL, 30, '2026-01-02', 2),
	(4, 'A', 5, NULL, NULL), (5, 'a', 1, NULL, NULL), (6, 'it''s', 1, '2026-01-02', NULL), (7, '', 2, NULL, NULL),
	(8, 'NULL', 4, NULL, NULL), (9, 'ü"x', 2, NULL, 7)`

// TestPivotFindsItsColumns is case A7: PIVOT without IN gives the columns and rows that
// DuckDB gives over the rows that the user has, buffered and flushed.
func TestPivotFindsItsColumns(t *testing.T) {
	s, plain := newServer(t, manual), newStock(t)
	alice, bob := userOf("alice"), userOf("bob")
	columns := "(id INT PRIMARY KEY, v TEXT, n INT, d DATE, f DOUBLE)"
	s.must(root, "CREATE NAMESPACE app; CREATE USER TABLE app.p "+columns)
	plain.exec("CREATE SCHEMA app")
	plain.exec("CREATE TABLE app.p " + columns)
	s.must(bob, "INSERT INTO app.p VALUES (1, 'of bob', 1, '2026-02-02', 1)")
	s.must(alice, "INSERT INTO app.p VALUES "+pivotRows)
	plain.exec("INSERT INTO app.p VALUES " + pivotRows)
	for _, state := range []string{"buffered", "flushed"} {
		for _, q := range pivots {
			res := s.must(alice, q)
			got := append([]string{strings.Join(res.columns, "|")}, sortedRows(res.rows)...)
			names, rows := plain.table(q)
			want := append([]string{strings.Join(names, "|")}, rows...)
			if !slices.Equal(got, want) {
				t.Errorf("%s: %s\n got %q\nwant %q", state, q, got, want)
			}
		}
		bobs := s.must(bob, "PIVOT app.p ON v USING sum(n) GROUP BY id").columns
		if !slices.Equal(bobs, []string{"id", "of bob"}) {
			t.Errorf("%s: bob has the columns %q", state, bobs)
		}
		s.flush()
	}
}

// table returns the names of the columns and the rows in an order of their own.
func (s *stock) table(q string) (names, rows []string) {
	s.t.Helper()
	r, err := s.arrow.QueryContext(context.Background(), q)
	if err != nil {
		s.t.Fatalf("stock: %s: %v", q, err)
	}
	defer r.Release()
	for _, f := range r.Schema().Fields() {
		names = append(names, f.Name)
	}
	for r.Next() {
		rows = append(rows, cellsOf(r.RecordBatch())...)
	}
	if r.Err() != nil {
		s.t.Fatalf("stock: %s: %v", q, r.Err())
	}
	slices.Sort(rows)
	return names, rows
}

func sortedRows(rows [][]string) []string {
	var out []string
	for _, row := range rows {
		out = append(out, strings.Join(row, " "))
	}
	slices.Sort(out)
	return out
}

// TestPivotOfParameters is case A7: the rows that PIVOT finds its columns in may depend
// on parameters, on NOW() and on who asks, and on writes of the open transaction; other
// statements take its rows.
func TestPivotOfParameters(t *testing.T) {
	s := newServer(t, manual)
	alice := userOf("alice")
	s.must(root, "CREATE NAMESPACE app; CREATE NAMESPACE alice")
	s.must(root, "CREATE USER TABLE app.p (id INT PRIMARY KEY, v TEXT, n INT, d DATE, f DOUBLE)")
	s.must(alice, "INSERT INTO app.p VALUES "+pivotRows)
	check := func(sql, want string, params ...kalam.Value) {
		t.Helper()
		results, err := s.try(alice, sql, params...)
		if err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		for _, res := range results {
			if res.columns == nil {
				continue
			}
			if got := strings.Join(res.columns, " ") + ": " + rowsText(res); got != want {
				t.Errorf("%s: got %q, want %q", sql, got, want)
			}
		}
	}
	for id, want := range map[int64]string{1: "k a: 2 10", 2: "k b: 2 20", 99: "k: "} {
		sql := "PIVOT (SELECT v, n, $2 + 0 AS k FROM app.p WHERE id = $1 AND v <> $3) ON v USING sum(n) ORDER BY k LIMIT $2"
		check(sql, want, kalam.BigInt(id), kalam.BigInt(2), kalam.Text("c"))
	}
	check("PIVOT (SELECT id, CURRENT_USER AS u FROM app.p WHERE d < NOW() AND id = 1) ON u USING count(*) GROUP BY id",
		"id alice: 1 1")
	check("PIVOT app.p ON v || $1 USING sum(n) GROUP BY d ORDER BY d LIMIT 1",
		"d ! A! NULL! a!_1 b! it's! ü\"x!: 20454 null null null 10 null null null", kalam.Text("!"))
	check(`BEGIN; INSERT INTO app.p VALUES (20, 'new', 7, '2027-01-01', 8);
		PIVOT (SELECT * FROM app.p WHERE f = 8) ON v USING sum(n) GROUP BY f; ROLLBACK`, "f new: 8.0 7")
	check(`CREATE USER TABLE alice.made AS SELECT id, b FROM (PIVOT app.p ON v USING sum(n)::INT GROUP BY id) WHERE b > 1;
		SELECT id, b FROM alice.made`, "id b: 2 20")
}

// TestPivotRefused is case A7: what PIVOT cannot do is said at its place in the text of
// the user.
func TestPivotRefused(t *testing.T) {
	s := newServer(t, manual)
	alice := userOf("alice")
	s.must(root, "CREATE NAMESPACE app; CREATE USER TABLE app.p (id INT PRIMARY KEY, v TEXT, n INT)")
	s.must(alice, "INSERT INTO app.p SELECT range, range, 1 FROM range(1001)")
	for _, c := range []struct {
		sql, at string
		code    kalam.Code
		says    string
	}{
		{"PIVOT app.p ON v USING sum(n)", "v USING", kalam.CodeTooLarge, "more than 1000 values"},
		{"SELECT /* here */ * FROM (PIVOT app.p ON v, id USING sum(n)), app.none", "app.none",
			kalam.CodeTableNotFound, "none"},
		{"PIVOT app.p ON v IN ('1') USING sum(n), max(nope)", "nope", kalam.CodeInvalidSQL, "nope"},
		{"PIVOT app.p ON nope USING sum(n) GROUP BY id", "nope", kalam.CodeInvalidSQL, "nope"},
		{"PIVOT app.p ON id % 2, v IN ('1') USING sum(nope) GROUP BY n", "nope", kalam.CodeInvalidSQL, "nope"},
		{"SELECT * FROM (PIVOT app.p ON id % 2 USING sum(n) GROUP BY n) WHERE nope > 1", "nope",
			kalam.CodeInvalidSQL, "nope"},
		{"FROM (PIVOT app.p ON id % 2 USING sum(n) GROUP BY n) WHERE read_text('x') > 1", "read_text",
			kalam.CodeInvalidSQL, "read_text"},
		{"PIVOT app.p ON id % 2 USING sum(n) GROUP BY ", "", kalam.CodeInvalidSQL, "Syntax error"},
		{"PIVOT app.p ON v IN (SELECT '1') USING sum(n)", "PIVOT", kalam.CodeUnsupported, "name the values after IN"},
		{"WITH RECURSIVE x AS (SELECT 1 AS a UNION ALL SELECT a FROM (PIVOT x ON a USING sum(a))) SELECT * FROM x", "",
			kalam.CodeUnsupported, "RECURSIVE"},
	} {
		_, err := s.try(alice, c.sql)
		var ke *kalam.Error
		if !errors.As(err, &ke) || ke.Code != c.code || !strings.Contains(ke.Error(), c.says) {
			t.Errorf("%s: %v", c.sql, err)
			continue
		}
		if c.at != "" && ke.Position != strings.Index(c.sql, c.at)+1 {
			t.Errorf("%s: the error is at %d, %q", c.sql, ke.Position, err)
		}
	}
	// The same after white space and comments: the plan is another's.
	s.must(alice, "DELETE FROM app.p WHERE id > 3")
	s.must(alice, "PIVOT app.p ON v USING sum(n)")
	s.must(alice, "INSERT INTO app.p SELECT range, range, 1 FROM range(10, 1050)")
	_, err := s.try(alice, "  PIVOT /* all */ app.p ON  v USING sum(n)")
	var ke *kalam.Error
	if !errors.As(err, &ke) || ke.Position != 28+1 {
		t.Errorf("after white space: %v", fmt.Sprintf("%+v", err))
	}
}
