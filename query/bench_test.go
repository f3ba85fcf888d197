package query_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query"
)

// benchQueries are the three queries of an application that shows chats.
var benchQueries = []struct {
	name, sql string
	params    []kalam.Value
}{
	{"point", "SELECT * FROM t WHERE id = $1", row(big(777))},
	{"latest20", "SELECT * FROM t ORDER BY created_at DESC LIMIT 20", nil},
	{"agg", "SELECT role, count(*), max(created_at) FROM t GROUP BY role", nil},
}

func benchSources(b *testing.B, e *engine) map[string]query.Source {
	return map[string]query.Source{
		"rows=100":      e.chatSource(b, "b1", 100, 0),
		"rows=10k":      e.chatSource(b, "b2", 10_000, 0),
		"rows=50k":      e.chatSource(b, "b3", 50_000, 0),
		"file=10k":      e.chatSource(b, "b4", 10_000, 10_000),
		"file=200k+1k":  e.chatSource(b, "b5", 201_000, 200_000),
		"files=8x1k+1k": e.manyFiles(b, 8, 1000, 1000),
	}
}

// manyFiles is a source of n files of rows each, and some in batches.
func (e *engine) manyFiles(b *testing.B, n, rows, buffered int) query.Source {
	schema := columnsOf(b, chatColumns)
	all := chat(n*rows + buffered)
	src := query.Source{Schema: schema, Batches: batchesOf(b, schema, all[n*rows:], 2048)}
	for i := range n {
		src.Files = append(src.Files, e.file(b, fmt.Sprintf("many%d.parquet", i), schema, all[i*rows:(i+1)*rows]))
	}
	return src
}

func (e *engine) mustDrain(b *testing.B, p *query.Plan, src query.Source, params []kalam.Value) {
	rows, err := e.Query(context.Background(), p, []query.Source{src}, testArgs(params...))
	if err != nil {
		b.Fatal(err)
	}
	defer rows.Close()
	if err := drain(context.Background(), rows, func(arrow.RecordBatch) {}); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkQuery runs statements as they come: text that was seen before, and
// text that is new each time.
func BenchmarkQuery(b *testing.B) {
	e := newEngine(b)
	for _, name := range []string{"rows=100", "rows=10k", "rows=50k", "file=10k", "file=200k+1k", "files=8x1k+1k"} {
		src := benchSources(b, e)[name]
		for _, q := range benchQueries {
			b.Run(name+"/"+q.name+"/cached", func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					p, err := e.Analyse(context.Background(), testUser, q.sql)
					if err != nil {
						b.Fatal(err)
					}
					e.mustDrain(b, p, src, q.params)
				}
			})
			b.Run(name+"/"+q.name+"/fresh", func(b *testing.B) {
				i := 0
				for b.Loop() {
					i++
					p, err := e.Analyse(context.Background(), testUser, q.sql+freshSuffix(q.name, i))
					if err != nil {
						b.Fatal(err)
					}
					e.mustDrain(b, p, src, q.params)
				}
			})
		}
	}
}

// freshSuffix makes a statement different from all before.
func freshSuffix(name string, i int) string {
	if name == "latest20" {
		return fmt.Sprintf(" OFFSET %d", i)
	}
	return fmt.Sprintf(" LIMIT %d", 1000+i)
}

// BenchmarkAnalyse is the cost of a text alone.
func BenchmarkAnalyse(b *testing.B) {
	e := newEngine(b)
	const sql = "SELECT m.id, m.content, u.name FROM app.messages m JOIN app.users u ON u.id = m.user_id " +
		"WHERE m.conv = $1 AND m.created_at > $2 ORDER BY m.created_at DESC LIMIT 50"
	b.Run("cached", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := e.Analyse(context.Background(), testUser, sql); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("spaced", func(b *testing.B) {
		i := 0
		for b.Loop() {
			i++
			if _, err := e.Analyse(context.Background(), testUser, fmt.Sprintf("%s -- %d", sql, i)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("fresh", func(b *testing.B) {
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			i++
			if _, err := e.Analyse(context.Background(), testUser, fmt.Sprintf("%s OFFSET %d", sql, i)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("expr", func(b *testing.B) {
		i := 0
		for b.Loop() {
			i++
			if err := e.CheckExpr(context.Background(), testUser, fmt.Sprintf("a = %d AND lower(b) = 'x'", i)); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkCopyParquet writes files of chat rows.
func BenchmarkCopyParquet(b *testing.B) {
	e := newEngine(b)
	for _, n := range []int{1000, 100_000} {
		schema := columnsOf(b, chatColumns)
		batches := batchesOf(b, schema, chat(n), 2048)
		b.Run(fmt.Sprintf("rows=%d", n), func(b *testing.B) {
			for b.Loop() {
				if _, err := e.CopyParquet(context.Background(), query.CopySpec{
					Path: e.dir + "/copy.parquet", Schema: schema, Batches: each(batches), RowGroup: 16384,
				}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
