package engine_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/session"
)

// BenchmarkCompacted reads 200,000 rows of 64 segments, a tenth of them updated
// once, before and after a compaction. The keys of the segments overlap.
func BenchmarkCompacted(b *testing.B) {
	const rows, files = 200_000, 64
	s := newServer(b, manual)
	alice := userOf("alice")
	s.must(root, "CREATE NAMESPACE app")
	s.must(root, "CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, conversation_id TEXT NOT NULL, role TEXT NOT NULL, content TEXT NOT NULL, created_at TIMESTAMP NOT NULL)")
	for i := range files {
		s.must(alice, fmt.Sprintf("INSERT INTO app.t SELECT i * %d + %d, 'c' || (i // 20), 'assistant', repeat('some words ', 18) || i, TIMESTAMP '2026-01-01' + i * INTERVAL 1 SECOND FROM range(%d) r(i)", files, i, rows/files))
		s.must(alice, fmt.Sprintf("UPDATE app.t SET role = 'user' WHERE id %% 10 = 3 AND id %% %d = %d", files, i/2))
		s.flush()
	}
	for _, state := range []string{"segments=64", "segments=1"} {
		if state == "segments=1" {
			_, r := s.compactTable("app.t")
			b.Logf("%+v", r)
		}
		for name, sql := range map[string]string{
			"groupby": "SELECT role, count(*) AS n, max(created_at) AS t, sum(id) AS s FROM app.t WHERE id > $1 GROUP BY role",
			"latest":  "SELECT id, role, content FROM app.t WHERE id >= $1 ORDER BY created_at DESC LIMIT 20",
			"point":   "SELECT content FROM app.t WHERE id = $1",
		} {
			b.Run(state+"/"+name, func(b *testing.B) {
				rng := rand.New(rand.NewPCG(1, 2))
				for b.Loop() {
					var c collector
					if err := s.Execute(context.Background(), alice,
						session.Request{SQL: sql, Params: []kalam.Value{kalam.BigInt(rng.Int64N(rows))}}, &c); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkCompact merges 16 segments of 62,500 rows.
func BenchmarkCompact(b *testing.B) {
	const rows, files = 1_000_000, 16
	alice := userOf("alice")
	for b.Loop() {
		b.StopTimer()
		s := newServer(b, manual)
		s.must(root, "CREATE NAMESPACE app")
		s.must(root, "CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, role TEXT NOT NULL, content TEXT NOT NULL)")
		for i := range files {
			s.must(alice, fmt.Sprintf("INSERT INTO app.t SELECT i, 'assistant', repeat('some words ', 18) || i FROM range(%d, %d) r(i)", i*rows/files, (i+1)*rows/files))
			s.flush()
		}
		b.StartTimer()
		if j, r := s.compactTable("app.t"); r.SegmentsAfter != 1 {
			b.Fatalf("%s: %+v", j.Status, r)
		}
		b.StopTimer()
		s.stop()
		b.StartTimer()
	}
	b.ReportMetric(float64(b.N*rows)/b.Elapsed().Seconds(), "rows/s")
}
