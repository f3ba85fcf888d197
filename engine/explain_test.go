package engine_test

import (
	"strings"
	"testing"

	"github.com/kalamlake/kalam"
)

// TestExplain checks what EXPLAIN tells: what is read, how, and no paths; and that it needs the
// rights of the query.
func TestExplain(t *testing.T) {
	s := newServer(t)
	alice := userOf("alice")
	s.must(root, "CREATE NAMESPACE app")
	s.must(root, "CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, body TEXT)")
	s.must(root, "CREATE SHARED TABLE app.secret (id BIGINT PRIMARY KEY) WITH (access_level = 'private')")
	s.must(alice, "INSERT INTO app.t VALUES (1, 'a'), (2, 'b'), (3, 'c')")
	s.flush()
	s.must(alice, "INSERT INTO app.t VALUES (4, 'd'), (5, 'e'); DELETE FROM app.t WHERE id = 1")
	explain := func(sql string, params ...kalam.Value) string {
		var b strings.Builder
		for _, row := range s.must(alice, sql, params...).rows {
			b.WriteString(strings.Trim(row[0], `"`) + "\n")
		}
		return b.String()
	}
	plan := explain("EXPLAIN SELECT body, count(*) FROM app.t WHERE id > $1 GROUP BY body", kalam.BigInt(2))
	for _, want := range []string{
		"Reads app.t: 1 segments, without 1 deleted or replaced rows; 2 buffered rows\n", "Analysis: made now\n",
		"GROUP_BY", "READ_PARQUET", "BUFFER",
	} {
		if !strings.Contains(plan, want) {
			t.Errorf("no %q in\n%s", want, plan)
		}
	}
	if plan := explain("EXPLAIN SELECT body FROM app.t WHERE id > 3"); !strings.Contains(plan,
		"Leaves out 1 of 1 segments and 1 of 1 row groups\n") {
		t.Errorf("a segment that has no such row is read:\n%s", plan)
	}
	analyzed := explain("EXPLAIN ANALYZE SELECT body FROM app.t")
	if !strings.Contains(analyzed, "Run: ") || !strings.Contains(analyzed, "in process ") {
		t.Errorf("EXPLAIN ANALYZE gives\n%s", analyzed)
	}
	for _, text := range []string{plan, analyzed, explain("EXPLAIN SELECT * FROM system.live")} {
		if strings.Contains(text, "users/") || strings.Contains(text, "/tmp") || strings.Contains(text, "kalam_") {
			t.Errorf("names that are none of a user's:\n%s", text)
		}
	}
	for sql, want := range map[string]string{
		"EXPLAIN SELECT * FROM app.secret":           "relation 'app.secret' does not exist",
		"EXPLAIN SELECT * FROM app.nothing":          "relation 'app.nothing' does not exist",
		"EXPLAIN SELECT nothing FROM app.t":          "nothing",
		"EXPLAIN SELECT read_text('/etc/passwd')":    "does not exist or is not allowed",
		"EXPLAIN DELETE FROM app.t":                  "EXPLAIN takes a query",
		"EXPLAIN ANALYZE SELECT id / 'x' FROM app.t": "Could not convert",
	} {
		if _, err := s.try(alice, sql); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", sql, err, want)
		}
	}
}
