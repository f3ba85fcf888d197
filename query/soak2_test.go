package query_test

import (
	"syscall"
	"testing"
	"time"
	"context"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/RoaringBitmap/roaring/v2"
	"github.com/kalamlake/kalam/query"
)

func cpu() time.Duration {
	var ru syscall.Rusage
	syscall.Getrusage(0, &ru)
	return time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
}

func TestCPU(t *testing.T) {
	query.SetStream(true)
	e := newEngine(t)
	schema := columnsOf(t, chatColumns)
	all := chat(500_000)
	mk := func(name string, n int) query.File {
		path := e.dir + "/" + name
		_, err := e.CopyParquet(t.Context(), query.CopySpec{Path: path, Schema: schema, Batches: batchesOf(t, schema, all[:n], 2048), RowGroup: 16384})
		if err != nil { t.Fatal(err) }
		return query.File{Path: path}
	}
	f := mk("big.parquet", 499_000)
	dead := f
	dead.Dead = roaring.BitmapOf(5, 1000, 400_000)
	buf := batchesOf(t, schema, all[499_000:], 2048)
	srcs := []struct{ name string; s query.Source }{
		{"file only", query.Source{Schema: schema, Files: []query.File{f}}},
		{"file+dead", query.Source{Schema: schema, Files: []query.File{dead}}},
		{"file+buf", query.Source{Schema: schema, Files: []query.File{f}, Batches: buf}},
		{"file+dead+buf", query.Source{Schema: schema, Files: []query.File{dead}, Batches: buf}},
	}
	raw := fmt.Sprintf("read_parquet('%s')", f.Path)
	db := plainDuckDB(t)
	for _, q := range []string{
		"SELECT * FROM t ORDER BY created_at DESC LIMIT 20",
		"SELECT * FROM t ORDER BY id LIMIT 20",
		"SELECT id, content FROM t WHERE conv = 'conv_00007' ORDER BY created_at DESC LIMIT 20",
		"SELECT * FROM t WHERE id = 777",
		"SELECT role, count(*), max(created_at) FROM t GROUP BY role",
	} {
		measure := func(name string, run func()) {
			run(); run()
			c := cpu()
			best := time.Hour
			const n = 12
			for range n {
				st := time.Now()
				run()
				best = min(best, time.Since(st))
			}
			t.Logf("%-60.60s %-14s cpu %7dus best %7dus", q, name, (cpu()-c).Microseconds()/n, best.Microseconds())
		}
		rq := q
		for i := 0; i+3 < len(rq); i++ { if rq[i:i+3] == " t " || (rq[i:i+3] == " t") { rq = rq[:i] + " " + raw + " " + rq[i+3:]; break } }
		measure("raw duckdb", func() {
			rows, err := db.Query(rq)
			if err != nil { t.Fatal(rq, err) }
			for rows.Next() {}
			rows.Close()
		})
		for _, s := range srcs {
			measure(s.name, func() {
				p, err := e.Analyse(context.Background(), q)
				if err != nil { t.Fatal(err) }
				rows, err := e.Query(context.Background(), p, []query.Source{s.s}, testArgs())
				if err != nil { t.Fatal(err) }
				if err := drain(context.Background(), rows, func(arrow.RecordBatch) {}); err != nil { t.Fatal(err) }
				rows.Close()
			})
		}
	}
}
