package engine_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer/memory"
	"github.com/kalamlake/kalam/session"
)

// benchServer is a server whose commits cost no sync.
func benchServer(b *testing.B) *server {
	b.Helper()
	s := newServer(b)
	s.stop()
	s.opts.Backend = memory.New()
	s.config.Storage.DataPath = b.TempDir() // Its buffer is another.
	s.start()
	s.must(root, "CREATE NAMESPACE app")
	s.must(root, "CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, conversation_id TEXT NOT NULL, role TEXT NOT NULL, content TEXT NOT NULL, created_at TIMESTAMP NOT NULL)")
	return s
}

// valuesOf is one VALUES list of a row of chat shape.
func valuesOf(id int64) string {
	return fmt.Sprintf("(%d, 'conversation_%06d', 'assistant', '%s', '2026-01-01T00:00:00Z')", id, id/20,
		strings.Repeat("some words ", 18))
}

// BenchmarkInsert runs INSERT statements of one row and of many.
func BenchmarkInsert(b *testing.B) {
	for _, rows := range []int{1, 1000} {
		b.Run(fmt.Sprintf("rows=%d", rows), func(b *testing.B) {
			s := benchServer(b)
			b.ReportAllocs()
			var id atomic.Int64
			for b.Loop() {
				b.StopTimer()
				lists := make([]string, rows)
				for i := range lists {
					lists[i] = valuesOf(id.Add(1))
				}
				sql := "INSERT INTO app.t VALUES " + strings.Join(lists, ",")
				b.StartTimer()
				var c collector
				if err := s.Execute(context.Background(), userOf("alice"), session.Request{SQL: sql}, &c); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N*rows)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

// BenchmarkSelect reads from a scope of 10,000 buffered rows.
func BenchmarkSelect(b *testing.B) {
	for name, sql := range map[string]string{
		"point":     "SELECT content FROM app.t WHERE id = $1",
		"latest":    "SELECT id, role, content FROM app.t WHERE id < $1 ORDER BY id DESC LIMIT 20",
		"aggregate": "SELECT role, count(*) AS n, max(created_at) AS t FROM app.t WHERE id < $1 GROUP BY role",
	} {
		b.Run(name, func(b *testing.B) {
			s := benchServer(b)
			s.must(userOf("alice"),
				"INSERT INTO app.t SELECT i, 'c' || (i // 20), 'assistant', repeat('some words ', 18), TIMESTAMP '2026-01-01' FROM range(10000) r(i)")
			b.ReportAllocs()
			for i := int64(0); b.Loop(); i++ {
				var c collector
				if err := s.Execute(context.Background(), userOf("alice"),
					session.Request{SQL: sql, Params: []kalam.Value{kalam.BigInt(i % 10000)}}, &c); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
