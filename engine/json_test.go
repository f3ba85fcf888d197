package engine_test

import (
	"fmt"
	"testing"
)

// TestJSONInQueries: a JSON column is JSON wherever a query uses it, buffered and flushed,
// and results say so (case A4).
func TestJSONInQueries(t *testing.T) {
	s := newServer(t)
	alice := userOf("alice")
	s.must(root, "CREATE NAMESPACE app")
	s.must(root, "CREATE USER TABLE app.d (id BIGINT PRIMARY KEY, j JSON, t TEXT)")
	s.must(alice, `INSERT INTO app.d VALUES (1, '{"a":1,"b":{"c":[1,2]}}', 'x'), (2, NULL, NULL)`)
	const doc = `"{\"a\":1,\"b\":{\"c\":[1,2]}}"`
	for _, state := range []string{"buffered", "flushed"} {
		for q, want := range map[string]string{
			"SELECT j FROM app.d WHERE id = 1":                                         "[Json] [[" + doc + "]]",
			"SELECT t AS j FROM app.d WHERE id = 1":                                    `[Text] [["x"]]`,
			"SELECT t AS j FROM app.d WHERE id = 1 AND true":                           `[Text] [["x"]]`,
			"SELECT a.j AS x FROM app.d a JOIN app.d b ON a.j = b.j":                   "[Json] [[" + doc + "]]",
			"SELECT j FROM app.d UNION SELECT j FROM app.d ORDER BY 1 NULLS LAST":      "[Json] [[" + doc + "] [null]]",
			"SELECT coalesce(j, '{}') AS x FROM app.d ORDER BY id":                     "[Json] [[" + doc + `] ["{}"]]`,
			"SELECT max(j) AS x, CASE WHEN true THEN any_value(j) END AS y FROM app.d": "[Json Json] [[" + doc + " " + doc + "]]",
			"SELECT json_object('meta', j) AS x FROM app.d WHERE id = 1":               `[Json] [["{\"meta\":{\"a\":1,\"b\":{\"c\":[1,2]}}}"]]`,
			"SELECT {k: j, l: [j]} AS x FROM app.d WHERE id = 1":                       `[Json] [["{\"k\":{\"a\":1,\"b\":{\"c\":[1,2]}},\"l\":[{\"a\":1,\"b\":{\"c\":[1,2]}}]}"]]`,
			"SELECT j.b AS x, j['b'] AS y, j.b.c[0] AS z FROM app.d WHERE id = 1":      `[Json Json Json] [["{\"c\":[1,2]}" "{\"c\":[1,2]}" "1"]]`,
			"SELECT [1, 2] AS x, '[1,2]'::JSON AS y":                                   `[Text Json] [[[1,2] "[1,2]"]]`,
			"SELECT typeof(j) AS x, upper(j) AS y FROM app.d WHERE id = 1":             `[Text Text] [["JSON" "{\"A\":1,\"B\":{\"C\":[1,2]}}"]]`,
			`SELECT id AS x FROM app.d WHERE j = '{"a":1,"b":{"c":[1,2]}}'`:            `[BigInt] [["1"]]`,
		} {
			r := s.must(alice, q)
			if got := fmt.Sprint(r.types, " ", r.rows); got != want {
				t.Errorf("%s: %s gives\n%s\nwant\n%s", state, q, got, want)
			}
		}
		if _, err := s.try(alice, "SELECT id FROM app.d WHERE j = 'no document'"); err == nil ||
			messageOf(err) != "Invalid JSON value: expected object or array" {
			t.Errorf("%s: what is no JSON beside JSON: %v", state, err)
		}
		s.flush()
	}
}
