package engine_test

import (
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/config"
	"github.com/kalamlake/kalam/live"
)

// TestDialectOfDivision is case A7: what 7 / 2 and the order of NULLs are is one choice
// of the server's, the same in queries, conditions, key lookups and live queries.
func TestDialectOfDivision(t *testing.T) {
	for _, c := range []struct{ dialect, half, order, found string }{
		{config.DialectPostgreSQL, "3", "2; 1; 3", "1"},
		{config.DialectDuckDB, "3.5", "1; 3; 2", ""},
	} {
		t.Run(c.dialect, func(t *testing.T) {
			s := newServer(t, func(cfg *config.Config) { cfg.Query.Dialect = c.dialect })
			alice := userOf("alice")
			s.must(root, "CREATE NAMESPACE app; CREATE USER TABLE app.t (id INT PRIMARY KEY, n INT)")
			s.must(alice, "INSERT INTO app.t VALUES (1, 7), (2, NULL), (3, 1)")
			expect := func(want, sql string, params ...kalam.Value) {
				t.Helper()
				if got := rowsText(s.must(alice, sql, params...)); got != want {
					t.Errorf("%s: got %q, want %q", sql, got, want)
				}
			}
			for range 2 { // Buffered, then flushed.
				expect(c.half, "SELECT 7 / 2")
				expect(c.half, "SELECT n / 2 FROM app.t WHERE id = 1")
				expect(c.order, "SELECT id FROM app.t ORDER BY n DESC")
				expect(c.found, "SELECT id FROM app.t WHERE n / 2 = 3")
				expect(c.found, "SELECT id FROM app.t WHERE n / $1 = 3", kalam.BigInt(2))
				expect(c.found, "SELECT id FROM app.t WHERE id = 3 / 2")
				expect(c.found, "UPDATE app.t SET n = n WHERE n / 2 = 3 RETURNING id")
				s.flush()
			}
			last := 10
			f := s.follow(alice, "SELECT * FROM app.t WHERE n / 2 = 3", &live.Options{LastRows: last}, true)
			defer f.close()
			if _, ok := f.rows["1"]; ok != (c.found == "1") {
				t.Errorf("a live query begins with %v", f.rows)
			}
		})
	}
}
