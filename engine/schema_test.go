package engine_test

import (
	"fmt"
	"testing"
)

// schemaItems are expressions over a column c, with the type of their result where it is
// not that of another expression.
var schemaItems = []string{
	"c", "coalesce(c, c) AS x", "CASE WHEN id > 1 THEN c END AS x", "max(c) AS x", "min(c) FILTER (WHERE id < 0) AS x", "any_value(c) AS x", "list(c) AS x", "[c] AS x", "{k: c} AS x", "MAP {'k': c} AS x",
	"lag(c) OVER (ORDER BY id) AS x", "(SELECT max(b.c) FROM app.t AS b WHERE b.id > 9000) AS x", "nullif(c, c) AS x", "typeof(c) AS x", "CAST(c AS TEXT) AS x", "count(c) AS x", "c IS NULL AS x",
}

// numberItems are those of numbers.
var numberItems = []string{"sum(c) AS x", "avg(c) AS x", "c + c AS x", "sum(c * 1000) AS x", "c * 2 AS x", "-c AS x",
	"sum(c) OVER (ORDER BY id) AS x", "sum(CAST(c AS BIGINT)) AS x", "sum(CAST(c AS HUGEINT)) AS x", "c % 2 AS x"}

// TestSchemaDoesNotDependOnRows: the types of a result's columns are the same whatever rows
// the tables hold, none, NULLs first, one or many chunks, buffered and flushed (case A8).
func TestSchemaDoesNotDependOnRows(t *testing.T) {
	s := newServer(t)
	alice := userOf("alice")
	s.must(root, "CREATE NAMESPACE app")
	for _, w := range writtenValues() {
		items := schemaItems
		switch w.typ {
		case "SMALLINT", "INT", "BIGINT", "FLOAT", "DOUBLE", "DECIMAL(10,2)":
			items = append(append([]string(nil), items...), numberItems...)
		}
		want := map[string]string{}
		see := func(rows string) {
			t.Helper()
			for _, item := range items {
				q := "SELECT " + item + " FROM app.t"
				for _, q := range []string{q, q + " WHERE id = 2", q + " LIMIT 0", "SELECT * FROM (" + q + ") AS q UNION ALL (" +
					q + ")"} {
					res, err := s.try(alice, q)
					got := fmt.Sprint(err)
					if err == nil {
						got = fmt.Sprint(res[0].types, res[0].columns)
					}
					if want[q] == "" {
						want[q] = got
					}
					if got != want[q] {
						t.Errorf("%s, %s: %s has %s, without rows %s", w.typ, rows, q, got, want[q])
					}
				}
			}
		}
		value := w.forms[0].sql
		s.must(root, "CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, c "+w.typ+")")
		see("no rows")
		s.must(alice, "INSERT INTO app.t VALUES (1, NULL)")
		see("a NULL")
		s.must(alice, "INSERT INTO app.t VALUES (2, "+value+")")
		see("a NULL and a value")
		s.flush()
		see("flushed")
		s.must(alice, "INSERT INTO app.t SELECT i, NULL FROM range(3, 4500) r(i)")
		s.must(alice, "UPDATE app.t SET c = "+value+" WHERE id > 4400")
		see("many NULLs before values")
		s.must(alice, "DELETE FROM app.t WHERE id > 0")
		see("all rows deleted")
		s.must(root, "DROP TABLE app.t")
	}
}
