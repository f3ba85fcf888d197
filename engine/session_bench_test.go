package engine_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer/memory"
	"github.com/kalamlake/kalam/config"
	"github.com/kalamlake/kalam/session"
)

// BenchmarkSessionCache runs requests of one user with and without the session cache, and with a text of their own
// each: what the caches save is the reading and resolving of a text, and for a query its analysis and plan.
func BenchmarkSessionCache(b *testing.B) {
	alice := userOf("alice")
	for _, c := range []struct{ name, sql, fresh string }{
		{"point", "SELECT id, title, body, made, n FROM app.t WHERE id = $1",
			"SELECT id, title, body, made, n FROM app.t WHERE id = %d"},
		{"wide", "SELECT id AS a, title AS b, body AS c, made AS d, n AS e FROM app.t WHERE app.t.id = $1",
			"SELECT id AS a, title AS b, body AS c, made AS d, n AS e FROM app.t WHERE app.t.id = %d"},
		{"update", "UPDATE app.t SET n = 7 WHERE id = $1", "UPDATE app.t SET n = 7 WHERE id = %d"},
		{"query", "SELECT count(*) AS n, max(n) AS most FROM app.t WHERE id > $1 AND title LIKE 'a%'",
			"SELECT count(*) AS n, max(n) AS most FROM app.t WHERE id > %d AND title LIKE 'a%%'"},
	} {
		for _, mode := range []string{"cached", "uncached", "fresh"} {
			b.Run(c.name+"/"+mode, func(b *testing.B) {
				s := newServer(b, func(cfg *config.Config) {
					if mode == "uncached" {
						cfg.SessionCache.MaxSessions = 0
					}
				})
				s.stop()
				s.opts.Backend, s.config.Storage.DataPath = memory.New(), b.TempDir() // Its buffer is another.
				s.start()
				s.must(root, "CREATE NAMESPACE app; CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, title TEXT, body TEXT,"+
					" made TIMESTAMP DEFAULT NOW(), n INT)")
				s.must(alice, "INSERT INTO app.t (id, title, n) SELECT i, 'a' || i, 7 FROM range(100) r(i)")
				b.ResetTimer()
				for i := range b.N {
					r := session.Request{SQL: c.sql, Params: []kalam.Value{kalam.BigInt(int64(i % 100))}}
					if mode == "fresh" {
						r = session.Request{SQL: fmt.Sprintf(c.fresh, i)}
					}
					if err := s.Execute(context.Background(), alice, r, &collector{}); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
