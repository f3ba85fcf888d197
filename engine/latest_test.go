package engine_test

import (
	"context"
	sqldb "database/sql"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/config"
	"github.com/kalamlake/kalam/session"
)

// fillLatest makes app.m of alice's with messages, a part of them in each of some segments
// and buffered at last. It returns how many there are.
func fillLatest(s *server, segments, rows, buffered int) int {
	s.t.Helper()
	alice := userOf("alice")
	s.must(root, "CREATE NAMESPACE app")
	s.must(root, `CREATE USER TABLE app.m (id BIGINT PRIMARY KEY, conversation_id TEXT NOT NULL, role TEXT NOT NULL,
		content TEXT NOT NULL, created_at TIMESTAMP NOT NULL, seen TIMESTAMP)`)
	insert := func(from, to int) {
		s.must(alice, fmt.Sprintf(`INSERT INTO app.m SELECT i, 'c' || (i * 7919 %% 500),
			CASE WHEN i %% 2 = 0 THEN 'user' ELSE 'assistant' END,
			repeat('some words ', 18) || i, TIMESTAMP '2026-01-01' + i * INTERVAL 1 SECOND,
			CASE WHEN i %% 50 > 0 THEN TIMESTAMP '2026-01-01' + i * INTERVAL 1 MINUTE END FROM range(%d, %d) r(i)`, from, to))
	}
	n := 0
	for range segments {
		insert(n, n+rows)
		n += rows
		s.flush()
	}
	insert(n, n+buffered)
	return n + buffered
}

// TestLatestOverSegments compares queries for the first rows with the same over a subquery,
// which reads all, while rows are in segments, replaced, deleted and buffered.
func TestLatestOverSegments(t *testing.T) {
	for _, isolation := range []string{config.IsolationNone, config.IsolationAuto} {
		t.Run(isolation, func(t *testing.T) {
			s := newServer(t, manual, func(c *config.Config) { c.Query.Isolation = isolation })
			alice := userOf("alice")
			total := fillLatest(s, 3, 20_000, 500)
			rng := rand.New(rand.NewPCG(7, 7))
			sameLatest(s, rng, total)
			s.must(alice, "UPDATE app.m SET content = 'changed', seen = NULL WHERE id % 97 = 3")
			s.must(alice, fmt.Sprintf("DELETE FROM app.m WHERE id BETWEEN %d AND %d", total-30_000, total-200))
			sameLatest(s, rng, total)
			s.flush()
			sameLatest(s, rng, total)
			s.compactTable("app.m")
			sameLatest(s, rng, total)
		})
	}
}

// sameLatest runs queries in both ways.
func sameLatest(s *server, rng *rand.Rand, total int) {
	s.t.Helper()
	alice := userOf("alice")
	where := []string{
		"", "", " WHERE conversation_id = 'c7'", " WHERE id < $1",
		" WHERE created_at >= TIMESTAMP '2026-01-01' + $1 * INTERVAL 1 SECOND",
		" WHERE id BETWEEN $1 AND $1 + 5000 AND role = 'user'", " WHERE id IN ($1, 5, 60100)",
		" WHERE content = 'changed' AND id >= $1",
	}
	keys := []string{
		"id", "id DESC", "created_at DESC", "created_at", "_seq DESC", "_seq", "seen DESC NULLS LAST", "seen DESC", "seen",
		"conversation_id DESC",
	}
	for range 12 {
		cond := where[rng.IntN(len(where))]
		tail := fmt.Sprintf("%s ORDER BY %s, id LIMIT %d OFFSET %d", cond, keys[rng.IntN(len(keys))], rng.IntN(50),
			max(0, rng.IntN(60)-40))
		var params []kalam.Value
		if strings.Contains(cond, "$1") {
			params = []kalam.Value{kalam.BigInt(rng.Int64N(int64(total)))}
		}
		got := s.must(alice, "SELECT id, content, seen, _seq FROM app.m"+tail, params...).table()
		want := s.must(alice, "SELECT id, content, seen, _seq FROM (SELECT *, _seq FROM app.m) AS m"+tail, params...).table()
		if got != want {
			s.t.Fatalf("%s %v\n%s\ninstead of\n%s", tail, params, got, want)
		}
	}
	got := s.single(alice, "SELECT count(*) FROM app.m")
	want := s.single(alice, "SELECT count(*) FROM (SELECT id FROM app.m) AS m")
	if got != want {
		s.t.Fatalf("%s rows instead of %s", got, want)
	}
}

// BenchmarkLatest measures queries for the latest of 1,000,000 flushed and 10,000 buffered
// rows, and DuckDB as it is over the same files alone.
func BenchmarkLatest(b *testing.B) {
	s := newServer(b, manual)
	fillLatest(s, 1, 1_000_000, 10_000)
	db, files := rawFiles(b, s)
	const list = "SELECT id, role, content FROM "
	for _, q := range []struct{ name, tail string }{
		{"created_at", " ORDER BY created_at DESC LIMIT 20"},
		{"id", " ORDER BY id DESC LIMIT 20"},
		{"conversation", " WHERE conversation_id = 'c77' ORDER BY created_at DESC LIMIT 20"},
		{"page", " WHERE conversation_id = 'c77' AND created_at < TIMESTAMP '2026-01-06' ORDER BY created_at DESC LIMIT 20"},
		{"before", " WHERE id < 500000 ORDER BY id DESC LIMIT 20"},
	} {
		b.Run(q.name+"/kalam", func(b *testing.B) { s.bench(b, list+"app.m"+q.tail) })
		b.Run(q.name+"/raw", func(b *testing.B) { rawBench(b, db, list+files+q.tail) })
	}
	b.Run("count/kalam", func(b *testing.B) { s.bench(b, "SELECT count(*) FROM app.m") })
	b.Run("count/raw", func(b *testing.B) { rawBench(b, db, "SELECT count(*) FROM "+files) })
	const group = "SELECT role, count(*) AS n, max(created_at) AS t FROM "
	b.Run("group/kalam", func(b *testing.B) { s.bench(b, group+"app.m GROUP BY role") })
	b.Run("group/raw", func(b *testing.B) { rawBench(b, db, group+files+" GROUP BY role") })
}

// bench runs a statement of alice's.
func (s *server) bench(b *testing.B, sql string) {
	for b.Loop() {
		var c collector
		if err := s.Execute(context.Background(), userOf("alice"), session.Request{SQL: sql}, &c); err != nil {
			b.Fatal(err)
		}
	}
}

// rawFiles returns a DuckDB as it is and the expression that reads the server's segments.
func rawFiles(b *testing.B, s *server) (db *sqldb.DB, files string) {
	b.Helper()
	err := fs.WalkDir(os.DirFS(s.config.Storage.DataPath), ".", func(p string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(p, ".parquet") {
			files += ", '" + filepath.Join(s.config.Storage.DataPath, p) + "'"
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	db, err = sqldb.Open("duckdb", "")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := db.Close(); err != nil {
			b.Error(err)
		}
	})
	return db, "read_parquet([" + strings.TrimPrefix(files, ", ") + "])"
}

func rawBench(b *testing.B, db *sqldb.DB, query string) {
	for b.Loop() {
		rows, err := db.QueryContext(context.Background(), query)
		if err != nil {
			b.Fatal(err)
		}
		for rows.Next() {
		}
		if err := rows.Err(); err != nil {
			b.Fatal(err)
		}
		if err := rows.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
